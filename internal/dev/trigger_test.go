package dev

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/events"
	"github.com/flexfn/flexfn/openapi"
)

func noted(context.Context, events.Event) error { return nil }

// The hint names an event that a listener takes, in a form that the function
// gets. A function of jobs has none, since Twilio does not call it.
func TestTriggerCommand(t *testing.T) {
	stream := func(types string) *flexfn.Function { return events.Stream(events.On(types, noted)) }
	functions := map[string]*flexfn.Function{
		"reservation.accepted":              events.TaskRouter(events.On("reservation.accepted,task.*", noted)),
		"task.created":                      events.TaskRouter(events.On("*", noted)),
		"worker.created":                    events.TaskRouter(events.On("worker.*", noted), events.On("*", noted, events.Named("all"))),
		"message.delivered":                 events.Status(events.On("message.delivered", noted)),
		"call.initiated":                    events.Status(events.On("fax.*, call.*", noted)),
		"onMessageAdded":                    events.Conversations(events.On("onMessage*", noted)),
		"reservation.wrapup --stream":       stream("reservation.wrapup"),
		"task.created --stream":             stream("*"),
		"workflow.timeout --stream":         stream("com.twilio.taskrouter.workflow.timeout"),
		"com.twilio.studio.flow.step.ended": stream("com.twilio.studio.flow.step.ended"),
		"com.twilio.messaging.message.sent": stream("com.twilio.messaging.*"),
		"com.twilio.video.room-created":     stream("com.twilio.video.room-created"), // not listed
		"onInteractionCreated":              events.Interactions(events.On("*", noted)),
		"assignment":                        events.Assignment(func(context.Context, events.Offer) (events.Instruction, error) { return nil, nil }),
		"":                                  events.Job(func(context.Context, events.Event) error { return nil }),
	}
	for want, f := range functions {
		list := functionsFor(t, flexfn.Route{Path: "/f", Function: f})
		if got, want := triggerCommand(list[0], "http://h"), "flexfn trigger "+want+" --to /f --url http://h"; got != want {
			t.Errorf("the hint is %q, want %q", got, want)
		}
		var out bytes.Buffer
		NewTerminal(&out, false).functions(list, "http://h", true)
		if hint := strings.Contains(out.String(), "flexfn trigger") || strings.Contains(out.String(), "curl"); hint != (want != "") {
			t.Errorf("the terminal shows %q", out.String())
		}
	}
}

// What is sent says which of its events no listener takes, unless own fields
// may have changed the types. Names of Event Streams are sent with the payload.
func TestTriggerUnheard(t *testing.T) {
	list := functionsFor(t,
		flexfn.Route{Path: "/events/a", Function: events.TaskRouter(events.On("task.*", noted))},
		flexfn.Route{Path: "/events/b", Function: events.Stream(events.On("com.twilio.taskrouter.task.created", noted))},
		flexfn.Route{Path: "/events/c", Function: events.Before(events.Publish{}, func(context.Context, events.ConversationEvent) (events.Verdict, error) { return nil, nil })},
	)
	for _, c := range []struct {
		order   Trigger
		path    string
		unheard string
		body    string
	}{
		{Trigger{Types: []string{"task.created"}}, "/events/a", "", "TaskSid=WT"},
		{Trigger{Types: []string{"activity.created"}}, "/events/a", "activity.created", "ActivitySid=WA"},
		{Trigger{Types: []string{"activity.created"}, Fields: map[string]string{"EventType": "task.created"}}, "/events/a", "", "EventType=task.created"},
		{Trigger{Types: []string{"task.created", "task.updated"}, Stream: true}, "/events/b", "task.updated", `"task_sid":"WT`},
		{Trigger{Types: []string{"com.twilio.taskrouter.task.created"}}, "/events/b", "", `"task_sid":"WT`},
		{Trigger{Types: []string{"com.twilio.eventstreams.test-event"}}, "/events/b", "", "test_id"},
		{Trigger{Types: []string{"com.twilio.fax.received"}}, "/events/b", "com.twilio.fax.received", `"id":"EZ`},
		{Trigger{Types: []string{"onMessageAdd"}}, "/events/c", "", "Body=Hello"},
	} {
		sent, err := new(Server).deliveries(c.order, list)
		if err != nil || len(sent) != 1 {
			t.Errorf("%v: %d deliveries, %v", c.order, len(sent), err)
			continue
		}
		if d := sent[0]; d.path != c.path || strings.Join(d.unheard, " ") != c.unheard || !strings.Contains(string(d.body), c.body) || d.telling != (c.path == "/events/c") {
			t.Errorf("%v: %s, unheard %q, telling %v, %s", c.order, d.path, d.unheard, d.telling, d.body)
		}
	}
}

func functionsFor(t *testing.T, routes ...flexfn.Route) []Function {
	t.Helper()
	var described []openapi.Function
	for _, r := range routes {
		d := r.Function.Describe()
		d.Path = r.Path
		described = append(described, d)
	}
	document, err := openapi.Document(described, openapi.Info{})
	if err != nil {
		t.Fatal(err)
	}
	list, err := functionsOf(document)
	if err != nil {
		t.Fatal(err)
	}
	return list
}
