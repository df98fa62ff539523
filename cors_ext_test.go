package flexfn_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/flexfn/flexfn"
)

func TestCORSAllowList(t *testing.T) {
	config := testConfig(nil)
	config.AllowedOrigins = []string{"https://flex.twilio.com", "http://localhost:3000"}
	app := newApp(t, config)
	ran := 0
	app.Handle("/f", flexfn.PrepareStudioFunction(func(context.Context, struct{}) (any, error) { ran++; return nil, nil }, flexfn.OpenToAnyone()))
	for name, c := range map[string]struct {
		method, path, origin string
		privateNetwork       bool
		status               int
		allowOrigin, vary    string
		allowPrivate         string
		runs                 int
	}{
		"listed":              {method: "POST", origin: "https://flex.twilio.com", status: 200, allowOrigin: "https://flex.twilio.com", vary: "Origin", runs: 1},
		"listed with port":    {method: "POST", origin: "http://localhost:3000", status: 200, allowOrigin: "http://localhost:3000", vary: "Origin", runs: 1},
		"listed, wrong path":  {method: "POST", path: "/nope", origin: "https://flex.twilio.com", status: 404, allowOrigin: "https://flex.twilio.com", vary: "Origin"},
		"no origin":           {method: "POST", status: 200, vary: "Origin", runs: 1},
		"not listed":          {method: "POST", origin: "https://evil.example", status: 403, vary: "Origin"},
		"null":                {method: "POST", origin: "null", status: 403, vary: "Origin"},
		"other scheme":        {method: "POST", origin: "http://flex.twilio.com", status: 403, vary: "Origin"},
		"other case":          {method: "POST", origin: "https://FLEX.twilio.com", status: 403, vary: "Origin"},
		"prefix":              {method: "POST", origin: "https://flex.twilio.com.evil.example", status: 403, vary: "Origin"},
		"preflight":           {method: "OPTIONS", origin: "https://flex.twilio.com", status: 204, allowOrigin: "https://flex.twilio.com", vary: "Origin, Access-Control-Request-Method, Access-Control-Request-Headers, Access-Control-Request-Private-Network"},
		"private preflight":   {method: "OPTIONS", origin: "https://flex.twilio.com", privateNetwork: true, status: 204, allowOrigin: "https://flex.twilio.com", allowPrivate: "true", vary: "Origin, Access-Control-Request-Method, Access-Control-Request-Headers, Access-Control-Request-Private-Network"},
		"foreign preflight":   {method: "OPTIONS", origin: "https://evil.example", privateNetwork: true, status: 204, vary: "Origin, Access-Control-Request-Method, Access-Control-Request-Headers, Access-Control-Request-Private-Network"},
		"private, no preflig": {method: "POST", origin: "https://flex.twilio.com", privateNetwork: true, status: 200, allowOrigin: "https://flex.twilio.com", vary: "Origin", runs: 1},
	} {
		t.Run(name, func(t *testing.T) {
			ran = 0
			path := c.path
			if path == "" {
				path = "/f"
			}
			req := httptest.NewRequest(c.method, path, nil)
			if c.origin != "" {
				req.Header.Set("Origin", c.origin)
			}
			if c.privateNetwork {
				req.Header.Set("Access-Control-Request-Private-Network", "true")
			}
			w := httptest.NewRecorder()
			app.ServeHTTP(w, req)
			h := w.Header()
			if w.Code != c.status || h.Get("Access-Control-Allow-Origin") != c.allowOrigin || ran != c.runs ||
				h.Get("Access-Control-Allow-Private-Network") != c.allowPrivate || strings.Join(h.Values("Vary"), ", ") != c.vary {
				t.Errorf("status %d, ran %d times, headers %v", w.Code, ran, h)
			}
		})
	}
}

// TestCORSHeadersAreNotShared: a wrapper around the app may change the headers
// of an answer without affecting the next one.
func TestCORSHeadersAreNotShared(t *testing.T) {
	app := newApp(t, testConfig(nil))
	app.Handle("/f", flexfn.PrepareStudioFunction(func(context.Context, struct{}) (any, error) { return nil, nil }, flexfn.OpenToAnyone()))
	for range 2 {
		w := httptest.NewRecorder()
		app.ServeHTTP(w, httptest.NewRequest("POST", "/f", nil))
		for name, values := range w.Header() {
			if slices.Contains(values, "spoilt") {
				t.Errorf("%s is %q", name, values)
			}
			for i := range values {
				values[i] = "spoilt"
			}
			w.Header()[name] = append(values, "spoilt")
		}
	}
	for range 2 {
		w := httptest.NewRecorder()
		app.ServeHTTP(w, httptest.NewRequest("OPTIONS", "/any", nil))
		want := http.Header{
			"Access-Control-Allow-Origin":   {"*"},
			"Access-Control-Allow-Methods":  {"GET, HEAD, POST, OPTIONS"},
			"Access-Control-Allow-Headers":  {"Authorization, Content-Type, Idempotency-Key"},
			"Access-Control-Expose-Headers": {"Retry-After, X-Request-Id"},
			"Access-Control-Max-Age":        {"86400"},
			"Allow":                         {"GET, HEAD, POST, OPTIONS"},
			"Cache-Control":                 {"no-store"},
			"X-Content-Type-Options":        {"nosniff"},
		}
		for k, v := range want {
			if !slices.Equal(w.Header()[k], v) {
				t.Errorf("%s is %q, want %q", k, w.Header()[k], v)
			}
			w.Header()[k][0] = "spoilt"
			w.Header().Add(k, "spoilt")
		}
		if w.Code != 204 || len(w.Header()) != len(want) {
			t.Errorf("status %d, headers %v", w.Code, w.Header())
		}
	}
}

func TestNonsenseOriginsAreRefused(t *testing.T) {
	for _, origin := range []string{
		"null", "*.example.com", "https://*.example.com", "https://*", "flex.twilio.com", "https://", "https://flex.twilio.com/",
		"https://flex.twilio.com/path", "https://FLEX.twilio.com", "https://flex.twilio.com:443", "http://flex.twilio.com:80",
		"https://flex.twilio.com:", "https://user@flex.twilio.com", "https://flex.twilio.com?x", "ftp://flex.twilio.com",
		"https://bücher.example", "https://a b", "", "h*", "https://flex.twilio.com#x", "https://:3000",
	} {
		config := testConfig(nil)
		config.AllowedOrigins = []string{"https://good.example", origin}
		if _, err := flexfn.New(config); err == nil || !strings.Contains(err.Error(), "FLEXFN_ALLOWED_ORIGINS") {
			t.Errorf("%q: %v", origin, err)
		}
	}
	config := testConfig(nil)
	config.AllowedOrigins = []string{} // never "any"
	if _, err := flexfn.New(config); err == nil {
		t.Error("an empty list is taken for any origin")
	}
	for _, good := range [][]string{nil, {"*"}, {"https://flex.twilio.com", "http://localhost:3000", "http://127.0.0.1", "http://[::1]:3000", "https://xn--bcher-kva.example"}} {
		config.AllowedOrigins = good
		if _, err := flexfn.New(config); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
}
