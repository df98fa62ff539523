package flexfntest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/flexfntest"
	"github.com/flexfn/flexfn/functions"
	"github.com/flexfn/flexfn/twiliofake"
)

// failures is a test that records its failures.
type failures struct {
	testing.TB
	texts []string
}

func (f *failures) Errorf(format string, a ...any) {
	f.texts = append(f.texts, fmt.Sprintf(format, a...))
}

var errFatal = errors.New("fatal")

func (f *failures) Fatalf(format string, a ...any) {
	f.Errorf(format, a...)
	panic(errFatal)
}

// TestAssertionsFail makes each assertion fail, and checks its message.
func TestAssertionsFail(t *testing.T) {
	fails := &failures{TB: t}
	app := flexfntest.New(fails)
	app.Handle("/flex/hold", functions.HoldParticipant)
	hold := flexfntest.Params{"conference": conference, "participant": participant, "hold": true}
	for _, tt := range []struct {
		name, want string
		check      func()
	}{
		{"OK", "failed with status 403", func() { app.CallFlex(flexfntest.Invalid, "/flex/hold", hold).OK() }},
		{"OK without a token", "Token was not provided", func() { app.CallFlex("", "/flex/hold", hold).OK() }},
		{"Refused", "answered status 200", func() { app.CallFlex(flexfntest.Agent, "/flex/hold", hold).Refused(403, "") }},
		{"Refused otherwise", "in the message", func() { app.CallFlex(flexfntest.Guest, "/flex/hold", hold).Refused(403, "expired") }},
		{"Saw", "Twilio saw no POST /x with {\"Hold\":false}; it saw\n  POST iam.twilio.com/v1/", func() { app.Saw("POST", "/x", flexfntest.Params{"Hold": false}) }},
		{"Saw with parameters", "Hold=true → 200 (modelled)\n", func() { app.Saw("POST", "/*/Accounts/**", flexfntest.Params{"Hold": false}) }},
		{"SawNo", "Twilio saw a POST", func() { app.SawNo("POST", "/*/Accounts/**") }},
		{"Decode", "cannot be read", func() { app.CallFlex(flexfntest.Agent, "/flex/hold", hold).Decode(new([]int)) }},
		{"parameters", "cannot be JSON", func() { app.CallFlex(flexfntest.Agent, "/flex/hold", flexfntest.Params{"hold": func() {}}) }},
		{"configuration", "ACCOUNT_SID", func() { flexfntest.New(fails, func(c *flexfn.Config) { c.AccountSID = "" }) }},
	} {
		fails.texts = nil
		func() {
			defer func() {
				if p := recover(); p != nil && p != any(errFatal) {
					panic(p)
				}
			}()
			tt.check()
		}()
		if len(fails.texts) != 1 || !strings.Contains(fails.texts[0], tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, fails.texts, tt.want)
		}
	}
}

