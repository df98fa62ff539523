package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/events"
	"github.com/flexfn/flexfn/internal/dev"
	"github.com/flexfn/flexfn/internal/link"
	"github.com/flexfn/flexfn/twiliofake"
)

// eventsDev is a dev server with functions that take events.
type eventsDev struct {
	t      *testing.T
	url    string
	mu     sync.Mutex
	broken bool
	seen   []string
}

func newEventsDev(t *testing.T) *eventsDev {
	d := &eventsDev{t: t, broken: true}
	fake, err := twiliofake.New(twiliofake.Config{})
	if err != nil {
		t.Fatal(err)
	}
	var server *dev.Server
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { server.ServeHTTP(w, r) }))
	t.Cleanup(front.Close)
	d.url = front.URL
	key := dev.NewKey()
	server = dev.New(dev.Options{Base: front.URL, Key: key, Fake: fake, SignWith: twiliofake.DevelopmentAuthToken, Terminal: dev.NewTerminal(new(bytes.Buffer), false)})
	env := map[string]string{
		"ACCOUNT_SID": twiliofake.DevelopmentAccountSID, "AUTH_TOKEN": twiliofake.DevelopmentAuthToken,
		"FLEXFN_TWILIO_URL": front.URL, link.KeyVariable: key,
	}
	config := flexfn.FromLookup(func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	config.Logger = slog.New(slog.DiscardHandler)
	app, err := flexfn.New(config)
	if err != nil {
		t.Fatal(err)
	}
	see := func(what string) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.seen = append(d.seen, what)
	}
	app.Handle("/events/taskrouter", events.TaskRouter(
		events.On("*", func(ctx context.Context, e events.TaskRouterEvent) error {
			see(e.Type + " by " + e.Worker.Name)
			<-ctx.Done() // goes on after the client hangs up
			return nil
		}, events.Named("slow")),
	))
	app.Handle("/events/both", events.Stream(
		events.On("*", func(_ context.Context, e events.TaskRouterEvent) error { see("stream " + e.Type); return nil }, events.Named("plain")),
		events.On("task.canceled", func(context.Context, events.Event) error {
			d.mu.Lock()
			defer d.mu.Unlock()
			if d.broken {
				return flexfn.Errorf(http.StatusBadRequest, "not this one")
			}
			return nil
		}, events.Named("picky")),
	))
	app.Handle("/events/status", events.Status(events.On("message.*", func(_ context.Context, m events.MessageStatus) error {
		see("message " + m.Status)
		return nil
	}, events.NewestOnly())))
	app.Handle("/events/assignment", events.Assignment(func(_ context.Context, o events.Offer) (events.Instruction, error) {
		if o.Worker.Name == "" {
			return nil, errors.New("no worker")
		}
		return events.Accept{}, nil
	}))
	if err := server.Serve(app); err != nil {
		t.Fatal(err)
	}
	return d
}

// run runs the command and returns its output. The test fails unless the
// command exits with code.
func (d *eventsDev) run(code int, args ...string) string {
	d.t.Helper()
	var stdout, stderr bytes.Buffer
	nothing := func(string) (string, bool) { return "", false }
	if got := run(d.t.Context(), append(args, "--url="+d.url), environment{nothing, &stdout, &stderr}); got != code {
		d.t.Errorf("flexfn %q: exit code %d, want %d: %s%s", args, got, code, stdout.String(), stderr.String())
	}
	return stdout.String() + stderr.String()
}

func (d *eventsDev) want(what string) {
	d.t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if got := strings.Join(d.seen, ", "); got != what {
		d.t.Errorf("the listeners saw %q, want %q", got, what)
	}
	d.seen = nil
}

func TestTrigger(t *testing.T) {
	d := newEventsDev(t)
	if out := d.run(0, "trigger", "assignment", "WorkerName=ada"); !strings.Contains(out, "200  assignment → /events/assignment") {
		t.Error(out)
	}
	// Twice and out of order: the function sees only the latest event.
	if out := d.run(0, "trigger", "message.sent", "message.delivered", "--out-of-order", "--times=2", "--delay=1ms"); strings.Count(out, "200  ") != 4 {
		t.Error(out)
	}
	d.want("message delivered")
	if out := d.run(0, "events", "deliveries"); !strings.Contains(out, "skipped") {
		t.Errorf("the older event is not listed as skipped:\n%s", out)
	}
	if out := d.run(0, "trigger", "task.created", "task.updated", "--stream", "--times=3"); strings.Count(out, "200  task.created, task.updated → /events/both") != 3 {
		t.Error(out)
	}
	d.mu.Lock()
	if len(d.seen) != 2 {
		t.Errorf("%q", d.seen)
	}
	d.seen = nil
	d.mu.Unlock()
	if out := d.run(5, "trigger", "reservation.accepted", "--cut=20ms"); !strings.Contains(out, "499  reservation.accepted → /events/taskrouter") {
		t.Error(out)
	}
	for _, c := range []struct{ args, want string }{
		{"task.creatd", "did you mean task.created?"},
		{"task.creat", "did you mean task.created?"},
		{"Reservation.Acepted", "did you mean reservation.accepted?"},
		{"accepted", "did you mean reservation.accepted?"},
		{"hello", "--list"},
		{"onMessageAdded", "no function takes onMessageAdded: add an events.Conversations"},
		{"incoming.message", "say which function"},
		{"task.created --to=/nowhere", "there is no function at /nowhere"},
		{"message.sent --stream", "leave out --stream"},
		{"message.sent --times=99", "from 1 to 20"},
	} {
		if out := d.run(1, append([]string{"trigger"}, strings.Fields(c.args)...)...); !strings.Contains(out, c.want) {
			t.Errorf("trigger %s: %s", c.args, out)
		}
	}
	d.run(2, "trigger")
	if out := d.run(0, "trigger", "--list"); !strings.Contains(out, "reservation.wrapup") || !strings.Contains(out, "onDeliveryUpdated") {
		t.Error(out)
	}
}

func TestEvents(t *testing.T) {
	d := newEventsDev(t)
	d.run(0, "trigger", "task.canceled", "Sid=EV1", "--stream")
	out := d.run(0, "events")
	id := regexp.MustCompile(`(?m)^[0-9a-f]{40}`).FindString(out)
	if id == "" || !strings.Contains(out, "picky") || !strings.Contains(out, "EV1") || !strings.Contains(out, "not this one") {
		t.Fatal(out)
	}
	if out := d.run(0, "events", "deliveries"); !strings.Contains(out, "dead letter  task.canceled  picky  try 1  EV1") || !strings.Contains(out, "done ") {
		t.Error(out)
	}
	if out := d.run(1, "events", "replay", "--all"); !strings.Contains(out, "not this one") {
		t.Error(out)
	}
	d.mu.Lock()
	d.broken = false
	d.mu.Unlock()
	if out := d.run(0, "events", "replay", id[:8]); !strings.Contains(out, "done") {
		t.Error(out)
	}
	if out := d.run(0, "events", "list"); out != "No dead letters.\n" {
		t.Errorf("after the replay: %s", out)
	}
	d.broken = true
	d.run(0, "trigger", "task.canceled", "Sid=EV2", "--stream")
	d.run(2, "events", "delete")
	d.run(2, "events", "delete", "nothing")
	if out := d.run(0, "events", "delete", "--all"); !strings.Contains(out, "deleted") {
		t.Error(out)
	}
	if out := d.run(0, "events", "list"); out != "No dead letters.\n" {
		t.Errorf("after the deletion: %s", out)
	}
}
