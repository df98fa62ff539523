// Package signature makes and checks the signatures by which Twilio proves
// that it sent a request (the header X-Twilio-Signature), and finds the URL
// that Twilio called if there are proxies in between. An app of package flexfn
// does all of this itself; the package is for servers, tests and tools without
// an app.
//
// # Checking
//
// A server makes one [Verifier] and checks each request with it before acting
// on the request:
//
//	verifier, err := signature.New(signature.Config{
//		AccountSID: accountSID,
//		AuthTokens: []string{authToken},
//		PublicURL:  "https://functions.example.com",
//	})
//	…
//	proof, err := verifier.Verify(r.Context(), r, body)
//	if err != nil {
//		log.Print(err)
//		http.Error(w, "forbidden", http.StatusForbidden)
//		return
//	}
//
// If the URL is known byte for byte, as in a test, use [Valid] instead.
//
// # What is signed
//
// Twilio signs the URL as it is written in Twilio, and either a form's
// parameters or, by a hash in the query, the body. It does not sign the method,
// the headers or the time. So anyone who has seen a signed request can send it
// again, and a handler must not base permissions on headers.
//
// See https://www.twilio.com/docs/usage/webhooks/webhooks-security.
package signature

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"slices"
	"strings"
	"sync"

	"github.com/flexfn/flexfn/internal/form"
)

// Header is the name of the header that carries the signature.
const Header = "X-Twilio-Signature"

// Sign returns the value that Twilio would send as X-Twilio-Signature: in base64,
// the HMAC-SHA1, keyed with the account's auth token, of
//   - url, followed by the names and values of a form's parameters, without
//     separators, sorted, each distinct value once; or
//   - url alone, if contentType is not that of a form. The url must then have
//     the parameter bodySHA256, which [AddBodyHash] adds.
//
// The url is the absolute one configured in Twilio, byte for byte, without
// fragment. A form with more than 1,000 parameters is signed as an empty one.
//
// Sign is for tests and tools that act as Twilio. To check a signature, use [Valid]
// or a [Verifier].
//
// A test signs what it sends:
//
//	r := httptest.NewRequest(http.MethodPost, url, strings.NewReader(form.Encode()))
//	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
//	r.Header.Set(signature.Header, signature.Sign(token, url, r.Header.Get("Content-Type"), []byte(form.Encode())))
func Sign(authToken, url, contentType string, body []byte) string {
	s := takeSigned()
	defer s.release()
	if form.Is(contentType) {
		if pairs, err := form.Append(nil, form.TrimBOM(string(body))); err == nil {
			s.setForm(pairs)
		}
	}
	s.url = append(s.url[:0], url...)
	m := newMAC(sha1.New, authToken)
	m.sign(s)
	return string(m.text[:m.length])
}

// AddBodyHash returns url with the parameter bodySHA256, the SHA-256 of body in
// hex, added to its query, as Twilio does before it signs a request whose body is
// not a form.
//
//	url = signature.AddBodyHash(url, body)
//	sum := signature.Sign(token, url, "application/json", body)
//
// If url already has the parameter, it gets a second one, and the first one
// counts.
func AddBodyHash(url string, body []byte) string {
	url, fragment, hasFragment := strings.Cut(url, "#")
	separator := "?"
	if strings.Contains(url, "?") {
		separator = "&"
	}
	sum := sha256.Sum256(body)
	url += separator + bodyHashName + "=" + hex.EncodeToString(sum[:])
	if hasFragment {
		url += "#" + fragment
	}
	return url
}

// Valid reports whether signature is Twilio's for a request to url with this body.
// The url is the absolute one that Twilio called, with path and query exactly as
// they were sent. A server behind a proxy often sees a different URL; a
// [Verifier] finds the right one. Valid tries the url with and without its
// port, since Twilio's services differ in that.
//
// If the body is not a form, the parameter bodySHA256 in the query must match it.
// With an empty authToken or signature the result is false. The comparison
// takes constant time.
//
// For requests that are signed with a SharedKey, or by a sub-account, use a
// Verifier.
func Valid(authToken, signature, url, contentType string, body []byte) bool {
	origin, target, ok := splitURL(url)
	if !ok || authToken == "" {
		return false
	}
	s := takeSigned()
	defer s.release()
	if _, err := s.read(contentType, target, body); err != nil {
		return false
	}
	target, origin.fragment, _ = strings.Cut(target, "#")
	s.urls = s.urls[:0]
	for _, t := range withApostrophes(target) {
		s.urls = origin.appendURLs(s.urls, t)
	}
	return newMAC(sha1.New, authToken).matches(s, signature)
}

const (
	encodedLength = 28 // base64 of SHA-1's 20 bytes
	sharedLength  = 44 // base64 of SHA-256's 32 bytes
	bodyHashName  = "bodySHA256"

	// maxKeptBytes is the size above which a buffer is not kept for the next
	// request.
	maxKeptBytes = 64 << 10
)

var (
	errFormTooLarge = fmt.Errorf("the form body has %w", form.ErrTooMany)
	errNoBodyHash   = errors.New("the body is not a form, and the query has no bodySHA256, so the signature does not cover it: in Twilio, send a form or JSON")
	errBodyHash     = errors.New("the body does not match bodySHA256 in the query: something on the way changed it")
)

// signed holds what one request's signature is computed over. It comes from a pool,
// since after the hash its buffers are the main cost of a check.
type signed struct {
	origins []calledOrigin
	urls    []calledURL
	url     []byte      // the URL being tried
	form    []byte      // the parameters, in the order and shape that is signed
	pairs   []form.Pair // to be sorted
}

