package lambdatest

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Kind is a front end of a function.
type Kind string

// The front ends. HTTPAPIDomain is an HTTP API with a custom domain, whose
// callers do not write the stage; issue 465 of CodeGenieApp/serverless-express
// shows its events. RESTAPIDomain is a REST API with a custom domain whose
// mapping names a stage. RESTAPIDomainStage has a mapping without one, so
// callers write it; pull request 12296 of localstack/localstack shows what AWS
// sends for both. ALBSingle is a target group without multi-value headers.
const (
	FunctionURL   Kind = "function-url"
	HTTPAPI       Kind = "http-api"
	HTTPAPIDomain Kind = "http-api-custom-domain"
	RESTAPI       Kind = "rest-api"

	RESTAPIDomain      Kind = "rest-api-custom-domain"
	RESTAPIDomainStage Kind = "rest-api-custom-domain-no-stage"

	ALB       Kind = "alb"
	ALBSingle Kind = "alb-single"
)

// Kinds lists all front ends.
var Kinds = [...]Kind{FunctionURL, HTTPAPI, HTTPAPIDomain, RESTAPI, RESTAPIDomain, RESTAPIDomainStage, ALB, ALBSingle}

// Domain is the host name of every front end.
func (k Kind) Domain() string {
	switch k {
	case FunctionURL:
		return "abcdefghijklmnopqrstuvwxyz012345.lambda-url.us-east-1.on.aws"
	case HTTPAPIDomain, RESTAPIDomain, RESTAPIDomainStage:
		return "functions.example.com"
	case ALB, ALBSingle:
		return "flexfn-1234567890.us-east-1.elb.amazonaws.com"
	}
	return "a1b2c3d4e5.execute-api.us-east-1.amazonaws.com"
}

// Stage is the first path segment when callers write a gateway's stage.
const Stage = "prod"

// SourceIP is the caller's address in every event.
const SourceIP = "198.51.100.7"

// Base returns the URL prefix under which it is called.
func (k Kind) Base() string {
	if k == HTTPAPI || k == RESTAPI || k == RESTAPIDomainStage {
		return "https://" + k.Domain() + "/" + Stage
	}
	return "https://" + k.Domain()
}

// rest reports whether it is a REST API.
func (k Kind) rest() bool { return k == RESTAPI || k == RESTAPIDomain || k == RESTAPIDomainStage }

// Event returns the event that the front end makes of a request for [Kind.Base].
func (k Kind) Event(r *http.Request) ([]byte, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	header := r.Header.Clone()
	header.Set("Host", k.Domain())
	header.Add("X-Forwarded-For", SourceIP)
	header.Set("X-Forwarded-Proto", "https")
	header.Set("X-Forwarded-Port", "443")
	event := map[string]any{}
	if len(body) > 0 {
		event["body"], event["isBase64Encoded"] = string(body), false
		if !utf8.Valid(body) || k == FunctionURL || k == HTTPAPI || k == HTTPAPIDomain { // these encode forms too
			event["body"], event["isBase64Encoded"] = base64.StdEncoding.EncodeToString(body), true
		}
	}
	path := r.URL.EscapedPath()
	switch k {
	case FunctionURL, HTTPAPI, HTTPAPIDomain:
		cookies := header.Values("Cookie")
		header.Del("Cookie")
		if len(cookies) > 0 {
			var list []string
			for _, c := range cookies {
				list = append(list, strings.Split(c, "; ")...)
			}
			event["cookies"] = list
		}
		stage := "$default"
		switch k { // these decode it
		case HTTPAPI:
			path, stage = r.URL.Path, Stage
		case HTTPAPIDomain:
			path, stage = "/"+Stage+r.URL.Path, Stage
		}
		event["version"], event["routeKey"] = "2.0", "$default"
		event["rawPath"], event["rawQueryString"] = path, r.URL.RawQuery
		event["headers"] = joined(header, strings.ToLower)
		event["requestContext"] = map[string]any{
			"domainName": k.Domain(), "stage": stage, "requestId": "id",
			"http": map[string]any{"method": r.Method, "path": path, "protocol": "HTTP/1.1", "sourceIp": SourceIP},
		}
	case RESTAPI, RESTAPIDomain, RESTAPIDomainStage:
		single, multi := decoded(r.URL.RawQuery)
		below := strings.TrimPrefix(r.URL.Path, strings.TrimPrefix(k.Base(), "https://"+k.Domain()))
		event["resource"], event["httpMethod"] = "/{proxy+}", r.Method
		event["pathParameters"] = map[string]string{"proxy": strings.TrimPrefix(below, "/")}
		event["path"] = r.URL.Path
		if k == RESTAPI { // the only one that removes the stage
			event["path"] = below
		}
		event["headers"], event["multiValueHeaders"] = last(header), header
		event["queryStringParameters"], event["multiValueQueryStringParameters"] = single, multi
		event["requestContext"] = map[string]any{
			"domainName": k.Domain(), "stage": Stage, "path": r.URL.Path, "httpMethod": r.Method,
			"protocol": "HTTP/1.1", "identity": map[string]any{"sourceIp": SourceIP},
		}
	case ALB, ALBSingle:
		event["httpMethod"], event["path"] = r.Method, path
		event["requestContext"] = map[string]any{"elb": map[string]any{
			"targetGroupArn": "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/flexfn/0123456789abcdef",
		}}
		query := map[string][]string{}
		for item := range strings.SplitSeq(r.URL.RawQuery, "&") {
			if name, value, _ := strings.Cut(item, "="); item != "" {
				query[name] = append(query[name], value)
			}
		}
		if k == ALB {
			lower := http.Header{}
			for name, values := range header {
				lower[strings.ToLower(name)] = values
			}
			event["multiValueHeaders"], event["multiValueQueryStringParameters"] = lower, query
		} else {
			event["headers"], event["queryStringParameters"] = joined(header, strings.ToLower), last(query)
		}
		if len(body) == 0 {
			event["body"], event["isBase64Encoded"] = "", false
		}
	default:
		return nil, fmt.Errorf("the kind %q is not known", k)
	}
	return json.Marshal(event)
}

