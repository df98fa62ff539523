package twiliofake_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/flexfn/flexfn/twiliofake"
)

const (
	account   = "AC00000000000000000000000000000001"
	authToken = "00000000000000000000000000000001"
	workspace = "WS00000000000000000000000000000001"
)

func newFake(t testing.TB) *twiliofake.Twilio {
	t.Helper()
	fake, err := twiliofake.New(twiliofake.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return fake
}

// ask sends a request to the fake and returns status, body and header.
func ask(t testing.TB, fake *twiliofake.Twilio, method, url, body string, header ...string) (int, string, http.Header) {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(account, authToken)
	if body != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := fake.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b), res.Header
}

func TestSmoke(t *testing.T) {
	fake := newFake(t)
	for _, c := range [][3]string{
		{"POST", "https://iam.twilio.com/v1/Accounts/" + account + "/Tokens/validate", `{"token":"dev-agent"}`},
		{"POST", "https://api.twilio.com/2010-04-01/Accounts/" + account + "/Conferences/CF00000000000000000000000000000001/Participants/CA00000000000000000000000000000001.json", "Hold=true"},
		{"GET", "https://taskrouter.twilio.com/v1/Workspaces/" + workspace + "/Tasks/WT00000000000000000000000000000001", ""},
		{"GET", "https://taskrouter.twilio.com/v1/Workspaces/" + workspace + "/TaskQueues?PageSize=2", ""},
		{"GET", "https://api.twilio.com/2010-04-01/Accounts/" + account + "/IncomingPhoneNumbers.json?PageSize=1", ""},
	} {
		status, body, h := ask(t, fake, c[0], c[1], c[2])
		t.Log(status, body, h)
	}
}
