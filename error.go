package flexfn

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Error is a failure with two sides: what the caller of a function is told,
// and what is logged. A handler returns one to choose the answer; calls to
// Twilio and to other web services fail with one.
//
// Every exported field except Err is for the caller. An error that a handler
// returns and that is no *Error, and wraps none, is answered as 500 with a
// generic message; its text goes to the log only.
type Error struct {
	// Status is the HTTP status of the answer, from 400 to 599. Anything
	// else, zero included, counts as 500.
	Status int
	// Message is the sentence for the caller. When it is empty, the text of
	// the status stands in.
	Message string
	// TwilioErrorCode is the code of Twilio's error dictionary, such as
	// 20404; zero when Twilio did not refuse.
	TwilioErrorCode int
	// TwilioDocPage is the page that explains TwilioErrorCode.
	TwilioDocPage string
	// RetryAfter is how long the service asked to be left alone; zero when
	// it did not ask. It becomes the answer's Retry-After header.
	RetryAfter time.Duration
	// OutcomeUnknown says that a request which changes something was sent
	// and no answer came: it may have happened.
	OutcomeUnknown bool
	// Err is the cause, for the log. The caller never sees it.
	Err error
}

// Errorf makes an *Error that answers with status and, as the message for the
// caller, the formatted text. Errors given for %w verbs are kept as the
// cause, for the log; its text does appear in the message, so wrap only what
// the caller may read, or build an Error and set its Err.
func Errorf(status int, format string, args ...any) error {
	text := fmt.Errorf(format, args...)
	cause := errors.Unwrap(text)
	if several, ok := text.(interface{ Unwrap() []error }); ok {
		cause = errors.Join(several.Unwrap()...)
	}
	return &Error{Status: status, Message: text.Error(), Err: cause}
}

// Error gives the log's side: status, message and cause.
func (e *Error) Error() string {
	s := fmt.Sprintf("%d %s", e.HTTPStatus(), e.message())
	if e.TwilioErrorCode != 0 {
		s += fmt.Sprintf(" (Twilio error %d)", e.TwilioErrorCode)
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// HTTPStatus is Status when it is an error's, and otherwise 500.
func (e *Error) HTTPStatus() int {
	if e.Status < 400 || e.Status > 599 {
		return http.StatusInternalServerError
	}
	return e.Status
}

// RetryDelay is RetryAfter; [ExecuteWithRetry] reads it from any error.
func (e *Error) RetryDelay() time.Duration { return e.RetryAfter }

func (e *Error) message() string {
	if e.Message != "" {
		return e.Message
	}
	return http.StatusText(e.HTTPStatus())
}
