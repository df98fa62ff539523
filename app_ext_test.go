package flexfn_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/internal/testing/syncbuf"
)

// iam imitates Twilio's token validation: it accepts any token, takes it for
// the owner's role, and counts requests.
type iam struct {
	calls  atomic.Int64
	answer func(token string) (status int, body string) // nil: valid, with the token as role
	delay  time.Duration
}

func (i *iam) RoundTrip(req *http.Request) (*http.Response, error) {
	i.calls.Add(1)
	var asked struct{ Token string }
	if err := json.NewDecoder(req.Body).Decode(&asked); err != nil {
		return nil, err
	}
	if i.delay > 0 {
		select {
		case <-time.After(i.delay):
		case <-req.Context().Done():
			return nil, req.Context().Err()
		}
	}
	status, body := http.StatusOK, fmt.Sprintf(`{"valid": true, "roles": [%q], "worker_sid": "WK00000000000000000000000000000001", "identity": %q}`, asked.Token, asked.Token)
	if i.answer != nil {
		status, body = i.answer(asked.Token)
	}
	w := httptest.NewRecorder()
	w.WriteHeader(status)
	w.WriteString(body)
	return w.Result(), nil
}

const testAuthToken = "0123456789abcdef0123456789abcdef"

func testConfig(transport http.RoundTripper) flexfn.Config {
	return flexfn.Config{
		AccountSID: "AC00000000000000000000000000000001",
		AuthToken:  testAuthToken,
		Transport:  transport,
		Logger:     slog.New(slog.DiscardHandler),
	}
}

func newApp(t testing.TB, config flexfn.Config) *flexfn.App {
	t.Helper()
	app, err := flexfn.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return app
}