func joined(h http.Header, rename func(string) string) map[string]string {
	m := map[string]string{}
	for name, values := range h {
		m[rename(name)] = strings.Join(values, ",")
	}
	return m
}

func last(m map[string][]string) map[string]string {
	single := map[string]string{}
	for name, values := range m {
		single[name] = values[len(values)-1]
	}
	return single
}

func decoded(query string) (map[string]string, url.Values) {
	values, err := url.ParseQuery(query)
	if err != nil || len(values) == 0 {
		return nil, nil
	}
	return last(values), values
}

// Response returns the response that the front end makes of an answer to r. It
// closes the answer, except for a stream, which closes with its body.
func (k Kind) Response(r *http.Request, answer *Answer) (*http.Response, error) {
	resp := &http.Response{Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, Request: r}
	var a struct {
		StatusCode        int
		StatusDescription string
		Headers           map[string]string
		MultiValueHeaders map[string][]string
		Cookies           []string
		Body              string
		IsBase64Encoded   bool
	}
	streamed := answer.ContentType == "application/vnd.awslambda.http-integration-response"
	var head, body []byte
	var err error
	if streamed && k != FunctionURL && !k.rest() {
		_ = answer.Close()
		return nil, fmt.Errorf("a front end of the kind %s takes no stream", k)
	}
	if streamed {
		buffered := bufio.NewReader(answer.Body)
		for !bytes.HasSuffix(head, make([]byte, 8)) {
			b, err := buffered.ReadByte()
			if err != nil {
				return nil, fmt.Errorf("the stream has no head: %w", err)
			}
			head = append(head, b)
		}
		head = head[:len(head)-8]
		resp.ContentLength = -1
		resp.Body = struct {
			io.Reader
			io.Closer
		}{buffered, answer}
	} else {
		defer answer.Close()
		if head, err = io.ReadAll(answer.Body); err != nil {
			return nil, err
		}
	}
	limit := 6 << 20
	if k == ALB || k == ALBSingle {
		limit = 1 << 20
	}
	if answer.Failed || !streamed && len(head) > limit {
		// The front ends do not say more.
		resp.StatusCode, resp.Body = http.StatusBadGateway, io.NopCloser(strings.NewReader(`{"message":"Internal Server Error"}`))
		return resp, nil
	}
	d := json.NewDecoder(bytes.NewReader(head))
	d.DisallowUnknownFields()
	if err := d.Decode(&a); err != nil {
		return nil, fmt.Errorf("the answer %.200q is not an HTTP answer: %w", head, err)
	}
	resp.StatusCode = a.StatusCode
	switch k {
	case FunctionURL, HTTPAPI, HTTPAPIDomain:
		if a.MultiValueHeaders != nil {
			return nil, errors.New("format 2.0 has no multiValueHeaders")
		}
		for name, v := range a.Headers {
			resp.Header.Add(name, v)
		}
		for _, c := range a.Cookies {
			resp.Header.Add("Set-Cookie", c)
		}
	case RESTAPI, RESTAPIDomain, RESTAPIDomainStage: // merge both, without duplicates
		for name, values := range a.MultiValueHeaders {
			for _, v := range values {
				resp.Header.Add(name, v)
			}
		}
		for name, v := range a.Headers {
			if !slices.Contains(resp.Header.Values(name), v) {
				resp.Header.Add(name, v)
			}
		}
	case ALB:
		for name, values := range a.MultiValueHeaders {
			resp.Header[http.CanonicalHeaderKey(name)] = values
		}
	case ALBSingle:
		for name, v := range a.Headers {
			resp.Header.Set(name, v)
		}
	}
	if streamed {
		return resp, nil
	}
	body = []byte(a.Body)
	if a.IsBase64Encoded {
		if body, err = base64.StdEncoding.DecodeString(a.Body); err != nil {
			return nil, err
		}
	}
	resp.ContentLength, resp.Body = int64(len(body)), io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// Transport sends requests through a front end to the program behind an API.
type Transport struct {
	API  *API
	Kind Kind
	// Timeout is the function's timeout on Lambda; zero means 10 s.
	Timeout time.Duration
}

// RoundTrip accepts requests for any host: the front end sets its own.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	called := r.Clone(r.Context())
	base, err := url.Parse(t.Kind.Base())
	if err != nil {
		return nil, err
	}
	called.URL.Path = base.Path + r.URL.Path
	if r.URL.RawPath != "" {
		called.URL.RawPath = base.Path + r.URL.RawPath
	}
	event, err := t.Kind.Event(called)
	if err != nil {
		return nil, err
	}
	timeout := t.Timeout
	if timeout == 0 {
		timeout = 10 * time.Second
	}
	answer, err := t.API.Invoke(r.Context(), event, timeout)
	if err != nil {
		return nil, err
	}
	return t.Kind.Response(r, answer)
}
