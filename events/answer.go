package events

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/internal/sid"
	"github.com/flexfn/flexfn/internal/twilioevent"
)

// Offer is an assignment callback: TaskRouter offers a task to a worker.
// Source: https://www.twilio.com/docs/taskrouter/handle-assignment-callbacks.
//
// The parts that TaskRouter does not send are zero; [Event.Field] has the
// fields that are not listed. Event.Key is the reservation's SID.
type Offer struct {
	Event
	WorkspaceSID string `twilio:"WorkspaceSid"`
	Reservation  Reservation
	Task         Task
	Worker       Worker
	TaskQueue    TaskQueue
	Workflow     Workflow
}

// Instruction answers an [Offer]: [Accept], [Reject], [Dequeue], [Call],
// [Redirect] or [Conference]. Each is checked before it is sent. If an
// instruction is invalid, the answer is 500 and the log says why. Only this
// package can implement it.
type Instruction interface {
	// instruction returns the JSON object, or an error that names every invalid
	// field.
	instruction() (map[string]any, error)
}

// Accept accepts the reservation: the task is then assigned to the worker.
type Accept struct{}

// Reject returns the task to its queue. ActivitySID (WA…), the activity to
// which the worker moves, is required. Without a valid one TaskRouter raises
// alert 40100, so it is refused here.
type Reject struct{ ActivitySID string }

// Dequeue connects the waiting call to the worker. It works only for tasks that
// TwiML's Enqueue made. Source of the fields and bounds: as for [Offer].
type Dequeue struct {
	// To is the worker's number or address; empty is the contact_uri in the
	// worker's attributes. From is the caller id; empty is the number dialled.
	To, From string
	// PostWorkActivitySID (WA…) is the activity to which the worker moves
	// afterwards; empty changes nothing.
	PostWorkActivitySID string
	// Record records the call from the answer on.
	Record bool
	// Timeout is how long it rings: whole seconds, at most 999. Zero is 60 s.
	// TaskRouter allows 600 s to a SIP address, which is not checked here.
	Timeout time.Duration
	// StatusCallbackURL is called with GET for StatusCallbackEvents: initiated,
	// ringing, answered, completed. It is required if there are any.
	StatusCallbackURL    string
	StatusCallbackEvents []string
}

// Call calls the worker, and runs the TwiML at URL when they answer.
type Call struct {
	// From and URL are required; To is as for [Dequeue].
	From, URL, To string
	// Accept accepts the reservation when the worker answers.
	Accept            bool
	Record            bool
	Timeout           time.Duration // as for [Dequeue]
	StatusCallbackURL string
}

// Redirect sends the caller's call to the TwiML at URL.
type Redirect struct {
	// CallSID (CA…) and URL are required.
	CallSID, URL string
	// Accept accepts the reservation.
	Accept bool
}

// Conference puts worker and caller into a conference. Timeout, Record and the
// two that end the conference are not on Twilio's page; they are known from
// use.
type Conference struct {
	// From is the caller id, and required; To is as for [Dequeue].
	From, To            string
	RoomName            string
	PostWorkActivitySID string
	Timeout             time.Duration // as for [Dequeue]
	Record              bool
	EndOnExit           bool // when the worker leaves
	EndOnCustomerExit   bool
	StatusCallbackURL   string
}

// checks collects the faults of an instruction, so that one log line names them
// all. An empty field is left out, so Twilio's default applies.
type checks struct {
	kind string
	m    map[string]any
	errs []error
}

func instruct(kind string) *checks {
	return &checks{kind: kind, m: map[string]any{"instruction": kind}}
}

func (c *checks) text(key, v string, required bool) {
	switch {
	case v != "":
		c.m[key] = v
	case required:
		c.errs = append(c.errs, fmt.Errorf("%s needs %s", c.kind, key))
	}
}

func (c *checks) sid(key, v string, required bool, prefix string) {
	if v != "" && !sid.Valid(v, prefix) {
		c.errs = append(c.errs, fmt.Errorf("%s: %s must be %s", c.kind, key, sid.Words(prefix)))
		return
	}
	c.text(key, v, required)
}

