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

// calls counts the running handlers of one function, including those past their
// deadline. The zero value is ready to use.
type calls struct {
	running atomic.Int64
	refused atomic.Int64 // when a call was last refused, in Unix nanoseconds; 0: not lately
}

// calmAfter is how long a function must go without refusing a call before the
// log says that it is called again. Near the bound, calls are admitted and
// refused in turn, and each change would be logged.
const calmAfter = 10 * time.Second

// errTooManyCalls is the error that the trace of a refused call shows. Handlers
// never see it.
var errTooManyCalls = errors.New("too many calls of the function are running")

// begin takes one of the function's places and reports whether one was free.
// Call end to give it back.
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

// tooMany answers a call for which no place was free. begin logs one line for
// all of them.
func (c *call) tooMany() answer {
	c.traceFailure(errTooManyCalls)
	ans := refuse(http.StatusServiceUnavailable, "Too many calls of this function are running; try again")
	ans.header = retryAfter(time.Second)
	return ans
}
