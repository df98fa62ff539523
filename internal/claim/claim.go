// Package claim gives the right to do something to one instance at a time, and
// remembers the outcome. It needs only a store with an atomic Swap. Leases are
// measured by the store's clock: an entry is written with a known ttl, and the
// store says how much of it is left.
//
// It guarantees that no two claims on a key overlap unless one outlives its
// lease, that work is not forgotten while it is claimed, and that every caller
// gets the recorded outcome until it expires.
package claim

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	rand2 "math/rand/v2"
	"sync"
	"time"

	"github.com/flexfn/flexfn/internal/store"
)

// Claims hands out claims. It is safe for concurrent use.
type Claims struct {
	entries *store.Entries

	mu      sync.Mutex
	waiting map[string]*waiters
}

// waiters are the goroutines in this process that wait for a key to change.
type waiters struct {
	n       int
	changed chan struct{}
}

// New returns Claims that are stored in entries.
func New(entries *store.Entries) *Claims {
	return &Claims{entries: entries, waiting: map[string]*waiters{}}
}

// Entries returns the entries in which the claims are stored.
func (c *Claims) Entries() *store.Entries { return c.entries }

// Sum identifies those who may get an outcome.
type Sum [16]byte

// Request describes a claim.
type Request struct {
	Key   string        // of the entry
	Check Sum           // must be that of the first request of the key
	Keep  time.Duration // how long an outcome, or what is known of a failure, is remembered
	Lease time.Duration // how long the claim lasts
	// Done reports whether, given the data recorded so far, nothing is left to
	// do. Nil is the same as a function that returns false.
	Done func(data []byte) bool
	// Wait bounds how long Take waits for another's claim. Zero means as long
	// as ctx allows, and a negative Wait not at all.
	Wait time.Duration
}

var (
	// ErrOther is returned if the key belongs to someone else: the checks
	// differ.
	ErrOther = errors.New("the key belongs to another request")
	// ErrBusy is returned if another held the claim for as long as Wait and
	// ctx allowed.
	ErrBusy = errors.New("another call still holds the claim")
)

// Claim is the right to do the work of a key. It is not safe for concurrent
// use.
type Claim struct {
	claims *Claims
	req    Request
	entry  store.Entry // to be swapped next
	seen   record      // what it says, if another wrote it
	rec    record
	ends   time.Time
}

// state says how far the work of a record has come.
type state byte

const (
	free state = iota + 1
	claimed
	done
)

// record is the store's value at a key.
type record struct {
	state  state
	id     Sum // of the work: stays the same when it is tried again
	holder Sum // of the claim; unique, so that no two values are equal
	check  Sum
	tries  uint64
	lease  time.Duration
	ttl    time.Duration // with which it was written
	data   []byte
}

const version = 1

// encode writes the record. What is written is never equal to anything else,
// as the Store demands: a claim has its holder in it, and anything else a
// random number.
func (r *record) encode() []byte {
	b := make([]byte, 0, 2+3*len(Sum{})+3*5+8+len(r.data))
	b = append(b, version, byte(r.state))
	b = append(append(append(b, r.id[:]...), r.holder[:]...), r.check[:]...)
	b = binary.AppendUvarint(b, r.tries)
	b = binary.AppendUvarint(b, uint64(r.lease/time.Millisecond))
	b = binary.AppendUvarint(b, uint64(r.ttl/time.Millisecond))
	if r.state != claimed || len(r.data) > 0 {
		var nonce [8]byte // what a holder writes repeatedly must differ
		_, _ = rand.Read(nonce[:])
		b = append(b, nonce[:]...)
	} else {
		b = append(b, r.holder[:8]...)
	}
	return append(b, r.data...)
}

var errRecord = errors.New("the store's entry is not a claim of this version")

// decode reads what encode wrote. Entries are sealed, so anything else comes
// from another version of flexfn, and is an error rather than a guess.
func decode(b []byte) (r record, err error) {
	if len(b) < 2 || b[0] != version || state(b[1]) < free || state(b[1]) > done {
		return r, errRecord
	}
	r.state, b = state(b[1]), b[2:]
	for _, s := range []*Sum{&r.id, &r.holder, &r.check} {
		if len(b) < len(s) {
			return r, errRecord
		}
		b = b[copy(s[:], b):]
	}
	for _, n := range []func(uint64){
		func(v uint64) { r.tries = v },
		func(v uint64) { r.lease = time.Duration(v) * time.Millisecond },
		func(v uint64) { r.ttl = time.Duration(v) * time.Millisecond },
	} {
		v, size := binary.Uvarint(b)
		if size <= 0 || v > 1<<40 {
			return r, errRecord
		}
		n(v)
		b = b[size:]
	}
	if len(b) < 8 {
		return r, errRecord
	}
	r.data = b[8:]
	return r, nil
}

