package host

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/internal/testing/blind"
	"github.com/flexfn/flexfn/internal/testing/lambdatest"
	"github.com/flexfn/flexfn/signature"
)

// TestLambdaEvents checks the requests made of the events in testdata/lambda.
func TestLambdaEvents(t *testing.T) {
	files, err := filepath.Glob("testdata/lambda/*.json")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d events, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			var golden struct {
				Provenance string
				Event      json.RawMessage
				Request    struct {
					Method, Path, RequestURI, Host, RemoteAddr, Body string
					BodyBase64                                       []byte
					Headers                                          http.Header
				}
			}
			readJSON(t, file, &golden)
			want := golden.Request
			if golden.Provenance == "" || want.Method == "" {
				t.Fatal("it does not say where it is from, or what to expect")
			}
			e, err := parseEvent(golden.Event)
			if err != nil {
				t.Fatal(err)
			}
			r, err := e.request(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(r.Body)
			if want.Body != "" {
				want.BodyBase64 = []byte(want.Body)
			}
			if !bytes.Equal(body, want.BodyBase64) || r.ContentLength != int64(len(body)) {
				t.Errorf("the body is %q of length %d, want %q", body, r.ContentLength, want.BodyBase64)
			}
			got := []string{r.Method, r.URL.Path, r.RequestURI, r.Host, r.RemoteAddr}
			if wanted := []string{want.Method, want.Path, want.RequestURI, want.Host, want.RemoteAddr}; !reflect.DeepEqual(got, wanted) {
				t.Errorf("the request is %q, want %q", got, wanted)
			}
			if _, query, _ := strings.Cut(r.RequestURI, "?"); query != r.URL.RawQuery {
				t.Errorf("the query is %q, in RequestURI %q", r.URL.RawQuery, query)
			}
			for name, values := range want.Headers {
				if !reflect.DeepEqual(r.Header[name], values) {
					t.Errorf("%s is %q, want %q", name, r.Header[name], values)
				}
			}
		})
	}
}

func readJSON(t testing.TB, file string, v any) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

func FuzzLambdaEvent(f *testing.F) {
	files, _ := filepath.Glob("testdata/lambda/*.json")
	for _, file := range files {
		var golden struct{ Event json.RawMessage }
		readJSON(f, file, &golden)
		f.Add([]byte(golden.Event))
	}
	config := testLambda(f)
	var seen *http.Request
	echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = r
		if !strings.HasPrefix(r.URL.EscapedPath(), "/") || !strings.HasPrefix(r.RequestURI, "/") || strings.ContainsAny(r.RequestURI, "\r\n") && r.URL.RawQuery == "" {
			panic("not a path: " + r.RequestURI)
		}
		for name := range r.Header {
			w.Header()["X-"+name] = r.Header[name]
		}
		_, _ = io.Copy(w, r.Body)
	})
	l := &lambdaHandler{next: prepare(echo, config), config: config}
	blind.Fuzz(f, func(t *testing.T, payload []byte) {
		seen = nil
		answer, err := l.invoke(t.Context(), payload)
		if err != nil {
			if seen != nil {
				t.Fatalf("%q was carried out and then refused: %v", payload, err)
			}
			return
		}
		text, err := io.ReadAll(answer)
		if err != nil {
			t.Fatal(err)
		}
		checkLambdaAnswer(t, payload, text)
	})
}