// post sends a form and returns the answer's status and JSON object.
func post(t testing.TB, app http.Handler, path string, form url.Values) (int, map[string]any) {
	t.Helper()
	req := httptest.NewRequest("POST", path, strings.NewReader(form.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return send(t, app, req)
}

func send(t testing.TB, app http.Handler, req *http.Request) (int, map[string]any) {
	t.Helper()
	w := httptest.NewRecorder()
	app.ServeHTTP(w, req)
	var body map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil && req.Method != "HEAD" {
		t.Fatalf("status %d, no JSON object: %v: %.200q", w.Code, err, w.Body)
	}
	return w.Code, body
}

type holdParams struct {
	Conference  string `json:"conference" kind:"CF" purpose:"unique ID of conference to update"`
	Participant string `json:"participant" kind:"CA" purpose:"unique ID of participant to update"`
	Hold        bool   `json:"hold" purpose:"whether to hold or unhold the participant"`
	HoldURL     string `json:"holdUrl" doc:"what the participant hears"`
}

type holdReply struct {
	Hold bool   `json:"hold"`
	URL  string `json:"url,omitempty"`
}

func hold(_ context.Context, in holdParams) (holdReply, error) {
	return holdReply{in.Hold, in.HoldURL}, nil
}

func TestFlexFunction(t *testing.T) {
	app := newApp(t, testConfig(new(iam)))
	app.Handle("/hold", flexfn.PrepareFlexFunction(hold))
	good := url.Values{
		"Token": {"agent"}, "conference": {"CF00000000000000000000000000000001"},
		"participant": {"CA00000000000000000000000000000001"}, "hold": {"true"},
	}
	without := func(key string) url.Values {
		v := url.Values{}
		for k, vs := range good {
			if k != key {
				v[k] = vs
			}
		}
		return v
	}
	if status, body := post(t, app, "/hold", good); status != 200 || body["hold"] != true || body["success"] != true {
		t.Errorf("got %d %v", status, body)
	}
	if status, body := post(t, app, "/hold", without("Token")); status != 403 || body["success"] != false {
		t.Errorf("without a token: %d %v", status, body)
	}
	status, body := post(t, app, "/hold", without("hold"))
	if status != 400 || body["message"] != "(/hold) Missing hold: whether to hold or unhold the participant" || body["data"] != nil {
		t.Errorf("without hold: %d %v", status, body)
	}
	if missing := fmt.Sprint(body["missing"]); missing != "[map[key:hold purpose:whether to hold or unhold the participant]]" {
		t.Errorf("missing: %s", missing)
	}
	// Everything that is wrong is reported at once.
	status, body = post(t, app, "/hold", url.Values{"Token": {"agent"}, "conference": {"../Workers"}, "hold": {"maybe"}})
	want := `(/hold) Missing participant: unique ID of participant to update; ` +
		`(/hold) Invalid conference: expected a SID: CF and 32 hex digits; ` +
		`(/hold) Invalid hold: expected true or false, not "maybe"`
	if status != 400 || body["message"] != want {
		t.Errorf("got %d %v", status, body["message"])
	}
}

func TestRolesAndGuests(t *testing.T) {
	i := &iam{answer: func(token string) (int, string) {
		if token == "guest" {
			return 200, `{"valid": true, "roles": ["guest"], "identity": "visitor"}`
		}
		return 200, fmt.Sprintf(`{"valid": true, "roles": [%q], "worker_sid": "WK1"}`, token)
	}}
	app := newApp(t, testConfig(i))
	ok := func(ctx context.Context, _ struct{}) (map[string]any, error) {
		owner, _ := flexfn.TokenOwner(ctx)
		return map[string]any{"guest": owner.Guest()}, nil
	}
	app.Handle("/workers", flexfn.PrepareFlexFunction(ok))
	app.Handle("/supervisors", flexfn.PrepareFlexFunction(ok, flexfn.Roles("supervisor", "admin")))
	app.Handle("/guests", flexfn.PrepareFlexFunction(ok, flexfn.AdmitGuests()))
	for _, c := range []struct {
		path, token string
		status      int
	}{
		{"/workers", "agent", 200}, {"/workers", "guest", 403}, {"/workers", "supervisor", 200},
		{"/supervisors", "agent", 403}, {"/supervisors", "supervisor", 200}, {"/supervisors", "admin", 200},
		{"/supervisors", "guest", 403}, {"/guests", "guest", 200}, {"/guests", "agent", 200},
	} {
		if status, body := post(t, app, c.path, url.Values{"Token": {c.token}}); status != c.status {
			t.Errorf("%s as %s: %d %v, want %d", c.path, c.token, status, body, c.status)
		}
	}
}

func TestTokenFromHeader(t *testing.T) {
	app := newApp(t, testConfig(&iam{answer: func(token string) (int, string) {
		return 200, fmt.Sprintf(`{"valid": %v, "worker_sid": "WK1"}`, token == "good")
	}}))
	app.Handle("/f", flexfn.PrepareFlexFunction(func(context.Context, struct{}) (any, error) { return nil, nil }))
	for header, want := range map[string]int{"Bearer good": 200, "bearer good": 200, "Bearer bad": 403, "Basic good": 403, "Bearer": 403} {
		req := httptest.NewRequest("POST", "/f", nil)
		req.Header.Set("Authorization", header)
		if status, _ := send(t, app, req); status != want {
			t.Errorf("%q: %d, want %d", header, status, want)
		}
	}
	// A parameter wins even if it is empty.
	req := httptest.NewRequest("POST", "/f?Token=", nil)
	req.Header.Set("Authorization", "Bearer good")
	if status, _ := send(t, app, req); status != 403 {
		t.Errorf("an empty Token with a good header: %d", status)
	}
}

func TestTokenCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &iam{answer: func(token string) (int, string) {
			switch token {
			case "short":
				return 200, fmt.Sprintf(`{"valid": true, "worker_sid": "WK1", "expiration": %q}`, time.Now().Add(5*time.Second).UTC().Format(time.RFC3339))
			case "bad":
				return 200, `{"valid": false, "message": "Token is invalid"}`
			case "down":
				return 500, `{}`
			}
			return 200, `{"valid": true, "worker_sid": "WK1"}`
		}}
		app := newApp(t, testConfig(i))
		app.Handle("/f", flexfn.PrepareFlexFunction(func(context.Context, struct{}) (any, error) { return nil, nil }))
		ask := func(token string, wantStatus int, wantCalls int64) {
			t.Helper()
			i.calls.Store(0)
			if status, body := post(t, app, "/f", url.Values{"Token": {token}}); status != wantStatus {
				t.Errorf("%s: status %d %v, want %d", token, status, body, wantStatus)
			}
			if n := i.calls.Load(); n != wantCalls {
				t.Errorf("%s: %d calls, want %d", token, n, wantCalls)
			}
		}
		ask("good", 200, 1)
		ask("good", 200, 0)
		time.Sleep(29 * time.Second)
		ask("good", 200, 0)
		time.Sleep(32 * time.Second) // past the TTL
		ask("good", 200, 1)
		ask("short", 200, 1)
		time.Sleep(2 * time.Second)
		ask("short", 200, 0)
		time.Sleep(4 * time.Second) // past the expiration
		ask("short", 200, 1)
		ask("bad", 403, 1)
		ask("bad", 403, 0)
		time.Sleep(11 * time.Second)
		ask("bad", 403, 1)
		ask("down", 503, 1) // a 500 is neither retried nor cached
		ask("down", 503, 1)
	})
}

