package flexfn

import (
	"context"
	"sync"
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

	made   atomic.Bool // std is set
	making sync.Mutex
	std    context.Context
	cancel context.CancelFunc

	over atomic.Bool // end was called
}

// lazyKey is the key of the innermost lazyContext.
type lazyKey struct{}

// endedContext is shared by all lazyContexts that end before anything has
// waited for them.
var endedContext = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
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
	switch {
	case l.at.IsZero():
		return l.parent
	case l.made.Load():
		return l.std
	}
	l.making.Lock()
	defer l.making.Unlock()
	if !l.made.Load() {
		l.std, l.cancel = context.WithDeadline(l.parent, l.at)
		l.made.Store(true)
	}
	return l.std
}

// end cancels l, and releases its timer.
func (l *lazyContext) end() {
	l.over.Store(true)
	l.making.Lock()
	defer l.making.Unlock()
	if l.made.Load() {
		if l.cancel != nil {
			l.cancel()
		}
		return
	}
	l.std = endedContext
	l.made.Store(true)
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
	if !l.made.Load() && l.parent.Err() == nil && time.Now().Before(l.at) {
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
	if l.made.Load() && l.std != endedContext {
		return l.std.Value(key) // package context looks for its own kind there
	}
	return l.parent.Value(key)
}
