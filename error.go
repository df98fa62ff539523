package flexfn

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Error is a failure with a message for the caller of a function and a cause
// for the log. A handler returns one to choose the answer; calls to Twilio and
// to other web services fail with one.
//
// Every exported field except Err is for the caller. If a handler's error
// neither is nor wraps an *Error, the answer is a 500 with a generic message,
// and the error's text goes to the log only. If several are wrapped, the
// outermost decides, as for [errors.As]. Do not change an *Error after
// returning it.
//
//	return nil, &flexfn.Error{
//		Status:     http.StatusConflict,
//		Message:    "The caller has hung up",
//		Err:        err, // for the log
//	}
//
// Answers of 500 and above are logged as errors and carry a request id, by
// which the log line for a user's report can be found. Others are the caller's
// fault and are logged at debug level. So is a 501 without a cause, which says
// that the function is not set up.
type Error struct {
	// Status is the HTTP status of the answer, from 400 to 599. Anything
	// else, zero included, counts as 500.
	Status int
	// Message is the sentence for the caller. If it is empty, the caller reads
	// the name of the status, such as "Not Found".
	Message string
	// TwilioErrorCode is the code of Twilio's error dictionary, such as
	// 20404; zero if Twilio did not refuse.
	TwilioErrorCode int
	// TwilioDocPage is the page that explains TwilioErrorCode.
	TwilioDocPage string
	// RetryAfter is how long the caller should wait before it tries again, or
	// how long a service asked for; zero says nothing. It becomes the answer's
	// Retry-After header, in seconds, rounded up, and the least wait before
	// [ExecuteWithRetry] tries again.
	RetryAfter time.Duration
	// OutcomeUnknown reports that a request that changes something was sent
	// and got no answer: the change may have happened.
	OutcomeUnknown bool
	// Err is the cause, for the log. The caller never sees it.
	Err error

	// harmless says that the failed request is known to change nothing that
	// matters, or not to have been sent.
	harmless bool
}

// Errorf returns an [*Error] with status, from 400 to 599, and the formatted text
// as its Message. Errors formatted with %w become its Err, so that [errors.Is]
// and [errors.As] find them; several are joined. As in [fmt.Errorf], the text
// of such an error is part of the message, which the caller reads. To keep a
// cause from the caller, make an Error and set its Err instead.
//
//	flexfn.Errorf(http.StatusNotFound, "Customer %d was not found", in.ID)
//
// A status outside 400 to 599 counts as 500.
func Errorf(status int, format string, args ...any) error {
	text := fmt.Errorf(format, args...)
	cause := errors.Unwrap(text)
	if several, ok := text.(interface{ Unwrap() []error }); ok {
		cause = errors.Join(several.Unwrap()...)
	}
	return &Error{Status: status, Message: text.Error(), Err: cause}
}

// Error returns the text for the log: status, message, Twilio's code and cause.
// Do not send it to the caller.
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

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// HTTPStatus returns Status if it is from 400 to 599, and otherwise 500.
func (e *Error) HTTPStatus() int {
	if e.Status < 400 || e.Status > 599 {
		return http.StatusInternalServerError
	}
	return e.Status
}

// RetryDelay returns RetryAfter. [ExecuteWithRetry] waits at least as long as
// the RetryDelay of an error; any error type can have this method.
func (e *Error) RetryDelay() time.Duration { return e.RetryAfter }

// message returns what the caller reads: Message, or the name of the status.
func (e *Error) message() string {
	if e.Message != "" {
		return e.Message
	}
	return http.StatusText(e.HTTPStatus())
}
