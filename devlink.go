package flexfn

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/flexfn/flexfn/internal/kind"
	"github.com/flexfn/flexfn/internal/link"
)

// This file is the app's side of "flexfn dev"; see package link. Its code runs
// only if FLEXFN_DEV is set. The app then answers only to the dev server: set in
// production by mistake, the variable closes the app rather than opens it.

var errDevKey = errors.New("it is set by flexfn dev for the program that it runs: unset it")

const shortestDevKey = 26

func (c *Config) setDevKey(key string) error {
	if len(key) < shortestDevKey {
		return errDevKey
	}
	c.devKey, c.Development = key, true
	return nil
}

// serveDev refuses r if it does not come from the dev server, and answers it if
// it asks for the list of functions. Otherwise done is false.
func (a *App) serveDev(w http.ResponseWriter, r *http.Request) (done bool) {
	key := r.Header.Get(link.KeyHeader)
	if subtle.ConstantTimeCompare([]byte(key), []byte(a.config.devKey)) != 1 {
		refuse(http.StatusForbidden, "This program runs under flexfn dev: call the address that it shows").write(w, r)
		return true
	}
	if r.URL.Path != link.FunctionsPath {
		return false
	}
	list := []link.Function{}
	for _, route := range a.Routes() {
		list = append(list, functionInfo(route))
	}
	body, _ := json.Marshal(list) // of strings and booleans
	answer{status: http.StatusOK, body: body}.write(w, r)
	return true
}

func functionInfo(r Route) link.Function {
	f := r.Function.Describe()
	d := link.Function{
		Path: r.Path, Studio: f.Studio, Open: f.Open, Roles: f.Roles, Access: f.Access, Doc: f.Doc,
		Untyped: f.Input == reflect.TypeFor[Event](), Parameters: []link.Parameter{},
	}
	for _, p := range f.Parameters {
		d.Parameters = append(d.Parameters, parameterInfo(p))
	}
	return d
}

func parameterInfo(p Parameter) link.Parameter {
	d := link.Parameter{Name: p.Name, Required: p.Required, Doc: p.Purpose + p.Doc, Example: p.Example, Type: typeName(p.Type)}
	if k, err := kind.Of(p.Kind); err == nil {
		d.Expected, d.Fits = k.Expected, k.Example
	}
	return d
}

func typeName(t reflect.Type) link.Type {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t {
	case nil:
		return link.Text // of an untyped function: whatever it is sent as
	case reflect.TypeFor[json.RawMessage]():
		return link.Any
	case reflect.TypeFor[time.Time]():
		return link.Time
	case reflect.TypeFor[time.Duration]():
		return link.Duration
	case reflect.TypeFor[json.Number]():
		return link.Number
	}
	switch k := t.Kind(); {
	case k == reflect.Bool:
		return link.Bool
	case k >= reflect.Int && k <= reflect.Uintptr:
		return link.Whole
	case k == reflect.Float32 || k == reflect.Float64:
		return link.Number
	case k == reflect.Struct || k == reflect.Map:
		return link.Object
	case k == reflect.Interface:
		return link.Any
	case k == reflect.Slice || k == reflect.Array:
		return link.List
	}
	return link.Text
}

// trace collects what happens in a call, for the console. It is nil in production.
// It needs a lock because a handler may outlive its answer.
type trace struct {
	mu sync.Mutex
	link.Trace
}

func (c *call) since() time.Duration { return time.Since(c.start) }

// span notes the beginning of a part of the work; the result notes its end.
func (c *call) span(name string) (end func(failed bool)) {
	if c.trace == nil {
		return func(bool) {}
	}
	t := c.trace
	t.mu.Lock()
	defer t.mu.Unlock()
	i := len(t.Spans)
	t.Spans = append(t.Spans, link.Span{Name: name, Start: c.since()})
	return func(failed bool) {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.Spans[i].End, t.Spans[i].Failed = c.since(), failed
	}
}

// traceCaller notes whose token was accepted.
func (c *call) traceCaller() {
	if c.trace == nil || c.owner == nil {
		return
	}
	c.trace.mu.Lock()
	defer c.trace.mu.Unlock()
	c.trace.Caller = &link.Caller{Identity: c.owner.Identity, Worker: c.owner.WorkerSID, Roles: c.owner.Roles}
}

// traceFailure notes why the function failed.
func (c *call) traceFailure(err error) {
	if c.trace == nil {
		return
	}
	r, _ := c.app.log.Handler().(*redactor)
	c.trace.mu.Lock()
	defer c.trace.mu.Unlock()
	c.trace.Error = r.of(c).text(err.Error())
}

// alsoTraced returns a hook that adds each attempt to the trace and calls hook.
func alsoTraced(hook func(context.Context, Attempt)) func(context.Context, Attempt) {
	return func(ctx context.Context, a Attempt) {
		traceAttempt(ctx, a)
		if hook != nil {
			hook(ctx, a)
		}
	}
}

// traceAttempt adds a to the trace of the call that ctx belongs to.
func traceAttempt(ctx context.Context, a Attempt) {
	c := callFrom(ctx)
	if c == nil || c.trace == nil {
		return
	}
	c.trace.mu.Lock()
	defer c.trace.mu.Unlock()
	if len(c.trace.Attempts) == link.MaxAttempts {
		c.trace.Missed++
		return
	}
	end := c.since()
	noted := link.Attempt{
		Number: a.Number, Start: end - a.Duration, End: end, Wait: a.Wait, Retried: a.Retried,
		Method: a.Method, Host: a.Host, Path: a.Path, Status: a.Status, TwilioID: a.TwilioRequestID,
	}
	if a.Err != nil {
		r, _ := c.app.log.Handler().(*redactor)
		noted.Error = r.of(c).text(a.Err.Error())
	}
	c.trace.Attempts = append(c.trace.Attempts, noted)
}

// writeTrace puts the trace so far into a header of the answer.
func (c *call) writeTrace(h http.Header) {
	c.trace.mu.Lock()
	defer c.trace.mu.Unlock()
	t := c.trace.Trace
	t.Spans = slices.Clone(t.Spans)
	text, _ := json.Marshal(t) // of strings and numbers
	h.Set(link.TraceHeader, base64.StdEncoding.EncodeToString(text))
}
