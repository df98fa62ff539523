package events_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/events"
	"github.com/flexfn/flexfn/flexfntest"
	"github.com/flexfn/flexfn/internal/testing/exampletb"
	"github.com/flexfn/flexfn/twilioapi"
	taskrouter "github.com/twilio/twilio-go/rest/taskrouter/v1"
)

// An event that comes twice is handled once.
func ExampleTaskRouter() {
	t := exampletb.T{} // in a test: t *testing.T

	app := flexfntest.New(t)
	app.Handle("/events/taskrouter", events.TaskRouter(
		events.On("reservation.accepted", func(_ context.Context, e events.TaskRouterEvent) error {
			fmt.Println(e.Worker.Name, "took", e.Task.Attributes.String("customer"))
			return nil
		}, events.Named("crm")),
	))

	accepted := flexfntest.Params{"Sid": "EV1", "WorkerName": "Bob", "TaskAttributes": `{"customer":"Ann"}`}
	for range 2 {
		fmt.Println(app.TaskRouterEvent("/events/taskrouter", "reservation.accepted", accepted).Status)
	}
	// Output:
	// Bob took Ann
	// 204
	// 204
}

// An Event Streams sink takes events of any product. TaskRouter's events are
// named as in callbacks.
func ExampleStream() {
	t := exampletb.T{} // in a test: t *testing.T

	app := flexfntest.New(t)
	app.Handle("/events/stream", events.Stream(
		events.On("task.completed", func(_ context.Context, e events.TaskRouterEvent) error {
			fmt.Println("a task was completed:", e.Task.CompletedReason)
			return nil
		}, events.Named("tasks")),
		events.On("com.twilio.studio.*", func(_ context.Context, e events.Event) error {
			fmt.Println(e.Type, e.Field("flow_sid"))
			return nil
		}, events.Named("flows")),
	))

	app.StreamEvent("/events/stream", "com.twilio.taskrouter.task.completed", map[string]any{
		"payload": map[string]any{"sid": "EV1", "task_completed_reason": "solved"},
	}).OK()
	app.StreamEvent("/events/stream", "com.twilio.studio.flow.execution.ended", map[string]any{"flow_sid": "FW1"}).OK()
	// Output:
	// a task was completed: solved
	// com.twilio.studio.flow.execution.ended FW1
}

// One URL takes the status callbacks of calls, conferences, recordings and
// messages.
func ExampleStatus() {
	t := exampletb.T{} // in a test: t *testing.T

	app := flexfntest.New(t)
	app.Handle("/events/status", events.Status(
		events.On("call.completed", func(_ context.Context, e events.CallStatus) error {
			fmt.Println("the call lasted", e.CallDuration)
			return nil
		}, events.Named("calls")),
		events.On("conference.participant-leave", func(_ context.Context, e events.ConferenceStatus) error {
			fmt.Println(e.ParticipantLabel, "left", e.FriendlyName)
			return nil
		}, events.Named("conferences")),
		events.On("recording.completed", func(_ context.Context, e events.RecordingStatus) error {
			fmt.Println("a recording of", e.RecordingDuration)
			return nil
		}, events.Named("recordings")),
		events.On("message.undelivered,message.failed", func(_ context.Context, e events.MessageStatus) error {
			fmt.Println("a message is", e.Status, "with error", e.ErrorCode)
			return nil
		}, events.Named("messages")),
	))

	for _, callback := range []flexfntest.Params{
		{"CallSid": "CA1", "CallStatus": "completed", "CallDuration": 90, "SequenceNumber": 3},
		{"ConferenceSid": "CF1", "StatusCallbackEvent": "participant-leave", "ParticipantLabel": "agent", "FriendlyName": "Room 1", "SequenceNumber": 5},
		{"RecordingSid": "RE1", "RecordingStatus": "completed", "RecordingDuration": 60},
		{"MessageSid": "SM1", "MessageStatus": "undelivered", "ErrorCode": 30003},
	} {
		app.CallStudio("/events/status", callback).OK()
	}
	// Output:
	// the call lasted 1m30s
	// agent left Room 1
	// a recording of 1m0s
	// a message is undelivered with error 30003
}

