package flexfn_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/flexfntest"
)

// newCalls returns a function that makes a call with a new key, of a function
// that is guarded by Once or not.
func newCalls(tb testing.TB, guarded bool) func() {
	app := flexfntest.New(tb, func(c *flexfn.Config) { c.Logger = slog.New(slog.DiscardHandler) })
	var options []flexfn.FlexOption
	if guarded {
		options = append(options, flexfn.Once(time.Second, "click"))
	}
	app.Handle("/f", flexfn.PrepareFlexFunction(func(context.Context, struct {
		Click string `json:"click"`
	}) (struct{}, error) {
		return struct{}{}, nil
	}, options...))
	targets := make([]string, 1<<16)
	for i := range targets {
		targets[i] = fmt.Sprintf("/f?Token=%s&click=%d", flexfntest.Agent, i)
	}
	i := 0
	return func() {
		w := httptest.NewRecorder()
		app.ServeHTTP(w, httptest.NewRequest("GET", targets[i%len(targets)], nil))
		if i++; w.Code != 200 {
			tb.Fatal(w.Code, w.Body)
		}
	}
}

// BenchmarkOnce compares a guarded call with a new key with an unguarded call.
func BenchmarkOnce(b *testing.B) {
	for _, guarded := range []bool{false, true} {
		b.Run(fmt.Sprintf("guarded=%t", guarded), func(b *testing.B) {
			call := newCalls(b, guarded)
			b.ReportAllocs()
			for b.Loop() {
				call()
			}
		})
	}
}

// TestOnceAllocations holds what a guarded call allocates beyond an unguarded
// one, with the memory of this process as the Store.
func TestOnceAllocations(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	plain, guarded := testing.AllocsPerRun(1000, newCalls(t, false)), testing.AllocsPerRun(1000, newCalls(t, true))
	if guarded-plain > 12 {
		t.Errorf("a guarded call allocates %.0f times, an unguarded one %.0f: at most 12 more are allowed", guarded, plain)
	}
}
