package flexfn

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/flexfn/flexfn/internal/link"
	"github.com/flexfn/flexfn/openapi"
)

// This file is the app's side of "flexfn dev" and "flexfn gen"; see package
// link. Its code runs only if FLEXFN_DEV or FLEXFN_DESCRIBE is set. The app
// then answers these tools only, so a variable that is set in production by
// mistake closes the app rather than opening it.

var errDevKey = errors.New("it is set by flexfn dev for the program that it runs: unset it")

// shortestDevKey is the length of a key of 128 random bits; flexfn dev draws
// twice as many.
const shortestDevKey = 26

// setDevKey makes the app serve flexfn dev, which drew the key. A short key was
// not drawn by it, and is refused.
func (c *Config) setDevKey(key string) error {
	if len(key) < shortestDevKey {
		return errDevKey
	}
	c.devKey, c.Development = key, true
	return nil
}

// setDescribing makes the app describe its functions and do nothing else.
func (c *Config) setDescribing(string) error {
	c.describing = true
	return nil
}

// developed reports whether the app runs under flexfn dev or flexfn gen.
func (c *Config) developed() bool { return c.devKey != "" || c.describing }

// forDescription returns c with a made-up account and credentials, and without
// the fields that may be missing or wrong.
func (c *Config) forDescription() Config {
	return Config{
		AccountSID:   "AC00000000000000000000000000000000",
		WorkspaceSID: "WS00000000000000000000000000000000",
		AuthToken:    rand.Text(),
		Logger:       c.Logger, Queue: c.Queue,
		devKey: c.devKey, describing: true,
	}
}

// serveDev refuses r if it does not come from one of the tools, and answers it
// if it asks for the OpenAPI document. Otherwise done is false.
func (a *App) serveDev(w http.ResponseWriter, r *http.Request) (done bool) {
	key := r.Header.Get(link.KeyHeader)
	fromServer := a.config.devKey != "" && subtle.ConstantTimeCompare([]byte(key), []byte(a.config.devKey)) == 1
	switch {
	case r.URL.Path == link.DocumentPath && (fromServer || link.AsksItself(r.Context())):
		a.document(r.URL.Query()).write(w, r)
	case a.config.describing:
		refuse(http.StatusForbidden, "This program only describes its functions: unset "+link.DescribeVariable).write(w, r)
	case !fromServer:
		refuse(http.StatusForbidden, "This program runs under flexfn dev: call the address that it shows").write(w, r)
	case r.URL.Path == link.EventsPath || strings.HasPrefix(r.URL.Path, link.EventsPath+"/"):
		a.serveEvents(w, r)
	default:
		return false
	}
	return true
}

// document is the OpenAPI document of the functions.
func (a *App) document(info url.Values) answer {
	body, err := openapi.Document(a.Describe(), openapi.Info{
		Title: info.Get("title"), Version: info.Get("version"), Server: info.Get("server"), Trim: info.Get("trim"),
	})
	if err != nil {
		return refuse(http.StatusInternalServerError, "The functions cannot be described: %s", err)
	}
	return answer{status: http.StatusOK, body: body}
}

// trace collects what happens in a call, for the console. It is nil in production.
// It needs a lock because a handler may outlive its answer.
type trace struct {
	mu sync.Mutex
	link.Trace
}

// since is the time since the call began; the trace measures in it.
func (c *call) since() time.Duration { return time.Since(c.start) }

// span notes the start of a part of the work. Call the result at its end.
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

// traceCaller notes the owner of the accepted token.
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
