package flexfntest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/flexfn/flexfn/twiliofake"
)

// Double makes handler answer the app's requests to a web service other than
// Twilio, whatever their scheme:
//
//	app.Double("crm.example.com", flexfntest.JSON(201, map[string]any{"ticket": "T-7"}))
//
// host is as in the URL, with its port if it has one. A handler that panics
// with [http.ErrAbortHandler] gives no answer: the connection is lost. A
// second Double of a host replaces the first. [App.Saw] checks what a double
// was asked. The handler may be called concurrently, and can fail the test like
// any other test code.
func (a *App) Double(host string, handler http.Handler) {
	a.doubles.mu.Lock()
	defer a.doubles.mu.Unlock()
	a.doubles.handlers[strings.ToLower(host)] = handler
}

// JSON answers every request with this status and v as JSON, for [App.Double].
// A v that cannot be JSON panics in the request.
func JSON(status int, v any) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		body, err := json.Marshal(v)
		if err != nil {
			panic(fmt.Sprintf("flexfntest: the double's answer cannot be JSON: %v", err))
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write(body)
	})
}

// doubles is the app's transport: requests to Twilio go to the fake, others to
// the doubles.
type doubles struct {
	t      testing.TB
	twilio http.RoundTripper

	mu        sync.Mutex
	twilioURL string // the host of Config.TwilioURL
	handlers  map[string]http.Handler
	requests  []twiliofake.Request // those that the doubles got
}

// use sets the URL under which the app reaches Twilio; empty for Twilio's own.
func (d *doubles) use(twilioURL string) {
	if u, err := url.Parse(twilioURL); err == nil {
		d.mu.Lock()
		d.twilioURL = u.Host
		d.mu.Unlock()
	}
}

// RoundTrip implements [http.RoundTripper]. A request to a service without a
// double fails the test, since it would otherwise go out to the network.
func (d *doubles) RoundTrip(r *http.Request) (*http.Response, error) {
	host, name := strings.ToLower(r.URL.Host), strings.ToLower(r.URL.Hostname())
	d.mu.Lock()
	handler, fake := d.handlers[host], host == d.twilioURL
	d.mu.Unlock()
	switch {
	case handler != nil:
		return d.ask(handler, r)
	case fake, name == "twilio.com", strings.HasSuffix(name, ".twilio.com"):
		return d.twilio.RoundTrip(r)
	}
	if r.Body != nil {
		_ = r.Body.Close()
	}
	err := fmt.Errorf("flexfntest: unexpected request %s %s: set up its web service with app.Double(%q, handler)", r.Method, r.URL.Redacted(), r.URL.Host)
	d.t.Errorf("%v", err)
	return nil, err
}

// ask lets a double answer.
func (d *doubles) ask(handler http.Handler, r *http.Request) (res *http.Response, err error) {
	var body []byte
	if r.Body != nil {
		body, err = io.ReadAll(r.Body)
		if err = errors.Join(err, r.Body.Close()); err != nil {
			return nil, err
		}
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	entry := twiliofake.Request{
		Time: time.Now(), Method: r.Method, Host: strings.ToLower(r.URL.Host), Path: r.URL.Path, Query: r.URL.Query(), Header: r.Header.Clone(), Body: string(body),
	}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind == formType {
		if form, err := url.ParseQuery(string(body)); err == nil {
			entry.Form, entry.Body = form, ""
		}
	}
	in := r.Clone(r.Context())
	in.Host, in.RequestURI, in.RemoteAddr = r.URL.Host, r.URL.RequestURI(), "127.0.0.1:0"
	in.Body = io.NopCloser(bytes.NewReader(body))
	w := httptest.NewRecorder()
	defer func() {
		p := recover()
		if e, ok := p.(error); ok && errors.Is(e, http.ErrAbortHandler) {
			if err = r.Context().Err(); err == nil {
				err = &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
			}
		} else if p != nil {
			panic(p)
		} else {
			entry.Status = res.StatusCode
		}
		entry.Duration = time.Since(entry.Time)
		d.mu.Lock()
		defer d.mu.Unlock()
		d.requests = append(d.requests, entry)
	}()
	handler.ServeHTTP(w, in)
	res = w.Result()
	res.Request = r
	return res, nil
}
