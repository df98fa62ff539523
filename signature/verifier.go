package signature

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strings"

	"github.com/flexfn/flexfn/internal/form"
	"github.com/flexfn/flexfn/internal/jsonshape"
	"github.com/flexfn/flexfn/internal/mask"
	"github.com/flexfn/flexfn/internal/sid"
)

// Config is what a [Verifier] is made from. The fields are those of
// flexfn.Config with the same names, which says more about each.
type Config struct {
	_ [0]func()

	// AccountSID is the account that AuthTokens are of.
	AccountSID string
	// AuthTokens are the tokens with which the account may sign: the current
	// one and, while it is being rotated, the previous ones. At least one; none
	// may be empty.
	AuthTokens []string
	// PublicURL is the beginning of the URLs under which Twilio calls; when it
	// is set, nothing else tells scheme and host. Empty takes the request's
	// Host header, or what ProxyTrust believes.
	PublicURL string
	// AddedPathPrefix is a path that the gateway puts before the one that
	// Twilio called.
	AddedPathPrefix string
	// ProxyTrust says which forwarded headers are believed; nil believes none.
	ProxyTrust ProxyTrust
	// SharedKeys are the secrets of the account's SharedKeys, by their ids: a
	// request that names one in [SettingsHeader] is signed with it, by
	// HMAC-SHA256. No secret may be empty.
	SharedKeys map[string]string
	// SubaccountAuthTokens returns the auth tokens of another account than
	// AccountSID; nil knows none. With it, a request that names an account
	// (the parameter AccountSid) must be signed by that account, and one that
	// names two is refused. It is called concurrently, with the ctx that
	// [Verifier.Verify] got.
	SubaccountAuthTokens func(ctx context.Context, accountSID string) ([]string, error)
}

// ErrUnavailable says that a sub-account's auth tokens could not be had, so
// that nothing is known about the signature: the caller may try again.
var ErrUnavailable = errors.New("the sub-account's auth tokens could not be had")

// Verifier tells Twilio's requests from others. It is safe for concurrent use.
type Verifier struct {
	accountSID  string
	address     publicAddress
	keys        []*key
	shared      map[string]*key
	subaccounts func(ctx context.Context, accountSID string) ([]string, error)
}

// New makes a Verifier. The error joins everything that is wrong with c.
func New(c Config) (*Verifier, error) {
	address, faults := newPublicAddress(c)
	v := &Verifier{accountSID: c.AccountSID, address: address, subaccounts: c.SubaccountAuthTokens}
	for _, token := range c.AuthTokens {
		if token == "" {
			faults = append(faults, errors.New("one of AuthTokens is empty: with it anyone could sign"))
			break
		}
		v.keys = append(v.keys, &key{secret: token, hash: sha1.New})
	}
	v.shared = make(map[string]*key, len(c.SharedKeys))
	for id, secret := range c.SharedKeys {
		if id == "" || secret == "" {
			faults = append(faults, errors.New("one of SharedKeys has an empty id or secret: with it anyone could sign"))
			break
		}
		v.shared[id] = &key{secret: secret, hash: sha256.New}
	}
	if len(c.AuthTokens) == 0 {
		faults = append(faults, errors.New("AuthTokens is empty: give the account's auth token"))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return v, nil
}

// Proof is what the signature of a request proves.
type Proof struct {
	// AccountSID is the account that signed.
	AccountSID string

	form []form.Pair
}

// Form yields the parameters of a body that is a form, decoded, in the order
// in which they came: exactly what was signed.
func (p Proof) Form() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for _, pair := range p.form {
			if !yield(pair.Key, pair.Value) {
				return
			}
		}
	}
}

