package events

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/internal/claim"
	"github.com/flexfn/flexfn/internal/link"
)

const (
	remembered  = 24 * time.Hour  // how long an event's record is kept
	leaseMargin = 2 * time.Second // how long a claim outlasts the deadline
	jobTime     = time.Minute     // the deadline of a job, unless its function sets one
	retryTime   = time.Second     // the least time that another try needs
	busyTime    = 2 * time.Second // how long a delivery waits for another of its event
	recordPause = time.Second / 4 // between attempts to record results
)

// delivery is one run of a function that handles events. It serves requests,
// jobs, [CatchUp] and replays alike.
type delivery struct {
	part *part
	rt   *link.Runtime
	path string
	ran  *atomic.Int64 // events that a listener ran for; nil counts none
}

// step records how far a listener has got with an event.
type step struct {
	state stepState
	tries int
}

type stepState byte

const (
	// The order matters: of two records of a listener, the higher state counts.
	// A dead letter that is replayed with success is succeeded.
	failing stepState = iota // or not run yet
	queued
	dead
	succeeded
)

// progress is the Store's entry for an event: a step for each listener. A
// listener that it lacks has not run. It is keyed by [listener.id].
type progress map[string]step

// readProgress reads an event's entry. An unreadable entry counts as no
// progress: it is better to run a listener twice than never.
func readProgress(b []byte) progress {
	p := progress{}
	for len(b) > 0 {
		n, size := binary.Uvarint(b)
		if size <= 0 || uint64(len(b)-size) < n {
			break
		}
		name := string(b[size : size+int(n)])
		b = b[size+int(n):]
		tries, size := binary.Uvarint(b)
		if size <= 0 || len(b) == size {
			break
		}
		p[name] = step{stepState(b[size]), int(tries)}
		b = b[size+1:]
	}
	return p
}

// encode writes each listener's name, prefixed with its length, its tries and
// its state. Another instance may run another version of the program, so merge
// keeps names that this one does not know.
func (p progress) encode() []byte {
	var b []byte
	for name, s := range p {
		b = append(binary.AppendUvarint(b, uint64(len(name))), name...)
		b = append(binary.AppendUvarint(b, uint64(s.tries)), byte(s.state))
	}
	return b
}

// merge combines the steps with those that other instances recorded. For each
// listener, the furthest step wins.
func (p progress) merge(recorded []byte) []byte {
	all := readProgress(recorded)
	for name, s := range p {
		have := all[name]
		all[name] = step{max(have.state, s.state), max(have.tries, s.tries)}
	}
	return all.encode()
}

// family is part of an event's key in the Store. A TaskRouter event from Event
// Streams has the same family as its callback, so that the two count as one
// event.
func (d *delivery) family(e Event) string {
	if strings.HasPrefix(e.fields.text(streamType), taskRouterIn) {
		return "taskrouter"
	}
	return d.part.source.family
}

func (d *delivery) eventKey(e Event) string {
	return d.rt.Claims.Entries().Key("event", d.family(e), e.Key)
}

// deliver runs the listeners that match e and have not succeeded. It returns
// nil if each is done, or has been left to another instance or the Queue.
func (d *delivery) deliver(ctx context.Context, e Event) error {
	return d.run(ctx, e, d.wanted(e), false)
}

func (d *delivery) wanted(e Event) (list []*listener) {
	for _, l := range d.part.listeners {
		if l.wants(e) {
			list = append(list, l)
		}
	}
	return list
}

// again tries e again after the answer, since its source does not redeliver it.
// Each time, a listener runs once. again copies what it needs, since the
// request is over by then. It stops when the process ends; see [link.Runtime].
func (d *delivery) again(ctx context.Context, e Event) {
	if d.rt.Again == nil {
		return
	}
	wanted := d.wanted(e)
	rt := *d.rt
	rt.Body = nil // need not be kept
	d = &delivery{part: d.part, rt: &rt, path: d.path}
	if !rt.Again(func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, d.part.source.deadline)
		defer cancel()
		return d.run(ctx, e, wanted, true)
	}) {
		flexfn.Logger(ctx).Error("an event that failed is not tried again in this process: too many are waiting, or it is ending", "type", e.Type, "key", e.Key)
	}
}

