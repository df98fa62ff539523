package flexfn_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/internal/testing/contract"
)

// TestReplay sends every recorded request of these topics to functions that do
// what the recorded ones did, and compares status, headers, body and upstream
// calls. A difference must be in the list of deliberate ones.
func TestReplay(t *testing.T) {
	for _, topic := range []string{"cors", "params", "required", "token", "handler"} {
		cases, err := contract.Load(topic)
		if err != nil {
			t.Fatal(err)
		}
		differences, err := contract.Differences(topic)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cases {
			t.Run(c.ID, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					got, fault := replay(t, c)
					contract.Check(t, c, got, fault, differences[c.ID])
				})
			})
			delete(differences, c.ID)
		}
		for id := range maps.Keys(differences) {
			t.Errorf("differences.json lists %s, which is not a case of topic %s", id, topic)
		}
	}
}

// replay runs the requests of c and describes the first thing that differs
// from the recording, empty when nothing does.
func replay(t *testing.T, c contract.Case) (got []contract.Response, fault string) {
	player := contract.NewPlayer(c)
	app, err := flexfn.New(recordedConfig(c, player))
	if err != nil {
		return nil, "the configuration is refused: " + err.Error()
	}
	if c.Function != nil && c.Function.Wrapper != "none" {
		f, err := recordedFunction(c)
		if err != nil {
			return nil, err.Error()
		}
		if f != nil {
			app.Handle(c.Function.Path, f)
		}
	}
	for _, r := range c.Requests() {
		req, err := r.HTTP("http://127.0.0.1")
		if err != nil {
			return nil, err.Error()
		}
		w := httptest.NewRecorder()
		app.ServeHTTP(w, req)
		got = append(got, contract.Response{Status: w.Code, Headers: pairs(w), Body: contract.Text(w.Body.String())})
	}
	synctest.Wait()
	return got, contract.Compare(c, got, player.Seen())
}

func pairs(w *httptest.ResponseRecorder) (list [][2]string) {
	for k, vs := range w.Result().Header {
		for _, v := range vs {
			list = append(list, [2]string{strings.ToLower(k), v})
		}
	}
	return list
}