func ExampleConversations() {
	t := exampletb.T{} // in a test: t *testing.T

	app := flexfntest.New(t)
	app.Handle("/events/conversations", events.Conversations(
		events.On("onMessageAdded", func(_ context.Context, e events.ConversationEvent) error {
			fmt.Printf("%s wrote %q\n", e.Author, e.Body)
			return nil
		}, events.Named("transcript")),
	))

	app.CallStudio("/events/conversations", flexfntest.Params{
		"EventType": "onMessageAdded", "MessageSid": "IM1", "Author": "Ann", "Body": "Hello",
	}).OK()
	// Output: Ann wrote "Hello"
}

func ExampleInteractions() {
	t := exampletb.T{} // in a test: t *testing.T

	app := flexfntest.New(t)
	app.Handle("/events/interactions", events.Interactions(
		events.On("onChannelStatusUpdated", func(_ context.Context, e events.InteractionEvent) error {
			fmt.Println(e.MediaChannel, e.ChannelSID, "is", e.ChannelStatus)
			return nil
		}, events.Named("channels")),
	))

	app.CallStudio("/events/interactions", flexfntest.Params{
		"EventType": "onChannelStatusUpdated", "ChannelSid": "UO1", "MediaChannelType": "sms", "ChannelStatus": "closed",
	}).OK()
	// Output: sms UO1 is closed
}

// An event has the same key on each delivery, so a system that refuses
// duplicates can go by it. Field reads a field that the Go type lacks.
func ExampleEvent() {
	t := exampletb.T{} // in a test: t *testing.T

	app := flexfntest.New(t)
	app.Handle("/events/taskrouter", events.TaskRouter(
		events.On("*", func(_ context.Context, e events.Event) error {
			fmt.Println(e.Key, e.Type, e.Field("SomethingNew"))
			return nil
		}, events.Named("warehouse")),
	))

	app.TaskRouterEvent("/events/taskrouter", "task.created", flexfntest.Params{"Sid": "EV1", "SomethingNew": "7"})
	// Output: EV1 task.created 7
}

// A listener can take a struct of your own, with the fields that it needs.
func ExampleOn() {
	t := exampletb.T{} // in a test: t *testing.T

	type canceled struct {
		events.Event
		Task   string `json:"TaskSid"`
		Reason string `json:"TaskCanceledReason"`
	}
	app := flexfntest.New(t)
	app.Handle("/events/taskrouter", events.TaskRouter(
		events.On("task.canceled,task.system-deleted", func(_ context.Context, e canceled) error {
			fmt.Println(e.Type, e.Task, e.Reason)
			return nil
		}),
	))

	app.TaskRouterEvent("/events/taskrouter", "task.canceled", flexfntest.Params{"TaskSid": "WT1", "TaskCanceledReason": "hung up"})
	app.TaskRouterEvent("/events/taskrouter", "task.wrapup", flexfntest.Params{"TaskSid": "WT1"})
	// Output: task.canceled WT1 hung up
}

// Listeners with the same name count as one: an event that comes by callback
// and by Event Streams is handled once.
func ExampleNamed() {
	t := exampletb.T{} // in a test: t *testing.T

	app := flexfntest.New(t)
	crm := events.On("task.created", func(_ context.Context, e events.TaskRouterEvent) error {
		fmt.Println("a ticket for", e.Key)
		return nil
	}, events.Named("crm"))
	app.Handle("/events/taskrouter", events.TaskRouter(crm))
	app.Handle("/events/stream", events.Stream(crm))

	app.TaskRouterEvent("/events/taskrouter", "task.created", flexfntest.Params{"Sid": "EV1"})
	app.StreamEvent("/events/stream", "com.twilio.taskrouter.task.created", map[string]any{"payload": map[string]any{"sid": "EV1"}})
	// Output: a ticket for EV1
}

