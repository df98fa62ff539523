package storetest

import (
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/internal/claim"
	"github.com/flexfn/flexfn/internal/store"
)

const instances = 64 // each with a connection of its own

// Claims measures a claim and the record of its outcome, which are two calls of
// a Store, at each of the rates and as fast as the machine can (rate=max). open
// connects an instance.
//
// For comparison it sends two bare commands to the server at the same rates:
// bare opens a connection and returns a function that sends them, one after the
// other. What a claim takes beyond that is spent in flexfn, its client and the
// server's scripts. A nil bare leaves them out.
func Claims(b *testing.B, open func() flexfn.Store, bare func() func() error, rates ...int) {
	var claims, commands [instances]func() error
	n := new(atomic.Int64) // of the keys, which are all new
	for i := range claims {
		entries, err := store.In(open(), accountSID, "a secret of the benchmark's, not anyone's", slog.New(slog.DiscardHandler))
		if err != nil {
			b.Fatal(err)
		}
		c := claim.New(entries)
		claims[i] = func() error {
			mine, _, err := c.Take(b.Context(), claim.Request{Key: c.Entries().Key("bench", fmt.Sprint(n.Add(1))), Keep: time.Minute, Lease: 10 * time.Second})
			if err == nil {
				_, err = mine.Finish(b.Context(), []byte("done"))
			}
			return err
		}
		for begin := time.Now(); claims[i]() != nil && time.Since(begin) < 10*time.Second; {
			time.Sleep(100 * time.Millisecond) // it connects
		}
		if bare != nil {
			commands[i] = bare()
		}
	}
	for _, rate := range append(rates, 0) {
		name := fmt.Sprint(rate)
		if rate == 0 {
			name = "max"
		}
		if bare != nil {
			b.Run("bare/rate="+name, func(b *testing.B) { atRate(b, rate, commands) })
		}
		b.Run("claim/rate="+name, func(b *testing.B) { atRate(b, rate, claims) })
	}
}

// atRate makes b.N calls, rate of them a second, or as many as there can be if
// rate is 0. Calls begin when they are due, on whichever connection is free.
// The time that a call waits for a connection counts, because a user would wait
// as well.
func atRate(b *testing.B, rate int, calls [instances]func() error) {
	took := make([]time.Duration, b.N)
	due := make(chan time.Time, b.N)
	var next atomic.Int64
	var all sync.WaitGroup
	begin := time.Now()
	for _, call := range calls {
		all.Go(func() {
			for at := range due {
				if rate == 0 {
					at = time.Now()
				}
				if err := call(); err != nil {
					b.Error(err)
				}
				took[next.Add(1)-1] = time.Since(at)
			}
		})
	}
	for i := range b.N {
		if rate > 0 {
			time.Sleep(time.Until(begin.Add(time.Duration(i) * time.Second / time.Duration(rate))))
		}
		due <- time.Now()
	}
	close(due)
	all.Wait()
	b.ReportMetric(float64(b.N)/time.Since(begin).Seconds(), "calls/s")
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}
