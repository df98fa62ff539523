package flexfn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flexfn/flexfn/internal/conflict"
	"github.com/flexfn/flexfn/internal/testing/memnet"
)

func testConfig() Config {
	return Config{
		AccountSID: "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		AuthToken:  "0123456789abcdef0123456789abcdef",
	}
}

func testApp(t testing.TB, change func(*Config)) *App {
	t.Helper()
	c := testConfig()
	if change != nil {
		change(&c)
	}
	app, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return app
}

// script returns one error after another, then succeeds.
func script(errs ...error) (func(context.Context) (string, error), *int) {
	n := new(int)
	return func(context.Context) (string, error) {
		*n++
		if *n <= len(errs) {
			return "", errs[*n-1]
		}
		return "done", nil
	}, n
}

func status(code int) error { return &Error{Status: code, Message: fmt.Sprint("upstream says ", code)} }

func always(err error) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return "", err }
}

func TestExecuteWithRetryClassifies(t *testing.T) {
	urlError := func(err error) error { return &url.Error{Op: "Post", URL: "http://service.test", Err: err} }
	for _, tt := range []struct {
		name     string
		err      error
		attempts int
		waits    bool
		status   int
	}{
		{"412", status(412), 6, false, 412},
		{"429", status(429), 6, true, 429},
		{"503", status(503), 6, true, 503},
		{"400", status(400), 1, false, 400},
		{"500", status(500), 1, false, 500},
		{"502", status(502), 1, false, 502},
		{"504", status(504), 1, false, 504},
		{"status 1000", status(1000), 1, false, 500},
		{"foreign 503", foreignError(503), 6, true, 503},
		{"foreign 404", foreignError(404), 1, false, 404},
		{"wrapped 429", fmt.Errorf("again: %w", status(429)), 6, true, 429},
		{"refused", &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, 6, true, 503},
		{"reset", urlError(&net.OpError{Op: "read", Err: syscall.ECONNRESET}), 6, true, 502},
		{"bare EPIPE", syscall.EPIPE, 6, true, 502},
		{"DNS", &net.DNSError{Err: "no such host", Name: "service.test", IsNotFound: true}, 6, true, 503},
		{"timeout", context.DeadlineExceeded, 6, true, 504},
		{"hung up", urlError(io.EOF), 6, true, 502},
		{"cut short", io.ErrUnexpectedEOF, 6, true, 502},
		{"GOAWAY", urlError(errors.New("http2: server sent GOAWAY and closed the connection; LastStreamID=1, ErrCode=NO_ERROR, debug=\"\"")), 6, true, 502},
		{"refused stream", urlError(errors.New("stream error: stream ID 3; REFUSED_STREAM; received from peer")), 6, true, 502},
		{"lost, described by the callback", &Error{Status: 502, Message: "billing is down", Err: syscall.ECONNRESET}, 6, true, 502},
		{"answered by the callback", &Error{Status: 409, Err: syscall.ECONNRESET}, 1, false, 409},
		{"plain EOF", io.EOF, 1, false, 500},
		{"cancelled inside", context.Canceled, 1, false, 500},
		{"lost, told as 500", &Error{Status: 500, Err: io.ErrUnexpectedEOF}, 6, true, 500},
		{"unknown", errors.New("a string"), 1, false, 500},
		{"outcome unknown", &Error{Status: 503, OutcomeUnknown: true, Err: syscall.ECONNRESET}, 1, false, 503},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				res := ExecuteWithRetry(t.Context(), always(tt.err))
				took := time.Since(began)
				if res.Success || res.Attempts != tt.attempts || res.Status != tt.status {
					t.Errorf("success %t, attempts %d, status %d; want false, %d, %d", res.Success, res.Attempts, res.Status, tt.attempts, tt.status)
				}
				if !errors.Is(res.Err(), tt.err) {
					t.Errorf("the cause is lost: %v", res.Err())
				}
				if tt.waits && (took < 500*time.Millisecond || took > 1500*time.Millisecond) || !tt.waits && took != 0 {
					t.Errorf("took %s", took)
				}
			})
		})
	}
}

type foreignError int

func (e foreignError) Error() string   { return "secret text" }
func (e foreignError) HTTPStatus() int { return int(e) }

func TestExecuteWithRetrySucceedsInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		callback, n := script(status(412), status(429), syscall.ECONNRESET, status(503), status(412))
		res := ExecuteWithRetry(t.Context(), callback)
		if data, err := res.Get(); data != "done" || err != nil || *n != 6 || res.Attempts != 6 || res.Status != 200 {
			t.Errorf("%+v, callback ran %d times", res, *n)
		}
	})
}

func TestRepeatableRepeatsUnknownOutcomes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		callback, n := script(&Error{Status: 502, OutcomeUnknown: true, Err: syscall.ECONNRESET})
		if res := ExecuteWithRetry(t.Context(), callback, Repeatable()); !res.Success || *n != 2 {
			t.Errorf("%+v, callback ran %d times", res, *n)
		}
	})
}

// TestOnceOnly: a call that must not happen twice is repeated only after
// failures that are known to have had no effect.
func TestOnceOnly(t *testing.T) {
	refused := &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	for _, tt := range []struct {
		name     string
		err      error
		repeated bool
	}{
		{"429", status(429), false},
		{"503 of another type", fmt.Errorf("callback: %w", busyError{}), false},
		{"no answer to another client", syscall.ECONNRESET, false},
		{"outcome unknown", &Error{Status: 502, OutcomeUnknown: true}, false},
		{"conflict", status(412), true},
		{"no connection", refused, true},
		{"no connection, as CheckResponse tells it", lost(refused, "service.test", false, true), true},
		{"no answer to a GET", lost(syscall.ECONNRESET, "service.test", true, false), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				callback, n := script(tt.err)
				res := ExecuteWithRetry(t.Context(), callback, Repeatable(false))
				if res.Success != tt.repeated || res.OutcomeUnknown == tt.repeated || (*n == 2) != tt.repeated {
					t.Errorf("%+v, callback ran %d times", res, *n)
				}
				if !tt.repeated && tt.name != "outcome unknown" && (!errors.Is(res.Err(), tt.err) || !strings.HasSuffix(res.Message, unknownOutcome)) {
					t.Errorf("%q: %v", res.Message, res.Err())
				}
			})
		})
	}
}

type busyError struct{}

func (busyError) Error() string   { return "busy" }
func (busyError) HTTPStatus() int { return 503 }

// TestOnceOnlyOverHTTP: a service does the work and then answers 503. A create
// is sent once, a read is repeated.
func TestOnceOnlyOverHTTP(t *testing.T) {
	for _, tt := range []struct {
		method string
		asked  int
	}{{"POST", 1}, {"GET", 2}} {
		synctest.Test(t, func(t *testing.T) {
			asked := 0
			network := memnet.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if asked++; asked == 1 {
					w.WriteHeader(503)
				}
				io.WriteString(w, "{}")
			}))
			app := testApp(t, func(c *Config) { c.Transport = network.Transport() })
			defer app.HTTPClient().CloseIdleConnections()
			res := ExecuteWithRetry(app.Context(t.Context()), func(ctx context.Context) (struct{}, error) {
				req, _ := http.NewRequestWithContext(ctx, tt.method, "http://service.test/orders", nil)
				return ReadJSON[struct{}](app.HTTPClient().Do(req))
			}, Repeatable(false))
			if asked != tt.asked || res.OutcomeUnknown != (asked == 1) || res.Success != (asked == 2) {
				t.Errorf("%s was sent %d times: %+v", tt.method, asked, res)
			}
		})
	}
}

