package flexfn

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/flexfn/flexfn/internal/sid"
)

// HTTPClient returns the app's client for web services. It is safe for
// concurrent use; do not change it. It differs from [http.DefaultClient] as
// follows:
//
//   - It sends each request at most once. Go's transport repeats some requests
//     if a reused connection turns out to be dead.
//   - A request that gets no answer fails with an [*Error]. Its OutcomeUnknown
//     is true if the request was sent, and was a POST or PATCH. Requests with
//     an Idempotency-Key header do not count, nor do those that update an
//     existing resource of Twilio.
//   - After the machine was frozen, and after a timeout on a reused
//     connection, it opens new connections instead of using idle ones.
//   - It does not follow redirects from Twilio, and at most ten elsewhere.
//   - It obeys [Config].TwilioURL, and reports to [Config].OnAttempt.
//
// It sets no timeout: make requests with [http.NewRequestWithContext] and the
// ctx of the handler or callback, which bounds them. It follows the
// environment's proxy settings, unless [Config].Transport is set.
func (a *App) HTTPClient() *http.Client { return a.client }

// newHTTPClient makes the app's client. c must have been checked.
func newHTTPClient(c Config) *http.Client {
	t := &transport{base: c.Transport, observed: c.attemptHook() != nil}
	switch base := c.Transport.(type) {
	case nil:
		t.base = newBaseTransport()
	case *http.Transport:
		t.base = counting(base)
	}
	if c.TwilioURL != "" {
		t.twilio, _ = parseBaseURL(c.TwilioURL)
	}
	return &http.Client{Transport: t, CheckRedirect: checkRedirect}
}

// checkRedirect stops at redirects from Twilio, whose API does not use them,
// and after ten others. The redirect itself is then the answer.
func checkRedirect(req *http.Request, via []*http.Request) error {
	if isTwilio(via[len(via)-1].URL.Hostname()) || len(via) >= 10 {
		return http.ErrUseLastResponse
	}
	return nil
}

// newBaseTransport returns the transport for a nil Config.Transport. It speaks
// HTTP/1.1 only: with one request at a time on a connection, it is certain
// whether any part of a request was written, and a connection that died in a
// freeze fails one request only.
func newBaseTransport() *http.Transport {
	dialer := &net.Dialer{Timeout: 3 * time.Second, KeepAlive: 15 * time.Second}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return counting(&http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           dialer.DialContext,
		TLSHandshakeTimeout:   3 * time.Second,
		ResponseHeaderTimeout: 30 * time.Second,
		IdleConnTimeout:       20 * time.Second,
		MaxIdleConns:          256,
		MaxIdleConnsPerHost:   64,
		Protocols:             protocols,
	})
}

// counting returns a copy of base whose connections count the bytes they write.
func counting(base *http.Transport) *http.Transport {
	base = base.Clone()
	//lint:ignore SA1019 a user's transport may still have one
	if dial := base.Dial; base.DialContext == nil && dial != nil {
		base.DialContext = func(_ context.Context, network, addr string) (net.Conn, error) { return dial(network, addr) }
	}
	if base.DialContext == nil {
		base.DialContext = new(net.Dialer).DialContext
	}
	base.DialContext = countWrites(base.DialContext)
	return base
}

// frozenAfter is the gap between two requests, by the wall clock, after which
// idle connections are not trusted. A host that freezes an instance stops the
// monotonic clock and the timers of this side, but not of the other.
const frozenAfter = 4 * time.Second

// transport is the http.RoundTripper of [App.HTTPClient].
type transport struct {
	base     http.RoundTripper
	twilio   *url.URL     // receives Twilio's requests instead; nil for none
	observed bool         // attempts have records, which name their requests
	lastUse  atomic.Int64 // wall clock, in nanoseconds
}

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	t.distrustIdle()
	resp, err := t.exchange(req)
	t.lastUse.Store(time.Now().UnixNano())
	if t.observed {
		noteExchange(req, resp)
	}
	return resp, err
}

// CloseIdleConnections is called by [http.Client.CloseIdleConnections].
func (t *transport) CloseIdleConnections() {
	if b, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		b.CloseIdleConnections()
	}
}