// Take claims the work of req, and waits while another holds it. If it returns
// neither a claim nor an error, there is nothing to do: data is the recorded
// outcome or, if Take waited, the failure of another's attempt.
//
// It writes before it reads: most keys are new, and then one call of the Store
// does. If the key exists, it looks, and either answers with what is recorded,
// waits for the holder, or takes over from one whose lease has ended. A holder
// in this process wakes those who wait. What holders elsewhere do is polled,
// every 20 ms at first and every 200 ms later.
//
// The id stays with the work through all its attempts, and the holder is new
// with each claim, so that a holder whose lease has ended notices that another
// has taken over.
func (c *Claims) Take(ctx context.Context, req Request) (mine *Claim, data []byte, err error) {
	req.Lease = req.Lease.Round(time.Millisecond)
	var found store.Entry // at first, none is expected
	var rec record
	var waited Sum
	var queue *waiters
	defer func() { c.leave(req.Key, queue) }()
	pause := 20 * time.Millisecond
	var until time.Time // of waiting, once it has begun
	for look := false; ; look = true {
		if look {
			if found, err = c.entries.Get(ctx, req.Key); err != nil {
				return nil, nil, err
			}
			rec = record{}
			if found.Exists() {
				if rec, err = decode(found.Value); err != nil {
					return nil, nil, err
				}
				switch age := rec.ttl - found.Left; {
				case rec.check != req.Check:
					return nil, nil, ErrOther
				case rec.state == done,
					req.Done != nil && req.Done(rec.data),
					rec.state == free && rec.holder == waited && req.Done == nil && len(rec.data) > 0:
					return nil, rec.data, nil
				case rec.state == claimed && age < rec.lease:
					limit := rec.lease - age
					if req.Wait != 0 {
						if until.IsZero() {
							until = time.Now().Add(req.Wait)
						}
						if limit = min(limit, time.Until(until)); limit <= 0 {
							return nil, nil, ErrBusy
						}
					}
					waited = rec.holder
					if queue == nil {
						queue = c.join(req.Key)
						continue // what changed before that was not told
					}
					if err := queue.wait(ctx, min(pause, limit)); err != nil {
						return nil, nil, err
					}
					if queue.told() {
						queue = nil
					}
					pause = min(2*pause, 200*time.Millisecond)
					continue
				}
			}
		}
		next := record{state: claimed, id: rec.id, check: req.Check, tries: rec.tries + 1, lease: req.Lease, ttl: req.Lease + req.Keep, data: rec.data}
		_, _ = rand.Read(next.holder[:])
		if !found.Exists() {
			next.id = next.holder
		}
		entry, ok, err := c.entries.Swap(ctx, req.Key, found, next.encode(), next.ttl)
		if err != nil {
			return nil, nil, err
		}
		if ok {
			return &Claim{claims: c, req: req, entry: entry, rec: next, ends: time.Now().Add(req.Lease)}, nil, nil
		}
	}
}

// join adds the caller to those who wait for key in this process.
func (c *Claims) join(key string) *waiters {
	c.mu.Lock()
	defer c.mu.Unlock()
	q := c.waiting[key]
	if q == nil {
		q = &waiters{changed: make(chan struct{})}
		c.waiting[key] = q
	}
	q.n++
	return q
}

// leave undoes join; q may be nil.
func (c *Claims) leave(key string, q *waiters) {
	if q == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if q.n--; q.n == 0 && c.waiting[key] == q {
		delete(c.waiting, key)
	}
}

// wake wakes the goroutines of this process that wait for key. Other processes
// notice by polling.
func (c *Claims) wake(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if q := c.waiting[key]; q != nil {
		close(q.changed)
		delete(c.waiting, key)
	}
}

// wait waits for a change, at most d and at least half of it, at random:
// waiters that polled together would otherwise do so for ever.
func (q *waiters) wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(max(d/2+rand2.N(d/2+1), time.Millisecond))
	defer t.Stop()
	select {
	case <-t.C:
	case <-q.changed:
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrBusy, ctx.Err())
	}
	return nil
}