// url accepts any http or https URL with a host. An empty one is left to text.
func (c *checks) url(key, v string, required bool) {
	if u, err := url.Parse(v); v != "" && (err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "") {
		c.errs = append(c.errs, fmt.Errorf("%s: %s is not an http or https URL", c.kind, key))
		return
	}
	c.text(key, v, required)
}

func (c *checks) flag(key string, v bool) {
	if v {
		c.m[key] = v
	}
}

func (c *checks) record(v bool) {
	if v {
		c.m["record"] = "record-from-answer"
	}
}

// timeout refuses values that it would have to round. Zero is left out.
func (c *checks) timeout(d time.Duration) {
	switch {
	case d == 0:
	case d < time.Second || d > 999*time.Second || d%time.Second != 0:
		c.errs = append(c.errs, fmt.Errorf("%s: the timeout is %s: it must be whole seconds from 1 to 999", c.kind, d))
	default:
		c.m["timeout"] = strconv.Itoa(int(d / time.Second))
	}
}

func (c *checks) done() (map[string]any, error) { return c.m, errors.Join(c.errs...) }

func (Accept) instruction() (map[string]any, error) { return instruct("accept").done() }

func (r Reject) instruction() (map[string]any, error) {
	c := instruct("reject")
	c.sid("activity_sid", r.ActivitySID, true, "WA")
	return c.done()
}

func (d Dequeue) instruction() (map[string]any, error) {
	c := instruct("dequeue")
	c.text("to", d.To, false)
	c.text("from", d.From, false)
	c.sid("post_work_activity_sid", d.PostWorkActivitySID, false, "WA")
	c.record(d.Record)
	c.timeout(d.Timeout)
	c.url("status_callback_url", d.StatusCallbackURL, len(d.StatusCallbackEvents) > 0)
	for _, e := range d.StatusCallbackEvents {
		if e != "initiated" && e != "ringing" && e != "answered" && e != "completed" {
			c.errs = append(c.errs, fmt.Errorf("dequeue: %q is not a status callback event: initiated, ringing, answered or completed", e))
		}
	}
	c.text("status_callback_events", strings.Join(d.StatusCallbackEvents, ","), false)
	return c.done()
}

func (l Call) instruction() (map[string]any, error) {
	c := instruct("call")
	c.text("from", l.From, true)
	c.url("url", l.URL, true)
	c.text("to", l.To, false)
	c.flag("accept", l.Accept)
	c.record(l.Record)
	c.timeout(l.Timeout)
	c.url("status_callback_url", l.StatusCallbackURL, false)
	return c.done()
}

func (r Redirect) instruction() (map[string]any, error) {
	c := instruct("redirect")
	c.sid("call_sid", r.CallSID, true, "CA")
	c.url("url", r.URL, true)
	c.flag("accept", r.Accept)
	return c.done()
}

func (f Conference) instruction() (map[string]any, error) {
	c := instruct("conference")
	c.text("from", f.From, true)
	c.text("to", f.To, false)
	c.text("room_name", f.RoomName, false)
	c.sid("post_work_activity_sid", f.PostWorkActivitySID, false, "WA")
	c.timeout(f.Timeout)
	c.flag("end_conference_on_exit", f.EndOnExit)
	c.flag("end_conference_on_customer_exit", f.EndOnCustomerExit)
	if f.Record {
		c.m["conference_record"] = "record-from-start"
	}
	c.url("status_callback_url", f.StatusCallbackURL, false)
	return c.done()
}

