package flexfntest

import (
	"encoding/json"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/flexfn/flexfn/internal/glob"
	"github.com/flexfn/flexfn/twiliofake"
)

// Saw fails the test unless Twilio saw a request of this method, at a path
// that matches the pattern of [twiliofake.Match], with at least these
// parameters. They are looked for in the query, the form and the JSON body. A
// parameter that is an object matches when the sent one, which may be JSON in a
// text, has at least its fields. A path that begins with a host, such as
// "crm.example.com/callbacks", is that of an [App.Double]. Saw returns the last
// such request.
//
//	app.Saw("POST", "/v1/Workspaces/*/Tasks/*", flexfntest.Params{
//		"Attributes": map[string]any{"priority": 1},
//	})
//
// If there was none, the failure lists every request that was seen. Saw does
// not count requests; use [twiliofake.Twilio.Requests] for that. The test goes
// on with an empty Request.
func (a *App) Saw(method, path string, params Params) twiliofake.Request {
	a.t.Helper()
	want := map[string]any{}
	for name, v := range params {
		want[name] = plain(text(a.t, v), v)
	}
	requests := a.requests(method, path)
	for _, r := range slices.Backward(requests) {
		if sent(r, want) {
			return r
		}
	}
	a.t.Errorf("%s saw no %s %s with %s; it saw\n%s", who(path), method, path, text(a.t, params), a.seen(path))
	return twiliofake.Request{}
}

// SawNo fails the test if Twilio, or the double that path names, saw a request of
// this method at a path that matches the pattern, as [App.Saw] takes it. An empty
// method matches any.
//
//	app.SawNo("POST", "/2010-04-01/Accounts/*/Messages.json")
func (a *App) SawNo(method, path string) {
	a.t.Helper()
	if len(a.requests(method, path)) > 0 {
		a.t.Errorf("%s saw a %s %s among\n%s", who(path), method, path, a.seen(path))
	}
}

// double splits a path that begins with the host of a double.
func double(path string) (host, rest string, ok bool) {
	if path == "" || path[0] == '/' || path[0] == '*' {
		return "", path, false
	}
	host, rest, _ = strings.Cut(path, "/")
	return strings.ToLower(host), "/" + rest, true
}

// who names the service that path is about, for messages.
func who(path string) string {
	if host, _, ok := double(path); ok {
		return "The double of " + host
	}
	return "Twilio"
}

// requests are those that Twilio, or the double that path names, saw.
//
// The fake keeps its own log; doubles are logged by this package in the same
// form.
func (a *App) requests(method, path string) (found []twiliofake.Request) {
	host, path, ok := double(path)
	if !ok {
		return a.Twilio.Requests(twiliofake.Match{Method: method, Path: path})
	}
	a.doubles.mu.Lock()
	defer a.doubles.mu.Unlock()
	for _, r := range a.doubles.requests {
		if r.Host == host && (method == "" || strings.EqualFold(r.Method, method)) && glob.Match(path, r.Path) {
			found = append(found, r)
		}
	}
	return found
}

// sent reports whether a request has at least the wanted parameters.
func sent(r twiliofake.Request, want map[string]any) bool {
	var body map[string]any
	_ = json.Unmarshal([]byte(r.Body), &body) // a body that is not an object has no parameters
	for name, w := range want {
		v, inBody := body[name]
		inForm := func(form url.Values) bool {
			return slices.ContainsFunc(form[name], func(s string) bool { return includes(plain(s, w), w) })
		}
		if !(inBody && includes(v, w)) && !inForm(r.Form) && !inForm(r.Query) {
			return false
		}
	}
	return true
}

// plain returns the JSON value of a text, or the text itself if like is a
// string.
func plain(text string, like any) any {
	if _, ok := like.(string); ok {
		return text
	}
	var v any
	if json.Unmarshal([]byte(text), &v) != nil {
		return text
	}
	return v
}

// includes reports whether got has what want has: an object at least its fields,
// anything else equal. Both are values as package json decodes them.
func includes(got, want any) bool {
	object, ok := want.(map[string]any)
	if !ok {
		return reflect.DeepEqual(got, want)
	}
	sent, ok := got.(map[string]any)
	for name, w := range object {
		v, there := sent[name]
		ok = ok && there && includes(v, w)
	}
	return ok
}

// seen lists what Twilio, or the double that path names, saw.
func (a *App) seen(path string) string {
	everything := "**"
	if host, _, ok := double(path); ok {
		everything = host + "/**"
	}
	var b strings.Builder
	for _, r := range a.requests("", everything) {
		fidelity := ""
		if r.Fidelity != "" { // a fault or a double has none
			fidelity = " (" + r.Fidelity + ")"
		}
		fmt.Fprintf(&b, "  %s %s%s %s%s%s → %d%s\n", r.Method, r.Host, r.Path, r.Query.Encode(), r.Form.Encode(), r.Body, r.Status, fidelity)
	}
	if b.Len() == 0 {
		return "  nothing"
	}
	return b.String()
}
