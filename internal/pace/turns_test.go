package pace

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestTurns: one address floods, directly or with made-up callers. Whoever comes
// from another one gets the next turn, or shares the turns with the flood.
func TestTurns(t *testing.T) {
	for name, flooder := range map[string]func(i int) Address{
		"one caller":      func(int) Address { return Address{Peer: "flood"} },
		"made-up callers": func(i int) Address { return Address{"flood", fmt.Sprint(i)} },
		"a proxy's":       func(int) Address { return Address{"proxy", "flood"} },
	} {
		synctest.Test(t, func(t *testing.T) {
			turns := &Turns{Each: time.Second / 20, Burst: 10, Most: 40}
			ctx, end := context.WithCancel(t.Context())
			var flood sync.WaitGroup
			var passed, busy atomic.Int64
			var tokens atomic.Uint64
			for i := range 100 {
				flood.Go(func() {
					for ctx.Err() == nil {
						switch err := turns.Wait(ctx, flooder(i), tokens.Add(1), 2*time.Second); {
						case err == nil:
							passed.Add(1)
						case errors.Is(err, ErrBusy):
							busy.Add(1)
							time.Sleep(10 * time.Millisecond)
						}
					}
				})
			}
			time.Sleep(time.Second)
			var others sync.WaitGroup
			for i := range 10 {
				others.Go(func() {
					from := Address{"proxy", fmt.Sprint("other ", i)}
					for range 5 {
						began := time.Now()
						if err := turns.Wait(ctx, from, tokens.Add(1), 2*time.Second); err != nil || time.Since(began) > 1200*time.Millisecond {
							t.Errorf("%s: caller %d after %s: %v", name, i, time.Since(began), err)
						}
					}
				})
			}
			others.Wait()
			end()
			flood.Wait()
			if passed.Load() < 20 || busy.Load() == 0 {
				t.Errorf("%s: %d of the flood had a turn, %d had none", name, passed.Load(), busy.Load())
			}
			time.Sleep(time.Second)
			turns.mu.Lock() // the last turn was given by a timer
			defer turns.mu.Unlock()
			if len(turns.waiting) != 0 || turns.pending {
				t.Errorf("%s: %d still wait", name, len(turns.waiting))
			}
		})
	}
}

// TestTurnsPace: a burst, then one at a time in the order of arrival. A
// caller who has left takes no turn.
func TestTurnsPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns, began, callers := &Turns{Each: time.Second, Burst: 3, Most: 3}, time.Now(), uint64(0)
		ctx, cancel := context.WithCancel(t.Context())
		wait := func(ctx context.Context, most time.Duration, after time.Duration, want error) {
			callers++
			err := turns.Wait(ctx, Address{}, callers, most)
			if !errors.Is(err, want) || time.Since(began) != after {
				t.Errorf("%v after %s, want %v after %s", err, time.Since(began), want, after)
			}
		}
		for range 3 {
			wait(ctx, 0, 0, nil)
		}
		wait(ctx, 0, 0, ErrBusy)
		var all sync.WaitGroup
		all.Go(func() { wait(ctx, time.Minute, 500*time.Millisecond, context.Canceled) })
		synctest.Wait()
		all.Go(func() { wait(t.Context(), time.Minute, time.Second, nil) })
		synctest.Wait()
		all.Go(func() { wait(t.Context(), time.Minute, 2*time.Second, nil) })
		synctest.Wait()
		wait(t.Context(), time.Minute, 0, ErrBusy) // the room is full
		time.Sleep(500 * time.Millisecond)
		cancel()
		all.Wait()
	})
}

// TestTurnsKeepPlaces: who tries again is ahead of those who came later, from the
// same address and from as many addresses as may wait, and has no such place once
// a turn was given.
func TestTurnsKeepPlaces(t *testing.T) {
	for name, address := range map[string]func(who uint64) Address{
		"one address":     func(uint64) Address { return Address{} },
		"an address each": func(who uint64) Address { return Address{Peer: fmt.Sprint(who)} },
	} {
		synctest.Test(t, func(t *testing.T) {
			turns, began := &Turns{Each: time.Second, Burst: 1, Most: 3}, time.Now()
			var all sync.WaitGroup
			come := func(who uint64, most, after time.Duration, want error) {
				all.Go(func() {
					err := turns.Wait(t.Context(), address(who), who, most)
					if !errors.Is(err, want) || time.Since(began) != after {
						t.Errorf("%s: caller %d: %v after %s, want %v after %s", name, who, err, time.Since(began), want, after)
					}
				})
				synctest.Wait()
			}
			const long = time.Hour
			come(1, long, 0, nil)
			come(2, long, time.Second, nil)
			come(3, time.Second/4, time.Second/4, ErrBusy) // waited long enough
			come(4, long, 3*time.Second, nil)
			come(5, long, 0, ErrBusy) // the room is full
			time.Sleep(time.Second / 2)
			come(6, long, time.Second/2, ErrBusy) // for caller 3, who is back
			come(3, long, 2*time.Second, nil)
			all.Wait()
			if len(turns.kept) != 2 || turns.kept[5] == 0 || turns.kept[6] == 0 {
				t.Errorf("%s: the kept places are %v, want those of 5 and 6", name, turns.kept)
			}
		})
	}
}

// TestTurnsKeepFewPlaces: a flood does not fill the memory, and the latest places
// stay.
func TestTurnsKeepFewPlaces(t *testing.T) {
	turns := new(Turns)
	const callers = 5*maxKept + 1
	for who := range uint64(callers) {
		w := &waiter{who: who, place: turns.placeOf(who)}
		turns.keep(w)
		turns.keep(w) // came again
	}
	if n := len(turns.kept) + len(turns.keptEarlier); n > 2*maxKept {
		t.Errorf("%d places are kept", n)
	}
	if place := turns.placeOf(callers - maxKept); place != callers-maxKept+1 {
		t.Errorf("the place of one of the latest is %d", place)
	}
}

func TestAddressOf(t *testing.T) {
	for _, c := range []struct {
		remote, forwarded string
		want              Address
	}{
		{"192.0.2.1:5000", "", Address{Peer: "192.0.2.1"}},
		{"192.0.2.1", "", Address{Peer: "192.0.2.1"}},
		{"[2001:db8:1:2:3:4:5:6]:80", "", Address{Peer: "2001:db8:1:2::/64"}},
		{"[::ffff:192.0.2.1]:80", "", Address{Peer: "192.0.2.1"}},
		{"10.0.0.1:1", "198.51.100.1, 203.0.113.9", Address{"10.0.0.1", "203.0.113.9"}},
		{"10.0.0.1:1", "2001:db8::1", Address{"10.0.0.1", "2001:db8::/64"}},
		{"10.0.0.1:1", "203.0.113.9:4000", Address{"10.0.0.1", "203.0.113.9"}},
		{"@", "unknown", Address{"@", "unknown"}},
	} {
		h := http.Header{}
		if c.forwarded != "" {
			h.Set("X-Forwarded-For", c.forwarded)
		}
		if got := AddressOf(c.remote, h); got != c.want {
			t.Errorf("%s, %s: %+v, want %+v", c.remote, c.forwarded, got, c.want)
		}
	}
}
