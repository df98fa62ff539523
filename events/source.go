package events

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/internal/form"
	"github.com/flexfn/flexfn/internal/jsonshape"
	"github.com/flexfn/flexfn/internal/link"
	"github.com/flexfn/flexfn/internal/twilioevent"
)

// source is a kind of delivery. Its deadline is the time that Twilio waits, 15
// s or 5 s, less the time for the answer to get there.
type source struct {
	name     string
	family   string // part of keys; the same for all sources of one event
	doc      string
	deadline time.Duration
	status   int // the answer's status
	event    func(f fields, token string) Event
	order    func(Event) (subject string, at order)
	batch    bool // bodies are JSON arrays of CloudEvents
}

// sources are the functions that take listeners. Nothing changes them.
var sources = map[string]*source{
	"TaskRouter": {name: "TaskRouter", family: "taskrouter", doc: "Takes TaskRouter's events.", deadline: 12 * time.Second,
		status: http.StatusNoContent, event: taskRouterEvent, order: taskRouterOrder},
	"Stream": {name: "Stream", family: "stream", doc: "Takes Event Streams' events.", deadline: 4500 * time.Millisecond,
		status: http.StatusOK, order: streamOrder, batch: true},
	"Status": {name: "Status", family: "status", doc: "Takes status callbacks.", deadline: 12 * time.Second,
		status: http.StatusOK, event: statusEvent, order: statusOrder},
	"Conversations": {name: "Conversations", family: "conversations", doc: "Takes Conversations' webhooks.", deadline: 4500 * time.Millisecond,
		status: http.StatusOK, event: conversationEvent, order: conversationOrder},
	"Interactions": {name: "Interactions", family: "interactions", doc: "Takes Flex interactions' webhooks.", deadline: 12 * time.Second,
		status: http.StatusOK, event: interactionEvent, order: interactionOrder},
}

// TaskRouter makes the function for a workspace's EventCallbackUrl. TaskRouter
// neither delivers an event again after an error nor promises an order;
// [CatchUp] fetches what was lost. The deadline is 12 s unless
// [flexfn.Deadline] sets another; Twilio waits 15 s.
//
// Put its URL into the workspace's EventCallbackUrl, and the types that
// listeners take into EventsFilter. The answer is 204, or 503 after a failed
// listener, although that does not make TaskRouter deliver again.
func TaskRouter(options ...flexfn.StudioOption) *flexfn.Function {
	return prepare("TaskRouter", options)
}

// Stream makes the function for an Event Streams webhook sink. Events arrive at
// least once, in any order. A batch in which a listener failed is answered 503,
// so that Twilio delivers it again for up to 4 hours, when only the failed
// listeners run. The sink's test events are acknowledged and logged. The
// deadline is 4.5 s unless [flexfn.Deadline] sets another; Twilio waits 5 s. 32
// events of a batch are handled at once. A body that is not a batch is answered
// 500, and an element that is not an event is skipped, so that no 4xx makes
// Twilio drop the rest.
func Stream(options ...flexfn.StudioOption) *flexfn.Function { return prepare("Stream", options) }

// Status makes the function for the status callbacks of calls, conferences,
// recordings and messages: [CallStatus], [ConferenceStatus], [RecordingStatus]
// and [MessageStatus]. Twilio does not deliver them again, unless the URL's
// connection overrides (#rc=2&rp=all) ask for it. The deadline is 12 s unless
// [flexfn.Deadline] sets another. The types begin with call., conference.,
// recording. and message.; one URL can serve all of them.
func Status(options ...flexfn.StudioOption) *flexfn.Function { return prepare("Status", options) }

// Conversations makes the function for the webhooks that Conversations sends
// after a change; for those before a change, use [Before]. The deadline is 4.5
// s unless [flexfn.Deadline] sets another; Twilio waits 5 s.
func Conversations(options ...flexfn.StudioOption) *flexfn.Function {
	return prepare("Conversations", options)
}

// Interactions makes the function for Flex's interaction webhooks. The deadline
// is 12 s unless [flexfn.Deadline] sets another. Twilio's page does not say how
// long it waits; 15 s are assumed.
func Interactions(options ...flexfn.StudioOption) *flexfn.Function {
	return prepare("Interactions", options)
}

// definition is the option that marks a function as this package's. Its
// StudioOption is the function's deadline.
type definition struct {
	flexfn.StudioOption
	source twilioevent.Source
	part   any
	err    error
}

// Source implements [link.Sourced].
func (d *definition) Source() string { return string(d.source) }

