package flexfn

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"
)

// signatureVector is a request of testdata/signatures.json.
type signatureVector struct {
	ID, AuthToken, URL, Signature string
	Request                       struct {
		Method, URL string
		Headers     map[string]string
		Body        string
		BodyBase64  []byte
		RemoteAddr  string
	}
	Server struct {
		AuthToken, PublicURL, AddedPathPrefix string
		PreviousAuthTokens                    []string
		Subaccounts                           map[string][]string
		Trust                                 struct {
			XForwarded, Forwarded []string
			XForwardedAnyone      bool
		}
	}
	Expected string
}

func signatureVectors(t testing.TB) []signatureVector {
	data, err := os.ReadFile("testdata/signatures.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Vectors []signatureVector }
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Vectors) < 150 {
		t.Fatalf("only %d vectors", len(file.Vectors))
	}
	return file.Vectors
}

func (v signatureVector) body() []byte {
	if v.Request.BodyBase64 != nil {
		return v.Request.BodyBase64
	}
	return []byte(v.Request.Body)
}

func (v signatureVector) config() Config {
	c := Config{
		AccountSID: "AC" + strings.Repeat("a", 32), AuthToken: v.AuthToken,
		PublicURL: v.Server.PublicURL, AddedPathPrefix: v.Server.AddedPathPrefix, PreviousAuthTokens: v.Server.PreviousAuthTokens,
	}
	if v.Server.AuthToken != "" {
		c.AuthToken = v.Server.AuthToken
	}
	switch trust := v.Server.Trust; {
	case trust.XForwarded != nil:
		c.ProxyTrust = TrustXForwarded(trust.XForwarded...)
	case trust.Forwarded != nil:
		c.ProxyTrust = TrustForwarded(trust.Forwarded...)
	case trust.XForwardedAnyone:
		c.ProxyTrust = TrustXForwardedFromAnyone()
	}
	if v.Server.Subaccounts != nil {
		c.SubaccountAuthTokens = func(_ context.Context, sid string) ([]string, error) { return v.Server.Subaccounts[sid], nil }
	}
	return c
}

// request is what net/http would hand to a handler.
func (v signatureVector) request(t testing.TB) *http.Request {
	origin, target, ok := splitURL(v.Request.URL)
	if !ok {
		t.Fatalf("%s: cannot split %s", v.ID, v.Request.URL)
	}
	target, _, _ = strings.Cut(target, "#")
	r := &http.Request{
		Method: v.Request.Method, Host: origin.host + origin.port, RequestURI: target,
		RemoteAddr: v.Request.RemoteAddr, Header: http.Header{signatureHeader: {v.Signature}},
	}
	r.URL, _ = url.ParseRequestURI(target)
	switch origin.scheme {
	case "wss":
		r.Header.Set("Upgrade", "websocket")
		fallthrough
	case "https":
		r.TLS = &tls.ConnectionState{}
	}
	for name, value := range v.Request.Headers {
		r.Header.Set(name, value)
	}
	return r
}

func (v signatureVector) verifier(t testing.TB) *signatureVerifier {
	verifier, err := newSignatureVerifier(v.config())
	if err != nil {
		t.Fatalf("%s: %v", v.ID, err)
	}
	return verifier
}

func TestSignatureVectors(t *testing.T) {
	for _, v := range signatureVectors(t) {
		t.Run(v.ID, func(t *testing.T) {
			err := v.verifier(t).verify(v.request(t), v.body())
			if (err == nil) != (v.Expected == "accept") {
				t.Errorf("expected %s, got %v", v.Expected, err)
			}
			if err != nil {
				checkNoSecrets(t, err.Error(), v)
			}
		})
	}
}

