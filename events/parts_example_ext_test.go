package events_test

import (
	"context"
	"fmt"

	"github.com/flexfn/flexfn/events"
	"github.com/flexfn/flexfn/flexfntest"
	"github.com/flexfn/flexfn/internal/testing/exampletb"
)

// The parts that a TaskRouterEvent does not concern are zero.
func ExampleTaskRouterEvent() {
	t := exampletb.T{} // in a test: t *testing.T

	moved := func(task events.Task, queue events.TaskQueue, flow events.Workflow, to events.Transfer) {
		fmt.Printf("%s waited %s in %s of %s\n", task.SID, task.Age, queue.Name, flow.Name)
		fmt.Printf("its transfer to %s failed: %s\n", to.To, to.FailedReason)
	}
	offered := func(r events.Reservation, w events.Worker, channel events.TaskChannel) {
		fmt.Printf("%s offers a %s task to %s\n", r.SID, channel.UniqueName, w.Name)
	}
	added := func(a events.Activity) { fmt.Printf("%s is available: %t\n", a.Name, a.Available) }

	app := flexfntest.New(t)
	app.Handle("/events/taskrouter", events.TaskRouter(
		events.On("*", func(_ context.Context, e events.TaskRouterEvent) error {
			switch e.ResourceType {
			case "task":
				moved(e.Task, e.TaskQueue, e.Workflow, e.Transfer)
			case "reservation":
				offered(e.Reservation, e.Worker, e.TaskChannel)
			case "activity":
				added(e.Activity)
			}
			return nil
		}),
	))

	app.TaskRouterEvent("/events/taskrouter", "task.transfer-failed", flexfntest.Params{
		"ResourceType": "Task", "TaskSid": "WT1", "TaskAge": 61,
		"TaskQueueName": "Support", "WorkflowName": "Calls", "transfer_to": "WK2", "transfer_failed_reason": "no answer",
	})
	app.TaskRouterEvent("/events/taskrouter", "reservation.created", flexfntest.Params{
		"ResourceType": "Reservation", "ReservationSid": "WR1", "WorkerName": "Bob", "TaskChannelUniqueName": "voice",
	})
	app.TaskRouterEvent("/events/taskrouter", "activity.created", flexfntest.Params{
		"ResourceType": "Activity", "ActivityName": "Lunch", "ActivityAvailable": "false",
	})
	// Output:
	// WT1 waited 1m1s in Support of Calls
	// its transfer to WK2 failed: no answer
	// WR1 offers a voice task to Bob
	// Lunch is available: false
}

// String returns numbers and booleans as they were written. Other values are
// read from the map.
func ExampleAttributes() {
	t := exampletb.T{} // in a test: t *testing.T

	app := flexfntest.New(t)
	app.Handle("/events/taskrouter", events.TaskRouter(
		events.On("task.created", func(_ context.Context, e events.TaskRouterEvent) error {
			a := e.Task.Attributes
			fmt.Println(a.String("customer"), a.String("order"), a.String("vip"), a["languages"])
			return nil
		}),
	))

	app.TaskRouterEvent("/events/taskrouter", "task.created", flexfntest.Params{
		"TaskAttributes": `{"customer":"Ann","order":1.50,"vip":true,"languages":["en","fr"]}`,
	})
	// Output: Ann 1.50 true [en fr]
}