// Types implements [link.Sourced]: the types that listeners take, as they were
// given to [On], each once.
func (d *definition) Types() (list []string) {
	p, _ := d.part.(*part)
	if p == nil {
		return nil
	}
	for _, l := range p.listeners {
		for _, t := range l.types {
			if !slices.Contains(list, t) {
				list = append(list, t)
			}
		}
	}
	return list
}

// Define implements [link.Definition]. An error makes [flexfn.App.Handle]
// panic.
func (d *definition) Define() (any, error) { return d.part, d.err }

// part is what a function of this package adds to a flexfn.Function. It does
// not change once the function is made.
type part struct {
	source    *source
	listeners []*listener
	hooks     []func(context.Context, DeadLetter)
}

// hook is the option [OnDeadLetter]. Its StudioOption is never applied: see
// Define.
type hook struct {
	flexfn.StudioOption
	call func(context.Context, DeadLetter)
}

func (*hook) Define() (any, error) {
	return nil, errors.New("events.OnDeadLetter is an option of functions of package events")
}

// prepare makes the function of a source, whose definition is in the option
// that prepare adds. Options given by the program come after it, so that its
// Deadline wins. All faults are reported at once.
func prepare(name string, options []flexfn.StudioOption) *flexfn.Function {
	p := &part{source: sources[name]}
	def := &definition{StudioOption: flexfn.Deadline(p.source.deadline), source: twilioevent.Source(name), part: p}
	rest := p.split(options)
	names := map[string]bool{}
	for _, l := range p.listeners {
		if names[l.name] {
			def.err = errors.Join(def.err, fmt.Errorf("two listeners are called %q: give one another name with events.Named", l.name))
		}
		names[l.name] = true
		def.err = errors.Join(def.err, l.fault, p.source.check(l))
	}
	if len(p.listeners) == 0 {
		def.err = errors.Join(def.err, fmt.Errorf("events.%s has no listener: give it events.On(…)", name))
	}
	return flexfn.PrepareStudioFunction(p.serve, append([]flexfn.StudioOption{def, flexfn.Doc(p.source.doc)}, rest...)...)
}

// split separates this package's options from the others.
func (p *part) split(options []flexfn.StudioOption) (rest []flexfn.StudioOption) {
	for _, o := range options {
		switch o := o.(type) {
		case *listener:
			p.listeners = append(p.listeners, o)
		case *hook:
			p.hooks = append(p.hooks, o.call)
		default:
			rest = append(rest, o)
		}
	}
	return rest
}

// OnDeadLetter has a function called for each dead letter, once it is stored.
// Use it for alerts: if the call fails or the process ends, the call is not
// repeated. A panic in it is logged. The answer waits for it, so it should
// return quickly. It may be given several times; the calls are made one after
// another, with the ctx of the delivery or job, which then does not end at its
// deadline. If what was done cannot be recorded, the letter is stored again,
// and the call is made again.
func OnDeadLetter(call func(context.Context, DeadLetter)) flexfn.StudioOption {
	return &hook{flexfn.Doc(""), call}
}

// check refuses listeners that could never match. Event Streams carry events of
// all products, so a Stream takes any type of listener.
func (s *source) check(l *listener) (err error) {
	if of := ours[l.in]; of != "" && of != s.name && !s.batch {
		err = fmt.Errorf("events.On(%q) takes %s, which belongs to events.%s", l.name, l.in, of)
	}
	if s.name == "TaskRouter" {
		for _, t := range l.types {
			if !knownTaskRouterType(t) {
				err = errors.Join(err, fmt.Errorf("events.On(%q): TaskRouter has no event %q", l.name, t))
			}
		}
	}
	return err
}

// Mount refuses listeners that the app cannot run.
func (p *part) Mount(_ string, app *link.Runtime) error {
	for _, l := range p.listeners {
		if l.after && app.Queue == nil {
			return fmt.Errorf("the listener %q runs after the answer: set Config.Queue", l.name)
		}
	}
	return nil
}

// ReadsBody implements [link.BodyReader]: a batch is not an object with
// parameters.
func (p *part) ReadsBody() bool { return p.source.batch }

func runtimeOf(ctx context.Context) (*link.Runtime, error) {
	rt, ok := ctx.Value(link.RuntimeKey{}).(*link.Runtime)
	if !ok {
		return nil, errors.New("events: ctx carries no app: pass on a handler's ctx, or one from App.Context")
	}
	return rt, nil
}

const maxAtOnce = 32 // events of a batch