// TestUnexpectedRequest: a request to a service without a double fails the
// test, with a message that names the request.
func TestUnexpectedRequest(t *testing.T) {
	fails := &failures{TB: t}
	app := flexfntest.New(fails)
	app.Handle("/flex/ask", flexfn.PrepareFlexFunction(func(ctx context.Context, in struct{ URL string }) (map[string]any, error) {
		return flexfn.ExecuteWithRetry(ctx, func(ctx context.Context) (map[string]any, error) {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, in.URL, nil)
			if err != nil {
				return nil, err
			}
			return flexfn.ReadJSON[map[string]any](flexfn.FromContext(ctx).HTTPClient().Do(req))
		}).Get()
	}))
	ask := func(url string) *flexfntest.Answer {
		fails.texts = nil
		return app.CallFlex(flexfntest.Agent, "/flex/ask", flexfntest.Params{"URL": url})
	}
	ask("https://user:secret@crm.example.com:8443/tickets?id=7").Refused(500, "")
	if len(fails.texts) != 1 || !strings.Contains(fails.texts[0], `GET https://user:xxxxx@crm.example.com:8443/tickets?id=7: set up its web service with app.Double("crm.example.com:8443", handler)`) {
		t.Errorf("%q", fails.texts)
	}
	app.Double("CRM.example.com:8443", flexfntest.JSON(200, map[string]int{"open": 3}))
	if got := ask("https://crm.example.com:8443/tickets?id=7").OK().Field("open"); fmt.Sprint(got) != "3" || len(fails.texts) > 0 {
		t.Errorf("%v, %q", got, fails.texts)
	}
	app.Saw("GET", "crm.example.com:8443/tickets", flexfntest.Params{"id": 7})
	app.SawNo("GET", "crm.example.com:8443/people/*")
	if ask("https://crm.example.com/"); len(fails.texts) != 1 { // another port
		t.Errorf("%q", fails.texts)
	}
	for _, check := range []struct {
		want string
		run  func()
	}{
		{"The double of crm.example.com:8443 saw no GET crm.example.com:8443/tickets with {\"id\":8}; it saw\n  GET crm.example.com:8443/tickets id=7 → 200", func() { app.Saw("GET", "crm.example.com:8443/tickets", flexfntest.Params{"id": 8}) }},
		{"The double of crm.example.com:8443 saw a  crm.example.com:8443/**", func() { app.SawNo("", "crm.example.com:8443/**") }},
	} {
		fails.texts = nil
		if check.run(); len(fails.texts) != 1 || !strings.HasPrefix(fails.texts[0], check.want) {
			t.Errorf("%q, want %q", fails.texts, check.want)
		}
	}
}

// TestSaw looks into queries, forms, JSON bodies and JSON in forms.
func TestSaw(t *testing.T) {
	fails := &failures{TB: t}
	app := flexfntest.New(fails)
	app.Double("crm.example.com", flexfntest.JSON(200, nil))
	post := func(contentType, body string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://crm.example.com/x?page=2", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", contentType)
		if _, err := flexfn.ReadJSON[any](app.HTTPClient().Do(req)); err != nil {
			t.Fatal(err)
		}
	}
	post("application/json", `{"who":{"name":"Ann","age":40},"tags":["a","b"],"n":"7","none":null}`)
	post("application/x-www-form-urlencoded", `to=1&to=2&Attributes=%7B%22lang%22%3A%22de%22%2C%22n%22%3A1%7D&text=%5B1%5D`)
	for _, c := range []struct {
		params flexfntest.Params
		want   bool
	}{
		{nil, true},
		{flexfntest.Params{"who": map[string]any{"name": "Ann"}}, true},
		{flexfntest.Params{"who": map[string]any{"name": "Ann", "age": 40}, "tags": []string{"a", "b"}, "page": 2}, true},
		{flexfntest.Params{"who": map[string]any{"name": "Bob"}}, false},
		{flexfntest.Params{"who": map[string]any{"zip": nil}}, false},
		{flexfntest.Params{"tags": []string{"a"}}, false},
		{flexfntest.Params{"n": "7"}, true},
		{flexfntest.Params{"n": 7}, false},
		{flexfntest.Params{"none": nil}, true},
		{flexfntest.Params{"absent": nil}, false},
		{flexfntest.Params{"to": 2, "page": "2"}, true},
		{flexfntest.Params{"to": 3}, false},
		{flexfntest.Params{"Attributes": map[string]any{"lang": "de"}}, true},
		{flexfntest.Params{"Attributes": `{"lang":"de","n":1}`}, true},
		{flexfntest.Params{"Attributes": `{"lang":"de"}`}, false},
		{flexfntest.Params{"text": "[1]"}, true},
		{flexfntest.Params{"text": []int{1}}, true},
		{flexfntest.Params{"to": 1, "n": "7"}, false}, // of two requests
	} {
		fails.texts = nil
		if app.Saw("POST", "crm.example.com/x", c.params); (len(fails.texts) == 0) != c.want {
			t.Errorf("%v: %q", c.params, fails.texts)
		}
	}
}