// A stampede asks Twilio once, and succeeds even if the first caller hangs up.
func TestTokenStampede(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &iam{delay: time.Second}
		config := testConfig(i)
		config.MaxCalls = 10_000 // on a busy machine many handlers overlap
		app := newApp(t, config)
		app.Handle("/f", flexfn.PrepareFlexFunction(func(context.Context, struct{}) (any, error) { return nil, nil }))
		stampede := func(round int) {
			var wg sync.WaitGroup
			var failed atomic.Int64
			for n := range 10_000 {
				wg.Go(func() {
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					req := httptest.NewRequestWithContext(ctx, "GET", "/f?Token=fresh", nil)
					if n == 0 { // the first caller leaves while Twilio is being asked
						time.AfterFunc(time.Second/2, cancel)
					} else {
						time.Sleep(time.Millisecond)
					}
					w := httptest.NewRecorder()
					app.ServeHTTP(w, req)
					if n != 0 && w.Code != 200 {
						failed.Add(1)
					}
				})
			}
			wg.Wait()
			if n := i.calls.Swap(0); n != 1 || failed.Load() != 0 {
				t.Errorf("round %d: %d calls, %d failures", round, n, failed.Load())
			}
		}
		stampede(1)
		time.Sleep(2 * time.Minute) // cached verdicts are stale now
		stampede(2)
	})
}

// The cache looks at wall time too, since a frozen instance wakes up with a
// monotonic clock that stood still. Here only a token whose expiration is in
// the past is tested: it is cached for the minimum.
func TestTokenExpiredButValid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &iam{answer: func(string) (int, string) {
			return 200, `{"valid": true, "worker_sid": "WK1", "expiration": "1999-01-01T00:00:00Z"}`
		}}
		app := newApp(t, testConfig(i))
		app.Handle("/f", flexfn.PrepareFlexFunction(func(context.Context, struct{}) (any, error) { return nil, nil }))
		for range 3 {
			if status, _ := post(t, app, "/f", url.Values{"Token": {"x"}}); status != 200 {
				t.Fatalf("status %d", status)
			}
			time.Sleep(2 * time.Second)
		}
		if n := i.calls.Load(); n != 3 {
			t.Errorf("%d calls, want 3", n)
		}
	})
}

func TestIAMOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := true
		i := &iam{answer: func(string) (int, string) {
			if down {
				return 503, `{"code": 20503}`
			}
			return 200, `{"valid": true, "worker_sid": "WK1"}`
		}}
		app := newApp(t, testConfig(i))
		app.Handle("/f", flexfn.PrepareFlexFunction(func(context.Context, struct{}) (any, error) { return nil, nil }))
		req := httptest.NewRequest("GET", "/f?Token=t", nil)
		w := httptest.NewRecorder()
		app.ServeHTTP(w, req)
		if w.Code != 503 || w.Header().Get("Retry-After") != "1" {
			t.Errorf("got %d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
		}
		if n := i.calls.Load(); n != 3 {
			t.Errorf("%d attempts, want 3", n)
		}
		down = false
		if status, _ := post(t, app, "/f", url.Values{"Token": {"t"}}); status != 200 {
			t.Errorf("after the outage: %d", status)
		}
	})
}

// TestIAMRefusesTheApp: if Twilio refuses the app's own credentials, the answer
// is not one that logs workers out or makes them wait, and the log says what to
// check.
func TestIAMRefusesTheApp(t *testing.T) {
	for _, status := range []int{401, 403} {
		var log syncbuf.Buffer
		config := testConfig(&iam{answer: func(string) (int, string) { return status, `{"code": 20003, "message": "Authenticate"}` }})
		config.Logger = slog.New(slog.NewTextHandler(&log, nil))
		app := newApp(t, config)
		app.Handle("/f", flexfn.PrepareFlexFunction(func(context.Context, struct{}) (any, error) { return nil, nil }))
		w := httptest.NewRecorder()
		app.ServeHTTP(w, httptest.NewRequest("GET", "/f?Token=t", nil))
		if w.Code != 500 || w.Header().Get("Retry-After") != "" || strings.Contains(w.Body.String(), "Authenticate") {
			t.Errorf("%d: %d %v %s", status, w.Code, w.Header(), w.Body)
		}
		if err := app.Wait(t.Context()); err != nil || log.Count("are ACCOUNT_SID and AUTH_TOKEN right?") != 1 {
			t.Errorf("%d: %v, logged %s", status, err, log.String())
		}
	}
}

func TestRegions(t *testing.T) {
	for region, want := range map[string]string{"": "iam.twilio.com", "ie1": "iam.ie1.twilio.com", "stage-us1": "iam.stage.twilio.com"} {
		var host string
		config := testConfig(roundTripper(func(req *http.Request) (*http.Response, error) {
			host = req.URL.Host
			return new(iam).RoundTrip(req)
		}))
		config.Region = region
		app := newApp(t, config)
		app.Handle("/f", flexfn.PrepareFlexFunction(func(context.Context, struct{}) (any, error) { return nil, nil }))
		if status, _ := post(t, app, "/f", url.Values{"Token": {"t"}}); status != 200 || host != want {
			t.Errorf("region %q: status %d from %s", region, status, host)
		}
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := newApp(t, testConfig(nil))
		release := make(chan struct{})
		open := flexfn.OpenToAnyone()
		app.Handle("/honours", flexfn.PrepareStudioFunction(func(ctx context.Context, _ struct{}) (any, error) {
			<-ctx.Done()
			return nil, fmt.Errorf("asking the CRM: %w", ctx.Err())
		}, open))
		app.Handle("/knows-better", flexfn.PrepareStudioFunction(func(ctx context.Context, _ struct{}) (any, error) {
			<-ctx.Done()
			return nil, &flexfn.Error{Status: 502, Message: "the CRM is down", Err: ctx.Err()}
		}, open))
		app.Handle("/ignores", flexfn.PrepareStudioFunction(func(context.Context, struct{}) (any, error) {
			<-release
			return nil, nil
		}, open, flexfn.Deadline(3*time.Second)))
		app.Handle("/flex", flexfn.PrepareStudioFunction(func(context.Context, struct{}) (any, error) {
			time.Sleep(time.Second)
			return nil, nil
		}, open))
		for _, c := range []struct {
			path    string
			status  int
			message any
			took    time.Duration
		}{
			{"/honours", 504, "The function did not finish within 8s", 8 * time.Second},
			{"/knows-better", 502, "the CRM is down", 8 * time.Second},
			{"/ignores", 504, "The function did not finish within 3s", 3*time.Second + 100*time.Millisecond},
			{"/flex", 200, nil, time.Second},
		} {
			start := time.Now()
			status, body := post(t, app, c.path, nil)
			if status != c.status || body["message"] != c.message || time.Since(start) != c.took {
				t.Errorf("%s: %d %v after %s, want %d %v after %s", c.path, status, body, time.Since(start), c.status, c.message, c.took)
			}
		}
		// Wait reports the handler that ignored its deadline.
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := app.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Wait: %v", err)
		}
		close(release)
		if err := app.Wait(t.Context()); err != nil {
			t.Errorf("Wait: %v", err)
		}
	})
}

