package dev_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/internal/dev"
	"github.com/flexfn/flexfn/internal/link"
	"github.com/flexfn/flexfn/twiliofake"
)

// example is a dev server with the example functions.
type example struct {
	*httptest.Server
	server *dev.Server
	fake   *twiliofake.Twilio
	shown  *output
}

func newExample(t *testing.T) *example {
	t.Helper()
	e := &example{shown: &output{}}
	var err error
	if e.fake, err = twiliofake.New(twiliofake.Config{}); err != nil {
		t.Fatal(err)
	}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { e.server.ServeHTTP(w, r) }))
	t.Cleanup(e.Close)
	key := dev.NewKey()
	e.server = dev.New(dev.Options{Base: e.URL, Key: key, Fake: e.fake, SignWith: twiliofake.DevelopmentAuthToken, Terminal: dev.NewTerminal(e.shown, false)})
	env := map[string]string{
		"ACCOUNT_SID": twiliofake.DevelopmentAccountSID, "AUTH_TOKEN": twiliofake.DevelopmentAuthToken,
		"FLEXFN_TWILIO_URL": e.URL, link.KeyVariable: key, "TWILIO_SERVICE_MIN_BACKOFF": "20", "TWILIO_SERVICE_MAX_BACKOFF": "30",
	}
	config := flexfn.FromLookup(func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	config.Logger = slog.New(slog.DiscardHandler)
	app, err := flexfn.New(config)
	if err != nil {
		t.Fatal(err)
	}
	dev.AddDemo(app)
	if err := e.server.Serve(app); err != nil {
		t.Fatal(err)
	}
	return e
}

// api calls the console's API.
func (e *example) api(t *testing.T, method, path, body string, header ...string) (int, map[string]any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, e.URL+dev.ConsolePath+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
		}
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var v map[string]any
	_ = json.Unmarshal(text, &v)
	return resp.StatusCode, v
}

// TestConsoleGuard checks that requests which a stranger's page could send are
// refused.
func TestConsoleGuard(t *testing.T) {
	e := newExample(t)
	for _, c := range []struct {
		header []string
		want   int
	}{
		{nil, 200},
		{[]string{"Host", "localhost:1"}, 200},
		{[]string{"Host", "[::1]:1"}, 200},
		{[]string{"Origin", e.URL, "Sec-Fetch-Site", "same-origin"}, 200},
		{[]string{"Sec-Fetch-Site", "none"}, 200},
		{[]string{"Origin", "https://example.com"}, 403},
		{[]string{"Origin", "null"}, 403},
		{[]string{"Origin", "http://localhost:1", "Sec-Fetch-Site", "same-site"}, 403},
		{[]string{"Sec-Fetch-Site", "cross-site"}, 403},
		{[]string{"Host", "rebound.example.com", "Origin", "http://rebound.example.com", "Sec-Fetch-Site", "same-origin"}, 403},
		{[]string{"Host", "rebound.example.com"}, 403},
		{[]string{"Host", "127.0.0.1.example.com:80"}, 403},
	} {
		for _, what := range []string{"GET api/state", "DELETE api/requests", "GET api/events"} {
			method, path, _ := strings.Cut(what, " ")
			if path == "api/events" && c.want == 200 {
				continue // does not end
			}
			if status, _ := e.api(t, method, path, "", c.header...); status != c.want {
				t.Errorf("%s with %v: %d, want %d", what, c.header, status, c.want)
			}
		}
	}
	resp, err := http.Get(e.URL + dev.ConsolePath)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if p := resp.Header.Get("Content-Security-Policy"); !strings.Contains(p, "default-src 'none'") || strings.Contains(p, "unsafe") {
		t.Errorf("the policy is %q", p)
	}
}

