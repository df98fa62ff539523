package contract

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// Player is an [http.RoundTripper] that answers like the recorded upstream. Each
// request gets the answer of the first recorded call with its method, host and
// path that was not played yet, or of the last one if all were played. Requests
// without a recorded call are answered by the case's further calls. The page
// size of a list may differ. It is safe for concurrent use.
type Player struct {
	c Case

	mu     sync.Mutex
	played []bool
	faults int // connect faults so far
	seen   []Seen
}

// Seen is a request that the player received.
type Seen struct {
	Method, Host, Path, Body string
	Header                   http.Header
	// Recorded is the index of the recorded call that answered, or -1 if there
	// was none left.
	Recorded int
}

// NewPlayer returns a Player for the upstream of c.
func NewPlayer(c Case) *Player {
	return &Player{c: c, played: make([]bool, len(c.UpstreamCalls))}
}

// Seen returns the requests so far.
func (p *Player) Seen() []Seen {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Seen(nil), p.seen...)
}

// RoundTrip implements [http.RoundTripper].
func (p *Player) RoundTrip(req *http.Request) (*http.Response, error) {
	for pattern, fault := range p.c.ConnectFaults {
		if regexp.MustCompile(pattern).MatchString(req.URL.Host) && p.faultStrikes(fault.Times) {
			return nil, connectFault(fault.Mode, req.URL.Hostname())
		}
	}
	var body []byte
	if req.Body != nil {
		var err error
		body, err = io.ReadAll(req.Body)
		req.Body.Close()
		if err != nil {
			return nil, err
		}
	}
	call := p.take(req, body)
	if call == nil {
		return nil, fmt.Errorf("the recording has no further %s %s%s", req.Method, req.URL.Host, req.URL.RequestURI())
	}
	switch f := call.Response.Fault; {
	case f == "never answers":
		<-req.Context().Done()
		return nil, req.Context().Err()
	case strings.HasPrefix(f, "TCP RST"):
		return nil, &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	case f == "connection closed without an answer":
		return nil, io.EOF
	}
	answer := string(call.Response.Body) + string(call.Response.Media)
	resp := &http.Response{
		StatusCode: call.Response.Status,
		Status:     strconv.Itoa(call.Response.Status) + " " + http.StatusText(call.Response.Status),
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        http.Header{},
		Body:          io.NopCloser(strings.NewReader(answer)),
		ContentLength: int64(len(answer)),
		Request:       req,
	}
	for k, v := range call.Response.Headers {
		resp.Header.Set(k, v)
	}
	if strings.HasPrefix(call.Response.Fault, "headers promise") {
		resp.ContentLength = 1000
		resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader([]byte(call.Response.Body)), cut{}))
	}
	return resp, nil
}

func (p *Player) take(req *http.Request, body []byte) *UpstreamCall {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := Seen{
		Method: req.Method, Host: req.URL.Host, Path: req.URL.RequestURI(), Body: string(body),
		Header: req.Header.Clone(), Recorded: -1,
	}
	var call *UpstreamCall
	for i, c := range p.c.UpstreamCalls {
		if c.Method != s.Method || c.Host != s.Host || withoutPageSize(c.Path) != withoutPageSize(s.Path) {
			continue
		}
		call = &p.c.UpstreamCalls[i]
		if !p.played[i] {
			p.played[i] = true
			s.Recorded = i
			break
		}
	}
	p.seen = append(p.seen, s)
	if call != nil {
		return call
	}
	for i, c := range p.c.Further {
		if c.Method == s.Method && c.Host == s.Host && withoutPageSize(c.Path) == withoutPageSize(s.Path) {
			return &p.c.Further[i]
		}
	}
	return nil
}

// withoutPageSize removes the page size from a path's query and sorts the rest.
func withoutPageSize(path string) string {
	path, query, found := strings.Cut(path, "?")
	values, err := url.ParseQuery(query)
	if !found || err != nil {
		return path + "?" + query
	}
	values.Del("PageSize")
	return path + "?" + values.Encode()
}

func (p *Player) faultStrikes(times int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults++
	return times == 0 || p.faults <= times
}

func connectFault(mode, host string) error {
	var cause error
	switch mode {
	case "ENOTFOUND", "REALDNS":
		cause = &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	case "EAI_AGAIN":
		cause = &net.DNSError{Err: "server misbehaving", Name: host, IsTemporary: true}
	case "ECONNREFUSED":
		cause = syscall.ECONNREFUSED
	case "ECONNRESET":
		cause = syscall.ECONNRESET
	case "EHOSTUNREACH":
		cause = syscall.EHOSTUNREACH
	case "EPIPE":
		cause = syscall.EPIPE
	case "ETIMEDOUT":
		cause = syscall.ETIMEDOUT
	default:
		cause = fmt.Errorf("unknown recorded fault %s", mode)
	}
	return &net.OpError{Op: "dial", Net: "tcp", Err: cause}
}

// cut is a body that ends early.
type cut struct{}

func (cut) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
