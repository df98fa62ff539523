package functions_test

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/internal/testing/contract"
)

// TestReplayFeatures sends the recorded requests of topic features to the
// ready-made functions, as TestReplay does with those of topic functions.
//
// The recordings are edited, so that each still proves the rest:
//   - Functions that the reference gives to any agent, and flexfn to
//     supervisors and administrators, are called by one. TestFeatureRoles calls
//     them as an agent.
//   - The app uses the API key for Twilio's API, where the reference has the
//     account's auth token, and PUBLIC_URL where it has DOMAIN_NAME.
//   - What the reference does not wrap answered without CORS headers.
//   - "status" is taken out of unpark-interaction's answer: it is the HTTP
//     status.
//
// Where flexfn calls Twilio more often than the reference did, the upstream
// comes from another case.
func TestReplayFeatures(t *testing.T) {
	cases, err := contract.Load("features", withoutStatus)
	if err != nil {
		t.Fatal(err)
	}
	differences, err := contract.Differences("features")
	if err != nil {
		t.Fatal(err)
	}
	byID := map[string]contract.Case{}
	for _, c := range cases {
		byID[c.ID] = c
	}
	files := replayFiles(t)
	for _, c := range cases {
		t.Run(c.ID, func(t *testing.T) {
			d := differences[c.ID]
			c.Further = further(c, byID)
			edit(&c)
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(time.Date(2024, 1, 2, 3, 4, 5, 678e6, time.UTC))) // when they were recorded
				for name, file := range files {
					if c.Env == nil {
						c.Env = map[string]*string{}
					}
					c.Env[name] = &file
				}
				got, fault := replayFeature(t, c)
				if len(c.ConcurrentRequests) > 0 {
					// They may come in any order, and all must succeed;
					// TestConcurrentFeatures shows that none is lost.
					for _, r := range got {
						if r.Status != 200 {
							t.Errorf("status %d, %s", r.Status, r.Body)
						}
					}
					return
				}
				contract.Check(t, c, got, fault, d)
			})
		})
		delete(differences, c.ID)
	}
	for id := range differences {
		t.Errorf("a difference is listed for %s, which is not a case of topic features", id)
	}
}

func replayFeature(t *testing.T, c contract.Case) (got []contract.Response, fault string) {
	player := contract.NewPlayer(c)
	app, err := startReplay(c, func(config *flexfn.Config) { config.Transport = player })
	if err != nil {
		return nil, err.Error()
	}
	got = make([]contract.Response, len(c.Requests()))
	var wg sync.WaitGroup
	for i, r := range c.Requests() {
		wg.Go(func() { got[i] = send(t, app, r) })
		if len(c.ConcurrentRequests) == 0 {
			wg.Wait()
		}
	}
	wg.Wait()
	seen := player.Seen()
	for i, r := range c.Answers() {
		alike(t, &got[i], r, seen)
	}
	return got, contract.Compare(c, got, seen)
}

// alike replaces random and signed values with the recorded ones if they mean
// the same.
func alike(t *testing.T, got *contract.Response, want contract.Response, seen []contract.Seen) {
	var g, w struct {
		Room  string `json:"roomName"`
		Token string `json:"token"`
	}
	if json.Unmarshal([]byte(got.Body), &g) != nil || json.Unmarshal([]byte(want.Body), &w) != nil {
		return
	}
	if g.Room != "" && len(g.Room) == len(w.Room) {
		got.Body = contract.Text(strings.ReplaceAll(string(got.Body), g.Room, w.Room))
		for i := range seen {
			seen[i].Body = strings.ReplaceAll(seen[i].Body, g.Room, w.Room)
		}
	}
	if g.Token != "" && w.Token != "" && reflect.DeepEqual(claims(t, g.Token), claims(t, w.Token)) {
		got.Body = contract.Text(strings.Replace(string(got.Body), g.Token, w.Token, 1))
	}
}

// claims checks a token's signature and returns its header and claims.
func claims(t *testing.T, token string) (parts [2]map[string]any) {
	t.Helper()
	signed, signature := token[:strings.LastIndexByte(token, '.')], token[strings.LastIndexByte(token, '.')+1:]
	mac := hmac.New(sha256.New, []byte("test-api-secret-0123456789abcdef"))
	mac.Write([]byte(signed))
	if want := base64.RawURLEncoding.EncodeToString(mac.Sum(nil)); signature != want {
		t.Errorf("the token has the signature %s, want %s", signature, want)
	}
	for i, part := range strings.Split(signed, ".") {
		text, err := base64.RawURLEncoding.DecodeString(part)
		if err == nil {
			err = json.Unmarshal(text, &parts[i])
		}
		if err != nil {
			t.Error(err)
		}
	}
	return parts
}

func withoutStatus(text []byte) []byte {
	return bytes.ReplaceAll(text, []byte(`"{\"status\":200,`), []byte(`"{`))
}

// raised lists the functions for which flexfn requires a role and the reference
// does not.
var raised = []string{"participant-mute-and-coach", "update-reservation", "fetch-config"}

