package flexfn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flexfn/flexfn/internal/claim"
	"github.com/flexfn/flexfn/internal/conflict"
	"github.com/flexfn/flexfn/internal/link"
	"github.com/flexfn/flexfn/internal/spool"
	"github.com/flexfn/flexfn/internal/store"
	"github.com/flexfn/flexfn/openapi"
	"github.com/flexfn/flexfn/signature"
)

// App is an [http.Handler] that runs functions. It holds what they share:
// configuration, HTTP client, token cache, Store and log. Make one with [New],
// and register functions with [App.Handle]. The zero App cannot be used.
//
// An App is safe for concurrent use and needs no closing; call [App.Wait]
// before the program exits. A program may have several Apps, for instance one
// per Twilio account.
//
// An App can be mounted in an [http.ServeMux] next to other handlers, and below
// a prefix that [http.StripPrefix] removes: signatures are checked over the URL
// as it was sent. Middleware must leave the body and the query as they are.
type App struct {
	config                      Config
	log                         *slog.Logger
	lines                       *spool.Queue // behind log
	client                      *http.Client
	origins                     map[string]bool // nil: any
	allowHeaders, exposeHeaders string          // values of the CORS headers
	bodies                      *bodyRoom
	uploads                     uploads
	tokens                      *tokenValidator
	signed                      *signature.Verifier
	claims                      *claim.Claims // over the Store
	alone                       *claim.Claims // in this process; for Deduplicate while the Store fails
	entries                     *store.Entries
	retry                       *retryPolicy
	turns                       conflict.Turns

	handling    sync.Mutex // held for handled and signedPaths
	handled     map[string]*route
	signedPaths []string                          // sorted
	functions   atomic.Pointer[map[string]*route] // a copy of handled that never changes; nil: out of date
	files       atomic.Pointer[fileTree]          // of HandleFiles

	overdue    overdue
	laggards   laggards
	deliveries deliveries
	met        atomic.Bool // whether the host of the first request was noted
}

// New makes an App. If config is faulty, the App is nil and the error joins all
// faults, each with the name of the variable and a remedy; it contains no
// secrets. New makes no network requests, so a wrong auth token or a Store that
// is down shows only when requests arrive. "flexfn doctor --live" asks Twilio
// beforehand.
//
// The app keeps config, so do not change its slices and maps afterwards.
func New(config Config) (*App, error) {
	if config.describing {
		config = config.forDescription()
	}
	config, faults := config.withDefaults()
	a := &App{
		config:  config,
		lines:   new(spool.Queue),
		retry:   newRetryPolicy(config),
		origins: originSet(config.AllowedOrigins),

		allowHeaders:  headerList("Authorization, Content-Type, Idempotency-Key", config.AllowedHeaders),
		exposeHeaders: headerList("Retry-After, X-Request-Id", config.ExposedHeaders),

		bodies:  newBodyRoom(config.MaxBodiesBytes),
		handled: map[string]*route{},
	}
	faults = append(faults, a.retry.fault)
	var err error
	if config.AuthToken != "" { // withDefaults has reported an empty one
		a.signed, err = newVerifier(config)
		faults = append(faults, err)
	}
	if err = errors.Join(faults...); err != nil {
		return nil, err
	}
	// From here on, everything that is read has been checked.
	a.log, a.client = newLogger(config, a.lines), newHTTPClient(config)
	if a.entries, err = newEntries(config, a.log); err != nil {
		return nil, err
	}
	a.claims = claim.New(a.entries)
	if !a.entries.Private() {
		a.turns.Shared = a.takeTurn
	}
	a.alone = claim.New(store.InMemory(store.NewMemory(ownMemoryBytes), a.log))
	a.tokens = newTokenValidator(a)
	if config.developed() && config.Queue == nil {
		a.config.Queue = &memoryQueue{app: a, jobs: map[string]bool{}}
	}
	return a, nil
}

// Config returns the configuration that the app was made from, with defaults
// filled in. It contains secrets. Changing it does not change the app.
func (a *App) Config() Config { return a.config }