// serve answers a delivery. Each event of a batch succeeds or fails by itself.
// Any failure fails the answer, and the next delivery runs only what is left.
func (p *part) serve(ctx context.Context, in flexfn.Event) (*flexfn.Response, error) {
	rt, err := runtimeOf(ctx)
	if err != nil {
		return nil, err
	}
	var list []Event
	if p.source.batch {
		if list, err = streamEvents(ctx, rt.Body); err != nil {
			return nil, err
		}
	} else {
		f := formFields(in)
		if len(f) == 0 { // such as multipart
			return nil, fmt.Errorf("the delivery has no fields; events.%s takes forms", p.source.name)
		}
		list = []Event{p.source.event(f, flexfn.RequestHeader(ctx).Get("I-Twilio-Idempotency-Token"))}
	}
	d := &delivery{part: p, rt: rt, path: rt.Path}
	errs := make([]error, len(list))
	slots := make(chan struct{}, maxAtOnce)
	var all sync.WaitGroup
	for i, e := range list {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			// Event Streams delivers a batch again after a 503. The other
			// sources do not, so the process tries again by itself.
			if errs[i] = d.deliver(ctx, e); errs[i] != nil && !p.source.batch {
				d.again(ctx, e)
			}
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, &flexfn.Error{
			Status: http.StatusServiceUnavailable, Message: "Not everything that was delivered could be handled; deliver it again",
			RetryAfter: time.Second, Err: err,
		}
	}
	return &flexfn.Response{Status: p.source.status}, nil
}

// The types of Event Streams.
const (
	streamType    = "flexfn stream type" // among the fields; no name of Twilio's
	taskRouterIn  = "com.twilio.taskrouter."
	testEventType = "com.twilio.eventstreams.test-event"
)

// cloudEvent is the envelope of Event Streams. Source:
// https://www.twilio.com/docs/events/event-types.
type cloudEvent struct {
	ID   string          `json:"id"`
	Type string          `json:"type"`
	Time string          `json:"time"`
	Data json.RawMessage `json:"data"`
}

// streamEvents reads a batch: a JSON array, or one event on its own. An element
// that cannot be read now will not be readable on the next delivery either, so
// it is skipped. The test event comes from Twilio's check of a sink, and no
// listener waits for it.
func streamEvents(ctx context.Context, body []byte) ([]Event, error) {
	body = bytes.Trim(form.TrimBOM(body), jsonshape.Space)
	if len(body) > 0 && body[0] == '{' {
		body = append(append([]byte{'['}, body...), ']')
	}
	var raws []json.RawMessage
	if err := json.Unmarshal(body, &raws); err != nil {
		return nil, fmt.Errorf("the body is not a batch of Event Streams: %w", err)
	}
	list := make([]Event, 0, len(raws))
	for _, raw := range raws {
		var ce cloudEvent
		if err := json.Unmarshal(raw, &ce); err != nil || ce.Type == "" {
			flexfn.Logger(ctx).Warn("an element of the batch is not an event, and is skipped", "error", err)
			continue
		}
		e := streamEvent(ce)
		if ce.Type == testEventType {
			flexfn.Logger(ctx).Info("received a test event", "test_id", e.Field("test_id"))
			continue
		}
		list = append(list, e)
	}
	return list, nil
}

// streamEvent reads the data, and a payload within it, either of which may be
// an object or a JSON string that contains one.
func streamEvent(ce cloudEvent) Event {
	f := objectFields(ce.Data)
	if f == nil {
		f = fields{}
	}
	// For TaskRouter the payload has what the callback would have had, so its
	// names win.
	for name, v := range objectFields(f["payload"]) {
		if _, ok := f[name]; !ok || strings.HasPrefix(ce.Type, taskRouterIn) {
			f[name] = v
		}
	}
	name, _ := json.Marshal(ce.Type)
	f[fold(streamType)] = name
	if t, ok := strings.CutPrefix(ce.Type, taskRouterIn); ok {
		e := taskRouterEvent(f, ce.ID)
		// The one type whose name differs from the callback's.
		if e.Type = t; t == "task-queue.expression-updated" {
			e.Type = "task-queue.expression.updated"
		}
		if e.Time.IsZero() {
			e.Time, _ = parseTime(ce.Time)
		}
		return e
	}
	e := Event{Key: cmp.Or(ce.ID, f.sum()), Type: ce.Type, AccountSID: f.first("AccountSid"), fields: f}
	e.Time, _ = parseTime(ce.Time)
	return e
}

// streamOrder orders TaskRouter's events as its callbacks are, and others by
// time.
func streamOrder(e Event) (string, order) {
	if strings.HasPrefix(e.fields.text(streamType), taskRouterIn) {
		return taskRouterOrder(e)
	}
	return e.fields.first("MessageSid", "CallSid", "ConferenceSid", "ConversationSid", "FlowExecutionSid", "ExecutionSid", "Sid"), order{time: e.Time.UnixMilli()}
}
