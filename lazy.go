package flexfn

import (
	"context"
	"sync/atomic"
	"time"
)

// lazyContext is context.WithDeadline(parent, at), except that the timer and
// the registration with the parent are made only when something waits for it.
// Most handlers and attempts end before anything does. That saves a request
// eight allocations, and an attempt most of its cost (BenchmarkServed and
// BenchmarkInApp).
//
// Err needs no timer, since it looks at the clock. Once the standard context
// exists, all answers come from it, so that they cannot change.
type lazyContext struct {
	parent context.Context
	at     time.Time // zero: only the parent's deadline, if any

	// made is nil until something waits or end is called; the first to set it
	// wins.
	made atomic.Pointer[madeContext]
}

// madeContext is the standard context of a lazyContext.
type madeContext struct {
	ctx    context.Context
	cancel context.CancelFunc
	over   atomic.Bool // end was called
}

// lazyKey is the key of the innermost lazyContext.
type lazyKey struct{}

// endedContext is shared by all lazyContexts that end before anything has
// waited for them.
var endedContext = func() *madeContext {
	m := new(madeContext)
	m.ctx, m.cancel = context.WithCancel(context.Background())
	m.cancel()
	m.over.Store(true)
	return m
}()

// within makes l, which must be new, end after d, or at parent's deadline if
// that comes first.
func (l *lazyContext) within(parent context.Context, d time.Duration) {
	l.parent, l.at = parent, time.Now().Add(d)
	if at, ok := parent.Deadline(); ok && at.Before(l.at) {
		l.at = at
	}
}

// standard returns the standard context, making it on the first call.
func (l *lazyContext) standard() context.Context {
	if l.at.IsZero() {
		return l.parent
	}
	if m := l.made.Load(); m != nil {
		return m.ctx
	}
	m := new(madeContext)
	m.ctx, m.cancel = context.WithDeadline(l.parent, l.at)
	if !l.made.CompareAndSwap(nil, m) {
		m.cancel()
		m = l.made.Load()
	}
	return m.ctx
}

// end cancels l, and releases its timer.
func (l *lazyContext) end() {
	if l.made.CompareAndSwap(nil, endedContext) {
		return
	}
	if m := l.made.Load(); m != endedContext {
		m.over.Store(true)
		m.cancel()
	}
}

// over reports whether end was called.
func (l *lazyContext) over() bool {
	m := l.made.Load()
	return m != nil && m.over.Load()
}

// Done makes the standard context, since a caller that asks for the channel
// wants to wait for it.
func (l *lazyContext) Done() <-chan struct{} { return l.standard().Done() }

// Err reports the end as the standard context would. While nothing has ended,
// it does not make one.
func (l *lazyContext) Err() error {
	if l.at.IsZero() {
		return l.parent.Err()
	}
	if l.made.Load() == nil && l.parent.Err() == nil && time.Now().Before(l.at) {
		return nil
	}
	return l.standard().Err()
}

func (l *lazyContext) Deadline() (time.Time, bool) {
	if l.at.IsZero() {
		return l.parent.Deadline()
	}
	return l.at, true
}

func (l *lazyContext) Value(key any) any {
	if key == (lazyKey{}) {
		return l
	}
	if m := l.made.Load(); m != nil && m != endedContext {
		return m.ctx.Value(key) // package context looks for its own kind there
	}
	return l.parent.Value(key)
}
