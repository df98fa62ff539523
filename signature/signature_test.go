package signature

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
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
	"sync"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/flexfn/flexfn/internal/form"
	"github.com/flexfn/flexfn/internal/testing/blind"
)

// signatureVector is one request in testdata/signatures.json.
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
		AccountSID: "AC" + strings.Repeat("a", 32),
		AuthTokens: append([]string{cmp.Or(v.Server.AuthToken, v.AuthToken)}, v.Server.PreviousAuthTokens...),
		PublicURL:  v.Server.PublicURL, AddedPathPrefix: v.Server.AddedPathPrefix,
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

// request returns the request as net/http would pass it to a handler.
func (v signatureVector) request(t testing.TB) *http.Request {
	origin, target, ok := splitURL(v.Request.URL)
	if !ok {
		t.Fatalf("%s: cannot split %s", v.ID, v.Request.URL)
	}
	target, _, _ = strings.Cut(target, "#")
	r := &http.Request{
		Method: v.Request.Method, Host: origin.host + origin.port, RequestURI: target,
		RemoteAddr: v.Request.RemoteAddr, Header: http.Header{Header: {v.Signature}},
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

func (v signatureVector) verifier(t testing.TB) *Verifier {
	verifier, err := New(v.config())
	if err != nil {
		t.Fatalf("%s: %v", v.ID, err)
	}
	return verifier
}

func TestSignatureVectors(t *testing.T) {
	for _, v := range signatureVectors(t) {
		t.Run(v.ID, func(t *testing.T) {
			_, err := v.verifier(t).Verify(context.Background(), v.request(t), v.body())
			if (err == nil) != (v.Expected == "accept") {
				t.Errorf("expected %s, got %v", v.Expected, err)
			}
			if err != nil {
				checkNoSecrets(t, err.Error(), v)
			}
		})
	}
}

// checkNoSecrets checks that an error contains nothing that must not be logged.
func checkNoSecrets(t *testing.T, text string, v signatureVector) {
	t.Helper()
	secrets := []string{v.AuthToken, Sign(v.AuthToken, v.URL, v.Request.Headers["Content-Type"], v.body())}
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
// any signed byte.
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
		if _, err := v.verifier(t).Verify(context.Background(), r, body.Bytes()); err != nil {
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
		r.URL.Opaque, r.Host = target, origin.host+origin.port // sent unchanged
		for name, value := range v.Request.Headers {
			r.Header.Set(name, value)
		}
		r.Header.Set(Header, v.Signature)
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

// TestSignatureTampering changes each byte of every accepted vector in turn:
// path, query, host, body, signature and content type.
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
			if _, err := verifier.Verify(context.Background(), r, body); err == nil {
				t.Errorf("%s: accepted with %s changed", v.ID, what)
			}
		}
		// In a long text, at most 40 places are changed.
		places := func(s string) []int {
			list := random.Perm(len(s))
			return list[:min(len(list), 40)]
		}

		for _, i := range places(v.Signature) {
			r := v.request(t)
			r.Header.Set(Header, flip(v.Signature, i, random))
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
				continue // a target starts with a slash
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
		isForm := form.Is(v.Request.Headers["Content-Type"])
		for _, i := range places(body) {
			changed := flip(body, i, random)
			if isForm && bodyHash(target) == "" && bytes.Equal(signedForm(body), signedForm(changed)) {
				continue // the same parameters, such as %2b for %2B
			}
			refused(fmt.Sprintf("byte %d of the body", i), v.request(t), []byte(changed))
		}
		if body != "" {
			r := v.request(t)
			r.Method = http.MethodGet
			r.Header.Del("Content-Type")
			if len(signedForm(body)) > 0 || !isForm {
				refused("the body removed", r, nil)
			}
			refused("the body doubled", v.request(t), []byte(body+"&"+body+"x"))
		}
		if bodyHash(target) == "" {
			for _, contentType := range []string{"application/json", "text/plain", "multipart/form-data; boundary=x", ""} {
				r := v.request(t)
				r.Header.Set("Content-Type", contentType)
				refused("another body than the signed one", r, []byte(`{"a":"b"}`))
				if body != "" {
					refused("the content type", r, []byte(body))
				}
			}
		}
		if isForm && body != "" {
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

// flip changes the byte at i.
func flip(s string, i int, random *rand.Rand) string {
	b := []byte(s)
	b[i] ^= 1 << random.IntN(7)
	return string(b)
}

// signedForm returns what a form contributes to the signed text; nil if it is
// not a form.
func signedForm(body string) []byte {
	s := new(signed)
	pairs, err := form.Append(nil, body)
	if err != nil {
		return nil
	}
	s.setForm(pairs)
	return s.form
}

// FuzzSignature has Twilio sign one text and a stranger send a request with that
// signature. The request is accepted only if an independent computation, with
// net/url and utf16, yields the signed text. Twilio's own request is always
// accepted.
func FuzzSignature(f *testing.F) {
	const token = "a0b1c2d3"
	for i, v := range signatureVectors(f) {
		// A quarter of the vectors is enough, since each seed costs time before
		// fuzzing starts.
		if i%4 == 0 && v.Server.PublicURL == "" && len(v.body()) < 500 {
			contentType := v.Request.Headers["Content-Type"]
			form, _ := formByUTF16(contentType, v.body())
			f.Add(v.Request.URL+form, v.Request.URL, contentType, v.body())
		}
	}
	verifier, err := New(Config{AuthTokens: []string{token}, ProxyTrust: TrustXForwardedFromAnyone()})
	if err != nil {
		f.Fatal(err)
	}
	blind.Fuzz(f, func(t *testing.T, text, address, contentType string, body []byte) {
		mac := hmac.New(sha1.New, []byte(token))
		mac.Write([]byte(text))
		signature := base64.StdEncoding.EncodeToString(mac.Sum(nil))

		accepted := Valid(token, signature, address, contentType, body)
		form, isTaken := formByUTF16(contentType, body)
		if accepted {
			url, ok := strings.CutSuffix(text, form)
			if !ok || !isTaken || !sameFunction(url, address) || !vouchedFor(address, contentType, body) {
				t.Fatalf("the signature of %q was accepted", text)
			}
		} else if text == address+form && isTaken && isAddress(address) && vouchedFor(address, contentType, body) {
			t.Fatal("Twilio's own request was refused")
		}
		if Valid(token+"x", signature, address, contentType, body) || Valid("", signature, address, contentType, body) {
			t.Fatal("accepted with another token")
		}

		// The same over HTTP: target is the one that was received, and a
		// stranger may have sent everything else.
		_, target, ok := splitURL(address)
		if !ok {
			target = address
		}
		for _, target := range []string{target, address} {
			r := &http.Request{Method: "POST", Host: address, URL: &url.URL{Path: address, RawQuery: target}, RequestURI: target, Header: http.Header{
				Header: {signature}, "Content-Type": {contentType}, "X-Forwarded-Host": {address}, "X-Forwarded-Proto": {contentType}, "Upgrade": {contentType},
			}}
			if _, err := verifier.Verify(context.Background(), r, body); err == nil {
				url, ok := strings.CutSuffix(text, form)
				if !ok || !isTaken || !strings.HasSuffix(bareQuotes(url), bareQuotes(requestTarget(r))) || !vouchedFor(url, contentType, body) {
					t.Fatalf("the signature of %q was accepted for %q", text, target)
				}
			}
		}
	})
}

// formByUTF16 computes, without the package's code, what Twilio appends to the
// URL, and whether the body is valid for its content type.
func formByUTF16(contentType string, body []byte) (text string, ok bool) {
	if media, _, _ := strings.Cut(contentType, ";"); !strings.EqualFold(strings.TrimSpace(media), "application/x-www-form-urlencoded") {
		return "", true
	}
	type pair struct{ name, value string }
	var pairs []pair
	valid := true
	for item := range strings.SplitSeq(string(form.TrimBOM(body)), "&") {
		if item == "" {
			continue
		}
		name, value, _ := strings.Cut(item, "=")
		name, value = unescape(name), unescape(value)
		valid = valid && utf8.ValidString(name) && utf8.ValidString(value)
		pairs = append(pairs, pair{name, value})
	}
	compare := func(a, b string) int {
		if !valid { // Twilio defines no order for invalid UTF-8
			return compareUTF16(a, b)
		}
		return slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b)))
	}
	slices.SortFunc(pairs, func(a, b pair) int { return cmp.Or(compare(a.name, b.name), compare(a.value, b.value)) })
	for i, p := range pairs {
		if i == 0 || p.name != pairs[i-1].name || p.value != pairs[i-1].value {
			text += p.name + p.value
		}
	}
	return text, len(pairs) <= form.MaxPairs
}

// unescape decodes escapes and keeps everything else.
func unescape(s string) string {
	return escapes.ReplaceAllStringFunc(strings.ReplaceAll(s, "+", " "), func(escape string) string {
		decoded, _ := hex.DecodeString(escape[1:])
		return string(decoded)
	})
}

var escapes = regexp.MustCompile(`%[0-9a-fA-F]{2}`)

// vouchedFor reports whether the signature covers the body, because it is
// empty, a form, or hashed in the query.
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
	return len(body) == 0 || form.Is(contentType)
}

var addressParts = regexp.MustCompile(`(?s)^(https?|wss?)://(?:[^/?#]*@)?([^/?#@]*?)(?::[0-9]{1,5})?((?:[/?][^#]*)?)(?:#.*)?$`)

func isAddress(address string) bool {
	_, _, ok := splitURL(address)
	return ok
}

// sameFunction reports whether two URLs differ only in port, user and fragment.
func sameFunction(a, b string) bool {
	x, y := addressParts.FindStringSubmatch(bareQuotes(a)), addressParts.FindStringSubmatch(bareQuotes(b))
	return x != nil && y != nil && slices.Equal(x[1:], y[1:])
}

// bareQuotes returns a URL with the apostrophes of its query not escaped, which
// Twilio signs in one way and may send in the other.
func bareQuotes(address string) string {
	before, query, ok := strings.Cut(address, "?")
	if !ok {
		return address
	}
	return before + "?" + strings.ReplaceAll(query, "%27", "'")
}

// FuzzForm compares the package's form parser with net/url on every input that
// net/url accepts.
func FuzzForm(f *testing.F) {
	for _, v := range signatureVectors(f) {
		if form.Is(v.Request.Headers["Content-Type"]) && len(v.body()) < 2000 {
			f.Add(v.Request.Body)
		}
	}
	blind.Fuzz(f, func(t *testing.T, body string) {
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
		if total > form.MaxPairs {
			return
		}
		slices.SortFunc(names, compareUTF16)
		var want strings.Builder
		for _, name := range names {
			list := slices.Clone(values[name])
			slices.SortFunc(list, compareUTF16)
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
	for _, tokens := range [][]string{nil, {""}, {"a0b1c2d3", ""}} {
		if _, err := New(Config{AuthTokens: tokens}); err == nil {
			t.Errorf("New accepted the tokens %q", tokens)
		}
	}
	v, err := New(Config{AuthTokens: []string{"a0b1c2d3"}})
	if err != nil {
		t.Fatal(err)
	}
	if Valid("", Sign("", "https://example.com/x", "", nil), "https://example.com/x", "", nil) {
		t.Error("a signature with an empty token is valid")
	}
	r := httptest.NewRequest("GET", "https://example.com/x", nil)
	for _, signature := range []string{"", "x", Sign("", "https://example.com/x", "", nil)} {
		r.Header.Set(Header, signature)
		if _, err := v.Verify(context.Background(), r, nil); err == nil {
			t.Errorf("signature %q was accepted", signature)
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
		{name: "nothing set", want: []string{
			`for "https://functions.example.com/x?…", "https://functions.example.com:443/x?…", "http://functions.example.com/x?…", "http://functions.example.com:80/x?…"; if Twilio`,
			"set PUBLIC_URL to its beginning"}},
		{name: "public URL", config: Config{PublicURL: "https://user:secret@public.example.com/prod#rc=3"},
			want: []string{`"https://(user)@public.example.com/prod/x?…"`, "correct PUBLIC_URL"}},
		{name: "not trusted", change: func(r *http.Request) { r.Header.Set("X-Forwarded-Host", "y.example") },
			want: []string{"are not trusted", "FLEXFN_TRUSTED_PROXIES"}},
		{name: "not needed", config: Config{PublicURL: "https://public.example.com"}, change: func(r *http.Request) { r.Header.Set("X-Forwarded-Host", "y.example") },
			want: []string{"correct PUBLIC_URL"}},
		{name: "trusted", config: Config{ProxyTrust: TrustXForwardedFromAnyone()}, change: func(r *http.Request) { r.Header.Set("Forwarded", "host=y.example") },
			want: []string{"if Twilio calls another URL, set PUBLIC_URL"}},
		{name: "sub-account", body: form, want: []string{"set Config.SubaccountAuthTokens if it may call"}},
		{name: "sub-account's wrong token", body: form, config: Config{SubaccountAuthTokens: func(context.Context, string) ([]string, error) { return []string{"", "f0"}, nil }},
			want: []string{"Config.SubaccountAuthTokens returned no matching token"}},
		{name: "main account", config: Config{AccountSID: "AC" + strings.Repeat("b", 32)}, body: form, want: []string{"if Twilio calls another URL, set PUBLIC_URL"}},
		{name: "apostrophes", change: func(r *http.Request) { r.RequestURI = "/x?a=%27'" }, want: []string{`…", and with the query written in other ways; if`}},
		{name: "long path", change: func(r *http.Request) { r.RequestURI = "/" + strings.Repeat("x", 199) }, want: []string{`xxx", "`}},
		{name: "longer path", change: func(r *http.Request) { r.RequestURI = "/" + strings.Repeat("x", 200) }, want: []string{`xxx…", "`}},
		{name: "no header", change: func(r *http.Request) { r.Header.Del(Header) }, want: []string{"has no X-Twilio-Signature"}},
		{name: "host is not a host", change: func(r *http.Request) { r.Host = "a/b" }, want: []string{"not a host name"}},
		{name: "number in the path", change: func(r *http.Request) { r.RequestURI = "/call/+15005550006" }, want: []string{"(number)"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.config.AuthTokens = []string{"a0b1c2d3"}
			v, err := New(c.config)
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest("POST", "http://functions.example.com/x?From=%2B15005550006", nil)
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set(Header, "AAAAAAAAAAAAAAAAAAAAAAAAAAA=")
			if c.change != nil {
				c.change(r)
			}
			_, err = v.Verify(context.Background(), r, []byte(c.body))
			if err == nil {
				t.Fatal("accepted")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("no %q in: %v", want, err)
				}
			}
			for _, secret := range []string{"15005550006", "secret", "rc=3", "a0b1c2d3"} {
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
	v, err := New(Config{
		AccountSID: "AC" + strings.Repeat("a", 32), AuthTokens: []string{"a0b1c2d3"},
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
		r.Header.Set(Header, "AAAAAAAAAAAAAAAAAAAAAAAAAAA=")
		_, err = v.Verify(context.Background(), r, nil)
		if err == nil {
			t.Fatal("accepted")
		}
		if got := errors.Is(err, ErrUnavailable) && errors.Is(err, outage); got != c.asked || (asked == 1) != c.asked {
			t.Errorf("%q: asked %d times: %v", c.sid, asked, err)
		}
	}
}

func TestFormLimits(t *testing.T) {
	body := strings.Repeat("a=1&", form.MaxPairs)
	if _, err := new(signed).read(form.MediaType, "/", []byte(body)); err != nil {
		t.Error(err)
	}
	if _, err := new(signed).read(form.MediaType, "/", []byte(body+"b=2")); !errors.Is(err, errFormTooLarge) {
		t.Error(err)
	}
}

// TestProofHasTheForm: the parameters are the signed ones, in the order in
// which they were sent.
func TestProofHasTheForm(t *testing.T) {
	v, err := New(Config{AccountSID: "AC" + strings.Repeat("a", 32), AuthTokens: []string{"a0b1c2d3"}})
	if err != nil {
		t.Fatal(err)
	}
	const body = "b=2&a=%2B1+%zz&&b=1&c"
	r := httptest.NewRequest("POST", "https://example.com/x", nil)
	r.Header.Set("Content-Type", form.MediaType)
	r.Header.Set(Header, Sign("a0b1c2d3", "https://example.com/x", form.MediaType, []byte(body)))
	proof, err := v.Verify(context.Background(), r, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	var got []form.Pair
	for name, value := range proof.Form() {
		got = append(got, form.Pair{Key: name, Value: value})
	}
	if want := []form.Pair{{Key: "b", Value: "2"}, {Key: "a", Value: "+1 %zz"}, {Key: "b", Value: "1"}, {Key: "c"}}; !slices.Equal(got, want) || proof.AccountSID != "AC"+strings.Repeat("a", 32) {
		t.Errorf("got %q of %s, want %q", got, proof.AccountSID, want)
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
					if _, err := verifier.Verify(context.Background(), r, body); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// TestVerifyConcurrently: one Verifier serves many requests at once.
func TestVerifyConcurrently(t *testing.T) {
	byToken := map[string]*Verifier{}
	var all sync.WaitGroup
	for _, v := range signatureVectors(t) {
		if v.Server.PublicURL != "" || v.Server.Trust.XForwarded != nil || v.Server.Trust.Forwarded != nil || v.Server.Trust.XForwardedAnyone || v.Server.Subaccounts != nil {
			continue
		}
		key := v.AuthToken + strings.Join(v.config().AuthTokens, "")
		if byToken[key] == nil {
			byToken[key] = v.verifier(t)
		}
		verifier, r := byToken[key], v.request(t)
		all.Go(func() {
			for range 10 {
				if _, err := verifier.Verify(context.Background(), r, v.body()); (err == nil) != (v.Expected == "accept") {
					t.Errorf("%s: expected %s, got %v", v.ID, v.Expected, err)
				}
			}
		})
	}
	all.Wait()
}

// TestChainedProxies: of several proxies in a row the last one is trusted. Its
// scheme is that of the hop before it.
func TestChainedProxies(t *testing.T) {
	for _, c := range []struct {
		proto, called string
		good          bool
	}{
		{"https,http", "https://functions.example.com/x", true},
		{"http, https", "https://functions.example.com/x", true},
		{"https", "https://functions.example.com/x", true},
		{"https, https", "http://functions.example.com/x", false},
		{"https,http", "https://other.example.com/x", false},
	} {
		for header, trust := range map[string]ProxyTrust{"X-Forwarded-Proto": TrustXForwardedFromAnyone(), "Forwarded": TrustForwarded("192.0.2.0/24")} {
			v, err := New(Config{AccountSID: "AC" + strings.Repeat("0", 32), AuthTokens: []string{"token"}, ProxyTrust: trust})
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest("GET", "/x", nil)
			r.Host = "functions.example.com"
			value := c.proto
			if header == "Forwarded" {
				value = strings.ReplaceAll(value, "http", "proto=http")
			}
			r.Header.Set(header, value)
			r.Header.Set(Header, Sign("token", c.called, "", nil))
			if _, err := v.Verify(t.Context(), r, nil); (err == nil) != c.good {
				t.Errorf("%s: %s, signed %s: %v", header, value, c.called, err)
			}
		}
	}
}

// TestCompareUTF16: texts are sorted by UTF-16 code units.
func TestCompareUTF16(t *testing.T) {
	texts := []string{"", "a", "ab", "b", "é", "\u1000", "\ud7ff", "\ue000", "\uefff", "\uf000", "\uffff", "\U00010000", "\U0010ffff", "a\ue000", "a\U00010000"}
	for _, a := range texts {
		for _, b := range texts {
			want := slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b)))
			if got := cmp.Compare(compareUTF16(a, b), 0); got != want {
				t.Errorf("%+q and %+q: %d, want %d", a, b, got, want)
			}
		}
	}
}

// TestLargeBuffersAreNotKept: one large request must not make the process keep
// its buffers.
func TestLargeBuffersAreNotKept(t *testing.T) {
	for _, large := range []*signed{{url: make([]byte, maxKeptBytes+1)}, {form: make([]byte, maxKeptBytes+1)}, {url: make([]byte, maxKeptBytes), form: make([]byte, 1)}} {
		large.release()
		for range 100 {
			if takeSigned() == large {
				t.Fatalf("buffers of %d and %d bytes are kept", cap(large.url), cap(large.form))
			}
		}
	}
}

// TestFaultsAreToldOnce: each fault is reported once.
func TestFaultsAreToldOnce(t *testing.T) {
	_, err := New(Config{AuthTokens: []string{"", ""}, SharedKeys: map[string]string{"one": "", "two": ""}})
	if err == nil || strings.Count(err.Error(), "AuthTokens") != 1 || strings.Count(err.Error(), "SharedKeys") != 1 {
		t.Error(err)
	}
}
