// Package openapi describes functions as an OpenAPI 3.1 document, made from
// their Go types alone: paths, parameters with their purposes, who may call,
// the envelope, and every failure. The typed client of "flexfn gen ts" is made
// from it, and the console shows it.
//
//	doc, err := openapi.Document(app.Describe(), openapi.Info{Title: "Acme's functions"})
//
// "flexfn gen openapi" prints the document of a program from outside;
// [Handler] serves it from within.
//
// # Schemas
//
// They follow encoding/json and flexfn's own rules for parameters. A struct
// with a name becomes a component, and generic types get short names:
// Page[crm.Customer] is PageCustomer. A type that is read as well as written
// has two schemas, the one for reading with Input at the end of its name,
// since a field that is always sent need not be given.
//
// The schema of a type that encodes itself (it has MarshalJSON) admits any
// value, since its type does not tell what it writes.
//
// # Beyond the types
//
// OpenAPI has no fields for roles, [Function.Once] and the kinds of parameters.
// The document puts them in fields whose names begin with x-flexfn, which other
// tools ignore.
package openapi

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/flexfn/flexfn/internal/oas"
)

// Info has the parts of the document that do not come from the functions. The
// zero value is valid, and nothing in it is checked.
type Info struct {
	// Title names the API; empty is "Functions".
	Title string
	// Version is the API's version; empty is "0".
	Version string
	// Server is the base URL of the functions, such as
	// "https://functions.example.com"; empty leaves it out.
	Server string
	// Trim is a path prefix that operation ids leave out, such as
	// "/common/flex/", with or without its last slash. A path without it keeps
	// its whole name.
	Trim string
}

// Document returns the OpenAPI document of functions, as indented JSON. Equal
// functions give an equal document, in whatever order.
// [github.com/flexfn/flexfn.App.Describe] lists the functions of an app.
//
// It is an error if a function has no path, or if two paths give the same
// operation id, as paths do that differ only in punctuation or case. The document
// ends with a line break, so that it can be committed and compared as a file.
//
// An operation id is the path in camelCase: /flex/set-worker-status is
// flexSetWorkerStatus, and the client's method is named after it. Each operation is a
// POST, though functions answer GET too: a client should not put a token into a URL.
func Document(functions []Function, info Info) ([]byte, error) {
	d := &oas.Document{
		OpenAPI: "3.1.0",
		Info: oas.Info{
			Title: cmp.Or(info.Title, "Functions"), Version: cmp.Or(info.Version, "0"),
			Description: "Parameters are read from the query, then from the body, which wins; a form may carry every value as text. " +
				"GET works as POST does. Every answer is a JSON object with a key success, unless a function says otherwise.",
		},
		Paths: map[string]*oas.PathItem{},
		Components: oas.Components{
			Schemas: map[string]*oas.Schema{"Failure": failure()}, Responses: failures(), SecuritySchemes: securitySchemes(),
		},
	}
	if info.Server != "" {
		d.Servers = []oas.Server{{URL: info.Server}}
	}
	g := &schemas{components: d.Components.Schemas, names: map[typeUse]string{}}
	functions = slices.SortedFunc(slices.Values(functions), func(a, b Function) int { return strings.Compare(a.Path, b.Path) })
	// Inputs and results get their names first, since clients use those.
	ids, paths := make([]string, len(functions)), map[string]string{}
	for i, f := range functions {
		if f.Path == "" {
			return nil, fmt.Errorf("function %d of the list has no path", i+1)
		}
		if d.Paths[f.Path] != nil {
			return nil, fmt.Errorf("two functions are at %s", f.Path)
		}
		d.Paths[f.Path] = new(oas.PathItem)
		ids[i] = operationID(strings.TrimPrefix(f.Path, strings.TrimSuffix(info.Trim, "/")+"/"))
		name := identifier(ids[i])
		if other, taken := paths[name]; taken {
			return nil, fmt.Errorf("the paths %s and %s both become the name %s: change one", other, f.Path, ids[i])
		}
		paths[name] = f.Path
		g.components[name+"Input"], g.components[name+"Result"] = nil, nil
	}
	for i, f := range functions {
		d.Paths[f.Path].Post = g.operation(ids[i], f)
	}
	b, err := json.MarshalIndent(d, "", "  ")
	return append(b, '\n'), err
}

// Described is an app, such as a *flexfn.App, that lists its functions. An
// interface lets package flexfn import this one.
type Described interface{ Describe() []Function }

