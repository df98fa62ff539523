package twiliofake

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/flexfn/flexfn/internal/mask"
)

// A Request is an entry of the request log: a request and its answer. Auth
// tokens, API secrets and Flex tokens are masked.
//
// The log is for assertions and for the console, not for replay: a masked form
// cannot be sent again. Time is when the request arrived, in UTC; Duration
// includes a fault's delay.
type Request struct {
	// ID is the Twilio-Request-Id of the answer.
	ID       string        `json:"id"`
	Time     time.Time     `json:"time"`
	Duration time.Duration `json:"duration"` // nanoseconds; zero until the request ends
	Method   string        `json:"method"`
	Host     string        `json:"host"`
	Path     string        `json:"path"` // decoded
	Query    url.Values    `json:"query,omitempty"`
	// Header holds the request's headers, with the secret in Authorization
	// masked.
	Header http.Header `json:"header,omitempty"`
	// Form holds the parameters of a form body. A form larger than 16 KiB is in
	// Body instead.
	Form url.Values `json:"form,omitempty"`
	// Body is a body that is not a form. It is cut at 16 KiB. A body that
	// cannot be masked by its keys, but contains the word token in the part
	// that is kept, is replaced with "***". It is empty if a fault struck before
	// the body was read.
	Body string `json:"body,omitempty"`
	// Status is the answer's status; zero if no answer was sent.
	Status int `json:"status"`
	// Fidelity says which layer answered, "modelled" or "generic"; see
	// [Fidelity]. It is empty if a fault answered.
	Fidelity string `json:"fidelity,omitempty"`
	// Answer is the answer's body. It is bounded and masked like Body.
	Answer string `json:"answer,omitempty"`
	// Faults names the rules that struck.
	Faults []string `json:"faults,omitempty"`
}

// masked replaces a secret.
const masked = "***"

// maxLogged is how many bytes of a body the log keeps. A log of 1000 entries
// would otherwise keep every upload of a test alive.
const maxLogged = 16 << 10

// A logEntry is a request as it came. Secrets are masked when it is first read.
// Most entries of a test run are never read, and masking costs more than the
// request itself.
type logEntry struct {
	Request
	query        string
	header       http.Header
	body, answer []byte // nil if they are too large and already in the Request
	masked       bool
}

// requestLog is a ring of the last requests; start is the oldest. It has its
// own lock, since a request is logged before it waits for the state's.
type requestLog struct {
	mu      sync.Mutex
	max     int
	entries []*logEntry
	start   int
	ids     *rand.Rand
}

