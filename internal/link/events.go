package link

import (
	"context"
	"time"

	"github.com/flexfn/flexfn/internal/claim"
)

// A Definition is an option of package events, with the part of the function
// that only that package knows.
type Definition interface {
	Define() (part any, err error)
}

// A Mounted part is called when its function is registered at a path. The
// error says why the app cannot have it.
type Mounted interface {
	Mount(path string, app *Runtime) error
}

// A JobRunner is a part that runs jobs from the queue.
type JobRunner interface {
	RunJob(ctx context.Context, job []byte) error
}

// RuntimeKey is the key of the *Runtime in a function's ctx, or one that
// App.Context made.
type RuntimeKey struct{}

// ScopeKey is the key of a string in ctx that identifies the work under way,
// however often it is tried; empty outside such work.
type ScopeKey struct{}

// A Runtime is the interface of the app to package events.
type Runtime struct {
	Claims *claim.Claims
	Queue  Queue // nil without one
	// Workspace is the TaskRouter workspace's SID, or empty.
	Workspace string
	// Path is the function's, and Body the request's; empty outside one.
	Path string
	Body []byte
	// Deadline is the function's own, zero for the app's.
	Deadline time.Duration
	// Again runs work in this process until it returns nil, within bounds: for
	// what failed and nobody delivers again. It reports whether it will. Nil
	// outside a function.
	Again func(work func(context.Context) error) bool
	// Note tells flexfn dev of a delivery; nil without it.
	Note func(Delivery)
	// Parts lists the parts of all functions.
	Parts func() []Part
}

// Queue is flexfn.Queue, which documents it.
type Queue interface {
	Add(ctx context.Context, key string, job []byte, due time.Time) error
}

// A Part is the part of the function at a path.
type Part struct {
	Path     string
	Part     any
	Deadline time.Duration
}
