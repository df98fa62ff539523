// Package contract reads the recordings of the Node.js template (the reference),
// so that tests can send the same requests and imitate the same upstream.
// recordings/README.md says where they come from.
package contract

import (
	"bytes"
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

//go:embed recordings/*.json
var recordings embed.FS

// Case is one recorded exchange.
type Case struct {
	ID                 string             `json:"id"`
	Function           *Function          `json:"function"`
	Env                map[string]*string `json:"env"`
	Request            *Request           `json:"request"`
	SequentialRequests []Request          `json:"sequential_requests"`
	ConcurrentRequests []Request          `json:"concurrent_requests"`
	Response           *Response          `json:"response"`
	Responses          []Response         `json:"responses"`
	UpstreamCalls      []UpstreamCall     `json:"upstream_calls"`
	ConnectFaults      map[string]struct {
		Mode  string `json:"mode"`
		Times int    `json:"times"` // zero means always
	} `json:"connect_faults"`
	UpstreamFinalState json.RawMessage `json:"upstream_final_state"`
	Note               string          `json:"note"`
	// Further answers requests that were not recorded, for functions that make more.
	Further []UpstreamCall `json:"-"`
}

// Function is the function that was called.
type Function struct {
	Path               string          `json:"path"`
	Wrapper            string          `json:"wrapper"`
	RequiredParameters json.RawMessage `json:"requiredParameters"`
	Handler            string          `json:"handler"`
}

// Request is a request to a function.
type Request struct {
	Method  string      `json:"method"`
	Path    Text        `json:"path"`
	Headers [][2]string `json:"headers"`
	Body    Text        `json:"body"`
}

// Response is a function's answer; Status is 0 if there was none.
type Response struct {
	Status  int         `json:"status"`
	Headers [][2]string `json:"headers"`
	Body    Text        `json:"body"`
}

// UpstreamCall is a request that the function sent, and the answer it got.
type UpstreamCall struct {
	Host     string      `json:"host"`
	Method   string      `json:"method"`
	Path     string      `json:"path"`
	Headers  [][2]string `json:"headers"`
	Body     Text        `json:"body"`
	Response struct {
		Status  int               `json:"status"`
		Headers map[string]string `json:"headers"`
		Body    Text              `json:"body"`
		Media   []byte            `json:"body_base64"` // instead of Body
		Fault   string            `json:"fault"`
	} `json:"response"`
}

// Load reads a topic: cors, features, functions, handler, params, required,
// retry or token. The edits are applied to its JSON text first.
func Load(topic string, edits ...func(text []byte) []byte) ([]Case, error) {
	text, err := recordings.ReadFile("recordings/" + topic + ".json")
	if err != nil {
		return nil, err
	}
	for _, edit := range edits {
		text = edit(text)
	}
	var cases []Case
	if err := json.Unmarshal(text, &cases); err != nil {
		return nil, fmt.Errorf("topic %s: %w", topic, err)
	}
	return cases, nil
}

// Requests returns the case's requests in order, however they were sent.
func (c Case) Requests() []Request {
	if c.Request != nil {
		return []Request{*c.Request}
	}
	return append(c.SequentialRequests, c.ConcurrentRequests...)
}

// Answers returns the answers, one for each of Requests.
func (c Case) Answers() []Response {
	if c.Response != nil {
		return []Response{*c.Response}
	}
	return c.Responses
}

// HTTP returns the request for a server at base, such as "http://127.0.0.1".
func (r Request) HTTP(base string) (*http.Request, error) {
	req, err := http.NewRequest(r.Method, base+string(r.Path), bytes.NewReader([]byte(r.Body)))
	if err != nil {
		return nil, err
	}
	for _, h := range r.Headers {
		req.Header.Add(h[0], h[1])
	}
	return req, nil
}

// Header returns the first value of a header, named in lower case.
func (r Response) Header(name string) string { return header(r.Headers, name) }

// Header returns the first value of a header, named in lower case.
func (u UpstreamCall) Header(name string) string { return header(u.Headers, name) }

func header(list [][2]string, name string) string {
	for _, h := range list {
		if h[0] == name {
			return h[1]
		}
	}
	return ""
}

// Text is a body or a path, written out or described.
type Text string

// UnmarshalJSON reads a string, null, {"base64": …} or {"generated": …}.
func (t *Text) UnmarshalJSON(b []byte) error {
	if b[0] == '"' || string(b) == "null" {
		var s string
		err := json.Unmarshal(b, &s)
		*t = Text(s)
		return err
	}
	var d struct {
		Base64    *string         `json:"base64"`
		Generated json.RawMessage `json:"generated"`
		Bytes     int             `json:"bytes"`
	}
	if err := json.Unmarshal(b, &d); err != nil {
		return err
	}
	if d.Base64 != nil {
		raw, err := base64.StdEncoding.DecodeString(*d.Base64)
		*t = Text(raw)
		return err
	}
	s, err := generate(d.Generated)
	if err == nil && len(s) != d.Bytes {
		err = fmt.Errorf("generated %d bytes of %s, want %d", len(s), d.Generated, d.Bytes)
	}
	*t = Text(s)
	return err
}

func generate(how json.RawMessage) (string, error) {
	if bytes.HasPrefix(how, []byte(`"`)) {
		var s string
		err := json.Unmarshal(how, &s)
		return s, err
	}
	var d struct {
		Gen, Prefix, Suffix, S string
		N                      int
	}
	if err := json.Unmarshal(how, &d); err != nil {
		return "", err
	}
	parts := make([]string, d.N)
	switch d.Gen {
	case "repeat":
		return d.Prefix + strings.Repeat(d.S, d.N) + d.Suffix, nil
	case "params":
		for i := range parts {
			parts[i] = "p" + strconv.Itoa(i) + "=" + strconv.Itoa(i)
		}
		return d.Prefix + strings.Join(parts, "&"), nil
	case "jsonparams":
		for i := range parts {
			parts[i] = `"p` + strconv.Itoa(i) + `":` + strconv.Itoa(i)
		}
		return "{" + strings.Join(parts, ",") + "}", nil
	}
	return "", fmt.Errorf("unknown way to generate text: %s", how)
}
