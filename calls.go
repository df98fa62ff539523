package flexfn

import (
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/flexfn/flexfn/internal/pace"
)

// route is a function at a path of an app.
type route struct {
	*Function
	calls calls
	lines pace.Lines // of callers who were not admitted
}

// calls counts the calls of one function whose handlers run, those that run
// past their deadline among them. The zero value is ready.
type calls struct {
	running atomic.Int64
	refused atomic.Int64 // when one was last refused, in Unix nanoseconds; 0: not lately
}

// calmAfter is how long no call must have been refused before the log says
// that a function is called again: at the bound, calls are admitted and refused
// in turn.
const calmAfter = 10 * time.Second

// errTooManyCalls is the cause in the trace of a refused call. No handler sees
// it.
var errTooManyCalls = errors.New("too many calls of the function are running")

// begin takes one of the function's places for a handler, which end gives
// back. It reports whether there was one.
func (c *call) begin() bool {
	n, most := &c.fn.calls, int64(c.app.config.MaxCalls)
	if n.running.Add(1) > most {
		n.running.Add(-1)
		if n.refused.Swap(time.Now().UnixNano()) == 0 {
			c.app.log.LogAttrs(c, slog.LevelError, "too many calls of a function are running: it is not called until some end; its handler should honour its ctx",
				slog.String("function", c.path), slog.Int64("running", most))
		}
		return false
	}
	if at := n.refused.Load(); at != 0 && time.Since(time.Unix(0, at)) > calmAfter && n.refused.CompareAndSwap(at, 0) {
		c.app.log.LogAttrs(c, slog.LevelInfo, "the function is called again", slog.String("function", c.path))
	}
	return true
}

// end gives back the place that begin took.
func (n *calls) end() { n.running.Add(-1) }

// tooMany answers a call for which there was no place. The log has one line
// for all of them.
func (c *call) tooMany() answer {
	c.traceFailure(errTooManyCalls)
	ans := refuse(http.StatusServiceUnavailable, "Too many calls of this function are running; try again")
	ans.header = retryAfter(time.Second)
	return ans
}
