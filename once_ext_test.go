package flexfn_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/flexfntest"
	"github.com/flexfn/flexfn/internal/testing/syncbuf"
	"github.com/flexfn/flexfn/signature"
	"github.com/flexfn/flexfn/twiliofake"
)

// onceApp is one instance of an app.
type onceApp struct {
	*flexfntest.App
	t *testing.T
}

func newOnceApp(t *testing.T, s flexfn.Store, f *flexfn.Function, change ...func(*flexfn.Config)) *onceApp {
	t.Helper()
	app := &onceApp{flexfntest.New(t, append(change, func(c *flexfn.Config) { c.Store = s })...), t}
	app.Handle("/f", f)
	return app
}

func (a *onceApp) call(ctx context.Context, form string, header ...string) *httptest.ResponseRecorder {
	a.t.Helper()
	r := httptest.NewRequestWithContext(ctx, "POST", "/f", strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	return w
}

func (a *onceApp) agent(form string, header ...string) *httptest.ResponseRecorder {
	a.t.Helper()
	return a.call(a.t.Context(), "Token="+flexfntest.Agent+"&"+form, header...)
}

type click struct {
	Click string `json:"click"`
	Note  string `json:"note"`
	Do    string `json:"do"`
}

func (c *click) Validate() error {
	c.Click = strings.ToLower(c.Click)
	if c.Do == "invalid" {
		return errors.New("not so")
	}
	return nil
}

// clicks is a handler that counts its runs and does what its input says.
type clicks struct{ runs atomic.Int64 }

func (c *clicks) handle(ctx context.Context, in click) (any, error) {
	run := c.runs.Add(1)
	switch in.Do {
	case "sleep":
		time.Sleep(3 * time.Second)
	case "overstay":
		time.Sleep(11 * time.Second)
	case "panic":
		panic("boom")
	case "refuse":
		return nil, flexfn.Errorf(http.StatusForbidden, "run %d", run)
	case "429", "408", "425", "500", "503":
		var status int
		_, _ = fmt.Sscan(in.Do, &status)
		time.Sleep(time.Second)
		return nil, flexfn.Errorf(status, "run %d", run)
	case "unknown":
		return nil, &flexfn.Error{Status: 504, Message: fmt.Sprintf("run %d", run), OutcomeUnknown: true}
	case "long":
		return &flexfn.Response{Body: strings.Repeat("x", 300<<10)}, nil
	case "twiml":
		return &flexfn.Response{Status: 202, Header: http.Header{"Content-Type": {"text/xml"}}, Body: fmt.Sprintf("<Response run='%d'/>", run)}, nil
	}
	return &flexfn.Response{
		Header: http.Header{"X-Run": {fmt.Sprint(run)}},
		Body:   map[string]any{"run": run, "note": in.Note},
	}, nil
}

func TestOnceOutcomes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := flexfntest.NewStore()
		var c clicks
		f := flexfn.PrepareFlexFunction(c.handle, flexfn.Once(time.Hour, "click"))
		one, two := newOnceApp(t, shared, f), newOnceApp(t, shared, f)
		for i, tt := range []struct {
			do     string
			status int
			kept   bool
		}{
			{"", 200, true}, {"twiml", 202, true}, {"refuse", 403, true}, {"unknown", 504, true},
			{"429", 429, false}, {"408", 408, false}, {"425", 425, false}, {"500", 500, false}, {"503", 503, false}, {"panic", 500, false},
		} {
			form := fmt.Sprintf("click=C%d&do=%s", i, tt.do)
			before := c.runs.Load()
			first, again := one.agent(form), two.agent(form)
			runs := c.runs.Load() - before
			same := first.Body.String() == again.Body.String() && first.Header().Get("X-Run") == again.Header().Get("X-Run") &&
				first.Header().Get("Content-Type") == again.Header().Get("Content-Type")
			if first.Code != tt.status || again.Code != tt.status || tt.kept != (runs == 1) || tt.kept && !same {
				t.Errorf("%q: %d runs, %d %s, then %d %s", tt.do, runs, first.Code, first.Body, again.Code, again.Body)
			}
		}
		if w := one.agent("click=long&do=long"); w.Code != 200 || w.Body.Len() != 300<<10 {
			t.Errorf("a long answer: %d, %d bytes", w.Code, w.Body.Len())
		}
		if w := two.agent("click=long&do=long"); w.Code != 409 {
			t.Errorf("a long answer again: %d %s", w.Code, w.Body)
		}
		// The refusal of invalid parameters is not kept.
		if w := one.agent("click=v&do=invalid"); w.Code != 400 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		if w := one.agent("click=v"); w.Code != 200 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		before := c.runs.Load()
		one.agent("note=1")
		one.agent("note=1")
		if c.runs.Load() != before+2 {
			t.Error("calls without a key are guarded")
		}
		// The key is read after Validate, and belongs to the worker.
		one.agent("click=UPPER")
		if two.agent("click=upper&note=else"); c.runs.Load() != before+3 {
			t.Error("the key is not what Validate made of it")
		}
		if w := two.call(t.Context(), "Token="+flexfntest.Supervisor+"&click=upper"); w.Code != 409 || strings.Contains(w.Body.String(), "run") {
			t.Errorf("another worker got %d %s", w.Code, w.Body)
		}
		time.Sleep(time.Hour)
		if w := two.call(t.Context(), "Token="+flexfntest.Supervisor+"&click=upper"); w.Code != 200 {
			t.Errorf("an hour later: %d %s", w.Code, w.Body)
		}
	})
}

