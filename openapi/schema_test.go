package openapi

import (
	"reflect"
	"slices"
	"testing"

	"github.com/flexfn/flexfn/internal/kind"
	"github.com/flexfn/flexfn/internal/oas"
)

func TestEveryKindHasASchema(t *testing.T) {
	for _, k := range kind.All() {
		for _, of := range []reflect.Type{reflect.TypeFor[string](), reflect.TypeFor[*string](), reflect.TypeFor[[]string]()} {
			s := new(schemas).parameter(Parameter{Name: "p", Type: of, Kind: k.Name})
			if of.Kind() == reflect.Slice {
				s = s.Items
			}
			if !slices.Equal(s.Type, oas.Types{"string"}) || s.Kind != k.Name || s.Format != k.Format || s.Pattern != k.Pattern {
				t.Errorf("a %s of the kind %q has the schema %+v", of, k.Name, *s)
			}
		}
	}
}

type page[T any] struct{ Items []T }

type both[K comparable, V any] struct {
	Key   K
	Value V
}

type customer struct{ Name string }

func TestNamesOfGenericTypes(t *testing.T) {
	type local struct{}
	for _, test := range []struct {
		t    reflect.Type
		want string
	}{
		{reflect.TypeFor[customer](), "Customer"},
		{reflect.TypeFor[page[customer]](), "PageCustomer"},
		{reflect.TypeFor[page[*oas.Schema]](), "PageSchema"},
		{reflect.TypeFor[page[string]](), "PageString"},
		{reflect.TypeFor[page[local]](), "PageLocal"},
		{reflect.TypeFor[page[[]Parameter]](), "PageParameter"},
		{reflect.TypeFor[both[string, page[customer]]](), "BothStringPageCustomer"},
		{reflect.TypeFor[page[map[string]oas.Schema]](), "PageMapStringSchema"},
	} {
		if got := typeName(test.t); got != test.want {
			t.Errorf("%s is named %s, want %s", test.t, got, test.want)
		}
	}
}