// TestResultIsReadable reads answers after the attempt that got them has ended.
func TestResultIsReadable(t *testing.T) {
	for _, observed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			network := memnet.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				http.NewResponseController(w).Flush()
				time.Sleep(time.Second)
				if r.URL.Path == "/never" {
					<-r.Context().Done()
				}
				io.WriteString(w, strings.Repeat("x", 1<<20))
			}))
			app := testApp(t, func(c *Config) {
				c.Transport = network.Transport()
				if observed {
					c.OnAttempt = func(context.Context, Attempt) {}
				}
			})
			defer app.HTTPClient().CloseIdleConnections()
			var attempt context.Context
			get := func(path string) func(context.Context) (*http.Response, error) {
				return func(ctx context.Context) (*http.Response, error) {
					attempt = ctx
					req, _ := http.NewRequestWithContext(ctx, "GET", "http://service.test"+path, nil)
					return CheckResponse(app.HTTPClient().Do(req))
				}
			}
			resp, err := ExecuteWithRetry(app.Context(t.Context()), get("/")).Get()
			if err != nil {
				t.Fatal(err)
			}
			if body, err := io.ReadAll(resp.Body); len(body) != 1<<20 || err != nil {
				t.Errorf("%d bytes, %v", len(body), err)
			}
			if attempt.Err() != context.Canceled {
				t.Error("the attempt did not end at the end of the body")
			}
			body, err := ExecuteWithRetry(app.Context(t.Context()), func(ctx context.Context) (io.ReadCloser, error) {
				resp, err := get("/")(ctx)
				if err != nil {
					return nil, err
				}
				return resp.Body, nil
			}).Get()
			if err != nil {
				t.Fatal(err)
			}
			if n, err := body.Read(make([]byte, 1)); n != 1 || err != nil || attempt.Err() != nil {
				t.Errorf("%d bytes, %v; the attempt: %v", n, err, attempt.Err())
			}
			if err := body.Close(); err != nil || attempt.Err() != context.Canceled {
				t.Errorf("%v; the attempt did not end when its body was closed", err)
			}
			type wrapped struct{ resp *http.Response }
			within, err := ExecuteWithRetry(app.Context(t.Context()), func(ctx context.Context) (wrapped, error) {
				resp, err := get("/")(ctx)
				return wrapped{resp}, err
			}).Get()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := ReadBody(within.resp); err == nil || !strings.Contains(err.Error(), "return the *http.Response or its body itself") || !errors.Is(err, context.Canceled) {
				t.Errorf("reading a body inside a struct: %v", err)
			}
			resp, err = ExecuteWithRetry(app.Context(t.Context()), get("/never")).Get()
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if _, err := io.ReadAll(resp.Body); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("reading a body that never arrives ended with %v", err)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	asks := func(d time.Duration) error { return &Error{Status: 429, RetryAfter: d} }
	for _, tt := range []struct {
		name     string
		asked    time.Duration
		deadline time.Duration // zero: none
		attempts int
		least    time.Duration
		most     time.Duration
		deadErr  bool
	}{
		{"longer than the backoff", 2 * time.Second, 0, 2, 2 * time.Second, 2 * time.Second, false},
		{"shorter than the backoff", time.Millisecond, 0, 2, 100 * time.Millisecond, 200 * time.Millisecond, false},
		{"within the deadline", 2 * time.Second, 3 * time.Second, 2, 2 * time.Second, 2 * time.Second, false},
		{"past the deadline", 5 * time.Second, 3 * time.Second, 1, 0, 0, true},
		{"longer than anyone waits", time.Hour, 0, 1, 0, 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				if tt.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tt.deadline)
					defer cancel()
				}
				callback, n := script(asks(tt.asked))
				began := time.Now()
				res := ExecuteWithRetry(ctx, callback)
				if took := time.Since(began); took < tt.least || took > tt.most || *n != tt.attempts {
					t.Errorf("took %s and %d attempts", took, *n)
				}
				if tt.attempts == 1 {
					e, ok := errors.AsType[*Error](res.Err())
					if !ok || e.RetryAfter != tt.asked || res.Status != 429 {
						t.Errorf("Retry-After is not passed on: %v", res.Err())
					}
				}
				if errors.Is(res.Err(), context.DeadlineExceeded) != tt.deadErr {
					t.Errorf("Is DeadlineExceeded: %v", res.Err())
				}
			})
		})
	}
}

func TestExecuteWithRetryKeepsTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 350*time.Millisecond)
		defer cancel()
		began := time.Now()
		res := ExecuteWithRetry(ctx, always(status(503)), RetryLimit(1000))
		if took := time.Since(began); took >= 350*time.Millisecond || res.Attempts < 2 {
			t.Errorf("gave up after %s and %d attempts", took, res.Attempts)
		}
		e, ok := errors.AsType[*Error](res.Err())
		if !ok || e.Status != 503 || !errors.Is(res.Err(), context.DeadlineExceeded) {
			t.Errorf("the error does not wrap the last failure and DeadlineExceeded: %v", res.Err())
		}
	})
}

