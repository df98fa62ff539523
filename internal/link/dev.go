// Package link defines the protocol between the app, its host and "flexfn dev".
//
// A host whose gateway loses the order of a query's parameters marks the request
// with [LoseQueryOrder].
//
// The dev server starts the program with a key in the environment variable
// [KeyVariable], and sends it in the header [KeyHeader] of every request. An
// app with such a key answers no other requests. It describes its functions at
// [DocumentPath], and adds to each answer the header [TraceHeader], which the
// dev server removes. An app without a key, as in production, does none of
// this.
//
// A program that is started with [DescribeVariable] prints that document and
// ends.
//
// [StdinVariable] tells package host that the program's standard input ends
// with the dev server, whether that exits or crashes, and that the program must
// then end too.
package link

import "time"

const (
	KeyVariable   = "FLEXFN_DEV"
	StdinVariable = "FLEXFN_DEV_STDIN"
	KeyHeader     = "Flexfn-Dev-Key"
	TraceHeader   = "Flexfn-Dev-Trace"
)

// MaxAttempts bounds the attempts in a trace.
const MaxAttempts = 200

// A Trace records what happened inside the app while it answered a request.
// Times are from the request's start; in JSON they are nanoseconds.
type Trace struct {
	Caller   *Caller   `json:"caller,omitempty"`
	Spans    []Span    `json:"spans"`
	Attempts []Attempt `json:"attempts,omitempty"`
	Missed   int       `json:"missed,omitempty"` // number of attempts beyond MaxAttempts
	// Error is why the function failed, as in the log.
	Error string `json:"error,omitempty"`
}

// A Caller is the owner of the Flex token.
type Caller struct {
	Identity string   `json:"identity"`
	Worker   string   `json:"worker,omitempty"`
	Roles    []string `json:"roles,omitempty"`
}

// A Span is a part of the work. End is zero while the part is running.
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

// An Attempt is one attempt of a web-service call.
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