// checkNoSecrets looks in an error for what no log may hold.
func checkNoSecrets(t *testing.T, text string, v signatureVector) {
	t.Helper()
	secrets := []string{v.AuthToken, Signature(v.AuthToken, v.URL, v.Request.Headers["Content-Type"], v.body())}
	if v.Signature != "" {
		secrets = append(secrets, v.Signature)
	}
	if form, err := url.ParseQuery(string(v.body())); err == nil {
		for values := range maps.Values(form) {
			secrets = append(secrets, values...)
		}
	}
	_, query, _ := strings.Cut(v.Request.URL, "?")
	for pair := range strings.SplitSeq(query, "&") {
		_, value, _ := strings.Cut(pair, "=")
		secrets = append(secrets, value)
	}
	for _, secret := range secrets {
		if len(secret) > 3 && strings.Contains(text, secret) {
			t.Errorf("the error holds %q: %s", secret, text)
		}
	}
}

// TestSignatureFromWire sends vectors through net/http, which must not change
// a byte that is signed.
func TestSignatureFromWire(t *testing.T) {
	vectors := signatureVectors(t)
	byID := map[string]signatureVector{}
	for _, v := range vectors {
		byID[v.ID] = v
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body bytes.Buffer
		body.ReadFrom(r.Body)
		v := byID[r.Header.Get("Vector")]
		if err := v.verifier(t).verify(r, body.Bytes()); err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
		}
	}))
	defer server.Close()
	sent := 0
	for _, v := range vectors {
		origin, target, _ := splitURL(v.Request.URL)
		target, _, _ = strings.Cut(target, "#")
		if v.Expected != "accept" || origin.scheme == "wss" || v.Request.RemoteAddr != "" || v.Request.Headers["Upgrade"] != "" {
			continue
		}
		if strings.HasPrefix(target, "//") {
			continue // the client cannot send it
		}
		r, err := http.NewRequest(v.Request.Method, server.URL, bytes.NewReader(v.body()))
		if err != nil {
			t.Fatal(err)
		}
		r.URL.Opaque, r.Host = target, origin.host+origin.port // goes out as it is
		for name, value := range v.Request.Headers {
			r.Header.Set(name, value)
		}
		r.Header.Set(signatureHeader, v.Signature)
		r.Header.Set("Vector", v.ID)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", v.ID, response.Status)
		}
		sent++
	}
	if sent < 150 {
		t.Errorf("only %d requests were sent", sent)
	}
}