// told reports whether wake was called, after which q is no longer listed.
func (q *waiters) told() bool {
	select {
	case <-q.changed:
		return true
	default:
		return false
	}
}

// ID identifies the work. It is the same for each attempt.
func (c *Claim) ID() Sum { return c.rec.id }

// Tries returns the number of claims on the work, this one included.
func (c *Claim) Tries() int { return int(c.rec.tries) }

// Data returns the data recorded last.
func (c *Claim) Data() []byte { return c.rec.data }

// Ends returns when another may take the work over, by this instance's clock.
func (c *Claim) Ends() time.Time { return c.ends }

// ErrTwice is returned by [Claim.Finish] if another has finished first.
var ErrTwice = errors.New("done twice: the claim outlived its lease, and another instance took over")

// Finish records the outcome. If another has recorded one, it returns that one
// and [ErrTwice]. After any other error it may be called again.
//
// It succeeds even if the lease has ended, as long as no one else has
// finished: the outcome exists, and recording it spares the next one the work.
func (c *Claim) Finish(ctx context.Context, data []byte) ([]byte, error) {
	rec := c.rec
	rec.state, rec.data, rec.ttl = done, data, c.req.Keep
	for {
		if c.seen.state == done {
			if c.seen.holder == c.rec.holder && bytes.Equal(c.seen.data, data) {
				return data, nil // from an earlier write of ours that seemed lost
			}
			return c.seen.data, ErrTwice
		}
		entry, ok, err := c.claims.entries.Swap(ctx, c.req.Key, c.entry, rec.encode(), rec.ttl)
		if err != nil {
			return nil, err
		}
		if ok {
			c.entry, c.seen = entry, rec
			c.claims.wake(c.req.Key)
			return data, nil
		}
		if err := c.look(ctx); err != nil {
			return nil, err
		}
	}
}

// look reads the record at the key, which the next swap replaces.
func (c *Claim) look(ctx context.Context) error {
	entry, err := c.claims.entries.Get(ctx, c.req.Key)
	if err != nil {
		return err
	}
	seen := record{}
	if entry.Exists() {
		if seen, err = decode(entry.Value); err != nil {
			return err
		}
	}
	c.entry, c.seen = entry, seen
	return nil
}

// Save records progress and keeps the claim. Free records it and gives the
// claim back, so that the rest can be tried again. If the claim was lost in
// the meantime, merge adds this claim's progress to what others have recorded.
func (c *Claim) Save(ctx context.Context, merge func(recorded []byte) []byte) error {
	return c.record(ctx, claimed, merge)
}

// Free records progress and gives the claim back; see [Claim.Save].
func (c *Claim) Free(ctx context.Context, merge func(recorded []byte) []byte) error {
	return c.record(ctx, free, merge)
}

// record merges progress into what is at the key, and writes it with the
// claim's state. It may find that another holds the claim by now; that one's
// lease is then left to run out at the same moment as before.
func (c *Claim) record(ctx context.Context, to state, merge func([]byte) []byte) error {
	for look := c.lost(); ; look = true {
		rec := c.rec
		if look {
			if err := c.look(ctx); err != nil {
				return err
			}
			if c.entry.Exists() { // otherwise it expired, and is written from scratch
				rec = c.seen
			}
		}
		switch {
		case rec.state == done:
			return ErrTwice
		case rec.holder == c.rec.holder:
			rec.state, rec.lease, rec.ttl = to, c.req.Lease, c.req.Keep
			if to == claimed {
				rec.ttl += rec.lease
			}
		case rec.state == claimed: // another holder's lease continues as it was written
			rec.lease = max(rec.lease-(rec.ttl-c.entry.Left), 0)
			rec.ttl = max(c.entry.Left.Truncate(time.Millisecond), time.Millisecond)
		}
		rec.data = merge(rec.data)
		entry, ok, err := c.claims.entries.Swap(ctx, c.req.Key, c.entry, rec.encode(), rec.ttl)
		if err != nil {
			return err
		}
		if ok {
			c.entry, c.seen, c.rec.data = entry, rec, rec.data
			c.claims.wake(c.req.Key)
			return nil
		}
	}
}

// lost reports whether another is known to have taken the claim over.
func (c *Claim) lost() bool { return c.seen.state != 0 && c.seen.holder != c.rec.holder }
