package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/events"
	"github.com/flexfn/flexfn/flexfntest"
	"github.com/flexfn/flexfn/twilioapi"
	taskrouter "github.com/twilio/twilio-go/rest/taskrouter/v1"
)

// record implements systems and remembers the calls.
type record struct {
	mu    sync.Mutex
	told  []string
	fault error // of the CRM
}

func (r *record) tell(where string) func(context.Context, string, string) error {
	return func(_ context.Context, _, what string) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		if where == "crm" && r.fault != nil {
			return r.fault
		}
		r.told = append(r.told, where+": "+what)
		return nil
	}
}

func (r *record) systems() systems {
	return systems{r.tell("crm"), r.tell("wallboard"), r.tell("warehouse"), func(ctx context.Context, number string) error {
		return r.tell("call")(ctx, "", number)
	}}
}

func (r *record) count(what string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range r.told {
		if t == what {
			n++
		}
	}
	return n
}

func newApp(t *testing.T, r *record) *flexfntest.App {
	app := flexfntest.New(t, flexfntest.UseQueue, func(c *flexfn.Config) { c.Logger = slog.New(slog.DiscardHandler) })
	app.Handle("/events/taskrouter", bus(r.systems()))
	app.Handle("/events/assignment", assign)
	app.Handle("/flex/call-me-tomorrow", callMeTomorrow)
	app.Handle("/jobs/remind", remind(r.systems()))
	return app
}

func TestBus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &record{fault: errors.New("the CRM is down")}
		app := newApp(t, r)
		accepted := flexfntest.Params{"Sid": "EV1", "ReservationSid": "WR1", "WorkerName": "Bob", "TaskAttributes": map[string]any{"customer": "Ann"}}
		for range 3 { // the event is delivered three times
			app.TaskRouterEvent("/events/taskrouter", "reservation.accepted", accepted)
		}
		r.fault = nil
		time.Sleep(time.Minute)
		app.RunJobs()
		for _, want := range []string{"crm: Bob took Ann", "wallboard: reservation.accepted", "warehouse: reservation.accepted"} {
			if n := r.count(want); n != 1 {
				t.Errorf("%q was done %d times", want, n)
			}
		}
	})
}

func TestCallMeTomorrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := new(record)
		app := newApp(t, r)
		for range 2 {
			app.CallFlex(flexfntest.Agent, "/flex/call-me-tomorrow", flexfntest.Params{"customer": "+15005550006", "task": "WT00000000000000000000000000000001"}).OK()
		}
		time.Sleep(24 * time.Hour)
		app.RunJobs()
		if n := r.count("call: +15005550006"); n != 1 {
			t.Errorf("the customer was called %d times", n)
		}
	})
}

func TestAssign(t *testing.T) {
	app := newApp(t, new(record))
	a := app.CallStudio("/events/assignment", flexfntest.Params{"ReservationSid": "WR1", "TaskAttributes": map[string]any{"call_sid": "CA1"}})
	if a.Status != 200 || a.Field("instruction") != "dequeue" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

// TestKeepUp makes TaskRouter create events that are never delivered.
func TestKeepUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := new(record)
		app := newApp(t, r)
		ctx := app.Context(t.Context())
		res := twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) (*taskrouter.TaskrouterV1Task, error) {
			return taskrouter.NewApiService(client).CreateTask(app.Config().WorkspaceSID, new(taskrouter.CreateTaskParams).SetAttributes(`{"customer":"Ann"}`))
		})
		if err := res.Err(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		n, err := events.CatchUp(ctx)
		if err != nil || n == 0 {
			t.Fatalf("%d events, %v", n, err)
		}
		if again, err := events.CatchUp(ctx); err != nil || again != 0 {
			t.Errorf("again: %d events, %v", again, err)
		}
		time.Sleep(time.Second)
		app.RunJobs()
		if r.count("warehouse: task.created") != 1 {
			t.Errorf("%v", fmt.Sprint(r.told))
		}
		stopped, stop := context.WithTimeout(t.Context(), 90*time.Second)
		defer stop()
		keepUp(stopped, app.App)
		if err := replayAll(t.Context(), app.App); err != nil {
			t.Error(err)
		}
	})
}
