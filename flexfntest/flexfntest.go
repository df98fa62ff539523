// Package flexfntest tests functions without a Twilio account: an app whose
// Twilio is a fake in memory, requests as a Flex plugin and Studio send them,
// and assertions over what Twilio saw.
//
//	app := flexfntest.New(t)
//	app.Handle("/flex/hold", hold)
//	app.CallFlex(flexfntest.Agent, "/flex/hold", flexfntest.Params{"conference": …, "hold": true}).OK()
//
// Nothing of it uses the network or a port, so it works in the bubbles of
// testing/synctest too.
package flexfntest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/signature"
	"github.com/flexfn/flexfn/twiliofake"
)

// Flex tokens that the fake knows; [twiliofake.DevelopmentState] has their
// owners. For others there is [twiliofake.Twilio.MintToken].
const (
	Agent      = "dev-agent"      // a worker
	Supervisor = "dev-supervisor" // another worker
	Admin      = "dev-admin"      // another worker
	Guest      = "dev-guest"      // no worker, as in a web chat
	Expired    = "dev-expired"    // refused
	Invalid    = "dev-invalid"    // refused
	Outage     = "dev-outage"     // about which Twilio does not answer
)

// PublicURL is where Studio calls the app of a test.
const PublicURL = "https://functions.example.com"

// App is an app whose Twilio is a fake. It may be used concurrently.
type App struct {
	*flexfn.App
	// Twilio is the fake: its state, its faults, what it saw.
	Twilio *twiliofake.Twilio

	t testing.TB
}

// New makes an app whose Twilio is a fake in its development state, and ends
// both with the test. The app's Flex workspace is the fake's, it logs to the
// test, and it does not wait before retries; change may adjust all that. A
// faulty configuration fails the test.
func New(t testing.TB, change ...func(*flexfn.Config)) *App {
	t.Helper()
	fake, err := twiliofake.New(twiliofake.Config{})
	if err != nil {
		t.Fatalf("flexfntest: %v", err)
	}
	config := flexfn.Config{
		AccountSID:   twiliofake.DevelopmentAccountSID,
		AuthToken:    twiliofake.DevelopmentAuthToken,
		WorkspaceSID: twiliofake.DevelopmentWorkspaceSID,
		PublicURL:    PublicURL,
		Retry:        []flexfn.RetryOption{flexfn.Backoff(0, 0)},
		Logger:       slog.New(slog.NewTextHandler(t.Output(), nil)),
		Transport:    fake.Client().Transport,
	}
	for _, c := range change {
		c(&config)
	}
	app, err := flexfn.New(config)
	if err != nil {
		t.Fatalf("flexfntest: %v", err)
	}
	a := &App{App: app, Twilio: fake, t: t}
	t.Cleanup(func() {
		fake.Close()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
		defer cancel()
		if err := a.Wait(ctx); err != nil {
			t.Errorf("flexfntest: %v", err)
		}
	})
	return a
}

// Params are the parameters of a request.
type Params map[string]any

// form writes them as a plugin does: a string as it is, anything else as JSON.
func (p Params) form(t testing.TB) url.Values {
	t.Helper()
	form := url.Values{}
	for name, v := range p {
		form.Set(name, text(t, v))
	}
	return form
}

func text(t testing.TB, v any) string {
	t.Helper()
	if s, ok := v.(string); ok {
		return s
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatalf("flexfntest: a parameter cannot be JSON: %v", err)
	}
	return string(b)
}

const formType = "application/x-www-form-urlencoded"

// CallFlex calls the function at path as a Flex plugin does: it posts a form
// with the Flex token in the parameter Token. An empty token is left out.
func (a *App) CallFlex(token, path string, params Params) *Answer {
	a.t.Helper()
	form := params.form(a.t)
	if token != "" {
		form.Set("Token", token)
	}
	return a.send(path, formType, []byte(form.Encode()), "")
}

// CallStudio calls the function at path as a Studio flow does: it posts a
// form, signed by Twilio.
func (a *App) CallStudio(path string, params Params) *Answer {
	a.t.Helper()
	return a.signed(path, formType, []byte(params.form(a.t).Encode()))
}

// CallStudioJSON is [App.CallStudio] with a JSON body.
func (a *App) CallStudioJSON(path string, body any) *Answer {
	a.t.Helper()
	b := []byte(text(a.t, body))
	return a.signed(signature.AddBodyHash(path, b), "application/json", b)
}

func (a *App) signed(path, contentType string, body []byte) *Answer {
	a.t.Helper()
	config := a.Config()
	return a.send(path, contentType, body, signature.Sign(config.AuthToken, config.PublicURL+path, contentType, body))
}

func (a *App) send(path, contentType string, body []byte, signature string) *Answer {
	a.t.Helper()
	r, err := http.NewRequestWithContext(a.t.Context(), http.MethodPost, PublicURL+path, bytes.NewReader(body))
	if err != nil {
		a.t.Fatalf("flexfntest: %v", err)
	}
	r.Header.Set("Content-Type", contentType)
	if signature != "" {
		r.Header.Set("X-Twilio-Signature", signature)
	}
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	return &Answer{Status: w.Code, Header: w.Result().Header, Body: w.Body.Bytes(), t: a.t}
}

// Saw fails the test unless Twilio saw a request of this method, at a path
// that matches the pattern of [twiliofake.Match], with at least these
// parameters. It returns the last one.
func (a *App) Saw(method, path string, params Params) twiliofake.Request {
	a.t.Helper()
	var last *twiliofake.Request
	requests := a.Twilio.Requests(twiliofake.Match{Method: method, Path: path})
	want := params.form(a.t)
	for i := range requests {
		sent := requests[i].Form
		if method == http.MethodGet || method == http.MethodDelete {
			sent = requests[i].Query
		}
		if includes(sent, want) {
			last = &requests[i]
		}
	}
	if last == nil {
		a.t.Errorf("Twilio saw no %s %s with %s; it saw\n%s", method, path, want.Encode(), a.seen())
		return twiliofake.Request{}
	}
	return *last
}

// SawNo fails the test if Twilio saw a request of this method at a path that
// matches the pattern of [twiliofake.Match]. An empty method matches any.
func (a *App) SawNo(method, path string) {
	a.t.Helper()
	if len(a.Twilio.Requests(twiliofake.Match{Method: method, Path: path})) > 0 {
		a.t.Errorf("Twilio saw a %s %s among\n%s", method, path, a.seen())
	}
}

func includes(form, want url.Values) bool {
	for name := range want {
		if form.Get(name) != want.Get(name) || !form.Has(name) {
			return false
		}
	}
	return true
}

// seen lists what Twilio saw.
func (a *App) seen() string {
	var b strings.Builder
	for _, r := range a.Twilio.Requests(twiliofake.Match{}) {
		fmt.Fprintf(&b, "  %s %s%s %s%s → %d\n", r.Method, r.Host, r.Path, r.Query.Encode(), r.Form.Encode(), r.Status)
	}
	if b.Len() == 0 {
		return "  nothing"
	}
	return b.String()
}
