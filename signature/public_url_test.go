package signature

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/flexfn/flexfn/internal/link"
)

func TestSplitURL(t *testing.T) {
	for s, want := range map[string]*calledURL{
		"https://example.com":           {calledOrigin{scheme: "https", host: "example.com"}, ""},
		"ws://a:b@example.com:80/x#y":   {calledOrigin{scheme: "ws", user: "a:b@", host: "example.com", port: ":80"}, "/x#y"},
		"http://@example.com?x":         {calledOrigin{scheme: "http", user: "@", host: "example.com"}, "?x"},
		"wss://[::1]:65535/":            {calledOrigin{scheme: "wss", host: "[::1]", port: ":65535"}, "/"},
		"http://[::1]/":                 {calledOrigin{scheme: "http", host: "[::1]"}, "/"},
		"http://az.AZ-09_":              {calledOrigin{scheme: "http", host: "az.AZ-09_"}, ""},
		"http://" + "\u00c0.example/":   {calledOrigin{scheme: "http", host: "\u00c0.example"}, "/"},
		"http://x\x80/":                 {calledOrigin{scheme: "http", host: "x\x80"}, "/"},
		"http://" + name(255):           {calledOrigin{scheme: "http", host: name(255)}, ""},
		"http://" + name(256):           nil,
		"https":                         nil,
		"ftp://example.com/":            nil,
		"example.com/x":                 nil,
		"http://":                       nil,
		"http:///x":                     nil,
		"http://:80/":                   nil,
		"http://[]/":                    nil,
		"http://[ab/":                   nil,
		"http://ab]/":                   nil,
		"http://a b/":                   nil,
		"http://a{b/":                   nil,
		"http://a`b/":                   nil,
		"http://a\x7fb/":                nil,
		"http://example.com:/":          nil,
		"http://example.com:123456/":    nil,
		"http://example.com:1x/":        nil,
		"http://example.com:1/1:x":      {calledOrigin{scheme: "http", host: "example.com", port: ":1"}, "/1:x"},
		"http://user@host@example.com/": {calledOrigin{scheme: "http", user: "user@host@", host: "example.com"}, "/"},
	} {
		o, target, ok := splitURL(s)
		if ok != (want != nil) || ok && (o != want.calledOrigin || target != want.target) {
			t.Errorf("%.40q: %+v, %q, %t, want %+v", s, o, target, ok, want)
		}
	}
}

func name(length int) string { return strings.Repeat("x", length) }

func TestSettingsOfTheURL(t *testing.T) {
	for s, good := range map[string]bool{
		"https://example.com": true, "http://example.com:8080/prod/": true, "https://user:password@example.com/x#rc=3": true,
		"example.com": false, "https://": false, "ftp://example.com": false, "wss://example.com": false, "ws://example.com": false,
		"https://example.com?": false, "https://example.com/x?q=1": false, "https://example.com/%zz": false,
	} {
		if _, err := New(Config{AuthTokens: []string{"token"}, PublicURL: s}); (err == nil) != good {
			t.Errorf("the public URL %q: %v", s, err)
		}
	}
	for p, good := range map[string]bool{
		"": true, "/internal": true, "/internal/x/": true,
		"/": false, "//": false, "internal": false, "/a?b": false, "/a#b": false, "/a b": false,
	} {
		if _, err := New(Config{AuthTokens: []string{"token"}, AddedPathPrefix: p}); (err == nil) != good {
			t.Errorf("the added path %q: %v", p, err)
		}
	}
}

func TestCutPathPrefix(t *testing.T) {
	for _, c := range []struct {
		target, prefix, rest string
		ok                   bool
	}{
		{"/api/x?y", "/api", "/x?y", true},
		{"/api", "/api", "/", true},
		{"/api?y", "/api", "/?y", true},
		{"/apis", "/api", "/apis", false},
		{"/x", "/api", "/x", false},
		{"/x", "", "/x", false},
		{"", "", "", false},
	} {
		if rest, ok := cutPathPrefix(c.target, c.prefix); rest != c.rest || ok != c.ok {
			t.Errorf("%q without %q: %q, %t", c.target, c.prefix, rest, ok)
		}
	}
}

func TestRequestTarget(t *testing.T) {
	for _, c := range []struct{ uri, url, want string }{
		{"/a%2Fb?q", "/other", "/a%2Fb?q"},
		{"http://example.com/a?q", "/other", "/a?q"},
		{"http://example.com?q", "/other", "/?q"},
		{"", "/a%2Fb", "/a%2Fb"},
		{"", "/a?q=1", "/a?q=1"},
		{"", "/a?", "/a?"},
		{"", "http://example.com", "/"},
	} {
		u, err := url.Parse(c.url)
		if err != nil {
			t.Fatal(err)
		}
		if got := requestTarget(&http.Request{RequestURI: c.uri, URL: u}); got != c.want {
			t.Errorf("%q and %q: %q, want %q", c.uri, c.url, got, c.want)
		}
	}
}