// Assignment makes the function for a workflow's AssignmentCallbackUrl and
// FallbackAssignmentCallbackUrl. handler returns the Instruction; nil leaves
// the reservation pending, to be decided by the REST API. The callback and the
// fallback of one reservation get the same instruction, if the first was made
// in time. An error or an invalid instruction is answered 500, so that
// TaskRouter calls the fallback. The deadline is 4 s unless [flexfn.Deadline]
// sets another; TaskRouter waits 5 s.
//
//	app.Handle("/events/assignment", events.Assignment(
//		func(ctx context.Context, offer events.Offer) (events.Instruction, error) {
//			if offer.Task.Attributes.String("channelType") == "voice" {
//				return events.Dequeue{PostWorkActivitySID: wrapUp, Timeout: 20 * time.Second}, nil
//			}
//			return events.Accept{}, nil
//		}))
//
// Flex itself needs no assignment callback: its workflows leave reservations to
// the agent. handler is called concurrently. options may be any option of a
// Studio function except [flexfn.OpenToAnyone]. [flexfn.Deduplicate] remembers
// instructions for an hour, but not failures: the fallback runs handler again.
// Without a shared Store, another instance that gets the fallback also runs
// handler again.
func Assignment(handler func(context.Context, Offer) (Instruction, error), options ...flexfn.StudioOption) *flexfn.Function {
	serve := func(ctx context.Context, in flexfn.Event) (*flexfn.Response, error) {
		// The reservation is the key, not the request: callback and fallback
		// are two requests about one offer.
		e := taskRouterEvent(formFields(in), "")
		e.Key, e.Type = e.Field("ReservationSid"), "assignment"
		e.Try = 1
		var offer Offer
		// Not strict, so it never fails: a field that Twilio has changed must
		// not cost the caller the offer.
		_ = e.fields.fill(valueOf(&offer), "twilio", false)
		offer.Event = e
		instruction, err := handler(ctx, offer)
		if err != nil {
			return nil, failed(err)
		}
		if instruction == nil {
			return raw(map[string]any{})
		}
		m, err := instruction.instruction()
		if err != nil {
			return nil, failed(err)
		}
		return raw(m)
	}
	return flexfn.PrepareStudioFunction(serve, append([]flexfn.StudioOption{
		&definition{StudioOption: flexfn.Deadline(4 * time.Second), source: twilioevent.Assignment}, flexfn.Doc("Answers assignment callbacks."),
		flexfn.Require("ReservationSid", "the reservation"), flexfn.Deduplicate(time.Hour, "ReservationSid"),
	}, options...)...)
}

// failed turns any error into a 500, since TaskRouter calls the fallback only
// then. Only the text of err is kept, so that a wrapped error, such as a
// cancellation, cannot give the answer another status.
func failed(err error) error {
	return &flexfn.Error{Status: http.StatusInternalServerError, Message: "No instruction was made for this reservation", Err: fmt.Errorf("%s", err)}
}

// raw answers with this JSON, without the envelope.
func raw(v map[string]any) (*flexfn.Response, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return &flexfn.Response{Header: http.Header{"Content-Type": {"application/json"}}, Body: b}, nil
}

// Verdict decides about a change in a conversation: [Publish], [Edit] or
// [Block]. Only this package can implement it.
type Verdict interface {
	verdict() (*flexfn.Response, error)
}

// Publish lets the change happen unchanged.
type Publish struct{}

// Edit lets the change happen with other values. Nil fields stay as they are.
// Source: https://www.twilio.com/docs/conversations/conversations-webhooks. An
// Edit without any field is a [Publish]. If Conversations does not accept a
// value, the author of the change gets an error.
type Edit struct {
	// Body, Author and Attributes are for onMessageAdd and onMessageUpdate. An
	// empty string is sent, and so are empty Attributes that are not nil.
	Body, Author *string
	Attributes   Attributes
	// FriendlyName is for onConversationAdd and onConversationUpdate.
	FriendlyName *string
}

// Block prevents the change, and its author gets an error. The answer is 403,
// which Conversations takes as a refusal.
type Block struct{}

func (Publish) verdict() (*flexfn.Response, error) { return raw(map[string]any{}) }

func (e Edit) verdict() (*flexfn.Response, error) {
	m := map[string]any{}
	for name, v := range map[string]*string{"body": e.Body, "author": e.Author, "friendly_name": e.FriendlyName} {
		if v != nil {
			m[name] = *v
		}
	}
	if e.Attributes != nil {
		text, err := json.Marshal(e.Attributes)
		if err != nil {
			return nil, fmt.Errorf("the edited attributes cannot be JSON: %w", err)
		}
		m["attributes"] = string(text)
	}
	return raw(m)
}

