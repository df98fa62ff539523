package pace

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// Turns gives one turn each so often, after a burst, to callers who wait for it.
// They wait in one line for each address, and the lines take their turns one
// after the other, so that a flood from one address delays only callers from that
// address. A caller who had to leave without a turn keeps the place in line, and
// has it when the same caller comes again: one who tries again is ahead of a flood
// of ever new ones. It is safe for concurrent use.
type Turns struct {
	Each  time.Duration
	Burst int
	Most  int // may wait at once; in a full room, the longest line loses its end

	mu      sync.Mutex
	pace    Pace
	waiting []*waiter // in the order of their places
	given   uint64    // turns to callers who waited
	pending bool      // a turn is due, and goes to one of those waiting

	// The places of callers who left without a turn: those of the last maxKept
	// or more.
	places            uint64 // that were given out
	kept, keptEarlier map[uint64]uint64
}

// maxKept bounds the memory for kept places, to some four megabytes.
const maxKept = 1 << 15

// A waiter is one caller in a line. The last turns are those of its line, and are
// equal for all in it.
type waiter struct {
	who, place       uint64
	from             Address
	lastPeer, lastOf uint64
	answer           chan error
}

// ErrBusy means that others of the same address take all the turns that it has.
var ErrBusy = errors.New("too many are waiting for their turn")

// Wait returns when it is the turn of a caller from an address; who tells callers
// apart. It fails with ErrBusy if that cannot be, or is not so after the given
// time, and with ctx's error when ctx ends.
func (t *Turns) Wait(ctx context.Context, from Address, who uint64, most time.Duration) error {
	t.mu.Lock()
	if len(t.waiting) == 0 {
		if _, ok := t.pace.Take(t.Each, t.Burst, 0); ok {
			t.forget(who)
			t.mu.Unlock()
			return nil
		}
	}
	w := t.join(from, who)
	t.mu.Unlock()
	late := time.NewTimer(most)
	defer late.Stop()
	select {
	case err := <-w.answer:
		return err
	case <-late.C:
		t.leave(w)
		return ErrBusy
	case <-ctx.Done():
		t.leave(w)
		return ctx.Err()
	}
}

// join adds a waiter to its address's line. If that is one too many, the last in
// the longest line has to go, which may be this one.
func (t *Turns) join(from Address, who uint64) *waiter {
	w := &waiter{who: who, place: t.placeOf(who), from: from, answer: make(chan error, 1)}
	for _, other := range t.waiting {
		if other.from.Peer == from.Peer {
			w.lastPeer = other.lastPeer
			if other.from == from {
				w.lastOf = other.lastOf
			}
		}
	}
	at := len(t.waiting)
	for at > 0 && t.waiting[at-1].place > w.place {
		at--
	}
	t.waiting = slices.Insert(t.waiting, at, w)
	if len(t.waiting) > t.Most {
		longest := t.longest()
		t.remove(longest)
		t.keep(longest)
		longest.answer <- ErrBusy
	}
	t.expect()
	return w
}

// placeOf returns the place that a caller kept, or a new one.
func (t *Turns) placeOf(who uint64) uint64 {
	if place, ok := t.kept[who]; ok {
		return place
	}
	if place, ok := t.keptEarlier[who]; ok {
		return place
	}
	t.places++
	return t.places
}

// keep keeps the place of a waiter who leaves without a turn.
func (t *Turns) keep(w *waiter) {
	if t.kept == nil || len(t.kept) == maxKept {
		t.kept, t.keptEarlier = map[uint64]uint64{}, t.kept
	}
	t.kept[w.who] = w.place
}

// forget gives up the kept place of a caller who has a turn.
func (t *Turns) forget(who uint64) {
	delete(t.kept, who)
	delete(t.keptEarlier, who)
}

// longest returns the last of those who wait in the longest line.
func (t *Turns) longest() (last *waiter) {
	peers, callers := map[string]int{}, map[Address]int{}
	for _, w := range t.waiting {
		peers[w.from.Peer]++
		callers[w.from]++
	}
	for _, w := range t.waiting {
		if last == nil || peers[w.from.Peer] > peers[last.from.Peer] ||
			peers[w.from.Peer] == peers[last.from.Peer] && callers[w.from] >= callers[last.from] {
			last = w
		}
	}
	return last
}

// expect takes the next turn for one of those who wait.
func (t *Turns) expect() {
	if t.pending || len(t.waiting) == 0 {
		return
	}
	t.pending = true
	wait, _ := t.pace.Take(t.Each, t.Burst, 1<<62)
	time.AfterFunc(wait, t.give)
}

// give gives the turn to the line that has waited longest for one. If all waiters
// have left, the turn is lost.
func (t *Turns) give() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pending = false
	if len(t.waiting) == 0 {
		return
	}
	next := t.waiting[0]
	for _, w := range t.waiting {
		if w.lastPeer < next.lastPeer || w.lastPeer == next.lastPeer && w.lastOf < next.lastOf {
			next = w
		}
	}
	t.remove(next)
	t.forget(next.who)
	next.answer <- nil
	t.given++
	for _, w := range t.waiting {
		if w.from.Peer == next.from.Peer {
			w.lastPeer = t.given
			if w.from == next.from {
				w.lastOf = t.given
			}
		}
	}
	t.expect()
}

// leave removes a waiter who has given up.
func (t *Turns) leave(w *waiter) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.remove(w) {
		t.keep(w)
	}
}

// remove removes w, and reports whether it was still waiting.
func (t *Turns) remove(w *waiter) bool {
	i := slices.Index(t.waiting, w)
	if i >= 0 {
		t.waiting = slices.Delete(t.waiting, i, i+1)
	}
	return i >= 0
}

// Address is where a request comes from: the peer of its connection and, if that
// is a proxy, the caller that the proxy reports. A peer that makes up callers
// still counts as one peer. Of an IPv6 address only the network counts, since a
// network belongs to one owner.
type Address struct{ Peer, Caller string }

// AddressOf returns the address of a request with this RemoteAddr and header. Of
// X-Forwarded-For only the last entry counts, which the peer has added.
func AddressOf(remoteAddr string, h http.Header) Address {
	a := Address{Peer: network(remoteAddr)}
	if chain := h["X-Forwarded-For"]; len(chain) > 0 {
		last := chain[len(chain)-1]
		a.Caller = network(strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:]))
	}
	return a
}

// network returns an address without its port, and the /64 of an IPv6
// address. Other text is kept as it is, up to 64 bytes, which bounds the memory.
func network(s string) string {
	var ip netip.Addr
	if at, err := netip.ParseAddrPort(s); err == nil {
		ip = at.Addr()
	} else if ip, err = netip.ParseAddr(s); err != nil {
		return strings.Clone(s[:min(len(s), 64)])
	}
	if ip = ip.Unmap().WithZone(""); ip.Is6() {
		if p, err := ip.Prefix(64); err == nil {
			return p.String()
		}
	}
	return ip.String()
}