var signedPool = sync.Pool{New: func() any { return new(signed) }}

// takeSigned takes an empty signed from the pool; give it back with release.
func takeSigned() *signed { return signedPool.Get().(*signed) }

// release empties s, so that no data of the request stays in it, and returns it
// to the pool unless its buffers are large.
func (s *signed) release() {
	clear(s.origins)
	clear(s.urls)
	clear(s.pairs)
	s.origins, s.urls, s.url = s.origins[:0], s.urls[:0], s.url[:0]
	s.form, s.pairs = s.form[:0], s.pairs[:0]
	if cap(s.form)+cap(s.url) <= maxKeptBytes {
		signedPool.Put(s)
	}
}

// read reads the signed part of the body, checks that the signature covers the
// whole body, and returns the parameters of a form. The content type itself is
// not signed, so each type has exactly one rule. Otherwise a signed JSON body
// could be sent again as a form, and text inside it would become parameters.
func (s *signed) read(contentType, target string, body []byte) ([]form.Pair, error) {
	want := bodyHash(target)
	isForm := form.Is(contentType)
	switch {
	case want != "":
		sum := sha256.Sum256(body)
		var text [2 * sha256.Size]byte
		hex.Encode(text[:], sum[:])
		if subtle.ConstantTimeCompare(text[:], []byte(want)) != 1 {
			return nil, errBodyHash
		}
	case len(body) > 0 && !isForm:
		return nil, errNoBodyHash
	}
	if !isForm || len(body) == 0 {
		return nil, nil
	}
	pairs, err := form.Append(nil, form.TrimBOM(string(body)))
	if err != nil {
		return nil, errFormTooLarge
	}
	s.setForm(pairs)
	return pairs, nil
}

// setForm sets s.form to pairs as Twilio signs them: sorted by name, then by value,
// without duplicates, and joined without separators.
func (s *signed) setForm(pairs []form.Pair) {
	s.pairs = append(s.pairs[:0], pairs...)
	slices.SortFunc(s.pairs, func(a, b form.Pair) int {
		if c := compareUTF16(a.Key, b.Key); c != 0 {
			return c
		}
		return compareUTF16(a.Value, b.Value)
	})
	s.form = s.form[:0]
	for i, p := range s.pairs {
		if i == 0 || p != s.pairs[i-1] {
			s.form = append(append(s.form, p.Key...), p.Value...)
		}
	}
}

// compareUTF16 orders UTF-8 texts by UTF-16 code units, as the languages in
// which Twilio's services are written do. That differs from the order of bytes
// in one case: characters beyond U+FFFF come before those from U+E000 to
// U+FFFF.
func compareUTF16(a, b string) int {
	for i := range min(len(a), len(b)) {
		x, y := a[i], b[i]
		switch {
		case x == y:
			continue
		case x >= 0xf0 && (y == 0xee || y == 0xef):
			return -1
		case y >= 0xf0 && (x == 0xee || x == 0xef):
			return 1
		case x < y:
			return -1
		}
		return 1
	}
	return len(a) - len(b)
}

// bodyHash returns the first bodySHA256 in a target's query.
func bodyHash(target string) string { return queryValue(target, bodyHashName) }

// queryValue returns the value of the first parameter called name in a target's
// query, as it was sent.
func queryValue(target, name string) string {
	target, _, _ = strings.Cut(target, "#")
	_, query, _ := strings.Cut(target, "?")
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		if n, v, _ := strings.Cut(pair, "="); n == name {
			return v
		}
	}
	return ""
}

// key is a secret of the configuration. It keeps keyed hashes for reuse.
type key struct {
	secret string
	hash   func() hash.Hash
	macs   sync.Pool
}

// matches reports whether signature is this key's for one of s.urls.
func (k *key) matches(s *signed, signature string) bool {
	m, ok := k.macs.Get().(*mac)
	if !ok {
		m = newMAC(k.hash, k.secret)
	}
	defer k.macs.Put(m)
	return m.matches(s, signature)
}

// mac computes signatures with one key. It keeps its buffers, so that they are
// not allocated for each request.
type mac struct {
	hash.Hash
	sum    [sha256.Size]byte
	text   [sharedLength]byte
	given  [sharedLength]byte
	length int // of text and given
}

// newMAC makes a mac of the key. The key is hashed here, once.
func newMAC(hash func() hash.Hash, secret string) *mac {
	m := &mac{Hash: hmac.New(hash, []byte(secret))}
	m.length = base64.StdEncoding.EncodedLen(m.Size())
	return m
}

// sign sets m.text to the signature of s.url and s.form.
func (m *mac) sign(s *signed) {
	m.Reset()
	m.Write(s.url)
	m.Write(s.form)
	base64.StdEncoding.Encode(m.text[:], m.Sum(m.sum[:0]))
}

// matches reports whether signature is this key's for one of s.urls. It compares
// the base64 texts rather than the decoded bytes, since several texts decode to
// the same bytes.
func (m *mac) matches(s *signed, signature string) bool {
	if len(signature) != m.length {
		return false
	}
	copy(m.given[:], signature)
	for _, u := range s.urls {
		s.url = u.append(s.url[:0])
		m.sign(s)
		if subtle.ConstantTimeCompare(m.text[:m.length], m.given[:m.length]) == 1 {
			return true
		}
	}
	return false
}
