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

// Claims measures a claim and the record of its outcome, which are two calls of
// a Store. 64 instances with a connection each make a thousand claims a second,
// or, with rate=0, as many as the machine can. open connects an instance.
//
// At a thousand a second, each claim is followed by two bare commands to the
// server, for comparison: bare opens a connection for an instance and returns a
// function that sends them, one after the other. If a claim takes much longer
// than they do, the time is lost in flexfn or in the client, otherwise in the
// machine. A nil bare leaves them out.
func Claims(b *testing.B, open func() flexfn.Store, bare func() func() error) {
	const instances = 64
	var each [instances]*claim.Claims
	for i := range each {
		entries, err := store.In(open(), accountSID, "a secret of the benchmark's, not anyone's", slog.New(slog.DiscardHandler))
		if err != nil {
			b.Fatal(err)
		}
		each[i] = claim.New(entries)
	}
	n := new(atomic.Int64) // of the keys, which are all new
	once := func(c *claim.Claims) error {
		mine, _, err := c.Take(b.Context(), claim.Request{Key: c.Entries().Key("bench", fmt.Sprint(n.Add(1))), Keep: time.Minute, Lease: 10 * time.Second})
		if err == nil {
			_, err = mine.Finish(b.Context(), []byte("done"))
		}
		return err
	}
	for _, c := range each {
		for begin := time.Now(); once(c) != nil && time.Since(begin) < 10*time.Second; {
			time.Sleep(100 * time.Millisecond) // it connects
		}
	}
	var twice [instances]func() error
	if bare != nil {
		for i := range twice {
			twice[i] = bare()
		}
	}
	for _, rate := range []time.Duration{1000, 0} {
		b.Run(fmt.Sprintf("rate=%d", rate), func(b *testing.B) {
			took, tookBare := make([]time.Duration, b.N), make([]time.Duration, b.N)
			var next atomic.Int64
			var all sync.WaitGroup
			begin := time.Now()
			for instance, c := range each {
				all.Go(func() {
					for i := next.Add(1) - 1; i < int64(b.N); i = next.Add(1) - 1 {
						if rate > 0 {
							time.Sleep(time.Until(begin.Add(time.Duration(i) * time.Second / rate)))
						}
						asked := time.Now()
						if err := once(c); err != nil {
							b.Error(err)
						}
						took[i] = time.Since(asked)
						if bare == nil || rate == 0 {
							continue
						}
						asked = time.Now()
						if err := twice[instance](); err != nil {
							b.Error(err)
						}
						tookBare[i] = time.Since(asked)
					}
				})
			}
			all.Wait()
			b.ReportMetric(float64(b.N)/time.Since(begin).Seconds(), "claims/s")
			report := func(name string, took []time.Duration) {
				slices.Sort(took)
				b.ReportMetric(float64(took[len(took)/2].Microseconds()), name+"p50-µs")
				b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), name+"p99-µs")
			}
			report("", took)
			if bare != nil && rate > 0 {
				report("bare-", tookBare)
			}
		})
	}
}
