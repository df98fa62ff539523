package flexfn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/flexfn/flexfn/internal/link"
)

// Queue stores jobs that an engine runs after the answer, in any process of the
// app, by calling [App.RunJob]. riverflexfn implements it. An engine may run a
// job twice, and may run jobs in any order; the Store makes each take effect
// once. Under flexfn dev an app without a Queue gets one in memory. A Queue
// must be safe for concurrent use.
//
// Only package events uses it. Without a Queue, [App.Handle] panics if a
// listener has events.AfterAnswer, and events.Later fails.
type Queue interface {
	// Add stores job durably, to run at due or later. If it returns an error,
	// the job may have been stored all the same. job is JSON of at most 200 KiB
	// and is not encrypted, so operators can read it. Jobs with equal keys are
	// the same job; an engine may drop all but one.
	Add(ctx context.Context, key string, job []byte, due time.Time) error
}

// RunJob runs a job that was given to a [Queue]; engines call it when the job is
// due. It returns nil if the engine can forget the job: it is done, or has become
// a dead letter. After an error, run it again later. It is safe for concurrent
// use. ctx bounds it.
func (a *App) RunJob(ctx context.Context, job []byte) error {
	var to struct {
		Path string `json:"path"`
	}
	if err := json.Unmarshal(job, &to); err != nil {
		return fmt.Errorf("the job is not JSON that flexfn wrote: %w", err)
	}
	f := a.byPath()[to.Path]
	if f == nil {
		return fmt.Errorf("no function at %q for the job", to.Path)
	}
	runner, ok := f.part.(link.JobRunner)
	if !ok {
		return fmt.Errorf("the function at %q does not run jobs", to.Path)
	}
	return runner.RunJob(&call{lazyContext: lazyContext{parent: ctx}, app: a, fn: f, path: to.Path}, job)
}

// runtime returns what package events uses of the app and the call.
func (c *call) runtime() *link.Runtime {
	rt := c.app.runtime()
	rt.Path, rt.Body, rt.Again = c.path, c.body, c.tryAgain
	if c.fn != nil {
		rt.Deadline = c.fn.deadline
	}
	return rt
}

const (
	maxLaggards  = 1000             // at once
	laggardFirst = time.Second      // until the first try, doubled after each
	laggardMost  = 30 * time.Second // until any try
	laggardTime  = 15 * time.Minute // for all tries
)

// laggards are tasks that failed and are tried again in this process after the
// answer, because nothing else would retry them. The zero value is ready to
// use.
//
// They get one last try when the process ends, and are then lost; a Queue would
// keep them. Their number is bounded, so that an outage of a service that
// listeners call cannot exhaust memory.
type laggards struct {
	mu    sync.Mutex
	n     int
	ended bool
	end   chan struct{} // closed when there is no time left for another wait
}

// enter adds one, unless there are too many or the app is ending.
func (l *laggards) enter() (end <-chan struct{}, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.end == nil {
		l.end = make(chan struct{})
	}
	if l.ended || l.n == maxLaggards {
		return nil, false
	}
	l.n++
	return l.end, true
}

// leave removes one that succeeded or was given up.
func (l *laggards) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n--
}

// hurry gives each laggard its last try.
func (l *laggards) hurry() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.end == nil {
		l.end = make(chan struct{})
	}
	if !l.ended {
		l.ended = true
		close(l.end)
	}
}

// tryAgain runs work later, until it returns nil. It returns false, and does
// nothing, if too much is waiting already.
func (c *call) tryAgain(work func(context.Context) error) bool {
	a, path := c.app, c.path // keeping c would keep the request
	end, ok := a.laggards.enter()
	if !ok {
		return false
	}
	a.overdue.enter()
	ctx := &call{lazyContext: lazyContext{parent: context.Background()}, app: a, fn: c.fn, path: path}
	go func() {
		defer a.overdue.leave()
		defer a.laggards.leave()
		begin := time.Now()
		for wait := laggardFirst; ; wait = min(2*wait, laggardMost) {
			last := time.Since(begin)+wait > laggardTime
			timer := time.NewTimer(wait)
			select {
			case <-timer.C:
			case <-end:
				timer.Stop()
				last = true
			}
			err := work(ctx)
			if err == nil {
				return
			}
			if last {
				a.log.Error("an event is given up", "function", path, "error", err)
				return
			}
		}
	}()
	return true
}

// runtime returns what package events uses of the app.
func (a *App) runtime() *link.Runtime {
	rt := &link.Runtime{Claims: a.claims, Workspace: a.config.WorkspaceSID, Parts: a.parts}
	if a.config.devKey != "" {
		rt.Note = a.deliveries.add
	}
	if a.config.Queue != nil {
		rt.Queue = a.config.Queue
	}
	return rt
}

// parts lists the functions of package events. They look for each other, since
// a replay of dead letters needs the function that wrote them.
func (a *App) parts() (list []link.Part) {
	for _, r := range a.Routes() {
		if r.Function.part != nil {
			list = append(list, link.Part{Path: r.Path, Part: r.Function.part, Deadline: r.Function.deadline})
		}
	}
	return list
}

// scope identifies the work of a guarded call.
func (c *call) scope() string {
	if c.claim == nil {
		return ""
	}
	id := c.claim.ID()
	return string(id[:])
}

// memoryQueue is the Queue of flexfn dev. It runs jobs in this process, and
// forgets them when the process ends.
type memoryQueue struct {
	app *App

	mu   sync.Mutex
	jobs map[string]bool // by key
}

// maxMemoryJobs bounds the memory of flexfn dev; each job has at most 200 KiB.
const maxMemoryJobs = 10_000

// Add implements [Queue]. The job is lost when the process ends.
func (q *memoryQueue) Add(_ context.Context, key string, job []byte, due time.Time) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.jobs[key] {
		return nil
	}
	if len(q.jobs) == maxMemoryJobs {
		return errors.New("the memory for jobs is full; give the app a Queue")
	}
	q.jobs[key] = true
	q.run(key, job, time.Until(due), time.Second)
	return nil
}

// run runs the job after a wait, and again until it is done. The wait doubles, up
// to a minute.
func (q *memoryQueue) run(key string, job []byte, wait, next time.Duration) {
	time.AfterFunc(max(wait, 0), func() {
		if err := q.app.RunJob(context.Background(), job); err != nil {
			q.app.log.Warn("a job failed and is tried again", "wait", next, "error", err)
			q.run(key, job, next, min(2*next, time.Minute))
			return
		}
		q.mu.Lock()
		defer q.mu.Unlock()
		delete(q.jobs, key)
	})
}
