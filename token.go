package flexfn

import (
	"context"
	"crypto/sha256"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/flexfn/flexfn/internal/pace"
)

// Owner is the user that a Flex token belongs to, as Twilio reported it;
// [TokenOwner] returns it. The zero Owner counts as a guest.
type Owner struct {
	// Identity is the user's identity in Twilio's encoding, such as
	// "agent_40example_2Ecom"; RealmUserID is the user's name at the single
	// sign-on provider.
	Identity, RealmUserID string
	// WorkerSID is the SID of the TaskRouter worker, WK and 32 hex digits;
	// empty for a guest.
	WorkerSID string
	// Roles are the user's roles in Flex, such as "agent", "supervisor" or
	// "admin"; possibly none.
	Roles []string
	// Expiration is when the token expires; zero if Twilio did not say.
	Expiration time.Time
}

// HasRole reports whether the owner has at least one of roles. Case matters.
// Without roles the result is false.
func (o Owner) HasRole(roles ...string) bool {
	return slices.ContainsFunc(roles, func(r string) bool { return slices.Contains(o.Roles, r) })
}

// Guest reports whether the owner is not a worker: the token was made for a
// visitor of a web chat.
func (o Owner) Guest() bool { return o.WorkerSID == "" || o.HasRole("guest") }

const (
	maxTokenBytes = 8 << 10
	maxTokens     = 50_000           // cached; about 300 bytes each
	shortestTTL   = time.Second      // of any answer
	refusalTTL    = 10 * time.Second // how long a refusal is remembered
)

// tokenValidator asks Twilio about Flex tokens and remembers the answers.
//
// It looks in this process's cache, then in the Store, and then asks Twilio. It
// keeps an accepted token in the stages before the one that knew it, and a
// refusal in this process only, for ten seconds.
type tokenValidator struct {
	app   *App
	url   string
	cache tokenCache
	// shared is asked before Twilio; nil without a Store.
	shared *sharedTokens

	budget    *retryBudget  // of these questions only
	strangers chan struct{} // a place for each question about a token never seen valid
	known     chan struct{} // and for each about a token that was
	turns     pace.Turns    // of the former

	mu     sync.Mutex
	asking map[tokenKey]*question
}

// tokenKey is the hash of a token, so that the cache need not hold the token
// itself.
type tokenKey [sha256.Size]byte

// tokenVerdict is Twilio's answer about a token, and for how long it is trusted.
// Its age is measured with two clocks: the monotonic clock cannot be set back,
// and the wall clock runs on while an instance is frozen.
type tokenVerdict struct {
	owner   *Owner
	refusal string // for the caller, when owner is nil

	ttl         time.Duration
	asked       time.Time // on the monotonic clock
	askedByWall time.Time
	renew       time.Duration // the age at which Twilio is asked again
}

// newVerdict returns a verdict that is trusted for ttl from now. It is renewed
// at a random time before that, so that tokens first seen together are not
// renewed together.
func newVerdict(owner *Owner, refusal string, ttl time.Duration) tokenVerdict {
	now := time.Now()
	return tokenVerdict{
		owner: owner, refusal: refusal,
		ttl: ttl, asked: now, askedByWall: now.Round(0), renew: ttl/2 + rand.N(ttl/4+1),
	}
}

// age returns how long ago Twilio answered, by whichever clock says longer.
func (v tokenVerdict) age() time.Duration {
	now := time.Now()
	return max(now.Sub(v.asked), now.Round(0).Sub(v.askedByWall))
}

// known reports whether the token was a worker's, and valid, when Twilio was last
// asked. Guests do not count, since anyone can get a guest's token.
func (v tokenVerdict) known() bool { return v.owner != nil && !v.owner.Guest() }

