package flexfn

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
)

// staleConns makes connections that can be told to refuse every byte, as one
// that the other end has long forgotten does, or to lose it, as one whose
// other end has vanished.
type staleConns struct {
	mu    sync.Mutex
	conns []*staleConn
}

func (s *staleConns) dial(dial dialFunc) dialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		stale := &staleConn{Conn: c}
		s.conns = append(s.conns, stale)
		return stale, nil
	}
}

func (s *staleConns) refuse() { s.all(func(c *staleConn) { c.refuses.Store(true) }) }
func (s *staleConns) vanish() { s.all(func(c *staleConn) { c.loses.Store(true) }) }

func (s *staleConns) all(do func(*staleConn)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		do(c)
	}
}

type staleConn struct {
	net.Conn
	refuses, loses atomic.Bool
}

func (c *staleConn) Write(p []byte) (int, error) {
	switch {
	case c.refuses.Load():
		return 0, &net.OpError{Op: "write", Net: "tcp", Err: syscall.EPIPE}
	case c.loses.Load():
		return len(p), nil
	}
	return c.Conn.Write(p)
}
