package twiliofake_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/flexfn/flexfn/twiliofake"
)

const (
	account    = twiliofake.DevelopmentAccountSID
	authToken  = twiliofake.DevelopmentAuthToken
	workspace  = twiliofake.DevelopmentWorkspaceSID
	api        = "https://api.twilio.com/2010-04-01/Accounts/" + account
	taskrouter = "https://taskrouter.twilio.com/v1/Workspaces/" + workspace
	task       = taskrouter + "/Tasks/WT00000000000000000000000000000001"
	conference = api + "/Conferences/CF00000000000000000000000000000001"
	customer   = conference + "/Participants/CA00000000000000000000000000000001.json"
)

func newFake(t testing.TB) *twiliofake.Twilio {
	t.Helper()
	fake, err := twiliofake.New(twiliofake.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	return fake
}

// An answer is a response of the fake.
type answer struct {
	status int
	header http.Header
	text   string
	body   map[string]any // nil if the text is not a JSON object
}

func request(t testing.TB, method, url, form string, header ...string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(account, authToken)
	if form != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return req
}

func ask(t testing.TB, fake *twiliofake.Twilio, method, url, form string, header ...string) answer {
	t.Helper()
	res, err := fake.Client().Do(request(t, method, url, form, header...))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{status: res.StatusCode, header: res.Header, text: string(b)}
	json.Unmarshal(b, &a.body) //nolint:errcheck // stays nil if the text is not an object
	return a
}

// want fails the test unless the answer has the status and the given pairs of
// key and value.
func (a answer) want(t testing.TB, status int, pairs ...any) answer {
	t.Helper()
	if a.status != status {
		t.Fatalf("status %d, want %d: %s", a.status, status, a.text)
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		got, ok := a.body[pairs[i].(string)]
		if n, isInt := pairs[i+1].(int); isInt {
			pairs[i+1] = float64(n)
		}
		if !ok || got != pairs[i+1] {
			t.Errorf("%v is %v, want %v, in %s", pairs[i], got, pairs[i+1], a.text)
		}
	}
	return a
}

func (a answer) sid(t testing.TB) string {
	t.Helper()
	sid, _ := a.body["sid"].(string)
	if len(sid) != 34 {
		t.Fatalf("no SID in %s", a.text)
	}
	return sid
}

// items returns the items of a page.
func (a answer) items(t testing.TB, key string) []map[string]any {
	t.Helper()
	list, ok := a.body[key].([]any)
	if !ok {
		t.Fatalf("no list %s in %s", key, a.text)
	}
	out := make([]map[string]any, len(list))
	for i := range list {
		out[i] = list[i].(map[string]any)
	}
	return out
}
