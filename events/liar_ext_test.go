package events_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/events"
	"github.com/flexfn/flexfn/flexfntest"
	"github.com/flexfn/flexfn/internal/testing/liar"
)

// unrecorded is a log handler that collects the keys of events whose record
// failed.
type unrecorded struct {
	slog.Handler
	mu   sync.Mutex
	keys map[string]int
}

func (u *unrecorded) Enabled(context.Context, slog.Level) bool { return true }
func (u *unrecorded) WithAttrs([]slog.Attr) slog.Handler       { return u }
func (u *unrecorded) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "the results of an event could not be recorded" {
		r.Attrs(func(a slog.Attr) bool {
			if a.Key == "key" {
				u.mu.Lock()
				u.keys[a.Value.String()]++
				u.mu.Unlock()
			}
			return true
		})
	}
	return nil
}

// deliverOver delivers events to three instances whose store lies, until each
// delivery is answered 200. It returns what went wrong, or "". No event may be
// lost. None may be handled twice, unless recording it failed and was logged,
// or the store lost a write that it had acknowledged.
func deliverOver(t *testing.T, seed uint64, broken string, lies func() liar.Lie) (fault string) {
	synctest.Test(t, func(t *testing.T) {
		store := liar.New(seed, lies)
		store.Broken = broken
		log := &unrecorded{keys: map[string]int{}}
		var mu sync.Mutex
		done := map[string]int{} // by listener and key
		var failed bool
		fail := func(format string, a ...any) {
			mu.Lock()
			defer mu.Unlock()
			fault = fmt.Sprintf(format, a...)
		}
		on := func(name string) flexfn.StudioOption {
			return events.On("*", func(_ context.Context, e events.Event) error {
				if name == "slow" {
					time.Sleep(300 * time.Millisecond)
				}
				mu.Lock()
				defer mu.Unlock()
				if name == "shaky" && !failed {
					failed = true
					return errors.New("not yet")
				}
				done[name+" "+e.Key]++
				return nil
			}, events.Named(name))
		}
		const kinds, sends = 4, 12
		var apps []*flexfntest.App
		for range 3 {
			apps = append(apps, newApp(t, "/es", events.Stream(on("quick"), on("slow"), on("shaky")), shared(store),
				func(c *flexfn.Config) { c.Logger = slog.New(log) }))
		}
		send := func(app *flexfntest.App, keys ...int) int {
			var list []map[string]any
			for _, key := range keys {
				list = append(list, flexfntest.CloudEvent(fmt.Sprint(key), "com.twilio.studio.flow.step.ended", map[string]any{}))
			}
			begin := time.Now()
			status := app.StreamEvents("/es", list...).Status
			if took := time.Since(begin); took > 5*time.Second {
				fail("an answer took %s", took)
			}
			return status
		}
		rng := rand.New(rand.NewPCG(seed, 5))
		var all sync.WaitGroup
		for i := range sends {
			wait, one, two := time.Duration(rng.IntN(3000))*time.Millisecond, rng.IntN(kinds), rng.IntN(kinds)
			all.Go(func() {
				time.Sleep(wait)
				for n := i; send(apps[n%3], one, two) != http.StatusOK; n++ {
					if n > i+300 {
						fail("it is never answered 200")
						return
					}
					time.Sleep(time.Second)
				}
			})
		}
		all.Wait()
		store.Reform()
		status := 0
		for n := 0; status != http.StatusOK && n < 3; n++ { // an app that has given up on the store tries it once at first
			time.Sleep(time.Minute)
			status = send(apps[0], 0, 1, 2, 3)
		}
		if status != http.StatusOK {
			fail("at the end: %d", status)
		}
		for _, name := range []string{"quick", "slow", "shaky"} {
			for key := range kinds {
				n, most := done[fmt.Sprint(name, " ", key)], 1+log.keys[fmt.Sprint(key)]
				if n == 0 || n > most && !store.Forgot() {
					fail("%s was done %d times for event %d, of which %d could not be recorded", name, n, key, most-1)
				}
			}
		}
	})
	return fault
}

// TestStoresThatLie delivers events over stores that mishandle up to a third of
// all calls. FLEXFN_CLAIM_SEEDS sets the number of seeds.
func TestStoresThatLie(t *testing.T) { liar.Run(deliverOver).Try(t, 40) }

// TestBrokenStores plants faults in the store: the test must notice each.
func TestBrokenStores(t *testing.T) { liar.Run(deliverOver).Notices(t, 200) }

// FuzzStoreThatLies has the fuzzer choose what goes wrong with each call.
func FuzzStoreThatLies(f *testing.F) { liar.Run(deliverOver).Fuzz(f) }