// Handle registers f at path, which must be absolute, without a trailing slash,
// and consist of letters, digits and "-._~" between its slashes. Requests match
// it exactly, case included. It may be called while the app serves. If the path
// of a signed function is the beginning of another's, as /studio/hours is of
// /studio/hours-today, a warning is logged; docs/security.md says why.
//
// It panics, as [http.ServeMux.Handle] does, if the path is malformed or taken,
// or if the function's definition is faulty. These are mistakes in the program,
// and best found when it starts.
//
//	app.Handle("/flex/hold", flexfn.PrepareFlexFunction(hold))
//	app.Handle("/studio/hours", flexfn.PrepareStudioFunction(hours))
//
// A function may be registered at several paths and in several apps. It cannot
// be removed.
func (a *App) Handle(path string, f *Function) {
	if err := link.CheckPath(path); err != nil {
		panic("flexfn: Handle: " + err.Error())
	}
	if f == nil {
		panic("flexfn: Handle " + path + ": the function is nil")
	}
	if f.fault != nil {
		panic("flexfn: Handle " + path + ": " + f.fault.Error())
	}
	if m, ok := f.part.(link.Mounted); ok {
		if err := m.Mount(path, a.runtime()); err != nil {
			panic("flexfn: Handle " + path + ": " + err.Error())
		}
	}
	a.handling.Lock()
	defer a.handling.Unlock()
	if _, taken := a.handled[path]; taken {
		panic("flexfn: Handle " + path + ": the path is taken")
	}
	a.handled[path] = &route{Function: f}
	a.functions.Store(nil)
	if f.studio && !f.open {
		a.warnOfBeginnings(path)
	}
}

// warnOfBeginnings adds path to the paths of signed functions, and logs each
// pair of them in which one is the beginning of the other. Twilio signs the URL
// and a form's names and values one after the other, so that a request signed
// for the longer path is also signed for the shorter one, with the rest in a
// form.
func (a *App) warnOfBeginnings(path string) {
	warn := func(shorter, longer string) {
		a.log.Warn("a signed function's path is the beginning of another's: a request that Twilio signed for the longer path can be sent to the shorter one; give one of them another path", "path", shorter, "longer", longer)
	}
	at, _ := slices.BinarySearch(a.signedPaths, path)
	a.signedPaths = slices.Insert(a.signedPaths, at, path)
	for _, longer := range a.signedPaths[at+1:] {
		if !strings.HasPrefix(longer, path) {
			break
		}
		warn(path, longer)
	}
	for n := 1; n < len(path); n++ {
		if f := a.handled[path[:n]]; f != nil && f.studio && !f.open {
			warn(path[:n], path)
		}
	}
}

// byPath returns the functions by path, in a map that never changes. Only the
// first request after a call of [App.Handle] takes the lock.
func (a *App) byPath() map[string]*route {
	if functions := a.functions.Load(); functions != nil {
		return *functions
	}
	a.handling.Lock()
	defer a.handling.Unlock()
	functions := maps.Clone(a.handled)
	a.functions.Store(&functions)
	return functions
}

// Route is a function and its path, as [App.Routes] lists them. Use it to
// print what a program serves, or to check in a test that no function is open
// by mistake.
type Route struct {
	Path     string
	Function *Function
}

// Describe returns what is known about the function and its path.
func (r Route) Describe() openapi.Function {
	d := r.Function.Describe()
	d.Path = r.Path
	return d
}

// Routes lists the registered functions, sorted by path. The caller may change
// the slice.
func (a *App) Routes() []Route {
	functions := a.byPath()
	list := make([]Route, 0, len(functions))
	for _, path := range slices.Sorted(maps.Keys(functions)) {
		list = append(list, Route{path, functions[path].Function})
	}
	return list
}

// Describe describes the registered functions, sorted by path.
// [openapi.Document], the console and the TypeScript client are built from it.
// It reads the functions' definitions and runs no handler.
func (a *App) Describe() []openapi.Function {
	routes := a.Routes()
	list := make([]openapi.Function, len(routes))
	for i, r := range routes {
		list[i] = r.Describe()
	}
	return list
}

// Wait waits for handlers that are still running after their callers were
// answered at the deadline, until ctx ends, and then up to a second for log
// lines that are not written yet. Events that await another attempt in this
// process get a last one at once. Call Wait after the server has shut down;
// package host does. It returns an error if ctx ended first.
func (a *App) Wait(ctx context.Context) error {
	a.laggards.hurry()
	err := a.overdue.wait(ctx)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = a.lines.Wait(ctx) // a log that is not read must not stop the program from exiting
	return err
}

// Ready returns nil if the app should get requests. Otherwise it returns the
// reason why another instance should: log lines are being lost because their
// reader has stalled. Package host answers its health check accordingly. It
// does not ask Twilio or the Store: an outage of theirs hits all instances
// alike, so another instance would not help.
func (a *App) Ready() error {
	if n := a.lines.Lost(); n > 0 {
		return fmt.Errorf("the log is not being read: %d lines were lost", n)
	}
	return nil
}