// run claims e and runs its listeners, so that no other instance runs them at
// the same time. A job runs only the one that was queued.
//
// The claim is on the event, not on a listener, so that one entry of the Store
// describes all listeners, and a redelivery that finds everything settled reads
// only that entry. run returns the errors of the listeners that must run again.
func (d *delivery) run(ctx context.Context, e Event, wanted []*listener, job bool) error {
	if len(wanted) == 0 {
		return nil
	}
	// A queued listener is settled for a delivery, but not for the job that is
	// to run it.
	settled := func(data []byte) bool {
		steps := readProgress(data)
		for _, l := range wanted {
			if s := steps[l.id(d.path)].state; s == failing || job && s == queued {
				return false
			}
		}
		return true
	}
	req := claim.Request{Key: d.eventKey(e), Keep: remembered, Lease: lease(ctx), Done: settled}
	if !job {
		req.Wait = busyTime // a killed instance holds it for longer
	}
	mine, _, err := d.rt.Claims.Take(ctx, req)
	switch {
	case err != nil && d.rt.Queue != nil && !job:
		// It is not known whether e was handled before; the jobs will check.
		for _, l := range wanted {
			if err := d.enqueue(ctx, e, l, time.Now()); err != nil {
				return err
			}
			d.note(e, l, step{}, link.Queued, err)
		}
		return nil
	case err != nil:
		return err
	case mine == nil:
		for _, l := range wanted {
			d.note(e, l, step{}, link.DoneBefore, nil)
		}
		return nil
	}
	if d.ran != nil {
		d.ran.Add(1)
	}
	steps := readProgress(mine.Data())
	type result struct {
		l *listener
		s step
		e error
	}
	results := make(chan result, len(wanted)) // buffered, so that listeners never wait to be recorded
	pending := 0
	id := mine.ID()
	for _, l := range wanted {
		s := steps[l.id(d.path)]
		if s.state != failing && !(job && s.state == queued) {
			d.note(e, l, s, link.DoneBefore, nil)
			continue
		}
		pending++
		go func() {
			r := result{l: l}
			r.s, r.e = d.step(ctx, string(id[:]), e, l, s, job)
			results <- r
		}()
	}
	// The loop goes on after the deadline, so that the success of a late
	// listener is recorded too. The last record also gives up the claim.
	changed := progress{}
	var errs []error
	for pending > 0 {
		// Record each result at once, together with those that arrived
		// meanwhile.
		ended := []result{<-results}
		for range len(results) {
			ended = append(ended, <-results)
		}
		pending -= len(ended)
		var names []string
		for _, r := range ended {
			names = append(names, r.l.name)
			changed[r.l.id(d.path)] = r.s
			errs = append(errs, r.e)
		}
		save := mine.Save
		if pending == 0 {
			save = mine.Free
		}
		if err := record(ctx, mine, save, changed.merge); err != nil {
			// Listeners that succeeded may run again.
			flexfn.Logger(ctx).Error("the results of an event could not be recorded", "listeners", names, "key", e.Key, "error", err)
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// note tells flexfn dev what became of e. In production it does nothing.
func (d *delivery) note(e Event, l *listener, s step, outcome link.Outcome, err error) {
	if d.rt.Note == nil {
		return
	}
	n := link.Delivery{Time: time.Now(), Path: d.path, Listener: l.name, Type: e.Type, Key: e.Key, Try: s.tries, Outcome: outcome}
	if err != nil {
		n.Error = err.Error()
	}
	d.rt.Note(n)
}

// record saves what was done. While the Store fails, it tries until the claim
// ends; a result that is not recorded by then may be repeated. It goes on after
// ctx has ended, as at the deadline, and after another instance has taken over:
// the two records are merged.
func record(ctx context.Context, mine *claim.Claim, save func(context.Context, func([]byte) []byte) error, merge func([]byte) []byte) error {
	for {
		err := save(context.WithoutCancel(ctx), merge)
		left := time.Until(mine.Ends())
		if err == nil || errors.Is(err, claim.ErrTwice) || left <= 0 {
			return err
		}
		time.Sleep(min(left, recordPause))
	}
}

// lease returns what is left of the deadline, plus a margin. A listener that
// heeds its ctx returns and is recorded within the margin; only one that
// ignores its ctx can still be running when another instance takes over.
func lease(ctx context.Context) time.Duration {
	left := jobTime
	if at, ok := ctx.Deadline(); ok {
		left = max(time.Until(at), 0)
	}
	return left + leaseMargin
}

// step runs a listener until it succeeds, gives up or is queued. After an error
// it must run again, which is up to the caller. A delivery tries three times,
// 200 and 400 ms apart, if a second is left for the next try. It does not try
// more often, so that a short outage cannot use up a listener's tries. A job
// tries once, since its engine waits between tries.
func (d *delivery) step(ctx context.Context, id string, e Event, l *listener, s step, job bool) (step, error) {
	if l.after && !job {
		if err := d.enqueue(ctx, e, l, time.Now()); err != nil {
			return s, err
		}
		d.note(e, l, s, link.Queued, nil)
		return step{queued, s.tries}, nil
	}
	ctx = scoped{ctx, id + "\x00" + l.id(d.path)}
	for wait := 200 * time.Millisecond; ; wait *= 2 {
		s.tries++
		e.Try = s.tries
		err := d.try(ctx, e, l)
		switch {
		case err == nil:
			d.note(e, l, s, link.Done, nil)
			s.state = succeeded
			return s, nil
		case errors.Is(err, errOutdated):
			s.tries--
			d.note(e, l, step{}, link.Skipped, nil)
			return step{succeeded, s.tries}, nil
		// Another event of the subject has the claim, or the Store failed.
		case errors.Is(err, errNotTried):
			s.tries--
			return d.leave(ctx, e, l, s, job, err)
		case final(err) || s.tries >= l.tries:
			if err := d.bury(ctx, e, l, s.tries, err); err != nil {
				return s, err
			}
			d.note(e, l, s, link.Dead, err)
			s.state = dead
			return s, nil
		}
		d.note(e, l, s, link.Failed, err)
		flexfn.Logger(ctx).Warn("a listener failed", "listener", l.name, "type", e.Type, "key", e.Key, "try", s.tries, "error", err)
		at, limited := ctx.Deadline()
		if job || !limited || time.Until(at) < wait+retryTime || s.tries%3 == 0 {
			return d.leave(ctx, e, l, s, job, err)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return s, err
		}
	}
}

// leave gives a failed listener to the Queue, if there is one. The job is due
// in 5 s, which is longer than most restarts take. If the Queue fails too,
// leave returns the error.
func (d *delivery) leave(ctx context.Context, e Event, l *listener, s step, job bool, err error) (step, error) {
	if d.rt.Queue != nil && !job && d.enqueue(ctx, e, l, time.Now().Add(5*time.Second)) == nil {
		s.state = queued
		return s, nil
	}
	return s, err
}

// errNotTried marks failures that do not count as a try.
var errNotTried = errors.New("the listener did not run")

// errOutdated is returned for an event of a [NewestOnly] listener that has
// handled a newer one. Nothing is left to do.
var errOutdated = errors.New("a newer event was handled")

// try runs the listener once. With [NewestOnly] it holds a claim on the subject
// meanwhile, so that all instances handle its events one at a time.
func (d *delivery) try(ctx context.Context, e Event, l *listener) (err error) {
	defer func() {
		if p := recover(); p != nil {
			flexfn.Logger(ctx).Error("a listener panicked", "listener", l.name, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = fmt.Errorf("it panicked: %v", p)
		}
	}()
	if !l.newest {
		return l.run(ctx, e)
	}
	subject, at := d.part.source.order(e)
	mine, _, err := d.rt.Claims.Take(ctx, claim.Request{
		Key: d.rt.Claims.Entries().Key("newest", d.family(e), l.id(d.path), subject), Keep: remembered, Lease: lease(ctx),
		Done: func(data []byte) bool { return readOrder(data).after(at) },
	})
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", errNotTried, err)
	case mine == nil:
		return errOutdated
	}
	err = l.run(ctx, e)
	// Only a success moves the position on, so that a failed event does not
	// skip its own next try. If the position cannot be recorded, the listener
	// runs again.
	recordErr := mine.Free(context.WithoutCancel(ctx), func(recorded []byte) []byte {
		if err != nil || readOrder(recorded).after(at) {
			return recorded
		}
		return at.encode()
	})
	return errors.Join(err, recordErr)
}

// order is the position of an event among those of its subject.
type order struct{ version, time int64 }

// after reports whether o is later than p: by version if both have one,
// otherwise by time. Versions are exact, while two events of a subject can have
// the same time.
func (o order) after(p order) bool {
	if o.version > 0 && p.version > 0 && o.version != p.version {
		return o.version > p.version
	}
	return o.time > p.time
}

func (o order) encode() []byte {
	return binary.AppendVarint(binary.AppendVarint(nil, o.version), o.time)
}

// readOrder reads a position. Every event is later than an absent one.
func readOrder(b []byte) (o order) {
	v, n := binary.Varint(b)
	if n <= 0 {
		return order{time: -1 << 62}
	}
	t, _ := binary.Varint(b[n:])
	return order{v, t}
}

// final reports whether another try would be useless or harmful. A conflict
// (409, 412) may be gone when the listener reads again; 408, 425 and 429 ask
// for another try. After an unknown outcome, another try could do the work
// twice, so a person must decide.
func final(err error) bool {
	e, ok := errors.AsType[*flexfn.Error](err)
	if !ok {
		return false
	}
	if e.OutcomeUnknown {
		return true
	}
	switch status := e.HTTPStatus(); status {
	case http.StatusRequestTimeout, http.StatusConflict, http.StatusPreconditionFailed, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	default:
		return status < 500
	}
}

// scoped is a ctx within which jobs with equal inputs are the same; see Later.
type scoped struct {
	context.Context
	scope string
}

func (s scoped) Value(key any) any {
	if key == (link.ScopeKey{}) {
		return s.scope
	}
	return s.Context.Value(key)
}

// job is what the Queue and dead letters store. Jobs outlive deployments, so
// the names must stay.
type job struct {
	Path     string    `json:"path"` // the function's
	Listener string    `json:"listener,omitempty"`
	Key      string    `json:"key"`
	Type     string    `json:"type"`
	Time     time.Time `json:"time,omitzero"`
	Account  string    `json:"account,omitempty"`
	Fields   fields    `json:"fields"`
}

// maxJob is the longest job in bytes that [flexfn.Queue] promises its engines.
const maxJob = 200 << 10

func (d *delivery) job(e Event, l *listener) ([]byte, error) {
	b, err := json.Marshal(job{Path: d.path, Listener: l.id(d.path), Key: e.Key, Type: e.Type, Time: e.Time, Account: e.AccountSID, Fields: e.fields})
	if err == nil && len(b) > maxJob {
		err = fmt.Errorf("the event has %d bytes; a job may have at most %d", len(b), maxJob)
	}
	return b, err
}

// enqueue adds a job for one listener. Its key is the same each time, so an
// engine may drop a duplicate; if it does not, the Store's record keeps the
// duplicate from running.
func (d *delivery) enqueue(ctx context.Context, e Event, l *listener, due time.Time) error {
	b, err := d.job(e, l)
	if err != nil {
		return err
	}
	return d.rt.Queue.Add(ctx, d.rt.Claims.Entries().Key("job", d.family(e), e.Key, l.id(d.path)), b, due)
}

// RunJob implements [link.JobRunner]. An unreadable job, or one for an unknown
// listener, is an error and not a dead letter, since an instance of another
// version may know it.
func (p *part) RunJob(ctx context.Context, text []byte) error {
	rt, err := runtimeOf(ctx)
	if err != nil {
		return err
	}
	var j job
	if err := json.Unmarshal(text, &j); err != nil {
		return fmt.Errorf("the job cannot be read: %w", err)
	}
	l := p.listener(j.Listener, j.Path)
	if l == nil {
		return fmt.Errorf("the function at %q has no listener %q", j.Path, j.Listener)
	}
	limit := jobTime
	if p.source.name == "Job" {
		limit = rt.Deadline
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	d := &delivery{part: p, rt: rt, path: j.Path}
	return d.run(ctx, j.event(), []*listener{l}, true)
}

func (j *job) event() Event {
	return Event{Key: j.Key, Type: j.Type, Time: j.Time, AccountSID: j.Account, fields: j.Fields}
}

func (p *part) listener(id, path string) *listener {
	for _, l := range p.listeners {
		if l.id(path) == id {
			return l
		}
	}
	return nil
}