func edit(c *contract.Case) {
	if slices.ContainsFunc(raised, func(name string) bool { return strings.HasSuffix(c.Function.Path, name) }) {
		for i, call := range c.UpstreamCalls {
			c.UpstreamCalls[i].Response.Body = contract.Text(strings.Replace(string(call.Response.Body), `"roles":["agent"]`, `"roles":["agent","admin"]`, 1))
		}
	}
	env := contract.FeatureEnvironment(*c)
	if env["TWILIO_API_KEY"] != "" && env["TWILIO_API_SECRET"] != "" {
		key := "Basic " + base64.StdEncoding.EncodeToString([]byte(env["TWILIO_API_KEY"]+":"+env["TWILIO_API_SECRET"]))
		for _, call := range c.UpstreamCalls {
			for i, h := range call.Headers {
				if h[0] == "authorization" && !strings.HasPrefix(call.Host, "iam.") {
					call.Headers[i][1] = key
				}
			}
		}
	}
	if c.Function.Wrapper == "none" {
		for _, r := range []*contract.Response{c.Response} {
			if r != nil {
				r.Headers = append(r.Headers, [2]string{"access-control-allow-origin", "*"})
			}
		}
		for i := range c.Responses {
			c.Responses[i].Headers = append(c.Responses[i].Headers, [2]string{"access-control-allow-origin", "*"})
		}
	}
}

// further returns the upstream calls that the recording lacks, in the case's
// region.
func further(c contract.Case, byID map[string]contract.Case) (calls []contract.UpstreamCall) {
	product := func(host string) string { name, _, _ := strings.Cut(host, "."); return name }
	hosts := map[string]string{}
	for _, call := range c.UpstreamCalls {
		hosts[product(call.Host)] = call.Host
	}
	defer func() {
		for i, call := range calls {
			calls[i].Host = cmp.Or(hosts[product(call.Host)], call.Host)
		}
	}()
	if c.ID == "feat-park-list-item-exists" { // the item is updated
		for _, call := range byID["feat-park-list-existing-map"].UpstreamCalls {
			if strings.HasSuffix(call.Path, "/Items") {
				call.Path += "/CH00000000000000000000000000000001"
				calls = append(calls, call)
			}
		}
	}
	for _, more := range asksMore {
		if strings.HasPrefix(c.ID, more.prefix) {
			for _, call := range byID[more.from].UpstreamCalls {
				if strings.Contains(call.Path, more.path) && (more.method == "" || call.Method == more.method) {
					calls = append(calls, call)
				}
			}
		}
	}
	return calls
}

var asksMore = []struct{ prefix, from, method, path string }{
	{"feat-pause-call-empty-recording-sid", "feat-pause-call-ok", "", "/Recordings/"},
	{"feat-barge-no-agent-sid", "feat-barge-mute-only-2", "", "/Participants/"},
	{"feat-xfer-create-missing-transferQueueName", "feat-xfer-create-queue", "", ""},
	{"feat-xfer-create-empty-queue-name", "feat-xfer-create-queue", "", ""},
	{"feat-xfer-done", "feat-xfer-mark-ok", "", "/Channels/"},
	{"feat-xfer-done-task-404", "feat-xfer-done-task-404-without-channel", "POST", "/Tasks/"},
	{"feat-cfg-set-json-object", "feat-cfg-set-merge-2", "", "/Configuration"},
	{"feat-cfg-get", "feat-cfg-get-ok-2", "", "/Configuration"},
	{"feat-cfg-set-concurrent", "feat-cfg-set-merge-2", "", "/Configuration"},
	{"feat-conv-invite-cold", "feat-conv-invite-warm-queue-2", "", "/Conversations/"},
	{"feat-wait-cv-2", "feat-wait-cv-2", "", "/Tasks/"},
	{"feat-wait-cv-2", "feat-wait-cv-2", "", "/Calls/"},
	{"feat-wait-submit", "feat-wait-submit", "", "/Tasks"},
	{"feat-wait-confirm", "feat-wait-submit", "", "/Tasks"},
	{"feat-calljoin", "feat-cleanup-ok-2", "", "/Conferences/"},
	{"feat-park", "feat-conv-invite-warm-queue-2", "GET", "/Conversations/"},
	{"feat-park", "feat-park-ok-3", "", ""},
	{"feat-park-json-true", "feat-park-list-first", "", ""},
	{"feat-unpark", "feat-unpark-with-map-2", "", "sync"},
	{"feat-unpark", "feat-unpark-same-worker", "", ""},
}

// replayFiles writes the files behind the recorded texts.
func replayFiles(t *testing.T) map[string]string {
	t.Helper()
	dir := t.TempDir()
	write := func(name string, content any) string {
		text, err := json.Marshal(content)
		path := filepath.Join(dir, name)
		if err == nil {
			err = os.WriteFile(path, text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	return map[string]string{
		"FLEXFN_PROMPTS_FILE": write("prompts.json", map[string]string{
			"voice": "Polly.Joanna", "music": "http://com.twilio.music.soft-rock.s3.amazonaws.com/_ghost_-_promo_2_sample_pack.mp3",
		}),
		"FLEXFN_CANNED_RESPONSES_FILE": write("canned.json", map[string]any{"categories": []any{recordedSection(1), recordedSection(2)}}),
	}
}

func recordedSection(n int) map[string]any {
	var responses []map[string]string
	for i := range 7 {
		digit := string(rune('1' + i))
		responses = append(responses, map[string]string{"label": "(label " + digit + ")", "text": "(text " + digit + ")"})
	}
	return map[string]any{"section": "(section " + string(rune('0'+n)) + ")", "responses": responses}
}
