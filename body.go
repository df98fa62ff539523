package flexfn

import (
	"container/list"
	"io"
	"net/http"
	"sync"
	"time"
)

// Bounds on the memory that bodies take. Anyone can send a body, and the sender
// is known only after the body has arrived, since it holds the token or is
// covered by the signature.
const (
	freeBodyBytes     = 8 << 10  // of each body are free: its connection takes more
	ordinaryBodyBytes = 64 << 10 // the longest body that counts as ordinary
	defaultBodyRoom   = 16 << 20
	ordinaryShare     = 4 // one part in 4 is reserved for ordinary bodies
)

// How much of an unused body is read, depending on why it is read.
const (
	// A browser that is still sending a body sees the refusal only if the rest
	// of the body is read; otherwise it reports a network error, and the plugin
	// tries again. The bound covers any upload that is a mistake rather than an
	// attack.
	refusedBytes = 32 << 20
	// The connection to a web service is reused only if the answer has been
	// read to its end. Reading more than this takes longer than opening a new
	// connection; net/http's server uses the same bound.
	reuseBytes = 256 << 10
)

// discard reads and drops up to most bytes of body.
func discard(body io.Reader, most int64) { _, _ = io.CopyN(io.Discard, body, most) }

// bodyRoom bounds the bytes of all bodies that are being received or used.
// Ordinary bodies have room that long ones cannot take, so a few long bodies do
// not lock out the others.
type bodyRoom struct {
	mu             sync.Mutex
	ordinary, long int64 // bytes left
}

func newBodyRoom(total int64) *bodyRoom {
	return &bodyRoom{ordinary: total / ordinaryShare, long: total - total/ordinaryShare}
}

// bodyLease is the part of the room that one body occupies.
type bodyLease struct {
	room           *bodyRoom
	ordinary, long int64
}

// grow resizes the lease for a body of size bytes, and reports whether there was
// room; if not, the lease stays as it was.
func (l *bodyLease) grow(size int64) bool {
	ordinary, long := max(0, size-freeBodyBytes), int64(0)
	if size > ordinaryBodyBytes {
		ordinary, long = 0, size
	}
	l.room.mu.Lock()
	defer l.room.mu.Unlock()
	if l.room.ordinary+l.ordinary < ordinary || l.room.long+l.long < long {
		return false
	}
	l.room.ordinary += l.ordinary - ordinary
	l.room.long += l.long - long
	l.ordinary, l.long = ordinary, long
	return true
}

func (l *bodyLease) release() {
	if l.ordinary != 0 || l.long != 0 {
		l.grow(0)
	}
}

// mostUploads bounds the calls whose bodies are being received. Each takes some
// 20 KB with its connection, even if its body does not come.
const mostUploads = 1000

// uploads lists the calls whose bodies are being received, in the order in which
// they began. When there are too many, the oldest is given up, so that callers
// who withhold their bodies cannot lock out those who send them.
type uploads struct {
	mu    sync.Mutex
	calls list.List // of *call
}

// upload is a call's place among the uploads. Its zero value is for a call that
// is not among them.
type upload struct {
	place      *list.Element
	crowdedOut bool
}

// enter adds a call that has a body.
func (u *uploads) enter(c *call) {
	if c.request.ContentLength == 0 {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	c.upload.place = u.calls.PushBack(c)
	if u.calls.Len() > mostUploads {
		oldest := u.calls.Remove(u.calls.Front()).(*call)
		oldest.upload.crowdedOut = oldest.interrupt()
	}
}

// leave removes a call, and reports whether it was given up. If so, nothing more
// can be read from its connection.
func (u *uploads) leave(c *call) (crowdedOut bool) {
	if c.upload.place == nil { // it never entered
		return false
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.calls.Remove(c.upload.place) // no effect on a call that was given up
	return c.upload.crowdedOut
}

// readBody reads the whole body, at most limit bytes, if lease has room for it.
// Memory is taken as bytes arrive, not as Content-Length announces them. A body
// that is too slow ends when tooLate sets the connection's read deadline. The
// error is meant for the caller.
func readBody(r *http.Request, limit int64, deadline time.Time, lease *bodyLease) ([]byte, error) {
	if r.Body == nil || r.ContentLength == 0 {
		return nil, nil
	}
	refuse := func(err error) ([]byte, error) {
		// A caller that waits for "100 Continue" has not sent the body.
		if r.Header.Get("Expect") == "" {
			discard(r.Body, refusedBytes)
		}
		return nil, err
	}
	tooLong := func() ([]byte, error) {
		return refuse(Errorf(http.StatusRequestEntityTooLarge, "The request body is longer than %d bytes", limit))
	}
	most := limit
	if n := r.ContentLength; n > limit {
		return tooLong()
	} else if n > 0 {
		most = n
	}
	most++ // to notice a body that is too long
	body := make([]byte, 0, min(most, freeBodyBytes))
	for {
		n, err := r.Body.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case int64(len(body)) > limit:
			return tooLong()
		case err == io.EOF:
			return body, nil
		case err != nil && !deadline.After(time.Now()):
			return nil, slowBody(err)
		case err != nil:
			return nil, &Error{Status: http.StatusBadRequest, Message: "The request body is incomplete", Err: err}
		}
		if len(body) < cap(body) {
			continue
		}
		size := min(2*int64(cap(body)), max(most, int64(cap(body))+1))
		if !lease.grow(size) {
			body = nil
			return refuse(&Error{
				Status:     http.StatusServiceUnavailable,
				Message:    "Too many long request bodies are under way; try again",
				RetryAfter: time.Second,
			})
		}
		body = append(make([]byte, 0, size), body...)
	}
}
