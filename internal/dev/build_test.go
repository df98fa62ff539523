package dev

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestGate: requests wait while a build is made, also for one that was begun
// because a file changed meanwhile; an old build ends once it is not used any more.
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

// TestPatience: a build that takes too long does not keep requests waiting forever. The
// last good build answers; when there is none, the request is told why.
func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g gate
		hold := g.hold()
		start := time.Now()
		b, err := g.acquire(t.Context())
		if waited := time.Since(start); b != nil || waited != patience || err == nil || !strings.Contains(err.Error(), "still being built, for 20s") {
			t.Errorf("without a build: %v, %v after %s", b, err, waited)
		}
		one := &Build{}
		g.set(one, hold)
		g.hold()
		start = time.Now()
		if b, err := g.acquire(t.Context()); b != one || err != nil || time.Since(start) != patience {
			t.Errorf("with a good build: %v, %v after %s", b, err, time.Since(start))
		}
	})
}
