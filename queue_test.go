package flexfn

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestLaggards(t *testing.T) {
	var l laggards
	for range maxLaggards {
		if _, ok := l.enter(); !ok {
			t.Fatal("there was no free place")
		}
	}
	if _, ok := l.enter(); ok {
		t.Error("the bound was exceeded")
	}
	l.leave()
	end, ok := l.enter()
	if !ok {
		t.Fatal("leave did not free a place")
	}
	if _, ok := l.enter(); ok {
		t.Error("leave freed more than one place")
	}
	select {
	case <-end:
		t.Error("end is closed before hurry was called")
	default:
	}
	l.hurry()
	l.hurry()
	<-end
	l.leave()
	if _, ok := l.enter(); ok {
		t.Error("a laggard was accepted after hurry")
	}
	new(laggards).hurry()
}

// TestTryAgain: failed work is tried again after 1, 2, 4 … seconds, then every
// half minute for a quarter of an hour, and once more when the app ends.
func TestTryAgain(t *testing.T) {
	for name, c := range map[string]struct {
		succeeds time.Duration // 0: never
		ends     time.Duration // of the app; 0: never
		want     []time.Duration
		tries    int
	}{
		"never":        {0, 0, []time.Duration{1, 3, 7, 15, 31, 61, 91, 121}, 34},
		"at once":      {time.Second, 0, []time.Duration{1}, 1},
		"in time":      {31 * time.Second, 0, []time.Duration{1, 3, 7, 15, 31}, 5},
		"the app ends": {0, 20 * time.Second, []time.Duration{1, 3, 7, 15, 20}, 5},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				app := testApp(t, func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
				begin := time.Now()
				var at []time.Duration
				call := &call{lazyContext: lazyContext{parent: t.Context()}, app: app, path: "/f"}
				if !call.tryAgain(func(ctx context.Context) error {
					if FromContext(ctx) != app {
						t.Error("the ctx has no app")
					}
					since := time.Since(begin)
					at = append(at, since/time.Second)
					if c.succeeds > 0 && since >= c.succeeds {
						return nil
					}
					return errors.New("no")
				}) {
					t.Fatal("there was no free place")
				}
				if c.ends > 0 {
					time.AfterFunc(c.ends, app.laggards.hurry)
				}
				time.Sleep(time.Hour) // before Wait, which would cut the waits short
				if err := app.Wait(t.Context()); err != nil {
					t.Error(err)
				}
				waitForLog(app)
				if len(at) != c.tries || !slices.Equal(at[:len(c.want)], c.want) || (c.succeeds == 0) != strings.Contains(log.String(), "an event is given up") {
					t.Errorf("tried %d times, at %d; log %s", len(at), at, &log)
				}
			})
		})
	}
}

func TestMemoryQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		app := testApp(t, func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		q := &memoryQueue{app: app, jobs: map[string]bool{}}
		for range 2 { // the second has the same key
			if err := q.Add(t.Context(), "k", []byte("not a job"), time.Now().Add(-time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		waitForLog(app)
		// At once, and after 1, 3 and 7 seconds.
		if n := strings.Count(log.String(), "a job failed"); n != 4 || !strings.Contains(log.String(), "wait=8s") {
			t.Errorf("%d tries: %s", n, &log)
		}
		for i := range maxMemoryJobs - 1 {
			q.jobs[fmt.Sprint(i)] = true
		}
		if err := q.Add(t.Context(), "one more", nil, time.Now()); err == nil {
			t.Error("the bound was exceeded")
		}
	})
}

// TestRuntimeOfAnApp: deliveries are noted only under flexfn dev.
func TestRuntimeOfAnApp(t *testing.T) {
	if rt := testApp(t, nil).runtime(); rt.Note != nil || rt.Queue != nil {
		t.Error("in production deliveries are noted")
	}
	if rt := testApp(t, func(c *Config) { c.devKey = strings.Repeat("k", shortestDevKey) }).runtime(); rt.Note == nil || rt.Queue == nil {
		t.Error("under flexfn dev deliveries are not noted")
	}
}
