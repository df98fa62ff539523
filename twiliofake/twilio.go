package twiliofake

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Config configures a [Twilio]. The zero value is a fake in the state of
// [DevelopmentState] that makes the same SIDs on every run.
//
// A Config is only read by [New], so one can be used for several fakes. Fakes
// share no state, whatever their configuration.
type Config struct {
	_ [0]func()

	// State is the initial state; nil means [DevelopmentState]. It is copied:
	// changing it afterwards does not change the fake.
	State *State
	// Seed seeds the SIDs of created resources. The same seed and the same
	// sequence of requests make the same SIDs. Zero is a valid seed.
	Seed uint64
	// MaxRequests bounds the request log; when it is full, the oldest entry is
	// dropped. Zero or less means 1000. An entry keeps at most 16 KiB of the
	// request's body, and as much of the answer's.
	MaxRequests int
	// Strict turns off the generic layer: operations that are not modelled by
	// hand are answered 501. Set it in tests that must not depend on guesses
	// about Twilio. Its code, 20501, distinguishes such an answer from Twilio's
	// errors.
	Strict bool
}

// A Twilio is an in-memory fake of Twilio. As an [http.Handler] it answers for
// the product in the request's Host header. It is safe for concurrent use:
// requests are carried out one at a time, so each sees all effects of earlier
// ones. A request that a [Fault] delays or holds does not keep others waiting.
//
// Its clock is the process's, so in a testing/synctest bubble tasks age, timers
// run out and tokens expire in virtual time. The zero value is not usable; make
// one with [New].
type Twilio struct {
	rows   *rowIndex
	strict bool

	mu     sync.Mutex // guards the fields below
	store  *store
	tokens map[string]Token
	seed   uint64
	// Requests use the same maps one after the other, since new ones would be
	// large.
	vars     map[string]string // of the call
	rendered map[string]any    // by render

	faults faults
	log    requestLog

	closing func()
	closed  <-chan struct{}
}

// New makes a fake. If the state is invalid, the error joins every fault.
//
// A fake neither listens on a port nor starts a goroutine. It costs little
// until the first request to an operation of the generic layer, whose table is
// then decoded once for the process.
//
// There is nothing to release: [Twilio.Close] is for fakes whose faults hold
// requests.
func New(cfg Config) (*Twilio, error) {
	rows, err := theRows()
	if err != nil {
		return nil, err
	}
	t := &Twilio{rows: rows, strict: cfg.Strict, seed: cfg.Seed, vars: map[string]string{}, rendered: map[string]any{}}
	t.log.max = cfg.MaxRequests
	if t.log.max <= 0 {
		t.log.max = 1000
	}
	t.log.ids = rand.New(rand.NewPCG(cfg.Seed, 0x5251))
	closed := make(chan struct{})
	t.closed, t.closing = closed, sync.OnceFunc(func() { close(closed) })
	state := DevelopmentState()
	if cfg.State != nil {
		state = *cfg.State
	}
	if err := t.SetState(state); err != nil {
		return nil, err
	}
	return t, nil
}

// Close ends the requests that a fault is holding, as if their connections were
// lost, and keeps faults from holding later ones, so that a server of the fake
// can shut down. The fake still answers other requests. A delay ends at once,
// and its request is answered. Close may be called more than once and from any
// goroutine; it does not wait.
func (t *Twilio) Close() { t.closing() }

// maxBody bounds the body of a request, in bytes; real requests are far smaller.
const maxBody = 4 << 20

// ServeHTTP answers like Twilio. Paths under [ControlPath] go to the control
// API. Faults do not affect requests to the control API, which do not appear in
// the request log either. Both apply to all other requests, even those with a
// wrong host or wrong credentials.
//
// If a fault drops the connection, ServeHTTP panics with
// [http.ErrAbortHandler], which net/http expects of a handler that aborts.
func (t *Twilio) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, ControlPath) {
		t.control(w, r)
		return
	}
	started := time.Now()
	struck := t.faults.strike(r, started)
	entry := t.log.begin(r, started, struck.names)
	if !t.wait(r, struck.delay) {
		t.log.end(entry, 0, nil, nil)
		panic(http.ErrAbortHandler)
	}
	f := struck.fault
	if f != nil && f.Action == Reset && !f.Apply {
		t.log.end(entry, 0, nil, nil)
		abort(w)
	}
	var body []byte
	var err error
	if r.Body != http.NoBody {
		body, err = readBody(http.MaxBytesReader(w, r.Body, maxBody))
	}
	var res *response
	switch {
	case errors.As(err, new(*http.MaxBytesError)):
		res = refuse(http.StatusRequestEntityTooLarge, 20413, "The body is larger than %d bytes", maxBody).response(false)
	case err != nil:
		t.log.end(entry, 0, nil, nil)
		panic(http.ErrAbortHandler) // the client left
	case f == nil:
		res = t.carryOut(r, body)
	default:
		if f.Apply || f.Action == Cut {
			res = t.carryOut(r, body)
		}
		res = f.spoil(res)
	}
	// An answer without a body cannot be cut short.
	if f != nil && (f.Action.silent() || f.Action == Cut && len(res.body) == 0) {
		t.log.end(entry, 0, body, nil)
		if f.Action == Hang {
			select {
			case <-r.Context().Done():
			case <-t.closed:
			}
		}
		abort(w)
	}
	t.log.end(entry, res.status, body, res)
	res.write(w, entry.ID)
	if f != nil && f.Action == Cut {
		http.NewResponseController(w).Flush() //nolint:errcheck // the connection is dropped next
		panic(http.ErrAbortHandler)
	}
}