func TestOnceConcurrently(t *testing.T) {
	for _, do := range []string{"sleep", "503"} {
		t.Run(do, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				shared := flexfntest.NewStore()
				var c clicks
				f := flexfn.PrepareFlexFunction(c.handle, flexfn.Once(time.Hour, "click"))
				apps := []*onceApp{newOnceApp(t, shared, f), newOnceApp(t, shared, f)}
				var all sync.WaitGroup
				bodies := make([]string, 20)
				begin := time.Now()
				for i := range bodies {
					all.Go(func() {
						w := apps[i%2].agent("click=1&do=" + do)
						bodies[i] = w.Header().Get("X-Run") + w.Body.String()
					})
				}
				all.Wait()
				for _, b := range bodies {
					if i := strings.Index(b, ",\"requestId"); i >= 0 {
						b = b[:i]
					}
					if !strings.HasPrefix(bodies[0], b) {
						t.Errorf("%s, and %s", bodies[0], b)
					}
				}
				if took := time.Since(begin); c.runs.Load() != 1 || took > 3200*time.Millisecond {
					t.Errorf("%d runs in %s", c.runs.Load(), took)
				}
			})
		})
	}
}

func TestOnceByHeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c clicks
		app := newOnceApp(t, nil, flexfn.PrepareFlexFunction(c.handle, flexfn.Once(time.Minute)))
		const key = "Idempotency-Key"
		first, again := app.agent("note=1", key, "k"), app.agent("note=1", key, "k")
		if first.Body.String() != again.Body.String() || c.runs.Load() != 1 {
			t.Errorf("%s, then %s", first.Body, again.Body)
		}
		if w := app.agent("note=2", key, "k"); w.Code != 422 {
			t.Errorf("other parameters: %d %s", w.Code, w.Body)
		}
		if w := app.call(t.Context(), "note=2&Token="+flexfntest.Supervisor, key, "k"); w.Code != 200 {
			t.Errorf("another worker with an equal key: %d %s", w.Code, w.Body)
		}
		if w := app.agent("note=1", key, strings.Repeat("k", 256)); w.Code != 400 {
			t.Errorf("a long key: %d %s", w.Code, w.Body)
		}
		app.agent("note=1")
		if app.agent("note=1"); c.runs.Load() != 4 {
			t.Errorf("%d runs", c.runs.Load())
		}
	})
}