// Handler returns a handler that answers with the document of the functions
// that app has at the time of the request. It is for development: it shows
// anyone what the app can do.
//
//	mux.Handle("/openapi.json", openapi.Handler(app, openapi.Info{}))
//
// The document is built for each request. The method and the query do not
// matter.
func Handler(app Described, info Info) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		b, err := Document(app.Describe(), info)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(b) // an error means that the caller has left
	})
}

// operationID returns the path in camelCase. One that would begin with a digit
// gets Call in front, since no language has such names.
func operationID(path string) string {
	name := identifier(path)
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		name = "Call" + name
	}
	return strings.ToLower(name[:1]) + name[1:]
}

// operation describes one function: its parameters as a form and as JSON, its
// answers, and who may call.
//
// An operation has the statuses that flexfn itself answers with, and a default
// for those that a handler chooses. Open functions have no 403, since they
// admit everyone.
func (g *schemas) operation(id string, f Function) *oas.Operation {
	op := &oas.Operation{
		OperationID: id, Summary: f.Doc, Description: "For " + f.Access + ".",
		Security: []map[string][]string{}, Access: f.Access, Roles: f.Roles, Once: f.Once, Events: f.Events, Types: f.Types,
		Responses: map[string]*oas.Response{},
	}
	statuses := []string{"400", "404", "405", "408", "413", "415", "429", "500", "502", "503", "504"}
	switch {
	case f.Open:
		op.Tags = []string{oas.Open}
	case f.Studio:
		op.Tags = []string{oas.Studio}
		op.Security = append(op.Security, map[string][]string{"twilioSignature": {}})
	default:
		op.Tags = []string{oas.Flex}
		op.Security = append(op.Security, map[string][]string{"flexToken": {}}, map[string][]string{"flexTokenParameter": {}})
	}
	if len(op.Security) > 0 {
		statuses = append(statuses, "403")
	}
	for _, s := range statuses {
		op.Responses[s] = &oas.Response{Ref: "#/components/responses/" + s}
	}
	op.Responses["default"] = &oas.Response{Ref: "#/components/responses/default"}

	name := identifier(id)
	op.Responses["200"] = g.success(name+"Result", f.Output)
	in := g.parameters(f)
	g.components[name+"Input"] = in
	ref := oas.Media{Schema: &oas.Schema{Ref: oas.SchemaRef + name + "Input"}}
	op.RequestBody = &oas.RequestBody{
		Required: len(in.Required) > 0,
		Content:  map[string]oas.Media{"application/json": ref, "application/x-www-form-urlencoded": ref},
	}
	return op
}

// parameters returns the schema of a function's input.
func (g *schemas) parameters(f Function) *oas.Schema {
	s := typed("object")
	for _, p := range f.Parameters {
		if s.Properties == nil {
			s.Properties = map[string]*oas.Schema{}
		}
		s.Properties[p.Name] = g.parameter(p)
		s.Order = append(s.Order, p.Name)
		if p.Required {
			s.Required = append(s.Required, p.Name)
		}
	}
	if f.Input == nil {
		s.AdditionalProperties = &oas.Schema{} // an untyped function may read any parameter
	}
	slices.Sort(s.Required)
	return s
}

// success returns the answer of a function whose output is out; nil for one
// that chooses its answer.
func (g *schemas) success(name string, out reflect.Type) *oas.Response {
	if out == nil {
		delete(g.components, name)
		return &oas.Response{Description: "The function chooses status, content type and body.",
			Content: map[string]oas.Media{"*/*": {Schema: &oas.Schema{}}}}
	}
	g.components[name] = g.envelope(out)
	return &oas.Response{Description: "The function succeeded.",
		Content: map[string]oas.Media{"application/json": {Schema: &oas.Schema{Ref: oas.SchemaRef + name}}}}
}

// envelope returns the schema of an out in flexfn's envelope: an object gets a
// key success, and anything else goes under data.
//
// A map may have a key success of its own, so its value is any boolean. A
// pointer may be nil, and nil is answered as success alone; then no other key
// is required.
func (g *schemas) envelope(out reflect.Type) *oas.Schema {
	absent := false // nil is answered as success alone
	for out.Kind() == reflect.Pointer {
		out, absent = out.Elem(), true
	}
	s := g.inline(out, false)
	succeeded := &oas.Schema{Type: oas.Types{"boolean"}, Const: true}
	switch {
	case slices.Contains(s.Type, "object"):
		s.Type = oas.Types{"object"}
		if absent {
			s.Required = nil
		}
		if s.Properties == nil {
			s.Properties = map[string]*oas.Schema{}
		}
		if s.Properties["success"] == nil && (s.AdditionalProperties == nil || len(s.AdditionalProperties.Type) > 0) {
			s.Properties["success"] = succeeded
		} else if s.Properties["success"] == nil {
			s.Properties["success"] = typed("boolean") // the map may have its own
		}
		if !absent || !slices.Contains(s.Required, "success") {
			s.Required = append(s.Required, "success")
		}
		slices.Sort(s.Required)
		s.Required = slices.Compact(s.Required)
		return s
	case len(s.Type) == 0: // it may turn out to be an object
		return &oas.Schema{Type: oas.Types{"object"}, Properties: map[string]*oas.Schema{"success": typed("boolean")}, Required: []string{"success"}, AdditionalProperties: &oas.Schema{}}
	}
	required := []string{"data", "success"}
	if absent || slices.Contains(s.Type, "null") {
		required = required[1:]
		s = withoutNull(s)
	}
	return &oas.Schema{Type: oas.Types{"object"}, Properties: map[string]*oas.Schema{"data": s, "success": succeeded}, Required: required}
}

