package twilioapi

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/twilio/twilio-go/client"
)

func TestCheckAddress(t *testing.T) {
	for address, good := range map[string]bool{
		"https://api.twilio.com/x":              true,
		"https://api.ie1.twilio.com:443/x.json": true,
		"http://api.twilio.com/x":               false,
		"https://user@api.twilio.com/x":         false,
		"https://api.twilio.com:444/x":          false,
		"https://api.twilio.com.example.com/x":  false,
		"https://twilio.com/x":                  false,
		"https://api.twilio.com/x#y":            false,
		"https://api.twilio.com":                false,
		"https://api.twilio.com/x/":             false,
	} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if err := checkAddress(u, false); (err == nil) != good {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestCheckSegment(t *testing.T) {
	for name, good := range map[string]bool{
		strings.Repeat("x", 512): true,
		strings.Repeat("x", 513): false,
		"é +@.":                  true,
		"":                       false,
		"..":                     false,
		"a/b":                    false,
		"{a}":                    false,
		"a\x1f":                  false,
		"a\x7f":                  false,
		"\xff":                   false,
	} {
		if err := CheckSegment(name); (err == nil) != good {
			t.Errorf("%.20q: %v", name, err)
		}
	}
}

func TestNewRequest(t *testing.T) {
	const address = "https://api.twilio.com/x"
	jsonHeaders := map[string]any{"Content-Type": "application/json", "If-Match": 7}
	for name, tt := range map[string]struct {
		method, url string
		data        url.Values
		headers     map[string]any
		query, body string // of the request; refused if query is "-"
	}{
		"next page":                 {"GET", address + "?Page=1", nil, nil, "Page=1", ""},
		"query and parameters":      {"GET", address + "?Page=1", url.Values{}, nil, "-", ""},
		"query and headers":         {"GET", address + "?Page=1", nil, jsonHeaders, "-", ""},
		"parameters of a read":      {"GET", address, url.Values{"a": {"1"}}, jsonHeaders, "a=1", ""},
		"parameters of a form":      {"POST", address, url.Values{"a": {"1"}}, nil, "", "a=1"},
		"JSON":                      {"POST", address, nil, jsonHeaders, "", "{}"},
		"JSON and parameters":       {"POST", address, url.Values{"a": {"1"}}, jsonHeaders, "a=1", "{}"},
		"address that is not a URL": {"POST", "https://api.twilio.com/%zz", nil, nil, "-", ""},
	} {
		u, err := parseAddress(tt.url, tt.data == nil && tt.headers == nil)
		if (err == nil) != (tt.query != "-") {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil {
			if _, sent := new(sender).SendRequest(tt.method, tt.url, tt.data, tt.headers); sent == nil || sent.Error() != err.Error() {
				t.Errorf("%s: SendRequest: %v, want %v", name, sent, err)
			}
			continue
		}
		r, err := newRequest(t.Context(), tt.method, u, tt.data, tt.headers, []byte("{}"))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil || r.URL.RawQuery != tt.query || string(body) != tt.body {
			t.Errorf("%s: query %s, body %s, %v", name, r.URL.RawQuery, body, err)
		}
		if tt.headers != nil && r.Header.Get("If-Match") != "7" {
			t.Errorf("%s: %v", name, r.Header)
		}
	}
}

// TestResponseHeaderOfAnotherClient: for a client that does not come from
// ExecuteTwilio there are no headers.
func TestResponseHeaderOfAnotherClient(t *testing.T) {
	if got := ResponseHeader(&Client{Client: &client.Client{}}); got == nil || len(got) != 0 {
		t.Errorf("%v", got)
	}
	if got := ResponseHeader(&Client{Client: &sender{header: http.Header{"Etag": {"1"}}}}); got.Get("ETag") != "1" {
		t.Errorf("%v", got)
	}
}
