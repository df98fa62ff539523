// Command flexfn handles Twilio's events on Kubernetes. PostgreSQL holds the
// record of handled events and the work that outlasts an answer. ../flexfn.yaml
// deploys it, with the environment of patch.yaml.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/events"
	"github.com/flexfn/flexfn/host"
	"github.com/flexfn/flexfn/pgflexfn"
	"github.com/flexfn/flexfn/riverflexfn"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(host.ExitCode(err))
	}
}

func serve(ctx context.Context) error {
	url := os.Getenv("DATABASE_URL")
	store, err1 := pgflexfn.New(url)
	queue, err2 := riverflexfn.New(url)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	defer store.Close()
	defer queue.Close()
	if os.Getenv("MIGRATE") != "" { // the init container; see patch.yaml
		return errors.Join(store.CreateTable(ctx), queue.Migrate(ctx))
	}
	c := flexfn.FromEnv()
	c.Store, c.Queue = store, queue
	app, err := flexfn.New(c)
	if err != nil {
		return err
	}
	app.Handle("/events/taskrouter", events.TaskRouter(
		events.On("task.completed", askForFeedback, events.Named("feedback")),
	))
	app.Handle("/jobs/feedback", events.Job(sendFeedback))

	var work sync.WaitGroup
	defer work.Wait() // before the connections are closed
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	work.Go(func() {
		if err := queue.Work(ctx, app, 20); err != nil {
			app.Config().Logger.Error("no jobs run in this process", "error", err)
		}
	})
	work.Go(func() { catchUp(app.Context(ctx)) })
	return host.Serve(ctx, app, host.FromEnv())
}

// catchUp looks every minute for events that did not arrive. Each process calls
// it, and one at a time does the work.
func catchUp(ctx context.Context) {
	for tick := time.NewTicker(time.Minute); ; {
		if n, err := events.CatchUp(ctx); err != nil || n > 0 {
			flexfn.Logger(ctx).Info("caught up", "events", n, "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			tick.Stop()
			return
		}
	}
}

type feedback struct {
	Task string `json:"task"`
}

// askForFeedback schedules a job in an hour; only one, however often the event
// is delivered.
func askForFeedback(ctx context.Context, e events.TaskRouterEvent) error {
	return events.Later(ctx, feedback{e.Task.SID}, time.Hour)
}

func sendFeedback(ctx context.Context, in feedback) error {
	flexfn.Logger(ctx).Info("time to ask for feedback", "task", in.Task)
	return nil
}
