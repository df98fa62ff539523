package flexfn

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/flexfn/flexfn/internal/mask"
)

// Attempt describes one try of a web-service call, after it ended. It is what
// [Config].OnAttempt receives.
type Attempt struct {
	// RequestID is that of the request being answered; empty outside one.
	RequestID string
	// Function is the path of the function that made the call; empty
	// outside a function.
	Function string
	// Number counts the tries of one call, from 1.
	Number int
	// Method, Host and Path are of the last request that the try sent
	// through the app's client; empty when it sent none. Telephone numbers
	// in the path are hidden, and the query is left out, since it can hold
	// personal data.
	Method, Host, Path string
	// Status is the HTTP status of the answer; zero when none came.
	Status int
	// Err is why the try failed; nil when it succeeded.
	Err error
	// Duration is how long the try took.
	Duration time.Duration
	// Wait is the pause before the next try; zero when there is none, or
	// when the next try is made at once.
	Wait time.Duration
	// Retried says that another try follows.
	Retried bool
	// TwilioRequestID is the answer's Twilio-Request-Id header.
	TwilioRequestID string
}

// LogValue implements [slog.LogValuer].
func (a Attempt) LogValue() slog.Value {
	attrs := []slog.Attr{slog.Int("attempt", a.Number), slog.Duration("duration", a.Duration)}
	add := func(name, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(name, value))
		}
	}
	add("method", a.Method)
	add("host", a.Host)
	add("path", a.Path)
	add("twilio_request_id", a.TwilioRequestID)
	if a.Status != 0 {
		attrs = append(attrs, slog.Int("status", a.Status))
	}
	if a.Err != nil {
		add("error", mask.PhoneNumbers(a.Err.Error()))
		attrs = append(attrs, slog.Bool("retried", a.Retried), slog.Duration("wait", a.Wait))
	}
	return slog.GroupValue(attrs...)
}

// attemptHook is what to call after every attempt; nil for nothing.
func (c Config) attemptHook() func(context.Context, Attempt) {
	if c.devKey != "" {
		c.OnAttempt = alsoTraced(c.OnAttempt)
	}
	if !c.LogAttempts {
		return c.OnAttempt
	}
	return func(ctx context.Context, a Attempt) {
		level := slog.LevelInfo
		if a.Err != nil {
			level = slog.LevelWarn
		}
		Logger(ctx).LogAttrs(ctx, level, "web-service call", slog.Any("call", a))
		if c.OnAttempt != nil {
			c.OnAttempt(ctx, a)
		}
	}
}

// attemptRecord is the ctx of one observed attempt. The app's transport finds
// it there and notes what it sent.
type attemptRecord struct {
	lazyContext
	began time.Time

	noting   sync.Mutex // a callback may send several requests at once
	method   string
	host     string
	path     string
	status   int
	twilioID string
}

type attemptKey struct{}

func (r *attemptRecord) Value(key any) any {
	if key == (attemptKey{}) {
		return r
	}
	return r.lazyContext.Value(key)
}

// noteExchange adds a request and its answer, nil when none came, to the
// record of the attempt that ctx belongs to.
func noteExchange(req *http.Request, resp *http.Response) {
	r, _ := req.Context().Value(attemptKey{}).(*attemptRecord)
	if r == nil {
		return
	}
	r.noting.Lock()
	defer r.noting.Unlock()
	r.method, r.host, r.path = req.Method, req.URL.Hostname(), mask.PhoneNumbers(req.URL.EscapedPath())
	r.status, r.twilioID = 0, ""
	if resp != nil {
		r.status, r.twilioID = resp.StatusCode, resp.Header.Get("Twilio-Request-Id")
	}
}

// report calls the hook. ctx is that of the call, not of the attempt.
func (r *attemptRecord) report(ctx context.Context, p *retryPolicy, n int, err error, wait time.Duration, retried bool) {
	a := Attempt{Number: n, Err: err, Duration: time.Since(r.began), Wait: wait, Retried: retried}
	r.noting.Lock()
	a.Method, a.Host, a.Path = r.method, r.host, r.path
	a.Status, a.TwilioRequestID = r.status, r.twilioID
	r.noting.Unlock()
	if c := callFrom(ctx); c != nil && c.request != nil {
		a.RequestID, a.Function = c.requestID(), c.path
	}
	p.onAttempt(ctx, a)
}