// checkLambdaAnswer reads an answer as strictly as the event's front end, and
// compares its body with the event's.
func checkLambdaAnswer(t *testing.T, payload, text []byte) {
	t.Helper()
	e, err := parseEvent(payload)
	if err != nil {
		t.Fatal(err)
	}
	var a struct {
		StatusCode        int
		StatusDescription *string
		Headers           map[string]string
		MultiValueHeaders map[string][]string
		Cookies           []string
		Body              *string
		IsBase64Encoded   *bool
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&a); err != nil || a.StatusCode != 200 || a.Headers == nil || a.Body == nil || a.IsBase64Encoded == nil {
		t.Fatalf("%q was answered with %q: %v", payload, text, err)
	}
	if e.version2() && a.MultiValueHeaders != nil || !e.version2() && a.Cookies != nil || e.alb() != (a.StatusDescription != nil) {
		t.Fatalf("%q was answered with another kind's %q", payload, text)
	}
	body := []byte(*a.Body)
	if *a.IsBase64Encoded {
		if body, err = base64.StdEncoding.DecodeString(*a.Body); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := e.body(); err != nil || e.method() != "HEAD" && !bytes.Equal(body, want) {
		t.Fatalf("the body %q came back as %q", want, body)
	}
}

// testLambda is the configuration of the tests' handlers.
func testLambda(t testing.TB) Config {
	t.Helper()
	config, err := Config{Logger: slog.New(slog.DiscardHandler)}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// TestSignatures has Twilio call a Studio function through every front end on
// AWS, and on a host with plain HTTP.
func TestSignatures(t *testing.T) {
	const token = "0123456789abcdef0123456789abcdef"
	type call struct {
		target, contentType, body string
		bodyHash                  bool
	}
	form := "application/x-www-form-urlencoded"
	calls := map[string]call{
		"form":                   {"/studio/ping", form, "a=1&b=%C3%B6+x&b=2", false},
		"form and query":         {"/studio/ping?flow=welcome", form, "a=1", false},
		"escapes in the query":   {"/studio/ping?flow=a%20b%2Fc", form, "a=1", false},
		"a query out of order":   {"/studio/ping?z=1&a=2&m=3", form, "x=1", false},
		"many in a query":        {"/studio/ping?e=1&d=2&c=3&b=4&a=5", form, "x=1", false},
		"repeated query keys":    {"/studio/ping?z=1&z=2", form, "x=1", false},
		"JSON":                   {"/studio/ping", "application/json", `{"a":"ö"}`, true},
		"JSON and query":         {"/studio/ping?z=1", "application/json", `{"a":1}`, true},
		"query without a value":  {"/studio/ping?z", form, "x=1", false},
		"a plus sign in a query": {"/studio/ping?z=a+b", form, "x=1", false},
		// Issue 1059 of twilio/twilio-node has the apostrophe sent raw, and pull
		// request 621 the colon and the at sign; the rest is of their kind.
		"a comma in a query":      {"/studio/ping?ids=1,2", form, "x=1", false},
		"an escaped comma":        {"/studio/ping?ids=1%2C2", form, "x=1", false},
		"a URL in a query":        {"/studio/ping?next=https://a.example/b", form, "x=1", false},
		"encodeURIComponent's":    {"/studio/ping?q=it's(1)!*~%2C&r=%40a", form, "x=1", false},
		"all odd ones in a query": {"/studio/ping?q=it's,(1)!*~:@/b$?&a=b%20c", form, "x=1", false},
	}
	transports := map[string]func(*testing.T, http.Handler) (http.RoundTripper, string){
		"http": func(t *testing.T, app http.Handler) (http.RoundTripper, string) {
			return start(t, app, Config{}).transport(), "https://functions.example.com"
		},
		"fn": func(t *testing.T, app http.Handler) (http.RoundTripper, string) {
			return fnTransport{startFn(t, app).transport()}, "https://functions.example.com"
		},
	}
	for _, kind := range lambdatest.Kinds {
		transports[string(kind)] = func(t *testing.T, app http.Handler) (http.RoundTripper, string) {
			return invokeTransport(t, kind, app), kind.Base()
		}
	}
	// Parts that a front end's event has lost.
	lost := map[string][]string{
		"rest-api":                        {"many in a query", "query without a value"},
		"rest-api-custom-domain":          {"many in a query", "query without a value"},
		"rest-api-custom-domain-no-stage": {"many in a query", "query without a value"},
		"alb":                             {"many in a query", "query without a value"},
		"alb-single":                      {"many in a query", "query without a value", "repeated query keys"},
	}
	for name, transport := range transports {
		t.Run(name, func(t *testing.T) {
			serve := func(publicURL string) (http.RoundTripper, string) {
				app, err := flexfn.New(flexfn.Config{
					AccountSID: "AC" + strings.Repeat("a", 32), AuthToken: token, PublicURL: publicURL, Logger: slog.New(slog.DiscardHandler),
				})
				if err != nil {
					t.Fatal(err)
				}
				app.Handle("/studio/ping", flexfn.PrepareStudioFunction(func(context.Context, flexfn.Event) (struct{}, error) { return struct{}{}, nil }))
				return transport(t, app)
			}
			_, base := serve("")
			for what, c := range calls {
				target, body := base+c.target, []byte(c.body)
				if c.bodyHash {
					target = signature.AddBodyHash(target, body)
				}
				good := signature.Sign(token, target, c.contentType, body)
				forged := signature.Sign(token, target+"x", c.contentType, body)
				for _, public := range []string{base, "https://public.example.com", ""} {
					want := http.StatusOK
					for _, l := range lost[name] {
						if l == what {
							want = http.StatusForbidden
						}
					}
					if public != base && public != "" {
						want = http.StatusForbidden // signed for another server
					}
					if (name == "http" || name == "fn") && public == "" {
						continue // the Host header is the test's
					}
					for signature, want := range map[string]int{good: want, forged: http.StatusForbidden} {
						transport, _ := serve(public)
						u, err := url.Parse(target)
						if err != nil {
							t.Fatal(err)
						}
						req, err := http.NewRequestWithContext(t.Context(), "POST", "http://flexfn.test"+strings.TrimPrefix(u.RequestURI(), "/"+lambdatest.Stage), bytes.NewReader(body))
						if err != nil {
							t.Fatal(err)
						}
						req.Header.Set("Content-Type", c.contentType)
						req.Header.Set("X-Twilio-Signature", signature)
						resp, err := transport.RoundTrip(req)
						if err != nil {
							t.Fatal(err)
						}
						_ = resp.Body.Close()
						if resp.StatusCode != want {
							t.Errorf("%s with the public URL %q, forged %t: %d, want %d", what, public, signature == forged, resp.StatusCode, want)
						}
					}
				}
			}
		})
	}
}

// invokeTransport calls a handler in this process through a front end's events.
func invokeTransport(t *testing.T, kind lambdatest.Kind, handler http.Handler) http.RoundTripper {
	config := testLambda(t)
	l := &lambdaHandler{next: prepare(handler, config), config: config}
	base, _ := url.Parse(kind.Base())
	return roundTripFunc(func(r *http.Request) (*http.Response, error) {
		called := r.Clone(r.Context())
		called.URL.Path = base.Path + called.URL.Path
		event, err := kind.Event(called)
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
		defer cancel()
		body, err := l.invoke(ctx, event)
		if err != nil {
			return nil, err
		}
		return kind.Response(r, lambdatest.NewAnswer(body))
	})
}

func BenchmarkLambdaEvent(b *testing.B) {
	var golden struct{ Event json.RawMessage }
	readJSON(b, "testdata/lambda/http-api-stage.json", &golden)
	config := testLambda(b)
	l := &lambdaHandler{next: prepare(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "{}") }), config), config: config}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.invoke(b.Context(), golden.Event); err != nil {
			b.Fatal(err)
		}
	}
}