// distrustIdle closes the idle connections if the last request was long ago, by
// the wall clock: the instance may have been frozen in between, and the other
// end may have closed them.
func (t *transport) distrustIdle() {
	now := time.Now().UnixNano() // by the wall clock
	last := t.lastUse.Swap(now)
	if gap := time.Duration(now - last).Abs(); last != 0 && gap > frozenAfter {
		t.CloseIdleConnections()
	}
}

// exchange sends req once. If a reused connection fails before any part of the
// request was written, nothing was sent, and the request is tried once more on
// a new connection.
func (t *transport) exchange(req *http.Request) (*http.Response, error) {
	// A user's transport may ignore the ctx; reading endless pages would then
	// run past the deadline.
	if err := req.Context().Err(); err != nil {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, lost(err, req.URL.Hostname(), false, changesOnce(req))
	}
	resp, w, err := t.send(req, req.Body)
	if err != nil && w.reused.Load() && !w.written() && req.Context().Err() == nil {
		t.CloseIdleConnections()
		switch {
		case req.Body == nil || req.Body == http.NoBody:
			resp, w, err = t.send(req, req.Body)
		case req.GetBody != nil:
			if body, bodyErr := req.GetBody(); bodyErr == nil {
				resp, w, err = t.send(req, body)
			}
		}
	}
	if err != nil {
		if w.reused.Load() && timedOut(err) {
			// The other end may have gone without closing the connection. The
			// idle connections are then dead too, so the next attempt must open
			// a new one.
			t.CloseIdleConnections()
		}
		traced := w.traced.Load()
		if !traced && !noAnswer(err) && !errors.Is(err, context.Canceled) {
			return nil, err // the request was malformed, or the transport refused it
		}
		sent := !dialFailed(err) && !refusedUnread(err) && (!traced || w.written())
		return nil, lost(err, req.URL.Hostname(), sent, changesOnce(req))
	}
	resp.Request = req
	if resp.Body != nil && resp.StatusCode != http.StatusSwitchingProtocols {
		resp.Body = &answerBody{resp.Body, req.Context()}
	}
	return resp, nil
}

// answerBody is the body of an answer to a request with ctx. Reading it after
// ctx has ended fails with an error that says so.
type answerBody struct {
	io.ReadCloser
	ctx context.Context
}

func (b *answerBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && errors.Is(err, context.Canceled) {
		if l, _ := b.ctx.Value(lazyKey{}).(*lazyContext); l != nil && l.over() {
			err = &readLateError{err}
		}
	}
	return n, err
}

// readLateError is the error of reading a body after the attempt or the handler
// has ended.
type readLateError struct{ err error }

func (e *readLateError) Error() string {
	return "the answer was read after its attempt had ended: read it in the callback of ExecuteWithRetry, or return the *http.Response or its body itself"
}
func (e *readLateError) Unwrap() error { return e.err }

// send sends req with body such that net/http does not repeat it. The result
// watches how much of it was written.
func (t *transport) send(req *http.Request, body io.ReadCloser) (*http.Response, *writeWatch, error) {
	w := &writeWatch{}
	out := req.WithContext(httptrace.WithClientTrace(req.Context(), w.trace()))
	// Go's transport repeats a request only if it can rewind the body, or there
	// is none.
	out.GetBody = nil
	out.Body = body
	if (body == nil || body == http.NoBody) && goRepeats(req) {
		out.Body = io.NopCloser(strings.NewReader(""))
		if req.Method == http.MethodGet && out.TransferEncoding == nil {
			// It means the same as none, but for none net/http starts a goroutine
			// that looks whether there is a body.
			out.TransferEncoding = []string{"identity"}
		}
	}
	if t.twilio != nil && isTwilio(req.URL.Hostname()) {
		u := *req.URL
		u.Scheme, u.Host = t.twilio.Scheme, t.twilio.Host
		if prefix := strings.TrimSuffix(t.twilio.EscapedPath(), "/"); prefix != "" {
			u.Path = strings.TrimSuffix(t.twilio.Path, "/") + req.URL.Path
			u.RawPath = prefix + req.URL.EscapedPath()
		}
		out.URL = &u
		if out.Host == "" {
			out.Host = req.URL.Host
		}
	}
	resp, err := t.base.RoundTrip(out)
	return resp, w, err
}