func TestExecuteWithRetryStopsWhenCancelledInAWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(50*time.Millisecond, cancel)
		began := time.Now()
		res := ExecuteWithRetry(ctx, always(status(503)))
		if took := time.Since(began); took != 50*time.Millisecond || res.Attempts != 1 || res.Status != 503 {
			t.Errorf("took %s: %+v", took, res)
		}
		if e, _ := errors.AsType[*Error](res.Err()); e == nil || e.Message != "upstream says 503" || !errors.Is(res.Err(), context.Canceled) {
			t.Errorf("the error does not wrap the last failure and Canceled: %v", res.Err())
		}
	})
}

func TestExecuteWithRetryDoesNotBeginWhenDone(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	passed, cancel2 := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel2()
	for ctx, want := range map[context.Context]struct {
		err    error
		status int
	}{cancelled: {context.Canceled, 503}, passed: {context.DeadlineExceeded, 504}} {
		callback, n := script()
		res := ExecuteWithRetry(ctx, callback)
		if *n != 0 || res.Attempts != 0 || res.Success || res.Status != want.status || !errors.Is(res.Err(), want.err) {
			t.Errorf("ran %d times: %+v, %v", *n, res, res.Err())
		}
	}
}

func TestAttemptTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		slowOnce := func(ctx context.Context) (string, error) {
			if n++; n == 1 {
				<-ctx.Done()
				return "", ctx.Err()
			}
			return "done", nil
		}
		began := time.Now()
		res := ExecuteWithRetry(t.Context(), slowOnce, AttemptTimeout(time.Second))
		if took := time.Since(began); !res.Success || n != 2 || took < 1100*time.Millisecond || took > 1200*time.Millisecond {
			t.Errorf("took %s: %+v", took, res)
		}
		// Within an app there is a timeout by default.
		n = 0
		began = time.Now()
		res = ExecuteWithRetry(testApp(t, nil).Context(t.Context()), slowOnce)
		if took := time.Since(began); !res.Success || took < defaultAttemptTimeout || took > defaultAttemptTimeout+time.Second {
			t.Errorf("in an app: took %s: %+v", took, res)
		}
	})
}

func TestPanicPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // it also finds leaked goroutines
		defer func() {
			if v := recover(); v != "oops" {
				t.Errorf("recovered %v", v)
			}
		}()
		app := testApp(t, func(c *Config) { c.OnAttempt = func(context.Context, Attempt) {} })
		ExecuteWithRetry(app.Context(t.Context()), func(context.Context) (int, error) { panic("oops") })
	})
}

func TestBackoffGrowsWithinItsBounds(t *testing.T) {
	for _, p := range []retryPolicy{
		defaultPolicy,
		{shortest: 0, longest: 0},
		{shortest: 0, longest: 300 * time.Millisecond},
		{shortest: 200 * time.Millisecond, longest: 200 * time.Millisecond},
		{shortest: 100 * time.Millisecond, longest: 10 * time.Second},
		{shortest: 0, longest: 24 * time.Hour},
	} {
		var begin, end time.Duration
		for n := 1; n < 100; n++ {
			b, e := p.backoff(n, 0), p.backoff(n, math.Nextafter(1, 0))
			if b < p.shortest || e > p.longest || b > e {
				t.Errorf("%s to %s, retry %d: %s to %s", p.shortest, p.longest, n, b, e)
			}
			if b < begin || e < end {
				t.Errorf("%s to %s, retry %d: shrank", p.shortest, p.longest, n)
			}
			begin, end = b, e
		}
		if end != p.longest {
			t.Errorf("%s to %s: ends at %s", p.shortest, p.longest, end)
		}
	}
}

func TestInvalidOptionsFailTheCall(t *testing.T) {
	for _, opt := range []RetryOption{RetryLimit(-1), Backoff(-1, 1), Backoff(2, 1), Backoff(0, -1), AttemptTimeout(-1)} {
		callback, n := script()
		res := ExecuteWithRetry(t.Context(), callback, opt)
		if *n != 0 || res.Success || res.Status != 500 || res.Message != "Internal Server Error" || res.Err() == nil {
			t.Errorf("ran %d times: %+v", *n, res)
		}
	}
}