// TestOnceDeadlines: a handler runs past its deadline, a caller leaves, and a
// call waits in vain for another.
func TestOnceDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := flexfntest.NewStore()
		var c clicks
		f := flexfn.PrepareFlexFunction(c.handle, flexfn.Once(time.Hour, "click"))
		one, two := newOnceApp(t, shared, f), newOnceApp(t, shared, f)
		late := make(chan *httptest.ResponseRecorder, 1)
		go func() { late <- one.agent("click=late&do=overstay") }()
		time.Sleep(1500 * time.Millisecond)
		if w := two.agent("click=late&do=overstay"); w.Code != 200 || c.runs.Load() != 1 {
			t.Errorf("the call after the deadline: %d %s after %d runs", w.Code, w.Body, c.runs.Load())
		}
		if w := <-late; w.Code != 504 || !strings.Contains(w.Body.String(), `"outcomeUnknown":true`) {
			t.Errorf("%d %s", w.Code, w.Body)
		}

		impatient, leave := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, leave)
		before := c.runs.Load()
		go one.call(impatient, "click=left&do=sleep&Token="+flexfntest.Agent)
		time.Sleep(2 * time.Second)
		if w := two.agent("click=left&do=sleep"); w.Code != 200 || c.runs.Load() != before+1 {
			t.Errorf("the caller left: %d %s after %d runs", w.Code, w.Body, c.runs.Load())
		}
	})
}

// TestOnceOutages breaks the Store before and after the handler.
func TestOnceOutages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := flexfntest.NewStore()
		var once, dedupe clicks
		var log syncbuf.Buffer
		quiet := func(c *flexfn.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) }
		one := newOnceApp(t, shared, flexfn.PrepareFlexFunction(once.handle, flexfn.Once(time.Hour, "click")), quiet)
		two := newOnceApp(t, shared, flexfn.PrepareFlexFunction(dedupe.handle, flexfn.Deduplicate(time.Hour, "click")), quiet)
		one.agent("click=warm")
		two.agent("click=warm2")
		shared.Break(errors.New("OOM command not allowed"))
		for range 3 {
			if w := one.agent("click=1"); w.Code != 503 || w.Header().Get("Retry-After") == "" || once.runs.Load() != 1 {
				t.Errorf("Once: %d %s", w.Code, w.Body)
			}
			if w := two.agent("click=1"); w.Code != 200 || dedupe.runs.Load() != 2 {
				t.Errorf("Deduplicate: %d %s, %d runs", w.Code, w.Body, dedupe.runs.Load())
			}
		}
		shared.Break(nil)
		time.Sleep(3 * time.Second)
		if w := one.agent("click=1"); w.Code != 200 {
			t.Errorf("afterwards: %d %s", w.Code, w.Body)
		}
		// The Store fails after the handler: the caller gets the answer, which
		// is recorded once the Store is back.
		before := len(log.String())
		go func() {
			time.Sleep(time.Second)
			shared.Break(errors.New("gone"))
			time.Sleep(5 * time.Second)
			shared.Break(nil)
		}()
		if w := one.agent("click=2&do=sleep"); w.Code != 200 {
			t.Errorf("the store fails after the handler: %d %s", w.Code, w.Body)
		}
		synctest.Wait() // for the log line
		if logged := log.String()[before:]; !strings.Contains(logged, "could not be recorded") {
			t.Errorf("the log says %s", logged)
		}
		time.Sleep(6 * time.Second)
		runs := once.runs.Load()
		if w := one.agent("click=2&do=sleep"); w.Code != 200 || once.runs.Load() != runs {
			t.Errorf("it was not recorded afterwards: %d %s", w.Code, w.Body)
		}
	})
}