// failure returns the schema of the failure envelope.
func failure() *oas.Schema {
	list := func(required ...string) *oas.Schema {
		item := typed("object")
		item.Properties = map[string]*oas.Schema{}
		for _, name := range required {
			item.Properties[name] = typed("string")
		}
		item.Required = required
		return &oas.Schema{Type: oas.Types{"array"}, Items: item}
	}
	s := typed("object")
	s.Required = []string{"message", "success"}
	s.Properties = map[string]*oas.Schema{
		"success":         {Type: oas.Types{"boolean"}, Const: false},
		"message":         {Type: oas.Types{"string"}, Description: "what went wrong, for the caller"},
		"twilioErrorCode": {Type: oas.Types{"integer"}, Description: "Twilio's code, when Twilio refused"},
		"twilioDocPage":   {Type: oas.Types{"string"}, Description: "the page that explains twilioErrorCode"},
		"outcomeUnknown":  {Type: oas.Types{"boolean"}, Description: "true when a change was sent to Twilio and no answer came: it may have happened"},
		"requestId":       {Type: oas.Types{"string"}, Description: "under which the server's log has the details"},
		"data":            {Type: oas.Types{"null"}},
		"hint":            {Type: oas.Types{"string"}, Description: "about parameters that were given but not read"},
		"missing":         list("key", "purpose"),
		"invalid":         list("expected", "key", "purpose"),
	}
	return s
}

// failures returns the failure answers that every function can give, as
// components, so that an operation refers to them in a line each.
func failures() map[string]*oas.Response {
	list := map[string]*oas.Response{}
	for status, text := range map[string]string{
		"400":     "Parameters are missing or do not fit; the message and the lists missing and invalid say which.",
		"403":     "The caller may not call: no token or signature, a bad one, or the wrong role or origin.",
		"404":     "There is no function at this path, or Twilio does not know what was asked for.",
		"405":     "Functions are called with GET or POST.",
		"408":     "The body did not arrive in time.",
		"413":     "The body is too long, or has too many parameters.",
		"415":     "The body is compressed or not UTF-8.",
		"429":     "Too many requests: nothing was done. Call again after Retry-After.",
		"500":     "Something went wrong; the server's log has the details under requestId.",
		"502":     "A service that the function called gave no usable answer.",
		"503":     "A service that is needed, such as the check of the token, is not available. Call again after Retry-After.",
		"504":     "The function did not finish in time.",
		"default": "Any other failure, such as a refusal that Twilio gave and the function passed on.",
	} {
		r := &oas.Response{Description: text, Content: map[string]oas.Media{"application/json": {Schema: &oas.Schema{Ref: oas.SchemaRef + "Failure"}}}}
		if status == "429" || status == "503" {
			r.Headers = map[string]oas.Header{"Retry-After": {Description: "seconds to wait, when known", Schema: typed("integer")}}
		}
		list[status] = r
	}
	return list
}

// securitySchemes are the three ways to authenticate. OpenAPI cannot describe a
// token in the body, which is where plugins put it; the scheme's description
// says so.
func securitySchemes() map[string]oas.SecurityScheme {
	return map[string]oas.SecurityScheme{
		"flexToken": {Type: "http", Scheme: "bearer", BearerFormat: "JWE", Description: "The Flex token of a worker who is logged in."},
		"flexTokenParameter": {Type: "apiKey", In: "query", Name: "Token",
			Description: "The same token as a parameter. In the body, which OpenAPI cannot say, it does not show in logs: prefer that, as Flex plugins do."},
		"twilioSignature": {Type: "apiKey", In: "header", Name: "X-Twilio-Signature",
			Description: "Twilio's signature of the URL and the body, made with the account's auth token."},
	}
}