func TestOptionsOverride(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := testApp(t, func(c *Config) {
			c.Retry = []RetryOption{RetryLimit(2), Backoff(time.Second, time.Second)}
		})
		ctx := app.Context(t.Context())
		began := time.Now()
		if res := ExecuteWithRetry(ctx, always(status(503))); res.Attempts != 3 || time.Since(began) != 2*time.Second {
			t.Errorf("the app's policy: %d attempts in %s", res.Attempts, time.Since(began))
		}
		if res := ExecuteWithRetry(ctx, always(status(503)), RetryLimit(0)); res.Attempts != 1 {
			t.Errorf("the call's policy: %d attempts", res.Attempts)
		}
	})
}

func TestRetryVariables(t *testing.T) {
	base := map[string]string{"ACCOUNT_SID": testConfig().AccountSID, "AUTH_TOKEN": testConfig().AuthToken}
	for _, tt := range []struct {
		env   map[string]string
		fault string // a word of the fault; empty for none
	}{
		{nil, ""},
		{map[string]string{"TWILIO_SERVICE_RETRY_LIMIT": "0"}, ""},
		{map[string]string{"TWILIO_SERVICE_RETRY_LIMIT": " 2 "}, ""},
		{map[string]string{"TWILIO_SERVICE_RETRY_LIMIT": ""}, ""},
		{map[string]string{"TWILIO_SERVICE_RETRY_LIMIT": "86400000"}, ""},
		{map[string]string{"TWILIO_SERVICE_RETRY_LIMIT": "86400001"}, "TWILIO_SERVICE_RETRY_LIMIT"},
		{map[string]string{"TWILIO_SERVICE_RETRY_LIMIT": "-1"}, "TWILIO_SERVICE_RETRY_LIMIT"},
		{map[string]string{"TWILIO_SERVICE_RETRY_LIMIT": "abc"}, "TWILIO_SERVICE_RETRY_LIMIT"},
		{map[string]string{"TWILIO_SERVICE_RETRY_LIMIT": "Infinity"}, "TWILIO_SERVICE_RETRY_LIMIT"},
		{map[string]string{"TWILIO_SERVICE_RETRY_LIMIT": "2.5"}, "TWILIO_SERVICE_RETRY_LIMIT"},
		{map[string]string{"TWILIO_SERVICE_RETRY_LIMIT": "99999999999999999999"}, "TWILIO_SERVICE_RETRY_LIMIT"},
		{map[string]string{"TWILIO_SERVICE_MIN_BACKOFF": "-1"}, "TWILIO_SERVICE_MIN_BACKOFF"},
		{map[string]string{"TWILIO_SERVICE_MIN_BACKOFF": "NaN"}, "TWILIO_SERVICE_MIN_BACKOFF"},
		{map[string]string{"TWILIO_SERVICE_MAX_BACKOFF": "Infinity"}, "TWILIO_SERVICE_MAX_BACKOFF"},
		{map[string]string{"TWILIO_SERVICE_MIN_BACKOFF": "301"}, "TWILIO_SERVICE_MAX_BACKOFF"},
		{map[string]string{"TWILIO_SERVICE_MAX_BACKOFF": "99"}, "TWILIO_SERVICE_MIN_BACKOFF"},
		{map[string]string{"TWILIO_SERVICE_MIN_BACKOFF": "500", "TWILIO_SERVICE_MAX_BACKOFF": "600"}, ""},
		{map[string]string{"TWILIO_SERVICE_MIN_BACKOFF": "0", "TWILIO_SERVICE_MAX_BACKOFF": "0"}, ""},
		{map[string]string{"FLEXFN_ATTEMPT_TIMEOUT": "-1s"}, "FLEXFN_ATTEMPT_TIMEOUT"},
		{map[string]string{"FLEXFN_ATTEMPT_TIMEOUT": "2s"}, ""},
		{map[string]string{"FLEXFN_RETRY_BUDGET": "off"}, ""},
		{map[string]string{"FLEXFN_RETRY_BUDGET": "1"}, ""},
		{map[string]string{"FLEXFN_RETRY_BUDGET": "86400000"}, ""},
		{map[string]string{"FLEXFN_RETRY_BUDGET": "86400001"}, "FLEXFN_RETRY_BUDGET"},
		{map[string]string{"FLEXFN_RETRY_BUDGET": "x"}, "FLEXFN_RETRY_BUDGET"},
		{map[string]string{"FLEXFN_RETRY_BUDGET": "0"}, "FLEXFN_RETRY_BUDGET"},
		{map[string]string{"ENABLE_LOCAL_LOGGING": "true"}, ""},
		{map[string]string{"ENABLE_LOCAL_LOGGING": "yes"}, "ENABLE_LOCAL_LOGGING"},
	} {
		_, err := New(FromLookup(func(name string) (string, bool) {
			v, ok := tt.env[name]
			if !ok {
				v, ok = base[name]
			}
			return v, ok
		}))
		if (err != nil) != (tt.fault != "") || err != nil && !strings.Contains(err.Error(), tt.fault) {
			t.Errorf("%v: %v", tt.env, err)
		}
	}
}

