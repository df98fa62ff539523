package liar

import (
	"os"
	"strconv"
	"testing"

	"github.com/flexfn/flexfn/internal/testing/blind"
)

// Run runs a program over a Store that New makes from the arguments. It returns
// what went wrong, or "".
type Run func(t *testing.T, seed uint64, broken string, lies func() Lie) string

// Try calls run with stores of which up to a third of all calls go wrong. It
// tries as many seeds as FLEXFN_CLAIM_SEEDS says, or seeds if that is unset.
// Each fault fails the test.
func (run Run) Try(t *testing.T, seeds int) {
	if n, err := strconv.Atoi(os.Getenv("FLEXFN_CLAIM_SEEDS")); err == nil {
		seeds = n
	}
	for seed := range uint64(seeds) {
		if fault := run(t, seed, "", share(seed)); fault != "" {
			t.Errorf("seed %d: %s", seed, fault)
		}
	}
}

// Notices calls run with stores that break one rule of flexfn.Store each, until
// run notices. If it does not within seeds tries, the test fails.
func (run Run) Notices(t *testing.T, seeds uint64) {
	for _, broken := range []string{"left", "old", "ttl"} {
		found := false
		for seed := uint64(0); seed < seeds && !found; seed++ {
			found = run(t, seed, broken, share(seed)) != ""
		}
		if !found {
			t.Errorf("a store that breaks the rule %q is not noticed", broken)
		}
	}
}

// Fuzz lets the fuzzer choose what goes wrong with each call.
func (run Run) Fuzz(f *testing.F) {
	f.Add(uint64(1), []byte{})
	f.Add(uint64(2), []byte{byte(Late), byte(Unsaid), byte(Stale), byte(Repeats), byte(Slow), byte(Fails)})
	f.Add(uint64(3), []byte{byte(Honest), byte(Forgets), byte(Stale)})
	blind.Fuzz(f, func(t *testing.T, seed uint64, lies []byte) {
		if fault := run(t, seed, "", From(lies)); fault != "" {
			t.Error(fault)
		}
	})
}

func share(seed uint64) func() Lie { return Random(seed, float64(seed%4)*0.1) }
