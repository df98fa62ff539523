package flexfn

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flexfn/flexfn/internal/testing/blind"
)

// body records whether it was read to its end and closed.
type body struct {
	io.Reader
	ended, closed bool
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	b.ended = b.ended || err == io.EOF
	return n, err
}

func (b *body) Close() error { b.closed = true; return nil }

func reply(host string, code int, text string, header ...string) (*http.Response, *body) {
	b := &body{Reader: strings.NewReader(text)}
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	req, _ := http.NewRequest("GET", "https://"+host+"/path", nil)
	return &http.Response{StatusCode: code, Header: h, Body: b, Request: req}, b
}

func TestReadJSON(t *testing.T) {
	type user struct {
		Name string `json:"name"`
	}
	const twilio, other = "api.twilio.com", "crm.test"
	long := strings.Repeat("x", maxErrorBytes+100)
	for _, tt := range []struct {
		name, host string
		code       int
		text       string
		header     []string
		want       *Error // nil: success
		data       user
	}{
		{"success", other, 200, `{"name":"Ann"}`, nil, nil, user{"Ann"}},
		{"no content", other, 204, ``, nil, nil, user{}},
		{"empty 200", other, 200, ``, nil, &Error{Status: 502, Message: "crm.test sent an answer that is not the expected JSON"}, user{}},
		{"no JSON", other, 200, `<html>`, nil, &Error{Status: 502, Message: "crm.test sent an answer that is not the expected JSON"}, user{}},
		{"half JSON", other, 200, `{"name":"An`, nil, &Error{Status: 502, Message: "crm.test sent an answer that is not the expected JSON"}, user{}},
		{"wrong type", other, 200, `{"name":5}`, nil, &Error{Status: 502, Message: "crm.test sent an answer that is not the expected JSON"}, user{}},
		{"redirect", other, 302, ``, []string{"Location", "/"}, &Error{Status: 502, Message: "crm.test sent an unexpected answer (HTTP status 302)"}, user{}},
		{"not modified", twilio, 304, ``, nil, &Error{Status: 502, Message: "api.twilio.com sent an unexpected answer (HTTP status 304)"}, user{}},
		{"status 600", other, 600, ``, nil, &Error{Status: 502, Message: "crm.test sent an unexpected answer (HTTP status 600)"}, user{}},
		{"busy", other, 429, `slow down`, []string{"Retry-After", "7"}, &Error{Status: 429, Message: "crm.test answered with HTTP status 429", RetryAfter: 7 * time.Second}, user{}},
		{"another's JSON error", other, 400, `{"message":"internal detail","code":7}`, nil, &Error{Status: 400, Message: "crm.test answered with HTTP status 400"}, user{}},
		{"Twilio's error", twilio, 404, `{"code":20404,"message":"not found","more_info":"https://www.twilio.com/docs/errors/20404","status":404}`, nil,
			&Error{Status: 404, Message: "not found", TwilioErrorCode: 20404, TwilioDocPage: "https://www.twilio.com/docs/errors/20404"}, user{}},
		{"Twilio's newer error", twilio, 400, `{"code":20001,"message":"bad","httpStatusCode":400,"userError":true,"params":{}}`, nil,
			&Error{Status: 400, Message: "bad", TwilioErrorCode: 20001}, user{}},
		{"Twilio's empty error", twilio, 400, `{}`, nil, &Error{Status: 400, Message: "api.twilio.com answered with HTTP status 400"}, user{}},
		{"Twilio's text error", twilio, 503, `<html>`, nil, &Error{Status: 503, Message: "api.twilio.com answered with HTTP status 503"}, user{}},
		{"Twilio's odd error", twilio, 500, `{"code":"x","message":{"a":1},"more_info":7}`, nil, &Error{Status: 500, Message: "api.twilio.com answered with HTTP status 500"}, user{}},
		{"no Twilio", "twilio.com.evil.test", 400, `{"message":"pay here"}`, nil, &Error{Status: 400, Message: "twilio.com.evil.test answered with HTTP status 400"}, user{}},
		{"long error", other, 500, long, nil, &Error{Status: 500, Message: "crm.test answered with HTTP status 500"}, user{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			resp, b := reply(tt.host, tt.code, tt.text, tt.header...)
			data, err := ReadJSON[user](resp, nil)
			if data != tt.data {
				t.Errorf("data %+v", data)
			}
			if !b.ended || !b.closed {
				t.Errorf("body read %t, closed %t", b.ended, b.closed)
			}
			if tt.want == nil {
				if err != nil {
					t.Error(err)
				}
				return
			}
			e, ok := err.(*Error)
			if !ok {
				t.Fatalf("got %v", err)
			}
			got := *e
			got.Err = nil
			if got.harmless = false; got != *tt.want {
				t.Errorf("got %+v", got)
			}
			if len(err.Error()) > 1000 {
				t.Errorf("%d bytes of error", len(err.Error()))
			}
		})
	}
}

