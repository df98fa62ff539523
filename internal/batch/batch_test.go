package batch

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestQueue makes calls while the first batch is being sent. They go together,
// within the bounds, except those that gave up before they were sent.
func TestQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent [][]int
		q := Queue[int, int]{Senders: 1, Most: 3, MaxSize: 50, Size: func(n int) int { return n }}
		q.Send = func(calls []int) ([]int, error) {
			sent = append(sent, slices.Clone(calls))
			time.Sleep(time.Second)
			results := make([]int, len(calls))
			for i, n := range calls {
				if results[i] = -n; n == 7 {
					return nil, errors.New("seven")
				}
			}
			return results, nil
		}
		hurry, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		var all sync.WaitGroup
		call := func(ctx context.Context, n int, want error) {
			all.Go(func() {
				got, err := q.Do(ctx, n)
				if (err != nil) != (want != nil) || err == nil && got != -n {
					t.Errorf("%d: %d, %v", n, got, err)
				}
			})
			synctest.Wait() // in this order
		}
		call(hurry, 1, context.DeadlineExceeded) // has been sent
		call(hurry, 2, context.DeadlineExceeded) // is not sent
		for _, n := range []int{3, 4, 5, 6, 60} {
			call(t.Context(), n, nil)
		}
		call(t.Context(), 20, errors.New("seven"))
		call(t.Context(), 7, errors.New("seven"))
		call(t.Context(), 8, errors.New("seven"))
		begin := time.Now()
		all.Wait()
		want := [][]int{{1}, {3, 4, 5}, {6}, {60}, {20, 7, 8}}
		if !slices.EqualFunc(sent, want, slices.Equal) || time.Since(begin) != 5*time.Second {
			t.Errorf("sent %v in %s", sent, time.Since(begin))
		}
		if _, err := q.Do(hurry, 9); !errors.Is(err, context.DeadlineExceeded) || len(sent) != 5 {
			t.Errorf("after its end: %v, %v", err, sent[5:])
		}
	})
}

// TestSenders: Senders batches are sent at once, and no more.
func TestSenders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := Queue[int, int]{Senders: 2, Most: 1}
		q.Send = func(calls []int) ([]int, error) {
			time.Sleep(time.Second)
			return calls, nil
		}
		var all sync.WaitGroup
		begin := time.Now()
		for n := range 6 {
			all.Go(func() { _, _ = q.Do(t.Context(), n) })
		}
		all.Wait()
		if took := time.Since(begin); took != 3*time.Second {
			t.Errorf("six calls, two at a time, took %s", took)
		}
	})
}
