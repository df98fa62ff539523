package twiliofake

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// iamRows are the resources of iam.twilio.com. Only the validation of Flex
// tokens is modelled. It is not in twilio-go; the Flex project template calls
// it through the npm package twilio-flex-token-validator.
func iamRows() []resource {
	return []resource{
		{
			name: "token_validation", host: "iam", special: validateToken,
			paths: []string{"/v1/Accounts/{account_sid}/Tokens/validate"},
			can:   update,
		},
	}
}

// A Token describes a Flex token that IAM knows. The zero value never expires,
// and belongs to a user without roles and without a worker.
type Token struct {
	// User is the realm user id, such as "agent@example.com".
	User string `json:"user,omitempty"`
	// Identity is the user's identity on Twilio; empty derives it from User
	// as Twilio does (agent_40example_2Ecom).
	Identity string `json:"identity,omitempty"`
	// Roles are the user's roles: agent, supervisor, admin, guest. A missing or
	// null list is an empty one. Any string is accepted.
	Roles []string `json:"roles"`
	// WorkerSID is the SID of the user's worker; empty for a guest.
	WorkerSID string `json:"worker_sid,omitempty"`
	// Expires is when the token expires. If it is zero, IAM always answers that
	// the token expires in an hour. The token is refused from then on, by the
	// process's clock.
	Expires time.Time `json:"expires,omitzero"`
	// Invalid is the reason why IAM refuses the token; empty accepts it. The
	// answer is still 200, with valid false, code 40001 and this text as its
	// message.
	Invalid string `json:"invalid,omitempty"`
	// Outage makes IAM answer 503 when asked about the token. The code is
	// 20503. It takes precedence over Invalid and Expires, since an outage says
	// nothing about the token.
	Outage bool `json:"outage,omitempty"`
}

// MintToken makes a new Flex token that IAM knows, and returns it. The token
// lasts until it expires or the state is replaced.
//
//	token := fake.MintToken(twiliofake.Token{
//		User: "grace@example.com", Roles: []string{"supervisor"}, WorkerSID: worker,
//	})
//
// The worker need not be in the state, since IAM does not ask TaskRouter.
//
// Tokens begin with "fake-", so a real one cannot be mistaken for one of them
// in a log. They come from the fake's seed: equal seeds and sequences of calls
// make equal tokens. Roles are copied. It is safe to call while requests are
// under way.
func (t *Twilio) MintToken(token Token) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	for {
		var b [16]byte
		for i := range b {
			b[i] = byte(t.store.sids.Uint32())
		}
		s := "fake-" + hex.EncodeToString(b[:])
		if _, taken := t.tokens[s]; !taken {
			t.tokens[s] = token.copy()
			return s
		}
	}
}

func (t Token) copy() Token {
	t.Roles = append([]string{}, t.Roles...)
	return t
}

// copyTokens copies tokens deeply, since callers may change theirs. A nil map
// gives an empty one, to which MintToken can add.
func copyTokens(tokens map[string]Token) map[string]Token {
	m := map[string]Token{}
	for name, t := range tokens {
		m[name] = t.copy()
	}
	return m
}

// validateToken answers POST /v1/Accounts/{sid}/Tokens/validate. An API key is
// refused, since Twilio requires the auth token here; apps that use a key for
// everything find out in a test. For an invalid token the answer has status 200
// and valid false. Only an outage is an HTTP error.
func validateToken(c *call) (*response, *apiError) {
	if c.apiKey {
		return nil, refuse(http.StatusUnauthorized, 20003, "Authenticate: tokens are validated with the account's auth token, not with an API key")
	}
	body, err := decodeObject(c.body)
	if err != nil {
		return nil, invalid("Invalid JSON body")
	}
	refused := func(reason string) (*response, *apiError) {
		return jsonResponse(http.StatusOK, map[string]any{"valid": false, "code": 40001, "message": reason}), nil
	}
	name, ok := body["token"].(string)
	if !ok {
		return refused("Token is not a string")
	}
	token, ok := c.tokens[name]
	switch {
	case !ok:
		return refused("Token is invalid")
	case token.Outage:
		return nil, refuse(http.StatusServiceUnavailable, 20503, "Service Unavailable")
	case token.Invalid != "":
		return refused(token.Invalid)
	case !token.Expires.IsZero() && !c.now.Before(token.Expires):
		return refused("Token has expired")
	}
	expires := token.Expires
	if expires.IsZero() {
		expires = c.now.Add(time.Hour)
	}
	answer := map[string]any{
		"valid": true, "code": 0, "message": nil,
		"expiration":    expires.UTC().Format("2006-01-02T15:04:05.000Z"),
		"realm_user_id": token.User, "identity": token.identity(),
		"roles": token.Roles, "worker_sid": nil,
	}
	if token.WorkerSID != "" {
		answer["worker_sid"] = token.WorkerSID
	}
	return jsonResponse(http.StatusOK, answer), nil
}

// identity escapes every character other than a letter or digit as an underscore
// and its hex code, as Twilio does for the user ids of Flex.
func (t Token) identity() string {
	if t.Identity != "" {
		return t.Identity
	}
	var b strings.Builder
	for _, c := range []byte(t.User) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "_%02X", c)
		}
	}
	return b.String()
}
