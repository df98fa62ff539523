package dev

import (
	"reflect"
	"testing"
	"time"

	"github.com/flexfn/flexfn/internal/kind"
	"github.com/flexfn/flexfn/openapi"
)

// TestParametersOfDocument checks that the console learns a parameter's type
// and kind from the document.
func TestParametersOfDocument(t *testing.T) {
	type object struct {
		A int `json:"a"`
	}
	params := []openapi.Parameter{
		{Name: "z", Required: true, Purpose: "why", Example: "one", Type: reflect.TypeFor[string]()},
		{Name: "count", Doc: "how many", Example: "2", Type: reflect.TypeFor[int]()},
		{Name: "ratio", Type: reflect.TypeFor[*float64]()},
		{Name: "on", Example: "true", Type: reflect.TypeFor[bool]()},
		{Name: "at", Type: reflect.TypeFor[time.Time]()},
		{Name: "every", Doc: "how often", Type: reflect.TypeFor[time.Duration]()},
		{Name: "team", Doc: "who", Example: "Ada", Type: reflect.TypeFor[[]string]()},
		{Name: "whole", Type: reflect.TypeFor[object]()},
		{Name: "pairs", Type: reflect.TypeFor[map[string]int]()},
		{Name: "any", Type: reflect.TypeFor[any]()},
		{Name: "plain"},
	}
	want := []Parameter{
		{Name: "z", Required: true, Doc: "why", Example: "one", Type: Text},
		{Name: "count", Doc: "how many", Example: "2", Type: Whole},
		{Name: "ratio", Type: Number},
		{Name: "on", Example: "true", Type: Bool},
		{Name: "at", Type: Time},
		{Name: "every", Doc: "how often", Type: Duration},
		{Name: "team", Doc: "who", Example: "Ada", Type: List},
		{Name: "whole", Type: Object},
		{Name: "pairs", Type: Object},
		{Name: "any", Type: Any},
		{Name: "plain", Type: Text},
	}
	for _, k := range kind.All() {
		params = append(params, openapi.Parameter{Name: k.Name, Kind: k.Name, Type: reflect.TypeFor[string]()},
			openapi.Parameter{Name: k.Name + " list", Kind: k.Name, Type: reflect.TypeFor[[]string]()})
		want = append(want, Parameter{Name: k.Name, Type: Text, Expected: k.Expected, Fits: k.Example},
			Parameter{Name: k.Name + " list", Type: List, Expected: k.Expected, Fits: k.Example})
	}
	document, err := openapi.Document([]openapi.Function{
		{Path: "/b", Doc: "Does it.", Access: "workers who are admin", Roles: []string{"admin"}, Parameters: params, Input: reflect.TypeFor[object]()},
		{Path: "/a", Studio: true, Open: true, Access: "ANYONE"},
	}, openapi.Info{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := functionsOf(document)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, []Function{
		{Path: "/a", Studio: true, Open: true, Access: "ANYONE", Untyped: true, Parameters: []Parameter{}},
		{Path: "/b", Doc: "Does it.", Access: "workers who are admin", Roles: []string{"admin"}, Parameters: want},
	}) {
		t.Errorf("the console gets %+v", got)
	}
}
