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

// Queue hands jobs to an engine that runs them after the answer, in any process
// of the app, by calling [App.RunJob]. An engine may run a job twice and in any
// order; the Store makes it once. Under flexfn dev an app without a Queue has
// one in memory.
type Queue interface {
	// Add returns nil when the engine has stored job durably and will run it
	// no earlier than due. job is JSON, at most 200 KiB, readable by operators.
	// Jobs with equal keys are the same job: an engine may drop all but one.
	Add(ctx context.Context, key string, job []byte, due time.Time) error
}

// RunJob is called by engines when a job is due. Nil: done, or a dead letter;
// an error: run it again later. It is safe for concurrent use.
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

// runtime is what package events gets of the app and the call.
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

// memoryQueue runs jobs in this process, for as long as it lives.
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

// run calls the job after a wait, again and again until it is done.
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
