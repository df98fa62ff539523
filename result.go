package flexfn

import (
	"encoding/json"
	"errors"
	"net/http"
)

// Result is the outcome of [ExecuteWithRetry]. As JSON it is
// {"success", "status", "data"}, or after a failure {"success", "status",
// "message"} with twilioErrorCode and twilioDocPage when Twilio refused, and
// outcomeUnknown when it is true.
type Result[T any] struct {
	// Success says that the callback returned no error.
	Success bool
	// Status is 200, or the HTTP status of the failure: the service's own
	// when it gave one, otherwise one from 500 to 504.
	Status int
	// Data is what the callback returned; the zero value after a failure.
	Data T
	// Message is what the caller may be told of the failure. The text of
	// an error that is no *Error is not in it; Err has it.
	Message string
	// TwilioErrorCode and TwilioDocPage are Twilio's, when it refused.
	TwilioErrorCode int
	TwilioDocPage   string
	// OutcomeUnknown says that a request which changes something was sent
	// and no answer came: it may have happened.
	OutcomeUnknown bool
	// Attempts counts how often the callback ran.
	Attempts int

	err error
}

// Err is nil after a success, and otherwise the failure with all its causes.
// Returned by a handler, it answers the caller with the same status and
// message that the Result has.
func (r Result[T]) Err() error { return r.err }

// Get returns the data and the error, as a plain call would.
func (r Result[T]) Get() (T, error) { return r.Data, r.err }

// MarshalJSON implements [json.Marshaler].
func (r Result[T]) MarshalJSON() ([]byte, error) {
	if r.Success {
		return json.Marshal(struct {
			Success bool `json:"success"`
			Status  int  `json:"status"`
			Data    T    `json:"data"`
		}{true, r.Status, r.Data})
	}
	return json.Marshal(struct {
		Success         bool   `json:"success"`
		Status          int    `json:"status"`
		Message         string `json:"message"`
		TwilioErrorCode int    `json:"twilioErrorCode,omitzero"`
		TwilioDocPage   string `json:"twilioDocPage,omitzero"`
		OutcomeUnknown  bool   `json:"outcomeUnknown,omitzero"`
	}{false, r.Status, r.Message, r.TwilioErrorCode, r.TwilioDocPage, r.OutcomeUnknown})
}

// failed is the Result of a call that ended with err.
func failed[T any](err error, attempts int) Result[T] {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		if s, ok := errors.AsType[statusError](err); ok {
			e = &Error{Status: s.HTTPStatus(), RetryAfter: retryDelay(err), Err: err}
			err = e
		} else if noAnswer(err) {
			e = lost(err, "", !dialFailed(err), false)
			err = e
		} else {
			e = &Error{Status: http.StatusInternalServerError} // err stays as it is
		}
	}
	return Result[T]{
		Status:          e.HTTPStatus(),
		Message:         e.message(),
		TwilioErrorCode: e.TwilioErrorCode,
		TwilioDocPage:   e.TwilioDocPage,
		OutcomeUnknown:  e.OutcomeUnknown,
		Attempts:        attempts,
		err:             err,
	}
}