func TestCheckResponseExcerptIsForTheLog(t *testing.T) {
	resp, _ := reply("crm.test", 400, "no such customer +15551234567")
	_, err := CheckResponse(resp, nil)
	e := err.(*Error)
	if strings.Contains(e.Message, "customer") || !strings.Contains(e.Error(), "no such customer") || strings.Contains(e.Error(), "555") {
		t.Errorf("message %q, log %q", e.Message, e)
	}
}

func TestCheckResponseOfAFailure(t *testing.T) {
	cause := &url.Error{Op: "Get", URL: "https://crm.test/?key=secret", Err: syscall.ECONNRESET}
	_, err := CheckResponse(nil, cause)
	e, ok := err.(*Error)
	if !ok || e.Status != 502 || e.Message != "crm.test closed the connection without an answer" || !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %v", err)
	}
	mistake := errors.New("no such scheme")
	if _, err := CheckResponse(nil, mistake); err != mistake {
		t.Errorf("got %v", err)
	}
}

func TestParseRetryAfter(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	for v, want := range map[string]time.Duration{
		"":                              0,
		"0":                             0,
		" 12 ":                          12 * time.Second,
		"-5":                            0,
		"1.5":                           2 * time.Second,
		"1.0":                           time.Second,
		".5":                            0,
		"1.5.5":                         0,
		"soon":                          0,
		"99999999999999999999999":       maxRetryAfter,
		"86401":                         maxRetryAfter,
		"Wed, 04 Mar 2026 05:06:37 GMT": 30 * time.Second,
		"Wed, 04 Mar 2026 05:06:00 GMT": 0,
		"Wed, 04 Mar 2099 05:06:00 GMT": maxRetryAfter,
	} {
		if got := parseRetryAfter(v, now); got != want {
			t.Errorf("%q: %s, want %s", v, got, want)
		}
	}
}

// TestRetryAfterByTheServicesClock calls a service whose clock is an hour off.
func TestRetryAfterByTheServicesClock(t *testing.T) {
	for _, off := range []time.Duration{-time.Hour, 0, time.Hour} {
		now := time.Now().Add(off).UTC()
		_, err := CheckResponse(&http.Response{StatusCode: 503, Body: http.NoBody, Header: http.Header{
			"Date": {now.Format(http.TimeFormat)}, "Retry-After": {now.Add(7 * time.Second).Format(http.TimeFormat)},
		}}, nil)
		if e, ok := errors.AsType[*Error](err); !ok || e.RetryAfter != 7*time.Second {
			t.Errorf("%s off: %v", off, err)
		}
	}
}

// TestCompressionBomb: a web service sends a few kilobytes that decompress to
// far more than memory should hold. Reading stops at the limit, both after a
// success and after a failure.
func TestCompressionBomb(t *testing.T) {
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	for range 2 * maxAnswerBytes >> 20 {
		z.Write(bytes.Repeat([]byte("a"), 1<<20)) //nolint:errcheck // it writes to memory
	}
	if err := z.Close(); err != nil || bomb.Len() > 1<<20 {
		t.Fatalf("%d bytes, %v", bomb.Len(), err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		status, _ := strconv.Atoi(r.URL.Query().Get("status"))
		w.WriteHeader(status)
		w.Write(bomb.Bytes()) //nolint:errcheck // the client may leave
	}))
	defer server.Close()
	client := newHTTPClient(Config{})
	defer client.CloseIdleConnections()
	for status, want := range map[string]string{"200": "127.0.0.1 sent an answer longer than 33554432 bytes", "500": "127.0.0.1 answered with HTTP status 500"} {
		resp, err := client.Get(server.URL + "?status=" + status)
		if err == nil && !resp.Uncompressed {
			t.Fatal("the answer was not unpacked")
		}
		counted := &countingBody{ReadCloser: resp.Body}
		resp.Body = counted
		_, err = ReadJSON[map[string]any](resp, err)
		if e, ok := errors.AsType[*Error](err); !ok || e.Message != want || len(err.Error()) > 1000 {
			t.Errorf("%s: %.1000v", status, err)
		}
		if limit := maxAnswerBytes + 2<<20; counted.n > limit {
			t.Errorf("%s: %d bytes were unpacked, at most %d should be", status, counted.n, limit)
		}
	}
}

type countingBody struct {
	io.ReadCloser
	n int
}

func (b *countingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n += n
	return n, err
}

