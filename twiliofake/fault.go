package twiliofake

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// An Action is the effect of a fault on a request. In JSON it is the string.
type Action string

// The actions. A request that a fault strikes is not carried out unless Apply
// is set. Slow only delays requests, and RateLimit only stops those beyond its
// rate.
const (
	// Slow waits for Delay and does nothing else. All other actions wait for
	// Delay first.
	Slow Action = "slow"
	// Status answers with Status, Code, Message and RetryAfter.
	Status Action = "status"
	// RateLimit answers 429, code 20429, to requests beyond PerSecond.
	RateLimit Action = "rate-limit"
	// HTML answers with an HTML page instead of JSON, as a proxy might.
	HTML Action = "html"
	// Cut carries the request out and drops the connection in the middle of the
	// answer's body.
	Cut Action = "cut"
	// Reset drops the connection before the request is read.
	Reset Action = "reset"
	// ResetAfter drops the connection after the request is read.
	ResetAfter Action = "reset-after"
	// Hang never answers; it ends when the client gives up.
	Hang Action = "hang"
)

// silent reports whether the client gets no answer at all. The log then has
// status 0.
func (a Action) silent() bool { return a == Reset || a == ResetAfter || a == Hang }

// A Fault is a rule that makes the fake misbehave. Of the rules that match a
// request, the first one that is due strikes. Slow rules only add their delay
// and leave the request to later rules.
//
//	// The next three updates of a task meet a conflict.
//	err := fake.AddFault(twiliofake.Fault{
//		Match:  twiliofake.Match{Method: "POST", Host: "taskrouter", Path: "/v1/Workspaces/*/Tasks/*"},
//		Times:  3,
//		Status: 412,
//	})
//
//	// A create whose answer is lost: it took effect, but the client does not know.
//	err = fake.AddFault(twiliofake.Fault{
//		Match:  twiliofake.Match{Method: "POST", Path: "/v1/Workspaces/*/Tasks"},
//		Times:  1,
//		Action: twiliofake.ResetAfter,
//		Apply:  true,
//	})
//
// A rule never strikes the control API. Rules are counted under one lock, so of
// ten concurrent requests exactly three meet a rule with Times 3; which three
// is up to the scheduler.
type Fault struct {
	// Name identifies the rule in the request log; empty uses the action's name.
	Name string `json:"name,omitempty"`
	Match
	// Skip lets that many matching requests pass first. To strike only the nth
	// request, set Skip to n-1 and Times to 1. Only requests between From and
	// Until count.
	Skip int `json:"skip,omitempty"`
	// Times bounds how often the rule strikes; zero means no limit.
	Times int `json:"times,omitempty"`
	// Probability is the share of matching requests to strike, above 0 and at
	// most 1, drawn with State.FaultSeed. Zero strikes all of them.
	Probability float64 `json:"probability,omitempty"`
	// From and Until limit the rule to a period, such as an outage. A zero time
	// means no limit. From is inclusive and Until exclusive. Both are compared
	// with the process's clock when the request arrives.
	From  time.Time `json:"from,omitzero"`
	Until time.Time `json:"until,omitzero"`

	// Action is what to do with a request; empty means [Status].
	Action Action `json:"action,omitempty"`
	// Apply carries the request out even though its answer is lost or replaced:
	// the call takes effect, but the client does not learn about it. Cut always
	// carries it out. With HTML it acts like a proxy in front of Twilio that
	// fails after the request went through.
	Apply bool `json:"apply,omitempty"`
	// Delay is how long to wait first. In JSON it is a string such as "250ms".
	// It ends early if the client leaves or the fake is closed.
	Delay time.Duration `json:"-"`
	// Status is the HTTP status for Status and HTML, from 200 to 599; zero
	// means 503. The other actions ignore it: RateLimit always answers 429, and
	// Cut keeps the real status.
	Status int `json:"status,omitempty"`
	// Code is Twilio's error code; zero means 20000 plus the status.
	Code int `json:"code,omitempty"`
	// Message is the error's text; empty means the text of the status.
	Message string `json:"message,omitempty"`
	// RetryAfter is the value of the Retry-After header, sent as it is: seconds,
	// a date, or nonsense. Empty sends no header.
	RetryAfter string `json:"retry_after,omitempty"`
	// PerSecond is how many requests a second RateLimit lets through; above
	// zero.
	PerSecond float64 `json:"per_second,omitempty"`

	// Struck counts how often the rule has struck, as [Twilio.Faults] reports
	// it. A rule that is set with a count continues from it and does not skip
	// again. Together with Times it survives [Twilio.Save] and [Twilio.Load],
	// so a rule does not strike more often than Times across restarts.
	Struck int `json:"struck,omitempty"`
}

