package flexfn

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/flexfn/flexfn/internal/testing/memnet"
)

// staleConns makes connections that can be told to refuse every byte, like one
// that the other end has forgotten, or to lose every byte, like one whose other
// end has vanished.
type staleConns struct {
	mu    sync.Mutex
	conns []*staleConn
}

// staleApp returns an app that reaches h over such connections.
func staleApp(t *testing.T, h http.Handler) (*App, *memnet.Network, *staleConns) {
	t.Helper()
	upstream, stale := memnet.Serve(t, h), new(staleConns)
	base := upstream.Transport()
	base.DialContext = stale.dial(upstream.Dial)
	app := testApp(t, func(c *Config) { c.Transport = base })
	t.Cleanup(app.HTTPClient().CloseIdleConnections)
	return app, upstream, stale
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
