package link

import (
	"context"
	"time"

	"github.com/flexfn/flexfn/internal/claim"
)

// A Definition is an option of package events. It carries the part of the
// function that only that package understands.
type Definition interface {
	Define() (part any, err error)
}

// A Mounted part is called when its function is registered at a path. An error
// keeps the function from being registered.
type Mounted interface {
	Mount(path string, app *Runtime) error
}

// A BodyReader is a part that may read the request's body itself.
type BodyReader interface {
	ReadsBody() bool
}

// A JobRunner is a part that runs jobs from the queue.
type JobRunner interface {
	RunJob(ctx context.Context, job []byte) error
}

// RuntimeKey is the context key of the *Runtime, in a function's ctx or one
// that App.Context made.
type RuntimeKey struct{}

// ScopeKey is the context key of a string that identifies the current piece of
// work. The string is the same for each try of that work, and empty outside
// such work.
type ScopeKey struct{}

// A Runtime is what the app offers to package events.
type Runtime struct {
	Claims *claim.Claims
	Queue  Queue // nil if the app has no queue
	// Workspace is the TaskRouter workspace's SID, or empty.
	Workspace string
	// Path is the function's path and Body, for a [BodyReader], the request's
	// body. Both are empty outside a request.
	Path string
	Body []byte
	// Deadline is the function's own deadline; zero means the app's.
	Deadline time.Duration
	// Again retries work in this process until it returns nil, within bounds.
	// It is for failed work that will not be delivered again. It reports
	// whether it accepts the work. It is nil outside a function.
	Again func(work func(context.Context) error) bool
	// Note reports a delivery to flexfn dev; it is nil without flexfn dev.
	Note func(Delivery)
	// Parts returns the parts of all functions.
	Parts func() []Part
}

// Queue is the same as flexfn.Queue, where it is documented.
type Queue interface {
	Add(ctx context.Context, key string, job []byte, due time.Time) error
}

// A Part is the part of the function at a path.
type Part struct {
	Path     string
	Part     any
	Deadline time.Duration
}
