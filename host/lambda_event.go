package host

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/flexfn/flexfn/internal/link"
)

// event is an HTTP request as Lambda gets it, of any of four kinds: from a
// function URL or an HTTP API (payload format 2.0), from a REST API (format
// 1.0), or from an Application Load Balancer. The sources of these rules are
// AWS's pages on each; testdata/lambda has an event of each, and where it is
// from.
type event struct {
	Version string `json:"version"`

	// Format 2.0.
	RawPath        string   `json:"rawPath"`
	RawQueryString string   `json:"rawQueryString"`
	Cookies        []string `json:"cookies"`

	// Format 1.0, and load balancers. Query has only the last of equal keys;
	// MultiQuery has all, and is set unless the load balancer's multi-value
	// headers are off.
	HTTPMethod string  `json:"httpMethod"`
	Path       string  `json:"path"`
	Resource   string  `json:"resource"` // format 1.0: the path's template
	Parameters members `json:"pathParameters"`
	Query      members `json:"queryStringParameters"`
	MultiQuery members `json:"multiValueQueryStringParameters"`

	Headers         members `json:"headers"`
	MultiHeaders    members `json:"multiValueHeaders"`
	Body            string  `json:"body"`
	IsBase64Encoded bool    `json:"isBase64Encoded"`

	RequestContext struct {
		DomainName string `json:"domainName"`
		Stage      string `json:"stage"`
		Path       string `json:"path"` // format 1.0: as it was called
		HTTP       struct {
			Method   string `json:"method"`
			SourceIP string `json:"sourceIp"`
		} `json:"http"`
		Identity struct {
			SourceIP string `json:"sourceIp"`
		} `json:"identity"`
		ELB json.RawMessage `json:"elb"`
	} `json:"requestContext"`
}

// members are the members of a JSON object in the order in which they were sent.
// For some events that is the only record of a query's order.
type members []member

type member struct {
	name   string
	values []string
}

// UnmarshalJSON reads an object whose values are strings, lists of strings, or
// null. A name with null has no values. A name that occurs twice is kept twice.
func (m *members) UnmarshalJSON(data []byte) error {
	*m = nil
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err != nil || t == nil {
		return err
	} else if t != json.Delim('{') {
		return errors.New("an object is expected")
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return err
		}
		var values []string
		if raw[0] == '[' {
			err = json.Unmarshal(raw, &values)
		} else if raw[0] != 'n' {
			values = make([]string, 1)
			err = json.Unmarshal(raw, &values[0])
		}
		if err != nil {
			return err
		}
		*m = append(*m, member{name.(string), values})
	}
	return nil
}

// parseEvent refuses what is not an HTTP request. Events of other kinds have
// members of the same names and other types, so one that cannot be decoded is
// refused in the same way, and [lambdaHandler.other] looks at it.
func parseEvent(payload []byte) (*event, error) {
	e := new(event)
	if err := json.Unmarshal(payload, e); err != nil {
		return nil, fmt.Errorf("the event is not an HTTP request: %w", err)
	}
	if e.method() == "" || !e.version2() && e.Path == "" {
		return nil, errors.New("the event is not an HTTP request: it must come from a function URL, an HTTP API, a REST API or an Application Load Balancer")
	}
	return e, nil
}

func (e *event) version2() bool { return e.Version == "2.0" }
func (e *event) alb() bool      { return e.RequestContext.ELB != nil }

// functionURL reports whether the event comes from a function URL, whose path
// is as sent, rather than from an HTTP API, which decodes it. Both have format
// 2.0; only the host name tells them apart.
func (e *event) functionURL() bool {
	return strings.Contains(e.RequestContext.DomainName, ".lambda-url.")
}

// streamable reports whether the answer may be streamed. HTTP APIs and load
// balancers do not accept streams.
func (e *event) streamable() bool { return e.functionURL() || !e.version2() && !e.alb() }

func (e *event) method() string {
	if e.version2() {
		return e.RequestContext.HTTP.Method
	}
	return e.HTTPMethod
}

