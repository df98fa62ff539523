package dev

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/flexfn/flexfn/internal/kind"
	"github.com/flexfn/flexfn/internal/oas"
)

// A Function describes a function for the console and the terminal. It is read
// from the program's own OpenAPI document, so the console shows what runs.
type Function struct {
	Path       string      `json:"path"`
	Source     string      `json:"source,omitempty"`  // of Twilio's events; see package twilioevent
	Types      []string    `json:"types,omitempty"`   // of events that it takes; a type may end in "*"; empty for all
	Trigger    string      `json:"trigger,omitempty"` // a type of event that it takes, to try it with
	Studio     bool        `json:"studio"`
	Open       bool        `json:"open"`
	Roles      []string    `json:"roles,omitempty"`
	Access     string      `json:"access"` // who may call, in words
	Doc        string      `json:"doc,omitempty"`
	Untyped    bool        `json:"untyped"` // takes parameters other than those listed
	Parameters []Parameter `json:"parameters"`
}

// A Parameter is a parameter of a function. Example, Expected and Fits are
// texts as a form would hold them.
type Parameter struct {
	Name     string `json:"name"`
	Required bool   `json:"required"`
	Doc      string `json:"doc,omitempty"` // the purpose, if the parameter is required
	Example  string `json:"example,omitempty"`
	Type     Type   `json:"type"`
	// Only for a parameter with a kind: what a value looks like, and a value
	// that fits.
	Expected string `json:"expected,omitempty"`
	Fits     string `json:"fits,omitempty"`
}

// A Type says what a parameter's value looks like. The console chooses the
// input field by it.
type Type string

// The types.
const (
	Text     Type = "text"
	Whole    Type = "whole number"
	Number   Type = "number"
	Bool     Type = "true or false"
	Time     Type = "time"
	Duration Type = "duration"
	List     Type = "list"
	Object   Type = "object"
	Any      Type = "any"
)

// functionsOf reads the functions from the OpenAPI document of their program.
// The list is sorted by path and never nil. The order of the parameters is that
// of the Go struct, which the document records.
func functionsOf(document []byte) ([]Function, error) {
	var d oas.Document
	if err := json.Unmarshal(document, &d); err != nil {
		return nil, fmt.Errorf("the program's document was not written by flexfn: %w", err)
	}
	list := []Function{}
	for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
		op := d.Paths[path].Post
		f := Function{
			Path: path, Doc: op.Summary, Access: op.Access, Source: op.Events, Types: op.Types, Roles: op.Roles, Parameters: []Parameter{},
			Open: slices.Contains(op.Tags, oas.Open), Studio: !slices.Contains(op.Tags, oas.Flex),
		}
		f.Trigger = f.example()
		in := resolve(&d, op.RequestBody.Content[jsonType].Schema)
		f.Untyped = in.AdditionalProperties != nil
		for _, name := range in.Order {
			p := parameterOf(&d, in.Properties[name])
			p.Name, p.Required = name, slices.Contains(in.Required, name)
			f.Parameters = append(f.Parameters, p)
		}
		list = append(list, f)
	}
	return list, nil
}

// resolve returns the schema that s refers to, or s itself. A missing schema is
// an empty one, which has no properties.
func resolve(d *oas.Document, s *oas.Schema) *oas.Schema {
	if s == nil {
		return new(oas.Schema)
	}
	if name, ok := strings.CutPrefix(s.Ref, oas.SchemaRef); ok {
		return cmp.Or(d.Components.Schemas[name], new(oas.Schema))
	}
	return s
}

func parameterOf(d *oas.Document, s *oas.Schema) Parameter {
	p := Parameter{Doc: s.Description, Type: typeOf(resolve(d, s))}
	if len(s.Examples) > 0 {
		p.Example = exampleText(s.Examples[0])
	}
	of := s
	if s.Items != nil {
		of = s.Items
	}
	if of.Kind != "" {
		if k, err := kind.Of(of.Kind); err == nil {
			p.Expected, p.Fits = k.Expected, k.Example
		}
	}
	return p
}

// exampleText returns an example as a form would send it. A list with one
// element is that element, as in a form where a key is not repeated.
func exampleText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []any:
		if len(v) == 1 {
			return exampleText(v[0])
		}
	}
	text, _ := json.Marshal(v) // cannot fail: v was decoded from JSON
	return string(text)
}

// typeOf returns the type of a schema. A pointer allows null, which does not
// change what the value looks like. A number that may also be a string is a
// duration: flexfn accepts "1.5s" and seconds.
func typeOf(s *oas.Schema) Type {
	types := slices.DeleteFunc(slices.Clone(s.Type), func(t string) bool { return t == "null" })
	switch {
	case s.Format == "date-time":
		return Time
	case slices.Equal(types, oas.Types{"number", "string"}):
		return Duration
	case len(types) != 1:
		return Any
	}
	switch types[0] {
	case "integer":
		return Whole
	case "number":
		return Number
	case "boolean":
		return Bool
	case "array":
		return List
	case "object":
		return Object
	}
	return Text
}
