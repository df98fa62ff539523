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

// Queue hands jobs to an engine that runs them after the answer, in any process of
// the app, by calling [App.RunJob]. riverflexfn implements it. An engine may run
// a job twice, and jobs in any order; the Store makes each take effect once. Under
// flexfn dev an app without a Queue gets one in memory. A Queue must be safe for
// concurrent use.
type Queue interface {
	// Add stores job durably, to run no earlier than due. With an error, the
	// job may have been stored nevertheless. job is JSON of at most 200 KiB,
	// not encrypted: operators can read it. Jobs with equal keys are the same
	// job; an engine may drop all but one.
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

// runtime returns the parts of the app and the call that package events uses.
func (c *call) runtime() *link.Runtime {
	rt := c.app.runtime()
	rt.Path, rt.Body = c.path, c.body
	if c.fn != nil {
		rt.Deadline = c.fn.deadline
	}
	return rt
}

func (a *App) runtime() *link.Runtime {
	rt := &link.Runtime{Claims: a.claims, Workspace: a.config.WorkspaceSID, Parts: a.parts}
	if a.config.Queue != nil {
		rt.Queue = a.config.Queue
	}
	return rt
}

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

const maxMemoryJobs = 10_000

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