// When the caller leaves, the handler's ctx ends. The request ends only when
// the handler does.
func TestCallerLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := newApp(t, testConfig(nil))
		ended := false
		app.Handle("/f", flexfn.PrepareStudioFunction(func(ctx context.Context, _ struct{}) (any, error) {
			<-ctx.Done()
			time.Sleep(time.Second)
			ended = true
			return nil, ctx.Err()
		}, flexfn.OpenToAnyone()))
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		start := time.Now()
		send(t, app, httptest.NewRequestWithContext(ctx, "POST", "/f", nil))
		if !ended || time.Since(start) != 2*time.Second {
			t.Errorf("ended %v after %s", ended, time.Since(start))
		}
	})
}

func TestPanic(t *testing.T) {
	var log bytes.Buffer
	config := testConfig(nil)
	config.Logger = slog.New(slog.NewJSONHandler(&log, nil))
	app := newApp(t, config)
	app.Handle("/f", flexfn.PrepareStudioFunction(func(context.Context, struct{}) (any, error) {
		panic("boom with +15550100123")
	}, flexfn.OpenToAnyone()))
	req := httptest.NewRequest("POST", "/f", nil)
	w := httptest.NewRecorder()
	app.ServeHTTP(w, req)
	id := w.Header().Get("X-Request-Id")
	if w.Code != 500 || id == "" || !strings.Contains(w.Body.String(), id) || strings.Contains(w.Body.String(), "boom") {
		t.Errorf("got %d %s, id %q", w.Code, w.Body, id)
	}
	for _, want := range []string{id, "boom", "TestPanic", `"function":"/f"`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("%q is not in the log: %s", want, &log)
		}
	}
	if strings.Contains(log.String(), "15550100123") {
		t.Errorf("the log has a telephone number: %s", &log)
	}
}

// TestNoLeftovers: a field that one caller omits does not keep another
// caller's value.
func TestNoLeftovers(t *testing.T) {
	app := newApp(t, testConfig(new(iam)))
	type in struct {
		A    string            `json:"a"`
		List []string          `json:"list"`
		Map  map[string]string `json:"map"`
		P    *int              `json:"p"`
	}
	app.Handle("/f", flexfn.PrepareFlexFunction(func(ctx context.Context, v in) (*flexfn.Response, error) {
		r := &flexfn.Response{Header: http.Header{"X-A": {v.A}}, Body: map[string]any{"empty": v.A == "" && v.List == nil && v.Map == nil && v.P == nil}}
		if v.A != "" {
			r.Status = 201
		}
		return r, nil
	}))
	var wg sync.WaitGroup
	for n := range 200 {
		wg.Go(func() {
			form := url.Values{"Token": {fmt.Sprint("t", n)}}
			full := n%2 == 0
			if full {
				form = url.Values{"Token": {fmt.Sprint("t", n)}, "a": {"x"}, "list": {"1", "2"}, "map": {`{"k":"v"}`}, "p": {"7"}}
			}
			req := httptest.NewRequest("POST", "/f", strings.NewReader(form.Encode()))
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			w := httptest.NewRecorder()
			app.ServeHTTP(w, req)
			want, status := `{"empty":true,"success":true}`, 200
			if full {
				want, status = `{"empty":false,"success":true}`, 201
			}
			if w.Body.String() != want || w.Code != status || (w.Header().Get("X-A") != "") != full {
				t.Errorf("request %d: %d %s %v", n, w.Code, w.Body, w.Header())
			}
		})
	}
	wg.Wait()
}