// TestCalls calls functions, replays requests, and checks that the log has all
// of them without secrets.
func TestCalls(t *testing.T) {
	e := newExample(t)
	if err := e.fake.AddFault(twiliofake.Fault{Match: twiliofake.Match{Host: "iam"}, Times: 1, Status: 429}); err != nil {
		t.Fatal(err)
	}
	call := func(order string) map[string]any {
		t.Helper()
		status, v := e.api(t, "POST", "api/call", order)
		if status != 200 {
			t.Fatal(status, v)
		}
		return v
	}
	v := call(`{"path":"/demo/greet","person":"agent","parameters":[{"key":"name","value":"Ada"}]}`)
	if v["status"] != 200.0 || v["attempts"] != 2.0 || v["retries"] != 1.0 || v["caller"] != "agent_40example_2Ecom" {
		t.Errorf("%v", v)
	}
	if body := v["request"].(map[string]any)["body"]; body != "Token=(masked)&name=Ada" {
		t.Errorf("the request's body is shown as %v", body)
	}
	spans := v["trace"].(map[string]any)["spans"].([]any)
	if len(spans) != 2 || spans[0].(map[string]any)["name"] != link.TokenCheck || spans[1].(map[string]any)["name"] != link.Handler {
		t.Errorf("spans are %v", spans)
	}
	for _, c := range []struct {
		order  string
		want   float64
		person string
	}{
		{`{"path":"/demo/greet","person":"agent","json":true,"parameters":[{"key":"name","value":"Ada"}]}`, 200, "agent"},
		{`{"path":"/demo/greet","person":"guest","parameters":[{"key":"name","value":"Ada"}]}`, 403, "guest"},
		{`{"path":"/demo/greet","person":"nobody","parameters":[{"key":"name","value":"Ada"}]}`, 403, "nobody"},
		{`{"path":"/demo/studio/opening-hours","parameters":[{"key":"at","value":"2026-11-24T10:30:00Z"}]}`, 200, "twilio"},
		{`{"path":"/demo/studio/opening-hours","json":true,"parameters":[{"key":"at","value":"2026-11-24T10:30:00Z"}]}`, 200, "twilio"},
		{`{"path":"/demo/studio/opening-hours","person":"nobody","parameters":[{"key":"at","value":"2026-11-24T10:30:00Z"}]}`, 403, "nobody"},
	} {
		v := call(c.order)
		if v["status"] != c.want {
			t.Errorf("%s: %v, want %v", c.order, v["status"], c.want)
		}
		if v["person"] != c.person {
			t.Errorf("%s: sent as %v, want %v", c.order, v["person"], c.person)
		}
		status, again := e.api(t, "POST", "api/replay/"+v["id"].(string), "{}")
		if status != 200 || again["status"] != c.want {
			t.Errorf("%s, replayed: %d %v, want %v", c.order, status, again["status"], c.want)
		}
	}
	if status, _ := e.api(t, "POST", "api/call", `{"path":"/none"}`); status != 404 {
		t.Errorf("no function: %d", status)
	}
	if status, _ := e.api(t, "POST", "api/call", `{"pth":"/none"}`); status != 400 {
		t.Errorf("nonsense: %d", status)
	}
	if v := call(`{"path":"/demo/greet","person":"agent","curl":true,"parameters":[{"key":"name","value":"A B"}]}`); v["curl"] !=
		"curl -s -X POST "+e.URL+"/demo/greet -d Token=dev-agent --data-urlencode 'name=A B'" {
		t.Errorf("%v", v)
	}

	_, state := e.api(t, "GET", "api/state", "")
	text, _ := json.Marshal(state)
	if strings.Contains(string(text), twiliofake.DevelopmentAuthToken) || strings.Contains(string(text), "dev-agent") {
		t.Errorf("the console shows a secret: %s", text)
	}
	if n := len(state["requests"].([]any)); n != 13 {
		t.Errorf("the log has %d requests, want 13", n)
	}
	if status, _ := e.api(t, "GET", "api/requests/9999", ""); status != 404 {
		t.Errorf("a request that is gone: %d", status)
	}
	e.api(t, "DELETE", "api/requests", "")
	if _, state = e.api(t, "GET", "api/state", ""); len(state["requests"].([]any)) != 0 {
		t.Error("the log is not empty")
	}
}

// TestTerminal checks the terminal's lines for requests.
func TestTerminal(t *testing.T) {
	e := newExample(t)
	if err := e.fake.AddFault(twiliofake.Fault{Match: twiliofake.Match{Host: "iam"}, Times: 1, Status: 429}); err != nil {
		t.Fatal(err)
	}
	post(t, e.URL+"/demo/greet", "Token=dev-agent&name=Ada")
	post(t, e.URL+"/demo/greet?Token=dev-supervisor", "")
	post(t, e.URL+"/demo/%1b%5b2Jx", "")
	got := e.shown.String()
	for _, want := range []string{
		"POST    /demo/greet 200 ", " 2 attempts, 1 retry agent@example.com ",
		"attempt 1: POST iam.twilio.com/", " 429 ", ", then waited ", "attempt 2: POST",
		"Missing name: who to greet", "POST    /demo/?[2Jx 404",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the terminal does not show %q:\n%s", want, got)
		}
	}
	if strings.Contains(got, "dev-") || strings.Contains(got, "\x1b") {
		t.Errorf("the terminal shows a token or a control character:\n%q", got)
	}
}

// TestEvents reads the event stream as a console does.
func TestEvents(t *testing.T) {
	e := newExample(t)
	ctx, end := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { e.server.Run(ctx); close(done) }()
	resp, err := http.Get(e.URL + dev.ConsolePath + "api/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	await := func(kind string) string {
		t.Helper()
		for lines.Scan() {
			if lines.Text() == "event: "+kind {
				lines.Scan()
				return lines.Text()
			}
		}
		t.Fatalf("the stream ended without %s", kind)
		return ""
	}
	time.AfterFunc(time.Minute, end) // end the stream if nothing comes
	await("seconds")                 // the stream has begun
	post(t, e.URL+"/demo/greet", "Token=dev-agent&name=Ada")
	for _, status := range []string{"0", "200"} { // under way, then answered
		if data := await("request"); !strings.Contains(data, `"path":"/demo/greet"`) || !strings.Contains(data, `"status":`+status+",") {
			t.Errorf("%s, want status %s", data, status)
		}
	}
	if data := await("seconds"); !strings.Contains(data, `"requests":1`) {
		if data = await("seconds"); !strings.Contains(data, `"requests":1`) {
			t.Error(data)
		}
	}
	end()
	<-done
	for lines.Scan() {
	} // ends with the server
}
