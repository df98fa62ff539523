// Package memnet is an in-memory network for tests in virtual time, which cannot
// use real sockets, with the faults of real networks.
package memnet

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// Network is the network of one server. Use [Serve] or [NewNetwork]; the zero
// value is not ready.
type Network struct {
	listener *listener
	// Refuse, if set, is called before each connection with its number, from 1.
	// An error fails the dial; see [Refused].
	Refuse func(n int) error
	// Accepted, if set, gets each connection before the server does. If it
	// returns false, the server does not get the connection.
	Accepted func(n int, c *Conn) bool

	dialled atomic.Int64
}

// Serve serves handler on a new network until the test ends.
func Serve(t testing.TB, handler http.Handler) *Network {
	n := NewNetwork(t)
	server := &http.Server{Handler: handler}
	var running sync.WaitGroup
	running.Go(func() { server.Serve(n.listener) })
	t.Cleanup(func() {
		server.Close()
		running.Wait()
	})
	return n
}

// NewNetwork makes a network on which nothing is serving yet.
func NewNetwork(t testing.TB) *Network {
	n := &Network{listener: &listener{conns: make(chan net.Conn), closed: make(chan struct{})}}
	t.Cleanup(func() { n.listener.Close() })
	return n
}

// Listener returns the listener for the server.
func (n *Network) Listener() net.Listener { return n.listener }

// Dialled returns how many connections were requested.
func (n *Network) Dialled() int { return int(n.dialled.Load()) }

// Transport returns a transport whose connections all lead to the server.
func (n *Network) Transport() *http.Transport {
	return &http.Transport{DialContext: n.Dial, MaxIdleConnsPerHost: 64}
}

// Dial connects to the server, whatever the address.
func (n *Network) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	count := int(n.dialled.Add(1))
	if n.Refuse != nil {
		if err := n.Refuse(count); err != nil {
			return nil, err
		}
	}
	near, far := net.Pipe()
	reset := new(atomic.Bool)
	client, server := &Conn{near, reset}, &Conn{far, reset}
	if n.Accepted != nil && !n.Accepted(count, server) {
		return client, nil
	}
	select {
	case n.listener.conns <- server:
		return client, nil
	case <-n.listener.closed:
		return nil, Refused(syscall.ECONNREFUSED)
	case <-ctx.Done():
		return nil, &net.OpError{Op: "dial", Net: network, Err: ctx.Err()}
	}
}

// Refused returns the error of a dial that failed with reason.
func Refused(reason error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: reason} }

// Conn is one end of a connection.
type Conn struct {
	net.Conn
	reset *atomic.Bool
}

// Reset ends the connection like a TCP reset.
func (c *Conn) Reset() {
	c.reset.Store(true)
	c.Close()
}

func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	return n, c.translate("read", err, syscall.ECONNRESET)
}

func (c *Conn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	return n, c.translate("write", err, syscall.EPIPE)
}

func (c *Conn) translate(op string, err error, reason syscall.Errno) error {
	if (errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe)) && c.reset.Load() {
		return &net.OpError{Op: op, Net: "tcp", Err: reason}
	}
	return err
}

type listener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *listener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }
