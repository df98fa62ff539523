// Package conflict coordinates updates of one resource. Updates within an app
// take turns. Conflicts with other processes (HTTP status 412) count against a
// limit of their own. Package twilioapi uses both; the app provides them
// through the ctx.
package conflict

import (
	"context"
	"sync"
)

// Turns makes the updates of one resource take turns. The zero value is ready
// to use. It is safe for concurrent use.
type Turns struct {
	// Shared, unless nil, takes the turn for key among the instances that share
	// a Store. It fails only if ctx ends. Set it before the first use.
	Shared func(ctx context.Context, key string) (done func(), err error)

	mu    sync.Mutex
	taken map[string]*turn
}

type turn struct {
	free    chan struct{} // holds one token while the turn is free
	waiting int           // holders and waiters; the last one removes the entry
}

// TurnsKey is the context key of the app's *[Turns].
type TurnsKey struct{}

// Take waits for the turn for key, such as a resource's SID, and takes it. The
// caller must call done to give it back. If ctx ends first, Take returns its
// error and no turn is held. It does not wait for other processes.
func (s *Turns) Take(ctx context.Context, key string) (done func(), err error) {
	t := s.join(key)
	select {
	case <-t.free:
		return sync.OnceFunc(func() {
			t.free <- struct{}{}
			s.leave(key, t)
		}), nil
	case <-ctx.Done():
		s.leave(key, t)
		return nil, ctx.Err()
	}
}

// Take takes the turn for key in the app that ctx carries, which must have one;
// see [Turns.Take].
func Take(ctx context.Context, key string) (done func(), err error) {
	return ctx.Value(TurnsKey{}).(*Turns).Take(ctx, key)
}

// TakeShared takes the turn for key as [Take] does, and among all instances that
// share the app's Store too. Use it for what Twilio does not version (ETag).
func TakeShared(ctx context.Context, key string) (done func(), err error) {
	turns := ctx.Value(TurnsKey{}).(*Turns)
	here, err := turns.Take(ctx, key)
	if err != nil || turns.Shared == nil {
		return here, err
	}
	// One waiter of each instance asks the Store.
	everywhere, err := turns.Shared(ctx, key)
	if err != nil {
		here()
		return nil, err
	}
	return func() { everywhere(); here() }, nil
}

func (s *Turns) join(key string) *turn {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.taken[key]
	if t == nil {
		t = &turn{free: make(chan struct{}, 1)}
		t.free <- struct{}{}
		if s.taken == nil {
			s.taken = make(map[string]*turn)
		}
		s.taken[key] = t
	}
	t.waiting++
	return t
}

func (s *Turns) leave(key string, t *turn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.waiting--; t.waiting == 0 {
		delete(s.taken, key)
	}
}

type limitKey struct{}

// WithLimit returns a ctx in which calls count failures with HTTP status 412
// separately. At most n of them are followed by another attempt, the first at
// once, later ones after a random pause, so that among many writers one
// succeeds each time. Without it, a conflict counts as any failure does.
func WithLimit(ctx context.Context, n int) context.Context {
	return context.WithValue(ctx, limitKey{}, n)
}

// Limit returns the limit that ctx carries, if any.
func Limit(ctx context.Context) (n int, ok bool) {
	n, ok = ctx.Value(limitKey{}).(int)
	return n, ok
}