// Tokens, auth tokens and telephone numbers never reach the log, at any level
// and after any failure.
func TestNothingSecretIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		var answer atomic.Value
		answer.Store([2]string{"200", `{"valid": true, "worker_sid": "WK1"}`})
		i := &iam{answer: func(token string) (int, string) {
			a := answer.Load().([2]string)
			var status int
			fmt.Sscan(a[0], &status)
			return status, strings.ReplaceAll(a[1], "TOKEN", token)
		}}
		config := testConfig(i)
		config.LogAttempts = true
		config.Logger = slog.New(slog.NewTextHandler(&lockedWriter{w: &log}, &slog.HandlerOptions{Level: slog.LevelDebug - 100}))
		app := newApp(t, config)
		const phone = "+15550100123"
		app.Handle("/f", flexfn.PrepareFlexFunction(func(ctx context.Context, e flexfn.Event) (any, error) {
			switch e.String("do") {
			case "error":
				return nil, fmt.Errorf("calling %s with %s and %s", phone, testAuthToken, "secret-flex-token")
			case "panic":
				panic(fmt.Sprintf("calling %s with %s and %s", phone, testAuthToken, "secret-flex-token"))
			case "refuse":
				return nil, flexfn.Errorf(400, "cannot call %s", phone)
			case "hang":
				<-ctx.Done()
				time.Sleep(time.Second)
			}
			return nil, nil
		}, flexfn.Require("number", "who to call")))
		for _, iamSays := range [][2]string{
			{"200", `{"valid": true, "worker_sid": "WK1"}`},
			{"200", `{"valid": false, "message": "TOKEN is invalid"}`},
			{"500", `TOKEN ` + testAuthToken + phone}, {"401", `TOKEN`}, {"503", `{"message": "TOKEN"}`}, {"200", `TOKEN`},
		} {
			answer.Store(iamSays)
			time.Sleep(time.Hour) // the cached token expires
			for _, do := range []string{"", "error", "panic", "refuse", "hang"} {
				post(t, app, "/f", url.Values{"Token": {"secret-flex-token"}, "do": {do}, "number": {phone}})
				post(t, app, "/f?Token=secret-flex-token", url.Values{"do": {do}})
			}
		}
		time.Sleep(time.Minute)
		for line := range strings.Lines(log.String()) {
			for _, secret := range []string{"secret-flex-token", testAuthToken, "5550100123"} {
				if strings.Contains(line, secret) {
					t.Errorf("%s is in the log: %s", secret, line)
				}
			}
		}
		for _, want := range []string{"function failed", "handler panicked", "request refused", "web-service call", "still running"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log has no %q, so this test does not see it", want)
			}
		}
	})
}