func TestResultJSON(t *testing.T) {
	for _, tt := range []struct {
		result any
		want   string
	}{
		{ExecuteWithRetry(t.Context(), func(context.Context) (int, error) { return 5, nil }), `{"success":true,"status":200,"data":5}`},
		{ExecuteWithRetry(t.Context(), always(&Error{Status: 400, Message: "Bad", TwilioErrorCode: 21211, TwilioDocPage: "https://www.twilio.com/docs/errors/21211"})),
			`{"success":false,"status":400,"message":"Bad","twilioErrorCode":21211,"twilioDocPage":"https://www.twilio.com/docs/errors/21211"}`},
		{ExecuteWithRetry(t.Context(), always(&Error{Status: 502, Message: "lost", OutcomeUnknown: true})),
			`{"success":false,"status":502,"message":"lost","outcomeUnknown":true}`},
		{ExecuteWithRetry(t.Context(), always(errors.New("secret"))), `{"success":false,"status":500,"message":"Internal Server Error"}`},
		{ExecuteWithRetry(t.Context(), always(foreignError(404))), `{"success":false,"status":404,"message":"Not Found"}`},
	} {
		got, err := json.Marshal(tt.result)
		if err != nil || string(got) != tt.want {
			t.Errorf("got  %s, %v\nwant %s", got, err, tt.want)
		}
	}
}

// TestConflictLimit counts conflicts and other failures separately; each attempt
// is reported with what followed it.
func TestConflictLimit(t *testing.T) {
	for _, tt := range []struct {
		name             string
		conflicts, limit int
		errs             []error
		attempts         int
		waits            string // before each further attempt: none, a conflict's, a backoff
	}{
		{"all mended", 3, 1, []error{status(412), status(503), status(412), status(412)}, 5, "none backoff conflict conflict"},
		{"too many conflicts", 2, 5, []error{status(412), status(412), status(412), status(412)}, 3, "none conflict"},
		{"too many failures", 9, 1, []error{status(412), status(429), status(429)}, 3, "none backoff"},
		{"none allowed", 0, 5, []error{status(412)}, 1, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var waits []string
				app := testApp(t, func(c *Config) {
					c.OnAttempt = func(_ context.Context, a Attempt) {
						kind := "none"
						switch {
						case !a.Retried:
							return
						case a.Wait > conflictPause:
							kind = "backoff"
						case a.Wait > 0:
							kind = "conflict"
						}
						waits = append(waits, kind)
					}
				})
				callback, _ := script(tt.errs...)
				res := ExecuteWithRetry(conflict.WithLimit(app.Context(t.Context()), tt.conflicts), callback, RetryLimit(tt.limit))
				if res.Attempts != tt.attempts || res.Success != (tt.name == "all mended") {
					t.Errorf("%+v, want %d attempts", res, tt.attempts)
				}
				if got := strings.Join(waits, " "); got != tt.waits {
					t.Errorf("waits are %q, want %q", got, tt.waits)
				}
			})
		})
	}
}

func TestExecuteWithRetryDoesNotAllocate(t *testing.T) {
	ctx := t.Context()
	ok := func(context.Context) (int, error) { return 1, nil }
	conflict := error(&Error{Status: 412})
	n := 0
	once := func(context.Context) (int, error) {
		if n++; n%2 == 1 {
			return 0, conflict
		}
		return 1, nil
	}
	if a := testing.AllocsPerRun(100, func() { ExecuteWithRetry(ctx, ok) }); a != 0 {
		t.Errorf("success: %v allocations", a)
	}
	if a := testing.AllocsPerRun(100, func() { ExecuteWithRetry(ctx, once) }); a != 0 {
		t.Errorf("one retry: %v allocations", a)
	}
}

