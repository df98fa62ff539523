package events_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/events"
	"github.com/flexfn/flexfn/flexfntest"
	"github.com/flexfn/flexfn/twilioapi"
	taskrouter "github.com/twilio/twilio-go/rest/taskrouter/v1"
)

// TestAgain: an event that Twilio does not redeliver is tried again in the
// process, a limited number of times.
func TestAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c counter
		var letters []string
		on := func(name string, failures int) flexfn.StudioOption {
			return events.On("*", func(_ context.Context, e events.Event) error {
				if e.Try <= failures {
					c.add(name + " failed")
					return errors.New("not yet")
				}
				c.add(name)
				return nil
			}, events.Named(name))
		}
		app := newApp(t, "/st", events.Status(on("at once", 0), on("soon", 5), on("never", 1000),
			events.OnDeadLetter(func(_ context.Context, d events.DeadLetter) { letters = append(letters, d.Listener) })))
		if a := app.CallStudio("/st", flexfntest.Params{"MessageSid": "SM1", "MessageStatus": "sent"}); a.Status != http.StatusServiceUnavailable {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		time.Sleep(10 * time.Minute)
		if err := app.Wait(t.Context()); err != nil {
			t.Error(err)
		}
		c.want(t, "at once", 1)
		c.want(t, "soon failed", 5)
		c.want(t, "soon", 1)
		c.want(t, "never failed", 10)
		if fmt.Sprint(letters) != "[never]" {
			t.Errorf("dead letters: %v", letters)
		}
	})
}

// TestAgainAtTheEnd: an app that ends gives each failed event a last try at
// once, and starts no others.
func TestAgainAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tries atomic.Int64
		app := newApp(t, "/st", events.Status(events.On("*", func(context.Context, events.Event) error {
			tries.Add(1)
			return errors.New("down")
		})))
		send := func(sid string) { app.CallStudio("/st", flexfntest.Params{"MessageSid": sid, "MessageStatus": "sent"}) }
		send("SM1")
		begin := time.Now()
		if err := app.Wait(t.Context()); err != nil || time.Since(begin) > 500*time.Millisecond || tries.Load() != 4 {
			t.Errorf("it ended after %s and %d tries: %v", time.Since(begin), tries.Load(), err)
		}
		send("SM2")
		time.Sleep(time.Hour)
		if tries.Load() != 7 {
			t.Errorf("%d tries", tries.Load())
		}
	})
}

// TestStoreFailsBetween: the store fails after a listener has run and before
// its success is recorded, and recovers before the claim ends. The listener
// does not run again.
func TestStoreFailsBetween(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c counter
		store := flexfntest.NewStore()
		on := events.On("*", func(context.Context, events.Event) error {
			c.add("done")
			store.Break(errors.New("restarting"))
			time.AfterFunc(3*time.Second, func() { store.Break(nil) })
			return nil
		})
		app, other := newApp(t, "/es", events.Stream(on), shared(store)), newApp(t, "/es", events.Stream(on), shared(store))
		event := flexfntest.CloudEvent("EZ1", "com.twilio.studio.flow.step.ended", map[string]any{})
		if a := app.StreamEvents("/es", event); a.Status != http.StatusOK {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		for range 3 {
			time.Sleep(2 * time.Second)
			other.StreamEvents("/es", event).OK()
		}
		c.want(t, "done", 1)
	})
}

