package openapi

import (
	"encoding/json"
	"reflect"
	"regexp"
	"slices"
	"testing"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/functions"
	"github.com/flexfn/flexfn/internal/gen"
	"github.com/flexfn/flexfn/internal/kind"
	"github.com/flexfn/flexfn/internal/testing/kinds"
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
		{reflect.TypeFor[page[*gen.Schema]](), "PageSchema"},
		{reflect.TypeFor[page[string]](), "PageString"},
		{reflect.TypeFor[page[local]](), "PageLocal"},
		{reflect.TypeFor[page[[]flexfn.Parameter]](), "PageParameter"},
		{reflect.TypeFor[both[string, page[customer]]](), "BothStringPageCustomer"},
		{reflect.TypeFor[page[map[string]gen.Schema]](), "PageMapStringSchema"},
	} {
		if got := typeName(test.t); got != test.want {
			t.Errorf("%s is named %s, want %s", test.t, got, test.want)
		}
	}
}

// What nothing refers to would be a type that nobody can use.
func TestEverySchemaIsReferredTo(t *testing.T) {
	for _, routes := range [][]flexfn.Route{kinds.Routes(), functions.Routes()} {
		document, err := Document(routes, Info{})
		if err != nil {
			t.Fatal(err)
		}
		var d gen.Document
		if err := json.Unmarshal(document, &d); err != nil {
			t.Fatal(err)
		}
		reached := map[string]bool{}
		var walk func(part any)
		walk = func(part any) {
			text, err := json.Marshal(part)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range regexp.MustCompile(`"#/components/schemas/(\w+)"`).FindAllSubmatch(text, -1) {
				if name := string(m[1]); !reached[name] {
					reached[name] = true
					walk(d.Components.Schemas[name])
				}
			}
		}
		walk(d.Paths)
		walk(d.Components.Responses)
		var idle []string
		for name := range d.Components.Schemas {
			if !reached[name] {
				idle = append(idle, name)
			}
		}
		if len(d.Components.Schemas) < 20 || idle != nil {
			t.Errorf("of %d schemas nothing refers to %q", len(d.Components.Schemas), idle)
		}
	}
}
