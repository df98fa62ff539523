package flexfn

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/flexfn/flexfn/internal/claim"
	"github.com/flexfn/flexfn/internal/store"
)

// Store holds what the instances of an app share: accepted Flex tokens, what
// [Once] has done, and which events were handled. redisflexfn and pgflexfn
// implement it. If [Config].Store is nil, the app uses up to 64 MiB of its own
// memory and shares no tokens.
//
// A Store maps keys to values for a limited time. Keys are printable ASCII, at
// most 128 bytes, and start with "flexfn:1:" and the account SID. Values are at
// most 300 KiB and sealed: the Store can neither read nor forge them. No two
// values that flexfn writes are equal.
//
// Implementations must follow these rules; flexfntest.CheckStore tests them:
//
//   - Swap is atomic across instances, and every Get or Swap that starts after
//     it has returned true sees the new value.
//   - An entry lives for its ttl, measured by the store's own clock. It is
//     never evicted earlier. After that it does not exist, even if it has not
//     been deleted yet.
//   - Get and Swap return when ctx ends, and are safe for concurrent use.
//
// An error means that the store failed, and that a Swap may have happened
// nevertheless; flexfn checks before it continues. All errors are treated
// alike.
//
// flexfn waits at most 250 ms for a call. After three failures in a row it
// calls once a second until the store works again. The log says so once, and
// once more when the store works again.
//
//	db, err := redisflexfn.New("rediss://user:password@cache.example.com:6379")
//	…
//	config := flexfn.FromEnv()
//	config.Store = db
//
// The app does not close its Store; close it after [App.Wait].
type Store interface {
	// Get returns the value at key and how much of its ttl is left. The value
	// is nil if there is no entry.
	Get(ctx context.Context, key string) (value []byte, left time.Duration, err error)
	// Swap replaces old with new for ttl (1 ms to 31 days) and reports whether
	// it did: it does nothing if the value at key is not old. A nil old means
	// that the entry must not exist; a nil new deletes the entry.
	Swap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (swapped bool, err error)
}

const (
	memoryStoreBytes = 64 << 20 // without a Store
	ownMemoryBytes   = 16 << 20 // for Deduplicate, while the Store fails
	shortestSecret   = 32       // of random characters: more than 128 bits
)

// newEntries returns the app's part of its Store.
func newEntries(c Config, log *slog.Logger) (*store.Entries, error) {
	if c.Store == nil {
		return store.InMemory(store.NewMemory(memoryStoreBytes), log), nil
	}
	secret := c.StoreSecret
	if secret == "" {
		secret = c.AuthToken
	}
	return store.In(c.Store, c.AccountSID, secret, log)
}

// checkStoreSecret refuses a secret that someone who can read the Store could
// guess: the key of its entries is derived from the secret without stretching.
func checkStoreSecret(secret string) error {
	if secret != "" && len(secret) < shortestSecret {
		return fmt.Errorf("FLEXFN_STORE_SECRET has %d characters: it must have at least %d, drawn at random", len(secret), shortestSecret)
	}
	return nil
}

// longestTurn bounds a turn in a ctx without a deadline, such as that of a job.
const longestTurn = time.Minute

// takeTurn takes the turn for key among the instances that share the Store. A
// turn of an instance that has died ends a little after its deadline would have.
//
// While the Store fails there are no turns among instances, and the log says so:
// a caller who waits is worth more than a change that two make at once. The
// error is ctx's.
func (a *App) takeTurn(ctx context.Context, key string) (done func(), err error) {
	lease := longestTurn
	if at, ok := ctx.Deadline(); ok {
		lease = max(time.Until(at), 0) + leaseMargin
	}
	mine, _, err := a.claims.Take(ctx, claim.Request{Key: a.entries.Key("turn", key), Keep: time.Second, Lease: lease})
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return nil, ctx.Err()
	default:
		Logger(ctx).Warn("turns are taken within this instance alone: an update at the same time by another one may be lost", "key", key, "error", err)
		return func() {}, nil
	}
	return func() {
		if err := mine.Free(context.WithoutCancel(ctx), func([]byte) []byte { return nil }); err != nil {
			Logger(ctx).Warn("a turn could not be given back: other instances wait until it ends by itself", "key", key, "ends", mine.Ends(), "error", err)
		}
	}, nil
}

// sharedTokens shares with other instances which Flex tokens Twilio accepted.
type sharedTokens struct {
	entries  *store.Entries
	most     time.Duration // how long a token is trusted
	upstream [2]string     // which service was asked: a fake's answer must not count as Twilio's
}

// sharedVerdict is the entry of an accepted token. Refusals are not shared,
// since strangers could fill the Store with them.
type sharedVerdict struct {
	Owner Owner
	Until time.Time
}

// newSharedTokens makes a sharedTokens for the service at url, or nil without a
// Store.
func newSharedTokens(a *App, url string) *sharedTokens {
	if a.entries.Private() {
		return nil
	}
	return &sharedTokens{a.entries, a.config.TokenTTL, [2]string{url, a.config.TwilioURL}}
}

// get returns another instance's verdict about token, if it is still trusted.
// It finds none if the Store fails or s is nil.
func (s *sharedTokens) get(ctx context.Context, token string) (v tokenVerdict, ok bool) {
	if s == nil {
		return v, false
	}
	e, err := s.entries.Get(ctx, s.key(token))
	var shared sharedVerdict
	if err != nil || !e.Exists() || json.Unmarshal(e.Value, &shared) != nil {
		return v, false
	}
	// The store's clock does not depend on that of the other instance.
	ttl := min(e.Left, s.most)
	return newVerdict(&shared.Owner, "", max(ttl, 0)), ttl > 0
}

// set shares an accepted token.
func (s *sharedTokens) set(ctx context.Context, token string, v tokenVerdict) {
	if s == nil || v.owner == nil {
		return
	}
	text, err := json.Marshal(sharedVerdict{*v.owner, v.askedByWall.Add(v.ttl)})
	if err != nil {
		return
	}
	_, _, _ = s.entries.Swap(ctx, s.key(token), store.Entry{}, text, v.ttl.Truncate(time.Millisecond)) // best effort; an outage is logged elsewhere
}

// key returns the key of the token's entry. It depends on the service that was
// asked, so that an app that asks Twilio does not trust a token that a fake
// accepted.
func (s *sharedTokens) key(token string) string {
	return s.entries.Key("token", s.upstream[0], s.upstream[1], token)
}