func BenchmarkExecuteWithRetry(b *testing.B) {
	conflict, bad := error(&Error{Status: 412}), error(&Error{Status: 400})
	for _, bb := range []struct {
		name  string
		fails int
		err   error
	}{{"case=success", 0, nil}, {"case=1-retry", 1, conflict}, {"case=3-retries", 3, conflict}, {"case=not-retryable", 1, bad}} {
		b.Run(bb.name, func(b *testing.B) {
			ctx := context.Background()
			b.ReportAllocs()
			for b.Loop() {
				n := 0
				ExecuteWithRetry(ctx, func(context.Context) (int, error) {
					if n++; n <= bb.fails {
						return 0, bb.err
					}
					return 1, nil
				})
			}
		})
	}
}

// BenchmarkInApp measures what an app adds to a call that succeeds at once.
func BenchmarkInApp(b *testing.B) {
	for _, bb := range []struct {
		name   string
		change func(*Config)
	}{
		{"app=default", nil}, // with its attempt timeout
		{"app=no-timeout", func(c *Config) { c.Retry = []RetryOption{AttemptTimeout(0)} }},
		{"app=observed", func(c *Config) {
			c.Retry = []RetryOption{AttemptTimeout(0)}
			c.OnAttempt = func(context.Context, Attempt) {}
		}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			ctx := testApp(b, bb.change).Context(b.Context())
			op := func(context.Context) (int, error) { return 1, nil }
			b.ReportAllocs()
			for b.Loop() {
				ExecuteWithRetry(ctx, op)
			}
		})
	}
}

// TestBoundsOfAWait: a call does not begin a wait that would end at its
// deadline, or that is longer than a minute.
func TestBoundsOfAWait(t *testing.T) {
	for _, c := range []struct {
		asked, deadline time.Duration
		attempts        int
		took            time.Duration
	}{
		{2 * time.Second, 2*time.Second + 1, 2, 2 * time.Second},
		{2 * time.Second, 2 * time.Second, 1, 0},
		{longestWait, time.Hour, 2, longestWait},
		{longestWait + 1, time.Hour, 1, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), c.deadline)
			defer cancel()
			callback, _ := script(&Error{Status: 503, RetryAfter: c.asked})
			began := time.Now()
			if res := ExecuteWithRetry(ctx, callback); res.Attempts != c.attempts || time.Since(began) != c.took {
				t.Errorf("asked to wait %s of %s: %d attempts in %s", c.asked, c.deadline, res.Attempts, time.Since(began))
			}
		})
	}
}

// TestEndedInAnAttempt: if ctx ends during an attempt, the error says so,
// whatever the callback returns.
func TestEndedInAnAttempt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	res := ExecuteWithRetry(ctx, func(ctx context.Context) (int, error) {
		cancel()
		return 0, ctx.Err()
	})
	if res.Status != http.StatusServiceUnavailable || res.Message != "the request was cancelled" || res.Attempts != 1 {
		t.Errorf("%+v", res)
	}
}

// TestBackoffAfterConflicts: conflicts that are counted apart do not
// lengthen the waits after other failures.
func TestBackoffAfterConflicts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var waits []time.Duration
		app := testApp(t, func(c *Config) {
			c.OnAttempt = func(_ context.Context, a Attempt) { waits = append(waits, a.Wait) }
		})
		callback, _ := script(status(412), status(412), status(412), status(503))
		ExecuteWithRetry(conflict.WithLimit(app.Context(t.Context()), 9), callback, Backoff(time.Second, 16*time.Second))
		if len(waits) != 5 || waits[3] < time.Second || waits[3] > 2*time.Second {
			t.Errorf("waits are %s", waits)
		}
	})
}

func TestReadable(t *testing.T) {
	for name, c := range map[string]struct {
		resp *http.Response
		want bool
	}{
		"none":     {nil, false},
		"no body":  {&http.Response{StatusCode: 200}, false},
		"switched": {&http.Response{StatusCode: 101, Body: http.NoBody}, false},
		"body":     {&http.Response{StatusCode: 200, Body: http.NoBody}, true},
	} {
		if _, got := readable(c.resp, new(lazyContext)); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