// Spent reports whether the rule has struck Times times. A rule without a limit
// is never spent. Spent rules stay in the list, so that their count can still
// be read.
func (f Fault) Spent() bool { return f.Times > 0 && f.Struck >= f.Times }

// faultJSON has the fields of a Fault without its methods, so that encoding it
// does not call MarshalJSON again.
type faultJSON Fault

type faultDocument struct {
	faultJSON
	Delay string `json:"delay,omitempty"`
}

// MarshalJSON writes the rule, with Delay as a string.
func (f Fault) MarshalJSON() ([]byte, error) {
	d := faultDocument{faultJSON: faultJSON(f)}
	if f.Delay != 0 {
		d.Delay = f.Delay.String()
	}
	return json.Marshal(d)
}

// UnmarshalJSON reads the rule. Unknown keys are errors. A misspelled key would
// make a rule that matches every request, which is why it is not ignored. A
// failed call leaves f unchanged, unless only the delay is wrong.
func (f *Fault) UnmarshalJSON(b []byte) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	var d faultDocument
	if err := dec.Decode(&d); err != nil {
		return err
	}
	*f = Fault(d.faultJSON)
	if d.Delay != "" {
		delay, err := time.ParseDuration(d.Delay)
		if err != nil {
			return fmt.Errorf("delay %q is not a duration such as 250ms", d.Delay)
		}
		f.Delay = delay
	}
	return nil
}

func (f Fault) name() string {
	if f.Name != "" {
		return f.Name
	}
	return string(f.action())
}

func (f Fault) action() Action {
	if f.Action == "" {
		return Status
	}
	return f.Action
}

// check returns an error that joins every invalid field of the rule. Conditions
// are written so that NaN fails them: a comparison with it is always false.
func (f Fault) check() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	switch f.action() {
	case Slow:
		if f.Delay <= 0 {
			bad("slow needs a delay")
		}
	case RateLimit:
		if !(f.PerSecond > 0) || math.IsInf(f.PerSecond, 0) {
			bad("rate-limit needs per_second above 0")
		}
	case Status, HTML, Cut, Reset, ResetAfter, Hang:
	default:
		bad("unknown action %q", f.Action)
	}
	if !(f.Probability >= 0 && f.Probability <= 1) {
		bad("probability %v is not from 0 to 1", f.Probability)
	}
	if f.Skip < 0 || f.Times < 0 || f.Delay < 0 || f.Struck < 0 {
		bad("skip, times, delay and struck cannot be negative")
	}
	if f.Status != 0 && (f.Status < 200 || f.Status > 599) {
		bad("status %d is not from 200 to 599", f.Status)
	}
	if err := f.Match.check(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func checkFaults(rules []Fault) error {
	var errs []error
	for i, f := range rules {
		if err := f.check(); err != nil {
			errs = append(errs, fmt.Errorf("faults[%d]: %w", i, err))
		}
	}
	return errors.Join(errs...)
}

// spoil turns the real answer into the fault's. res is nil if the request was
// not carried out. The body of a cut answer is halved while Content-Length
// stays, so the client sees io.ErrUnexpectedEOF and not a short but valid
// answer. RateLimit sends Retry-After: 1, since at one request a second or more
// the next token is available by then.
func (f *Fault) spoil(res *response) *response {
	status := f.Status
	if status == 0 {
		status = http.StatusServiceUnavailable
	}
	switch f.action() {
	case Cut:
		res.header.set("Content-Length", strconv.Itoa(len(res.body)))
		res.body = res.body[:len(res.body)/2]
		return res
	case HTML:
		page := fmt.Sprintf("<html><head><title>%d %s</title></head><body><h1>%[2]s</h1></body></html>\n", status, http.StatusText(status))
		res = &response{status, headers{"Content-Type", "text/html; charset=utf-8"}, []byte(page)}
	case RateLimit:
		res = refuse(http.StatusTooManyRequests, 20429, "Too Many Requests").response(false)
		res.header.set("Retry-After", "1")
	default:
		code, message := f.Code, f.Message
		if code == 0 {
			code = 20000 + status
		}
		if message == "" {
			message = http.StatusText(status)
		}
		res = refuse(status, code, "%s", message).response(false)
	}
	if f.RetryAfter != "" {
		res.header.set("Retry-After", f.RetryAfter)
	}
	return res
}

// abort drops the connection: with a TCP reset if possible, otherwise the way
// net/http aborts a handler. Without SO_LINGER the system would send a FIN
// first, which a client reads as an empty answer (io.EOF) and not as a reset.
// Hijack fails for HTTP/2 and for the in-memory transport, where the panic
// alone does it.
func abort(w http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		if tcp, ok := conn.(*net.TCPConn); ok {
			tcp.SetLinger(0) //nolint:errcheck // it is closed next
		}
		conn.Close() //nolint:errcheck // dropping it is the point
	}
	panic(http.ErrAbortHandler)
}

