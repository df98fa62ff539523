// Package flexfntest helps to test functions without a Twilio account. It
// makes an app whose Twilio is a fake in memory, sends requests as a Flex
// plugin and Studio do, and asserts what Twilio saw.
//
//	func TestHold(t *testing.T) {
//		app := flexfntest.New(t)
//		app.Handle("/flex/hold", hold)
//		app.CallFlex(flexfntest.Agent, "/flex/hold", flexfntest.Params{"conference": …, "hold": true}).OK()
//		app.Saw("POST", "/2010-04-01/Accounts/*/Conferences/*/Participants/*", flexfntest.Params{"Hold": "true"})
//	}
//
// A call goes through everything that a real one does: the token is checked
// with the fake, the signature is computed and checked, parameters are parsed,
// and the answer is encoded. Only the network is missing.
//
// # Failures
//
// [twiliofake.Twilio.AddFault] makes the fake fail as Twilio does; waits before
// retries are zero unless a change given to [New] sets them. To see how
// strangers are refused, use [App.CallFlex] with an empty token, [Guest] or
// [Expired].
//
// # Time
//
// The package uses neither network nor ports, so it works in the bubbles of
// testing/synctest, where deadlines and waits pass at once. For web services
// other than Twilio, see [App.Double].
//
// Assertions fail the test that [New] was given and let it go on, unless their
// documentation says that they stop it.
package flexfntest

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/signature"
	"github.com/flexfn/flexfn/twiliofake"
)

// Flex tokens that the fake accepts or refuses; [twiliofake.DevelopmentState]
// has their owners. For others, use [twiliofake.Twilio.MintToken].
const (
	Agent      = "dev-agent"      // a worker
	Supervisor = "dev-supervisor" // another worker
	Admin      = "dev-admin"      // another worker
	Guest      = "dev-guest"      // not a worker: a visitor of a web chat
	Expired    = "dev-expired"    // refused
	Invalid    = "dev-invalid"    // refused
	Outage     = "dev-outage"     // Twilio does not answer when asked about it
)

// PublicURL is the URL at which Studio calls the app under test. Signatures are made
// over it; nothing listens there.
const PublicURL = "https://functions.example.com"

// App is a [flexfn.App] whose Twilio is a fake. It is safe for concurrent use,
// as far as the testing.TB is: calls that may stop the test belong on its own
// goroutine.
type App struct {
	*flexfn.App
	// Twilio is the fake, with its state, its faults and its log of requests.
	Twilio *twiliofake.Twilio

	t       testing.TB
	doubles *doubles
}

// New makes an app whose Twilio is a fake in its development state, and closes
// both at the end of the test. The app uses the fake's Flex workspace, logs to
// the test, and does not wait before retries; each change may alter its Config
// before it is made. A faulty configuration fails the test, and so does a
// request to a web service other than Twilio that has no [App.Double].
//
//	app := flexfntest.New(t, func(c *flexfn.Config) {
//		c.FlexDeadline = time.Second
//		c.Store = flexfntest.NewStore()
//	})
//
// Each New has its own fake and state, so tests may run in parallel.
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
	}
	doubles := &doubles{t: t, twilio: fake.Client().Transport, handlers: map[string]http.Handler{}}
	config.Transport = doubles
	for _, c := range change {
		c(&config)
	}
	app, err := flexfn.New(config)
	if err != nil {
		t.Fatalf("flexfntest: %v", err)
	}
	doubles.use(config.TwilioURL)
	a := &App{App: app, Twilio: fake, t: t, doubles: doubles}
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

// Params are the parameters of a request. A string is sent unchanged, and
// anything else as JSON, as a plugin does with JSON.stringify; nil is sent as
// null. To send no value, leave the parameter out.
type Params map[string]any

// form encodes them as a plugin does: strings unchanged, anything else as
// JSON.
func (p Params) form(t testing.TB) url.Values {
	t.Helper()
	form := url.Values{}
	for name, v := range p {
		form.Set(name, text(t, v))
	}
	return form
}

// text returns v as a form would hold it. It stops the test if v cannot be
// JSON.
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

// CallOption changes the request of a call before it is sent, and after it was
// signed: [Header], or any function of the request.
type CallOption func(*http.Request)

// Header sets a header of the request, such as Twilio's
// I-Twilio-Idempotency-Token or a plugin's Idempotency-Key.
//
//	app.CallFlex(flexfntest.Agent, "/flex/pay", params, flexfntest.Header("Idempotency-Key", "k1"))
func Header(name, value string) CallOption {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

// CallFlex calls the function at path as a Flex plugin does: it posts a form
// with the Flex token in the parameter Token. An empty token is left out. The
// token is one of this package's constants, or one that
// [twiliofake.Twilio.MintToken] made.
func (a *App) CallFlex(token, path string, params Params, options ...CallOption) *Answer {
	a.t.Helper()
	form := params.form(a.t)
	if token != "" {
		form.Set("Token", token)
	}
	return a.call(path, formType, []byte(form.Encode()), false, options)
}

// CallStudio calls the function at path as a Studio flow does: it posts a
// form, signed by Twilio. To see an unsigned request refused, use
// [App.ServeHTTP] with a request of your own.
func (a *App) CallStudio(path string, params Params, options ...CallOption) *Answer {
	a.t.Helper()
	return a.call(path, formType, []byte(params.form(a.t).Encode()), true, options)
}

// CallStudioJSON is [App.CallStudio] with a JSON body, of which Twilio signs
// the hash. A string as body is sent unchanged, so that it may be malformed.
func (a *App) CallStudioJSON(path string, body any, options ...CallOption) *Answer {
	a.t.Helper()
	b := []byte(text(a.t, body))
	return a.call(signature.AddBodyHash(path, b), "application/json", b, true, options)
}

// call sends a request to path, with Twilio's signature if signed.
func (a *App) call(path, contentType string, body []byte, signed bool, options []CallOption) *Answer {
	a.t.Helper()
	header := http.Header{"Content-Type": {contentType}}
	if signed {
		config := a.Config()
		header.Set("X-Twilio-Signature", signature.Sign(config.AuthToken, config.PublicURL+path, contentType, body))
	}
	return a.send(path, header, body, options)
}

func (a *App) send(path string, header http.Header, body []byte, options []CallOption) *Answer {
	a.t.Helper()
	r, err := http.NewRequestWithContext(a.t.Context(), http.MethodPost, PublicURL+path, bytes.NewReader(body))
	if err != nil {
		a.t.Fatalf("flexfntest: %v", err)
	}
	r.Header = header
	for _, o := range options {
		o(r)
	}
	sent := r.Header.Clone() // the app may change the request's
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	return &Answer{
		Status: w.Code, Header: w.Result().Header, Body: w.Body.Bytes(), t: a.t,
		again: func() *Answer { return a.send(path, sent.Clone(), body, nil) },
	}
}