// TestOnceCrash: an instance dies during a call and leaves its claim behind.
func TestOnceCrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := flexfntest.NewStore()
		runs := 0
		f := flexfn.PrepareFlexFunction(func(ctx context.Context, in click) (any, error) {
			if runs++; runs == 1 {
				shared.Break(errors.New("this instance is dead")) // until its claim has expired
				time.AfterFunc(13*time.Second, func() { shared.Break(nil) })
			}
			return map[string]int{"run": runs}, nil
		}, flexfn.Once(time.Hour, "click"))
		newOnceApp(t, shared, f).agent("click=1")
		time.Sleep(14 * time.Second)
		if w := newOnceApp(t, shared, f).agent("click=1"); w.Code != 200 || runs != 2 {
			t.Errorf("after the lease: %d %s, %d runs", w.Code, w.Body, runs)
		}
	})
}

func TestOnceDefinition(t *testing.T) {
	app := flexfntest.New(t)
	handler := func(context.Context, click) (struct{}, error) { return struct{}{}, nil }
	untyped := func(context.Context, flexfn.Event) (struct{}, error) { return struct{}{}, nil }
	for name, f := range map[string]*flexfn.Function{
		"/short":   flexfn.PrepareFlexFunction(handler, flexfn.Once(time.Millisecond)),
		"/long":    flexfn.PrepareFlexFunction(handler, flexfn.Deduplicate(31*24*time.Hour)),
		"/unknown": flexfn.PrepareFlexFunction(handler, flexfn.Once(time.Hour, "cilck")),
		"/twice":   flexfn.PrepareFlexFunction(handler, flexfn.Once(time.Hour), flexfn.Deduplicate(time.Hour)),
		"/open":    flexfn.PrepareStudioFunction(handler, flexfn.Once(time.Hour, "click"), flexfn.OpenToAnyone()),
		"/untyped": flexfn.PrepareFlexFunction(untyped, flexfn.Once(time.Hour, "click")),
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: a faulty definition is accepted", name)
				}
			}()
			app.Handle(name, f)
		}()
	}
	app.Handle("/fine", flexfn.PrepareFlexFunction(untyped, flexfn.Once(time.Hour, "click"), flexfn.Require("click", "an id")))
}

func TestDeduplicateByTwiliosToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c clicks
		app := newOnceApp(t, nil, flexfn.PrepareStudioFunction(c.handle, flexfn.Deduplicate(time.Minute)))
		deliver := func(body, token string) *httptest.ResponseRecorder {
			signature := signature.Sign(app.Config().AuthToken, flexfntest.PublicURL+"/f", "application/x-www-form-urlencoded", []byte(body))
			return app.call(t.Context(), body, "X-Twilio-Signature", signature, "I-Twilio-Idempotency-Token", token)
		}
		first := deliver("do=twiml", "t1")
		if again := deliver("do=twiml", "t1"); again.Body.String() != first.Body.String() || again.Code != 202 || again.Header().Get("Content-Type") != "text/xml" {
			t.Errorf("%d %s, then %d %s", first.Code, first.Body, again.Code, again.Body)
		}
		if w := app.call(t.Context(), "do=twiml", "X-Twilio-Signature", "AAAAAAAAAAAAAAAAAAAAAAAAAAA=", "I-Twilio-Idempotency-Token", "t1"); w.Code != 403 {
			t.Errorf("a stranger who knows the token got %d %s", w.Code, w.Body)
		}
		if deliver("do=twiml", "t2"); c.runs.Load() != 2 {
			t.Errorf("%d runs", c.runs.Load())
		}
	})
}

