package flexfntest

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/internal/store"
)

// Store is a [flexfn.Store] in memory. Give it to several apps of a test,
// which then share it as instances do. It can be made to fail. It is safe for
// concurrent use.
//
//	shared := flexfntest.NewStore()
//	use := func(c *flexfn.Config) { c.Store = shared }
//	one, other := flexfntest.New(t, use), flexfntest.New(t, use)
//
// Entries expire by the clock of the process, so time passes at once for them
// in a bubble of testing/synctest.
type Store struct {
	memory *store.Memory
	fault  atomic.Pointer[error]
	calls  atomic.Int64
}

// NewStore makes an empty Store of at most 64 MiB.
func NewStore() *Store { return &Store{memory: store.NewMemory(64 << 20)} }

// Break makes every call fail with err, until Break(nil) is called. An app
// asks a Store that has failed three times in a row only once a second.
func (s *Store) Break(err error) {
	if err == nil {
		s.fault.Store(nil)
	} else {
		s.fault.Store(&err)
	}
}

// Calls returns how many calls there were so far, failed ones included.
func (s *Store) Calls() int { return int(s.calls.Load()) }

// Get implements [flexfn.Store].
func (s *Store) Get(ctx context.Context, key string) ([]byte, time.Duration, error) {
	s.calls.Add(1)
	if err := s.fault.Load(); err != nil {
		return nil, 0, *err
	}
	return s.memory.Get(ctx, key)
}

// Swap implements [flexfn.Store].
func (s *Store) Swap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
	s.calls.Add(1)
	if err := s.fault.Load(); err != nil {
		return false, *err
	}
	return s.memory.Swap(ctx, key, old, new, ttl)
}

// CheckStore tests an implementation of [flexfn.Store]: it fails the test for
// each rule that is broken. stores are connections to the same store, such as
// instances have; give more than one to test that they agree. It takes some
// seconds, and uses keys of its own.
//
//	func TestStore(t *testing.T) {
//		flexfntest.CheckStore(t, mystore.New(t), mystore.New(t))
//	}
//
// It checks that Swap is atomic among 64 writers, that entries live for their
// ttl and not longer, keys and values of the longest sizes and of any bytes,
// and that calls end with their ctx. It does not check what happens in an
// outage.
func CheckStore(t *testing.T, stores ...flexfn.Store) {
	t.Helper()
	if len(stores) == 0 {
		t.Fatal("flexfntest: CheckStore needs a store")
	}
	c := &storeCheck{stores: stores, prefix: fmt.Sprintf("flexfn:1:AC%032x:check%d:", time.Now().UnixNano(), time.Now().UnixNano()%1e6)}
	for name, check := range map[string]func(*testing.T){
		"Swap": c.swap, "Expiry": c.expiry, "Size": c.size, "Writers": c.writers, "Context": c.context,
	} {
		t.Run(name, check)
	}
}

// storeCheck is one run of [CheckStore].
type storeCheck struct {
	stores []flexfn.Store
	prefix string
}

// at returns the i-th connection, modulo their number.
func (c *storeCheck) at(i int) flexfn.Store { return c.stores[i%len(c.stores)] }

// want fails the test unless connection i has value want at key, with at most
// ttl left.
func (c *storeCheck) want(t *testing.T, i int, key string, want []byte, ttl time.Duration) {
	t.Helper()
	got, left, err := c.at(i).Get(t.Context(), c.prefix+key)
	switch {
	case err != nil:
		t.Errorf("Get(%s): %v", key, err)
	case !bytes.Equal(got, want) || (got == nil) != (want == nil):
		t.Errorf("Get(%s) has %d bytes, %q…; want %d, %q…", key, len(got), got[:min(len(got), 20)], len(want), want[:min(len(want), 20)])
	case want != nil && (left <= 0 || left > ttl || left < ttl-10*time.Second):
		t.Errorf("Get(%s): %s are left of %s", key, left, ttl)
	}
}

// swaps fails the test unless a Swap on connection i reports want.
func (c *storeCheck) swaps(t *testing.T, i int, key string, old, new []byte, ttl time.Duration, want bool) {
	t.Helper()
	if got, err := c.at(i).Swap(t.Context(), c.prefix+key, old, new, ttl); err != nil || got != want {
		t.Errorf("Swap(%s, %d bytes, %d bytes, %s) = %t, %v; want %t", key, len(old), len(new), ttl, got, err, want)
	}
}

