package events_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/flexfn/flexfn/events"
	"github.com/flexfn/flexfn/flexfntest"
	"github.com/flexfn/flexfn/internal/testing/exampletb"
)

// Callers are connected to the worker; other tasks are accepted at once.
func ExampleAssignment() {
	t := exampletb.T{} // in a test: t *testing.T

	app := flexfntest.New(t)
	app.Handle("/events/assignment", events.Assignment(func(_ context.Context, o events.Offer) (events.Instruction, error) {
		if o.Task.Attributes.String("call_sid") == "" {
			return events.Accept{}, nil
		}
		return events.Dequeue{PostWorkActivitySID: "WA00000000000000000000000000000003", Timeout: 20 * time.Second}, nil
	}))

	for reservation, attributes := range []string{`{"call_sid":"CA1"}`, `{}`} {
		answer := app.CallStudio("/events/assignment", flexfntest.Params{
			"ReservationSid": fmt.Sprint("WR", reservation), "TaskAttributes": attributes,
		})
		fmt.Println(answer.Status, string(answer.Body))
	}
	// Output:
	// 200 {"instruction":"dequeue","post_work_activity_sid":"WA00000000000000000000000000000003","timeout":"20"}
	// 200 {"instruction":"accept"}
}

// The instruction depends on the task's channel. A nil instruction leaves the
// reservation pending.
func ExampleInstruction() {
	t := exampletb.T{} // in a test: t *testing.T

	instruct := func(channel, caller string) events.Instruction {
		switch channel {
		case "callback":
			return events.Call{From: "+15005550006", URL: "https://functions.example.com/voice/callback", Accept: true}
		case "transfer":
			return events.Redirect{CallSID: caller, URL: "https://functions.example.com/voice/transfer"}
		case "voice":
			return events.Conference{From: "+15005550006", Record: true, EndOnExit: true}
		case "unwanted":
			return events.Reject{ActivitySID: "WA00000000000000000000000000000001"}
		}
		return nil
	}
	app := flexfntest.New(t)
	app.Handle("/events/assignment", events.Assignment(func(_ context.Context, o events.Offer) (events.Instruction, error) {
		return instruct(o.Task.Attributes.String("channel"), o.Task.Attributes.String("call_sid")), nil
	}))

	for _, channel := range []string{"callback", "transfer", "voice", "unwanted", "chat"} {
		answer := app.CallStudio("/events/assignment", flexfntest.Params{
			"ReservationSid": "WR-" + channel,
			"TaskAttributes": map[string]any{"channel": channel, "call_sid": "CA00000000000000000000000000000001"},
		})
		fmt.Println(string(answer.Body))
	}
	// Output:
	// {"accept":true,"from":"+15005550006","instruction":"call","url":"https://functions.example.com/voice/callback"}
	// {"call_sid":"CA00000000000000000000000000000001","instruction":"redirect","url":"https://functions.example.com/voice/transfer"}
	// {"conference_record":"record-from-start","end_conference_on_exit":true,"from":"+15005550006","instruction":"conference"}
	// {"activity_sid":"WA00000000000000000000000000000001","instruction":"reject"}
	// {}
}

// Messages are published even if the handler fails.
func ExampleBefore() {
	t := exampletb.T{} // in a test: t *testing.T

	app := flexfntest.New(t)
	app.Handle("/conversations/before", events.Before(events.Publish{}, func(_ context.Context, e events.ConversationEvent) (events.Verdict, error) {
		if e.Type != "onMessageAdd" {
			return events.Publish{}, nil
		}
		if strings.Contains(e.Body, "http://") {
			return events.Block{}, nil
		}
		if card := "4111 1111 1111 1111"; strings.Contains(e.Body, card) {
			body := strings.ReplaceAll(e.Body, card, "[card]")
			return events.Edit{Body: &body}, nil
		}
		return events.Publish{}, nil
	}))

	for _, body := range []string{"Hello", "It is 4111 1111 1111 1111", "See http://x.example.com"} {
		answer := app.CallStudio("/conversations/before", flexfntest.Params{"EventType": "onMessageAdd", "Body": body})
		fmt.Println(answer.Status, string(answer.Body))
	}
	// Output:
	// 200 {}
	// 200 {"body":"It is [card]"}
	// 403 {}
}
