package flexfn

import (
	"encoding/json"
	"errors"
	"net/http"
)

// Result is the outcome of [ExecuteWithRetry]. As JSON, a success is
// {"success", "status", "data"}. A failure is {"success", "status", "message"},
// with twilioErrorCode and twilioDocPage if Twilio refused, and outcomeUnknown
// if it is true. The zero value is a failure without an error; only
// ExecuteWithRetry makes useful ones.
//
// A handler can treat the call as an ordinary Go call:
//
//	task, err := res.Get()
//	if err != nil {
//		return Reply{}, err // answered with the service's status and message
//	}
//
// or look at the outcome, as the Node.js template's functions do:
//
//	if res.TwilioErrorCode == 20404 {
//		return Reply{Found: false}, nil
//	}
//
// A Result is a value; copies share only what Data points to.
type Result[T any] struct {
	// Success reports whether the callback returned no error.
	Success bool
	// Status is 200 after a success. After a failure it is the service's own
	// HTTP status if it answered, and otherwise one from 500 to 504.
	Status int
	// Data is what the callback returned; the zero value after a failure.
	Data T
	// Message describes the failure in words that the caller may read. For an
	// error that is not an [*Error] it is only the name of Status; Err has the
	// text.
	Message string
	// TwilioErrorCode and TwilioDocPage are the code and the page that
	// explains it, if Twilio refused; otherwise zero.
	TwilioErrorCode int
	TwilioDocPage   string
	// OutcomeUnknown reports that a request that changes something was sent
	// and got no answer: the change may have happened.
	OutcomeUnknown bool
	// Attempts is how often the callback ran; zero if the call failed before
	// its first attempt.
	Attempts int

	err error
}

// Err returns the failure with all its causes; nil after a success. A handler
// that returns it answers with the Result's status, message and Twilio code.
// There are two exceptions. An error that is not an [*Error] is answered as 500
// with a generic message and a request id. An error that arose because the
// request itself has ended is answered as 504, or 499 if the caller left.
func (r Result[T]) Err() error { return r.err }

// Get returns Data and Err, for handlers that treat the call as an ordinary one.
func (r Result[T]) Get() (T, error) { return r.Data, r.err }

// MarshalJSON implements [json.Marshaler]. Attempts and the cause are left out,
// since a handler may send the Result to its caller.
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

// failed returns the Result of a call that ended with err. An error without a
// status gets one here, so that the Result and its error agree. An error that
// is neither an HTTP answer nor a network failure is kept as it is, and the
// Result's status is 500.
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
			e = &Error{Status: http.StatusInternalServerError} // for the Result; err is kept as it is
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
