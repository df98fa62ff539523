// Package batch sends calls that are made at the same time together. A commit
// waits for the disk, and the calls of a batch wait for it once. A call whose
// ctx ends leaves its batch to finish: a database's client would otherwise close
// the connection, and under load all calls would wait for new ones.
package batch

import (
	"context"
	"slices"
	"sync"
)

// Queue collects calls while others are being sent. It is safe for concurrent
// use; its fields must not change then.
type Queue[C, R any] struct {
	// Senders is how many batches are sent at once, and Most how many calls one
	// has.
	Senders, Most int
	// Size and MaxSize bound a batch of more than one call; a nil Size does not.
	Size    func(C) int
	MaxSize int
	// Send sends a batch, and returns a result for each call, or an error for
	// all. It must end by itself.
	Send func([]C) ([]R, error)

	mu      sync.Mutex
	waiting []waiter[C, R]
	senders int
}

type waiter[C, R any] struct {
	ctx  context.Context
	call C
	done chan answer[R] // has room for one
}

type answer[R any] struct {
	result R
	err    error
}

// Do sends call in the next batch. If ctx ends first, it may have been sent.
func (q *Queue[C, R]) Do(ctx context.Context, call C) (result R, err error) {
	if err := ctx.Err(); err != nil {
		return result, err
	}
	w := waiter[C, R]{ctx, call, make(chan answer[R], 1)}
	q.mu.Lock()
	q.waiting = append(q.waiting, w)
	if q.senders < q.Senders {
		q.senders++
		go q.work()
	}
	q.mu.Unlock()
	select {
	case a := <-w.done:
		return a.result, a.err
	case <-ctx.Done():
		return result, ctx.Err()
	}
}

// work sends batches until no call is waiting.
func (q *Queue[C, R]) work() {
	for {
		batch := q.take()
		if len(batch) == 0 {
			return
		}
		calls := make([]C, len(batch))
		for i, w := range batch {
			calls[i] = w.call
		}
		results, err := q.Send(calls)
		for i, w := range batch {
			a := answer[R]{err: err}
			if err == nil {
				a.result = results[i]
			}
			w.done <- a
		}
	}
}

// take removes the next batch. If there is none, the sender has to end.
func (q *Queue[C, R]) take() (batch []waiter[C, R]) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, size := 0, 0
	for ; n < len(q.waiting) && len(batch) < q.Most; n++ {
		w := q.waiting[n]
		if w.ctx.Err() != nil {
			continue // it has given up, and nothing was sent
		}
		if q.Size != nil {
			if size += q.Size(w.call); size > q.MaxSize && len(batch) > 0 {
				break
			}
		}
		batch = append(batch, w)
	}
	q.waiting = slices.Delete(q.waiting, 0, n)
	if len(batch) == 0 {
		q.senders--
	}
	return batch
}
