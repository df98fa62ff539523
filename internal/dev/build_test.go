package dev

import (
	"context"
	"testing"
	"testing/synctest"
)

// TestGate: requests wait while a build is made, also for one that was begun
// because a file changed meanwhile; an old build ends once nobody uses it.
func TestGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g gate
		ended := false
		one, two, three := &Build{end: func() { ended = true }}, &Build{}, &Build{}
		g.set(one, g.hold())
		under, err := g.acquire(t.Context()) // a request under way
		if err != nil || under != one {
			t.Fatal(under, err)
		}

		first := g.hold()
		got := make(chan *Build, 1)
		go func() {
			b, _ := g.acquire(t.Context())
			got <- b
		}()
		second := g.hold() // another file changed
		g.set(two, first)
		synctest.Wait()
		select {
		case b := <-got:
			t.Fatalf("the request got %p before the newest build was there", b)
		default:
		}
		if ended {
			t.Error("the old build ended under a request")
		}
		under.release()
		synctest.Wait()
		if !ended {
			t.Error("the old build did not end")
		}
		g.set(three, second)
		if b := <-got; b != three {
			t.Error("the request did not get the newest build")
		}

		// A build that fails leaves the last good one; a request that gives
		// up waiting is told.
		hold := g.hold()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := g.acquire(ctx); err != context.Canceled {
			t.Error(err)
		}
		g.keep(&Fault{Text: "it does not compile"}, hold)
		if b, err := g.acquire(t.Context()); err != nil || b != three {
			t.Error(b, err)
		}
		g.drop(three, &Fault{Text: "it died"})
		if _, err := g.acquire(t.Context()); err == nil || err.Error() != "it died" {
			t.Error(err)
		}
	})
}
