// Package liar has a store whose calls go wrong in every way that servers and
// networks can fail, in virtual time.
package liar

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/flexfn/flexfn/internal/store"
)

// Lie is how a call goes wrong.
type Lie byte

const (
	Honest  Lie = iota
	Fails       // and does nothing
	Late        // fails, and does it later
	Unsaid      // does it, and fails
	Repeats     // does it, and once more later
	Slow        // may take longer than flexfn waits
	Stale       // reads the value before the last write
	Forgets     // does it, and undoes it later, as a failover may; breaks a rule of flexfn.Store
	Kinds   = iota
)

// Random lies in a share of the calls, without breaking a rule of flexfn.Store.
func Random(seed uint64, share float64) func() Lie {
	rng := rand.New(rand.NewPCG(seed, 7))
	return func() Lie {
		if rng.Float64() < share {
			return Fails + Lie(rng.IntN(int(Forgets-Fails)))
		}
		return Honest
	}
}

// From takes the lies from a fuzzer's bytes. After the last byte the store is
// honest.
func From(b []byte) func() Lie {
	return func() Lie {
		if len(b) == 0 {
			return Honest
		}
		lie := Lie(b[0]) % Kinds
		b = b[1:]
		return lie
	}
}

// Store is a flexfn.Store that lies. It is safe for concurrent use.
type Store struct {
	Broken string // the rule of flexfn.Store that it always breaks: "left", "old" or "ttl"

	memory *store.Memory
	mu     sync.Mutex
	rng    *rand.Rand
	lies   func() Lie
	forgot bool
	was    map[string]seen // what was at a key before the last write
	later  sync.WaitGroup
}

type seen struct {
	value []byte
	left  time.Duration
}

// New makes a Store that asks lies once for each call.
func New(seed uint64, lies func() Lie) *Store {
	return &Store{memory: store.NewMemory(1 << 20), rng: rand.New(rand.NewPCG(seed, 1)), lies: lies, was: map[string]seen{}}
}

// Reform waits for everything that was late, and then makes the store honest.
func (s *Store) Reform() {
	s.mu.Lock()
	s.lies = func() Lie { return Honest }
	s.mu.Unlock()
	s.later.Wait()
}

// Forgot reports whether the store undid a write.
func (s *Store) Forgot() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.forgot
}

var errLost = errors.New("connection lost")

// begin waits as a call of a server does, which may go on after the caller has
// left.
func (s *Store) begin(ctx context.Context) (lie Lie, d time.Duration, err error) {
	s.mu.Lock()
	lie, d = s.lies(), time.Duration(s.rng.IntN(20))*time.Millisecond
	s.mu.Unlock()
	if lie == Slow {
		d *= 50
	}
	select {
	case <-time.After(d):
	case <-ctx.Done():
		err = ctx.Err()
	}
	return lie, d, err
}

// Get implements flexfn.Store.
func (s *Store) Get(ctx context.Context, key string) ([]byte, time.Duration, error) {
	lie, _, err := s.begin(ctx)
	if err != nil {
		return nil, 0, err
	}
	switch lie {
	case Fails, Late, Unsaid:
		return nil, 0, errLost
	case Stale:
		s.mu.Lock()
		defer s.mu.Unlock()
		if was, ok := s.was[key]; ok {
			return was.value, was.left, nil
		}
	}
	value, left, err := s.memory.Get(ctx, key)
	if s.Broken == "left" {
		left = 0
	}
	return value, left, err
}

// Swap implements flexfn.Store.
func (s *Store) Swap(ctx context.Context, key string, old, value []byte, ttl time.Duration) (bool, error) {
	do := func() (bool, error) { return s.swap(key, old, value, ttl) }
	lie, d, err := s.begin(ctx)
	if err != nil {
		s.after(d, do)
		return false, err
	}
	switch lie {
	case Fails:
		return false, errLost
	case Late:
		s.after(20*d, do)
		return false, errLost
	case Unsaid:
		_, _ = do()
		return false, errLost
	case Repeats:
		s.after(100*d, do)
	case Forgets:
		was, left, _ := s.memory.Get(ctx, key)
		s.after(20*d, func() (bool, error) {
			undone, err := s.swap(key, value, was, max(left, time.Millisecond))
			s.mu.Lock()
			defer s.mu.Unlock()
			s.forgot = s.forgot || undone
			return undone, err
		})
	}
	return do()
}

func (s *Store) swap(key string, old, value []byte, ttl time.Duration) (bool, error) {
	now, left, _ := s.memory.Get(context.Background(), key)
	switch s.Broken {
	case "old": // is not compared
		if now != nil && old != nil {
			old = now
		}
	case "ttl":
		ttl = min(ttl, time.Second)
	}
	ok, err := s.memory.Swap(context.Background(), key, old, value, ttl)
	if ok {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.was[key] = seen{now, left}
	}
	return ok, err
}

func (s *Store) after(d time.Duration, do func() (bool, error)) {
	s.later.Go(func() {
		time.Sleep(d)
		_, _ = do()
	})
}
