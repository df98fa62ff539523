package flexfn

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"sync/atomic"
	"time"
)

// SharedTokens is a store that instances of an app share, so that Twilio is
// asked about a Flex token once and not once an instance. Package redisflexfn
// has one. It need not be trusted: it gets neither tokens nor what Twilio said
// about them in readable form, and what it made up is not believed. Its
// methods are called concurrently, and should give up when ctx ends.
type SharedTokens interface {
	// Get returns what was last set for key, nil when there is nothing.
	Get(ctx context.Context, key string) ([]byte, error)
	// Set keeps value for key, for ttl at most.
	Set(ctx context.Context, key string, value []byte, ttl time.Duration) error
}

const (
	sharedTime  = 100 * time.Millisecond // that a request waits for the store
	sharedPause = time.Second            // before a store that failed is tried again
)

// sharedTokens is the app's side of a SharedTokens: sealed with the account's
// auth token, and left alone while it fails.
type sharedTokens struct {
	store SharedTokens
	app   *App
	names []byte // key of the HMAC that names entries
	aead  cipher.AEAD
	until atomic.Int64 // the store is left alone until then, in Unix nanoseconds
	state outages
}

// sharedVerdict is what is kept: only tokens that Twilio accepted, since a
// stranger can make any number of others.
type sharedVerdict struct {
	Owner Owner
	Until time.Time
}

func newSharedTokens(a *App) (*sharedTokens, error) {
	if a.config.SharedTokens == nil {
		return nil, nil
	}
	key, err := hkdf.Key(sha256.New, []byte(a.config.AuthToken), []byte(a.config.AccountSID), "flexfn shared tokens 1", 64)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key[32:])
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return &sharedTokens{store: a.config.SharedTokens, app: a, names: key[:32], aead: aead}, err
}

// name is the key of a token's entry. Only who has the auth token can tell
// which token it is for.
func (s *sharedTokens) name(token string) string {
	m := hmac.New(sha256.New, s.names)
	m.Write([]byte(token))
	return "flexfn:token:" + hex.EncodeToString(m.Sum(nil)[:20])
}

// get returns what an instance learnt about token, if it is still good. A nil
// s knows nothing.
func (s *sharedTokens) get(ctx context.Context, token string) (v tokenVerdict, ok bool) {
	if s == nil || !s.works() {
		return v, false
	}
	name := s.name(token)
	ctx, cancel := context.WithTimeout(ctx, sharedTime)
	defer cancel()
	sealed, err := s.store.Get(ctx, name)
	s.note("get", err)
	if err != nil || len(sealed) == 0 {
		return v, false
	}
	text, err := s.aead.Open(nil, nil, sealed, []byte(name))
	var shared sharedVerdict
	if err != nil || json.Unmarshal(text, &shared) != nil {
		return v, false // not ours
	}
	now := time.Now().Round(0)
	if most := now.Add(s.app.config.TokenTTL); shared.Until.After(most) {
		shared.Until = most // the other instance's clock, or its configuration
	}
	return tokenVerdict{owner: &shared.Owner, until: shared.Until}, now.Before(shared.Until)
}

// set tells other instances what Twilio said about token.
func (s *sharedTokens) set(ctx context.Context, token string, v tokenVerdict) {
	if s == nil || v.owner == nil || !s.works() {
		return
	}
	text, err := json.Marshal(sharedVerdict{*v.owner, v.until})
	if err != nil {
		return
	}
	name := s.name(token)
	ctx, cancel := context.WithTimeout(ctx, sharedTime)
	defer cancel()
	s.note("set", s.store.Set(ctx, name, s.aead.Seal(nil, nil, text, []byte(name)), time.Until(v.until)))
}

// works reports whether the store is to be asked.
func (s *sharedTokens) works() bool { return time.Now().UnixNano() >= s.until.Load() }

// note leaves the store alone for a while after a failure. The log tells once
// that it failed, and once that all of it works again.
func (s *sharedTokens) note(part string, err error) {
	if err != nil {
		s.until.Store(time.Now().Add(sharedPause).UnixNano())
	}
	before := s.state.any()
	news := s.state.note(part, err != nil)
	switch {
	case !news || before && s.state.any():
	case err != nil:
		s.app.log.Warn("the shared token cache does not work; going on with this instance's own", "error", err)
	default:
		s.app.log.Info("the shared token cache works again")
	}
}
