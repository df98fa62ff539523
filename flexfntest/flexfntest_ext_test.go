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

// failures is a test that keeps what it is failed with.
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

// TestAssertionsFail makes each assertion fail, and looks at what it says.
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
		{"Saw", "Twilio saw no POST /x with Hold=false; it saw\n  POST iam.twilio.com/v1/", func() { app.Saw("POST", "/x", flexfntest.Params{"Hold": false}) }},
		{"Saw with parameters", "Hold=true", func() { app.Saw("POST", "/*/Accounts/**", flexfntest.Params{"Hold": false}) }},
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
