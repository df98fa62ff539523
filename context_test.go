package flexfn

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/flexfn/flexfn/internal/link"
	"github.com/flexfn/flexfn/signature"
)

// TestContextAccessors: what the accessors return without an app, with one, and
// in a function.
func TestContextAccessors(t *testing.T) {
	if FromContext(t.Context()) != nil || RequestID(t.Context()) != "" || len(RequestHeader(t.Context())) != 0 {
		t.Error("FromContext finds an app in a ctx without one")
	}
	if _, ok := TokenOwner(t.Context()); ok {
		t.Error("TokenOwner finds an owner in a ctx without an app")
	}
	var attempts []Attempt
	app := testApp(t, func(c *Config) { c.OnAttempt = func(_ context.Context, a Attempt) { attempts = append(attempts, a) } })
	outside := app.Context(t.Context())
	if _, ok := TokenOwner(outside); ok || FromContext(outside) != app || RequestID(outside) != "" || RequestHeader(outside) == nil || len(RequestHeader(outside)) != 0 || outside.Value(link.PeerKey{}) != nil {
		t.Error("the accessors find a request in a ctx outside one")
	}
	ExecuteWithRetry(outside, always(nil))

	var id string
	app.Handle("/f", PrepareStudioFunction(func(ctx context.Context, _ Event) (any, error) {
		if _, ok := TokenOwner(ctx); ok || FromContext(ctx) != app || RequestHeader(ctx).Get("X-Own") != "1" || ctx.Value(link.PeerKey{}) != "192.0.2.1:1234" {
			t.Errorf("got the header %v from %v", RequestHeader(ctx), ctx.Value(link.PeerKey{}))
		}
		id = RequestID(ctx)
		return nil, ExecuteWithRetry(ctx, always(nil)).Err()
	}, OpenToAnyone()))
	r := httptest.NewRequest("GET", "/f", nil)
	r.Header.Set("X-Own", "1")
	w := httptest.NewRecorder()
	app.ServeHTTP(w, r)
	if w.Code != 200 || id == "" || w.Header().Get("X-Request-Id") != id || w.Header().Get("Connection") != "" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	if len(attempts) != 2 || attempts[0].RequestID != "" || attempts[0].Function != "" || attempts[1].RequestID != id || attempts[1].Function != "/f" {
		t.Errorf("%+v", attempts)
	}
}

// TestQueueOfAnApp: in development the app has a Queue in memory, unless its
// Config has one.
func TestQueueOfAnApp(t *testing.T) {
	dev := func(c *Config) { c.devKey = strings.Repeat("k", shortestDevKey) }
	if q := testApp(t, nil).config.Queue; q != nil {
		t.Errorf("in production the queue is %T", q)
	}
	if q := testApp(t, dev).config.Queue; q == nil {
		t.Error("an app in development has no queue")
	}
	own := new(memoryQueue)
	if q := testApp(t, func(c *Config) { dev(c); c.Queue = own }).config.Queue; q != own {
		t.Errorf("the configured Queue became %T", q)
	}
}

// TestTraceIsBounded: the trace counts the attempts that it has no room for.
func TestTraceIsBounded(t *testing.T) {
	key := strings.Repeat("k", shortestDevKey)
	app := testApp(t, func(c *Config) { c.devKey = key })
	ExecuteWithRetry(app.Context(t.Context()), always(nil)) // has no trace
	app.Handle("/f", PrepareStudioFunction(func(ctx context.Context, _ Event) (any, error) {
		for range link.MaxAttempts + 3 {
			ExecuteWithRetry(ctx, always(nil))
		}
		return nil, nil
	}, OpenToAnyone()))
	r := httptest.NewRequest("GET", "/f", nil)
	r.Header.Set(link.KeyHeader, key)
	w := httptest.NewRecorder()
	app.ServeHTTP(w, r)
	if trace := traceOf(t, w); len(trace.Attempts) != link.MaxAttempts || trace.Missed != 3 {
		t.Errorf("%d attempts, and %d more", len(trace.Attempts), trace.Missed)
	}
}

func traceOf(t *testing.T, w *httptest.ResponseRecorder) (trace link.Trace) {
	t.Helper()
	text, _ := base64.StdEncoding.DecodeString(w.Header().Get(link.TraceHeader))
	if err := json.Unmarshal(text, &trace); err != nil {
		t.Fatalf("%d %s has the trace %s: %v", w.Code, w.Body, text, err)
	}
	return trace
}

// TestTraceOfSteps: the trace shows which step failed.
func TestTraceOfSteps(t *testing.T) {
	key := strings.Repeat("k", shortestDevKey)
	app := testApp(t, func(c *Config) {
		c.devKey, c.PublicURL = key, "https://functions.example.com"
		c.Transport = heedless(func(r *http.Request) (*http.Response, error) {
			body, _ := io.ReadAll(r.Body)
			res, _ := reply("iam.test", 200, fmt.Sprintf(`{"valid":%t,"realm_user_id":"ada","roles":["agent"],"worker_sid":"WK1","expiration":"2100-01-01T00:00:00Z"}`, strings.Contains(string(body), "good")))
			return res, nil
		})
	})
	fails := false
	handler := func(context.Context, Event) (any, error) {
		if fails {
			return nil, Errorf(http.StatusConflict, "no")
		}
		return nil, nil
	}
	app.Handle("/studio", PrepareStudioFunction(handler))
	app.Handle("/flex", PrepareFlexFunction(handler))
	for _, c := range []struct {
		path   string
		signed bool
		fails  bool
		want   []link.Span // names and whether they failed
	}{
		{"/studio", true, false, []link.Span{{Name: link.SignatureCheck}, {Name: link.Handler}}},
		{"/studio", true, true, []link.Span{{Name: link.SignatureCheck}, {Name: link.Handler, Failed: true}}},
		{"/studio", false, false, []link.Span{{Name: link.SignatureCheck, Failed: true}}},
		{"/flex?Token=good", false, false, []link.Span{{Name: link.TokenCheck}, {Name: link.Handler}}},
		{"/flex?Token=abc", false, false, []link.Span{{Name: link.TokenCheck, Failed: true}}},
	} {
		fails = c.fails
		r := httptest.NewRequest("GET", c.path, nil)
		r.Header.Set(link.KeyHeader, key)
		r.Header.Set(signature.Header, strings.Repeat("A", 27)+"=")
		if c.signed {
			r.Header.Set(signature.Header, signature.Sign(testConfig().AuthToken, "https://functions.example.com"+c.path, "", nil))
		}
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		trace := traceOf(t, w)
		if len(trace.Spans) != len(c.want) || (trace.Caller != nil) != (c.path == "/flex?Token=good") {
			t.Errorf("%s: %d %s, trace %+v", c.path, w.Code, w.Body, trace)
			continue
		}
		for i, s := range trace.Spans {
			if s.Name != c.want[i].Name || s.Failed != c.want[i].Failed {
				t.Errorf("%s: %+v, want %+v", c.path, trace.Spans, c.want)
			}
		}
	}
}
