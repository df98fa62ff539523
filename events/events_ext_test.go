package events_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/events"
	"github.com/flexfn/flexfn/flexfntest"
	"github.com/flexfn/flexfn/internal/testing/syncbuf"
)

// counter counts how often listeners succeeded, by listener and event.
type counter struct {
	mu   sync.Mutex
	done map[string]int
}

func (c *counter) add(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = map[string]int{}
	}
	c.done[what]++
}

func (c *counter) want(t *testing.T, what string, n int) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done[what] != n {
		t.Errorf("%s ran %d times, want %d", what, c.done[what], n)
	}
}

func quiet(c *flexfn.Config) { c.Logger = slog.New(slog.DiscardHandler) }

func shared(s flexfn.Store) func(*flexfn.Config) { return func(c *flexfn.Config) { c.Store = s } }

func newApp(t *testing.T, path string, f *flexfn.Function, change ...func(*flexfn.Config)) *flexfntest.App {
	t.Helper()
	app := flexfntest.New(t, append([]func(*flexfn.Config){quiet}, change...)...)
	app.Handle(path, f)
	return app
}

var formEvent = flexfntest.Params{
	"Sid": "EV1", "EventDescription": "Reservation accepted", "ResourceType": "Reservation", "ResourceSid": "WR1",
	"Timestamp": "1700000000", "TimestampMs": "1700000000123", "WorkspaceName": "Flex",
	"TaskSid": "WT1", "TaskAttributes": `{"customer":"Ann","n":7,"nested":{"a":1}}`, "TaskAge": "12", "TaskPriority": "3",
	"TaskAssignmentStatus": "reserved", "TaskVersion": "2", "TaskDateCreated": "1699999999", "TaskIgnoreCapacity": "true",
	"ReservationSid": "WR1", "ReservationVersion": "1",
	"WorkerSid": "WK1", "WorkerName": "bob", "WorkerAttributes": `{"contact_uri":"client:bob"}`,
	"WorkerTimeInPreviousActivity": "90", "WorkerTimeInPreviousActivityMs": "2147483648000", "known_worker_sid": "WK9",
	"TaskQueueSid": "WQ1", "TaskQueueName": "Everyone", "WorkflowSid": "WW1", "TaskChannelUniqueName": "voice",
	"NewField": "of tomorrow", "transfer_mode": "WARM",
}

