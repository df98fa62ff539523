// Package link is what the app, its host and "flexfn dev" tell each other.
//
// A host whose gateway loses a request's query order says so with
// [LoseQueryOrder].
//
// The dev server starts the program with a key in the environment variable
// [KeyVariable], and sends it in the header [KeyHeader] of every request. An
// app that has such a key answers nothing else. It lists its functions at
// [FunctionsPath], and adds to each answer the header [TraceHeader], which the
// dev server takes off again. An app without a key, in production, knows
// nothing of all this.
//
// [StdinVariable] tells package host that the program's standard input ends
// when the dev server does, however that ends, and that the program is to end
// with it.
package link

import "time"

const (
	KeyVariable   = "FLEXFN_DEV"
	StdinVariable = "FLEXFN_DEV_STDIN"
	KeyHeader     = "Flexfn-Dev-Key"
	TraceHeader   = "Flexfn-Dev-Trace"
	FunctionsPath = "/__flexfn/functions"
)

// A Function describes a function and where it answers.
type Function struct {
	Path       string      `json:"path"`
	Studio     bool        `json:"studio"`
	Open       bool        `json:"open"`
	Roles      []string    `json:"roles,omitempty"`
	Access     string      `json:"access"` // who may call, in words
	Doc        string      `json:"doc,omitempty"`
	Untyped    bool        `json:"untyped"` // takes parameters other than those listed
	Parameters []Parameter `json:"parameters"`
}

// A Parameter is a parameter of a function.
type Parameter struct {
	Name     string `json:"name"`
	Required bool   `json:"required"`
	Doc      string `json:"doc,omitempty"` // its purpose, when it is required
	Example  string `json:"example,omitempty"`
	Type     Type   `json:"type"`
	// Of a parameter that has a kind: what a value looks like, and one that
	// fits.
	Expected string `json:"expected,omitempty"`
	Fits     string `json:"fits,omitempty"`
}

// A Type says what a parameter's value looks like.
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

// MaxAttempts bounds the attempts that a trace names.
const MaxAttempts = 200

// A Trace is what happened inside the app while it answered a request. Times
// are from the request's start; in JSON they are nanoseconds.
type Trace struct {
	Caller   *Caller   `json:"caller,omitempty"`
	Spans    []Span    `json:"spans"`
	Attempts []Attempt `json:"attempts,omitempty"`
	Missed   int       `json:"missed,omitempty"` // attempts beyond MaxAttempts
	// Error is why the function failed, as the log has it.
	Error string `json:"error,omitempty"`
}

// A Caller is the owner of the Flex token.
type Caller struct {
	Identity string   `json:"identity"`
	Worker   string   `json:"worker,omitempty"`
	Roles    []string `json:"roles,omitempty"`
}

// A Span is a part of the work. End is zero while it is under way.
type Span struct {
	Name   string        `json:"name"`
	Start  time.Duration `json:"start"`
	End    time.Duration `json:"end"`
	Failed bool          `json:"failed,omitempty"`
}

// The names of spans.
const (
	TokenCheck     = "token check"
	SignatureCheck = "signature check"
	Handler        = "handler"
)

// An Attempt is one try of a web-service call.
type Attempt struct {
	Number   int           `json:"number"`
	Start    time.Duration `json:"start"`
	End      time.Duration `json:"end"`
	Wait     time.Duration `json:"wait,omitempty"` // before the next one
	Retried  bool          `json:"retried,omitempty"`
	Method   string        `json:"method,omitempty"`
	Host     string        `json:"host,omitempty"`
	Path     string        `json:"path,omitempty"`
	Status   int           `json:"status,omitempty"`
	Error    string        `json:"error,omitempty"`
	TwilioID string        `json:"twilioId,omitempty"` // the answer's Twilio-Request-Id
}
