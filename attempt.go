package flexfn

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/flexfn/flexfn/internal/mask"
)

// Attempt describes one attempt of a web-service call, after it has ended.
// [Config].OnAttempt receives it. It contains no query, body or credential, and
// telephone numbers in Path are masked; Err can hold personal data.
//
//	config.OnAttempt = func(ctx context.Context, a flexfn.Attempt) {
//		attempts.WithLabelValues(a.Host, a.Path, strconv.Itoa(a.Status)).Observe(a.Duration.Seconds())
//	}
//
// Host, Method and Path take few values each, so they suit the labels of a
// metric. RequestID does not.
type Attempt struct {
	// RequestID is the id of the request being answered; empty outside a
	// request.
	RequestID string
	// Function is the path of the function that made the call; empty
	// outside a function.
	Function string
	// Number counts the attempts of one call, from 1.
	Number int
	// Method, Host and Path are those of the last request that the attempt
	// sent through the app's client; empty if it sent none. Path is a template
	// such as /v2/PhoneNumbers/{…}, without the query, because both can hold
	// personal data. It is the request's Pattern if the callback set one;
	// otherwise each variable segment is replaced by {…}. For Twilio, the words
	// that occur in the paths of its operations are kept; for other services,
	// versions (v2) and words of up to 24 letters are.
	Method, Host, Path string
	// Status is the HTTP status of the answer to that request; zero if none
	// came.
	Status int
	// Err is why the attempt failed; nil if it succeeded.
	Err error
	// Duration is how long the attempt took, from the call of the callback to
	// its return.
	Duration time.Duration
	// Wait is the pause before the next attempt; zero if there is none, or if
	// it follows at once.
	Wait time.Duration
	// Retried reports that another attempt is due. It does not happen if the
	// caller leaves during the wait.
	Retried bool
	// TwilioRequestID is the answer's Twilio-Request-Id header.
	TwilioRequestID string
}

// LogValue implements [slog.LogValuer]. Telephone numbers in Err are masked.
// Empty fields are left out.
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

// attemptHook returns the function to call after every attempt. It combines the
// hooks of the trace, the log and the user. It is nil if there are none;
// attempts are then not recorded at all.
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
// the record in the ctx of a request and notes in it what was sent.
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

// template is the path of req without its values.
func template(req *http.Request) string {
	if req.Pattern != "" { // an http.Client ignores Pattern
		return req.Pattern
	}
	return mask.Path(req.URL.Hostname(), req.URL.EscapedPath())
}

// noteExchange adds a request and its answer, which is nil if none came, to the
// record of the attempt that the request's ctx belongs to.
func noteExchange(req *http.Request, resp *http.Response) {
	r, _ := req.Context().Value(attemptKey{}).(*attemptRecord)
	if r == nil {
		return
	}
	r.noting.Lock()
	defer r.noting.Unlock()
	r.method, r.host, r.path = req.Method, req.URL.Hostname(), template(req)
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
	a.RequestID, a.Function = RequestID(ctx), callFrom(ctx).path // only an app has hooks, so ctx has a call
	p.onAttempt(ctx, a)
}
