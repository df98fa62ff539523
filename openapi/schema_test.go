package openapi

import (
	"reflect"
	"slices"
	"testing"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/internal/gen"
	"github.com/flexfn/flexfn/internal/kind"
)

func TestEveryKindHasASchema(t *testing.T) {
	for _, k := range kind.All() {
		for _, of := range []reflect.Type{reflect.TypeFor[string](), reflect.TypeFor[*string](), reflect.TypeFor[[]string]()} {
			s := new(schemas).parameter(flexfn.Parameter{Name: "p", Type: of, Kind: k.Name})
			if of.Kind() == reflect.Slice {
				s = s.Items
			}
			if !slices.Equal(s.Type, gen.Types{"string"}) || s.Format != k.Format || s.Pattern != k.Pattern {
				t.Errorf("a %s of the kind %q has the schema %+v", of, k.Name, *s)
			}
		}
	}
}
