package openapi

import "reflect"

// Function describes a function, for lists and documents.
// [github.com/flexfn/flexfn.App.Describe] returns those of an app.
//
//	for _, f := range app.Describe() {
//		fmt.Printf("%-30s %s\n", f.Path, f.Access)
//	}
//
// Changing a Function does not change the app. Fields may be added in later
// versions, so write literals with names.
type Function struct {
	// Path is the path of the function; empty for a function that is not part
	// of an app.
	Path string
	// Doc is the sentence given by the option flexfn.Doc.
	Doc string
	// Studio says that Twilio calls the function, and signs its requests; see
	// flexfn.PrepareStudioFunction.
	Studio bool
	// Open says that anyone may call; see flexfn.OpenToAnyone.
	Open bool
	// Guests says that callers without a worker may call; see
	// flexfn.AdmitGuests.
	Guests bool
	// Roles lists the roles of which a caller must have at least one; empty
	// admits any role.
	Roles []string
	// Once says that the function runs once per key, so a caller that got no
	// answer may call again with the same key; see flexfn.Once.
	Once bool
	// Events says which of Twilio's deliveries the function takes: the name of
	// the function of package events that made it, such as TaskRouter; empty for
	// others.
	Events string
	// Types lists the types of events that the function's listeners take, such
	// as reservation.accepted. A type may end in "*". Empty means all types, if
	// Events is set.
	Types []string
	// Access says in words who may call. It is for people; decide by Studio,
	// Open, Guests and Roles.
	Access string
	// Parameters are in the order of their declaration; for an untyped
	// function, the required ones.
	Parameters []Parameter
	// Input is the struct that the handler takes; nil for an untyped function,
	// which may read parameters that are not listed.
	Input reflect.Type
	// Output is what the handler returns; nil when it chooses status, content
	// type and body with flexfn.Response.
	Output reflect.Type
}

// Parameter describes one parameter of a function, from the field's tags or
// flexfn.Require.
type Parameter struct {
	// Name is the key that callers use; case matters.
	Name string
	// Required says that a request without the parameter is answered with
	// 400. Null, "" and an empty JSON list count as absent.
	Required bool
	// Purpose, the purpose tag, says what a required parameter is for; Doc,
	// the doc tag, describes an optional one.
	Purpose, Doc string
	// Example is a value that fits, for documents and tools to show: the
	// example tag.
	Example string
	// Kind restricts a string: the kind tag, such as "e164" for a telephone
	// number or "CF|WT" for SIDs with one of these prefixes; empty for any
	// string. docs/parameters.md lists the kinds.
	Kind string
	// Type is the Go type of the value; nil in an untyped function.
	Type reflect.Type
}
