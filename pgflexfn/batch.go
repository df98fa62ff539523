package pgflexfn

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// Calls made while others are under way are sent together, and committed
// together: a commit waits for the disk, and the calls of a whole batch of
// events wait for it once. A call whose ctx ends leaves its batch to finish, as
// pgx would otherwise close the connection, and under load all calls would wait
// for new ones.

const (
	maxSenders = 2       // batches of a lane under way at once
	maxCalls   = 64      // in a batch
	maxBytes   = 1 << 20 // of values in a batch, unless one call has more
)

// lane is a queue of calls. Reads and writes have one each, so that reads work
// in a database that refuses writes.
type lane struct {
	mu      sync.Mutex
	waiting []*call
	senders int
}

// call is a Get or Swap.
type call struct {
	ctx   context.Context
	key   string
	size  int // of its values
	queue func(*pgx.Batch, *result)
	done  chan result // has room for one
}

// result is what the database says to a call.
type result struct {
	value []byte
	left  time.Duration
	rows  int64 // changed
	err   error
}

// call sends what queue adds to a batch. After an error it may have happened.
func (s *Store) call(ctx context.Context, l *lane, key string, size int, queue func(*pgx.Batch, *result)) (result, error) {
	if err := ctx.Err(); err != nil {
		return result{}, err
	}
	c := &call{ctx, key, size, queue, make(chan result, 1)}
	l.mu.Lock()
	l.waiting = append(l.waiting, c)
	if l.senders < maxSenders {
		l.senders++
		go s.send(l)
	}
	l.mu.Unlock()
	select {
	case r := <-c.done:
		return r, r.err
	case <-ctx.Done():
		return result{}, ctx.Err()
	}
}

// send sends what waits in l, until nothing does.
func (s *Store) send(l *lane) {
	for {
		calls := l.take()
		if len(calls) == 0 {
			return
		}
		results := make([]result, len(calls))
		err := s.sendBatch(calls, results)
		for i, c := range calls {
			results[i].err = err
			c.done <- results[i]
		}
	}
}

// take removes the calls of the next batch from l, in the order of their keys:
// batches that wait for each other's rows must lock them in one order. If there
// are none, the sender has to end.
func (l *lane) take() (calls []*call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, size := 0, 0
	for ; n < len(l.waiting) && len(calls) < maxCalls; n++ {
		c := l.waiting[n]
		if c.ctx.Err() != nil {
			continue // it has given up, and nothing was sent
		}
		if size += c.size; size > maxBytes && len(calls) > 0 {
			break
		}
		calls = append(calls, c)
	}
	l.waiting = slices.Delete(l.waiting, 0, n)
	if len(calls) == 0 {
		l.senders--
	}
	slices.SortStableFunc(calls, func(a, b *call) int { return cmp.Compare(a.key, b.key) })
	return calls
}

// sendBatch sends calls in one transaction, which has been committed if there
// is no error.
func (s *Store) sendBatch(calls []*call, results []result) error {
	ctx, cancel := context.WithTimeout(context.Background(), s.patience)
	defer cancel()
	var b pgx.Batch
	for i, c := range calls {
		c.queue(&b, &results[i])
	}
	return s.pool.SendBatch(ctx, &b).Close()
}