// TestProxyOrigins: the origins that follow from a proxy's headers, for a request
// with the Host direct.example:81.
func TestProxyOrigins(t *testing.T) {
	x, f := TrustXForwardedFromAnyone(), TrustForwarded("192.0.2.0/24")
	for _, c := range []struct {
		trust  ProxyTrust
		header http.Header
		want   string // origins
	}{
		{x, http.Header{}, ""},
		{x, http.Header{"X-Forwarded-Port": {"8443"}}, ""},
		{x, http.Header{"X-Forwarded-Proto": {"https"}}, "https://direct.example:81"},
		{x, http.Header{"X-Forwarded-Proto": {"wss"}}, "https://direct.example:81"},
		{x, http.Header{"X-Forwarded-Proto": {"ws"}}, "http://direct.example:81"},
		{x, http.Header{"X-Forwarded-Host": {"a.example"}}, "https://a.example http://a.example"},
		{x, http.Header{"X-Forwarded-Host": {"a.example, b.example"}}, "https://b.example http://b.example"},
		{x, http.Header{"X-Forwarded-Host": {"a.example", "b.example"}}, "https://b.example http://b.example"},
		{x, http.Header{"X-Forwarded-Host": {"a/b"}}, ""},
		{x, http.Header{"X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"a.example"}, "X-Forwarded-Port": {"8443"}}, "https://a.example:8443"},
		{x, http.Header{"X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"a.example:1"}, "X-Forwarded-Port": {"8443"}}, "https://a.example:1"},
		{x, http.Header{"X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"a.example"}, "X-Forwarded-Port": {"443"}}, "https://a.example"},
		{x, http.Header{"X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"a.example"}, "X-Forwarded-Port": {"x"}}, "https://a.example"},
		{f, http.Header{}, ""},
		{f, http.Header{"Forwarded": {"for=203.0.113.7"}}, ""},
		{f, http.Header{"Forwarded": {`host="a.example:8443"`}}, "https://a.example:8443 http://a.example:8443"},
		{f, http.Header{"Forwarded": {"proto=https"}}, "https://direct.example:81"},
		{f, http.Header{"Forwarded": {"proto=https;host=a.example", "Proto=HTTPS; Host=b.example"}}, "https://b.example http://b.example"},
		{f, http.Header{"Forwarded": {"proto=https;host=a.example", "proto=https; host=b.example"}}, "https://b.example"},
	} {
		r := httptest.NewRequest("GET", "/", nil) // from 192.0.2.1
		r.Host, r.Header = "direct.example:81", c.header
		var got []string
		for _, o := range c.trust.origins(nil, r) {
			got = append(got, string(calledURL{calledOrigin: o}.append(nil)))
		}
		if got := strings.Join(got, " "); got != c.want {
			t.Errorf("%v: %s, want %s", c.header, got, c.want)
		}
	}
}

func TestTrustedPeers(t *testing.T) {
	for _, list := range [][]string{nil, {"x"}, {"10.0.0.1/8"}, {"fe80::1%eth0"}, {"::ffff:10.0.0.0/104"}, {"10.0.0.0/8", ""}} {
		if err := TrustXForwarded(list...).fault(); err == nil {
			t.Errorf("%q are trusted", list)
		}
	}
	trust := TrustXForwarded("10.0.0.0/8", "::ffff:192.0.2.7", "fe80::/10")
	if err := trust.fault(); err != nil {
		t.Fatal(err)
	}
	for peer, want := range map[string]bool{
		"10.1.2.3:80": true, "10.1.2.3": true, "[::ffff:10.1.2.3]:80": true, "192.0.2.7:1": true, "[fe80::1%eth0]:1": true, "fe80::1%eth0": true,
		"192.0.2.8:1": false, "11.1.2.3": false, "": false, "@": false,
	} {
		r := &http.Request{RemoteAddr: peer, Header: http.Header{"X-Forwarded-Host": {"a.example"}}}
		if got := trust.origins(nil, r) != nil; got != want {
			t.Errorf("%q is trusted: %t", peer, got)
		}
	}
}

// TestLostQueryOrder: behind a gateway that decodes and reorders the query, the
// signed query is found, and the number of tries is bounded.
func TestLostQueryOrder(t *testing.T) {
	v, err := New(Config{AuthTokens: []string{"token"}, PublicURL: "https://example.com"})
	if err != nil {
		t.Fatal(err)
	}
	for signed, lost := range map[string]bool{"b=1+2&a=x,y": true, "a=x,y&b=1%202": true, "a=x,z&b=1%202": false} {
		r := httptest.NewRequest("GET", "/x?a=x%2Cy&b=1%202", nil)
		r.Header.Set(Header, Sign("token", "https://example.com/x?"+signed, "", nil))
		if _, err := v.Verify(t.Context(), r, nil); err == nil {
			t.Errorf("%s is accepted though the order is known", signed)
		}
		if _, err := v.Verify(link.LoseQueryOrder(t.Context()), r.WithContext(link.LoseQueryOrder(t.Context())), nil); (err == nil) != lost {
			t.Errorf("%s: %v", signed, err)
		}
	}
	r := httptest.NewRequest("GET", "/x?a=%21&b=%27%28&c=%29%2A&d=%20", nil)
	s := new(signed)
	v.address.findURLs(s, r.WithContext(link.LoseQueryOrder(t.Context())))
	var targets []string
	for _, u := range s.urls {
		targets = append(targets, u.target)
	}
	slices.Sort(targets)
	// Two spellings of the target itself, which has an apostrophe, and six of
	// each other order.
	if got := len(slices.Compact(targets)); got > maxQueries || got < 24*5 {
		t.Errorf("%d queries are tried", got)
	}
}
