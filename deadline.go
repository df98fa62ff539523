package flexfn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/flexfn/flexfn/internal/link"
	"github.com/flexfn/flexfn/internal/pace"
	"github.com/flexfn/flexfn/signature"
)

// grace is how long after its deadline a handler may still return. A handler
// that honours its ctx has a better answer than a bare 504. The grace is short
// because the caller has a deadline too, often the same.
const grace = 100 * time.Millisecond

// phase is how far a call has come.
type phase uint8

const (
	receiving phase = iota // the body
	admitting              // checking who calls
	admitted               // reading parameters, or waiting for the same call
	handling
)

// exchange decides which goroutine answers a call: the one that runs it, or the
// timer's after the deadline. The first to take mu does.
//
// Three things may end a call: the handler returns, the deadline passes, or
// the caller leaves. Only the first two produce an answer. The goroutine that
// answers also writes the log line, so that a call is not reported twice.
type exchange struct {
	w     http.ResponseWriter
	timer *time.Timer
	told  chan answer // nil when the call runs on the connection's own goroutine

	mu       sync.Mutex
	phase    phase
	hurried  bool // the connection's read deadline was set
	answered bool
	late     bool // answered by the timer
}

// answer runs c's function and answers on w by the deadline, whatever the
// handler does.
//
// If the server sends an answer as soon as it is flushed, as package host's
// does, the call runs on the connection's goroutine, and the timer's goroutine
// writes a late answer. Otherwise an answer ends only when ServeHTTP returns,
// so the call runs on a second goroutine, and ServeHTTP returns without it.
func (a *App) answer(c *call, w http.ResponseWriter) {
	limit := c.fn.deadline
	switch {
	case limit != 0:
	case c.fn.studio:
		limit = a.config.StudioDeadline
	default:
		limit = a.config.FlexDeadline
	}
	c.start, c.parent = time.Now(), c.request.Context()
	c.limit = remaining(c.parent, limit)
	c.at = c.start.Add(c.limit)
	if c.carriedOn() {
		c.parent = context.WithoutCancel(c.parent)
	}
	c.w = w
	if c.limit <= 0 {
		ans := c.failed(context.DeadlineExceeded)
		ans.requestID = c.usedID()
		c.end()
		ans.write(w, c.request)
		return
	}
	if link.Direct(w) {
		c.timer = time.AfterFunc(c.limit+grace, c.tooLate)
		c.serve()
		return
	}
	c.told = make(chan answer, 1)
	c.timer = time.AfterFunc(c.limit+grace, c.tooLate)
	go c.serve()
	ans := <-c.told
	ans.write(w, c.request)
}

// serve runs the call and answers it, unless the timer has answered.
func (c *call) serve() {
	exited := true
	var ans answer
	defer func() {
		if exited { // by runtime.Goexit, as t.Fatal does: serve will not return
			ans = c.failed(errExited)
			ans.last = true
		}
		ans.requestID = c.usedID()
		c.end()
		c.finish(ans)
	}()
	ans = c.run()
	exited = false
}

var errExited = errors.New("the handler ended its goroutine with runtime.Goexit")

// finish answers with ans, unless it is too late.
func (c *call) finish(ans answer) {
	if c.timer.Stop() {
		c.tell(ans) // the timer will not
		return
	}
	c.mu.Lock()
	late := c.late
	if !late {
		c.answered = true
		c.tell(ans)
	}
	c.mu.Unlock()
	if late {
		c.app.overdue.leave()
		c.logFrom(c.phase, slog.LevelWarn, "the function ended long after its deadline", "duration", time.Since(c.start))
	}
}

// tell writes the answer, or passes it to the goroutine that will.
func (c *call) tell(ans answer) {
	if c.trace != nil {
		c.writeTrace(c.w.Header())
		ans.requestID = c.requestID() // in development every answer has an id
	}
	if ans.last && c.request.ProtoMajor == 1 {
		c.w.Header().Set("Connection", "close")
	}
	if c.told != nil {
		c.told <- ans
		return
	}
	ans.write(c.w, c.request)
	if ans.last {
		_ = http.NewResponseController(c.w).Flush()
	}
}

