// Package steps helps a function that takes several steps to finish, to undo
// them, or to say which of them took effect.
package steps

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/flexfn/flexfn"
)

// Undo collects how to undo the steps of a function, in case it fails
// midway.
type Undo []step

type step struct {
	what string
	undo func(context.Context) error
}

// Add adds how to undo a step, which what names for an operator.
func (u *Undo) Add(what string, undo func(context.Context) error) {
	*u = append(*u, step{what, undo})
}

// UndoTime bounds how long undoing may take. It counts from the failure of a
// step, since the request's own deadline may have passed by then.
const UndoTime = 5 * time.Second

// Unless undoes the steps, the last one first, if err is not nil. A step that
// cannot be undone is logged, so that an operator knows what is left.
func (u Undo) Unless(ctx context.Context, err error) {
	if err == nil || len(u) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), UndoTime)
	defer cancel()
	for i := len(u) - 1; i >= 0; i-- {
		if failed := u[i].undo(ctx); failed != nil {
			flexfn.Logger(ctx).Error("a function failed midway, and one of its steps could not be undone", "step", u[i].what, "cause", err, "error", failed)
		}
	}
}

// Refused reports whether Twilio refused the request, so that it did nothing.
// After any other failure a change may have happened.
func Refused(err error) bool {
	e, ok := errors.AsType[*flexfn.Error](err)
	return ok && !e.OutcomeUnknown && e.HTTPStatus() < http.StatusInternalServerError && e.TwilioErrorCode != 0
}

// Midway adds to the error of a later step what has been done. The caller may
// call again, since steps that were taken are not repeated.
func Midway(err error, stands string) *flexfn.Error {
	told := flexfn.Error{Status: http.StatusBadGateway, Message: stands, Err: err}
	if e, ok := errors.AsType[*flexfn.Error](err); ok {
		told.Status, told.TwilioErrorCode, told.TwilioDocPage, told.RetryAfter = e.HTTPStatus(), e.TwilioErrorCode, e.TwilioDocPage, e.RetryAfter
		told.Message += ": " + e.Message
		told.OutcomeUnknown = e.OutcomeUnknown
	}
	return &told
}

// Unclear is like Midway, for a caller who must not simply call again.
func Unclear(err error, stands string) error {
	told := Midway(err, stands)
	told.OutcomeUnknown = true
	return told
}