// TestTaskRouterForms sends one event in its three forms. Each has the same
// key, type and parts, and a listener that gets it by callback and by Event
// Streams runs once.
func TestTaskRouterForms(t *testing.T) {
	check := func(t *testing.T, e events.TaskRouterEvent) {
		t.Helper()
		if e.Key != "EV1" || e.Type != "reservation.accepted" || !e.Time.Equal(time.UnixMilli(1700000000123)) || e.Try != 1 ||
			e.Task.SID != "WT1" || e.Task.Attributes.String("customer") != "Ann" || e.Task.Attributes.String("n") != "7" || e.Task.Attributes.String("nested") != "" ||
			e.Task.Age != 12*time.Second || e.Task.Priority != 3 || e.Task.Version != 2 || !e.Task.IgnoreCapacity || e.Task.Created.Unix() != 1699999999 ||
			e.Reservation.SID != "WR1" || e.Reservation.Version != 1 || e.Worker.Name != "bob" || e.Worker.Attributes.String("contact_uri") != "client:bob" ||
			e.Worker.InPreviousActivity != 90*time.Second || e.Worker.InPreviousActivityMs != 2147483648000 || e.KnownWorkerSID != "WK9" ||
			e.TaskQueue.Name != "Everyone" || e.Workflow.SID != "WW1" || e.TaskChannel.UniqueName != "voice" || e.ResourceType != "reservation" ||
			e.Field("NewField") != "of tomorrow" || e.Field("new_field") != "of tomorrow" || e.Transfer.Mode != "WARM" {
			t.Errorf("%+v", e)
		}
	}
	snake := map[string]any{"task_attributes": map[string]any{"customer": "Ann", "n": 7, "nested": map[string]any{"a": 1}}}
	for k, v := range formEvent {
		var b strings.Builder
		for i, r := range k {
			if r >= 'A' && r <= 'Z' && i > 0 {
				b.WriteByte('_')
			}
			b.WriteString(strings.ToLower(string(r)))
		}
		if _, ok := snake[b.String()]; !ok {
			snake[b.String()] = v
		}
	}
	snake["event_type"], snake["task_priority"] = "reservation.accepted", 3
	const streamed = "com.twilio.taskrouter.reservation.accepted"
	var c counter
	listen := func(t *testing.T) flexfn.StudioOption {
		return events.On("reservation.accepted", func(_ context.Context, e events.TaskRouterEvent) error {
			check(t, e)
			c.add("run")
			return nil
		}, events.Named("book"))
	}
	store := flexfntest.NewStore()
	app := newApp(t, "/tr", events.TaskRouter(listen(t)), shared(store))
	app.Handle("/es", events.Stream(listen(t)))
	if a := app.TaskRouterEvent("/tr", "reservation.accepted", formEvent); a.Status != http.StatusNoContent {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	for _, data := range []any{map[string]any{"payload": snake}, snake} {
		app.StreamEvent("/es", streamed, data).OK()
		newApp(t, "/es", events.Stream(listen(t))).StreamEvent("/es", streamed, data).OK() // as the first way
	}
	c.want(t, "run", 3)
	// Event data in a JSON string, and a batch with elements that are not
	// events.
	only := newApp(t, "/es", events.Stream(listen(t)))
	text := flexfntest.CloudEvent("EZ1", streamed, mustJSON(t, map[string]any{"payload": mustJSON(t, snake)}))
	only.CallStudioJSON("/es", []any{text, 7, "x", map[string]any{}, flexfntest.CloudEvent("EZ2", "com.twilio.eventstreams.test-event", map[string]string{"test_id": "x"})}).OK()
	c.want(t, "run", 4)
	if a := only.CallStudioJSON("/es", "not JSON"); a.Status != 500 {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

// TestNotAForm: a delivery that is not a form, such as a batch that Event
// Streams sends to the wrong URL, is neither acknowledged nor refused for good.
func TestNotAForm(t *testing.T) {
	var c counter
	all := events.On("*", func(context.Context, events.Event) error {
		c.add("run")
		return nil
	})
	for name, f := range map[string]*flexfn.Function{
		"TaskRouter": events.TaskRouter(all), "Status": events.Status(all),
		"Conversations": events.Conversations(all), "Interactions": events.Interactions(all),
	} {
		app := newApp(t, "/f", f)
		batch := []any{flexfntest.CloudEvent("EZ1", "com.twilio.studio.flow.step.ended", map[string]string{})}
		if a := app.CallStudioJSON("/f", batch); a.Status != http.StatusInternalServerError {
			t.Errorf("%s answers a batch with %d %s", name, a.Status, a.Body)
		}
		if a := app.CallStudio("/f", nil); a.Status != http.StatusInternalServerError {
			t.Errorf("%s answers nothing with %d %s", name, a.Status, a.Body)
		}
	}
	c.want(t, "run", 0)
}

// TestListenersAreAlone: one listener fails, and the others run once.
func TestListenersAreAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c counter
		broken := true
		on := func(name string, fail *bool) flexfn.StudioOption {
			return events.On("*", func(_ context.Context, e events.Event) error {
				if fail != nil && *fail {
					c.add(name + " failed")
					if e.Try%2 == 0 {
						panic("boom")
					}
					return errors.New("not today")
				}
				c.add(name)
				return nil
			}, events.Named(name))
		}
		app := newApp(t, "/tr", events.TaskRouter(on("a", nil), on("b", &broken), on("c", nil)))
		if a := app.TaskRouterEvent("/tr", "task.created", formEvent); a.Status != 503 {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		c.want(t, "b failed", 3) // within the deadline
		broken = false
		for range 3 {
			if a := app.TaskRouterEvent("/tr", "task.created", formEvent); a.Status != 204 {
				t.Errorf("%d %s", a.Status, a.Body)
			}
		}
		for _, name := range []string{"a", "b", "c"} {
			c.want(t, name, 1)
		}
	})
}

// TestBatch: one of 100 events fails.
func TestBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c counter
		broken := true
		app := newApp(t, "/es", events.Stream(events.On("com.twilio.studio.*", func(_ context.Context, e events.Event) error {
			if e.Key == "EZ42" && broken {
				return errors.New("this one fails")
			}
			c.add(e.Key)
			return nil
		})))
		var batch []map[string]any
		for i := range 100 {
			batch = append(batch, flexfntest.CloudEvent(fmt.Sprint("EZ", i), "com.twilio.studio.flow.step.ended", map[string]any{"name": "x"}))
		}
		if a := app.StreamEvents("/es", batch...); a.Status != 503 || a.Header.Get("Retry-After") == "" {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		broken = false
		app.StreamEvents("/es", batch...).OK()
		app.StreamEvents("/es", batch...).OK()
		for i := range 100 {
			c.want(t, fmt.Sprint("EZ", i), 1)
		}
	})
}

