package events

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/internal/link"
)

// Job makes the function that runs the jobs that [Later] adds: work that
// outlasts an answer, now or at a later time, from the app's Queue. Register it
// at a path, which serves as its name; requests from outside get 404. An app
// can have one Job for each type In.
//
// The handler's errors have the same effect as a listener's; see [On]. Each run
// has a minute, unless [flexfn.Deadline] sets another time, and each job ten
// tries.
//
//	app.Handle("/jobs/transcribe", events.Job(func(ctx context.Context, in Recording) error {
//		return transcribe(ctx, in.SID)
//	}))
//
// Its path is part of every stored job, so keep it while jobs are waiting. The
// handler may run twice for a job, and concurrently for several.
func Job[In any](handler func(context.Context, In) error, options ...flexfn.StudioOption) *flexfn.Function {
	p := &part{source: &source{name: "Job", family: "job", doc: "Runs jobs.", deadline: jobTime, order: func(Event) (string, order) { return "", order{} }}}
	def := &definition{StudioOption: flexfn.Deadline(jobTime), source: link.JobSource, part: p}
	rest := p.split(options)
	if len(p.listeners) > 0 {
		def.err = errors.New("events.Job takes no listeners")
	}
	// A job is an event with one listener, so that it is claimed, counted and,
	// after the last failure, kept as a dead letter like any other event.
	l := &listener{name: "job", in: reflect.TypeFor[In](), tries: 10}
	l.run = func(ctx context.Context, e Event) error {
		var in In
		if err := json.Unmarshal(e.fields["in"], &in); err != nil {
			return &flexfn.Error{Status: 422, Message: "the job cannot be read", Err: err}
		}
		return handler(ctx, in)
	}
	p.listeners = []*listener{l}
	if handler == nil {
		def.err = errors.Join(def.err, errors.New("events.Job: the handler is nil"))
	}
	return flexfn.PrepareStudioFunction(func(context.Context, flexfn.Event) (*flexfn.Response, error) {
		return nil, flexfn.Errorf(http.StatusNotFound, "There is no function at this path")
	}, append([]flexfn.StudioOption{def, flexfn.Doc(p.source.doc)}, rest...)...)
}

// Later hands in to the app's [Job] with that input, to run after delay, which
// may be zero. If it returns nil, the app's Queue has stored the job, and some
// process will run it. It fails if the app has no Queue, or no Job for In.
//
// Within a listener, a job, or a function with [flexfn.Once] or
// [flexfn.Deduplicate], calls with equal values of in add one job, even if the
// handler runs again. Elsewhere each call adds a job. in is stored as at most
// 200 KiB of JSON, which anyone with access to the Queue can read.
//
//	err := events.Later(ctx, Recording{SID: e.RecordingSID}, time.Minute)
//
// ctx is a handler's, or one from [flexfn.App.Context]; it bounds the storing,
// not the job. A negative delay counts as zero. Do not put secrets into in.
// Errors of the Queue are returned unchanged; the job may have been stored all
// the same.
func Later[In any](ctx context.Context, in In, delay time.Duration) error {
	rt, err := runtimeOf(ctx)
	if err != nil {
		return err
	}
	if rt.Queue == nil {
		return errors.New("events.Later needs Config.Queue")
	}
	t := reflect.TypeFor[In]()
	var to string
	for _, at := range rt.Parts() {
		if p, ok := at.Part.(*part); ok && p.source.name == "Job" && p.listeners[0].in == t {
			if to != "" {
				return fmt.Errorf("events.Later: the app has two jobs that take %s, at %s and %s", t, to, at.Path)
			}
			to = at.Path
		}
	}
	if to == "" {
		return fmt.Errorf("events.Later: the app has no events.Job that takes %s", t)
	}
	text, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("events.Later: %w", err)
	}
	scope, _ := ctx.Value(link.ScopeKey{}).(string)
	if scope == "" {
		scope = rand.Text()
	}
	// The scope belongs to the work under way, not to its key, so that the same
	// work adds another job in a later period. Only the HMAC at the end is
	// used, since the Queue's operators can read keys.
	key := rt.Claims.Entries().Key("job", scope, to, string(text))
	key = key[len(key)-40:]
	due := time.Now().Add(max(delay, 0))
	b, err := json.Marshal(job{Path: to, Listener: to + " job", Key: key, Type: "job", Time: due.UTC().Truncate(time.Second), Fields: fields{"in": text}})
	if err != nil {
		return fmt.Errorf("events.Later: %w", err)
	}
	if len(b) > maxJob {
		return fmt.Errorf("events.Later: the job has %d bytes; it may have at most %d", len(b), maxJob)
	}
	return rt.Queue.Add(ctx, key, b, due)
}
