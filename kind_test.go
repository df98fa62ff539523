package flexfn

import (
	"reflect"
	"testing"

	"github.com/flexfn/flexfn/internal/kind"
)

// TestEveryKindBinds: the example of each kind, which the console fills in, is a
// valid value.
func TestEveryKindBinds(t *testing.T) {
	for _, k := range kind.All() {
		list, err := parametersOf(reflect.StructOf([]reflect.StructField{{
			Name: "P", Type: reflect.TypeFor[string](), Tag: reflect.StructTag(`json:"p" kind:"` + k.Name + `"`),
		}}))
		if err != nil {
			t.Fatal(err)
		}
		field := reflect.New(reflect.TypeFor[string]()).Elem()
		if expected := list[0].set(field, value{kind: stringValue, text: k.Example}); expected != "" {
			t.Errorf("%q, which the console fills in, does not bind: expected %s", k.Example, expected)
		}
		if expected := list[0].set(field, value{kind: stringValue, text: "x"}); expected != k.Expected {
			t.Errorf("the answer to a wrong %q expects %q", k.Name, expected)
		}
	}
}
