package host

import (
	"crypto/tls"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
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

// clientListener accepts connections that bound what net/http has no setting
// for: how many of them speak HTTP/2, and how many header fields a request has
// before net/http keeps them.
//
// With TLS, a client that comes when enough speak HTTP/2 is offered HTTP/1.1
// alone by [configFor]. Without TLS, HTTP/2 cannot be negotiated: the client is
// told to use HTTP/1.1, and disconnected. Header fields can be counted only
// without TLS, which a connection does not see through.
type clientListener struct {
	net.Listener
	secure    bool // TLS
	mostHTTP2 int64
	http2     atomic.Int64 // connections
}

// newClientListener wraps listener, and lets server tell its connections when
// they await a request.
func newClientListener(listener net.Listener, server *http.Server, config Config) *clientListener {
	l := &clientListener{Listener: listener, secure: server.TLSConfig != nil, mostHTTP2: int64(config.MaxHTTP2Connections)}
	if l.mostHTTP2 < 0 {
		l.mostHTTP2 = math.MaxInt64
	}
	server.ConnState = func(conn net.Conn, s http.ConnState) {
		if c, ok := conn.(*clientConn); ok && s == http.StateIdle && !c.isHTTP2.Load() {
			c.head = head{}
		}
	}
	return l
}

func (l *clientListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &clientConn{Conn: conn, listener: l, head: head{ended: l.secure}}, nil
}

// configFor returns a function for [tls.Config.GetConfigForClient]. config is
// the server's own, with which net/http offers HTTP/2.
func configFor(config *tls.Config) func(*tls.ClientHelloInfo) (*tls.Config, error) {
	old := config.Clone()
	old.NextProtos = []string{"http/1.1"}
	return func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		c, ok := hello.Conn.(*clientConn)
		if ok && slices.Contains(hello.SupportedProtos, "h2") && !c.take() {
			return old, nil
		}
		return nil, nil // the server's own
	}
}

// clientConn is a connection of a client. It is used like any [net.Conn]: one
// goroutine at a time reads.
type clientConn struct {
	net.Conn
	listener *clientListener
	isHTTP2  atomic.Bool // and counted by the listener
	closed   atomic.Bool
	matched  int  // bytes of the preface that came
	decided  bool // what the client speaks is known
	head     head
}

// head counts the lines of a request's head as its bytes arrive.
type head struct {
	lines int  // the request line, and each header field
	begun bool // the line has more than its end
	ended bool
}

// add takes the next bytes, of which those after the end of the head are
// ignored. Like net/http it takes lines that end without a carriage return, and
// empty lines before the request line.
func (h *head) add(p []byte) {
	for i := 0; i < len(p) && !h.ended; i++ {
		switch {
		case p[i] != '\n':
			h.begun = h.begun || p[i] != '\r'
		case h.begun:
			h.lines++
			h.begun = false
		default:
			h.ended = h.lines > 0
		}
	}
}

// preface is how net/http recognizes HTTP/2 without TLS.
const preface = "PRI * HTTP/2.0"

// useHTTP1 tells a client to use HTTP/1.1: a frame with no settings, and a
// GOAWAY that says that no stream was processed, with HTTP_1_1_REQUIRED (RFC
// 9113, sections 3.4, 6.8 and 7).
const useHTTP1 = "\x00\x00\x00\x04\x00\x00\x00\x00\x00" + "\x00\x00\x08\x07\x00\x00\x00\x00\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x0d"

// tooManyFields is what [front] answers to a request with TLS or by HTTP/2.
const tooManyFields = "HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n" + fieldsMessage + "\n"

// take counts c as an HTTP/2 connection, and reports whether it may be one.
func (c *clientConn) take() bool {
	if c.listener.http2.Add(1) > c.listener.mostHTTP2 {
		c.listener.http2.Add(-1)
		return false
	}
	c.isHTTP2.Store(true)
	if c.closed.Load() {
		c.giveBack()
	}
	return true
}

// giveBack no longer counts c as an HTTP/2 connection.
func (c *clientConn) giveBack() {
	if c.isHTTP2.CompareAndSwap(true, false) {
		c.listener.http2.Add(-1)
	}
}

func (c *clientConn) Read(p []byte) (int, error) {
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
				return 0, c.refuse(useHTTP1)
			}
		}
	}
	if c.head.add(p[:n]); c.head.lines > maxHeaders+2 { // with the request line and Host
		return 0, c.refuse(tooManyFields)
	}
	return n, err
}

// refuse answers the client and closes the connection. It reads what the client
// has sent already, or closing would reset the connection, and the answer could
// be lost.
func (c *clientConn) refuse(answer string) error {
	_ = c.Conn.SetDeadline(time.Now().Add(refusalTime))
	_, _ = io.WriteString(c.Conn, answer)
	_ = c.CloseWrite()
	_, _ = io.CopyN(io.Discard, c.Conn, 64<<10)
	_ = c.Close() // net/http would add an answer of its own
	return io.EOF
}

func (c *clientConn) Close() error {
	c.closed.Store(true)
	c.giveBack()
	return c.Conn.Close()
}

// ReadFrom lets net/http send files without copying them, as it does with a
// [net.TCPConn].
func (c *clientConn) ReadFrom(r io.Reader) (int64, error) { return io.Copy(c.Conn, r) }

// CloseWrite lets net/http end its half of the connection, as it does with a
// [net.TCPConn].
func (c *clientConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}