// tooLate runs when the deadline and its grace have passed, on the timer's
// goroutine.
//
// While the body is being received, it first only sets the connection's read
// deadline: readBody then fails at once, and answers with a status of its own.
// If the read ignores the deadline, as under some test servers, tooLate answers
// one grace later.
func (c *call) tooLate() {
	c.mu.Lock()
	if c.answered {
		c.mu.Unlock()
		return
	}
	if c.phase == receiving && !c.hurried && http.NewResponseController(c.w).SetReadDeadline(time.Now()) == nil {
		c.hurried = true // readBody answers; if it does not, the next tooLate does
		time.AfterFunc(grace, c.tooLate)
		c.mu.Unlock()
		return
	}
	c.answered, c.late = true, true
	c.outlives()
	phase := c.phase
	c.tell(c.lateAnswer())
	if c.told == nil && phase != receiving {
		c.hangUp()
	}
	c.mu.Unlock()

	// The answer must not wait for a log line.
	what := "the handler is still running after its deadline; it should honour its ctx"
	switch phase {
	case admitted:
		what = "the handler had not begun at the deadline"
	case receiving:
		what = "the body did not arrive before the deadline"
	case admitting:
		what = "the caller was not checked before the deadline"
	}
	c.logFrom(phase, slog.LevelError, what, "deadline", c.limit)
}

// interrupt ends the reading of the call's body, and reports whether the server
// can do that. The call answers itself.
func (c *call) interrupt() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.answered && http.NewResponseController(c.w).SetReadDeadline(time.Now()) == nil
}

// lingering is how long a connection stays open after a late answer. Closing it
// while it has unread bytes would reset it, and the client could lose the
// answer.
const lingering = 500 * time.Millisecond

// hangUp takes the connection from the server, which would keep it open as
// long as the handler runs.
//
// On HTTP/2 the stream ends with the answer, so there is nothing to take, and
// Hijack fails.
func (c *call) hangUp() {
	conn, _, err := http.NewResponseController(c.w).Hijack()
	if err != nil {
		return
	}
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	time.AfterFunc(lingering, func() { _ = conn.Close() })
}

// lateAnswer makes the answer to a call that is still running. It reads only
// those fields of c that the call's goroutine no longer changes.
func (c *call) lateAnswer() answer {
	told := &Error{Status: http.StatusGatewayTimeout, Message: lateMessage(c.limit)}
	switch {
	case c.phase == receiving:
		told = slowBody(nil)
	case c.phase == admitting && !c.fn.studio:
		told = tokenLate(nil)
	}
	ans := failure(told.Status, failureBody{
		Message: told.Message, RequestID: c.requestID(), OutcomeUnknown: c.phase == handling && c.fn.once != nil,
	})
	ans.requestID, ans.last = c.requestID(), true
	if told.RetryAfter > 0 {
		ans.header = retryAfter(told.RetryAfter)
	}
	return ans
}

// lateMessage tells the caller which limit was exceeded. It does not say that
// nothing was done, since the handler may still finish.
func lateMessage(limit time.Duration) string {
	if limit <= 0 {
		return "No time was left for the function"
	}
	return fmt.Sprintf("The function did not finish within %s", limit.Round(time.Millisecond))
}

// tokenLate is the answer if the deadline passes while Twilio is asked about the
// Flex token. It is a 503 rather than a 504, so that the plugin tries again.
func tokenLate(err error) *Error {
	return &Error{
		Status:  http.StatusServiceUnavailable,
		Message: "Twilio could not be asked about the Flex token in time; try again", RetryAfter: time.Second, Err: err,
	}
}

// slowBody is the answer if the body came too slowly. err is for the log and
// may be nil.
func slowBody(err error) *Error {
	return &Error{Status: http.StatusRequestTimeout, Message: "The request body did not arrive in time", Err: err}
}

// enter notes that the call has reached phase p, and reports whether it may go
// on. It may not if the caller has been answered, since the handler must not
// start after its caller was told that it did not finish.
func (c *call) enter(p phase) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.phase = p
	return !c.late
}