type lockedWriter struct {
	mu sync.Mutex
	w  *bytes.Buffer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

func TestResponse(t *testing.T) {
	app := newApp(t, testConfig(nil))
	responses := map[string]*flexfn.Response{
		"nil":    nil,
		"zero":   {},
		"status": {Status: 201, Body: map[string]any{"a": 1}},
		"failed": {Status: 422, Body: map[string]any{"a": 1}},
		"text":   {Body: "hello"},
		"xml":    {Header: http.Header{"Content-Type": {"text/xml"}}, Body: []byte("<a/>")},
		"own":    {Body: map[string]any{"success": "maybe"}},
		"empty":  {Status: 204},
		"cors":   {Header: http.Header{"access-control-allow-origin": {"https://evil.example"}, "Vary": {"Accept"}}},
		"bad":    {Status: 99},
		"hidden": {Body: map[string]any{"status": "x"}},
	}
	app.Handle("/f", flexfn.PrepareStudioFunction(func(_ context.Context, e flexfn.Event) (*flexfn.Response, error) {
		return responses[e.String("r")], nil
	}, flexfn.OpenToAnyone()))
	for name, want := range map[string]struct {
		status            int
		contentType, body string
	}{
		"nil":    {200, "application/json", `{"success":true}`},
		"zero":   {200, "application/json", `{"success":true}`},
		"status": {201, "application/json", `{"a":1,"success":true}`},
		"failed": {422, "application/json", `{"a":1,"success":false}`},
		"text":   {200, "text/plain; charset=utf-8", `hello`},
		"xml":    {200, "text/xml", `<a/>`},
		"own":    {200, "application/json", `{"success":"maybe"}`},
		"empty":  {204, "", ``},
		"cors":   {200, "application/json", `{"success":true}`},
		"bad":    {500, "application/json", ""},
		"hidden": {500, "application/json", ""},
	} {
		w := httptest.NewRecorder()
		app.ServeHTTP(w, httptest.NewRequest("GET", "/f?r="+name, nil))
		if w.Code != want.status || w.Header().Get("Content-Type") != want.contentType || want.body != "" && w.Body.String() != want.body {
			t.Errorf("%s: %d %q %s", name, w.Code, w.Header().Get("Content-Type"), w.Body)
		}
		if origin := w.Header()["Access-Control-Allow-Origin"]; len(origin) != 1 || origin[0] != "*" {
			t.Errorf("%s: Access-Control-Allow-Origin %q", name, origin)
		}
	}
}

func TestHead(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		app := newApp(t, testConfig(nil))
		app.Handle("/f", flexfn.PrepareStudioFunction(hold, flexfn.OpenToAnyone()))
		app.ServeHTTP(w, r)
	}))
	defer server.Close()
	query := "/f?conference=CF00000000000000000000000000000001&participant=CA00000000000000000000000000000001&hold=true"
	get, err := http.Get(server.URL + query)
	if err != nil {
		t.Fatal(err)
	}
	get.Body.Close()
	head, err := http.Head(server.URL + query)
	if err != nil {
		t.Fatal(err)
	}
	head.Body.Close()
	get.Header.Del("Date")
	head.Header.Del("Date")
	if head.StatusCode != 200 || fmt.Sprint(head.Header) != fmt.Sprint(get.Header) {
		t.Errorf("HEAD %d %v\nGET  %d %v", head.StatusCode, head.Header, get.StatusCode, get.Header)
	}
}

// TestManyFunctions checks that registering a function does not cost more the
// more functions there are.
func TestManyFunctions(t *testing.T) {
	app := newApp(t, testConfig(new(iam)))
	f := flexfn.PrepareStudioFunction(func(context.Context, flexfn.Event) (struct{}, error) { return struct{}{}, nil }, flexfn.OpenToAnyone())
	const n = 5000
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := range n {
		app.Handle("/f"+strconv.Itoa(i), f)
	}
	runtime.ReadMemStats(&after)
	if each := (after.TotalAlloc - before.TotalAlloc) / n; each > 4<<10 {
		t.Errorf("each of %d functions took %d bytes to register", n, each)
	}
	for _, i := range []int{0, n / 2, n - 1} {
		if status, _ := post(t, app, "/f"+strconv.Itoa(i), nil); status != 200 {
			t.Errorf("function %d: status %d", i, status)
		}
	}
	app.Handle("/later", f)
	if status, _ := post(t, app, "/later", nil); status != 200 || len(app.Routes()) != n+1 {
		t.Errorf("after one more: status %d, %d routes", status, len(app.Routes()))
	}
}

