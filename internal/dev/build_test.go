package dev

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestGate checks that requests wait for the newest build, even if it was begun
// while an earlier one was being made, and that an old build ends once nothing
// uses it.
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

		// A failed build leaves the last good one in service; a request that
		// stops waiting gets an error.
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

// TestPatience checks that requests do not wait forever for a slow build: the
// last good build answers, and without one the request gets an error that says
// why.
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

// TestCallDuringBuild: a call or an event sent during the first build waits for
// the build. It is not refused for naming an unknown function.
func TestCallDuringBuild(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Server
		s.gate.hold()
		for what, ask := range map[string]func(*http.Request) (any, error){`{"types":["task.created"]}`: s.trigger, `{"path":"/hello"}`: s.call} {
			start := time.Now()
			_, err := ask(httptest.NewRequestWithContext(t.Context(), "POST", "/", strings.NewReader(what)))
			if r, ok := errors.AsType[refused](err); !ok || r.status != 503 || time.Since(start) != patience || !strings.Contains(err.Error(), "still being built") {
				t.Errorf("%s: %v after %s", what, err, time.Since(start))
			}
		}
	})
}
