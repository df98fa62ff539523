package main

import (
	"context"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/events"
)

// systems are the systems that the listeners write to. Each call takes a key
// that stays the same when an event is delivered again.
type systems struct {
	crm, wallboard, warehouse func(ctx context.Context, key, what string) error
	call                      func(ctx context.Context, number string) error
}

// bus passes TaskRouter's events to three listeners. If one fails, the others
// still run.
func bus(s systems) *flexfn.Function {
	return events.TaskRouter(
		events.On("reservation.accepted", func(ctx context.Context, e events.TaskRouterEvent) error {
			return s.crm(ctx, e.Key, e.Worker.Name+" took "+e.Task.Attributes.String("customer"))
		}, events.Named("crm")),
		events.On("reservation.*", func(ctx context.Context, e events.TaskRouterEvent) error {
			return s.wallboard(ctx, e.Reservation.SID, e.Type)
		}, events.Named("wallboard"), events.NewestOnly()),
		events.On("*", func(ctx context.Context, e events.Event) error {
			return s.warehouse(ctx, e.Key, e.Type)
		}, events.Named("warehouse"), events.AfterAnswer()),
		flexfn.Doc("The contact centre's event bus."),
	)
}

// assign connects waiting calls to the worker.
var assign = events.Assignment(func(_ context.Context, o events.Offer) (events.Instruction, error) {
	if o.Task.Attributes.String("call_sid") == "" {
		return events.Accept{}, nil
	}
	return events.Dequeue{PostWorkActivitySID: "WA00000000000000000000000000000003", Record: true}, nil
}, flexfn.Doc("Connects callers to workers."))

type callback struct {
	Customer string `json:"customer" kind:"e164" purpose:"the customer's number"`
	Task     string `json:"task" kind:"WT" purpose:"the task that it is about"`
}

// reminder is the data of a job.
type reminder struct{ Customer, Task string }

// callMeTomorrow schedules a call in 24 hours; only one per task, however often
// the agent clicks.
var callMeTomorrow = flexfn.PrepareFlexFunction(func(ctx context.Context, in callback) (struct{}, error) {
	return struct{}{}, events.Later(ctx, reminder(in), 24*time.Hour)
}, flexfn.Once(24*time.Hour, "task"))

// remind runs when the job is due.
func remind(s systems) *flexfn.Function {
	return events.Job(func(ctx context.Context, r reminder) error { return s.call(ctx, r.Customer) })
}

// keepUp looks once a minute for events that did not arrive, until ctx ends.
func keepUp(ctx context.Context, app *flexfn.App) {
	ctx = app.Context(ctx)
	for tick := time.Tick(time.Minute); ; {
		if n, err := events.CatchUp(ctx); err != nil || n > 0 {
			flexfn.Logger(ctx).Info("caught up", "events", n, "error", err)
		}
		select {
		case <-tick:
		case <-ctx.Done():
			return
		}
	}
}

// replayAll runs failed events again, for instance after a system was down.
func replayAll(ctx context.Context, app *flexfn.App) error {
	ctx = app.Context(ctx)
	for letter, err := range events.DeadLetters(ctx) {
		if err != nil {
			return err
		}
		if err := letter.Replay(ctx); err != nil {
			flexfn.Logger(ctx).Warn("still failing", "id", letter.ID, "listener", letter.Listener, "error", err)
		}
	}
	return nil
}