// A status that comes late does not undo a newer one.
func ExampleNewestOnly() {
	t := exampletb.T{} // in a test: t *testing.T

	app := flexfntest.New(t)
	app.Handle("/events/status", events.Status(
		events.On("message.*", func(_ context.Context, e events.MessageStatus) error {
			fmt.Println(e.MessageSID, e.Status)
			return nil
		}, events.Named("messages"), events.NewestOnly()),
	))

	for _, status := range []string{"queued", "delivered", "sent"} { // as they arrive
		app.CallStudio("/events/status", flexfntest.Params{"MessageSid": "SM1", "MessageStatus": status})
	}
	// Output:
	// SM1 queued
	// SM1 delivered
}

// After the third failure the event becomes a dead letter.
func ExampleTries() {
	t := exampletb.T{} // in a test: t *testing.T

	app := flexfntest.New(t)
	app.Handle("/events/taskrouter", events.TaskRouter(
		events.On("task.created", func(_ context.Context, e events.TaskRouterEvent) error {
			fmt.Println("try", e.Try)
			return errors.New("the CRM is down")
		}, events.Named("crm"), events.Tries(3)),
		events.OnDeadLetter(func(_ context.Context, d events.DeadLetter) {
			fmt.Println("gave up on", d.Event.Key, "for", d.Listener)
		}),
	))

	app.TaskRouterEvent("/events/taskrouter", "task.created", flexfntest.Params{"Sid": "EV1"})
	// Output:
	// try 1
	// try 2
	// try 3
	// gave up on EV1 for crm
}

// Work that takes long runs from the Queue, after Twilio has been answered.
func ExampleAfterAnswer() {
	t := exampletb.T{} // in a test: t *testing.T

	app := flexfntest.New(t, flexfntest.UseQueue) // in production a Queue of riverflexfn or sqsflexfn
	app.Handle("/events/taskrouter", events.TaskRouter(
		events.On("task.completed", func(_ context.Context, e events.TaskRouterEvent) error {
			fmt.Println("archived", e.Task.SID)
			return nil
		}, events.Named("archive"), events.AfterAnswer()),
	))

	fmt.Println(app.TaskRouterEvent("/events/taskrouter", "task.completed", flexfntest.Params{"TaskSid": "WT1"}).Status)
	app.RunJobs()
	// Output:
	// 204
	// archived WT1
}

// A program can keep sets of options.
func ExampleListenerOption() {
	t := exampletb.T{} // in a test: t *testing.T

	wallboard := []events.ListenerOption{events.Named("wallboard"), events.NewestOnly()}
	app := flexfntest.New(t)
	app.Handle("/events/taskrouter", events.TaskRouter(
		events.On("worker.activity.update", func(_ context.Context, e events.TaskRouterEvent) error {
			fmt.Println(e.Worker.Name, "is", e.Worker.ActivityName)
			return nil
		}, wallboard...),
	))

	app.TaskRouterEvent("/events/taskrouter", "worker.activity.update", flexfntest.Params{"WorkerName": "Bob", "WorkerActivityName": "Offline"})
	// Output: Bob is Offline
}

// An error with a status from 400 to 499 is final. The hook alerts an operator.
func ExampleOnDeadLetter() {
	t := exampletb.T{} // in a test: t *testing.T

	app := flexfntest.New(t)
	app.Handle("/events/taskrouter", events.TaskRouter(
		events.On("task.created", func(context.Context, events.TaskRouterEvent) error {
			return flexfn.Errorf(http.StatusUnprocessableEntity, "the CRM refuses the ticket")
		}, events.Named("crm")),
		events.OnDeadLetter(func(_ context.Context, d events.DeadLetter) {
			fmt.Println(d.Listener, d.Event.Key, d.Error)
		}),
	))

	fmt.Println(app.TaskRouterEvent("/events/taskrouter", "task.created", flexfntest.Params{"Sid": "EV1"}).Status)
	// Output:
	// crm EV1 422 the CRM refuses the ticket
	// 204
}

