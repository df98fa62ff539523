package flexfn

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
)

// staleConns makes connections that can be told to refuse every byte, as one
// that the other end has long forgotten does.
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

func (s *staleConns) refuse() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		c.dead.Store(true)
	}
}

type staleConn struct {
	net.Conn
	dead atomic.Bool
}

func (c *staleConn) Write(p []byte) (int, error) {
	if c.dead.Load() {
		return 0, &net.OpError{Op: "write", Net: "tcp", Err: syscall.EPIPE}
	}
	return c.Conn.Write(p)
}