// ServeHTTP answers one request. The answer is a JSON object with CORS headers,
// whatever happens, unless the handler returns a [Response] with another body.
// The answer comes at the function's deadline at the latest, even if the handler
// goes on.
//
// Statuses that flexfn itself answers with:
//
//   - 204 to OPTIONS, with the CORS headers of a preflight;
//   - 400 if parameters are missing or do not fit, or the body cannot be read;
//   - 403 if the origin, token, role or signature is not accepted;
//   - 404 and 405 for an unknown path and another method than GET, HEAD and POST;
//   - 408 if the body does not arrive before the deadline;
//   - 413 and 415 if the body is too long, or compressed or not UTF-8;
//   - 429 if too many unknown tokens are being checked;
//   - 500 if the handler fails with an unexpected error, or panics;
//   - 503 with Retry-After if Twilio cannot be asked about the token, or too many
//     calls or bodies are under way;
//   - 504 if the deadline passes.
//
// A guarded function adds 409 and 422; see [Once]. A request with Twilio's
// signature whose body cannot be read is answered 500 rather than 4xx, after which
// Twilio would drop an event for good. HEAD runs the handler, as GET does, and the
// answer has no body.
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !a.met.Load() {
		a.met.Store(true)
		link.Meet(r.Context(), a)
	}
	if a.config.developed() && a.serveDev(w, r) {
		return
	}
	allowed := a.cors(w.Header(), r)
	if r.Method == http.MethodOptions {
		// On every path, so that a page can read the 404 of a wrong one.
		w.Header().Set("Allow", allowMethods)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if !allowed {
		refuse(http.StatusForbidden, "This origin is not on the server's list of allowed origins").write(w, r)
		return
	}
	f := a.byPath()[r.URL.Path]
	if f == nil && a.serveFile(w, r) {
		return
	}
	if f == nil || r.URL.RawPath != "" {
		refuse(http.StatusNotFound, "There is no function at this path").write(w, r)
		return
	}
	if r.Method != http.MethodPost && r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", allowMethods)
		refuse(http.StatusMethodNotAllowed, "Functions are called with GET or POST, not %q", r.Method).write(w, r)
		return
	}
	c := &call{app: a, fn: f, path: r.URL.Path, request: r}
	if a.config.devKey != "" {
		c.trace = new(trace)
	}
	a.answer(c, w)
}

// admit checks the caller and then reads the parameters. Until the caller is
// accepted, the body is not decoded and no answer mentions parameters, so a
// stranger neither costs memory nor learns what the function takes.
func (c *call) admit(body []byte) (*values, error) {
	if c.fn.studio {
		return c.admitSigned(body)
	}
	vs, err := readValues(c.request, body)
	if err != nil {
		return nil, err // the token may be among the parameters
	}
	end := c.span(link.TokenCheck)
	c.owner, err = c.app.tokens.admit(c, vs)
	end(err != nil)
	if c.overdue(err) {
		err = tokenLate(err)
	}
	c.traceCaller()
	if err != nil {
		return nil, err
	}
	return vs, vs.decode()
}

// admitSigned checks Twilio's signature, and then reads the parameters. A
// signed request whose body cannot be read is answered 500, since Event
// Streams drops events after a 4xx; an open function, which anyone may call,
// keeps the 4xx. A function that takes batches reads the body itself, so a body
// without parameters is not an error there.
func (c *call) admitSigned(body []byte) (*values, error) {
	mend := unreadable
	var proof signature.Proof
	if c.fn.open {
		mend = func(err error) error { return err }
	} else {
		end := c.span(link.SignatureCheck)
		var err error
		proof, err = c.checkSignature(body)
		end(err != nil)
		if err != nil {
			return nil, err
		}
	}
	vs, err := readValues(c.request, body)
	if err == nil {
		if !c.fn.open {
			vs.takeForm(proof.Form())
		}
		err = vs.decode()
	}
	if p, ok := c.fn.part.(link.BodyReader); ok && p.ReadsBody() {
		c.body = body
		if err != nil {
			return new(values), nil
		}
	}
	return vs, mend(err)
}

// overdue reports whether err arose because the call's deadline has passed.
func (c *call) overdue(err error) bool { return ended(err) && c.Err() == context.DeadlineExceeded }

// callerLeft reports whether err arose because the caller has disconnected.
func (c *call) callerLeft(err error) bool { return ended(err) && c.Err() == context.Canceled }

// ended reports whether err says that a ctx has ended. The handler may have
// made that ctx itself, so the callers of ended look at the call's ctx as well.
func ended(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

func (c *call) debug(err error) {
	if log := c.app.log; log.Enabled(c, slog.LevelDebug) {
		c.logger().DebugContext(c, "request refused", "error", err)
	}
}