// TestDeliveries delivers 1,000 events, each 1 to 5 times and in any order, to
// three instances with one Store. Their listeners fail now and then.
func TestDeliveries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := flexfntest.NewStore()
		var c counter
		var n atomic.Int64
		on := func(name string) flexfn.StudioOption {
			return events.On("*", func(_ context.Context, e events.TaskRouterEvent) error {
				if n.Add(1)%5 == 0 {
					return errors.New("now and then")
				}
				c.add(name + e.Key)
				return nil
			}, events.Named(name), events.Tries(100))
		}
		var apps []*flexfntest.App
		for range 3 {
			apps = append(apps, newApp(t, "/tr", events.TaskRouter(on("a "), on("b ")), shared(store)))
		}
		rng := rand.New(rand.NewPCG(1, 2))
		var deliveries []int
		for e := range 1000 {
			for range 1 + rng.IntN(5) {
				deliveries = append(deliveries, e)
			}
		}
		rng.Shuffle(len(deliveries), func(i, j int) { deliveries[i], deliveries[j] = deliveries[j], deliveries[i] })
		slots := make(chan struct{}, 20)
		var all sync.WaitGroup
		for i, e := range deliveries {
			slots <- struct{}{}
			all.Go(func() {
				defer func() { <-slots }()
				for apps[i%3].TaskRouterEvent("/tr", "task.updated", flexfntest.Params{"Sid": fmt.Sprint("EV", e)}).Status != 204 {
					time.Sleep(time.Second) // it is delivered again
				}
			})
		}
		all.Wait()
		for e := range 1000 {
			c.want(t, fmt.Sprint("a EV", e), 1)
			c.want(t, fmt.Sprint("b EV", e), 1)
		}
	})
}

