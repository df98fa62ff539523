package flexfn

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// call is one request on its way through a function: the ctx that the
// handler gets, and what the accessors below read from it.
type call struct {
	context.Context
	app     *App
	fn      *Function // nil outside a function
	path    string
	request *http.Request // nil outside a function
	owner   *Owner        // nil unless a Flex token was accepted
	token   string        // to be kept out of logs

	// For the answer; written by the handler's goroutine only.
	header http.Header
	status int

	idOnce sync.Once
	id     string
}

type callKey struct{}

func (c *call) Value(key any) any {
	if key == (callKey{}) {
		return c
	}
	return c.Context.Value(key)
}

func callFrom(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

// FromContext returns the app that runs the function whose ctx this is, or
// that made ctx with [App.Context]; nil when there is none.
func FromContext(ctx context.Context) *App {
	if c := callFrom(ctx); c != nil {
		return c.app
	}
	return nil
}

// Context returns a ctx that carries the app, as a handler's does: its retry
// policy, its Twilio account, its client. It is for calls made outside a
// function, in a job or a test.
func (a *App) Context(parent context.Context) context.Context {
	return &call{Context: parent, app: a}
}

// TokenOwner returns whose Flex token came with the request. It is false
// outside a Flex function.
func TokenOwner(ctx context.Context) (Owner, bool) {
	if c := callFrom(ctx); c != nil && c.owner != nil {
		return *c.owner, true
	}
	return Owner{}, false
}

// RequestHeader returns the headers of the request, empty outside a function.
// They are the caller's word; do not change them.
func RequestHeader(ctx context.Context) http.Header {
	if c := callFrom(ctx); c != nil && c.request != nil {
		return c.request.Header
	}
	return http.Header{}
}

// ResponseHeader returns the headers that the answer will have beside those
// that flexfn sets, for the handler to change. It is not safe for concurrent
// use, and has no effect outside a function.
func ResponseHeader(ctx context.Context) http.Header {
	c := callFrom(ctx)
	if c == nil {
		return http.Header{}
	}
	if c.header == nil {
		c.header = http.Header{}
	}
	return c.header
}

// SetStatus chooses the HTTP status of a successful answer, from 200 to 299;
// 200 is the default. A handler that fails returns an [Error] instead. It is
// not safe for concurrent use, and has no effect outside a function.
func SetStatus(ctx context.Context, status int) {
	if c := callFrom(ctx); c != nil {
		c.status = status
	}
}

// RequestID returns the id that the logs and the answer's X-Request-Id header
// give this request: 26 letters and digits, drawn at random. It is empty
// outside a function.
func RequestID(ctx context.Context) string {
	if c := callFrom(ctx); c != nil && c.request != nil {
		return c.requestID()
	}
	return ""
}

func (c *call) requestID() string {
	c.idOnce.Do(func() { c.id = newRequestID() })
	return c.id
}

// Logger returns the app's logger with the function and the request id as
// attributes; slog's default outside a function.
func Logger(ctx context.Context) *slog.Logger {
	c := callFrom(ctx)
	if c == nil {
		return slog.Default()
	}
	return c.logger()
}

func (c *call) logger() *slog.Logger {
	if c.request == nil {
		return c.app.log
	}
	return c.app.log.With("function", c.path, "request_id", c.requestID())
}

// deadline is the shorter of d and what is left of ctx's own deadline.
func remaining(ctx context.Context, d time.Duration) time.Duration {
	if at, ok := ctx.Deadline(); ok {
		return min(d, time.Until(at))
	}
	return d
}
