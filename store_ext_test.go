package flexfn_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/flexfntest"
	"github.com/flexfn/flexfn/internal/conflict"
	"github.com/flexfn/flexfn/internal/testing/syncbuf"
)

// TestTurnsAmongInstances: instances that share a Store take turns. One that
// does not give its turn back keeps it until shortly after its deadline. While
// the Store fails, calls do not wait, and the log says so.
func TestTurnsAmongInstances(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log syncbuf.Buffer
		shared := flexfntest.NewStore()
		config := testConfig(new(iam))
		config.Store = shared
		config.Logger = slog.New(slog.NewTextHandler(&log, nil))
		one, two := newApp(t, config), newApp(t, config)
		take := func(app *flexfn.App, limit time.Duration) (done func(), waited time.Duration, err error) {
			ctx := app.Context(t.Context())
			if limit > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, limit)
				t.Cleanup(cancel)
			}
			began := time.Now()
			done, err = conflict.TakeShared(ctx, "resource")
			return done, time.Since(began), err
		}

		done, waited, err := take(one, time.Minute)
		if err != nil || waited != 0 {
			t.Fatalf("the first: %v after %s", err, waited)
		}
		if _, waited, err := take(two, time.Second); err != context.DeadlineExceeded || waited != time.Second {
			t.Errorf("while the turn is taken: %v after %s", err, waited)
		}
		time.AfterFunc(time.Second, done)
		done, waited, err = take(two, time.Minute)
		if err != nil || waited < time.Second || waited > 2*time.Second {
			t.Fatalf("of a turn that is given back after a second: %v after %s", err, waited)
		}
		done()

		// Turns that are never given back.
		for limit, ends := range map[time.Duration]time.Duration{10 * time.Second: 10 * time.Second, 0: time.Minute} {
			if _, _, err := take(one, limit); err != nil {
				t.Fatal(err)
			}
			done, waited, err = take(two, 5*time.Minute)
			if err != nil || waited < ends || waited > ends+5*time.Second {
				t.Fatalf("of a turn that ends after %s: %v after %s", ends, err, waited)
			}
			one = newApp(t, config) // as the old one holds its own turn
			done()
		}
		if text := log.String(); strings.Contains(text, "turn") {
			t.Errorf("logged while the Store works: %s", text)
		}

		done, _, err = take(one, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		shared.Break(errors.New("no route to host"))
		if _, waited, err = take(two, time.Minute); err != nil || waited > time.Second {
			t.Errorf("while the Store fails: %v after %s", err, waited)
		}
		done()
		for _, line := range []string{"turns are taken within this instance alone", "a turn could not be given back"} {
			if log.Count(line) != 1 {
				t.Errorf("%q was logged %d times in %s", line, log.Count(line), log.String())
			}
		}
	})
}
