package flexfn

import (
	"reflect"
	"testing"

	"github.com/flexfn/flexfn/internal/kind"
)

// The console shows what a kind is, and fills in a value that binds.
func TestEveryKindIsTold(t *testing.T) {
	for _, k := range kind.All() {
		list, err := parametersOf(reflect.StructOf([]reflect.StructField{{
			Name: "P", Type: reflect.TypeFor[string](), Tag: reflect.StructTag(`json:"p" kind:"` + k.Name + `"`),
		}}))
		if err != nil {
			t.Fatal(err)
		}
		told := parameterInfo(list[0].Parameter)
		if told.Expected != k.Expected || told.Fits != k.Example {
			t.Errorf("of the kind %q the console is told %+v", k.Name, told)
		}
		field := reflect.New(reflect.TypeFor[string]()).Elem()
		if expected := list[0].set(field, value{kind: stringValue, text: told.Fits}); expected != "" {
			t.Errorf("%q, which the console fills in, does not bind: expected %s", told.Fits, expected)
		}
		if expected := list[0].set(field, value{kind: stringValue, text: "x"}); expected != k.Expected {
			t.Errorf("the answer to a wrong %q expects %q", k.Name, expected)
		}
	}
}