// readBody reads the body of a request into a slice of exactly its length, since
// the request log keeps it.
func readBody(r io.Reader) ([]byte, error) {
	room := rooms.Get().(*[]byte)
	defer rooms.Put(room)
	buffer := bytes.NewBuffer((*room)[:0])
	_, err := buffer.ReadFrom(r)
	*room = buffer.Bytes()
	return bytes.Clone(*room), err
}

// wait waits for d and reports whether the client is still there. It does not
// hold a lock, so other requests continue.
func (t *Twilio) wait(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-t.closed:
		return true
	case <-r.Context().Done():
		return false
	}
}

// write sends the response with the headers of every Twilio response. The
// concurrency and the duration are constants: the fake carries out one request
// at a time, and a measured duration would make two runs differ.
func (res *response) write(w http.ResponseWriter, requestID string) {
	h := w.Header()
	for i := 0; i < len(res.header); i += 2 {
		h.Set(res.header[i], res.header[i+1])
	}
	h.Set("Twilio-Request-Id", requestID)
	h.Set("Twilio-Concurrent-Requests", "1")
	h.Set("Twilio-Request-Duration", "0.001")
	w.WriteHeader(res.status)
	w.Write(res.body) //nolint:errcheck // the client left
}

// Resource is one item of the state document: the fields that Twilio sends, by
// their names on the wire. A field whose name starts with an underscore is
// stored but never sent; _version counts the item's changes and makes its ETag.
type Resource = map[string]any

// Resource returns a copy of the item of a kind, such as "tasks", with the
// identity id: its SID, or whatever identifies it in the path (a participant's
// call SID, a country's ISO code). The second result is false if it does not
// exist.
//
//	task, ok := fake.Resource("tasks", "WT00000000000000000000000000000001")
//	attributes := task["attributes"] // JSON in a string, as Twilio sends it
//
// Integer fields are int, and numbers inside an object or a list are
// [encoding/json.Number]. Dates are strings: RFC 3339 in UTC or, in the API of
// 2010, RFC 1123 with a numeric zone. Like a request, it first deletes items
// that have expired.
//
// If several items of the kind have that identity, in different accounts or
// under different parents, it returns the first that it finds, account by
// account. An unknown kind does not have items.
func (t *Twilio) Resource(kind, id string) (Resource, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.store.expire(time.Now())
	if rec := t.lookUp(kind, id); rec != nil {
		return rec.export(), true
	}
	return nil, false
}

// lookUp returns an item of any account, or nil. The tree has an account level
// that callers of [Twilio.Resource] do not name, so it searches every account.
// Singletons do not have identities, so the first one found counts.
func (t *Twilio) lookUp(kind, id string) *record {
	k := t.kindNamed(kind)
	if k == nil {
		return nil
	}
	want := map[string]any{}
	if !k.singleton {
		want[k.vars[len(k.vars)-1]] = id
	}
	if k.root {
		return t.store.accounts().find(id, nil)
	}
	for acc := range t.store.accounts().all() {
		for rec := range t.store.where(k, acc, want) {
			return rec
		}
	}
	return nil
}

// SetResource adds an item to a kind, or replaces the one with the same
// identity. Missing fields get their initial values. It fails if the kind, a
// field or a value is unknown, or if a parent of the item does not exist.
//
//	err := fake.SetResource("workers", twiliofake.Resource{
//		"sid":           "WK00000000000000000000000000000009",
//		"workspace_sid": twiliofake.DevelopmentWorkspaceSID,
//		"friendly_name": "night-shift",
//	})
//
// [Twilio.State] shows the names of the kinds.
//
// The identity must be given, since SetResource does not make SIDs. An item
// without account_sid goes to the first account. Replacing an item drops the
// fields that the new one lacks and restarts its ETag at the given _version, or
// at 0; what is below it stays. The fake copies the item.
//
// It sets up a test, and is not a request: the rules for requests are not
// checked, and neither a TaskRouter event nor a log entry is recorded.
func (t *Twilio) SetResource(kind string, item Resource) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := t.kindNamed(kind)
	if k == nil {
		return fmt.Errorf("twiliofake: unknown kind of resource %q", kind)
	}
	if err := t.store.load(k, item, t.mainAccount(), time.Now().UTC()); err != nil {
		return fmt.Errorf("twiliofake: %s: %w", kind, err)
	}
	for _, viewer := range k.viewers {
		t.store.review(viewer)
	}
	return nil
}

// RemoveResource deletes an item and everything below it, without the side
// effects of a DELETE request. It reports whether the item existed. For
// example, it removes an available worker, which TaskRouter would refuse, and
// does not record an event.
func (t *Twilio) RemoveResource(kind, id string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	rec := t.lookUp(kind, id)
	if rec == nil {
		return false
	}
	t.store.remove(rec)
	return true
}
