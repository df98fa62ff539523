// Package store keeps an app's entries in its flexfn.Store. Keys are derived,
// and values sealed, with the app's secret. Without a Store, entries are in
// memory.
package store

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"
)

// Store is the same as flexfn.Store, where it is documented.
type Store interface {
	Get(ctx context.Context, key string) (value []byte, left time.Duration, err error)
	Swap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (swapped bool, err error)
}

// Bounds on the time that a Store may cost.
const (
	wait        = 250 * time.Millisecond // of one call
	pause       = time.Second            // between calls to a Store that is down
	failsToDown = 3                      // failed calls in a row after which a Store is down
)

// Entries is an app's part of a Store. It is safe for concurrent use.
//
// Reads and writes are followed apart: a Store that has become read-only
// answers every Get.
type Entries struct {
	store   Store
	private bool // in this process: nothing is sealed
	prefix  string
	names   []byte // the key of the HMAC that names entries
	aead    cipher.AEAD
	log     *slog.Logger

	reads, writes health // a Store that is full or read-only fails only one
	down          atomic.Int32
}

// health follows whether calls of one kind work.
type health struct {
	failed atomic.Int32 // calls in a row
	retry  atomic.Int64 // when down, when to try again, in Unix nanoseconds
}

// Entry is the Store's entry at a key. The zero Entry means that there is
// none.
type Entry struct {
	raw   []byte
	Value []byte
	Left  time.Duration // until it expires, by the Store's clock
}

// Exists reports whether there is an entry.
func (e Entry) Exists() bool { return e.raw != nil }

// errDown is returned, without calling the Store, if the Store has failed
// repeatedly just before.
var errDown = errors.New("the store has failed repeatedly and is left alone for a second")

// InMemory returns entries in this process.
func InMemory(m *Memory, log *slog.Logger) *Entries {
	return &Entries{store: m, private: true, log: log}
}

// In returns the account's entries in s, sealed with secret. Instances that
// share entries must have the same secret.
func In(s Store, accountSID, secret string, log *slog.Logger) (*Entries, error) {
	key, err := hkdf.Key(sha256.New, []byte(secret), []byte(accountSID), "flexfn store 1", 64)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key[32:])
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return &Entries{store: s, prefix: "flexfn:1:" + accountSID + ":", names: key[:32], aead: aead, log: log}, err
}

// Private reports whether the entries are in this process.
func (e *Entries) Private() bool { return e.private }

// Key returns the key for a use, such as "once", and parts. Without the secret
// the parts cannot be recovered from it.
//
// Parts are hashed with their lengths, so that ("ab", "c") and ("a", "bc")
// differ. The use stays readable, for those who look into the Store.
func (e *Entries) Key(use string, parts ...string) string {
	var room [256]byte
	b := room[:0]
	for _, p := range parts {
		b = binary.AppendUvarint(b, uint64(len(p)))
		b = append(b, p...)
	}
	var sum [sha256.Size]byte
	if e.private {
		sum = sha256.Sum256(b)
	} else {
		sum = e.sum(use, b)
	}
	name := append(room[:0], e.prefix...)
	name = append(append(name, use...), ':')
	return string(hex.AppendEncode(name, sum[:20]))
}

func (e *Entries) sum(use string, b []byte) (sum [sha256.Size]byte) {
	m := hmac.New(sha256.New, e.names)
	m.Write(append(append([]byte(use), 0), b...)) // a copy: b stays on Key's stack
	return [sha256.Size]byte(m.Sum(nil))
}

// Get returns the entry at key.
func (e *Entries) Get(ctx context.Context, key string) (Entry, error) {
	if e.private {
		value, left, err := e.store.Get(ctx, key)
		return Entry{value, value, left}, err
	}
	if !e.reads.works() {
		return Entry{}, errDown
	}
	limited, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	raw, left, err := e.store.Get(limited, key)
	err = silence(ctx, limited, err)
	e.note(&e.reads, err)
	if err != nil || raw == nil {
		return Entry{}, err
	}
	value, err := e.aead.Open(nil, nil, raw, []byte(key))
	if err != nil {
		return Entry{}, fmt.Errorf("the store's entry %s was not written with this secret", key)
	}
	return Entry{raw, value, left}, nil
}

// Swap replaces old with value for ttl, or deletes it if value is nil, and
// reports whether it did. No two values may be equal. After a failure it reads
// the entry again to find out; an error means that it still does not know
// whether the swap happened, or that it did not. While writes fail it only
// reads: if the entry is not old, it reports that it did nothing.
func (e *Entries) Swap(ctx context.Context, key string, old Entry, value []byte, ttl time.Duration) (Entry, bool, error) {
	if e.private {
		ok, err := e.store.Swap(ctx, key, old.raw, value, ttl)
		return Entry{value, value, ttl}, ok, err
	}
	next := Entry{Value: value, Left: ttl}
	if value != nil {
		next.raw = e.aead.Seal(nil, nil, value, []byte(key))
	}
	err := errDown
	if e.writes.works() {
		limited, cancel := context.WithTimeout(ctx, wait)
		var ok bool
		ok, err = e.store.Swap(limited, key, old.raw, next.raw, ttl)
		err = silence(ctx, limited, err)
		cancel()
		e.note(&e.writes, err)
		if err == nil {
			return next, ok, nil
		}
	} else if !e.reads.works() {
		return Entry{}, false, err
	}
	// It may have happened, and the caller must know, even if ctx has ended. Or
	// there is another entry already, which a store that is full or read-only
	// still shows.
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), wait)
	defer cancel()
	now, left, lookErr := e.store.Get(limited, key)
	e.note(&e.reads, lookErr)
	switch {
	case lookErr != nil:
		return Entry{}, false, err
	case bytes.Equal(now, next.raw):
		next.Left = left
		return next, true, nil
	case bytes.Equal(now, old.raw):
		return Entry{}, false, err // it may still happen
	}
	return Entry{}, false, nil
}

// silence says what a Store did whose error is that of the limited ctx. If ctx
// has ended as well, it is the caller who waits no longer.
func silence(ctx, limited context.Context, err error) error {
	if err == nil || limited.Err() == nil || ctx.Err() != nil {
		return err
	}
	return fmt.Errorf("it did not answer within %s: %w", wait, err)
}

// works reports whether to call the Store. While it is down, one call per pause
// is let through.
func (h *health) works() bool {
	if h.failed.Load() < failsToDown {
		return true
	}
	now, at := time.Now().UnixNano(), h.retry.Load()
	return now >= at && h.retry.CompareAndSwap(at, now+int64(pause))
}

// note records whether a call worked. The log says once that the Store fails,
// and once that it works again.
func (e *Entries) note(h *health, err error) {
	if err == nil {
		e.recovered(h)
		if h == &e.writes { // a Swap also reads
			e.recovered(&e.reads)
		}
		return
	}
	if n := h.failed.Add(1); n >= failsToDown {
		h.retry.Store(time.Now().Add(pause).UnixNano())
		if n == failsToDown && e.down.Add(1) == 1 {
			e.log.Error("the store fails; it is tried again each second", "error", err)
		}
	}
}

// recovered notes that a call worked. The log says so once both kinds of calls
// work.
func (e *Entries) recovered(h *health) {
	if h.failed.Load() != 0 && h.failed.Swap(0) >= failsToDown && e.down.Add(-1) == 0 {
		e.log.Info("the store works again")
	}
}