// TestRedeliver sends the same bytes and headers again.
func TestRedeliver(t *testing.T) {
	app := flexfntest.New(t)
	var seen []string
	app.Handle("/studio/echo", flexfn.PrepareStudioFunction(func(ctx context.Context, e flexfn.Event) (any, error) {
		seen = append(seen, fmt.Sprint(flexfn.RequestHeader(ctx).Get("I-Twilio-Idempotency-Token"), e))
		return nil, nil
	}))
	app.CallStudioJSON("/studio/echo?q=1", map[string]any{"n": 1}, flexfntest.Header("I-Twilio-Idempotency-Token", "t-1")).OK().Redeliver().OK().Redeliver().OK()
	if len(seen) != 3 || seen[0] != seen[1] || seen[1] != seen[2] || !strings.HasPrefix(seen[0], "t-1") {
		t.Errorf("%q", seen)
	}
}

// TestTime runs in a bubble: a function's deadline passes at once.
func TestTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := flexfntest.New(t)
		app.Handle("/flex/slow", flexfn.PrepareFlexFunction(func(ctx context.Context, _ struct{}) (struct{}, error) {
			<-ctx.Done()
			return struct{}{}, ctx.Err()
		}))
		began := time.Now()
		app.CallFlex(flexfntest.Agent, "/flex/slow", nil).Refused(504, "did not finish within 10s")
		if d := time.Since(began); d != 10*time.Second {
			t.Errorf("after %s", d)
		}
	})
}

// TestHeldRequestsEnd leaves a request that Twilio never answers.
func TestHeldRequestsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := flexfntest.New(t)
		app.Handle("/flex/queues", functions.GetQueues)
		if err := app.Twilio.SetFaults(twiliofake.Fault{Match: twiliofake.Match{Host: "taskrouter"}, Action: twiliofake.Hang}); err != nil {
			t.Fatal(err)
		}
		app.CallFlex(flexfntest.Agent, "/flex/queues", nil).Refused(504, "")
		app.CallFlex(flexfntest.Outage, "/flex/queues", nil).Refused(503, "")
	})
}

func TestSignatures(t *testing.T) {
	app := flexfntest.New(t)
	app.Handle("/studio/echo", flexfn.PrepareStudioFunction(func(_ context.Context, e flexfn.Event) (any, error) { return e, nil }))
	if got := app.CallStudio("/studio/echo?from=query", flexfntest.Params{"n": 1, "s": "a b+ü"}).OK(); got.Field("s") != "a b+ü" || got.Field("from") != "query" {
		t.Errorf("%s", got.Body)
	}
	var reply struct{ Nested struct{ N int } }
	app.CallStudioJSON("/studio/echo?a=b", map[string]any{"nested": map[string]int{"n": 5}}).OK().Decode(&reply)
	if reply.Nested.N != 5 {
		t.Errorf("%+v", reply)
	}
	app.CallFlex("", "/studio/echo", nil).Refused(403, "")
}

// TestOKTakesEverySuccess: TwiML and an answer without a body are successes
// too; an answer that says "success": false is not, whatever its status.
func TestOKTakesEverySuccess(t *testing.T) {
	fails := &failures{TB: t}
	app := flexfntest.New(fails)
	for path, c := range map[string]struct {
		answer flexfn.Response
		failed bool
	}{
		"/twiml":  {flexfn.Response{Header: http.Header{"Content-Type": {"text/xml; charset=utf-8"}}, Body: "<Response/>"}, false},
		"/none":   {flexfn.Response{Status: 204}, false},
		"/json":   {flexfn.Response{Body: map[string]any{"success": true}}, false},
		"/failed": {flexfn.Response{Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(`{"success":false}`)}, true},
		"/gone":   {flexfn.Response{Status: 410}, true},
	} {
		app.Handle(path, flexfn.PrepareStudioFunction(func(context.Context, flexfn.Event) (*flexfn.Response, error) { return &c.answer, nil }))
		fails.texts = nil
		if app.CallStudio(path, nil).OK(); (len(fails.texts) > 0) != c.failed {
			t.Errorf("%s: %q", path, fails.texts)
		}
	}
}
