package flexfn

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flexfn/flexfn/internal/link"
	"github.com/flexfn/flexfn/signature"
)

// App runs functions: it is the [http.Handler] that answers for them, and
// holds what they share. Make one with [New] and give it functions with
// [App.Handle]. It is safe for concurrent use.
type App struct {
	config  Config
	log     *slog.Logger
	client  *http.Client
	origins map[string]bool // nil: any
	tokens  tokenChecker
	signed  *signature.Verifier
	replies replyKeeper
	retry   *retryPolicy
	turns   turns

	handling  sync.Mutex // held for handled
	handled   map[string]*Function
	functions atomic.Pointer[map[string]*Function] // a copy of handled that never changes; nil: out of date

	overdue sync.WaitGroup // handlers that outlived their answer
}

// What holds a generic cache stands behind an interface: a package that names
// App would otherwise compile the cache's 1,700 methods anew, each time it is
// built.
type (
	tokenChecker interface {
		admit(*call, *values) (*Owner, error)
	}
	replyKeeper interface {
		do(ctx context.Context, name string, fresh time.Duration, run func() answer) (answer, error)
	}
)

// New makes an App. The error joins everything that is wrong with config.
func New(config Config) (*App, error) {
	config, faults := config.withDefaults()
	a := &App{
		config:  config,
		retry:   newRetryPolicy(config),
		origins: originSet(config.AllowedOrigins),
		handled: map[string]*Function{},
	}
	faults = append(faults, a.retry.fault)
	var err error
	if config.AuthToken != "" { // without it withDefaults has complained
		a.signed, err = newVerifier(config)
		faults = append(faults, err)
	}
	if err = errors.Join(faults...); err != nil {
		return nil, err
	}
	// What follows reads only what has been checked.
	a.log, a.client = newLogger(config), newHTTPClient(config)
	a.tokens, err = newTokenValidator(a)
	if err == nil {
		a.replies, err = newDeduplicator()
	}
	if err != nil {
		return nil, err
	}
	return a, nil
}

// Config returns what the app was made from, defaults filled in. It holds
// secrets.
func (a *App) Config() Config { return a.config }

// Handle lets f answer on path, which must be absolute, without a trailing
// slash, and made of letters, digits and "-._~" between its slashes. Requests
// match it exactly.
//
// It panics, as [http.ServeMux.Handle] does, when the path is malformed or
// taken, or when the function's definition is faulty: these are mistakes in
// the program, and best found at its start.
func (a *App) Handle(path string, f *Function) {
	if err := CheckPath(path); err != nil {
		panic("flexfn: Handle: " + err.Error())
	}
	if f == nil {
		panic("flexfn: Handle " + path + ": the function is nil")
	}
	if f.fault != nil {
		panic("flexfn: Handle " + path + ": " + f.fault.Error())
	}
	a.handling.Lock()
	defer a.handling.Unlock()
	if _, taken := a.handled[path]; taken {
		panic("flexfn: Handle " + path + ": the path is taken")
	}
	a.handled[path] = f
	a.functions.Store(nil)
}

// byPath is the functions by path. Requests do not wait for a lock, but after
// [App.Handle].
func (a *App) byPath() map[string]*Function {
	if functions := a.functions.Load(); functions != nil {
		return *functions
	}
	a.handling.Lock()
	defer a.handling.Unlock()
	functions := maps.Clone(a.handled)
	a.functions.Store(&functions)
	return functions
}

// CheckPath says what is wrong with path as the path of a function; nil when
// [App.Handle] would take it.
func CheckPath(path string) error {
	if !strings.HasPrefix(path, "/") || path == "/" || strings.HasSuffix(path, "/") {
		return fmt.Errorf("the path %q must begin with a slash, name something, and not end with a slash", path)
	}
	for segment := range strings.SplitSeq(path[1:], "/") {
		if segment == "" || segment == "." || segment == ".." || strings.ContainsFunc(segment, func(r rune) bool {
			return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~", r)
		}) {
			return fmt.Errorf("the path %q has the segment %q: use letters, digits and -._~", path, segment)
		}
	}
	return nil
}

// Route is a function and where it answers.
type Route struct {
	Path     string
	Function *Function
}

// Routes lists the functions by path.
func (a *App) Routes() []Route {
	functions := a.byPath()
	list := make([]Route, 0, len(functions))
	for _, path := range slices.Sorted(maps.Keys(functions)) {
		list = append(list, Route{path, functions[path]})
	}
	return list
}

// Wait waits for handlers that were still running when their deadline passed
// and their answer was given, and for ctx at the most. Call it after the
// server was shut down.
func (a *App) Wait(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		a.overdue.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("handlers are still running past their deadline: %w", ctx.Err())
	}
}