// Verify returns a nil error when Twilio made the request r with this body,
// which has been read from it. Otherwise the error is for a log: it names the
// URLs that were tried and what to set, and holds no secret, no expected
// signature and no value of a parameter. One that wraps [ErrUnavailable] tells
// of an outage, not of a forgery.
func (v *Verifier) Verify(ctx context.Context, r *http.Request, body []byte) (Proof, error) {
	signature := r.Header.Get(Header)
	if signature == "" {
		return Proof{}, errors.New("the request has no " + Header + ": it is not from Twilio, or a proxy dropped the header")
	}
	shared, err := v.sharedKey(r.Header[SettingsHeader])
	if err != nil {
		return Proof{}, err
	}
	length := encodedLength
	if shared != nil {
		length = sharedLength
	}
	if len(signature) != length {
		return Proof{}, fmt.Errorf("%s has %d characters; Twilio's has %d", Header, len(signature), length)
	}
	s := takeSigned()
	defer s.release()
	target := requestTarget(r)
	pairs, err := s.read(r.Header.Get("Content-Type"), target, body)
	if err != nil {
		return Proof{}, err
	}
	account := v.accountSID
	if v.subaccounts != nil {
		named, err := namedAccount(pairs, target, r.Header.Get("Content-Type"), body)
		if err != nil {
			return Proof{}, err
		}
		account = cmp.Or(named, account)
	}
	v.address.findURLs(s, r)
	if shared != nil {
		if account == v.accountSID && shared.matches(s, signature) {
			return Proof{account, pairs}, nil
		}
		return Proof{}, v.explain(r, s.urls, account)
	}
	if account == v.accountSID {
		for _, key := range v.keys {
			if key.matches(s, signature) {
				return Proof{account, pairs}, nil
			}
		}
		return Proof{}, v.explain(r, s.urls, cmp.Or(hint(pairs, target), account))
	}
	tokens, err := v.subaccounts(ctx, account)
	if err != nil {
		return Proof{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	for _, token := range tokens {
		if token != "" && newMAC(sha1.New, token).matches(s, signature) {
			return Proof{account, pairs}, nil
		}
	}
	return Proof{}, v.explain(r, s.urls, account)
}

// SettingsHeader is the name of the header that says with which key and
// algorithm a request is signed; without it, it is the auth token and
// HMAC-SHA1.
const SettingsHeader = "X-Twilio-Webhooks-Signature-Settings"

// sharedKey returns the SharedKey that the settings name, nil when the request
// is signed with an auth token.
//
// Source: https://www.twilio.com/docs/usage/webhooks.
func (v *Verifier) sharedKey(settings []string) (*key, error) {
	if len(settings) > 1 {
		return nil, fmt.Errorf("%s came %d times: Twilio sends it once", SettingsHeader, len(settings))
	}
	found := map[string]string{}
	for _, setting := range settings {
		for item := range strings.SplitSeq(setting, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(item), "=")
			if _, twice := found[name]; twice {
				return nil, fmt.Errorf("%s has %.40q twice", SettingsHeader, name)
			}
			found[name] = value
		}
	}
	switch algorithm, ok := found["algorithm"]; {
	case !ok || algorithm == "HMAC_SHA1":
		return nil, nil
	case algorithm != "HMAC_SHA256":
		return nil, fmt.Errorf("the request is signed with the algorithm %.40q: only HMAC_SHA1 (auth token) and HMAC_SHA256 (SharedKey) are known", algorithm)
	}
	key := v.shared[found["key"]]
	if key == nil {
		return nil, fmt.Errorf("the request is signed with HMAC_SHA256 and the SharedKey %.40q, whose secret is not known: add it to Config.SharedKeys (FLEXFN_SHARED_KEYS)", found["key"])
	}
	return key, nil
}

var errAccounts = errors.New("the request names more than one account, or none that is one: which of them signed could not be told to the handler")

// namedAccount returns the account that the request says it is from, empty
// when it names none: AccountSid among the parameters that a handler gets,
// whatever the case of its letters. All that it says must agree, since only
// one account can have signed.
func namedAccount(pairs []form.Pair, target, contentType string, body []byte) (account string, err error) {
	add := func(name, value string) {
		switch {
		case !strings.EqualFold(name, accountParameter) || value == "" || value == account:
		case account != "" || !sid.Valid(value, "AC"):
			err = errAccounts
		default:
			account = value
		}
	}
	_, query, _ := strings.Cut(target, "?")
	sent, tooMany := form.Append(nil, query)
	if tooMany != nil {
		return "", fmt.Errorf("the query has %w", tooMany)
	}
	for _, p := range append(sent, pairs...) {
		add(p.Key, p.Value)
	}
	if media, _ := form.SplitContentType(contentType); media == "application/json" && jsonshape.Check(body) == nil {
		var object map[string]json.RawMessage
		if json.Unmarshal(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")), &object) == nil {
			for name, raw := range object {
				var value *string
				switch {
				case !strings.EqualFold(name, accountParameter):
				case json.Unmarshal(raw, &value) != nil:
					return "", errAccounts
				case value != nil:
					add(name, *value)
				}
			}
		}
	}
	return account, err
}

const accountParameter = "AccountSid"

// hint is the account that a refused request names, for the log.
func hint(pairs []form.Pair, target string) string {
	account, ok := form.First(pairs, accountParameter)
	if !ok {
		account = queryValue(target, accountParameter)
	}
	if !sid.Valid(account, "AC") {
		return ""
	}
	return account
}

// explain says why a signature that matched nothing may have done so.
func (v *Verifier) explain(r *http.Request, urls []calledURL, account string) error {
	var text strings.Builder
	text.WriteString("the signature is not Twilio's for ")
	for i, u := range urls {
		if u.target != urls[0].target {
			text.WriteString(", and with the query written in other ways")
			break
		}
		if i > 0 {
			text.WriteString(", ")
		}
		text.WriteString(u.forLog())
	}
	if len(urls) == 0 {
		text.WriteString("any URL: the Host header is not a host's name")
	}
	switch {
	case account != "" && account != v.accountSID && v.subaccounts == nil:
		text.WriteString("; the request names another account, which signs with its own auth token: set Config.SubaccountAuthTokens if it may call")
	case account != "" && account != v.accountSID:
		text.WriteString("; the request names another account, for which Config.SubaccountAuthTokens gave no token that fits")
	case v.address.public == nil && v.address.trust == nil && hasForwarded(r):
		text.WriteString("; a proxy's forwarded headers came and are not believed: set PUBLIC_URL to the beginning of the URL that is written in Twilio, or FLEXFN_TRUSTED_PROXIES to the proxy's address")
	case v.address.public == nil:
		text.WriteString("; if Twilio calls another URL, set PUBLIC_URL to its beginning")
	default:
		text.WriteString("; if Twilio calls another URL, correct PUBLIC_URL")
	}
	text.WriteString("; if the URL is right, see that AUTH_TOKEN is the account's primary auth token, and that nothing on the way rewrites the query or the body")
	return errors.New(text.String())
}

func hasForwarded(r *http.Request) bool {
	for _, name := range [...]string{"X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded"} {
		if r.Header.Get(name) != "" {
			return true
		}
	}
	return false
}

// forLog shows a URL without password, telephone numbers and the values of its
// query. What a stranger wrote in it is quoted.
func (u calledURL) forLog() string {
	if u.user != "" {
		u.user = "(user)@"
	}
	if u.fragment != "" {
		u.fragment = "…"
	}
	path, _, hasQuery := strings.Cut(u.target, "?")
	if len(path) > 200 {
		path = path[:200] + "…"
	}
	if u.target = path; hasQuery {
		u.target += "?…"
	}
	return fmt.Sprintf("%q", mask.PhoneNumbers(string(u.append(nil))))
}
