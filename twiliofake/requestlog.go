package twiliofake

import (
	"encoding/hex"
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
	// Form holds the parameters of a form body.
	Form url.Values `json:"form,omitempty"`
	// Body is a body that is not a form.
	Body string `json:"body,omitempty"`
	// Status is the answer's status; zero if no answer was sent.
	Status int `json:"status"`
	// Answer is the answer's body.
	Answer string `json:"answer,omitempty"`
	// Faults names the rules that struck.
	Faults []string `json:"faults,omitempty"`
}

// masked replaces a secret.
const masked = "***"

// maxLogged is how many bytes of a body the log keeps.
const maxLogged = 16 << 10

// requestLog is a ring of the last requests; start is the oldest.
type requestLog struct {
	mu      sync.Mutex
	max     int
	entries []*Request
	start   int
	ids     *rand.Rand
}

func (l *requestLog) begin(r *http.Request, now time.Time, faults []string) *Request {
	e := &Request{
		Time: now.UTC(), Method: r.Method, Host: r.Host, Path: r.URL.Path,
		Header: maskHeader(r.Header), Faults: faults,
	}
	if q := r.URL.Query(); len(q) > 0 {
		e.Query = maskForm(q)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var b [16]byte
	for i := range b {
		b[i] = byte(l.ids.Uint32())
	}
	e.ID = "RQ" + hex.EncodeToString(b[:])
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
func (l *requestLog) end(e *Request, status int, body []byte, res *response) {
	var form url.Values
	kind, _, _ := strings.Cut(e.Header.Get("Content-Type"), ";")
	text := ""
	if strings.EqualFold(strings.TrimSpace(kind), "application/x-www-form-urlencoded") {
		if f, err := url.ParseQuery(string(body)); err == nil && len(body) <= maxLogged {
			form = maskForm(f)
		}
	}
	if form == nil {
		text = maskBody(body)
	}
	answer := ""
	if res != nil {
		answer = maskBody(res.body)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	e.Duration = time.Since(e.Time)
	e.Form, e.Body, e.Status, e.Answer = form, text, status, answer
}

// Requests returns the logged requests that match m, oldest first. The log has
// those that were refused or never answered, too. A request that is still
// under way has no status yet.
//
//	tries := len(fake.Requests(twiliofake.Match{Method: "POST", Host: "iam"}))
func (t *Twilio) Requests(m Match) []Request {
	t.log.mu.Lock()
	defer t.log.mu.Unlock()
	var out []Request
	for i := range t.log.entries {
		e := t.log.entries[(t.log.start+i)%len(t.log.entries)]
		if m.matches(e.Method, e.Host, e.Path) {
			out = append(out, *e)
		}
	}
	return out
}

// ClearRequests empties the request log.
func (t *Twilio) ClearRequests() {
	t.log.mu.Lock()
	defer t.log.mu.Unlock()
	t.log.entries, t.log.start = nil, 0
}

// maskHeader returns a copy of h without credentials.
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
// not JSON is returned unchanged unless it might contain a token.
func maskBody(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if v, err := decodeJSON(strings.NewReader(string(b))); err == nil && len(b) <= maxLogged {
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
	if len(b) > maxLogged {
		return string(b[:maxLogged]) + "…"
	}
	return string(b)
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