// newTokenValidator makes an app's validator. The address of IAM depends on
// the region; a region such as us1-ix counts as us1.
func newTokenValidator(a *App) *tokenValidator {
	host := "iam.twilio.com"
	if a.config.Region != "" {
		region, _, _ := strings.Cut(a.config.Region, "-")
		host = "iam." + region + ".twilio.com"
	}
	t := &tokenValidator{
		app:       a,
		url:       "https://" + host + "/v1/Accounts/" + a.config.AccountSID + "/Tokens/validate",
		budget:    newRetryBudget(0),
		strangers: make(chan struct{}, strangersAtOnce),
		known:     make(chan struct{}, knownAtOnce),
		turns:     pace.Turns{Each: strangersEach, Burst: strangersBurst, Most: strangersWaiting},
		asking:    map[tokenKey]*question{},
	}
	t.shared = newSharedTokens(a, t.url)
	return t
}

// admit finds the request's token and decides whether its owner may call.
//
// The parameter wins over the header, because gateways put credentials of
// their own into Authorization. Each refusal tells the developer what is wrong,
// and none says whether another token would do.
func (t *tokenValidator) admit(c *call, vs *values) (*Owner, error) {
	token := vs.peek("Token")
	if token.kind == absentValue {
		if credential, ok := bearer(c.request); ok {
			token = value{kind: stringValue, text: credential}
		}
	}
	switch {
	case token.missing() && vs.ignored != "": // it may have been in the body
		return nil, Errorf(http.StatusForbidden, "Unauthorized: Token was not provided; %s", notRead)
	case token.missing():
		return nil, Errorf(http.StatusForbidden, "Unauthorized: Token was not provided")
	case token.kind != stringValue || len(token.text) > maxTokenBytes:
		return nil, Errorf(http.StatusForbidden, "Unauthorized: Token is not one string of at most %d bytes", maxTokenBytes)
	}
	c.token.Store(&token.text)
	if !possibleToken(token.text) {
		return nil, Errorf(http.StatusForbidden, "Unauthorized: Token has characters that no Flex token has")
	}
	v, err := t.verdict(c, token.text)
	switch {
	case err != nil:
		return nil, err
	case v.owner == nil:
		return nil, &Error{Status: http.StatusForbidden, Message: v.refusal}
	case v.owner.Guest() && !c.fn.guests:
		return nil, Errorf(http.StatusForbidden, "This function is for workers; the token belongs to a guest")
	case len(c.fn.roles) > 0 && !v.owner.HasRole(c.fn.roles...):
		return nil, Errorf(http.StatusForbidden, "This function is for the role %s", strings.Join(c.fn.roles, " or "))
	}
	return v.owner, nil
}

// bearer returns the token of the request's Authorization header.
func bearer(r *http.Request) (credential string, ok bool) {
	scheme, credential, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimSpace(credential), strings.EqualFold(scheme, "Bearer")
}

// possibleToken reports whether s has only characters that a token has (RFC
// 6750, section 2.1, b64token). Flex tokens are JWEs today, but Twilio does not
// promise that.
func possibleToken(s string) bool {
	return wordOf(s, "-._~+/=")
}

// verdict returns Twilio's answer about token, from the cache if it is recent.
// If several requests wait for the same token, Twilio is asked once.
//
// A worker's verdict is renewed in the background after half to three quarters
// of its time, so that workers who call all day never wait for Twilio.
func (t *tokenValidator) verdict(ctx context.Context, token string) (tokenVerdict, error) {
	key := tokenKey(sha256.Sum256([]byte(token)))
	old, found := t.cache.get(key)
	if age := old.age(); found && age < old.ttl {
		if old.known() && age >= old.renew {
			t.renew(key, token)
		}
		return old, nil
	}
	q := t.join(ctx, key, token, old.known())
	select {
	case <-q.done:
	case <-ctx.Done():
		t.leave(key, q)
		if ctx.Err() == context.Canceled {
			return tokenVerdict{}, ctx.Err()
		}
		return tokenVerdict{}, tokenLate(nil)
	}
	return q.verdict, q.err
}
