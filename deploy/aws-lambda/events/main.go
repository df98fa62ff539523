// Command bootstrap handles Twilio's events on AWS Lambda. Redis holds the
// record of handled events, and work that outlasts the answer goes through SQS.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/events"
	"github.com/flexfn/flexfn/host"
	"github.com/flexfn/flexfn/redisflexfn"
	"github.com/flexfn/flexfn/sqsflexfn"
)

func main() {
	if err := serve(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(host.ExitCode(err))
	}
}

func serve(ctx context.Context) error {
	account, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	queue, err1 := sqsflexfn.New(sqs.NewFromConfig(account), os.Getenv("QUEUE_URL"))
	store, err2 := redisflexfn.New(os.Getenv("REDIS_URL"))
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	defer store.Close()
	c := flexfn.FromEnv()
	c.Store, c.Queue = store, queue
	app, err := flexfn.New(c)
	if err != nil {
		return err
	}
	app.Handle("/events/taskrouter", events.TaskRouter(
		events.On("task.completed", askForFeedback, events.Named("feedback")),
		events.On("*", book, events.Named("warehouse"), events.AfterAnswer()),
	))
	app.Handle("/jobs/feedback", events.Job(sendFeedback))
	serving := host.FromEnv()
	serving.SQS = queue.Handle(app)
	return host.Serve(ctx, app, serving)
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

func book(ctx context.Context, e events.Event) error {
	flexfn.Logger(ctx).Info("an event for the warehouse", "type", e.Type, "key", e.Key)
	return nil
}