// TestSignatureTampering changes one byte after another of every accepted
// vector: of the path and query, the host, the body, the signature, the
// content type.
func TestSignatureTampering(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	changes := 0
	for _, v := range signatureVectors(t) {
		if v.Expected != "accept" {
			continue
		}
		verifier := v.verifier(t)
		refused := func(what string, r *http.Request, body []byte) {
			t.Helper()
			changes++
			if verifier.verify(r, body) == nil {
				t.Errorf("%s: accepted with %s changed", v.ID, what)
			}
		}
		// At most 40 places are tried in a long text.
		places := func(s string) []int {
			list := random.Perm(len(s))
			return list[:min(len(list), 40)]
		}

		for _, i := range places(v.Signature) {
			r := v.request(t)
			r.Header.Set(signatureHeader, flip(v.Signature, i, random))
			refused(fmt.Sprintf("byte %d of the signature", i), r, v.body())
		}
		target := v.request(t).RequestURI
		for _, i := range places(target) {
			r := v.request(t)
			r.RequestURI = flip(target, i, random)
			if v.Server.AddedPathPrefix != "" && i < len(v.Server.AddedPathPrefix) {
				continue // not part of what Twilio called
			}
			if i == 0 {
				continue // a target begins with a slash
			}
			refused(fmt.Sprintf("byte %d of the target, now %q,", i, r.RequestURI), r, v.body())
		}
		if v.Server.PublicURL == "" && v.Server.Trust.XForwarded == nil && v.Server.Trust.Forwarded == nil && !v.Server.Trust.XForwardedAnyone {
			host := v.request(t).Host
			name, _, _ := splitHost(host)
			for i := range len(name) {
				r := v.request(t)
				r.Host = flip(host, i, random)
				refused(fmt.Sprintf("byte %d of the host", i), r, v.body())
			}
		}
		body := string(v.body())
		form := isForm(v.Request.Headers["Content-Type"])
		for _, i := range places(body) {
			changed := flip(body, i, random)
			if form && bodyHash(target) == "" && bytes.Equal(signedForm(body), signedForm(changed)) {
				continue // the same parameters in other words, such as %2b for %2B
			}
			refused(fmt.Sprintf("byte %d of the body", i), v.request(t), []byte(changed))
		}
		if body != "" {
			r := v.request(t)
			r.Method = http.MethodGet
			r.Header.Del("Content-Type")
			if len(signedForm(body)) > 0 || !form {
				refused("the body removed", r, nil)
			}
			refused("the body doubled", v.request(t), []byte(body+"&"+body+"x"))
		}
		if bodyHash(target) == "" {
			for _, contentType := range []string{"application/json", "text/plain", "multipart/form-data; boundary=x", ""} {
				r := v.request(t)
				r.Header.Set("Content-Type", contentType)
				refused("a body in place of what was signed", r, []byte(`{"a":"b"}`))
				if body != "" {
					refused("the content type", r, []byte(body))
				}
			}
		}
		if form && body != "" {
			for pair := range strings.SplitSeq(body, "&") {
				name, value, _ := strings.Cut(pair, "=")
				for what, change := range map[string]string{
					"a parameter removed": strings.Replace(body, pair, "", 1),
					"a parameter renamed": strings.Replace(body, pair, name+"x="+value+"y", 1),
					"a value changed":     strings.Replace(body, pair, pair+"x", 1),
					"a parameter added":   body + "&" + name + "=" + value + "x",
				} {
					if bytes.Equal(signedForm(body), signedForm(change)) {
						continue
					}
					refused(what, v.request(t), []byte(change))
				}
				if random.IntN(4) == 0 {
					break // long forms have many
				}
			}
		}
	}
	t.Logf("%d changes refused", changes)
}

// flip changes the byte at i into another one.
func flip(s string, i int, random *rand.Rand) string {
	b := []byte(s)
	b[i] ^= 1 << random.IntN(7)
	return string(b)
}

// signedForm is the part of what is signed that a form gives; nil when it is
// not a form.
func signedForm(body string) []byte {
	s := new(signed)
	if s.readForm([]byte(body)) != nil {
		return nil
	}
	return s.form
}

// FuzzSignature has Twilio sign one text and a stranger send a request with
// that signature. It is accepted only when what another computation, by
// net/url and utf16, makes of the request is that text; and it is accepted
// when it is Twilio's own request.
func FuzzSignature(f *testing.F) {
	const token = "a0b1c2d3"
	for i, v := range signatureVectors(f) {
		// One in four will do: each seed costs time before fuzzing begins.
		if i%4 == 0 && v.Server.PublicURL == "" && len(v.body()) < 500 {
			contentType := v.Request.Headers["Content-Type"]
			form, _ := formByUTF16(contentType, v.body())
			f.Add(v.Request.URL+form, v.Request.URL, contentType, v.body())
		}
	}
	verifier, err := newSignatureVerifier(Config{AuthToken: token, ProxyTrust: TrustXForwardedFromAnyone()})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text, address, contentType string, body []byte) {
		mac := hmac.New(sha1.New, []byte(token))
		mac.Write([]byte(text))
		signature := base64.StdEncoding.EncodeToString(mac.Sum(nil))

		accepted := ValidSignature(token, signature, address, contentType, body)
		form, isTaken := formByUTF16(contentType, body)
		if accepted {
			url, ok := strings.CutSuffix(text, form)
			if !ok || !isTaken || !sameFunction(url, address) || !vouchedFor(address, contentType, body) {
				t.Fatalf("the signature of %q was accepted", text)
			}
		} else if text == address+form && isTaken && isAddress(address) && vouchedFor(address, contentType, body) {
			t.Fatal("Twilio's own request was refused")
		}
		if ValidSignature(token+"x", signature, address, contentType, body) || ValidSignature("", signature, address, contentType, body) {
			t.Fatal("accepted with another token")
		}

		// The same over HTTP, where the target is what came and everything
		// else may be a stranger's.
		_, target, ok := splitURL(address)
		if !ok {
			target = address
		}
		for _, target := range []string{target, address} {
			r := &http.Request{Method: "POST", Host: address, URL: &url.URL{Path: address, RawQuery: target}, RequestURI: target, Header: http.Header{
				signatureHeader: {signature}, "Content-Type": {contentType}, "X-Forwarded-Host": {address}, "X-Forwarded-Proto": {contentType}, "Upgrade": {contentType},
			}}
			if verifier.verify(r, body) == nil {
				url, ok := strings.CutSuffix(text, form)
				if !ok || !isTaken || !strings.HasSuffix(url, requestTarget(r)) || !vouchedFor(url, contentType, body) {
					t.Fatalf("the signature of %q was accepted for %q", text, target)
				}
			}
		}
	})
}

