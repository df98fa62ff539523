package flexfn

import (
	"encoding/binary"
	"sync"
	"testing"
)

func numbered(n int) (key tokenKey) {
	binary.BigEndian.PutUint64(key[:], uint64(n))
	return key
}

// A token in use stays through a flood of others, and the cache is bounded.
func TestTokenCacheInAFlood(t *testing.T) {
	var c tokenCache
	const busy = 1000
	for n := range busy {
		c.set(numbered(n), tokenVerdict{refusal: "busy"})
	}
	for n := range 5 * maxTokens {
		c.set(numbered(busy+n), tokenVerdict{})
		if v, ok := c.get(numbered(n % busy)); !ok || v.refusal != "busy" {
			t.Fatalf("the token %d is forgotten after %d others", n%busy, n)
		}
	}
	kept := 0
	c.kept.Range(func(any, any) bool { kept++; return true })
	if kept != maxTokens || len(c.places) != maxTokens {
		t.Errorf("%d tokens in %d places", kept, len(c.places))
	}
	if _, ok := c.get(numbered(busy)); ok {
		t.Error("a token that was used once is still there")
	}
}

// Every place holds the token that is found by its key, also when all are in use
// and while others look tokens up.
func TestTokenCachePlaces(t *testing.T) {
	var c tokenCache
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for n := range maxTokens / 2 {
				key := numbered(n*(g+1) + g)
				c.set(key, tokenVerdict{})
				c.get(key)
			}
		})
	}
	all.Wait()
	c.set(numbered(1), tokenVerdict{refusal: "old"})
	c.set(numbered(1), tokenVerdict{refusal: "new"})
	if v, ok := c.get(numbered(1)); !ok || v.refusal != "new" {
		t.Errorf("got %+v, %t", v, ok)
	}
	for i, k := range c.places {
		if found, ok := c.kept.Load(k.key); !ok || found != k || k.place != i {
			t.Fatalf("the place %d holds a token that is not found there", i)
		}
	}
}
