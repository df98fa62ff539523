package openapi_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/internal/gen"
)

type (
	endlessList   []endlessList
	endlessMap    map[string]endlessMap
	endlessPoint  *endlessPoint
	throughStruct []struct{ Below throughStruct }
	leftList      []rightMap
	rightMap      map[string]leftList
)

// TestRecursiveTypes: a type that contains itself has a schema that refers to
// itself, in parameters and in replies.
func TestRecursiveTypes(t *testing.T) {
	type nested struct {
		List  endlessList   `json:"list"`
		Map   endlessMap    `json:"map"`
		Point endlessPoint  `json:"point"`
		Mixed throughStruct `json:"mixed"`
		Left  leftList      `json:"left"`
	}
	type input struct {
		In nested `json:"in"`
	}
	f := flexfn.PrepareStudioFunction(func(context.Context, input) (nested, error) { return nested{}, nil })
	d := document(t, []flexfn.Route{{Path: "/f", Function: f}})
	answer, err := json.Marshal(nested{
		List: endlessList{{}, {{}}}, Map: endlessMap{"a": {"b": nil}},
		Mixed: throughStruct{{throughStruct{{}}}}, Left: leftList{{"a": leftList{nil}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	answer = append(answer[:len(answer)-1], `,"success":true}`...)
	schema := schemaOf(t, d, "FResult")
	if err := validate(schema, answer); err != nil {
		t.Errorf("%s: %v", answer, err)
	}
	for _, wrong := range []string{`{"list":[[1]]}`, `{"map":{"a":{"b":1}}}`, `{"mixed":[{"Below":[1]}]}`, `{"left":[{"a":[1]}]}`} {
		var have, all map[string]any
		_ = json.Unmarshal(answer, &all)
		_ = json.Unmarshal([]byte(wrong), &have)
		for name, value := range have {
			all[name] = value
		}
		if body, _ := json.Marshal(all); validate(schema, body) == nil {
			t.Errorf("%s is valid", body)
		}
	}
	if _, err := gen.Generate(d, gen.Options{}); err != nil {
		t.Error(err)
	}
}