func TestNewestOnly(t *testing.T) {
	var seen []string
	track := events.On("message.*", func(_ context.Context, m events.MessageStatus) error {
		seen = append(seen, m.MessageSID+" "+m.Status)
		return nil
	}, events.NewestOnly())
	app := newApp(t, "/st", events.Status(track))
	for _, s := range []string{"queued", "delivered", "sent", "sent", "read", "delivered"} {
		app.CallStudio("/st", flexfntest.Params{"MessageSid": "SM1", "MessageStatus": s}).OK()
	}
	app.CallStudio("/st", flexfntest.Params{"MessageSid": "SM2", "MessageStatus": "sent"}).OK()
	if got := strings.Join(seen, ", "); got != "SM1 queued, SM1 delivered, SM1 read, SM2 sent" {
		t.Error(got)
	}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestStatusTypes(t *testing.T) {
	var got []string
	app := newApp(t, "/st", events.Status(events.On("*", func(_ context.Context, e events.Event) error {
		got = append(got, e.Type)
		return nil
	})))
	for _, p := range []flexfntest.Params{
		{"CallSid": "CA1", "CallStatus": "completed", "SequenceNumber": "3", "CallDuration": "8", "Timestamp": "Tue, 14 Nov 2023 22:13:20 +0000"},
		{"CallSid": "CA1", "CallStatus": "completed", "SequenceNumber": "3"}, // again
		{"ConferenceSid": "CF1", "StatusCallbackEvent": "participant-join", "SequenceNumber": "1", "CallSid": "CA1"},
		{"ConferenceSid": "CF1", "StatusCallbackEvent": "conference-end", "SequenceNumber": "2"},
		{"RecordingSid": "RE1", "RecordingStatus": "completed", "CallSid": "CA1"},
		{"MessageSid": "SM1", "MessageStatus": "undelivered", "ErrorCode": "30003"},
		{"CallSid": "CA1", "AnsweredBy": "machine_start", "MachineDetectionDuration": "2400"},
		{"TranscriptionSid": "GT1", "TranscriptionEvent": "transcription-content", "SequenceId": "4", "CallSid": "CA1"},
		{"RoomSid": "RM1", "StatusCallbackEvent": "room-ended", "Timestamp": "2023-11-14T22:13:20Z"},
	} {
		app.CallStudio("/st", p).OK()
	}
	if want := "call.completed, conference.participant-join, conference.end, recording.completed, message.undelivered, call.amd, transcription.content, unknown.room-ended"; strings.Join(got, ", ") != want {
		t.Errorf("got %q", got)
	}
}

func TestDeadLetters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c counter
		broken := true
		var hooked []events.DeadLetter
		f := events.TaskRouter(
			events.On("task.*", func(_ context.Context, e events.TaskRouterEvent) error {
				if broken {
					c.add("tried")
					return errors.New("out of order")
				}
				c.add("done " + e.Task.Attributes.String("customer"))
				return nil
			}, events.Named("crm"), events.Tries(5)),
			events.On("worker.*", func(context.Context, events.Event) error {
				c.add("refused")
				return flexfn.Errorf(http.StatusForbidden, "never")
			}, events.Named("refuses")),
			events.OnDeadLetter(func(_ context.Context, d events.DeadLetter) { hooked = append(hooked, d); panic("in a hook") }),
		)
		store := flexfntest.NewStore()
		app := newApp(t, "/tr", f, shared(store))
		for i, want := range []int{503, 204, 204} {
			if a := app.TaskRouterEvent("/tr", "task.created", formEvent); a.Status != want {
				t.Errorf("delivery %d: %d %s", i, a.Status, a.Body)
			}
		}
		c.want(t, "tried", 5)
		app.TaskRouterEvent("/tr", "worker.created", nil)
		c.want(t, "refused", 1)

		ctx := app.Context(t.Context())
		list := func() (all []events.DeadLetter) {
			for d, err := range events.DeadLetters(ctx) {
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, d)
			}
			return all
		}
		letters := list()
		if len(letters) != 2 || len(hooked) != 2 {
			t.Fatalf("%d letters, %d hooked", len(letters), len(hooked))
		}
		crm := letters[0]
		if crm.Listener != "crm" {
			crm = letters[1]
		}
		if crm.Event.Key != "EV1" || crm.Event.Field("TaskSid") != "WT1" || crm.Event.Try != 5 || crm.Error != "out of order" || crm.Function != "/tr" || crm.ID != hooked[0].ID {
			t.Errorf("%+v", crm)
		}
		if err := crm.Replay(ctx); err == nil || len(list()) != 2 {
			t.Errorf("a failing replay returned %v and left %d letters", err, len(list()))
		}
		broken = false
		if err := crm.Replay(ctx); err != nil || len(list()) != 1 {
			t.Errorf("a replay: %v, %d letters", err, len(list()))
		}
		if err := crm.Replay(ctx); err != nil {
			t.Errorf("again: %v", err)
		}
		c.want(t, "done Ann", 1)
		if err := list()[0].Delete(ctx); err != nil || len(list()) != 0 {
			t.Errorf("%v, %d letters", err, len(list()))
		}
		app.TaskRouterEvent("/tr", "task.created", formEvent)
		c.want(t, "done Ann", 1)
	})
}

