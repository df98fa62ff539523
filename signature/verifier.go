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

// Config configures a [Verifier]. The fields mean the same as those of
// flexfn.Config with the same names. [New] checks them.
type Config struct {
	_ [0]func()

	// AccountSID is the account that AuthTokens belong to.
	AccountSID string
	// AuthTokens are the tokens with which the account may sign: the current
	// one and, while it is being rotated, the previous ones. There must be at
	// least one, and none may be empty.
	AuthTokens []string
	// PublicURL is the beginning of the URLs under which Twilio calls. If it
	// is set, it alone decides scheme and host. If it is empty, they come from
	// the headers that ProxyTrust trusts, or from the request's Host header.
	// It must be http or https and have no query. A path in it is one that the
	// gateway strips before it passes the request on; user and password, and
	// connection overrides after a #, may be part of it.
	PublicURL string
	// AddedPathPrefix is a path that the gateway puts before the one that
	// Twilio called. It begins with a slash. Requests without the prefix are
	// checked as they are.
	AddedPathPrefix string
	// ProxyTrust says which forwarded headers are trusted; nil trusts none.
	// PublicURL makes it unnecessary.
	ProxyTrust ProxyTrust
	// SharedKeys are the secrets of the account's SharedKeys, by their ids. A
	// request that names one in [SettingsHeader] must be signed with it, by
	// HMAC-SHA256. Neither an id nor a secret may be empty. The key of a
	// sub-account's secret is its account SID, a slash and the id. Requests
	// that name the sub-account in the parameter AccountSid may use only its
	// secrets, not those of the main account.
	SharedKeys map[string]string
	// SubaccountAuthTokens returns the auth tokens of an account other than
	// AccountSID; none if that account may not call. If it is set, a request
	// that names an account in the parameter AccountSid must be signed by that
	// account, and one that names two is refused. It is called concurrently,
	// with the ctx given to [Verifier.Verify]. Nil admits AccountSID only.
	SubaccountAuthTokens func(ctx context.Context, accountSID string) ([]string, error)
}

// ErrUnavailable is wrapped by the error of [Verifier.Verify] if
// Config.SubaccountAuthTokens failed. It is then unknown whether the signature
// is Twilio's; the sender may try again.
var ErrUnavailable = errors.New("the sub-account's auth tokens could not be read")

// Verifier checks that requests carry Twilio's signature. Make one with [New];
// the zero Verifier cannot be used. It is safe for concurrent use, never
// changes, and makes no network request of its own.
type Verifier struct {
	accountSID  string
	address     publicAddress
	keys        []*key
	shared      map[sharedKeyID]*key
	subaccounts func(ctx context.Context, accountSID string) ([]string, error)
}

// New makes a Verifier. If c is faulty, the Verifier is nil and the error
// joins all faults, each with the remedy; it contains no secrets. New cannot
// tell whether the tokens are the account's; that shows with Twilio's first
// request.
func New(c Config) (*Verifier, error) {
	address, faults := newPublicAddress(c)
	v := &Verifier{accountSID: c.AccountSID, address: address, subaccounts: c.SubaccountAuthTokens}
	for _, token := range c.AuthTokens {
		if token == "" {
			faults = append(faults, errors.New("one of AuthTokens is empty: anyone could sign with it"))
			break
		}
		v.keys = append(v.keys, &key{secret: token, hash: sha1.New})
	}
	v.shared = make(map[sharedKeyID]*key, len(c.SharedKeys))
	for id, secret := range c.SharedKeys {
		if id == "" || secret == "" {
			faults = append(faults, errors.New("one of SharedKeys has an empty id or secret: anyone could sign with it"))
			break
		}
		v.shared[sharedKeyOf(c.AccountSID, id)] = &key{secret: secret, hash: sha256.New}
	}
	if len(c.AuthTokens) == 0 {
		faults = append(faults, errors.New("AuthTokens is empty: give the account's auth token"))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return v, nil
}

// Proof is what the signature of a request proves: that the account signed
// exactly this URL and these parameters, at some time. The zero Proof proves
// nothing.
type Proof struct {
	// AccountSID is the account that signed: the main account, or a sub-account
	// that [Config] admits.
	AccountSID string

	form []form.Pair
}

// Form returns the decoded parameters of a form body, in the order in which they
// were sent: exactly what was signed. For other bodies it yields nothing.
//
//	for name, value := range proof.Form() {
//
// Read the parameters from here rather than from r.PostForm: another parser may
// decode odd input differently, and the handler would then run on something
// that was not signed.
func (p Proof) Form() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for _, pair := range p.form {
			if !yield(pair.Key, pair.Value) {
				return
			}
		}
	}
}

