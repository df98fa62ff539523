package flexfn

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/flexfn/flexfn/internal/claim"
	"github.com/flexfn/flexfn/internal/conflict"
	"github.com/flexfn/flexfn/internal/link"
)

// call is one request on its way through a function. It is also the ctx that
// the handler gets; the accessors below read from it. That costs one
// allocation, instead of a context.WithValue for each value.
type call struct {
	lazyContext

	app      *App
	fn       *route // nil in a ctx of App.Context
	path     string
	request  *http.Request // nil outside a function
	start    time.Time
	limit    time.Duration          // from start to the deadline
	owner    *Owner                 // nil unless a Flex token was accepted
	signedBy string                 // the account whose signature was checked
	token    atomic.Pointer[string] // the Flex token of the request, to mask in logs
	trace    *trace                 // nil except under flexfn dev
	claim    *claim.Claim           // of a guarded call
	body     []byte                 // for package events; nil otherwise

	exchange
	upload upload // guarded by the app's uploads

	id atomic.Pointer[string] // made when it is first asked for
}

// callKey finds the innermost call. A ctx of [App.Context] that was derived
// from a handler's ctx carries its own app.
type callKey struct{}

// Value implements [context.Context]. Other packages of flexfn find the app by
// the keys of package link, without importing its internals.
func (c *call) Value(key any) any {
	switch key {
	case callKey{}:
		return c
	case link.RuntimeKey{}:
		return c.runtime()
	case link.ScopeKey{}:
		return c.scope()
	case conflict.TurnsKey{}:
		return &c.app.turns
	case link.PeerKey{}:
		if c.request != nil {
			return c.request.RemoteAddr
		}
	}
	return c.lazyContext.Value(key)
}

// callFrom returns the call that ctx belongs to; nil if ctx does not come from
// an app.
func callFrom(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

// FromContext returns the app that ctx carries: a handler's ctx, one derived from
// it, or one made by [App.Context]. Otherwise it is nil. Use it in code that
// handlers of several apps share:
//
//	config := flexfn.FromContext(ctx).Config()
//	client := flexfn.FromContext(ctx).HTTPClient()
func FromContext(ctx context.Context) *App {
	if c := callFrom(ctx); c != nil {
		return c.app
	}
	return nil
}

// Context returns a ctx derived from parent that carries the app, as a handler's
// does: its retry policy, Twilio account and client. Use it for calls outside a
// function, such as in a background job or a test. It sets no deadline, and ends
// when parent does:
//
//	ctx, cancel := context.WithTimeout(app.Context(context.Background()), time.Minute)
//	defer cancel()
//	res := twilioapi.ExecuteTwilio(ctx, …)
//
// [TokenOwner], [SigningAccount] and [RequestID] find nothing in it.
func (a *App) Context(parent context.Context) context.Context {
	return &call{lazyContext: lazyContext{parent: parent}, app: a}
}

// TokenOwner returns the owner of the Flex token that came with the request, as
// Twilio reported it, at most [Config].TokenTTL ago. The caller may change the
// Owner. The boolean is false outside a Flex function. In a Flex function it is
// always true, since the handler does not run without a valid token:
//
//	owner, _ := flexfn.TokenOwner(ctx)
//	if owner.WorkerSID != in.WorkerSID {
//		return Reply{}, flexfn.Errorf(http.StatusForbidden, "Workers may change their own status only")
//	}
func TokenOwner(ctx context.Context) (Owner, bool) {
	if c := callFrom(ctx); c != nil && c.owner != nil {
		owner := *c.owner
		owner.Roles = slices.Clone(owner.Roles) // the caller may change it
		return owner, true
	}
	return Owner{}, false
}

// RequestHeader returns the headers of the request; empty outside a function.
// Do not base permissions on them, since a caller can send any: Twilio's
// signature covers the URL and the body, not the headers. Do not change them,
// since other goroutines of the request may read them.
func RequestHeader(ctx context.Context) http.Header {
	if c := callFrom(ctx); c != nil && c.request != nil {
		return c.request.Header
	}
	return http.Header{}
}

// RequestID returns the id of this request, 26 letters and digits drawn at
// random. It is in the request's log lines and, if it was used, in the answer's
// X-Request-Id header. It is empty outside a function. Calls of the same
// request, from any goroutine, get the same id. A caller that tries again gets
// a new id, so the id is an idempotency key only for retries within the
// function.
func RequestID(ctx context.Context) string {
	if c := callFrom(ctx); c != nil && c.request != nil {
		return c.requestID()
	}
	return ""
}

func (c *call) requestID() string {
	if c.id.Load() == nil {
		id := newRequestID()
		c.id.CompareAndSwap(nil, &id)
	}
	return *c.id.Load()
}

// usedID returns the request id if it was asked for, and otherwise "". Most
// requests log nothing and need no id.
func (c *call) usedID() string {
	if id := c.id.Load(); id != nil {
		return *id
	}
	return ""
}

// Logger returns the app's logger with the attributes function, the path, and
// request_id. It masks the app's secrets, the request's Flex token and
// telephone numbers; docs/security.md says what it cannot mask. For a ctx of
// [App.Context] it returns the app's logger, and without an app slog's default,
// which masks nothing.
//
//	flexfn.Logger(ctx).InfoContext(ctx, "callback requested", "queue", in.Queue)
//
// Each call makes a new logger and draws the request id, so keep it in a variable
// if a handler logs more than a few lines.
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
	r, _ := c.app.log.Handler().(*redactor)
	return slog.New(r.of(c)).With("function", c.path, "request_id", c.requestID())
}
