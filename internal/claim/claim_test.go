package claim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flexfn/flexfn/internal/store"
	"github.com/flexfn/flexfn/internal/testing/blind"
	"github.com/flexfn/flexfn/internal/testing/liar"
)

const modelLease = 2 * time.Second

// model runs instances that compete for one piece of work, and that crash,
// freeze and fail. It returns what went wrong, or "". The store keeps its rules
// unless broken names one, or it is told to forget.
func model(t *testing.T, seed uint64, broken string, lies func() liar.Lie) (fault string) {
	synctest.Test(t, func(t *testing.T) {
		l := liar.New(seed, lies)
		l.Broken = broken
		var mu sync.Mutex
		var holding int // instances within their lease
		var answers = map[string]int{}
		runs := 0
		fail := func(format string, a ...any) {
			mu.Lock()
			defer mu.Unlock()
			fault = fmt.Sprintf(format, a...)
		}
		var all sync.WaitGroup
		for i := range 5 {
			rng := rand.New(rand.NewPCG(seed, uint64(i)+2))
			entries, err := store.In(l, "AC00000000000000000000000000000001", "secret", slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			claims := New(entries)
			all.Go(func() {
				time.Sleep(time.Duration(rng.IntN(300)) * time.Millisecond)
				for begin := time.Now(); time.Since(begin) < time.Minute; time.Sleep(50 * time.Millisecond) {
					ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
					asked := time.Now()
					mine, data, err := claims.Take(ctx, Request{Key: "k", Keep: time.Hour, Lease: modelLease})
					cancel()
					if took := time.Since(asked); took > 10*time.Second {
						fail("Take waited %s", took)
					}
					switch {
					case err != nil:
						continue
					case mine == nil:
						if string(data) == "failed" {
							continue
						}
						mu.Lock()
						answers[string(data)]++
						mu.Unlock()
						return
					}
					mu.Lock()
					holding++
					runs++
					if holding > 1 {
						fault = fmt.Sprintf("%d hold the claim", holding)
					}
					answer := strconv.Itoa(runs)
					mu.Unlock()
					within := time.Duration(rng.Int64N(int64(modelLease - 500*time.Millisecond)))
					time.Sleep(within)
					mu.Lock()
					holding--
					mu.Unlock()
					switch rng.IntN(6) {
					case 0: // crashes
						return
					case 1: // is frozen beyond its lease
						time.Sleep(2 * modelLease)
					case 2: // fails
						if mine.Free(t.Context(), func([]byte) []byte { return []byte("failed") }) == nil {
							continue
						}
					}
					for {
						kept, err := mine.Finish(t.Context(), []byte(answer))
						if err != nil && !errors.Is(err, ErrTwice) {
							if time.Now().After(mine.Ends().Add(time.Minute)) {
								return
							}
							time.Sleep(100 * time.Millisecond)
							continue
						}
						mu.Lock()
						answers[string(kept)]++
						mu.Unlock()
						return
					}
				}
			})
		}
		all.Wait()
		l.Reform()
		if len(answers) > 1 {
			fail("different answers: %v", answers)
		}
		if l.Forgot() { // then the work may be done twice, but is never lost
			fault, answers = "", nil
		}
		entries, err := store.In(l, "AC00000000000000000000000000000001", "secret", slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute) // a claim that was given up ends
		mine, data, err := New(entries).Take(t.Context(), Request{Key: "k", Keep: time.Hour, Lease: modelLease})
		if err != nil || len(answers) > 0 && (mine != nil || answers[string(data)] == 0) {
			fail("at the end, with the answers %v: %q, %v", answers, data, err)
		}
	})
	return fault
}

// TestModel runs claims over an unreliable store, in virtual time.
// FLEXFN_CLAIM_SEEDS sets how many seeds it tries.
func TestModel(t *testing.T) { liar.Run(model).Try(t, 200) }

// TestModelFindsFaults plants faults in the store: the model must notice each.
func TestModelFindsFaults(t *testing.T) { liar.Run(model).Notices(t, 300) }

// FuzzStoreThatLies lets the fuzzer choose what goes wrong with each call.
func FuzzStoreThatLies(f *testing.F) { liar.Run(model).Fuzz(f) }

func newClaims() *Claims {
	return New(store.InMemory(store.NewMemory(1<<20), slog.New(slog.DiscardHandler)))
}

// TestLostClaim lets a holder outlive its lease and record its progress anyway.
func TestLostClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		claims := newClaims()
		req := Request{Key: "k", Keep: time.Hour, Lease: time.Second}
		add := func(part string) func([]byte) []byte {
			return func(b []byte) []byte { return append(append([]byte{}, b...), part...) }
		}
		one, _, err := claims.Take(t.Context(), req)
		if err != nil || one == nil {
			t.Fatal(one, err)
		}
		begin := time.Now()
		for wait, want := range map[time.Duration]time.Duration{-1: 0, 300 * time.Millisecond: 300 * time.Millisecond} {
			asked := time.Now()
			if _, _, err := claims.Take(t.Context(), Request{Key: "k", Keep: time.Hour, Lease: time.Second, Wait: wait}); !errors.Is(err, ErrBusy) {
				t.Errorf("another's claim: %v", err)
			}
			if took := time.Since(asked); took < want || took > want+2*time.Millisecond {
				t.Errorf("with a Wait of %s, Take took %s", wait, took)
			}
		}
		two, _, err := claims.Take(t.Context(), req)
		if err != nil || two == nil || two.ID() != one.ID() || two.Tries() != 2 {
			t.Fatal(two, err)
		}
		if took := time.Since(begin); took < time.Second || took > time.Second+2*time.Millisecond {
			t.Errorf("taken over after %s", took)
		}
		for _, c := range []*Claim{one, two, one, two} {
			part := "a"
			if c == two {
				part = "b"
			}
			if err := c.Save(t.Context(), add(part)); err != nil {
				t.Fatal(err)
			}
		}
		if err := two.Free(t.Context(), add("c")); err != nil {
			t.Fatal(err)
		}
		three, _, err := claims.Take(t.Context(), req)
		if err != nil || string(three.Data()) != "ababc" || three.Tries() != 3 {
			t.Fatalf("%q, %v", three.Data(), err)
		}
		if _, err := three.Finish(t.Context(), []byte("done")); err != nil {
			t.Fatal(err)
		}
		if kept, err := one.Finish(t.Context(), []byte("late")); !errors.Is(err, ErrTwice) || string(kept) != "done" {
			t.Errorf("%q, %v", kept, err)
		}
		other := req
		other.Check[0] = 1
		if _, _, err := claims.Take(t.Context(), other); !errors.Is(err, ErrOther) {
			t.Errorf("another caller: %v", err)
		}
		time.Sleep(time.Hour)
		if four, _, err := claims.Take(t.Context(), other); err != nil || four == nil || four.ID() == one.ID() {
			t.Errorf("after an hour: %v, %v", four, err)
		}
	})
}

func FuzzRecord(f *testing.F) {
	f.Add((&record{state: claimed, tries: 3, lease: time.Second, ttl: time.Minute, data: []byte("x")}).encode())
	f.Add([]byte{})
	blind.Fuzz(f, func(t *testing.T, b []byte) {
		r, err := decode(b)
		if err != nil {
			return
		}
		again, err := decode(r.encode())
		if err != nil || again.id != r.id || again.state != r.state || again.tries != r.tries || again.ttl != r.ttl || string(again.data) != string(r.data) {
			t.Errorf("%+v, then %+v, %v", r, again, err)
		}
	})
}
