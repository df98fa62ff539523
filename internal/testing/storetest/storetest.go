// Package storetest has shared parts of the tests of Stores.
package storetest

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/flexfntest"
	"github.com/flexfn/flexfn/internal/testing/syncbuf"
)

const addressVariable = "FLEXFN_STORETEST_ADDRESS"

// Processes has eight processes increment one entry of the store at address.
// Each process reruns the calling test.
func Processes(t *testing.T, address string, open func(address string) flexfn.Store) {
	t.Helper()
	if address := os.Getenv(addressVariable); address != "" {
		count(t, open(address))
		return
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
			child.Env = append(os.Environ(), addressVariable+"="+address)
			if out, err := child.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	all.Wait()
	value, _, err := open(address).Get(t.Context(), "flexfn:1:count")
	if !strings.HasPrefix(string(value), "640 ") {
		t.Errorf("8 processes with 8 writers, 10 steps each, counted to %q (%v)", value, err)
	}
}

// Child reports whether this process is one of [Processes].
func Child() bool { return os.Getenv(addressVariable) != "" }

func count(t *testing.T, s flexfn.Store) {
	var all sync.WaitGroup
	for w := range 8 {
		all.Go(func() {
			for n := 0; n < 10; {
				value, _, err := s.Get(t.Context(), "flexfn:1:count")
				if err != nil {
					t.Error(err)
					return
				}
				have := 0
				_, _ = fmt.Sscanf(string(value), "%d", &have)
				ok, err := s.Swap(t.Context(), "flexfn:1:count", value, fmt.Appendf(nil, "%d by %d of %d", have+1, w, os.Getpid()), time.Minute)
				if err != nil {
					t.Error(err)
					return
				}
				if ok {
					n++
				}
			}
		})
	}
	all.Wait()
}

// Outage is an app with a guarded function, and the answers to its calls.
type Outage struct {
	t   *testing.T
	app *flexfntest.App
	Log syncbuf.Buffer
	n   int
}

// NewOutage makes the app with s as its Store.
func NewOutage(t *testing.T, s flexfn.Store) *Outage {
	o := &Outage{t: t}
	o.app = flexfntest.New(t, func(c *flexfn.Config) {
		c.Store, c.Logger = s, slog.New(slog.NewTextHandler(&o.Log, nil))
	})
	f := func(context.Context, flexfn.Event) (struct{}, error) { return struct{}{}, nil }
	o.app.Handle("/once", flexfn.PrepareFlexFunction(f, flexfn.Once(time.Minute, "n"), flexfn.Require("n", "a number")))
	o.app.Handle("/deduplicate", flexfn.PrepareFlexFunction(f, flexfn.Deduplicate(time.Minute, "n"), flexfn.Require("n", "a number")))
	return o
}

// Want repeats a call until it gets this answer, which must happen soon.
func (o *Outage) Want(what string, once int) {
	o.t.Helper()
	var got int
	for range 40 {
		o.n++
		begin := time.Now()
		got = o.app.CallFlex(flexfntest.Agent, "/once", flexfntest.Params{"n": o.n}).Status
		if status := o.app.CallFlex(flexfntest.Agent, "/deduplicate", flexfntest.Params{"n": o.n}).Status; status != 200 {
			o.t.Errorf("%s: Deduplicate is answered %d", what, status)
		}
		if took := time.Since(begin); took > 3*time.Second {
			o.t.Errorf("%s: two calls took %s", what, took)
		}
		if got == once {
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
	o.t.Errorf("%s: Once is answered %d, want %d", what, got, once)
}

// Logged fails the test unless the log has reported an outage this many times.
func (o *Outage) Logged(what string, fails, works int) {
	o.t.Helper()
	var f, w int
	for range 40 { // lines may be written after Do has returned
		if f, w = o.Log.Count("the store fails"), o.Log.Count("the store works again"); f == fails && w == works {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if f != fails || w != works {
		o.t.Errorf("%s: the log says %d times that the store fails and %d times that it works again, want %d and %d", what, f, w, fails, works)
	}
}
