package flexfn_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/internal/link"
)

const devKey = "0123456789abcdefghijklmnopqrstuv"

func devApp(t *testing.T, key string) (*flexfn.App, error) {
	t.Helper()
	env := map[string]string{
		"ACCOUNT_SID": "AC00000000000000000000000000000001", "AUTH_TOKEN": "secret0secret0", link.KeyVariable: key,
		"TWILIO_SERVICE_MIN_BACKOFF": "0", "TWILIO_SERVICE_MAX_BACKOFF": "1",
	}
	c := flexfn.FromLookup(func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	c.Logger = slog.New(slog.DiscardHandler)
	return flexfn.New(c)
}

// TestDevLink tests the protocol with flexfn dev: without the key an app
// refuses everything, even preflights; with it, answers carry a trace.
func TestDevLink(t *testing.T) {
	if _, err := devApp(t, "short"); err == nil || !strings.Contains(err.Error(), "FLEXFN_DEV") {
		t.Errorf("a short key: %v", err)
	}
	app, err := devApp(t, devKey)
	if err != nil {
		t.Fatal(err)
	}
	type in struct {
		Name  string        `json:"name" purpose:"who to greet"`
		Every time.Duration `json:"every" doc:"how often"`
	}
	tries := 0
	app.Handle("/f", flexfn.PrepareStudioFunction(func(ctx context.Context, in in) (map[string]any, error) {
		res := flexfn.ExecuteWithRetry(ctx, func(context.Context) (int, error) {
			if tries++; tries == 1 {
				return 0, flexfn.Errorf(429, "slow down +15550100001 secret0secret0")
			}
			return 1, nil
		})
		return map[string]any{"n": res.Data}, res.Err()
	}, flexfn.OpenToAnyone()))

	ask := func(method, path, key string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, strings.NewReader("name=Ada"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if key != "" {
			r.Header.Set(link.KeyHeader, key)
		}
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		return w
	}
	for _, key := range []string{"", "short", devKey + "x"} {
		for _, method := range []string{"GET", "POST", "OPTIONS"} {
			for _, path := range []string{"/f", "/g", link.DocumentPath} {
				w := ask(method, path, key)
				if w.Code != http.StatusForbidden || w.Header().Get(link.TraceHeader) != "" || strings.Contains(w.Body.String(), "/f") {
					t.Errorf("%s %s with the key %q: %d %s", method, path, key, w.Code, w.Body)
				}
			}
		}
	}
	if tries != 0 {
		t.Fatal("the handler ran")
	}

	w := ask("POST", "/f", devKey)
	if w.Code != http.StatusOK {
		t.Fatal(w.Code, w.Body)
	}
	if w.Header().Get("X-Request-Id") == "" {
		t.Error("the answer has no request id")
	}
	text, err := base64.StdEncoding.DecodeString(w.Header().Get(link.TraceHeader))
	if err != nil {
		t.Fatal(err)
	}
	var trace link.Trace
	if err := json.Unmarshal(text, &trace); err != nil {
		t.Fatal(err)
	}
	if len(trace.Spans) != 1 || trace.Spans[0].Name != link.Handler || trace.Spans[0].End < trace.Spans[0].Start {
		t.Errorf("spans are %+v", trace.Spans)
	}
	if a := trace.Attempts; len(a) != 2 || !a[0].Retried || a[1].Retried || a[1].Number != 2 || !strings.Contains(a[0].Error, "slow down") ||
		a[0].Start > a[0].End || a[1].Start > a[1].End || a[1].Start < a[0].End || a[1].End > trace.Spans[0].End {
		t.Errorf("attempts are %+v", a)
	}
	if strings.Contains(string(text), "5550100001") || strings.Contains(string(text), "secret0") {
		t.Errorf("the trace has a secret: %s", text)
	}

	var said struct {
		Paths map[string]any
	}
	if err := json.Unmarshal(ask("GET", link.DocumentPath, devKey).Body.Bytes(), &said); err != nil || len(said.Paths) != 1 || said.Paths["/f"] == nil {
		t.Error("the document has", said.Paths, err)
	}
}

// TestDescribing: an app that only describes its functions needs no settings.
// It does nothing else, and answers only the program itself or a caller with
// the key.
func TestDescribing(t *testing.T) {
	env := map[string]string{link.DescribeVariable: "title=Mine", link.KeyVariable: devKey, "ACCOUNT_SID": "wrong", "FLEXFN_TOKEN_TTL": "banana", "PUBLIC_URL": "::"}
	config := flexfn.FromLookup(func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	config.AllowedOrigins, config.StoreSecret = []string{}, "short"
	app, err := flexfn.New(config)
	if err != nil {
		t.Fatal(err)
	}
	app.Handle("/f", flexfn.PrepareStudioFunction(func(context.Context, flexfn.Event) (map[string]any, error) {
		t.Error("the handler ran")
		return nil, nil
	}, flexfn.OpenToAnyone()))

	for _, key := range []string{"", devKey} {
		document, err := link.Document(t.Context(), app, key, url.Values{"title": {"Mine"}})
		if err != nil || !strings.Contains(string(document), `"title": "Mine"`) || !strings.Contains(string(document), `"/f"`) {
			t.Errorf("with the key %q: %v %s", key, err, document)
		}
	}
	for path, key := range map[string]string{link.DocumentPath: "", link.DocumentPath + "?": devKey + "x", "/f": devKey, "/": ""} {
		r := httptest.NewRequest("GET", path, nil)
		r.Header.Set(link.KeyHeader, key)
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), link.DescribeVariable) {
			t.Errorf("%s with the key %q: %d %s", path, key, w.Code, w.Body)
		}
	}

	app.Handle("/F", flexfn.PrepareStudioFunction(func(context.Context, flexfn.Event) (map[string]any, error) { return nil, nil }))
	if _, err := link.Document(t.Context(), app, "", nil); err == nil || !strings.Contains(err.Error(), "/F and /f both become the name") {
		t.Errorf("two functions of one name: %v", err)
	}
	if _, err := link.Document(t.Context(), http.NotFoundHandler(), "", nil); err == nil || !strings.Contains(err.Error(), "flexfn.FromEnv") {
		t.Errorf("a handler that is not an App: %v", err)
	}
}

// TestNoDevLink: in production the header has no effect, and answers carry no
// trace.
func TestNoDevLink(t *testing.T) {
	app, err := devApp(t, "")
	if err != nil {
		t.Fatal(err)
	}
	app.Handle("/f", flexfn.PrepareStudioFunction(func(context.Context, flexfn.Event) (map[string]any, error) {
		return nil, nil
	}, flexfn.OpenToAnyone()))
	for _, key := range []string{"", devKey} {
		for path, want := range map[string]int{"/f": 200, link.DocumentPath: 404} {
			r := httptest.NewRequest("GET", path, nil)
			r.Header[link.KeyHeader] = []string{key}
			w := httptest.NewRecorder()
			app.ServeHTTP(w, r)
			if w.Code != want || w.Header().Get(link.TraceHeader) != "" {
				t.Errorf("%s: %d %v", path, w.Code, w.Header())
			}
		}
	}
	if app.Config().Development {
		t.Error("the app is in development without flexfn dev")
	}
}
