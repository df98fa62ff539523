// Package oas defines the parts of an OpenAPI 3.1 document that flexfn writes
// and reads.
package oas

import (
	"encoding/json"
	"fmt"
)

// Document is an OpenAPI document.
type Document struct {
	OpenAPI    string               `json:"openapi"`
	Info       Info                 `json:"info"`
	Servers    []Server             `json:"servers,omitempty"`
	Paths      map[string]*PathItem `json:"paths"`
	Components Components           `json:"components"`
}

// Info has the title and version of the API.
type Info struct {
	Title       string `json:"title"`
	Version     string `json:"version"`
	Description string `json:"description,omitempty"`
}

// Server is a base URL of the API.
type Server struct {
	URL string `json:"url"`
}

// PathItem has the operations at one path.
type PathItem struct {
	Post *Operation `json:"post"`
}

// Operation is one function.
type Operation struct {
	OperationID string                `json:"operationId"`
	Summary     string                `json:"summary,omitempty"`
	Description string                `json:"description,omitempty"`
	Tags        []string              `json:"tags,omitempty"`
	Security    []map[string][]string `json:"security"`
	Access      string                `json:"x-flexfn-access"`                // describes who may call
	Roles       []string              `json:"x-flexfn-roles,omitempty"`       // the caller needs one of these roles
	Once        bool                  `json:"x-flexfn-once,omitempty"`        // runs once per Idempotency-Key
	Events      string                `json:"x-flexfn-events,omitempty"`      // of Twilio's; see package twilioevent
	Types       []string              `json:"x-flexfn-event-types,omitempty"` // that listeners take
	RequestBody *RequestBody          `json:"requestBody,omitempty"`
	Responses   map[string]*Response  `json:"responses"`
}

// The tags of operations. Each operation has one.
const (
	Flex   = "flex"   // for Flex plugins
	Studio = "studio" // for requests that Twilio signs
	Open   = "open"   // for anyone
)

// RequestBody is the body that a function reads.
type RequestBody struct {
	Required bool             `json:"required,omitempty"`
	Content  map[string]Media `json:"content"`
}

// Media is a body of one content type.
type Media struct {
	Schema *Schema `json:"schema"`
}

// Response is an answer, or a reference to one.
type Response struct {
	Ref         string            `json:"$ref,omitempty"`
	Description string            `json:"description,omitempty"`
	Headers     map[string]Header `json:"headers,omitempty"`
	Content     map[string]Media  `json:"content,omitempty"`
}

// Header is a header of an answer.
type Header struct {
	Description string  `json:"description"`
	Schema      *Schema `json:"schema"`
}

// Components has the parts that other parts refer to.
type Components struct {
	Schemas         map[string]*Schema        `json:"schemas"`
	Responses       map[string]*Response      `json:"responses"`
	SecuritySchemes map[string]SecurityScheme `json:"securitySchemes"`
}

// SecurityScheme is a way for callers to authenticate.
type SecurityScheme struct {
	Type         string `json:"type"`
	Description  string `json:"description,omitempty"`
	Scheme       string `json:"scheme,omitempty"`
	BearerFormat string `json:"bearerFormat,omitempty"`
	In           string `json:"in,omitempty"`
	Name         string `json:"name,omitempty"`
}

// Schema is a JSON schema (draft 2020-12). The zero value allows anything.
type Schema struct {
	Ref                  string             `json:"$ref,omitempty"`
	Description          string             `json:"description,omitempty"`
	Type                 Types              `json:"type,omitzero"`
	Format               string             `json:"format,omitempty"`
	Pattern              string             `json:"pattern,omitempty"`
	Kind                 string             `json:"x-flexfn-kind,omitempty"` // of package kind
	ContentEncoding      string             `json:"contentEncoding,omitempty"`
	Const                any                `json:"const,omitempty"`
	Minimum              json.Number        `json:"minimum,omitempty"`
	Maximum              json.Number        `json:"maximum,omitempty"`
	MinLength            int                `json:"minLength,omitempty"`
	Items                *Schema            `json:"items,omitempty"`
	MinItems             int                `json:"minItems,omitempty"`
	MaxItems             *int               `json:"maxItems,omitempty"`
	Properties           map[string]*Schema `json:"properties,omitempty"`
	Order                []string           `json:"x-flexfn-order,omitempty"` // the properties in the order of their declaration
	Required             []string           `json:"required,omitempty"`
	AdditionalProperties *Schema            `json:"additionalProperties,omitempty"`
	AnyOf                []*Schema          `json:"anyOf,omitempty"`
	Examples             []any              `json:"examples,omitempty"`
}

// Types are the types that a schema allows. An empty list allows all types.
type Types []string

// MarshalJSON encodes a single type as a string, several as a list.
func (t Types) MarshalJSON() ([]byte, error) {
	if len(t) == 1 {
		return json.Marshal(t[0])
	}
	return json.Marshal([]string(t))
}

// UnmarshalJSON decodes a string or a list of strings.
func (t *Types) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*t = Types{one}
		return nil
	}
	var list []string
	if err := json.Unmarshal(b, &list); err != nil {
		return fmt.Errorf("type is neither a string nor a list of strings: %w", err)
	}
	*t = list
	return nil
}

// SchemaRef begins references to the schemas in components.
const SchemaRef = "#/components/schemas/"