// run reads the body, checks the caller and runs the handler. It never panics.
//
// Cheap checks come first, so that strangers cost little: a missing signature
// is noticed before the body is read, the body is read before Twilio is asked
// about the token in it, and parameters are decoded last.
func (c *call) run() (ans answer) {
	defer func() {
		if p := recover(); p != nil {
			c.log(slog.LevelError, "handler panicked", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			ans = c.failed(errPanic)
			c.traceFailure(fmt.Errorf("%w: %v", errPanic, p))
		}
	}()
	if c.fn.studio && !c.fn.open && c.request.Header.Get(signature.Header) == "" {
		_, err := c.checkSignature(nil) // before the body is read
		return c.failed(err)
	}
	lease := bodyLease{room: c.app.bodies}
	defer lease.release()
	c.app.uploads.enter(c)
	body, err := readBody(c.request, c.app.config.MaxBodyBytes, c.at, &lease)
	if c.app.uploads.leave(c) {
		err = &Error{
			Status:     http.StatusServiceUnavailable,
			Message:    "Too many request bodies are under way, and this one was the slowest; try again",
			RetryAfter: time.Second, Err: err,
		}
	}
	if err != nil {
		if c.fn.studio && c.request.Header.Get(signature.Header) != "" {
			err = unreadable(err) // the status tells a stranger nothing
		}
		ans = c.failed(err)
		ans.last = true // the server must not wait for the rest of the body
		return ans
	}
	c.enter(admitting)
	vs, err := c.admit(body)
	if err != nil {
		return c.failed(err)
	}
	c.enter(admitted)
	return c.guarded(vs)
}

// errPanic is answered as an unexpected error. The panic's value goes to the
// log only, since it may hold anything.
var errPanic = errors.New("the handler panicked")

// handle runs the handler, unless the call's ctx has ended or its caller was
// answered. The error is the one that the answer was made from.
//
// A place is taken last, so that refused callers occupy none.
func (c *call) handle(in any) (answer, error) {
	if err := c.Err(); err != nil {
		return c.failed(err), err
	}
	if !c.enter(handling) {
		return c.failed(context.DeadlineExceeded), context.DeadlineExceeded
	}
	if !c.begin() {
		return c.tooMany(), errTooManyCalls
	}
	defer c.fn.calls.end()
	end := c.span(link.Handler)
	out, err := c.fn.invoke(c, in)
	end(err != nil)
	if err != nil {
		return c.failed(err), err
	}
	ans, err := c.success(out)
	if err != nil {
		return c.failed(err), err
	}
	return ans, nil
}

// remaining is the shorter of d and what is left of ctx's own deadline.
func remaining(ctx context.Context, d time.Duration) time.Duration {
	if at, ok := ctx.Deadline(); ok {
		return min(d, time.Until(at))
	}
	return d
}

// log writes one of flexfn's own lines about the call.
func (c *call) log(level slog.Level, message string, args ...any) {
	c.logger().Log(c, level, message, args...)
}

// logFrom is log for an event in phase p. Anyone can send requests that are
// then refused, so the lines about those are limited.
func (c *call) logFrom(p phase, level slog.Level, message string, args ...any) {
	if p >= admitted {
		c.log(level, message, args...)
		return
	}
	c.logSparsely(level, message, args...)
}

// logSparsely writes a line that any stranger can cause. Each function gets a
// burst of them, and then an occasional one that says how many were left out.
func (c *call) logSparsely(level slog.Level, message string, args ...any) {
	leftOut, ok := c.fn.lines.Next()
	if !ok {
		return
	}
	if leftOut > 0 {
		args = append(args, pace.LeftOut, leftOut)
	}
	c.log(level, message, args...)
}

// overdue counts the calls whose callers were answered at the deadline and that
// have not ended. The zero value is ready to use.
type overdue struct {
	mu   sync.Mutex
	n    int
	none chan struct{} // closed when the last one leaves; nil while nothing waits
}

// outlives notes that the call goes on after its answer, for its host too.
func (c *call) outlives() {
	link.Meet(c.parent, c.app)
	c.app.overdue.enter()
}

// enter adds a call.
func (o *overdue) enter() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.n++
}

// leave removes a call, and wakes waiters if it was the last one.
func (o *overdue) leave() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.n--; o.n == 0 && o.none != nil {
		close(o.none)
		o.none = nil
	}
}

// wait waits until no call is left or ctx ends.
func (o *overdue) wait(ctx context.Context) error {
	o.mu.Lock()
	if o.n == 0 {
		o.mu.Unlock()
		return nil
	}
	if o.none == nil {
		o.none = make(chan struct{})
	}
	none := o.none
	o.mu.Unlock()
	select {
	case <-none:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("handlers are still running past their deadline: %w", ctx.Err())
	}
}