// recordedConfig is the configuration under which c was recorded.
func recordedConfig(c contract.Case, player *contract.Player) flexfn.Config {
	env := contract.Environment(c)
	config := flexfn.FromLookup(func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	config.Transport = player
	config.Logger = slog.New(slog.DiscardHandler)
	return config
}

// recordedFunction is the recorded function, written in Go.
func recordedFunction(c contract.Case) (*flexfn.Function, error) {
	handler, err := recordedHandler(c.Function.Path)
	if err != nil {
		return nil, err
	}
	var required []json.RawMessage
	if err := json.Unmarshal(c.Function.RequiredParameters, &required); err != nil {
		return nil, errors.New("the list of required parameters is malformed: it would not compile")
	}
	var flex []flexfn.FlexOption
	studio := []flexfn.StudioOption{flexfn.OpenToAnyone()} // the reference's local server checks no signature
	for _, r := range required {
		var p struct {
			Key     string  `json:"key"`
			Purpose *string `json:"purpose"`
		}
		if json.Unmarshal(r, &p.Key) == nil && p.Key != "" {
			p.Purpose = new(string)
		} else if json.Unmarshal(r, &p) != nil || p.Purpose == nil {
			return nil, errors.New("a required parameter is malformed: it would not compile")
		}
		flex = append(flex, flexfn.Require(p.Key, *p.Purpose))
		studio = append(studio, flexfn.Require(p.Key, *p.Purpose))
	}
	if c.Function.Wrapper == "flex" {
		return flexfn.PrepareFlexFunction(handler, flex...), nil
	}
	return flexfn.PrepareStudioFunction(handler, studio...), nil
}

type handler = func(context.Context, flexfn.Event) (any, error)

func recordedHandler(path string) (handler, error) {
	switch path {
	case "/lab/echo", "/lab/echo-all":
		return func(_ context.Context, e flexfn.Event) (any, error) {
			return map[string]any{"event": e}, nil
		}, nil
	case "/lab/echo-flex":
		return func(ctx context.Context, e flexfn.Event) (any, error) {
			owner, ok := flexfn.TokenOwner(ctx)
			if !ok || owner.Identity != "agent_40example_2Ecom" || owner.WorkerSID != "WK"+strings.Repeat("b", 32) || !owner.HasRole("agent") || owner.Expiration.Year() != 2030 {
				return nil, fmt.Errorf("the token's owner is %v", owner)
			}
			return map[string]any{"event": e}, nil
		}, nil
	case "/lab/axios-uncaught-studio", "/lab/axios-uncaught-flex":
		return fetch("https://taskrouter.twilio.com/v1/Workspaces/x/Tasks/WTmissing"), nil
	case "/lab/sdk-uncaught-studio", "/lab/sdk-uncaught-flex":
		return fetch("https://taskrouter.twilio.com/v1/Workspaces/WS1/Tasks/WTmissing"), nil
	case "/common/flex/programmable-voice/get-call-properties":
		return fetch("https://api.twilio.com/2010-04-01/Accounts/AC" + strings.Repeat("a", 32) + "/Calls/CAmissing.json"), nil
	case "/common/flex/taskrouter/update-worker-attributes":
		return func(ctx context.Context, _ flexfn.Event) (any, error) {
			if owner, _ := flexfn.TokenOwner(ctx); !owner.HasRole("supervisor", "admin") {
				return nil, flexfn.Errorf(403, "This function is for supervisors")
			}
			return nil, nil
		}, nil
	case "/lab/one":
		return func(_ context.Context, e flexfn.Event) (any, error) {
			return map[string]any{"a": e["a"]}, nil
		}, nil
	case "/lab/modes-studio", "/lab/modes-flex":
		return modes, nil
	case "/lab/proto":
		return func(_ context.Context, e flexfn.Event) (any, error) {
			return map[string]any{"ownKeys": e, "injected": e["injected"], "polluted": e["polluted"]}, nil
		}, nil
	case "/lab/async-throw-flex":
		return func(context.Context, flexfn.Event) (any, error) { return nil, errors.New("async fn throw") }, nil
	}
	if strings.HasPrefix(path, "/lab/req") {
		return func(context.Context, flexfn.Event) (any, error) { return map[string]any{"ok": true}, nil }, nil
	}
	return nil, fmt.Errorf("package functions replays this function: %s", path)
}

// fetch calls Twilio and returns its error.
func fetch(url string) handler {
	return func(ctx context.Context, _ flexfn.Event) (any, error) {
		config := flexfn.FromContext(ctx).Config()
		req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
		if err != nil {
			return nil, err
		}
		req.SetBasicAuth(config.AccountSID, config.AuthToken)
		return flexfn.ReadJSON[map[string]any](flexfn.FromContext(ctx).HTTPClient().Do(req))
	}
}

// modes does what its parameter says, as far as a Go handler can.
func modes(ctx context.Context, e flexfn.Event) (any, error) {
	switch mode := e.String("mode"); mode {
	case "obj":
		return map[string]any{"hello": "world", "n": 1, "nested": map[string]any{"a": []int{1, 2, 3}}}, nil
	case "str":
		return "just text", nil
	case "true", "cb-plain-true":
		return true, nil
	case "cb-plain-false":
		return false, nil
	case "null", "cb-null", "cb-none", "hdr-object", "cookie":
		return nil, nil
	case "emptystr":
		return "", nil
	case "error-body":
		return struct{}{}, nil
	case "undefprop":
		return map[string]any{"b": nil, "c": nil, "d": nil, "e": "1970-01-01T00:00:00.000Z"}, nil
	case "escape":
		return map[string]any{"s": "<script>&\"\u2028\x00é😀/"}, nil
	case "order":
		return struct {
			Z   int `json:"z"`
			A   int `json:"a"`
			Two int `json:"2"`
			Ten int `json:"10"`
		}{1, 2, 4, 3}, nil
	case "delay":
		d, err := time.ParseDuration(e.String("ms") + "ms")
		time.Sleep(d)
		return map[string]any{"slept": d.Milliseconds()}, err
	case "never", "resolve-no-cb", "throw-undefined", "exit":
		<-ctx.Done()
		return nil, ctx.Err()
	case "status":
		v := e.String("v")
		status, err := strconv.Atoi(strings.TrimPrefix(v, "s"))
		if err != nil || status == 0 {
			status = -1
		}
		return &flexfn.Response{Status: status, Body: map[string]any{"v": v}}, nil
	case "he-error": // handleError is a handler that means its error for the caller
		return nil, flexfn.Errorf(500, "Error: boom")
	case "he-typeerror":
		return nil, flexfn.Errorf(500, "TypeError: bad type")
	case "he-string":
		return nil, flexfn.Errorf(500, "plain string")
	case "he-object":
		return nil, flexfn.Errorf(500, "[object Object]")
	case "he-number":
		return nil, flexfn.Errorf(500, "7")
	case "he-newline":
		return nil, flexfn.Errorf(500, "Error: line1\nline2 /secret/path")
	case "twice", "twice-later", "cb-then-throw", "cb-then-reject":
		return map[string]any{"first": true}, nil
	case "cb-plain-object":
		return map[string]any{"plain": true}, nil
	case "cb-plain-string":
		return &flexfn.Response{Body: "plain text"}, nil
	case "cb-twiml":
		return &flexfn.Response{
			Header: map[string][]string{"Content-Type": {"text/xml"}},
			Body:   `<?xml version="1.0" encoding="UTF-8"?><Response><Say>hi</Say></Response>`,
		}, nil
	case "hdr-ct-lower":
		return &flexfn.Response{Header: map[string][]string{"content-type": {"text/plain"}}, Body: `"hello"`}, nil
	case "hdr-replace":
		return &flexfn.Response{Header: map[string][]string{"Content-Type": {"text/csv"}}, Body: "a,b"}, nil
	case "hdr-cors-twice":
		return &flexfn.Response{Header: map[string][]string{"Access-Control-Allow-Origin": {"https://example.com"}}}, nil
	case "hdr-crlf":
		return &flexfn.Response{Header: map[string][]string{"X-A": {"a\r\nX-B: b"}}}, nil
	case "hdr-unicode2":
		return &flexfn.Response{Header: map[string][]string{"X-A": {"日本"}}}, nil
	case "big":
		return map[string]any{"s": strings.Repeat("x", 1<<20)}, nil
	case "throw-error", "throw-props":
		panic("sync boom")
	default:
		return nil, fmt.Errorf("mode %s", mode)
	}
}

// TestDifferencesAreDocumented: docs/differences.md gives the reason of each
// difference, and of no others.
func TestDifferencesAreDocumented(t *testing.T) {
	text, err := os.ReadFile("docs/differences.md")
	if err != nil {
		t.Fatal(err)
	}
	groups, err := contract.Groups()
	if err != nil {
		t.Fatal(err)
	}
	var headings []string
	for line := range strings.Lines(string(text)) {
		if h, ok := strings.CutPrefix(line, "## "); ok {
			headings = append(headings, strings.TrimSpace(h))
		}
	}
	slices.Sort(headings)
	if !slices.Equal(headings, groups) {
		t.Errorf("the headings of docs/differences.md are\n%q\nthe groups of differences.json\n%q", headings, groups)
	}
}