// request returns the HTTP request that was sent to the platform. Its
// RequestURI is the one that was called, as far as the event says, since
// Twilio signs it. URL.Path lacks the stage.
func (e *event) request(ctx context.Context) (*http.Request, error) {
	body, err := e.body()
	if err != nil {
		return nil, err
	}
	// This query is put together from members, so a signature may have been
	// made over another order.
	if !e.version2() {
		ctx = link.LoseQueryOrder(ctx)
	}
	r, err := http.NewRequestWithContext(ctx, e.method(), "/", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/1.1", 1, 1
	r.Header = e.header()
	r.Host = r.Header.Get("Host")
	if r.Host == "" {
		r.Host = e.RequestContext.DomainName
	}
	r.Header.Del("Host")
	// The port is unknown. Without one, [net.SplitHostPort] would fail on it.
	r.RemoteAddr = net.JoinHostPort(e.sourceIP(r.Header), "0")

	called, path := e.paths()
	r.URL = &url.URL{RawQuery: e.query()}
	// HTTP and REST APIs have decoded the path. Function URLs and load
	// balancers pass it on as it was sent, so it is decoded here, and kept in
	// RawPath if that is the only record of how it was written, as [url.Parse]
	// does. One that cannot be decoded is taken literally.
	if e.version2() && !e.functionURL() || !e.version2() && !e.alb() {
		r.URL.Path = path
	} else if r.URL.Path, err = url.PathUnescape(path); err != nil {
		r.URL.Path = path
	} else if (&url.URL{Path: r.URL.Path}).EscapedPath() != path {
		r.URL.RawPath = path
	}
	// Without a stage to remove, the path as it was sent is at hand. Otherwise
	// the only form left is the usual encoding of the decoded one.
	if called == path {
		called = r.URL.EscapedPath()
	} else {
		called = (&url.URL{Path: called}).EscapedPath()
	}
	r.RequestURI = called
	if r.URL.RawQuery != "" {
		r.RequestURI += "?" + r.URL.RawQuery
	}
	return r, nil
}

// paths returns the path that was called, and the one without the stage. Under
// a gateway's own host name the stage is part of the path that callers use.
// Under a custom domain it is not, but an HTTP API puts it in front of the
// path nevertheless. A REST API removes it, except under a custom domain whose
// mapping names no stage, where callers write it.
func (e *event) paths() (called, path string) {
	called, path = e.Path, e.Path
	switch {
	case e.version2():
		called, path = e.RawPath, e.RawPath
	case e.RequestContext.Path != "":
		called = e.RequestContext.Path
	}
	ownName := strings.HasSuffix(e.RequestContext.DomainName, ".amazonaws.com")
	stage := e.RequestContext.Stage
	if called == path && stage != "" && !e.alb() && (e.version2() || path != e.resourcePath()) {
		// Only as a whole segment: the stage "v1" is not part of "/v10".
		if rest, ok := strings.CutPrefix(path, "/"+stage); ok && (rest == "" || rest[0] == '/') {
			path = rest
			if e.version2() && !ownName {
				called = path
			}
		}
	}
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	if !strings.HasPrefix(called, "/") {
		called = "/" + called
	}
	return called, path
}

// resourcePath returns the path below all mappings and stages, from the template
// and parameters that a REST API sends. It is empty for other events.
func (e *event) resourcePath() string {
	path := e.Resource
	for _, p := range e.Parameters {
		if len(p.values) == 1 {
			path = strings.NewReplacer("{"+p.name+"}", p.values[0], "{"+p.name+"+}", p.values[0]).Replace(path)
		}
	}
	return path
}

// query returns the raw query if the event has it, and otherwise an equivalent
// one. A load balancer passes its values on as they were sent.
func (e *event) query() string {
	if e.version2() {
		return e.RawQueryString
	}
	query := e.MultiQuery
	if query == nil {
		query = e.Query
	}
	var b strings.Builder
	for _, m := range query {
		for _, v := range m.values {
			if b.Len() > 0 {
				b.WriteByte('&')
			}
			if e.alb() {
				b.WriteString(m.name + "=" + v)
			} else {
				b.WriteString(escapeQuery(m.name) + "=" + escapeQuery(v))
			}
		}
	}
	return b.String()
}

// escapeQuery escapes a space as %20, like Twilio. A plus sign becomes %2B, so
// that it does not come back as a space.
func escapeQuery(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// header returns the request's headers from the fields of the event's format.
func (e *event) header() http.Header {
	h := http.Header{}
	// Headers has only the last of equal ones. A load balancer sends one of the
	// two, a REST API both.
	headers := e.MultiHeaders
	if headers == nil {
		headers = e.Headers
	}
	for _, m := range headers {
		for _, v := range m.values {
			// Format 2.0 joins equal headers with commas; whether a comma
			// separates values depends on the header, so they stay joined.
			h.Add(m.name, v)
		}
	}
	if len(e.Cookies) > 0 {
		h.Set("Cookie", strings.Join(e.Cookies, "; "))
	}
	return h
}

// sourceIP returns the address that called the platform. For a load balancer
// that is the last entry of X-Forwarded-For: those before it are what the
// caller claims.
func (e *event) sourceIP(h http.Header) string {
	switch {
	case e.version2():
		return e.RequestContext.HTTP.SourceIP
	case !e.alb():
		return e.RequestContext.Identity.SourceIP
	}
	// The load balancer appends it.
	list := strings.Join(h.Values("X-Forwarded-For"), ",")
	return strings.TrimSpace(list[strings.LastIndexByte(list, ',')+1:])
}

func (e *event) body() ([]byte, error) {
	if !e.IsBase64Encoded {
		return []byte(e.Body), nil
	}
	body, err := base64.StdEncoding.DecodeString(e.Body)
	if err != nil {
		return nil, fmt.Errorf("the event's body is not base64: %w", err)
	}
	return body, nil
}

// maxAnswer returns how many bytes of JSON the platform takes from a buffered
// answer.
func (e *event) maxAnswer() int {
	if e.alb() {
		return albMaxAnswer
	}
	return lambdaMaxAnswer
}

// answerHead is the beginning of an answer. Format 2.0 takes one string per
// header, and cookies apart. The others take lists or, if multi-value headers
// are off, single strings, so they get both.
type answerHead struct {
	StatusCode        int                 `json:"statusCode"`
	StatusDescription string              `json:"statusDescription,omitempty"`
	Headers           map[string]string   `json:"headers"`
	MultiValueHeaders map[string][]string `json:"multiValueHeaders,omitempty"`
	Cookies           []string            `json:"cookies,omitempty"`
}

// head returns the head of w's answer, which must be final, in the form of the
// event's format.
func (e *event) head(w *lambdaWriter) answerHead {
	a := answerHead{StatusCode: w.status, Headers: map[string]string{}}
	if e.alb() {
		a.StatusDescription = statusLine(w.status)
	}
	for name, values := range w.sent {
		switch name {
		case "Connection", "Keep-Alive", "Transfer-Encoding", "Content-Length", "Trailer", "Upgrade":
			continue // the platform's
		}
		if len(values) == 0 {
			continue
		}
		switch {
		case !e.version2():
			if a.MultiValueHeaders == nil {
				a.MultiValueHeaders = map[string][]string{}
			}
			a.MultiValueHeaders[name] = values
			// A REST API merges both, and drops the value that is in both; a
			// load balancer takes one or the other.
			a.Headers[name] = values[len(values)-1]
			// Without multi-value headers, joining keeps them all, but for
			// cookies, which cannot be joined (RFC 9110, section 5.3): the last
			// one stays.
			if e.alb() && name != "Set-Cookie" {
				a.Headers[name] = strings.Join(values, ", ")
			}
		case name == "Set-Cookie":
			a.Cookies = values
		default:
			a.Headers[name] = strings.Join(values, ", ")
		}
	}
	return a
}

// answer is a buffered answer. Text is sent unencoded, so REST APIs do not have
// to be configured with binary media types. What is not UTF-8 goes as base64,
// since JSON cannot hold it.
func (e *event) answer(w *lambdaWriter) ([]byte, error) {
	a := struct {
		answerHead
		Body            string `json:"body"`
		IsBase64Encoded bool   `json:"isBase64Encoded"`
	}{answerHead: e.head(w)}
	if b, ok := w.body.(*bytes.Buffer); ok {
		if utf8.Valid(b.Bytes()) {
			a.Body = b.String()
		} else {
			a.Body, a.IsBase64Encoded = base64.StdEncoding.EncodeToString(b.Bytes()), true
		}
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false) // escaping only makes it longer
	err := encoder.Encode(a)
	return out.Bytes(), err
}
