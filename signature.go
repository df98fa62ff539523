package flexfn

import (
	"bytes"
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
)

// Signature returns what Twilio would send as X-Twilio-Signature: the base64
// text of an HMAC-SHA1, keyed with the account's auth token, of
//   - url, followed by the names and values of a form's parameters, without
//     separators, sorted, each distinct value once; or
//   - url alone when contentType is not that of a form. The url must then name
//     the body in bodySHA256, which [AddBodyHash] adds.
//
// The url is the absolute one configured in Twilio, byte for byte, without
// fragment. A form that cannot be parsed counts as one without parameters. See
// https://www.twilio.com/docs/usage/webhooks/webhooks-security.
//
// It is for tests and tools that act as Twilio; [ValidSignature] checks.
func Signature(authToken, url, contentType string, body []byte) string {
	s := takeSigned()
	defer s.release()
	if isForm(contentType) && s.readForm(body) != nil {
		s.form = s.form[:0]
	}
	s.url = append(s.url[:0], url...)
	m := newSignatureMAC(authToken)
	m.sign(s)
	return string(m.text[:])
}

// AddBodyHash appends bodySHA256, the SHA-256 of body in hex, to url's query,
// as Twilio does before it signs a request whose body is not a form.
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

// ValidSignature reports whether signature is Twilio's for a request to url
// with this body. The url is the absolute one that Twilio called, its path and
// query exactly as they came, which is often not what a server behind a proxy
// sees; an [App] works it out by itself. It is tried with and without port,
// since Twilio's services differ in that.
//
// A body that is not a form must be named by bodySHA256 in the query. An empty
// authToken or signature is never valid. The comparison takes constant time.
func ValidSignature(authToken, signature, url, contentType string, body []byte) bool {
	origin, target, ok := splitURL(url)
	if !ok || authToken == "" {
		return false
	}
	s := takeSigned()
	defer s.release()
	if s.read(contentType, target, body) != nil {
		return false
	}
	target, origin.fragment, _ = strings.Cut(target, "#")
	s.urls = origin.appendURLs(s.urls[:0], target)
	return newSignatureMAC(authToken).matches(s, signature)
}

const (
	signatureHeader = "X-Twilio-Signature"
	signatureLength = 28 // base64 of 20 bytes
	bodyHashName    = "bodySHA256"

	// maxKeptBytes bounds the buffers that are kept for the next request.
	maxKeptBytes = 64 << 10
)

var (
	errFormSyntax   = errors.New("the form body has a broken percent escape")
	errFormTooLarge = fmt.Errorf("the form body has more than %d parameters", maxParameters)
	errNoBodyHash   = errors.New("the body is not a form, and the query has no bodySHA256 that vouches for it: in Twilio, send a form or JSON")
	errBodyHash     = errors.New("the body is not the one that bodySHA256 in the query vouches for: something on the way changed it")
)

// signed is what a signature of one request is made over. It is reused.
type signed struct {
	origins []calledOrigin
	urls    []calledURL
	url     []byte // the URL being tried
	form    []byte // the parameters, in the order and shape that is signed
	params  []formParam
	text    []byte // decoded names and values
}

type formParam struct{ name, value []byte }

var signedPool = sync.Pool{New: func() any { return new(signed) }}

func takeSigned() *signed { return signedPool.Get().(*signed) }

func (s *signed) release() {
	clear(s.origins)
	clear(s.urls)
	clear(s.params)
	s.origins, s.urls, s.url = s.origins[:0], s.urls[:0], s.url[:0]
	s.form, s.params, s.text = s.form[:0], s.params[:0], s.text[:0]
	if cap(s.form)+cap(s.text)+cap(s.url) <= maxKeptBytes {
		signedPool.Put(s)
	}
}

// read takes the body's part of what is signed, and checks that the signature
// will cover the body. The content type is not signed, so each type has one
// rule: were the bytes of a signed JSON body believed as a form, a stranger's
// text inside it could become parameters.
func (s *signed) read(contentType, target string, body []byte) error {
	want := bodyHash(target)
	if want == "" {
		switch {
		case len(body) == 0:
			return nil
		case !isForm(contentType):
			return errNoBodyHash
		}
		return s.readForm(body)
	}
	sum := sha256.Sum256(body)
	var text [2 * sha256.Size]byte
	hex.Encode(text[:], sum[:])
	if subtle.ConstantTimeCompare(text[:], []byte(want)) != 1 {
		return errBodyHash
	}
	if isForm(contentType) {
		return s.readForm(body)
	}
	return nil
}