// begin adds an entry for a request that has just arrived. The ID comes from a
// separate generator. Otherwise it would depend on how many SIDs were made, and
// a fault that stops requests would shift the SIDs of later items.
func (l *requestLog) begin(r *http.Request, now time.Time, faults []string) *logEntry {
	e := &logEntry{
		Request: Request{Time: now.UTC(), Method: r.Method, Host: r.Host, Path: r.URL.Path, Faults: faults},
		query:   r.URL.RawQuery, header: r.Header.Clone(),
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	e.ID = randomHex(l.ids, "RQ")
	if len(l.entries) < l.max {
		l.entries = append(l.entries, e)
	} else {
		l.entries[l.start] = e
		l.start = (l.start + 1) % l.max
	}
	return e
}

// end completes an entry. If the request got no answer, status is 0 and res is
// nil.
func (l *requestLog) end(e *logEntry, status int, body []byte, res *response) {
	var text, answer string
	var answerBody []byte
	if len(body) > maxLogged {
		text, body = maskBody(body), nil
	}
	fidelity := ""
	if res != nil {
		answerBody, fidelity = res.body, res.header.get(Fidelity)
	}
	if len(answerBody) > maxLogged {
		answer, answerBody = maskBody(answerBody), nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	e.Duration = time.Since(e.Time)
	e.Body, e.Answer, e.Status, e.Fidelity = text, answer, status, fidelity
	e.body, e.answer, e.masked = body, answerBody, false
}

// read returns the entry with its secrets masked. The caller holds the log's
// lock.
func (e *logEntry) read() Request {
	if e.masked {
		return e.Request
	}
	e.masked = true
	e.Header = maskHeader(e.header)
	if q, _ := url.ParseQuery(e.query); len(q) > 0 { // the part that parses
		e.Query = maskForm(q)
	}
	if e.body != nil {
		kind, _, _ := strings.Cut(e.header.Get("Content-Type"), ";")
		form, err := url.ParseQuery(string(e.body))
		if strings.EqualFold(strings.TrimSpace(kind), "application/x-www-form-urlencoded") && err == nil {
			e.Form = maskForm(form)
		} else {
			e.Body = maskBody(e.body)
		}
	}
	if e.answer != nil {
		e.Answer = maskBody(e.answer)
	}
	return e.Request
}

// Requests returns the logged requests that match m, oldest first. The log
// includes requests that were refused or never answered. A request that is
// still under way has no status yet.
//
//	tries := len(fake.Requests(twiliofake.Match{Method: "POST", Host: "iam"}))
//
// The entries share their maps and slices with the log: do not change them. A
// malformed pattern in m matches nothing. They are in the order of arrival, not
// the order in which they were carried out.
func (t *Twilio) Requests(m Match) []Request {
	t.log.mu.Lock()
	defer t.log.mu.Unlock()
	var out []Request
	for i := range t.log.entries {
		e := t.log.entries[(t.log.start+i)%len(t.log.entries)]
		if m.matches(e.Method, e.Host, e.Path) {
			out = append(out, e.read())
		}
	}
	return out
}

// ClearRequests empties the request log. A request that is under way does not
// appear in it when it ends. State, faults and their counts stay.
func (t *Twilio) ClearRequests() {
	t.log.mu.Lock()
	defer t.log.mu.Unlock()
	t.log.entries, t.log.start = nil, 0
}

// maskHeader returns a copy of h without credentials. The user name of Basic
// authentication stays: it is an account SID or an API key's SID, and a test
// wants to know which of the two was used.
func maskHeader(h http.Header) http.Header {
	out := h.Clone()
	if out.Get("Authorization") != "" {
		who := masked
		if user, _, ok := (&http.Request{Header: h}).BasicAuth(); ok {
			who = "Basic " + user + ":" + masked
		}
		out.Set("Authorization", who)
	}
	for name := range out {
		if name != "Authorization" && mask.Header(name) {
			out[name] = []string{masked}
		}
	}
	return out
}

// maskForm returns a form with the values of secret keys masked. It copies the
// map and replaces values in it, so the request's own form is untouched.
func maskForm(form url.Values) url.Values {
	out := maps.Clone(form)
	for k := range out {
		if mask.Key(k) {
			out[k] = []string{masked}
		}
	}
	return out
}

// maskBody returns a body with the values of secret keys masked. A body that is
// not JSON, or too large to keep, is returned in part, or not at all if that
// part might contain a token.
func maskBody(b []byte) string {
	cut := ""
	if len(b) > maxLogged {
		b, cut = b[:maxLogged], "…"
	} else if v, err := decodeJSON(string(b)); err == nil {
		if maskJSON(v) {
			if out, err := json.Marshal(v); err == nil {
				return string(out)
			}
		}
		return string(b)
	}
	if strings.Contains(strings.ToLower(string(b)), "token") {
		return masked
	}
	return string(b) + cut
}

// maskJSON masks v itself and reports whether it masked anything.
func maskJSON(v any) bool {
	found := false
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if mask.Key(k) && e != nil {
				v[k], found = masked, true
			} else {
				found = maskJSON(e) || found
			}
		}
	case []any:
		for _, e := range v {
			found = maskJSON(e) || found
		}
	}
	return found
}