// ServeHTTP answers one request. Whatever happens, the answer is a JSON
// object with CORS headers, unless the handler chose otherwise with
// [Response].
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if a.config.devKey != "" && a.serveDev(w, r) {
		return
	}
	allowed := a.cors(w.Header(), r)
	if r.Method == http.MethodOptions {
		// On every path, so that a page can read the 404 of a wrong one.
		w.Header()["Allow"] = allowMethods
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if !allowed {
		refuse(http.StatusForbidden, "This origin is not on the server's list of allowed origins").write(w, r)
		return
	}
	f := a.byPath()[r.URL.Path]
	if f == nil || r.URL.RawPath != "" {
		refuse(http.StatusNotFound, "There is no function at this path").write(w, r)
		return
	}
	if r.Method != http.MethodPost && r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header()["Allow"] = allowMethods
		refuse(http.StatusMethodNotAllowed, "Functions are called with GET or POST, not %q", r.Method).write(w, r)
		return
	}
	c := &call{app: a, fn: f, path: r.URL.Path, request: r}
	if a.config.devKey != "" {
		c.trace = new(trace)
	}
	ans := a.answer(c, w)
	if c.trace != nil {
		c.writeTrace(w.Header())
		ans.requestID = c.requestID() // in development every answer has one
	}
	ans.write(w, r)
}

// grace is how long after its deadline a handler may still return: one that
// honours its ctx has a better answer to give than a bare 504.
const grace = 100 * time.Millisecond

// answer runs c's function, on a goroutine of its own so that its deadline
// holds whatever the handler does.
func (a *App) answer(c *call, w http.ResponseWriter) answer {
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
	c.deadline = c.start.Add(c.limit)
	if c.deduplicated() {
		// A delivery that Twilio gives up is repeated: this one goes on, so
		// that the next one finds its answer.
		c.parent = context.WithoutCancel(c.parent)
	}

	done := make(chan bool, 2) // true: answered; false: too late
	timer := time.AfterFunc(c.limit+grace, func() { done <- false })
	defer timer.Stop()

	body, err := readBody(w, c.request, a.config.MaxBodyBytes, c.deadline)
	if err != nil {
		defer c.end()
		if c.fn.studio && c.request.Header.Get(signature.Header) != "" {
			err = unreadable(err) // a stranger learns nothing from the status
		}
		ans := c.failed(err)
		ans.requestID = c.usedID()
		return ans
	}
	// Read here, where the stack has grown already; what is wrong with the
	// parameters is told after it is known who calls.
	vs, bad := parseValues(c.request, body)
	var ans answer
	go func() {
		defer c.end()
		growStack(0)
		ans = c.run(body, vs, bad)
		done <- true
	}()
	if <-done {
		return ans
	}
	a.overdue.Go(func() {
		<-done
		c.logger().Warn("the handler returned long after its deadline", "duration", time.Since(c.start))
	})
	return c.late()
}

// growStack gives a new goroutine the stack that most handlers and the
// encoding of their answers need, while there is little on it to be copied.
//
//go:noinline
func growStack(i uint8) byte {
	var room [4 << 10]byte
	return room[i]
}

// late answers for a handler that is still running: of c it uses only what
// the handler's goroutine never changes.
func (c *call) late() answer {
	c.logger().Error("the handler is still running after its deadline; it should honour its ctx", "deadline", c.limit)
	ans := failure(http.StatusGatewayTimeout, failureBody{Message: lateMessage(c.limit), RequestID: c.requestID()})
	ans.requestID = c.requestID()
	return ans
}

func lateMessage(limit time.Duration) string {
	return fmt.Sprintf("The function did not finish within %s", limit)
}

// run does everything for a request that can take time. It never panics.
func (c *call) run(body []byte, vs *values, bad error) (ans answer) {
	defer func() {
		if p := recover(); p != nil {
			c.logger().Error("handler panicked", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			c.header = nil
			ans = c.failed(errPanic)
			c.traceFailure(fmt.Errorf("%w: %v", errPanic, p))
			ans.requestID = c.usedID()
		}
	}()
	switch err := c.admit(body, vs, bad); {
	case err != nil:
		ans = c.failed(err)
	case c.deduplicated():
		ans = c.once(vs)
	default:
		ans = c.handle(vs)
	}
	ans.requestID = c.usedID()
	return ans
}

// handle runs the handler.
func (c *call) handle(vs *values) answer {
	end := c.span(link.Handler)
	out, err := c.fn.invoke(c, vs)
	end(err != nil)
	if err != nil {
		return c.failed(err)
	}
	ans, err := c.success(out)
	if err != nil {
		return c.failed(err)
	}
	return ans
}

var errPanic = errors.New("the handler panicked")

// admit checks who calls, and then whether the parameters could be read.
func (c *call) admit(body []byte, vs *values, bad error) (err error) {
	switch {
	case c.fn.studio && c.fn.open:
		return bad
	case c.fn.studio:
		end := c.span(link.SignatureCheck)
		err = c.checkSignature(body)
		end(err != nil)
		return cmp.Or(err, unreadable(bad))
	case bad != nil:
		return bad // the token may be among the parameters
	}
	end := c.span(link.TokenCheck)
	c.owner, err = c.app.tokens.admit(c, vs)
	end(err != nil)
	c.traceCaller()
	return err
}

// overdue reports whether err is there because the deadline has passed.
func (c *call) overdue(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) && c.Err() != nil
}

func (c *call) debug(err error) {
	if log := c.app.log; log.Enabled(c, slog.LevelDebug) {
		c.logger().DebugContext(c, "request refused", "error", err)
	}
}