// TestQueue: failed listeners, AfterAnswer listeners, and events that come
// while the Store is down go through the Queue.
func TestQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c counter
		broken := true
		store := flexfntest.NewStore()
		app := newApp(t, "/tr", events.TaskRouter(
			events.On("*", func(context.Context, events.Event) error { c.add("after"); return nil }, events.Named("after"), events.AfterAnswer()),
			events.On("*", func(context.Context, events.Event) error {
				if broken {
					return errors.New("not yet")
				}
				c.add("direct")
				return nil
			}, events.Named("direct")),
		), flexfntest.UseQueue, shared(store))
		for range 2 {
			if a := app.TaskRouterEvent("/tr", "task.created", formEvent); a.Status != 204 {
				t.Errorf("%d %s", a.Status, a.Body)
			}
		}
		c.want(t, "after", 0)
		if n := len(app.Jobs()); n != 2 {
			t.Fatalf("%d jobs", n)
		}
		time.Sleep(10 * time.Second)
		if n := app.RunJobs(); n != 1 {
			t.Errorf("%d jobs were done", n)
		}
		jobs := app.Jobs()
		broken = false
		if n := app.RunJobs(); n != 1 || len(app.Jobs()) != 0 {
			t.Errorf("%d jobs were done", n)
		}
		for _, j := range jobs { // an engine may run a job twice
			if err := app.RunJob(t.Context(), j.Body); err != nil {
				t.Error(err)
			}
		}
		store.Break(errors.New("down"))
		if a := app.TaskRouterEvent("/tr", "task.created", flexfntest.Params{"Sid": "EV2"}); a.Status != 204 || len(app.Jobs()) != 2 {
			t.Errorf("%d %s, %d jobs", a.Status, a.Body, len(app.Jobs()))
		}
		if n := app.RunJobs(); n != 0 {
			t.Errorf("%d jobs were done without the store", n)
		}
		store.Break(nil)
		time.Sleep(10 * time.Second)
		app.RunJobs()
		c.want(t, "after", 2)
		c.want(t, "direct", 2)
		if err := app.RunJob(t.Context(), []byte(`{"path":"/nowhere"}`)); err == nil {
			t.Error("a job without a function succeeded")
		}
	})
}

type reminder struct {
	Customer string `json:"customer"`
}

func TestLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c counter
		app := flexfntest.New(t, quiet, flexfntest.UseQueue)
		fails := 2
		app.Handle("/jobs/remind", events.Job(func(ctx context.Context, r reminder) error {
			if r.Customer == "Eve" && fails > 0 {
				fails--
				return errors.New("busy")
			}
			c.add(r.Customer)
			if r.Customer == "Ann" {
				return events.Later(ctx, reminder{"Bob"}, time.Hour)
			}
			return nil
		}))
		once := flexfn.Once(24*time.Hour, "customer")
		runs := 0
		app.Handle("/flex/remind", flexfn.PrepareFlexFunction(func(ctx context.Context, in struct {
			Customer string `json:"customer" purpose:"the customer"`
		}) (struct{}, error) {
			runs++
			if err := events.Later(ctx, reminder{in.Customer}, 24*time.Hour); err != nil {
				return struct{}{}, err
			}
			if runs == 1 {
				return struct{}{}, errors.New("failed after adding the job")
			}
			return struct{}{}, nil
		}, once))
		for range 3 {
			app.CallFlex(flexfntest.Agent, "/flex/remind", flexfntest.Params{"customer": "Ann"})
		}
		app.CallFlex(flexfntest.Agent, "/flex/remind", flexfntest.Params{"customer": "Eve"}).OK()
		if n := len(app.Jobs()); n != 2 || runs != 3 {
			t.Errorf("%d jobs after %d runs", n, runs)
		}
		if n := app.RunJobs(); n != 0 {
			t.Errorf("%d jobs ran early", n)
		}
		app.CallStudio("/jobs/remind", nil).Refused(404, "no function")
		time.Sleep(24 * time.Hour)
		app.RunJobs()
		app.RunJobs()
		app.RunJobs()
		time.Sleep(time.Hour)
		app.RunJobs()
		for _, who := range []string{"Ann", "Bob", "Eve"} {
			c.want(t, who, 1)
		}
		if err := events.Later(app.Context(t.Context()), 7, 0); err == nil {
			t.Error("a job without a function is accepted")
		}
		if err := events.Later(t.Context(), reminder{}, 0); err == nil {
			t.Error("a ctx without an app is accepted")
		}
	})
}