// faults are the rules in force, with their counts. They have a separate lock,
// since a request that a rule delays must not hold the state's lock.
type faults struct {
	mu    sync.Mutex
	rules []rule
	seed  uint64
	dice  *rand.Rand
}

// A rule is a fault with its counts. seen counts matching requests, so that
// Skip can pass the first ones; Struck counts those that were hit.
type rule struct {
	Fault
	seen   int
	tokens float64 // left in the rate limit's bucket
	filled time.Time
}

// A stroke is the combined effect of the rules on one request.
type stroke struct {
	fault *Fault // nil lets the request through
	delay time.Duration
	names []string
}

// set replaces the rules, and restarts the dice, so that setting the same rules
// again repeats the same choices.
func (f *faults) set(rules []Fault, seed uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules, f.seed, f.dice = nil, seed, rand.New(rand.NewPCG(seed, 0x666c74))
	for _, r := range rules {
		f.add(r)
	}
}

// add appends a rule. The caller holds the lock. A rule with a count has let
// its Skip pass before it was saved.
func (f *faults) add(r Fault) {
	added := rule{Fault: r}
	if r.Struck > 0 {
		added.seen = r.Skip
	}
	f.rules = append(f.rules, added)
}

func (f *faults) list() ([]Fault, uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]Fault, len(f.rules))
	for i := range f.rules {
		out[i] = f.rules[i].Fault
	}
	return out, f.seed
}

// strike returns the effect of the rules on r. Delays of slow rules add up; the
// first other rule that strikes decides the rest. A rate limit that lets the
// request through has not struck, so later rules see the request.
func (f *faults) strike(r *http.Request, now time.Time) stroke {
	f.mu.Lock()
	defer f.mu.Unlock()
	var s stroke
	for i := range f.rules {
		rule := &f.rules[i]
		if !rule.matches(r.Method, r.Host, r.URL.Path) || !rule.hits(now, f.dice) {
			continue
		}
		s.delay += rule.Delay
		s.names = append(s.names, rule.name())
		if rule.action() != Slow {
			fault := rule.Fault
			fault.Action = fault.action()
			s.fault = &fault
			break
		}
	}
	return s
}

// hits counts a matching request and reports whether the rule strikes it. The
// order matters: a request outside of the period does not count towards Skip,
// and one that the dice spare does not count towards Times.
func (r *rule) hits(now time.Time, dice *rand.Rand) bool {
	if !r.From.IsZero() && now.Before(r.From) || !r.Until.IsZero() && !now.Before(r.Until) {
		return false
	}
	r.seen++
	if r.seen <= r.Skip || r.Spent() {
		return false
	}
	if r.Probability > 0 && dice.Float64() >= r.Probability {
		return false
	}
	if r.action() == RateLimit && r.allow(now) {
		return false
	}
	r.Struck++
	return true
}

// allow takes a token from the rate limit's bucket, which holds one second's
// worth. The first request finds it full. With a rate below one a second the
// bucket still holds one token, or nothing would ever pass.
func (r *rule) allow(now time.Time) bool {
	burst := math.Max(r.PerSecond, 1)
	if r.filled.IsZero() {
		r.tokens = burst
	} else {
		r.tokens = math.Min(burst, r.tokens+now.Sub(r.filled).Seconds()*r.PerSecond)
	}
	r.filled = now
	if r.tokens < 1 {
		return false
	}
	r.tokens--
	return true
}

// Faults returns the rules in order, with how often each has struck. The slice
// is a copy, and includes spent rules.
func (t *Twilio) Faults() []Fault {
	f, _ := t.faults.list()
	return f
}

// SetFaults replaces all fault rules. Without rules the fake behaves like
// Twilio. If a rule is invalid, nothing changes, and the error names every
// invalid field. Requests that a rule is holding stay held; see
// [Twilio.Close].
//
// It restarts the choices of rules with a Probability and refills rate limits.
// A rule keeps the count in its Struck; set that to zero to begin again.
func (t *Twilio) SetFaults(rules ...Fault) error {
	if err := checkFaults(rules); err != nil {
		return fmt.Errorf("twiliofake: %w", err)
	}
	_, seed := t.faults.list()
	t.faults.set(rules, seed)
	return nil
}

// AddFault adds a rule after the existing ones. If it is invalid, nothing
// changes, and the error names every invalid field. Rules may be added while
// requests are under way. An earlier rule that strikes the same requests wins
// over it.
func (t *Twilio) AddFault(f Fault) error {
	if err := f.check(); err != nil {
		return fmt.Errorf("twiliofake: %w", err)
	}
	t.faults.mu.Lock()
	defer t.faults.mu.Unlock()
	t.faults.add(f)
	return nil
}