func FuzzParseRetryAfter(f *testing.F) {
	for _, s := range []string{
		"", "0", "1", "120", "-1", "+5", "1.5", "007", "1e3", " 3 ", "3, 5", "9223372036854775807", "9223372036854775808", "99999999999999999999", "NaN", "0x10", "Infinity",
		"Wed, 04 Mar 2026 05:06:37 GMT", "Wednesday, 04-Mar-26 05:06:37 GMT", "Wed Mar  4 05:06:37 2026", "Wed, 04 Mar 2026 05:06:37 +0100",
		"Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "Wed, 29 Feb 2027 00:00:00 GMT", "2026-03-04T05:06:37Z",
	} {
		f.Add(s)
	}
	blind.Fuzz(f, func(t *testing.T, v string) {
		if d := parseRetryAfter(v, time.Unix(0, 0)); d < 0 || d > maxRetryAfter {
			t.Errorf("%q: %s", v, d)
		}
	})
}

// FuzzTwilioError: whatever a service sends, the error has a status, a positive
// code or zero, and text that JSON can express.
func FuzzTwilioError(f *testing.F) {
	f.Add(404, []byte(`{"code":20404,"message":"gone","more_info":"https://www.twilio.com/docs/errors/20404","status":404}`))
	f.Add(400, []byte(`{"type":"https://www.twilio.com/docs/api/errors/20001","title":"Bad","detail":"worse","code":"20001"}`))
	f.Add(503, []byte(`{"code":1e400,"message":["a"],"moreInfo":{}}`))
	f.Add(302, []byte("\xef\xbb\xbf<html>"))
	f.Add(429, []byte(`{"code":20429.0,"message":"Too Many Requests","more_info":"javascript:alert(1)","details":{"a":[1]}}`))
	f.Add(200, []byte(`[]`))
	f.Add(500, []byte(`{"code":"internal","message":"\ud800\u0000","detail":null,"title":true}`))
	f.Add(401, []byte(`{"Code":70051,"MESSAGE":"Authorization Error","userError":true,"httpStatusCode":401}`))
	request, err := http.NewRequest("POST", "https://taskrouter.twilio.com/v1/Workspaces", nil)
	if err != nil {
		f.Fatal(err)
	}
	blind.Fuzz(f, func(t *testing.T, status int, body []byte) {
		resp := &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body)), Request: request}
		_, err := CheckResponse(resp, nil)
		if err == nil {
			if status < 200 || status > 299 {
				t.Errorf("%d passes", status)
			}
			return
		}
		e, ok := err.(*Error)
		if !ok || e.HTTPStatus() < 400 || e.HTTPStatus() > 599 || e.TwilioErrorCode < 0 || e.message() == "" || e.RetryAfter != 0 {
			t.Fatalf("%d %q: %#v", status, body, err)
		}
		if status >= 400 && status <= 599 && e.Status != status {
			t.Errorf("%d became %d", status, e.Status)
		}
		if e.OutcomeUnknown && (status != 503 || json.Valid(body)) {
			t.Errorf("%d %q: the outcome is unknown", status, body)
		}
	})
}

// TestTwiliosWords: Twilio's message, code and page are found in each format
// that its products use.
func TestTwiliosWords(t *testing.T) {
	for body, want := range map[string]Error{
		`{"code":20404,"message":"gone","more_info":"https://www.twilio.com/docs/errors/20404"}`:                               {TwilioErrorCode: 20404, Message: "gone", TwilioDocPage: "https://www.twilio.com/docs/errors/20404"},
		`{"code":20001.0,"message":"float"}`:                                                                                   {TwilioErrorCode: 20001, Message: "float"},
		`{"code":"20404","message":"text"}`:                                                                                    {TwilioErrorCode: 20404, Message: "text"},
		`{"code":"invalid_request","message":"a word"}`:                                                                        {Message: "a word"},
		`{"type":"https://www.twilio.com/docs/api/errors/20404","title":"Not Found","detail":"It was not found","code":20404}`: {TwilioErrorCode: 20404, Message: "It was not found", TwilioDocPage: "https://www.twilio.com/docs/api/errors/20404"},
		`{"title":"Not Found","status":404}`:                                                                                   {Message: "Not Found"},
		"\xef\xbb\xbf" + `{"code":20001,"message":"bom"}`:                                                                      {TwilioErrorCode: 20001, Message: "bom"},
	} {
		var got Error
		got.readTwilio([]byte(body))
		if got != want {
			t.Errorf("%s: %+v", body, got)
		}
	}
}

