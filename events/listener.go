package events

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/internal/link"
	"github.com/flexfn/flexfn/internal/twilioevent"
)

// On adds a listener to [TaskRouter], [Stream], [Status], [Conversations] or
// [Interactions]. types are event types separated by commas, as in a
// workspace's EventsFilter. A type may end in "*", which matches any ending.
//
// E is the source's event type, such as [TaskRouterEvent], or [Event], or a
// struct of your own with json tags, which may embed Event.
//
// Each listener succeeds or fails independently of the others, and runs until
// it has succeeded once. The listeners of an event run concurrently. After an
// error the listener runs again: within the function's deadline, then from the
// app's Queue, if there is one, and otherwise when Twilio delivers the event
// again. An [flexfn.Error] with a status from 400 to 499 other than 408, 409,
// 412, 425 and 429, or whose outcome is unknown, is final: the event becomes a
// dead letter. A panic counts as an error.
//
// [flexfn.App.Handle] panics on a type that TaskRouter does not have, on an E
// of another source, and on two listeners with the same name.
//
//	events.On("task.created, task.canceled", func(ctx context.Context, e events.TaskRouterEvent) error {
//		return crm.Note(ctx, e.Key, e.Task.Attributes.String("customer"))
//	}, events.Named("crm"))
//
// "*" alone takes every type. ctx ends at the function's deadline, and carries
// the app. The handler is called concurrently.
func On[E any](types string, handler func(context.Context, E) error, options ...ListenerOption) flexfn.StudioOption {
	l := &listener{StudioOption: flexfn.Doc(""), name: types, in: reflect.TypeFor[E](), tries: 10}
	for t := range strings.SplitSeq(types, ",") {
		if t = strings.TrimSpace(t); t == "" || strings.Contains(strings.TrimSuffix(t, "*"), "*") {
			l.fault = fmt.Errorf("events.On(%q): write types separated by commas; only the end of one may be *", types)
		}
		l.types = append(l.types, t)
	}
	if handler == nil {
		l.fault = fmt.Errorf("events.On(%q): the handler is nil", types)
	}
	if l.in.Kind() != reflect.Struct {
		l.fault = fmt.Errorf("events.On(%q): it takes %s, which is not a struct", types, l.in)
	}
	for _, o := range options {
		o(l)
	}
	l.run = func(ctx context.Context, e Event) error {
		v, err := decodeInto[E](e)
		if err != nil {
			return &flexfn.Error{Status: 422, Message: "the event cannot be read", Err: err}
		}
		return handler(ctx, v)
	}
	return l
}

// ListenerOption adjusts a listener: [AfterAnswer], [Named], [NewestOnly] or
// [Tries].
type ListenerOption func(*listener)

// Named sets the listener's name in the Store. Without it, the name consists of
// the function's path and the types, and changes with them. A listener whose
// name changes runs again for events that are then redelivered. Listeners with
// the same name in different functions count as one: it runs once for an event
// that both functions receive.
func Named(name string) ListenerOption { return func(l *listener) { l.name, l.named = name, true } }

// NewestOnly skips events that are older than the newest one handled for the
// same subject. A reservation, task or worker is ordered by version and time, a
// call or conference by sequence number, a message or recording by its status.
// Events of one subject are handled one at a time. A skipped event counts as
// done. Use it for listeners that store the latest state, not for those that
// count, or act on every event.
func NewestOnly() ListenerOption { return func(l *listener) { l.newest = true } }

// AfterAnswer runs the listener from the app's Queue: Twilio is answered as
// soon as the Queue has the event. The app must have a Queue. Use it for work
// that takes longer than Twilio waits. If the Queue refuses the event, the
// answer is a failure.
func AfterAnswer() ListenerOption { return func(l *listener) { l.after = true } }

// Tries sets the number of failed runs, from 1 to 100, after which the event
// becomes a dead letter. The default is 10.
func Tries(n int) ListenerOption {
	return func(l *listener) {
		if l.tries = n; n < 1 || n > 100 {
			l.fault = fmt.Errorf("events.Tries(%d): it must be from 1 to 100", n)
		}
	}
}

// listener is what [On] and [Job] make. It does not change after that, and is
// shared by all deliveries.
type listener struct {
	flexfn.StudioOption // never applied: see Define

	name   string
	named  bool
	types  []string
	in     reflect.Type
	newest bool
	after  bool
	tries  int
	run    func(context.Context, Event) error
	fault  error
}

var _ link.Definition = (*listener)(nil)

// Define refuses functions that this package did not make.
func (l *listener) Define() (any, error) {
	return nil, errors.New("events.On is an option of events.TaskRouter, Stream, Status, Conversations and Interactions")
}

// id returns the listener's name in the Store.
func (l *listener) id(path string) string {
	if l.named {
		return l.name
	}
	return path + " " + l.name
}

// wants reports whether a type of l matches e's, in the form of callbacks or in
// that of Event Streams.
func (l *listener) wants(e Event) bool {
	for _, t := range l.types {
		if twilioevent.Matches(t, e.Type) || twilioevent.Matches(t, e.fields.text(streamType)) {
			return true
		}
	}
	return false
}

// ours maps the event types of this package to their sources.
var ours = map[reflect.Type]string{
	reflect.TypeFor[TaskRouterEvent]():   "TaskRouter",
	reflect.TypeFor[CallStatus]():        "Status",
	reflect.TypeFor[ConferenceStatus]():  "Status",
	reflect.TypeFor[RecordingStatus]():   "Status",
	reflect.TypeFor[MessageStatus]():     "Status",
	reflect.TypeFor[ConversationEvent](): "Conversations",
	reflect.TypeFor[InteractionEvent]():  "Interactions",
}

// decodeInto decodes e into an E. The program's own structs are decoded
// strictly: a field that does not fit is the program's mistake, and a dead
// letter shows it. This package's types are not, since Twilio may change what
// it sends.
func decodeInto[E any](e Event) (E, error) {
	var v E
	rv := reflect.ValueOf(&v).Elem()
	if rv.Type() == eventType {
		rv.Set(reflect.ValueOf(e))
		return v, nil
	}
	tag, strict := "json", true
	if ours[rv.Type()] != "" {
		tag, strict = "twilio", false
	}
	if err := e.fields.fill(rv, tag, strict); err != nil {
		return v, err
	}
	if t, ok := any(&v).(*TaskRouterEvent); ok {
		t.ResourceType = strings.ToLower(t.ResourceType)
	}
	for i := range rv.NumField() {
		if rv.Type().Field(i).Type == eventType && rv.Type().Field(i).IsExported() {
			rv.Field(i).Set(reflect.ValueOf(e))
		}
	}
	return v, nil
}
