package functions_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/functions"
	"github.com/flexfn/flexfn/internal/testing/contract"
	"github.com/flexfn/flexfn/signature"
	"github.com/flexfn/flexfn/twiliofake"
)

// TestReplay sends the recorded requests of topic functions to the ready-made
// functions and compares status, headers, body and upstream calls. Any
// difference must be in the list of deliberate differences.
//
// Before that, it edits the recordings, so that each can still be compared.
// Short ids such as WC1 or CAmissing, which no Twilio account has and the
// functions refuse, become full SIDs. create-task's "_solution", a private
// field of a JavaScript object that leaked into the answer, is removed. Where
// the reference failed before it called Twilio, the upstream comes from another
// case.
func TestReplay(t *testing.T) {
	cases, err := contract.Load("functions", lengthenIDs, withoutSolution)
	if err != nil {
		t.Fatal(err)
	}
	differences, err := contract.Differences("functions")
	if err != nil {
		t.Fatal(err)
	}
	upstream := map[string][]contract.UpstreamCall{}
	for _, c := range cases {
		upstream[c.ID] = c.UpstreamCalls
	}
	for _, c := range cases {
		t.Run(c.ID, func(t *testing.T) {
			c.UpstreamCalls = append(c.UpstreamCalls[:len(c.UpstreamCalls):len(c.UpstreamCalls)], upstream[goesOn[c.ID]]...)
			synctest.Test(t, func(t *testing.T) {
				if len(c.ConcurrentRequests) > 0 {
					replayTogether(t, c)
					return
				}
				got, fault := replay(t, c)
				contract.Check(t, c, got, fault, differences[c.ID])
			})
		})
		delete(differences, c.ID)
	}
	for id := range differences {
		t.Errorf("a difference is listed for %s, which is not a case of topic functions", id)
	}
}

// goesOn maps cases in which flexfn calls Twilio more often than the reference
// did to the cases that provide the further upstream answers.
var goesOn = map[string]string{
	"fn-cold-transfer-json-number":      "fn-cold-transfer",
	"fn-task-attrs-object":              "fn-task-attrs",
	"fn-task-attrs-weak-etag":           "fn-task-attrs",
	"fn-numbers-outgoing-json-true":     "fn-numbers-outgoing",
	"fn-worker-channel-empty-workersid": "fn-worker-channel-own",
}

var shortID = regexp.MustCompile(`\b(CA|CF|CH|WC|WK|WT|WW)(missing|created0+|\d{1,4})\b`)

func lengthenIDs(text []byte) []byte {
	return shortID.ReplaceAllFunc(text, func(id []byte) []byte {
		sum := sha256.Sum256(id)
		return fmt.Appendf(nil, "%s%s", id[:2], hex.EncodeToString(sum[:16]))
	})
}

var solution = regexp.MustCompile(`,\\"_solution\\":\{[^}]*\}`)

func withoutSolution(text []byte) []byte { return solution.ReplaceAll(text, nil) }

func replayApp(t *testing.T, c contract.Case, change func(*flexfn.Config)) *flexfn.App {
	t.Helper()
	app, err := startReplay(c, change)
	if err != nil {
		t.Fatal(err)
	}
	return app
}

func startReplay(c contract.Case, change func(*flexfn.Config)) (*flexfn.App, error) {
	env := contract.Environment(c)
	if c.Function != nil && strings.HasPrefix(c.Function.Path, "/features/") {
		env = contract.FeatureEnvironment(c)
	} else if _, set := c.Env["TWILIO_FLEX_CHAT_SERVICE_SID"]; !set {
		env["TWILIO_FLEX_CHAT_SERVICE_SID"] = "IS" + strings.Repeat("b", 32)
	}
	lookup := func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	config := flexfn.FromLookup(lookup)
	config.Logger = slog.New(slog.DiscardHandler)
	change(&config)
	app, err := flexfn.New(config)
	if err != nil {
		return nil, err
	}
	return app, functions.FromLookup(lookup).Add(app)
}

func replay(t *testing.T, c contract.Case) (got []contract.Response, fault string) {
	player := contract.NewPlayer(c)
	app := replayApp(t, c, func(config *flexfn.Config) { config.Transport = player })
	for _, r := range c.Requests() {
		got = append(got, send(t, app, r))
	}
	return got, contract.Compare(c, got, player.Seen())
}

// send sends r. A request to a Studio function is signed as by Twilio, which
// the reference's local server did not require.
func send(t *testing.T, app *flexfn.App, r contract.Request) contract.Response {
	base := "http://127.0.0.1"
	if public := app.Config().PublicURL; public != "" {
		base = public
	}
	if path := string(r.Path); strings.Contains(path, "/studio/") || strings.Contains(path, "/common/") && strings.HasPrefix(path, "/features/") {
		kind := ""
		for _, h := range r.Headers {
			if h[0] == "content-type" {
				kind = h[1]
			}
		}
		if kind == "application/json" {
			r.Path = contract.Text(signature.AddBodyHash(string(r.Path), []byte(r.Body)))
		}
		r.Headers = append(r.Headers, [2]string{"X-Twilio-Signature",
			signature.Sign(app.Config().AuthToken, base+string(r.Path), kind, []byte(r.Body))})
	}
	req, err := r.HTTP(base)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	app.ServeHTTP(w, req)
	got := contract.Response{Status: w.Code, Body: contract.Text(w.Body.String())}
	for k, vs := range w.Result().Header {
		got.Headers = append(got.Headers, [2]string{strings.ToLower(k), vs[0]})
	}
	return got
}

// replayTogether sends concurrent requests to a fake with the recorded task.
// Whatever the reference did, all must now succeed, and no update may be lost.
func replayTogether(t *testing.T, c contract.Case) {
	const sid = "WT00000000000000000000000000000001"
	fake, err := twiliofake.New(twiliofake.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := fake.SetResource("tasks", twiliofake.Resource{
		"sid": sid, "workspace_sid": twiliofake.DevelopmentWorkspaceSID,
		"attributes": `{"a":1,"nested":{"x":1,"y":2},"list":[1,2,3]}`,
	}); err != nil {
		t.Fatal(err)
	}
	app := replayApp(t, c, func(config *flexfn.Config) {
		config.AccountSID, config.AuthToken = twiliofake.DevelopmentAccountSID, twiliofake.DevelopmentAuthToken
		config.WorkspaceSID, config.Transport = twiliofake.DevelopmentWorkspaceSID, fake.Client().Transport
	})
	var wg sync.WaitGroup
	for _, r := range c.ConcurrentRequests {
		r.Body = contract.Text(strings.Replace(string(r.Body), "agent-token-1", "dev-agent", 1))
		wg.Go(func() {
			if got := send(t, app, r); got.Status != 200 || got.Body != `{"success":true}` {
				t.Errorf("status %d, %s", got.Status, got.Body)
			}
		})
	}
	wg.Wait()
	task, _ := fake.Resource("tasks", sid)
	var stored map[string]json.RawMessage
	if err := json.Unmarshal([]byte(task["attributes"].(string)), &stored); err != nil || len(stored) != 3+len(c.ConcurrentRequests) {
		t.Errorf("%d requests left %s", len(c.ConcurrentRequests), task["attributes"])
	}
}
