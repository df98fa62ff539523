package flexfn

import (
	"context"
	"sync"
)

// turns lets those who change one resource go one after another.
type turns struct {
	mu    sync.Mutex
	taken map[string]*turn
}

type turn struct {
	free    chan struct{} // holds one token when nobody has the turn
	waiting int           // holders and waiters; the last one out forgets it
}

// TakeTurn waits until nobody else in this app has the turn for key, such as a
// resource's SID, and takes it; done gives it back. The error is ctx's, when
// it ends first; then there is nothing to give back. Changes that conflict on
// the server (HTTP status 412) go faster in turn than against each other.
// Other processes are not waited for.
func (a *App) TakeTurn(ctx context.Context, key string) (done func(), err error) {
	t := a.turns.join(key)
	select {
	case <-t.free:
		return sync.OnceFunc(func() {
			t.free <- struct{}{}
			a.turns.leave(key, t)
		}), nil
	case <-ctx.Done():
		a.turns.leave(key, t)
		return nil, ctx.Err()
	}
}

func (s *turns) join(key string) *turn {
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

func (s *turns) leave(key string, t *turn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.waiting--; t.waiting == 0 {
		delete(s.taken, key)
	}
}