// Verify checks that Twilio sent r with this body, which the caller has read
// from it. The body must be exactly as it was sent: not decompressed, decoded
// or trimmed. Bound its size before you read it.
//
// The error is for the log: it names the URLs that were tried and what to set.
// It contains no secret, expected signature or parameter value. Answer 403
// without it, since it would help a forger. If it wraps [ErrUnavailable], the
// check could not be made; answer 503. Signatures are compared in constant
// time.
//
// Twilio's services do not agree on whether the port, user and password are
// part of the signed URL, so a few forms of the same URL are tried, and up to
// 256 spellings of a query that a gateway has decoded. All of them lead to the
// same function.
//
// ctx is passed to [Config].SubaccountAuthTokens and not used otherwise.
func (v *Verifier) Verify(ctx context.Context, r *http.Request, body []byte) (Proof, error) {
	signature := r.Header.Get(Header)
	if signature == "" {
		return Proof{}, errors.New("the request has no " + Header + ": it is not from Twilio, or a proxy dropped the header")
	}
	id, shared, err := sharedKey(r.Header[SettingsHeader])
	if err != nil {
		return Proof{}, err
	}
	length := encodedLength
	if shared {
		length = sharedLength
	}
	if len(signature) != length {
		return Proof{}, fmt.Errorf("%s has %d characters; Twilio's has %d", Header, len(signature), length)
	}
	s := takeSigned()
	defer s.release()
	target := requestTarget(r)
	if strings.Contains(target, "#") {
		return Proof{}, errFragment
	}
	pairs, err := s.read(r.Header.Get("Content-Type"), target, body)
	if err != nil {
		return Proof{}, err
	}
	account := v.accountSID
	if v.subaccounts != nil || shared {
		named, err := namedAccount(pairs, target, r.Header.Get("Content-Type"), body)
		if err != nil {
			return Proof{}, err
		}
		account = cmp.Or(named, account)
	}
	var key *key
	if shared {
		if key = v.shared[sharedKeyID{account, id}]; key == nil {
			return Proof{}, v.unknownKey(id, account)
		}
	}
	v.address.findURLs(s, r)
	if shared {
		if key.matches(s, signature) {
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

// SettingsHeader is the name of the header that says with which key and algorithm
// a request is signed. Without it, the key is the auth token, and the algorithm
// HMAC-SHA1.
const SettingsHeader = "X-Twilio-Webhooks-Signature-Settings"

// sharedKeyID identifies a SharedKey and the account it belongs to.
type sharedKeyID struct{ account, id string }

// sharedKeyOf parses a key of [Config].SharedKeys.
func sharedKeyOf(main, id string) sharedKeyID {
	if account, own, ok := strings.Cut(id, "/"); ok && sid.Valid(account, "AC") {
		return sharedKeyID{account, own}
	}
	return sharedKeyID{main, id}
}

// sharedKey returns the id of the SharedKey that the settings name, and whether
// the request is signed with a SharedKey at all rather than with an auth token.
//
// Source: https://www.twilio.com/docs/usage/webhooks.
func sharedKey(settings []string) (id string, shared bool, err error) {
	if len(settings) > 1 {
		return "", false, fmt.Errorf("%s came %d times: Twilio sends it once", SettingsHeader, len(settings))
	}
	found := map[string]string{}
	for _, setting := range settings {
		for item := range strings.SplitSeq(setting, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(item), "=")
			if _, twice := found[name]; twice {
				return "", false, fmt.Errorf("%s has %.40q twice", SettingsHeader, name)
			}
			found[name] = value
		}
	}
	switch algorithm, ok := found["algorithm"]; {
	case !ok || algorithm == "HMAC_SHA1":
		return "", false, nil
	case algorithm != "HMAC_SHA256":
		return "", false, fmt.Errorf("the request is signed with the algorithm %.40q: only HMAC_SHA1 (auth token) and HMAC_SHA256 (SharedKey) are known", algorithm)
	}
	return found["key"], true, nil
}

// unknownKey is the error for a SharedKey that is not configured. The id is not
// secret, and the log's reader needs it to find the key in Twilio's console.
func (v *Verifier) unknownKey(id, account string) error {
	owner := ""
	if account != v.accountSID {
		owner = account + "/"
	}
	return fmt.Errorf("the request is signed with HMAC_SHA256 and the SharedKey %.40q, whose secret is not known: add it as %q to Config.SharedKeys (FLEXFN_SHARED_KEYS)", id, owner+"…")
}

// errFragment refuses a # in the request line, which HTTP clients never send. A
// signer's URL ends its query at the #, and Go's server does not, so bodySHA256
// would be looked for in less than the handler reads.
var errFragment = errors.New("the request line has a #, which ends a URL before it is sent: a client sends %23")

var errAccounts = errors.New("the request names several accounts, or one that is not an account's SID, so the account that signed is unclear")

// namedAccount returns the account that the request names in the parameter
// AccountSid, in whatever case; empty if there is none. All such parameters that a
// handler could read must agree, since only one account can have signed.
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
	object := bytes.Trim(form.TrimBOM(body), jsonshape.Space)
	media, _ := form.SplitContentType(contentType)
	if media != "application/json" || len(object) == 0 || object[0] != '{' || jsonshape.Check(object) != nil || !json.Valid(object) {
		return account, err
	}
	// Each of equal names counts: decoders differ in which one they take.
	jsonshape.EachMember(object, func(quoted, raw []byte) {
		var name string
		var value *string
		switch {
		case len(quoted) > 6*len(accountParameter)+2: // longer than with each letter escaped
		case json.Unmarshal(quoted, &name) != nil || !strings.EqualFold(name, accountParameter):
		case json.Unmarshal(raw, &value) != nil:
			err = errAccounts
		case value != nil:
			add(name, *value)
		}
	})
	return account, err
}

// accountParameter is the parameter in which Twilio's services name the account
// they act for. Its case varies, so it is compared without case.
const accountParameter = "AccountSid"

// hint returns the account that a refused request names. It is for the log
// only, since the request was not authenticated.
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

// explain returns the error for a signature that did not match: the URLs that were
// tried, and the likeliest remedy.
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
		text.WriteString("any URL: the Host header is not a host name")
	}
	switch {
	case account != v.accountSID && v.subaccounts == nil:
		text.WriteString("; the request names another account, which signs with its own auth token: set Config.SubaccountAuthTokens if it may call")
	case account != v.accountSID:
		text.WriteString("; the request names another account, for which Config.SubaccountAuthTokens returned no matching token")
	case v.address.public == nil && v.address.trust == nil && hasForwarded(r):
		text.WriteString("; a proxy sent forwarded headers, which are not trusted: set PUBLIC_URL to the beginning of the URL that is written in Twilio, or FLEXFN_TRUSTED_PROXIES to the proxy's address")
	case v.address.public == nil:
		text.WriteString("; if Twilio calls another URL, set PUBLIC_URL to its beginning")
	default:
		text.WriteString("; if Twilio calls another URL, correct PUBLIC_URL")
	}
	text.WriteString("; if the URL is right, check that AUTH_TOKEN is the account's primary auth token, and that nothing on the way rewrites the query or the body")
	return errors.New(text.String())
}

// hasForwarded reports whether a proxy seems to stand in front of the server.
func hasForwarded(r *http.Request) bool {
	for _, name := range [...]string{"X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded"} {
		if r.Header.Get(name) != "" {
			return true
		}
	}
	return false
}

// forLog returns the URL, quoted, without user, telephone numbers and query: a
// stranger may have written any part of it.
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