// TestUnavailableCreate: after a 503 that did not come from Twilio it is
// unknown whether a create happened; Twilio's own 503 means that it did not.
func TestUnavailableCreate(t *testing.T) {
	for _, c := range []struct {
		method, url, body string
		unknown           bool
	}{
		{"POST", "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages.json", "<html>busy</html>", true},
		{"POST", "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages.json", `{"code":20503,"message":"down"}`, false},
		{"GET", "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages.json", "<html>busy</html>", false},
		{"POST", "https://crm.example.com/orders", "<html>busy</html>", false},
	} {
		req, err := http.NewRequest(c.method, c.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = CheckResponse(&http.Response{StatusCode: 503, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(c.body)), Request: req}, nil)
		e, _ := errors.AsType[*Error](err)
		if e == nil || e.OutcomeUnknown != c.unknown || classify(err, true) != retryLater {
			t.Errorf("%s %s %s: %v", c.method, c.url, c.body, err)
		}
	}
}

func TestSuccessfulStatuses(t *testing.T) {
	for status, want := range map[int]int{199: 502, 200: 0, 299: 0, 300: 502, 399: 502, 400: 400, 599: 599, 600: 502} {
		got := 0
		resp, _ := reply("crm.test", status, "x")
		if _, err := CheckResponse(resp, nil); err != nil {
			got = err.(*Error).Status
		}
		if got != want {
			t.Errorf("%d is told as %d, want %d", status, got, want)
		}
	}
}

// broken is a body that ends with an error.
type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }
func (broken) Close() error               { return nil }

func TestBrokenBodies(t *testing.T) {
	post, get := &http.Request{Method: "POST", URL: &url.URL{Host: "crm.test"}}, &http.Request{Method: "GET", URL: &url.URL{Host: "crm.test"}}
	for _, c := range []struct {
		request *http.Request
		err     error
		unknown bool
		message string
	}{
		{get, io.ErrUnexpectedEOF, false, "crm.test sent an answer that was cut short"},
		{nil, io.ErrUnexpectedEOF, false, "the service sent an answer that was cut short"},
		{post, io.ErrUnexpectedEOF, true, "crm.test sent an answer that was cut short" + unknownOutcome},
		{post, context.DeadlineExceeded, true, "crm.test did not answer in time" + unknownOutcome},
	} {
		_, err := ReadBody(&http.Response{StatusCode: 200, Request: c.request, Body: broken{c.err}, ContentLength: -1})
		if e, ok := err.(*Error); !ok || e.OutcomeUnknown != c.unknown || e.Message != c.message {
			t.Errorf("%+v: %+v", c, err)
		}
	}
}

func TestLongestAnswer(t *testing.T) {
	for length, good := range map[int64]bool{maxAnswerBytes: true, maxAnswerBytes + 1: false} {
		b := io.NopCloser(io.LimitReader(zeros{}, length))
		got, err := ReadBody(&http.Response{StatusCode: 200, Body: b, ContentLength: -1})
		if (err == nil) != good || good && int64(len(got)) != length {
			t.Errorf("%d bytes: %d, %v", length, len(got), err)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestReadTwilio(t *testing.T) {
	for _, c := range []struct {
		body  string
		whole bool
		code  int
		page  string
	}{
		{`{"code":20001,"message":"no","more_info":"https://a","type":"https://b"}`, true, 20001, "https://a"},
		{`{"code":20001.0,"detail":"no","type":"https://b"}`, true, 20001, "https://b"},
		{`{"code":"20001","title":"no","type":"about:blank"}`, true, 20001, ""},
		{`{"code":20001}`, false, 20001, ""},
		{`{"message":"no"}`, false, 0, ""},
		{`{"code":-5,"message":"no"}`, false, 0, ""},
		{`{"code":1.5,"message":"no"}`, false, 0, ""},
		{`{"code":1e12,"message":"no"}`, false, 0, ""},
		{`{"code":"x","message":"no"}`, false, 0, ""},
		{`nonsense`, false, 0, ""},
	} {
		e := new(Error)
		if whole := e.readTwilio([]byte(c.body)); whole != c.whole || e.TwilioErrorCode != c.code || e.TwilioDocPage != c.page {
			t.Errorf("%s: %t, %+v", c.body, whole, e)
		}
	}
}

func TestExcerpt(t *testing.T) {
	for length, cut := range map[int]bool{512: false, 513: true} {
		if err := excerpt(bytes.Repeat([]byte("x"), length)); strings.HasSuffix(err.Error(), "…") != cut {
			t.Errorf("%d bytes: %v", length, err)
		}
	}
	if got := parseRetryAfter("86400.5", time.Now()); got != maxRetryAfter {
		t.Errorf("half a second more than a day is %s", got)
	}
}