// readForm sets s.form from a form body: names sorted, a name's values sorted
// and each distinct one once, all joined without separators.
func (s *signed) readForm(body []byte) error {
	if cap(s.text) < len(body) {
		s.text = make([]byte, 0, len(body)) // never grows below: slices of it are kept
	}
	for len(body) > 0 {
		var pair []byte
		pair, body, _ = bytes.Cut(body, []byte{'&'})
		if len(pair) == 0 {
			continue
		}
		if len(s.params) == maxParameters {
			return errFormTooLarge
		}
		name, value, _ := bytes.Cut(pair, []byte{'='})
		var ok1, ok2 bool
		name, ok1 = s.unescape(name)
		value, ok2 = s.unescape(value)
		if !ok1 || !ok2 {
			return errFormSyntax
		}
		s.params = append(s.params, formParam{name, value})
	}
	slices.SortFunc(s.params, func(a, b formParam) int {
		if c := compareUTF16(a.name, b.name); c != 0 {
			return c
		}
		return compareUTF16(a.value, b.value)
	})
	for i, p := range s.params {
		if i > 0 && bytes.Equal(p.name, s.params[i-1].name) && bytes.Equal(p.value, s.params[i-1].value) {
			continue
		}
		s.form = append(append(s.form, p.name...), p.value...)
	}
	return nil
}

// unescape decodes a name or a value of a form; one without escapes is
// returned as it is.
func (s *signed) unescape(b []byte) ([]byte, bool) {
	i := bytes.IndexAny(b, "%+")
	if i < 0 {
		return b, true
	}
	start := len(s.text)
	s.text = append(s.text, b[:i]...)
	for ; i < len(b); i++ {
		c := b[i]
		switch c {
		case '+':
			c = ' '
		case '%':
			if i+2 >= len(b) {
				return nil, false
			}
			high, ok1 := fromHex(b[i+1])
			low, ok2 := fromHex(b[i+2])
			if !ok1 || !ok2 {
				return nil, false
			}
			c = high<<4 | low
			i += 2
		}
		s.text = append(s.text, c)
	}
	return s.text[start:len(s.text):len(s.text)], true
}

// compareUTF16 orders UTF-8 texts by UTF-16 code units, as the languages of
// Twilio's signers do. That differs from the order of bytes in one case:
// characters beyond U+FFFF come before those from U+E000 to U+FFFF.
func compareUTF16(a, b []byte) int {
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

// value returns the first value of a form parameter.
func (s *signed) value(name string) string {
	for _, p := range s.params {
		if string(p.name) == name {
			return string(p.value)
		}
	}
	return ""
}

// isForm reports whether a Content-Type is application/x-www-form-urlencoded.
func isForm(contentType string) bool {
	media, _ := splitContentType(contentType)
	return media == "application/x-www-form-urlencoded"
}

// bodyHash finds the first bodySHA256 in a target's query.
func bodyHash(target string) string { return queryValue(target, bodyHashName) }

// queryValue finds the first parameter of this name in a target's query, and
// returns its value as it was sent.
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

// signingKey is an auth token that is used again and again.
type signingKey struct {
	token string
	macs  sync.Pool
}

// matches reports whether signature is this key's for one of s.urls.
func (k *signingKey) matches(s *signed, signature string) bool {
	m, ok := k.macs.Get().(*signatureMAC)
	if !ok {
		m = newSignatureMAC(k.token)
	}
	defer k.macs.Put(m)
	return m.matches(s, signature)
}

// signatureMAC computes signatures with one key. Its buffers live beside the
// hash so that they are not allocated for each request.
type signatureMAC struct {
	hash.Hash
	sum   [sha1.Size]byte
	text  [signatureLength]byte
	given [signatureLength]byte
}

func newSignatureMAC(token string) *signatureMAC {
	return &signatureMAC{Hash: hmac.New(sha1.New, []byte(token))}
}

// sign sets m.text to the signature of s.url and s.form.
func (m *signatureMAC) sign(s *signed) {
	m.Reset()
	m.Write(s.url)
	m.Write(s.form)
	base64.StdEncoding.Encode(m.text[:], m.Sum(m.sum[:0]))
}

// matches reports whether signature is this key's for one of s.urls. The texts
// are compared, not the bytes that they stand for: base64 has more than one
// text for some bytes.
func (m *signatureMAC) matches(s *signed, signature string) bool {
	if len(signature) != signatureLength {
		return false
	}
	copy(m.given[:], signature)
	for _, u := range s.urls {
		s.url = u.append(s.url[:0])
		m.sign(s)
		if subtle.ConstantTimeCompare(m.text[:], m.given[:]) == 1 {
			return true
		}
	}
	return false
}
