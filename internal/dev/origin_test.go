package dev_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestFunctionsGuard checks that requests which a stranger's page makes a
// browser send do not reach the functions, since the development tokens are
// public. Requests from Flex, at Twilio or on this machine, do.
func TestFunctionsGuard(t *testing.T) {
	e := newExample(t)
	for _, c := range []struct {
		header []string
		want   int
	}{
		{nil, 200},
		{[]string{"Origin", "http://localhost:3000", "Sec-Fetch-Site", "same-site"}, 200},
		{[]string{"Origin", "https://127.0.0.1:8443"}, 200},
		{[]string{"Origin", "http://[::1]:3000", "Sec-Fetch-Site", "cross-site"}, 200},
		{[]string{"Origin", "https://flex.twilio.com", "Sec-Fetch-Site", "cross-site"}, 200},
		{[]string{"Origin", e.URL, "Sec-Fetch-Site", "same-origin"}, 200},
		{[]string{"Sec-Fetch-Site", "none"}, 200},
		{[]string{"Host", "localhost:3001"}, 200},
		{[]string{"Origin", "https://example.com", "Sec-Fetch-Site", "cross-site"}, 403},
		{[]string{"Origin", "https://example.com"}, 403},
		{[]string{"Origin", "https://flex.twilio.com.example.com"}, 403},
		{[]string{"Origin", "http://localhost.example.com"}, 403},
		{[]string{"Origin", "file://localhost"}, 403},
		{[]string{"Origin", "null"}, 403},
		{[]string{"Sec-Fetch-Site", "cross-site"}, 403}, // an image, a link
		{[]string{"Host", "rebound.example.com:3001", "Origin", "http://rebound.example.com:3001", "Sec-Fetch-Site", "same-origin"}, 403},
		{[]string{"Host", "rebound.example.com"}, 403},
	} {
		for _, method := range []string{http.MethodPost, http.MethodGet} {
			form := url.Values{"Token": {"dev-agent"}, "name": {"Ada"}}.Encode()
			address, body := e.URL+"/demo/greet?"+form, ""
			if method == http.MethodPost {
				address, body = e.URL+"/demo/greet", form
			}
			r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			for i := 0; i < len(c.header); i += 2 {
				if c.header[i] == "Host" {
					r.Host = c.header[i+1]
				}
				r.Header.Set(c.header[i], c.header[i+1])
			}
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != c.want {
				t.Errorf("%s with %q: %d, want %d", method, c.header, resp.StatusCode, c.want)
			}
		}
	}
}

// TestRootLeadsToConsole checks that the address shown on the terminal opens
// the console.
func TestRootLeadsToConsole(t *testing.T) {
	e := newExample(t)
	resp, err := http.Get(e.URL + "/")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != 200 || resp.Request.URL.Path != "/__flexfn/" {
		t.Errorf("%d at %s", resp.StatusCode, resp.Request.URL)
	}
}
