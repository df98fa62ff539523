package flexfn

import (
	"sync"
	"sync/atomic"
)

// tokenCache remembers the verdicts of at most maxTokens tokens. The zero value
// is empty.
//
// When it is full, it looks at the tokens in turn, forgets the first that was
// not used since its last turn, and gives its place to the new one (the CLOCK
// algorithm). So a token that is in use stays through a flood of tokens that
// are used once, and a lookup takes no lock.
type tokenCache struct {
	kept sync.Map // from tokenKey to *keptVerdict

	mu     sync.Mutex     // guards what follows, and changes of kept
	places []*keptVerdict // those kept; grows to maxTokens
	hand   int            // the place whose turn is next
}

// keptVerdict is immutable but for used, which is set without a lock.
type keptVerdict struct {
	key     any // a tokenKey
	verdict tokenVerdict
	place   int
	used    atomic.Bool // since its last turn
}

// get returns the verdict about the token with this key, and whether it is
// remembered.
func (c *tokenCache) get(key tokenKey) (v tokenVerdict, ok bool) {
	found, ok := c.kept.Load(key)
	if !ok {
		return v, false
	}
	k := found.(*keptVerdict)
	if !k.used.Load() { // most are, and a write disturbs other processors
		k.used.Store(true)
	}
	return k.verdict, true
}

// set remembers a verdict instead of an earlier one about the same token, if
// any.
func (c *tokenCache) set(key tokenKey, v tokenVerdict) {
	k := &keptVerdict{key: key, verdict: v}
	c.mu.Lock()
	defer c.mu.Unlock()
	if found, ok := c.kept.Load(key); ok {
		old := found.(*keptVerdict)
		k.place = old.place
		k.used.Store(old.used.Load())
		c.places[k.place] = k
	} else {
		k.place = c.free()
		c.places[k.place] = k
	}
	c.kept.Store(k.key, k)
}

// free returns the index of a free place, after forgetting a token if there is
// none. The caller holds mu.
func (c *tokenCache) free() int {
	if len(c.places) < maxTokens {
		c.places = append(c.places, nil)
		return len(c.places) - 1
	}
	for {
		place := c.hand
		c.hand = (c.hand + 1) % maxTokens
		if k := c.places[place]; !k.used.Swap(false) {
			c.kept.Delete(k.key)
			return place
		}
	}
}