// formByUTF16 is what Twilio appends to the URL, computed without our code,
// and whether the body can be taken as what the content type says.
func formByUTF16(contentType string, body []byte) (form string, ok bool) {
	if media, _, _ := strings.Cut(contentType, ";"); !strings.EqualFold(strings.TrimSpace(media), "application/x-www-form-urlencoded") {
		return "", true
	}
	type pair struct{ name, value string }
	var pairs []pair
	valid := true
	for item := range strings.SplitSeq(string(body), "&") {
		if item == "" {
			continue
		}
		name, value, _ := strings.Cut(item, "=")
		name, err1 := url.QueryUnescape(name)
		value, err2 := url.QueryUnescape(value)
		if err1 != nil || err2 != nil {
			return "", false
		}
		valid = valid && utf8.ValidString(name) && utf8.ValidString(value)
		pairs = append(pairs, pair{name, value})
	}
	compare := func(a, b string) int {
		if !valid { // Twilio knows no order of what is no UTF-8
			return compareUTF16([]byte(a), []byte(b))
		}
		return slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b)))
	}
	slices.SortFunc(pairs, func(a, b pair) int { return cmp.Or(compare(a.name, b.name), compare(a.value, b.value)) })
	for i, p := range pairs {
		if i == 0 || p.name != pairs[i-1].name || p.value != pairs[i-1].value {
			form += p.name + p.value
		}
	}
	return form, len(pairs) <= maxParameters
}

// vouchedFor reports whether the signature covers the body: it is a form or
// nothing, or the query has its hash.
func vouchedFor(address, contentType string, body []byte) bool {
	address, _, _ = strings.Cut(address, "#")
	_, query, _ := strings.Cut(address, "?")
	for item := range strings.SplitSeq(query, "&") {
		if value, ok := strings.CutPrefix(item, "bodySHA256="); ok && value != "" {
			return value == fmt.Sprintf("%x", sha256.Sum256(body))
		} else if item == "bodySHA256" || ok {
			break // the first one counts
		}
	}
	return len(body) == 0 || isForm(contentType)
}

var addressParts = regexp.MustCompile(`(?s)^(https?|wss?)://(?:[^/?#]*@)?([^/?#@]*?)(?::[0-9]{1,5})?((?:[/?][^#]*)?)(?:#.*)?$`)

func isAddress(address string) bool {
	_, _, ok := splitURL(address)
	return ok
}

// sameFunction reports whether two addresses differ in no more than port,
// user and fragment.
func sameFunction(a, b string) bool {
	x, y := addressParts.FindStringSubmatch(a), addressParts.FindStringSubmatch(b)
	return x != nil && y != nil && slices.Equal(x[1:], y[1:])
}

