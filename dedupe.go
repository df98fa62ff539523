package flexfn

import (
	"context"
	"crypto/sha256"
	"net/http"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"
)

// Deduplicate answers a redelivered webhook with what the first delivery was
// answered, without running the handler again, for as long as that answer is
// fresh: from a second to a day. Deliveries of one webhook carry the same
// I-Twilio-Idempotency-Token; a request without one always runs the handler.
//
// A duplicate that comes while the first is being answered waits for it. The
// first is carried to its end even when Twilio gives it up, within its
// deadline. An answer with a status of 500 and above or 429 is given to the
// duplicates that wait and then forgotten, so that the next delivery tries
// again; other refusals are answers like any other. After a panic, a duplicate
// that waits tries again.
//
// Answers are kept in this process only, at most 16 MiB of them for the whole
// app, the least useful leaving first: it makes duplicates rare, and a handler
// still has to bear one. It cannot go with [OpenToAnyone].
func Deduplicate(fresh time.Duration) StudioOption {
	return option(func(f *Function) {
		f.fresh = fresh
		if fresh < time.Second || fresh > 24*time.Hour {
			f.fail("Deduplicate(%s): an answer is fresh for a second to a day", fresh)
		}
	})
}

// IdempotencyToken returns the I-Twilio-Idempotency-Token of the request,
// which is the same on each delivery of one webhook; empty when Twilio sent
// none, and outside a function. Twilio's signature does not cover it.
func IdempotencyToken(ctx context.Context) string {
	return RequestHeader(ctx).Get("I-Twilio-Idempotency-Token")
}

func (c *call) deduplicated() bool { return c.fn.fresh > 0 && IdempotencyToken(c) != "" }

// once runs the handler, unless the request is a redelivery that was answered
// before.
func (c *call) once(vs *values) answer {
	ans, err := c.app.replies.do(c, c.path+"\x00"+IdempotencyToken(c), c.fn.fresh, func() answer { return c.handle(vs) })
	if err != nil {
		return c.failed(err)
	}
	return ans
}

const maxReplyBytes = 16 << 20

type deliveryKey [sha256.Size]byte

// deduplicator runs what has one key once.
type deduplicator struct {
	answered *otter.Cache[deliveryKey, *delivery]

	mu      sync.Mutex
	running map[deliveryKey]*delivery
}

// delivery is the first of its key.
type delivery struct {
	done   chan struct{} // closed when the rest is there
	ended  bool          // false: run panicked
	answer answer
	until  time.Time // wall time: a frozen instance must not believe it longer
}

func newDeduplicator() (*deduplicator, error) {
	cache, err := otter.New(&otter.Options[deliveryKey, *delivery]{
		MaximumWeight: maxReplyBytes,
		Weigher: func(_ deliveryKey, d *delivery) uint32 {
			const overhead = 300
			n := overhead + len(d.answer.body)
			for name, values := range d.answer.header {
				for _, v := range values {
					n += len(name) + len(v)
				}
			}
			return uint32(min(n, maxReplyBytes))
		},
	})
	return &deduplicator{answered: cache, running: map[deliveryKey]*delivery{}}, err
}

// do returns the answer of run, which it calls unless it was called for this
// key before and the answer is fresh. The error is ctx's, when it ends while
// another call is running. An answer that is given again must not be changed.
func (d *deduplicator) do(ctx context.Context, name string, fresh time.Duration, run func() answer) (answer, error) {
	key := deliveryKey(sha256.Sum256([]byte(name)))
	for {
		first, mine := d.join(key)
		if mine {
			d.lead(key, first, fresh, run)
			return first.answer, nil
		}
		select {
		case <-first.done:
			if first.ended {
				return first.answer, nil
			}
		case <-ctx.Done():
			return answer{}, ctx.Err()
		}
	}
}

// join returns the first delivery of key, which is the caller's to run when
// there was none.
func (d *deduplicator) join(key deliveryKey) (first *delivery, mine bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if first, ok := d.running[key]; ok {
		return first, false
	}
	if first, ok := d.answered.GetIfPresent(key); ok && time.Now().Round(0).Before(first.until) {
		return first, false
	}
	first = &delivery{done: make(chan struct{})}
	d.running[key] = first
	return first, true
}

func (d *deduplicator) lead(key deliveryKey, first *delivery, fresh time.Duration, run func() answer) {
	defer func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if first.ended && lasting(first.answer.status) {
			first.until = time.Now().Round(0).Add(fresh)
			d.answered.Set(key, first)
		}
		delete(d.running, key)
		close(first.done)
	}()
	first.answer = run()
	first.ended = true
}

// lasting reports whether an answer would be the same the next time.
func lasting(status int) bool {
	return status < 500 && status != http.StatusTooManyRequests && status != statusCallerGone
}
