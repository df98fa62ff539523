package host

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/flexfn/flexfn/internal/link"
)

// prepare wraps handler with what every platform needs: it answers after panics,
// strips the prefix, and leaves a margin before the deadline.
//
// From the outside in: unwrapping, so that the rest sees the caller's request;
// the time limit; the prefix; and the handler, whose panics are answered
// through the same writers as its answers.
func prepare(handler http.Handler, c Config) http.Handler {
	next := recoverPanics(handler, c)
	if c.StripPrefix != "" {
		next = stripPrefix(next, c.StripPrefix)
	}
	if c.RequestLimit > 0 {
		next = limitTime(next, c.RequestLimit)
	}
	if c.row.wrap != nil {
		next = c.row.wrap(next)
	}
	return next
}

// withMargin sets a deadline that leaves time to answer before the platform
// gives up. On simulated platforms, none of five handlers got an answer through
// with the platform's own deadline, and all did with 20 ms less. The margin is
// a tenth, since short limits cannot spare half a second. A deadline that has
// passed stays as it is.
func withMargin(ctx context.Context, deadline time.Time) (context.Context, context.CancelFunc) {
	left := time.Until(deadline)
	return context.WithDeadline(ctx, deadline.Add(-min(max(left, 0)/10, 500*time.Millisecond)))
}

// limitTime counts from when the headers have arrived; the platform may have
// begun earlier.
func limitTime(next http.Handler, limit time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := withMargin(r.Context(), time.Now().Add(limit))
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// stripPrefix is [http.StripPrefix], except that paths without the prefix pass
// unchanged. They may come from a health check or a caller behind the gateway.
// The prefix itself, without a slash after it, passes too; "/apix" does not
// have the prefix "/api". RequestURI keeps the prefix, since Twilio signs it.
func stripPrefix(next http.Handler, prefix string) http.Handler {
	strip := http.StripPrefix(prefix, next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, prefix+"/") {
			strip.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// recoverPanics answers 500 after a panic. If the answer has already started,
// it cuts it off instead. A panic with [http.ErrAbortHandler] asks for that,
// and is not logged.
func recoverPanics(next http.Handler, c Config) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rw := &hijackable{recoverable: recoverable{ResponseWriter: w}}
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if p != http.ErrAbortHandler {
				c.Logger.ErrorContext(r.Context(), "handler panicked", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			}
			if rw.began || p == http.ErrAbortHandler {
				panic(http.ErrAbortHandler)
			}
			fail(w, http.StatusInternalServerError, "Internal error")
		}()
		if h, ok := w.(http.Hijacker); ok {
			rw.hijacker = h
			next.ServeHTTP(rw, r)
		} else {
			next.ServeHTTP(&rw.recoverable, r)
		}
	})
}

// fail answers for the platform with a JSON object like flexfn's. Of the
// headers that the handler has set, only those of CORS stay: the others
// describe the answer that it did not give, and without CORS headers a browser
// hides this one from the plugin.
func fail(w http.ResponseWriter, status int, message string) {
	h := w.Header()
	for name := range h {
		if !strings.HasPrefix(name, "Access-Control-") {
			delete(h, name)
		}
	}
	h.Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"success": false, "message": message})
}

// recoverable is a ResponseWriter that records whether the answer has started.
//
// An informational status does not start it.
type recoverable struct {
	http.ResponseWriter
	began bool
}

func (w *recoverable) WriteHeader(status int) {
	w.began = w.began || status >= 200
	w.ResponseWriter.WriteHeader(status)
}

func (w *recoverable) Write(p []byte) (int, error) {
	w.began = true
	return w.ResponseWriter.Write(p)
}

// Flush makes it an [http.Flusher], which handlers look for.
func (w *recoverable) Flush() {
	w.began = true
	_ = http.NewResponseController(w.ResponseWriter).Flush()
}

// Unwrap and Transparent declare that everything is passed on.
func (w *recoverable) Unwrap() http.ResponseWriter { return w.ResponseWriter }
func (w *recoverable) Transparent()                {}

var _ link.Transparent = (*recoverable)(nil)

// hijackable is a recoverable that lets a handler take over the connection, as
// WebSocket handlers do. It is a type of its own, since handlers ask by a type
// assertion whether they can; HTTP/2 connections cannot be taken over.
type hijackable struct {
	recoverable
	hijacker http.Hijacker
}

// Hijack counts as the start of the answer: after it nothing can be written to
// w.
func (w *hijackable) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := w.hijacker.Hijack()
	w.began = w.began || err == nil
	return conn, rw, err
}
