package host

import (
	"net"
	"net/http"
	"sync"
	"sync/atomic"
)

// bound limits listener to n open connections of server. While n are open,
// server closes each connection after its answer, so that waiting clients get
// their turn.
//
// It sets server.ConnState, which nothing else may set. A connection that a
// handler takes over, such as a WebSocket, gives its slot back while it is
// still open: net/http does not report when that ends.
func bound(listener net.Listener, server *http.Server, n int) net.Listener {
	l := &bounded{Listener: listener, server: server, free: make(chan struct{}, n), closed: make(chan struct{})}
	before := server.ConnState
	server.ConnState = func(conn net.Conn, s http.ConnState) {
		before(conn, s)
		if s == http.StateClosed || s == http.StateHijacked {
			<-l.free
		}
	}
	return l
}

// bounded gives each accepted connection a slot, which it keeps until the
// server reports it closed.
type bounded struct {
	net.Listener
	server *http.Server
	free   chan struct{} // holds one element for each open connection
	// full is set while keep-alives are off, so that they are turned on again
	// once, with the first connection that finds a free slot.
	full   atomic.Bool
	closed chan struct{}
	once   sync.Once
}

// Accept waits for a free slot before it accepts, so further clients wait in
// the kernel's queue. While no slot is free, the server closes idle
// connections, and every other one after its answer. An HTTP/2 connection that
// becomes idle later stays until [idleTime] has passed (issue 26303 of Go).
func (l *bounded) Accept() (net.Conn, error) {
	select {
	case l.free <- struct{}{}:
		if l.full.Swap(false) {
			l.server.SetKeepAlivesEnabled(true)
		}
	default:
		l.full.Store(true)
		l.server.SetKeepAlivesEnabled(false) // closes the idle ones
		select {
		case l.free <- struct{}{}:
		case <-l.closed:
			return nil, net.ErrClosed
		}
	}
	// The slot is taken before the connection exists. If no connection comes,
	// it must be given back here.
	conn, err := l.Listener.Accept()
	if err != nil {
		<-l.free
	}
	return conn, err
}

// Close also ends an Accept that waits for a free slot.
func (l *bounded) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}