// TestTokensInTheStore: instances share Twilio's verdicts about tokens.
func TestTokensInTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := flexfntest.NewStore()
		var c clicks
		f := flexfn.PrepareFlexFunction(c.handle)
		ask := func(app *onceApp, token string) int {
			w := app.call(t.Context(), url.Values{"Token": {token}}.Encode())
			if got := w.Code == 200; got != (token == flexfntest.Agent) {
				t.Errorf("%s: %d %s", token, w.Code, w.Body)
			}
			return len(app.Twilio.Requests(twiliofake.Match{Host: "iam"}))
		}
		if n := ask(newOnceApp(t, shared, f), flexfntest.Agent); n != 1 {
			t.Errorf("the first instance asked Twilio %d times", n)
		}
		if n := ask(newOnceApp(t, shared, f), flexfntest.Agent); n != 0 {
			t.Errorf("the second instance asked Twilio %d times", n)
		}
		if n := ask(newOnceApp(t, shared, f, func(c *flexfn.Config) { c.StoreSecret = strings.Repeat("s", 32) }), flexfntest.Agent); n != 1 {
			t.Errorf("an app with another secret asked Twilio %d times", n)
		}
		for range 2 {
			if n := ask(newOnceApp(t, shared, f), flexfntest.Invalid); n != 1 {
				t.Errorf("a refused token: asked %d times", n)
			}
		}
		time.Sleep(time.Minute)
		if n := ask(newOnceApp(t, shared, f), flexfntest.Agent); n != 1 {
			t.Errorf("a minute later an instance asked Twilio %d times", n)
		}
		shared.Break(errors.New("down"))
		app := newOnceApp(t, shared, f)
		before := shared.Calls()
		for i := range 10 {
			ask(app, fmt.Sprint(flexfntest.Invalid, i))
		}
		if n := shared.Calls() - before; n > 4 {
			t.Errorf("a store that is down was called %d times", n)
		}
	})
}

func TestStoreSecretIsLong(t *testing.T) {
	_, err := flexfn.New(flexfn.Config{AccountSID: "AC" + strings.Repeat("0", 32), AuthToken: "12345", StoreSecret: "short-secret"})
	if err == nil || strings.Contains(err.Error(), "short-secret") {
		t.Errorf("%v", err)
	}
}

// TestOnceRefused: after a call was refused for lack of capacity, the next one
// with its key runs the handler.
func TestOnceRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n clicks
		app := newOnceApp(t, nil, flexfn.PrepareFlexFunction(n.handle, flexfn.Once(time.Minute, "click")), func(c *flexfn.Config) { c.MaxCalls = 1 })
		var first sync.WaitGroup
		first.Go(func() { app.agent("click=a&do=sleep") })
		synctest.Wait()
		if w := app.agent("click=b"); w.Code != 503 || w.Header().Get("Retry-After") != "1" {
			t.Errorf("without a place: %d %v %s", w.Code, w.Header(), w.Body)
		}
		first.Wait()
		if w := app.agent("click=b"); w.Code != 200 || n.runs.Load() != 2 {
			t.Errorf("with one: %d %s after %d runs", w.Code, w.Body, n.runs.Load())
		}
	})
}

// The description says that calls may be repeated only if each of them is
// guarded: a call without any of the key's parameters runs unguarded.
func TestOnceDescribed(t *testing.T) {
	type in struct {
		Task  string `json:"task" purpose:"the task"`
		Click string `json:"click"`
		Note  string `json:"note"`
	}
	typed := func(context.Context, in) (struct{}, error) { return struct{}{}, nil }
	untyped := func(context.Context, flexfn.Event) (struct{}, error) { return struct{}{}, nil }
	for _, c := range []struct {
		f    *flexfn.Function
		want bool
	}{
		{flexfn.PrepareFlexFunction(typed), false},
		{flexfn.PrepareFlexFunction(typed, flexfn.Once(time.Minute)), true},
		{flexfn.PrepareFlexFunction(typed, flexfn.Once(time.Minute, "click", "task")), true},
		{flexfn.PrepareFlexFunction(typed, flexfn.Once(time.Minute, "click", "note")), false},
		{flexfn.PrepareFlexFunction(typed, flexfn.Deduplicate(time.Minute, "task")), false},
		{flexfn.PrepareFlexFunction(untyped, flexfn.Require("click", "the click"), flexfn.Once(time.Minute, "click")), true},
	} {
		if got := c.f.Describe().Once; got != c.want {
			t.Errorf("the description says %v, want %v: %+v", got, c.want, c.f.Describe().Parameters)
		}
	}
}