// FuzzForm compares our form with one that is taken apart by net/url,
// wherever that accepts it.
func FuzzForm(f *testing.F) {
	for _, v := range signatureVectors(f) {
		if isForm(v.Request.Headers["Content-Type"]) && len(v.body()) < 2000 {
			f.Add(v.Request.Body)
		}
	}
	f.Fuzz(func(t *testing.T, body string) {
		values, err := url.ParseQuery(body)
		if err != nil || len(values) > 500 {
			return
		}
		got := string(signedForm(body))
		var names []string
		var total int
		for name, list := range values {
			names = append(names, name)
			total += len(list)
		}
		if total > maxParameters {
			return
		}
		byUTF16 := func(a, b string) int { return compareUTF16([]byte(a), []byte(b)) }
		slices.SortFunc(names, byUTF16)
		var want strings.Builder
		for _, name := range names {
			list := slices.Clone(values[name])
			slices.SortFunc(list, byUTF16)
			for _, value := range slices.Compact(list) {
				want.WriteString(name + value)
			}
		}
		if got != want.String() {
			t.Fatalf("got %q, want %q", got, want.String())
		}
	})
}

func TestSignatureMustBeThere(t *testing.T) {
	v, err := newSignatureVerifier(Config{})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("GET", "https://example.com/x", nil)
	for _, signature := range []string{"", "x", Signature("", "https://example.com/x", "", nil)} {
		r.Header.Set(signatureHeader, signature)
		if v.verify(r, nil) == nil {
			t.Errorf("signature %q was accepted by a verifier without a token", signature)
		}
	}
}

func TestSignatureExplains(t *testing.T) {
	form := "AccountSid=AC" + strings.Repeat("b", 32) + "&From=%2B15005550006"
	for _, c := range []struct {
		name   string
		config Config
		change func(*http.Request)
		body   string
		want   []string
	}{
		{name: "nothing set", want: []string{`"https://functions.example.com/x?…"`, `"http://functions.example.com/x?…"`, "set PUBLIC_URL"}},
		{name: "public URL", config: Config{PublicURL: "https://user:secret@public.example.com/prod#rc=3"},
			want: []string{`"https://(user)@public.example.com/prod/x?…"`, "correct PUBLIC_URL"}},
		{name: "not believed", change: func(r *http.Request) { r.Header.Set("X-Forwarded-Host", "y.example") },
			want: []string{"are not believed", "FLEXFN_TRUSTED_PROXIES"}},
		{name: "sub-account", body: form, want: []string{"SubaccountAuthTokens"}},
		{name: "no header", change: func(r *http.Request) { r.Header.Del(signatureHeader) }, want: []string{"has no X-Twilio-Signature"}},
		{name: "host is no host", change: func(r *http.Request) { r.Host = "a/b" }, want: []string{"not a host's name"}},
		{name: "number in the path", change: func(r *http.Request) { r.RequestURI = "/call/+15005550006" }, want: []string{"(number)"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.config.AuthToken = "a0b1c2d3"
			v, err := newSignatureVerifier(c.config)
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest("POST", "http://functions.example.com/x?From=%2B15005550006", nil)
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set(signatureHeader, "AAAAAAAAAAAAAAAAAAAAAAAAAAA=")
			if c.change != nil {
				c.change(r)
			}
			err = v.verify(r, []byte(c.body))
			if err == nil {
				t.Fatal("accepted")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("no %q in: %v", want, err)
				}
			}
			for _, secret := range []string{"15005550006", "secret", "rc=3", c.config.AuthToken} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("%q in: %v", secret, err)
				}
			}
		})
	}
}

