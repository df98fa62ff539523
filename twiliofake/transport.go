package twiliofake

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"syscall"

	"github.com/flexfn/flexfn/internal/recorder"
)

// Client returns an HTTP client that sends every request, whatever its host, to
// the fake in memory, without a port or a goroutine. Tests in a testing/synctest
// bubble need this. Faults look as they would over a network: a lost connection
// is an error that is syscall.ECONNRESET, a body cut short ends in
// io.ErrUnexpectedEOF, and a hang lasts until the request's context ends.
//
// The client's Transport can be used on its own. It does not have a timeout; a
// request's context is the only limit. It is safe for concurrent use, and needs
// no closing.
func (t *Twilio) Client() *http.Client { return &http.Client{Transport: memory{t}} }

// memory is an [http.RoundTripper] that calls a handler. It keeps nothing
// between requests, so it is safe for concurrent use.
type memory struct{ handler http.Handler }

// RoundTrip implements [http.RoundTripper] by calling the handler on the
// caller's goroutine, so it works in a testing/synctest bubble. If the handler
// aborts, the caller gets a reset connection or, if the header was already sent,
// a truncated body.
//
// The handler's answer is buffered whole, so a response is never seen
// half-written unless a fault cuts it. Panics other than ErrAbortHandler are
// bugs of the fake, and reach the caller.
func (m memory) RoundTrip(r *http.Request) (res *http.Response, err error) {
	ctx := r.Context()
	if r.Body != nil {
		defer r.Body.Close() //nolint:errcheck // as RoundTripper requires
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	in := r.WithContext(ctx) // the handler only reads it
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	if in.Body == nil {
		in.Body = http.NoBody
	}
	in.RequestURI, in.RemoteAddr = r.URL.RequestURI(), "127.0.0.1:0"
	rec := new(recorder.Writer)
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if e, ok := p.(error); !ok || !errors.Is(e, http.ErrAbortHandler) {
			panic(p)
		}
		if err = ctx.Err(); err != nil {
			return
		}
		if rec.Flushed { // the header was sent: cut off the body
			res, err = answered(r, rec), nil
			return
		}
		err = &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
	}()
	m.handler.ServeHTTP(rec, in)
	return answered(r, rec), nil
}

// answered returns the recorded response. Reading a body shorter than its
// Content-Length ends in an error. A real connection behaves the same way when
// it breaks.
func answered(r *http.Request, rec *recorder.Writer) *http.Response {
	body := rec.Body.Bytes()
	res := &http.Response{
		Status: strconv.Itoa(rec.Status()) + " " + http.StatusText(rec.Status()), StatusCode: rec.Status(),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: rec.Header(), Request: r,
		ContentLength: int64(len(body)), Body: io.NopCloser(bytes.NewReader(body)),
	}
	if n, err := strconv.ParseInt(rec.Header().Get("Content-Length"), 10, 64); err == nil && n > int64(len(body)) {
		res.ContentLength = n
		res.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), broken{}))
	}
	return res
}

// broken is the reader at the end of a truncated body.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
