package flexfn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// errAuthTokens says that a sub-account's auth tokens could not be had, so
// that nothing is known about the signature: the caller may try again.
var errAuthTokens = errors.New("the sub-account's auth tokens could not be had")

// signatureVerifier tells Twilio's requests from others.
type signatureVerifier struct {
	accountSID  string
	address     publicAddress
	keys        []*signingKey
	subaccounts subaccountTokens
}

type subaccountTokens = func(ctx context.Context, accountSID string) ([]string, error)

// newSignatureVerifier makes the verifier for an app. The error joins what is
// wrong with the settings that only it reads.
func newSignatureVerifier(c Config) (*signatureVerifier, error) {
	address, faults := newPublicAddress(c)
	v := &signatureVerifier{accountSID: c.AccountSID, address: address, subaccounts: c.SubaccountAuthTokens}
	for _, token := range c.PreviousAuthTokens {
		if !authToken.MatchString(token) {
			faults = append(faults, errors.New("FLEXFN_PREVIOUS_AUTH_TOKENS has one with characters other than letters and digits: copy it again, without quotes or spaces"))
			break
		}
	}
	for _, token := range append([]string{c.AuthToken}, c.PreviousAuthTokens...) {
		if token != "" { // an empty key would let anyone sign
			v.keys = append(v.keys, &signingKey{token: token})
		}
	}
	return v, errors.Join(faults...)
}

// verify returns nil when Twilio made the request r with this body. The error
// is for the log: it names the URLs that were tried and what to set, and holds
// no secret, no expected signature and no value of a parameter. One that wraps
// errAuthTokens tells of an outage, not of a forgery.
func (v *signatureVerifier) verify(r *http.Request, body []byte) error {
	signature := r.Header.Get(signatureHeader)
	switch {
	case signature == "":
		return errors.New("the request has no " + signatureHeader + ": it is not from Twilio, or a proxy dropped the header")
	case len(signature) != signatureLength:
		return fmt.Errorf("%s has %d characters; Twilio's has %d", signatureHeader, len(signature), signatureLength)
	}
	s := takeSigned()
	defer s.release()
	target := requestTarget(r)
	if err := s.read(r.Header.Get("Content-Type"), target, body); err != nil {
		return err
	}
	v.address.findURLs(s, r)
	for _, key := range v.keys {
		if key.matches(s, signature) {
			return nil
		}
	}
	if v.subaccounts == nil {
		body = nil // not worth parsing for a hint
	}
	account := s.accountSID(target, body)
	if account != "" && account != v.accountSID && v.subaccounts != nil {
		tokens, err := v.subaccounts(r.Context(), account)
		if err != nil {
			return fmt.Errorf("%w: %w", errAuthTokens, err)
		}
		for _, token := range tokens {
			if token != "" && newSignatureMAC(token).matches(s, signature) {
				return nil
			}
		}
	}
	return v.explain(r, s.urls, account)
}

// checkSignature lets only Twilio call. The log says why another was refused,
// the answer does not.
func (c *call) checkSignature(body []byte) error {
	err := c.app.signed.verify(c.request, body)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errAuthTokens):
		return &Error{Status: http.StatusServiceUnavailable, Message: "The signature cannot be checked at the moment; try again", RetryAfter: time.Second, Err: err}
	}
	c.logger().WarnContext(c, "signature refused", "reason", err)
	return &Error{Status: http.StatusForbidden, Message: "Unauthorized: the request does not carry Twilio's signature", Err: err}
}

// accountSID returns the account that the request says it is from, empty when
// it names none. Only [signatureVerifier.verify] makes that true.
func (s *signed) accountSID(target string, body []byte) string {
	sid := s.value("AccountSid")
	if sid == "" {
		sid = queryValue(target, "AccountSid")
	}
	if sid == "" && len(s.params) == 0 && len(body) > 0 {
		var named struct{ AccountSid string }
		if json.Unmarshal(body, &named) == nil {
			sid = named.AccountSid
		}
	}
	if !accountSID.MatchString(sid) {
		return ""
	}
	return sid
}

// explain says why a signature that matched nothing may have done so.
func (v *signatureVerifier) explain(r *http.Request, urls []calledURL, account string) error {
	var text strings.Builder
	text.WriteString("the signature is not Twilio's for ")
	for i, u := range urls {
		if u.target != urls[0].target {
			text.WriteString(", and with the query in other orders")
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
	return fmt.Sprintf("%q", redact(string(u.append(nil))))
}