// Once the cause is fixed, the dead letters are replayed.
func ExampleDeadLetters() {
	t := exampletb.T{} // in a test: t *testing.T

	mended := false
	app := flexfntest.New(t)
	app.Handle("/events/taskrouter", events.TaskRouter(
		events.On("task.created", func(_ context.Context, e events.TaskRouterEvent) error {
			if !mended {
				return flexfn.Errorf(http.StatusUnprocessableEntity, "the CRM refuses the ticket")
			}
			fmt.Println("a ticket for", e.Task.SID)
			return nil
		}, events.Named("crm")),
	))
	app.TaskRouterEvent("/events/taskrouter", "task.created", flexfntest.Params{"TaskSid": "WT1"})
	mended = true

	ctx := app.Context(context.Background())
	for letter, err := range events.DeadLetters(ctx) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(letter.Listener, "failed:", letter.Error)
		if err := letter.Replay(ctx); err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// crm failed: 422 the CRM refuses the ticket
	// a ticket for WT1
}

// createTask makes a task in the fake; its Events API keeps the event.
func createTask(app *flexfntest.App) {
	res := twilioapi.ExecuteTwilio(app.Context(context.Background()), func(client *twilioapi.Client) (*taskrouter.TaskrouterV1Task, error) {
		return taskrouter.NewApiService(client).CreateTask(app.Config().WorkspaceSID, new(taskrouter.CreateTaskParams).SetAttributes("{}"))
	})
	if err := res.Err(); err != nil {
		fmt.Println(err)
	}
}

// Every instance calls CatchUp each minute; one of them does the work.
func ExampleCatchUp() {
	t := exampletb.T{} // in a test: t *testing.T

	app := flexfntest.New(t)
	app.Handle("/events/taskrouter", events.TaskRouter(
		events.On("task.created", func(_ context.Context, e events.TaskRouterEvent) error {
			fmt.Println("a task that no callback told of")
			return nil
		}, events.Named("crm")),
	))
	createTask(app)

	for range 2 {
		n, err := events.CatchUp(app.Context(context.Background()))
		fmt.Println(n, err)
	}
	// Output:
	// a task that no callback told of
	// 1 <nil>
	// 0 <nil>
}

// A job is identified by the type of its input.
func ExampleJob() {
	t := exampletb.T{} // in a test: t *testing.T

	type reminder struct{ Customer string }
	app := flexfntest.New(t, flexfntest.UseQueue)
	app.Handle("/jobs/remind", events.Job(func(_ context.Context, r reminder) error {
		fmt.Println("reminding", r.Customer)
		return nil
	}))

	if err := events.Later(app.Context(context.Background()), reminder{"Ann"}, 0); err != nil {
		fmt.Println(err)
	}
	fmt.Println("jobs done:", app.RunJobs())
	// Output:
	// reminding Ann
	// jobs done: 1
}

// A listener that runs again does not add the same job again.
func ExampleLater() {
	t := exampletb.T{} // in a test: t *testing.T

	type survey struct{ Customer string }
	app := flexfntest.New(t, flexfntest.UseQueue)
	app.Handle("/jobs/survey", events.Job(func(context.Context, survey) error { return nil }))
	app.Handle("/events/taskrouter", events.TaskRouter(
		events.On("task.completed", func(ctx context.Context, e events.TaskRouterEvent) error {
			if err := events.Later(ctx, survey{e.Task.Attributes.String("customer")}, 24*time.Hour); err != nil {
				return err
			}
			if e.Try == 1 {
				return errors.New("something else failed")
			}
			return nil
		}, events.Named("survey")),
	))

	app.TaskRouterEvent("/events/taskrouter", "task.completed", flexfntest.Params{"TaskAttributes": `{"customer":"Ann"}`})
	for _, job := range app.Jobs() {
		fmt.Println("a job in", time.Until(job.Due).Round(time.Hour))
	}
	// Output: a job in 24h0m0s
}
