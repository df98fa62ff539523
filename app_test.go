package flexfn

import (
	"reflect"
	"strings"
	"testing"
)

// TestAppIsLightToCompile: App does not contain an instantiated generic type of
// another module. Every package that names App would compile the methods of
// such a type again.
func TestAppIsLightToCompile(t *testing.T) {
	seen := map[reflect.Type]bool{}
	var visit func(t reflect.Type, path string)
	visit = func(typ reflect.Type, path string) {
		if seen[typ] {
			return
		}
		seen[typ] = true
		if strings.Contains(typ.Name(), "[") && strings.Contains(typ.PkgPath(), ".") {
			t.Errorf("%s is a %s: put it behind an interface", path, typ)
			return
		}
		switch typ.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map, reflect.Chan:
			visit(typ.Elem(), path)
		case reflect.Struct:
			for i := range typ.NumField() {
				visit(typ.Field(i).Type, path+"."+typ.Field(i).Name)
			}
		}
	}
	visit(reflect.TypeFor[App](), "App")
}