// swap checks the rules of Swap one by one, each step on another connection, so
// that each must see what the other has written.
func (c *storeCheck) swap(t *testing.T) {
	one, two := []byte("one\x00\xff\r\n"), []byte("two'\"\\")
	c.want(t, 0, "swap", nil, 0)
	c.swaps(t, 1, "swap", one, two, time.Minute, false)
	c.want(t, 0, "swap", nil, 0)
	c.swaps(t, 0, "swap", nil, one, time.Minute, true)
	c.want(t, 1, "swap", one, time.Minute)
	c.swaps(t, 1, "swap", nil, two, time.Minute, false)
	c.swaps(t, 1, "swap", two, two, time.Minute, false)
	c.swaps(t, 1, "swap", one, two, time.Hour, true)
	c.want(t, 0, "swap", two, time.Hour)
	c.swaps(t, 0, "swap", one, nil, 0, false)
	c.swaps(t, 0, "swap", two, nil, 0, true)
	c.want(t, 1, "swap", nil, 0)
	c.swaps(t, 0, "long ttl", nil, one, 31*24*time.Hour, true)
	c.want(t, 1, "long ttl", one, 31*24*time.Hour)
	c.swaps(t, 1, "long ttl", one, nil, 0, true)
}

// expiry checks that an entry is there for its ttl and gone soon after, and
// that the later of two ttls counts. It waits in real time, since a store has
// a clock of its own.
func (c *storeCheck) expiry(t *testing.T) {
	const ttl = 700 * time.Millisecond
	one, two := []byte("one"), []byte("two")
	begin := time.Now()
	c.swaps(t, 0, "expiry", nil, one, ttl, true)
	for {
		asked := time.Now()
		value, left, err := c.at(1).Get(t.Context(), c.prefix+"expiry")
		if err != nil {
			t.Fatal(err)
		}
		if value == nil {
			if took := time.Since(begin); took < ttl {
				t.Errorf("an entry for %s is gone after %s", ttl, took)
			}
			break
		}
		if age := asked.Sub(begin); age > ttl+5*time.Second || left > ttl {
			t.Fatalf("an entry for %s is there after %s, for another %s", ttl, age, left)
		}
		time.Sleep(20 * time.Millisecond)
	}
	c.swaps(t, 1, "expiry", one, two, ttl, false)
	c.swaps(t, 0, "expiry", nil, two, ttl, true)
	c.swaps(t, 1, "expiry", two, one, time.Minute, true)
	time.Sleep(ttl + 50*time.Millisecond)
	c.want(t, 0, "expiry", one, time.Minute) // the later ttl counts
	c.swaps(t, 0, "expiry", one, nil, 0, true)
	c.swaps(t, 0, "short", nil, one, time.Millisecond, true)
	time.Sleep(50 * time.Millisecond)
	c.want(t, 1, "short", nil, 0)
}

// size checks the longest key and value that flexfn writes, and the shortest
// value.
func (c *storeCheck) size(t *testing.T) {
	big, other := bytes.Repeat([]byte{0xa5}, 300<<10), bytes.Repeat([]byte{0xa6}, 300<<10)
	key := "size:" + string(bytes.Repeat([]byte("k"), 128-len(c.prefix)-5))
	c.swaps(t, 0, key, nil, big, time.Minute, true)
	c.want(t, 1, key, big, time.Minute)
	c.swaps(t, 1, key, other, nil, 0, false)
	c.swaps(t, 1, key, big, other, time.Minute, true)
	c.want(t, 0, key, other, time.Minute)
	c.swaps(t, 0, key, other, nil, 0, true)
	c.swaps(t, 0, "small", nil, []byte{0}, time.Minute, true)
	c.want(t, 1, "small", []byte{0}, time.Minute)
	c.swaps(t, 0, "small", []byte{0}, nil, 0, true)
}

// writers lets many goroutines increment one entry: each increment must happen
// exactly once.
func (c *storeCheck) writers(t *testing.T) {
	const writers, each = 64, 10
	var all sync.WaitGroup
	var lost atomic.Int64
	for w := range writers {
		all.Go(func() {
			for n := 0; n < each; {
				value, _, err := c.at(w).Get(t.Context(), c.prefix+"writers")
				if err != nil {
					t.Error(err)
					return
				}
				next := fmt.Appendf(nil, "%d by %d", number(value)+1, w)
				ok, err := c.at(w+1).Swap(t.Context(), c.prefix+"writers", value, next, time.Minute)
				if err != nil {
					t.Error(err)
					return
				}
				if ok {
					n++
				} else {
					lost.Add(1)
				}
			}
		})
	}
	all.Wait()
	value, _, err := c.at(0).Get(t.Context(), c.prefix+"writers")
	if got := number(value); got != writers*each {
		t.Errorf("%d writers counted to %d in %d steps (%d lost a race): Swap is not atomic (%v)", writers, got, writers*each, lost.Load(), err)
	}
	c.swaps(t, 0, "writers", value, nil, 0, true)
}

// number is the count that a value of writers begins with; zero for none.
func number(value []byte) (n int) {
	_, _ = fmt.Sscanf(string(value), "%d", &n)
	return n
}

// context checks that calls whose ctx has ended return at once, with whatever
// result.
func (c *storeCheck) context(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	begin := time.Now()
	_, _, _ = c.at(0).Get(ctx, c.prefix+"context")
	_, _ = c.at(0).Swap(ctx, c.prefix+"context", nil, []byte("x"), time.Second)
	if took := time.Since(begin); took > 200*time.Millisecond {
		t.Errorf("calls with a ctx that has ended return after %s", took)
	}
}