// goRepeats reports whether net/http would repeat req, without a body, after
// the connection died.
func goRepeats(req *http.Request) bool {
	switch req.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodDelete:
		return true // a DELETE only on HTTP/2
	}
	return hasIdempotencyKey(req)
}

// hasIdempotencyKey reports whether req has one of the headers that make
// net/http, too, treat a request as repeatable.
func hasIdempotencyKey(req *http.Request) bool {
	return req.Header.Get("Idempotency-Key") != "" || req.Header.Get("X-Idempotency-Key") != ""
}

// changesOnce reports whether sending req twice could take effect twice.
func changesOnce(req *http.Request) bool {
	switch req.Method {
	case http.MethodPost, http.MethodPatch:
	default:
		return false // idempotent by RFC 9110, section 9.2.2
	}
	if isTwilio(req.URL.Hostname()) { // its API ignores idempotency keys
		return !updatesInstance(req.URL.Path)
	}
	return !hasIdempotencyKey(req)
}

// updatesInstance reports whether a POST to this path of Twilio's API updates a
// resource that exists, so that it may be repeated. Such a path ends in a SID, in
// a name within a collection whose members have names, or in one of a few words.
// Every other POST counts as one that creates something.
func updatesInstance(path string) bool {
	path = strings.TrimSuffix(strings.TrimSuffix(path, "/"), ".json")
	parts := strings.Split(path, "/")
	last := parts[len(parts)-1]
	if sid.Valid(last) {
		return true
	}
	switch last {
	case "Configuration", "SubscribeRules", "RecordingRules", "validate":
		return true
	}
	if len(parts) < 2 {
		return false
	}
	switch parts[len(parts)-2] {
	case "Participants", "Documents", "Lists", "Maps", "Items", "Users", "Conversations":
		return true
	}
	return false
}

// isTwilio reports whether host is Twilio's.
func isTwilio(host string) bool {
	host = strings.ToLower(host)
	return host == "twilio.com" || strings.HasSuffix(host, ".twilio.com")
}

// writeWatch observes whether any part of a request was written. On HTTP/1.1 it
// compares the bytes that the connection has written; on HTTP/2, whose
// connections are shared, it relies on net/http's word that it wrote the headers.
//
// It tells whether a failed request may have reached the service. A wrong yes
// costs a retry, while a wrong no creates something twice, so every doubt
// counts as written.
type writeWatch struct {
	traced  atomic.Bool // the transport calls the hooks
	reused  atomic.Bool
	headers atomic.Bool // the headers were written, at least to a buffer
	conn    atomic.Pointer[countedConn]
	start   int64
}

// trace returns the hooks by which net/http reports the connection and what it
// wrote.
func (w *writeWatch) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn: func(string) { w.traced.Store(true) },
		GotConn: func(info httptrace.GotConnInfo) {
			w.reused.Store(info.Reused)
			conn := info.Conn
			if c, ok := conn.(*tls.Conn); ok {
				if c.ConnectionState().NegotiatedProtocol == "h2" {
					return // shared: the bytes it writes may belong to another request
				}
				conn = c.NetConn()
			}
			if c, ok := conn.(*countedConn); ok {
				w.start = c.written.Load()
				w.conn.Store(c)
			}
		},
		WroteHeaders: func() { w.headers.Store(true) },
	}
}

// written reports whether any byte of the request may have reached the
// service.
func (w *writeWatch) written() bool {
	if c := w.conn.Load(); c != nil {
		return c.written.Load() > w.start
	}
	return w.headers.Load()
}

// countedConn counts the bytes that the other end may have got.
type countedConn struct {
	net.Conn
	written atomic.Int64
}

// Write counts the bytes that the operating system took, even if it then fails.
func (c *countedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.written.Add(int64(n))
	return n, err
}

type dialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

func countWrites(dial dialFunc) dialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &countedConn{Conn: c}, nil
	}
}
