// Package contract reads the recordings of the reference in testdata/contract
// and plays the upstream of a case.
package contract

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/flexfn/flexfn/internal/memnet"
)

// Case is one recording; testdata/contract/README.md describes its fields.
type Case struct {
	ID       string `json:"id"`
	Function struct {
		Path               string `json:"path"`
		Wrapper            string `json:"wrapper"`
		RequiredParameters []any  `json:"requiredParameters"` // a key, or key and purpose
		Handler            string `json:"handler"`
	} `json:"function"`
	Env                map[string]*string      `json:"env"`
	ConnectFaults      map[string]ConnectFault `json:"connect_faults"`
	Request            Request                 `json:"request"`
	SequentialRequests []Request               `json:"sequential_requests"`
	ConcurrentRequests []Request               `json:"concurrent_requests"`
	Response           Response                `json:"response"`
	Responses          []Response              `json:"responses"`
	UpstreamCalls      []Call                  `json:"upstream_calls"`
	UpstreamFinalState json.RawMessage         `json:"upstream_final_state"`
	Note               string                  `json:"note"`
}

// ConnectFault fails connections to the hosts that its key matches.
type ConnectFault struct {
	Mode  string `json:"mode"`
	Times int    `json:"times"` // zero: always
}

// Request is one request to the function.
type Request struct {
	Method  string      `json:"method"`
	Path    string      `json:"path"`
	Headers [][2]string `json:"headers"`
	Body    *string     `json:"body"`
}

// Response is the function's answer.
type Response struct {
	Status  int         `json:"status"`
	Headers [][2]string `json:"headers"`
	Body    string      `json:"body"`
}

// Call is one request that the upstream got, and its answer.
type Call struct {
	Host     string      `json:"host"`
	Method   string      `json:"method"`
	Path     string      `json:"path"`
	Headers  [][2]string `json:"headers"`
	Body     string      `json:"body"`
	Response struct {
		Status  int               `json:"status"`
		Headers map[string]string `json:"headers"`
		Body    string            `json:"body"`
		Fault   string            `json:"fault"`
	} `json:"response"`
}

// Load reads the cases of a file.
func Load(t testing.TB, path string) []Case {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var cases []Case
	if err := json.Unmarshal(b, &cases); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return cases
}

// defaults is the environment that the cases were recorded in.
var defaults = map[string]string{
	"ACCOUNT_SID":                "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	"AUTH_TOKEN":                 "0123456789abcdef0123456789abcdef",
	"TWILIO_FLEX_WORKSPACE_SID":  "WSaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	"TWILIO_SERVICE_RETRY_LIMIT": "5",
	"TWILIO_SERVICE_MIN_BACKOFF": "100",
	"TWILIO_SERVICE_MAX_BACKOFF": "300",
}

// Lookup reads the case's environment, as os.LookupEnv does.
func (c Case) Lookup(name string) (string, bool) {
	if v, ok := c.Env[name]; ok {
		if v == nil {
			return "", false
		}
		return *v, true
	}
	v, ok := defaults[name]
	return v, ok
}

// Upstream plays the upstream of a case: each request gets the answer of the
// first recorded call like it that is not used up, and after that the last
// one's again.
type Upstream struct {
	*memnet.Network

	mu       sync.Mutex
	left     []Call
	used     []Call
	got      int
	surprise []string
}

// Upstream makes the upstream of the case. Use it in a synctest bubble, or
// outside one.
func (c Case) Upstream(t testing.TB) *Upstream {
	u := &Upstream{left: slices.Clone(c.UpstreamCalls)}
	u.Network = memnet.Serve(t, u)
	for _, f := range c.ConnectFaults { // the recordings have one host each
		u.Refuse = func(n int) error {
			if f.Times > 0 && n > f.Times {
				return nil
			}
			return f.err()
		}
	}
	return u
}

// Got counts the requests that came, and connections that were refused.
func (u *Upstream) Got() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.got
}

// Surprises lists the requests that the case does not have, and the calls of
// the case that were not made.
func (u *Upstream) Surprises() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	list := slices.Clone(u.surprise)
	for _, c := range u.left {
		list = append(list, fmt.Sprintf("missing: %s %s%s %q", c.Method, c.Host, c.Path, c.Body))
	}
	return list
}

func (u *Upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	call, ok := u.take(r, string(body))
	if !ok {
		http.Error(w, "the case has no such request (any more)", http.StatusNotImplemented)
		return
	}
	switch fault := call.Response.Fault; {
	case fault == "":
		for name, value := range call.Response.Headers {
			w.Header().Set(name, value)
		}
		w.WriteHeader(call.Response.Status)
		io.WriteString(w, call.Response.Body)
	case strings.Contains(fault, "RST"):
		memnet.Reset(w, r)
	case strings.Contains(fault, "closed without"):
		memnet.HangUp(w, r)
	case strings.Contains(fault, "promise"):
		memnet.Cut(w, r)
	case strings.Contains(fault, "never answers"):
		memnet.Hang(w, r)
	default:
		panic("unknown fault " + fault)
	}
}

func (u *Upstream) take(r *http.Request, body string) (Call, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.got++
	i := slices.IndexFunc(u.left, func(c Call) bool { return c.matches(r, body) })
	if i < 0 {
		u.surprise = append(u.surprise, fmt.Sprintf("unexpected: %s %s%s %q", r.Method, r.Host, r.URL.RequestURI(), body))
		for _, call := range slices.Backward(u.used) {
			if call.matches(r, body) {
				return call, true
			}
		}
		return Call{}, false
	}
	call := u.left[i]
	u.left = slices.Delete(u.left, i, i+1)
	u.used = append(u.used, call)
	return call, true
}

func (c Call) matches(r *http.Request, body string) bool {
	if c.Method != r.Method || c.Host != r.Host || c.Path != r.URL.RequestURI() || !sameBody(c.Body, body) {
		return false
	}
	for _, h := range c.Headers {
		// If-Match says nothing on a GET.
		if h[0] == "authorization" || h[0] == "if-match" && c.Method != http.MethodGet {
			if r.Header.Get(h[0]) != h[1] {
				return false
			}
		}
	}
	return true
}

// sameBody compares bodies, as forms when their order may differ.
func sameBody(a, b string) bool {
	if a == b {
		return true
	}
	if !formBody.MatchString(a) {
		return false
	}
	x, errA := url.ParseQuery(a)
	y, errB := url.ParseQuery(b)
	return errA == nil && errB == nil && x.Encode() == y.Encode()
}

var formBody = regexp.MustCompile(`^[A-Za-z.]+=`)

func (f ConnectFault) err() error {
	switch f.Mode {
	case "ENOTFOUND", "REALDNS":
		return &net.DNSError{Err: "no such host", IsNotFound: true}
	case "EAI_AGAIN":
		return &net.DNSError{Err: "server misbehaving", IsTemporary: true}
	}
	for _, e := range []struct {
		name string
		err  syscall.Errno
	}{
		{"ECONNREFUSED", syscall.ECONNREFUSED}, {"ECONNRESET", syscall.ECONNRESET}, {"EHOSTUNREACH", syscall.EHOSTUNREACH},
		{"ETIMEDOUT", syscall.ETIMEDOUT}, {"EPIPE", syscall.EPIPE},
	} {
		if e.name == f.Mode {
			return memnet.Refused(e.err)
		}
	}
	panic("unknown connect fault " + f.Mode)
}