func (Block) verdict() (*flexfn.Response, error) {
	r, err := raw(map[string]any{})
	if err == nil {
		r.Status = http.StatusForbidden
	}
	return r, err
}

// beforeTime is how long a verdict may take; Twilio waits 5 s.
const beforeTime = 4 * time.Second

// Before makes the function for the webhooks that Conversations sends before a
// change. handler returns the Verdict. otherwise is the verdict if handler
// fails, panics, returns nil or takes longer than 4 s. Use [Publish] if
// conversations must go on while your handler fails, or [Block] if nothing may
// pass unchecked. If Twilio gets no answer within 5 s, it publishes.
//
//	app.Handle("/events/before", events.Before(events.Publish{},
//		func(ctx context.Context, e events.ConversationEvent) (events.Verdict, error) {
//			if e.Type == "onMessageAdd" && cardNumber.MatchString(e.Body) {
//				masked := cardNumber.ReplaceAllString(e.Body, "(removed)")
//				return events.Edit{Body: &masked}, nil
//			}
//			return events.Publish{}, nil
//		}))
//
// Its ctx ends after 4 s; the result of a handler that runs longer is ignored.
// handler is called concurrently, and again when a delivery is repeated. An
// Edit whose Attributes cannot be encoded as JSON counts as a failure. Each
// failure is logged with its reason. [flexfn.App.Handle] panics if otherwise is
// such an Edit.
func Before(otherwise Verdict, handler func(context.Context, ConversationEvent) (Verdict, error), options ...flexfn.StudioOption) *flexfn.Function {
	serve := func(ctx context.Context, in flexfn.Event) (*flexfn.Response, error) {
		e := conversationEvent(formFields(in), flexfn.RequestHeader(ctx).Get("I-Twilio-Idempotency-Token"))
		e.Try = 1
		c, _ := decodeInto[ConversationEvent](e) // never strict
		ctx, cancel := context.WithTimeout(ctx, beforeTime)
		defer cancel()
		// Buffered, so that the goroutine of a handler that is too late ends.
		answers := make(chan *flexfn.Response, 1)
		go func() {
			answer, err := judge(ctx, handler, c)
			if err != nil {
				flexfn.Logger(ctx).Error("no verdict on a change in a conversation; using the default", "type", c.Type, "error", err)
			}
			answers <- answer
		}()
		select {
		case answer := <-answers:
			if answer != nil {
				return answer, nil
			}
		case <-ctx.Done():
			flexfn.Logger(ctx).Error("no verdict within 4s on a change in a conversation; using the default", "type", c.Type)
		}
		return otherwise.verdict()
	}
	// The half second is for the default verdict, which must be out before the
	// app answers 504: Conversations would take that as a refusal.
	def := &definition{StudioOption: flexfn.Deadline(beforeTime + 500*time.Millisecond), source: twilioevent.Before}
	if otherwise == nil || handler == nil {
		def.err = errors.New("events.Before needs a handler, and a default verdict")
	} else if _, err := otherwise.verdict(); err != nil {
		def.err = fmt.Errorf("events.Before: the default verdict: %w", err)
	}
	return flexfn.PrepareStudioFunction(serve, append([]flexfn.StudioOption{def, flexfn.Doc("Accepts or rejects changes in conversations before Twilio makes them.")}, options...)...)
}

// judge returns the answer that handler's verdict makes, or why there is none.
func judge(ctx context.Context, handler func(context.Context, ConversationEvent) (Verdict, error), e ConversationEvent) (answer *flexfn.Response, err error) {
	// net/http recovers only from panics in its own goroutine: one here would
	// end the process.
	defer func() {
		if p := recover(); p != nil {
			answer, err = nil, fmt.Errorf("it panicked: %v", p)
		}
	}()
	v, err := handler(ctx, e)
	switch {
	case err != nil:
		return nil, err
	case v == nil:
		return nil, errors.New("the handler returned nil")
	}
	return v.verdict()
}
