package flexfn

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/flexfn/flexfn/signature"
)

func TestStudioFunctionAsksForTheSignature(t *testing.T) {
	ran := false
	handler := func(_ context.Context, in Event) (map[string]any, error) {
		ran = true
		return map[string]any{"got": in["From"]}, nil
	}
	const zeros = "AAAAAAAAAAAAAAAAAAAAAAAAAAA="
	const body = "From=%2B15005550006"
	for _, c := range []struct {
		name   string
		option []StudioOption
		config func(*Config)
		body   string
		header []string
		want   int
		log    string
	}{
		{name: "signed", want: 200},
		{name: "unsigned", header: []string{signature.Header, ""}, want: 403, log: "has no X-Twilio-Signature"},
		{name: "forged", header: []string{signature.Header, zeros}, want: 403, log: "functions.example.com/studio/x"},
		{name: "forged, in development", config: func(c *Config) { c.Development = true }, header: []string{signature.Header, zeros}, want: 403, log: "correct PUBLIC_URL"},
		{name: "other type", header: []string{"Content-Type", "application/json"}, want: 403, log: "no bodySHA256"},
		{name: "open", option: []StudioOption{OpenToAnyone()}, header: []string{signature.Header, ""}, want: 200},
		{name: "too long", config: func(c *Config) { c.MaxBodyBytes = 10 }, want: 500, log: "longer than"},
		{name: "rotated", config: func(c *Config) { c.AuthToken, c.PreviousAuthTokens = "e4f5", []string{"a0b1c2d3"} }, want: 200},
		{name: "token store down", body: "AccountSid=AC" + strings.Repeat("b", 32), header: []string{signature.Header, zeros}, want: 503, log: "down",
			config: func(c *Config) {
				c.SubaccountAuthTokens = func(context.Context, string) ([]string, error) { return nil, errors.New("down") }
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			ran = false
			var log bytes.Buffer
			post := studioApp(t, "/studio/x", PrepareStudioFunction(handler, c.option...), func(config *Config) {
				config.Logger = slog.New(slog.NewTextHandler(&log, nil))
				if c.config != nil {
					c.config(config)
				}
			})
			if c.body == "" {
				c.body = body
			}
			w := post(c.body, c.header...)
			if w.Code != c.want || ran != (c.want == 200) {
				t.Errorf("got %d (ran: %t) %s; log %s", w.Code, ran, w.Body, &log)
			}
			if c.want == 503 && w.Header().Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
			if !strings.Contains(log.String(), c.log) {
				t.Errorf("no %q in the log: %s", c.log, &log)
			}
			for _, secret := range []string{"a0b1c2d3", "15005550006", zeros} {
				if strings.Contains(log.String(), secret) {
					t.Errorf("%q in the log: %s", secret, &log)
				}
			}
			if c.want != 200 && strings.Contains(w.Body.String(), "example.com") {
				t.Errorf("the answer says which URL was tried: %s", w.Body)
			}
		})
	}
}

func TestStudioFunctionTakesSignedJSON(t *testing.T) {
	app, err := New(Config{AccountSID: "AC" + strings.Repeat("a", 32), AuthToken: "a0b1c2d3"})
	if err != nil {
		t.Fatal(err)
	}
	app.Handle("/studio/x", PrepareStudioFunction(func(_ context.Context, in Event) (map[string]any, error) {
		return map[string]any{"n": in["n"]}, nil
	}))
	body := []byte(`{"n": 1}`)
	url := signature.AddBodyHash("https://example.com/studio/x?b=1&a=2", body)
	r := httptest.NewRequest(http.MethodPost, url, bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(signature.Header, signature.Sign("a0b1c2d3", url, "application/json", body))
	w := httptest.NewRecorder()
	app.ServeHTTP(w, r)
	if want := `{"n":1,"success":true}`; w.Body.String() != want || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestSignatureSettings(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"PUBLIC_URL", "functions.example.com", "PublicURL (PUBLIC_URL): it is not a base URL"},
		{"PUBLIC_URL", "wss://functions.example.com", "PublicURL (PUBLIC_URL): it is not a base URL"},
		{"PUBLIC_URL", "https://functions.example.com?x=1", "PublicURL (PUBLIC_URL): it is not a base URL"},
		{"PUBLIC_URL", "https://", "PublicURL (PUBLIC_URL): it is not a base URL"},
		{"PUBLIC_URL", "https://functions.example.com/prod#rc=2", ""},
		{"PUBLIC_URL", "https://user:pass@[::1]:8443", ""},
		{"FLEXFN_ADDED_PATH_PREFIX", "internal", "AddedPathPrefix (FLEXFN_ADDED_PATH_PREFIX)"},
		{"FLEXFN_ADDED_PATH_PREFIX", "/", "AddedPathPrefix (FLEXFN_ADDED_PATH_PREFIX)"},
		{"FLEXFN_ADDED_PATH_PREFIX", "/a/b", ""},
		{"FLEXFN_TRUSTED_PROXIES", "", "the list of trusted proxies is empty"},
		{"FLEXFN_TRUSTED_PROXIES", "all", `"all" is not an address`},
		{"FLEXFN_TRUSTED_PROXIES", "10.0.0.1/8", "write 10.0.0.0/8"},
		{"FLEXFN_TRUSTED_PROXIES", "::ffff:10.0.0.0/104", "write it as IPv4"},
		{"FLEXFN_TRUSTED_PROXIES", "10.0.0.0/8, ::1", ""},
		{"FLEXFN_TRUSTED_PROXIES", "anyone", ""},
		{"FLEXFN_PREVIOUS_AUTH_TOKENS", "0123abc, 'x'", "FLEXFN_PREVIOUS_AUTH_TOKENS"},
		{"FLEXFN_PREVIOUS_AUTH_TOKENS", "0123abc,def", ""},
		{"FLEXFN_SHARED_KEYS", "a=1, b=2==", ""},
		{"FLEXFN_SHARED_KEYS", "a=1,a=2", "FLEXFN_SHARED_KEYS: item 2"},
		{"FLEXFN_SHARED_KEYS", "secret", "FLEXFN_SHARED_KEYS: item 1"},
		{"FLEXFN_SHARED_KEYS", "a=", "FLEXFN_SHARED_KEYS: item 1"},
	} {
		c2 := FromLookup(func(name string) (string, bool) {
			switch name {
			case "ACCOUNT_SID":
				return "AC" + strings.Repeat("a", 32), true
			case "AUTH_TOKEN":
				return "a0b1c2d3", true
			}
			return c.value, name == c.name
		})
		_, err := New(c2)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s=%q: %v", c.name, c.value, err)
		}
	}
}

// studioApp returns an app for tests, and a function that signs requests to it.
func studioApp(t *testing.T, path string, f *Function, change ...func(*Config)) func(token string, header ...string) *httptest.ResponseRecorder {
	config := Config{
		AccountSID: "AC" + strings.Repeat("a", 32), AuthToken: "a0b1c2d3",
		PublicURL: "https://functions.example.com",
	}
	for _, c := range change {
		c(&config)
	}
	app, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	app.Handle(path, f)
	return func(body string, header ...string) *httptest.ResponseRecorder {
		t.Helper()
		const form = "application/x-www-form-urlencoded"
		r := httptest.NewRequestWithContext(t.Context(), "POST", path, strings.NewReader(body))
		r.Header.Set("Content-Type", form)
		r.Header.Set(signature.Header, signature.Sign("a0b1c2d3", config.PublicURL+path, form, []byte(body)))
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		return w
	}
}
