package host

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"
	"sync/atomic"
	"time"
)

// Limits on HTTP/2. A client may open streams and reset them at once. net/http
// then starts as many handlers as there may be streams, and queues four times as
// many requests, each with some 18 KB of its body; no setting of net/http bounds
// that for all connections together. So both numbers are small: their product
// is 36 MB with the queues. A browser queues what goes beyond the streams, and a
// proxy opens another connection. What goes beyond the connections uses HTTP/1.1.
const (
	maxStreams              = 25 // at once, on one connection
	defaultHTTP2Connections = 16 // at once

	refusalTime = 500 * time.Millisecond // for a client to read that it is refused
)

// http2Listener counts the HTTP/2 connections that it accepts.
//
// With TLS, a client that comes when there are enough is offered HTTP/1.1 alone
// by [configFor]. Without TLS, HTTP/2 cannot be negotiated: the client is told to
// use HTTP/1.1, and disconnected.
type http2Listener struct {
	net.Listener
	most int64
	open atomic.Int64
}

func (l *http2Listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &http2Conn{Conn: conn, listener: l}, nil
}

// configFor returns a function for [tls.Config.GetConfigForClient]. config is
// the server's own, with which net/http offers HTTP/2.
func configFor(config *tls.Config) func(*tls.ClientHelloInfo) (*tls.Config, error) {
	old := config.Clone()
	old.NextProtos = []string{"http/1.1"}
	return func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		c, ok := hello.Conn.(*http2Conn)
		if ok && slices.Contains(hello.SupportedProtos, "h2") && !c.take() {
			return old, nil
		}
		return nil, nil // the server's own
	}
}

// http2Conn is a connection that notices when its client speaks HTTP/2 without
// TLS. It is used like any [net.Conn]: one goroutine at a time reads.
type http2Conn struct {
	net.Conn
	listener *http2Listener
	counted  atomic.Bool // among the listener's HTTP/2 connections
	closed   atomic.Bool
	matched  int  // bytes of the preface that came
	decided  bool // what the client speaks is known
}

// preface is how net/http recognizes HTTP/2 without TLS.
const preface = "PRI * HTTP/2.0"

// useHTTP1 tells a client to use HTTP/1.1: a frame with no settings, and a
// GOAWAY that says that no stream was processed, with HTTP_1_1_REQUIRED (RFC
// 9113, sections 3.4, 6.8 and 7).
const useHTTP1 = "\x00\x00\x00\x04\x00\x00\x00\x00\x00" + "\x00\x00\x08\x07\x00\x00\x00\x00\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x0d"

// take counts c as an HTTP/2 connection, and reports whether it may be one.
func (c *http2Conn) take() bool {
	if c.listener.open.Add(1) > c.listener.most {
		c.listener.open.Add(-1)
		return false
	}
	c.counted.Store(true)
	if c.closed.Load() {
		c.giveBack()
	}
	return true
}

// giveBack no longer counts c as an HTTP/2 connection.
func (c *http2Conn) giveBack() {
	if c.counted.CompareAndSwap(true, false) {
		c.listener.open.Add(-1)
	}
}

func (c *http2Conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	for i := 0; i < n && !c.decided; i++ {
		switch {
		case p[i] != preface[c.matched]:
			c.decided = true
		case c.matched+1 < len(preface):
			c.matched++
		default:
			c.decided = true
			if !c.take() {
				c.refuse()
				return 0, io.EOF
			}
		}
	}
	return n, err
}

// refuse tells the client to use HTTP/1.1. It reads what the client has sent
// already, or closing the connection would reset it, and the answer could be
// lost.
func (c *http2Conn) refuse() {
	_ = c.Conn.SetDeadline(time.Now().Add(refusalTime))
	_, _ = io.WriteString(c.Conn, useHTTP1)
	_ = c.CloseWrite()
	_, _ = io.CopyN(io.Discard, c.Conn, 64<<10)
	_ = c.Close() // net/http would add an answer of its own
}

func (c *http2Conn) Close() error {
	c.closed.Store(true)
	c.giveBack()
	return c.Conn.Close()
}

// CloseWrite lets net/http end its half of the connection, as it does with a
// [net.TCPConn].
func (c *http2Conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}