func TestDefinitions(t *testing.T) {
	ok := func(context.Context, events.TaskRouterEvent) error { return nil }
	calls := func(context.Context, events.CallStatus) error { return nil }
	for name, f := range map[string]*flexfn.Function{
		"has no event":          events.TaskRouter(events.On("reservation.acepted", ok)),
		"no event \"foo.*\"":    events.TaskRouter(events.On("task.created, foo.*", ok)),
		"may be *":              events.TaskRouter(events.On("task.*.x", ok)),
		"which belongs to":      events.TaskRouter(events.On("task.*", calls)),
		"two listeners":         events.TaskRouter(events.On("task.*", ok), events.On("task.*", ok)),
		"has no listener":       events.Stream(),
		"set Config.Queue":      events.TaskRouter(events.On("task.*", ok, events.AfterAnswer())),
		"from 1 to 100":         events.TaskRouter(events.On("task.*", ok, events.Tries(0))),
		"not a struct":          events.TaskRouter(events.On("task.*", func(context.Context, string) error { return nil })),
		"the default verdict":   events.Before(events.Edit{Attributes: events.Attributes{"score": math.NaN()}}, func(context.Context, events.ConversationEvent) (events.Verdict, error) { return nil, nil }),
		"is an option of event": flexfn.PrepareStudioFunction(func(context.Context, flexfn.Event) (any, error) { return nil, nil }, events.On("*", ok)),
	} {
		func() {
			defer func() {
				if p := fmt.Sprint(recover()); !strings.Contains(p, name) {
					t.Errorf("want %q, got %s", name, p)
				}
			}()
			newApp(t, "/x", f)
		}()
	}
}

func TestAssignment(t *testing.T) {
	const activity, call = "WA00000000000000000000000000000003", "CA00000000000000000000000000000001"
	for _, tt := range []struct {
		say    events.Instruction
		status int
		want   string
	}{
		{nil, 200, `{}`},
		{events.Accept{}, 200, `{"instruction":"accept"}`},
		{events.Reject{ActivitySID: activity}, 200, `{"activity_sid":"` + activity + `","instruction":"reject"}`},
		{events.Reject{}, 500, "No instruction"},
		{events.Dequeue{PostWorkActivitySID: activity, Record: true, Timeout: 30 * time.Second}, 200, `{"instruction":"dequeue","post_work_activity_sid":"` + activity + `","record":"record-from-answer","timeout":"30"}`},
		{events.Dequeue{Timeout: 1500 * time.Millisecond}, 500, ""},
		{events.Dequeue{StatusCallbackURL: "https://x.example.com", StatusCallbackEvents: []string{"ringing", "nothing"}}, 500, ""},
		{events.Call{From: "+15005550006", URL: "https://x.example.com/twiml", Accept: true}, 200, `{"accept":true,"from":"+15005550006","instruction":"call","url":"https://x.example.com/twiml"}`},
		{events.Call{From: "+15005550006"}, 500, ""},
		{events.Redirect{CallSID: call, URL: "https://x.example.com/twiml"}, 200, `{"call_sid":"` + call + `","instruction":"redirect","url":"https://x.example.com/twiml"}`},
		{events.Redirect{CallSID: "x", URL: "/twiml"}, 500, ""},
		{events.Conference{From: "+15005550006", Record: true, EndOnExit: true}, 200, `{"conference_record":"record-from-start","end_conference_on_exit":true,"from":"+15005550006","instruction":"conference"}`},
		{events.Conference{}, 500, ""},
	} {
		var offers []events.Offer
		app := newApp(t, "/assign", events.Assignment(func(_ context.Context, o events.Offer) (events.Instruction, error) {
			offers = append(offers, o)
			return tt.say, nil
		}))
		params := flexfntest.Params{"ReservationSid": "WR1", "TaskSid": "WT1", "WorkerName": "bob", "TaskAttributes": `{"call_sid":"CA1"}`, "TaskAge": "5"}
		for range 2 {
			a := app.CallStudio("/assign", params)
			if a.Status != tt.status || !strings.Contains(string(a.Body), tt.want) || a.Status == 200 && (string(a.Body) != tt.want || a.Header.Get("Content-Type") != "application/json") {
				t.Errorf("%#v: %d %s", tt.say, a.Status, a.Body)
			}
		}
		if o := offers[0]; o.Worker.Name != "bob" || o.Reservation.SID != "WR1" || o.Task.Attributes.String("call_sid") != "CA1" || tt.status == 200 && len(offers) != 1 {
			t.Errorf("%d offers, %+v", len(offers), o)
		}
	}
	app := newApp(t, "/assign", events.Assignment(func(context.Context, events.Offer) (events.Instruction, error) {
		return nil, flexfn.Errorf(http.StatusBadRequest, "final")
	}))
	app.CallStudio("/assign", flexfntest.Params{"ReservationSid": "WR1"}).Refused(500, "")
}

func TestBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clean := "clean"
		var log syncbuf.Buffer
		app := newApp(t, "/pre", events.Before(events.Publish{}, func(ctx context.Context, e events.ConversationEvent) (events.Verdict, error) {
			switch e.Body {
			case "bad":
				return events.Block{}, nil
			case "dirty":
				return events.Edit{Body: &clean, Attributes: events.Attributes{"edited": true}}, nil
			case "error":
				return events.Block{}, errors.New("cannot judge")
			case "panic":
				panic("boom")
			case "slow":
				time.Sleep(10 * time.Second)
			case "nil":
				return nil, nil
			case "not JSON":
				return events.Edit{Body: &clean, Attributes: events.Attributes{"score": math.NaN()}}, nil
			}
			return events.Publish{}, nil
		}), func(c *flexfn.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		for body, want := range map[string]string{
			"fine": "200 {}", "bad": "403 {}", "dirty": `200 {"attributes":"{\"edited\":true}","body":"clean"}`,
			"error": "200 {}", "panic": "200 {}", "slow": "200 {}", "nil": "200 {}", "not JSON": "200 {}",
		} {
			begin := time.Now()
			a := app.CallStudio("/pre", flexfntest.Params{"EventType": "onMessageAdd", "Body": body, "ConversationSid": "CH1"})
			if got := fmt.Sprintf("%d %s", a.Status, a.Body); got != want || time.Since(begin) > 4*time.Second {
				t.Errorf("%s: %s after %s", body, got, time.Since(begin))
			}
		}
		time.Sleep(10 * time.Second)
		for _, reason := range []string{"cannot judge", "it panicked: boom", "within 4s", "the handler returned nil", "the edited attributes cannot be JSON"} {
			if n := log.Count(reason); n != 1 {
				t.Errorf("the log has %d lines with %q:\n%s", n, reason, log.String())
			}
		}
	})
}

func TestConversationsAndInteractions(t *testing.T) {
	var c counter
	app := newApp(t, "/post", events.Conversations(events.On("onMessageAdded", func(_ context.Context, e events.ConversationEvent) error {
		c.add(e.MessageSID + e.Attributes.String("a") + fmt.Sprint(e.Index, e.Updated.IsZero()))
		return nil
	})))
	app.Handle("/flex", events.Interactions(events.On("onChannel*", func(_ context.Context, e events.InteractionEvent) error {
		c.add(e.Type + e.ChannelStatus)
		return nil
	})))
	for range 2 {
		app.CallStudio("/post", flexfntest.Params{"EventType": "onMessageAdded", "MessageSid": "IM1", "Index": "3", "Attributes": `{"a":"b"}`, "DateCreated": "2023-11-14T22:13:20.000Z"}).OK()
		app.CallStudio("/flex", flexfntest.Params{"EventType": "onChannelStatusUpdated", "ChannelSid": "UO1", "ChannelStatus": "closed"}).OK()
	}
	c.want(t, "IM1b3 true", 1)
	c.want(t, "onChannelStatusUpdatedclosed", 1)
}