func TestHandlePanics(t *testing.T) {
	ok := flexfn.PrepareStudioFunction(func(context.Context, struct{}) (any, error) { return nil, nil })
	type badKind struct {
		A string `json:"a" kind:"nonsense"`
	}
	type badType struct {
		A chan int `json:"a"`
	}
	type noPurpose struct {
		A string `json:"a" purpose:""`
	}
	type Inner struct {
		B string `json:"a"`
	}
	type twice struct {
		A string `json:"a"`
		Inner
	}
	type status struct {
		Status int `json:"status"`
	}
	type token struct {
		Token string
	}
	for name, handle := range map[string]func(*flexfn.App){
		"relative":     func(a *flexfn.App) { a.Handle("f", ok) },
		"slash at end": func(a *flexfn.App) { a.Handle("/f/", ok) },
		"dots":         func(a *flexfn.App) { a.Handle("/a/../f", ok) },
		"encoded":      func(a *flexfn.App) { a.Handle("/a%2Ff", ok) },
		"pattern":      func(a *flexfn.App) { a.Handle("/{id}", ok) },
		"nil":          func(a *flexfn.App) { a.Handle("/f", nil) },
		"taken":        func(a *flexfn.App) { a.Handle("/f", ok); a.Handle("/f", ok) },
		"bad kind":     func(a *flexfn.App) { a.Handle("/f", flexfn.PrepareFlexFunction(input[badKind])) },
		"bad type":     func(a *flexfn.App) { a.Handle("/f", flexfn.PrepareFlexFunction(input[badType])) },
		"no purpose":   func(a *flexfn.App) { a.Handle("/f", flexfn.PrepareFlexFunction(input[noPurpose])) },
		"twice":        func(a *flexfn.App) { a.Handle("/f", flexfn.PrepareFlexFunction(input[twice])) },
		"token":        func(a *flexfn.App) { a.Handle("/f", flexfn.PrepareFlexFunction(input[token])) },
		"not a struct": func(a *flexfn.App) { a.Handle("/f", flexfn.PrepareFlexFunction(input[int])) },
		"status in answer": func(a *flexfn.App) {
			a.Handle("/f", flexfn.PrepareFlexFunction(func(context.Context, struct{}) (status, error) { return status{}, nil }))
		},
		"Require on a struct": func(a *flexfn.App) { a.Handle("/f", flexfn.PrepareFlexFunction(hold, flexfn.Require("a", "b"))) },
		"no roles":            func(a *flexfn.App) { a.Handle("/f", flexfn.PrepareFlexFunction(hold, flexfn.Roles())) },
		"no time":             func(a *flexfn.App) { a.Handle("/f", flexfn.PrepareFlexFunction(hold, flexfn.Deadline(0))) },
		"nil handler":         func(a *flexfn.App) { a.Handle("/f", flexfn.PrepareFlexFunction[holdParams, holdReply](nil)) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if p, ok := recover().(string); !ok || !strings.HasPrefix(p, "flexfn: Handle") {
					t.Errorf("got %q", p)
				}
			}()
			handle(newApp(t, testConfig(nil)))
		})
	}
}

func input[In any](context.Context, In) (any, error) { return nil, nil }

// A body that trickles in cannot hold a request beyond its deadline.
func TestSlowBody(t *testing.T) {
	app := newApp(t, testConfig(nil))
	app.Handle("/f", flexfn.PrepareStudioFunction(func(context.Context, struct{}) (any, error) { return nil, nil },
		flexfn.OpenToAnyone(), flexfn.Deadline(50*time.Millisecond)))
	server := httptest.NewServer(app)
	defer server.Close()
	body, sender := io.Pipe()
	defer sender.Close()
	req, err := http.NewRequest("POST", server.URL+"/f", body)
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = 100
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusRequestTimeout {
		t.Errorf("status %d", resp.StatusCode)
	}
}