// TestAnswerInTime: a delivery is answered soon when another instance is
// handling its event, or died while handling it. If the source does not
// redeliver, this process handles the event once the other's claim has ended.
func TestAnswerInTime(t *testing.T) {
	for _, stream := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			store := flexfntest.NewStore()
			var begun atomic.Bool
			var done atomic.Int32
			on := events.On("task.created", func(ctx context.Context, _ events.Event) error {
				if !begun.Swap(true) {
					<-ctx.Done()
					time.Sleep(time.Hour) // it never records anything
				}
				done.Add(1)
				return nil
			})
			f := func() *flexfn.Function {
				if stream {
					return events.Stream(on)
				}
				return events.TaskRouter(on)
			}
			app, other := newApp(t, "/f", f(), shared(store)), newApp(t, "/f", f(), shared(store))
			deliver := func(app *flexfntest.App) int {
				if stream {
					return app.StreamEvents("/f", flexfntest.CloudEvent("EZ1", "com.twilio.taskrouter.task.created", map[string]any{})).Status
				}
				return app.TaskRouterEvent("/f", "task.created", flexfntest.Params{"Sid": "EV1"}).Status
			}
			go deliver(app)
			synctest.Wait()
			begin := time.Now()
			if status := deliver(other); status != http.StatusServiceUnavailable || time.Since(begin) > 2100*time.Millisecond {
				t.Errorf("stream=%t: %d after %s", stream, status, time.Since(begin))
			}
			time.Sleep(20 * time.Second)
			if stream {
				deliver(other)
			}
			if n := done.Load(); n != 1 {
				t.Errorf("stream=%t: done %d times", stream, n)
			}
			time.Sleep(time.Hour)
		})
	}
}

// TestBusySubject: waiting for another event of the subject does not count as a
// try.
func TestBusySubject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := flexfntest.NewStore()
		var c counter
		on := events.On("*", func(_ context.Context, e events.Event) error {
			if c.add(e.Field("MessageStatus")); e.Field("MessageStatus") == "sent" {
				time.Sleep(time.Minute)
			} else if e.Try != 1 {
				t.Errorf("try %d", e.Try)
			}
			return nil
		}, events.NewestOnly(), events.Tries(2))
		app := newApp(t, "/st", events.Status(on), shared(store))
		for _, status := range []string{"sent", "delivered"} {
			go app.CallStudio("/st", flexfntest.Params{"MessageSid": "SM1", "MessageStatus": status})
			time.Sleep(time.Second)
		}
		time.Sleep(5 * time.Minute)
		c.want(t, "delivered", 1)
	})
}

// TestCatchUpAlone has four instances catch up at the same time.
func TestCatchUpAlone(t *testing.T) {
	var c counter
	var atOnce, most atomic.Int64
	store := flexfntest.NewStore()
	var apps []*flexfntest.App
	for range 4 {
		apps = append(apps, newApp(t, "/tr", events.TaskRouter(events.On("task.created", func(_ context.Context, e events.TaskRouterEvent) error {
			if n := atOnce.Add(1); n > most.Load() {
				most.Store(n)
			}
			defer atOnce.Add(-1)
			time.Sleep(time.Millisecond)
			c.add(e.Task.SID)
			return nil
		}, events.Named("book"))), shared(store), func(config *flexfn.Config) {
			if len(apps) > 0 {
				config.Transport = apps[0].Config().Transport
			}
		}))
	}
	var sids []string
	for range 20 {
		res := twilioapi.ExecuteTwilio(apps[0].Context(t.Context()), func(client *twilioapi.Client) (*taskrouter.TaskrouterV1Task, error) {
			return taskrouter.NewApiService(client).CreateTask(apps[0].Config().WorkspaceSID, new(taskrouter.CreateTaskParams).SetAttributes("{}"))
		})
		if err := res.Err(); err != nil {
			t.Fatal(err)
		}
		sids = append(sids, *res.Data.Sid)
	}
	var all sync.WaitGroup
	var total atomic.Int64
	for i := range 16 {
		all.Go(func() {
			n, err := events.CatchUp(apps[i%4].Context(t.Context()))
			if err != nil {
				t.Error(err)
			}
			total.Add(int64(n))
		})
	}
	all.Wait()
	for _, sid := range sids {
		c.want(t, sid, 1)
	}
	if total.Load() != 20 || most.Load() != 1 {
		t.Errorf("counted %d events, and handled up to %d at once", total.Load(), most.Load())
	}
}