func TestSubaccountTokensUnavailable(t *testing.T) {
	outage := errors.New("the store is down")
	asked := 0
	v, err := newSignatureVerifier(Config{
		AccountSID: "AC" + strings.Repeat("a", 32), AuthToken: "a0b1c2d3",
		SubaccountAuthTokens: func(context.Context, string) ([]string, error) { asked++; return nil, outage },
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		sid   string
		asked bool
	}{
		{"AC" + strings.Repeat("b", 32), true},
		{"AC" + strings.Repeat("a", 32), false}, // ours
		{"AC../../x", false},
		{"", false},
	} {
		asked = 0
		r := httptest.NewRequest("GET", "https://example.com/x?AccountSid="+c.sid, nil)
		r.Header.Set(signatureHeader, "AAAAAAAAAAAAAAAAAAAAAAAAAAA=")
		err = v.verify(r, nil)
		if err == nil {
			t.Fatal("accepted")
		}
		if got := errors.Is(err, errAuthTokens) && errors.Is(err, outage); got != c.asked || (asked == 1) != c.asked {
			t.Errorf("%q: asked %d times: %v", c.sid, asked, err)
		}
	}
}

func TestSignatureSettings(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"PUBLIC_URL", "functions.example.com", "PUBLIC_URL: it is not a base URL"},
		{"PUBLIC_URL", "wss://functions.example.com", "PUBLIC_URL: it is not a base URL"},
		{"PUBLIC_URL", "https://functions.example.com?x=1", "PUBLIC_URL: it is not a base URL"},
		{"PUBLIC_URL", "https://", "PUBLIC_URL: it is not a base URL"},
		{"PUBLIC_URL", "https://functions.example.com/prod#rc=2", ""},
		{"PUBLIC_URL", "https://user:pass@[::1]:8443", ""},
		{"FLEXFN_ADDED_PATH_PREFIX", "internal", "FLEXFN_ADDED_PATH_PREFIX"},
		{"FLEXFN_ADDED_PATH_PREFIX", "/", "FLEXFN_ADDED_PATH_PREFIX"},
		{"FLEXFN_ADDED_PATH_PREFIX", "/a/b", ""},
		{"FLEXFN_TRUSTED_PROXIES", "", "no trusted proxy is named"},
		{"FLEXFN_TRUSTED_PROXIES", "all", `"all" is not an address`},
		{"FLEXFN_TRUSTED_PROXIES", "10.0.0.1/8", "write 10.0.0.0/8"},
		{"FLEXFN_TRUSTED_PROXIES", "::ffff:10.0.0.0/104", "write it as IPv4"},
		{"FLEXFN_TRUSTED_PROXIES", "10.0.0.0/8, ::1", ""},
		{"FLEXFN_TRUSTED_PROXIES", "anyone", ""},
		{"FLEXFN_PREVIOUS_AUTH_TOKENS", "0123abc, 'x'", "FLEXFN_PREVIOUS_AUTH_TOKENS"},
		{"FLEXFN_PREVIOUS_AUTH_TOKENS", "0123abc,def", ""},
	} {
		c2 := FromLookup(func(name string) (string, bool) {
			switch name {
			case "ACCOUNT_SID":
				return "AC" + strings.Repeat("a", 32), true
			case "AUTH_TOKEN":
				return "a0b1c2d3", true
			}
			return c.value, name == c.name
		})
		_, err := New(c2)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s=%q: %v", c.name, c.value, err)
		}
	}
}

func TestFormLimits(t *testing.T) {
	body := strings.Repeat("a=1&", maxParameters)
	if err := new(signed).readForm([]byte(body)); err != nil {
		t.Error(err)
	}
	if err := new(signed).readForm([]byte(body + "b=2")); !errors.Is(err, errFormTooLarge) {
		t.Error(err)
	}
	for _, broken := range []string{"a=%", "a=%4", "%zz", "a=%4g", "a=1&b=%"} {
		if err := new(signed).readForm([]byte(broken)); !errors.Is(err, errFormSyntax) {
			t.Errorf("%q: %v", broken, err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	for _, v := range signatureVectors(b) {
		switch v.ID {
		case "form-sms-12-parameters", "json-plain", "get-plain":
			b.Run("request="+v.ID, func(b *testing.B) {
				verifier, r, body := v.verifier(b), v.request(b), v.body()
				b.ReportAllocs()
				for b.Loop() {
					if err := verifier.verify(r, body); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
