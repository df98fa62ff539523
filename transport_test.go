package flexfn

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flexfn/flexfn/internal/testing/memnet"
)

// hits is a handler that counts and records requests.
type hits struct {
	mu   sync.Mutex
	seen []string
	next http.HandlerFunc
}

func (h *hits) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	h.seen = append(h.seen, fmt.Sprintf("%s %s%s", r.Method, r.Host, r.URL.RequestURI()))
	h.mu.Unlock()
	if h.next != nil {
		h.next(w, r)
	}
}

func (h *hits) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.seen)
}

func send(client *http.Client, method, url, text string, header ...string) (*http.Response, error) {
	var reader io.Reader
	if text != "" {
		reader = strings.NewReader(text)
	}
	req, err := http.NewRequest(method, url, reader)
	if err != nil {
		return nil, err
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := CheckResponse(client.Do(req))
	if err == nil {
		_, err = ReadBody(resp)
	}
	return resp, err
}

const (
	listURL     = "http://api.twilio.com/2010-04-01/Accounts/ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/Messages.json"
	instanceURL = "http://taskrouter.twilio.com/v1/Workspaces/WSaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/Tasks/WTaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
)

// TestTransportsOwnDial: the dial function of the user's transport is used.
func TestTransportsOwnDial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := memnet.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}))
		dialled := 0
		dial := func(network_, address string) (net.Conn, error) {
			dialled++
			return network.Dial(t.Context(), network_, address)
		}
		dialContext := func(ctx context.Context, network_, address string) (net.Conn, error) {
			dialled += 10
			return network.Dial(ctx, network_, address)
		}
		for want, transport := range map[int]*http.Transport{
			1:  {Dial: dial},
			10: {DialContext: dialContext},
			// As in net/http, DialContext wins.
			11: {DialContext: func(ctx context.Context, network_, address string) (net.Conn, error) {
				dialled++
				return dialContext(ctx, network_, address)
			}, Dial: dial},
		} {
			dialled = 0
			app := testApp(t, func(c *Config) { c.Transport = transport })
			resp, err := app.HTTPClient().Get("http://crm.test/")
			if err != nil || dialled != want {
				t.Errorf("dialled %d, want %d: %v", dialled, want, err)
				continue
			}
			resp.Body.Close()
			app.HTTPClient().CloseIdleConnections()
		}
	})
}

// TestSentOnce: a reused connection dies after it got the request. That is when
// Go's transport repeats some requests.
func TestSentOnce(t *testing.T) {
	for _, tt := range []struct {
		method, url, text string
		header            []string
		unknown           bool
	}{
		{"GET", instanceURL, "", nil, false},
		{"HEAD", instanceURL, "", nil, false},
		{"DELETE", instanceURL, "", nil, false},
		{"POST", instanceURL, "A=1", nil, false},
		{"POST", instanceURL, "", nil, false},
		{"POST", listURL, "A=1", nil, true},
		{"PUT", "http://crm.test/x", "{}", nil, false},
		{"POST", "http://crm.test/x", "{}", nil, true},
		{"POST", "http://crm.test/x", "", nil, true},
		{"PATCH", "http://crm.test/x", "{}", nil, true},
		{"POST", "http://crm.test/x", "{}", []string{"Idempotency-Key", "k"}, false},
		{"POST", "http://crm.test/x", "", []string{"Idempotency-Key", "k"}, false},
		{"POST", listURL, "A=1", []string{"Idempotency-Key", "k"}, true},
	} {
		for name, fault := range map[string]http.HandlerFunc{"reset": memnet.Reset, "hang up": memnet.HangUp} {
			t.Run(fmt.Sprint(tt.method, tt.url, len(tt.text), tt.header, name), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := &hits{}
					upstream := memnet.Serve(t, h)
					app := testApp(t, func(c *Config) { c.Transport = upstream.Transport() })
					defer app.HTTPClient().CloseIdleConnections()
					if _, err := send(app.HTTPClient(), "GET", tt.url, ""); err != nil {
						t.Fatal(err) // now there is a connection to reuse
					}
					synctest.Wait()
					h.next = fault
					_, err := send(app.HTTPClient(), tt.method, tt.url, tt.text, tt.header...)
					e, ok := err.(*Error)
					if !ok || e.Status != 502 || e.OutcomeUnknown != tt.unknown {
						t.Errorf("got %#v", err)
					}
					if h.count() != 2 || upstream.Dialled() != 1 {
						t.Errorf("over %d connections came %q", upstream.Dialled(), h.seen)
					}
				})
			})
		}
	}
}

// TestGoRepeats shows that Go's transport does repeat requests, so that
// TestSentOnce can fail.
func TestGoRepeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &hits{}
		upstream := memnet.Serve(t, h)
		client := &http.Client{Transport: upstream.Transport()}
		defer client.CloseIdleConnections()
		send(client, "GET", instanceURL, "")
		synctest.Wait()
		h.next = memnet.Reset
		send(client, "GET", instanceURL, "")
		if h.count() != 3 {
			t.Errorf("came %q", h.seen)
		}
	})
}

func TestNothingWritten(t *testing.T) {
	for _, method := range []string{"GET", "POST"} {
		t.Run(method+" on a new connection", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &hits{}
				upstream := memnet.Serve(t, h)
				upstream.Accepted = func(n int, c *memnet.Conn) bool { c.Reset(); return false }
				app := testApp(t, func(c *Config) { c.Transport = upstream.Transport() })
				_, err := send(app.HTTPClient(), method, listURL, "")
				e, ok := err.(*Error)
				if !ok || e.Status != 503 || e.OutcomeUnknown || e.Message != "api.twilio.com could not be reached" {
					t.Errorf("got %v", err)
				}
			})
		})
		t.Run(method+" refused", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				upstream := memnet.NewNetwork(t)
				upstream.Refuse = func(int) error { return memnet.Refused(syscall.ECONNREFUSED) }
				app := testApp(t, func(c *Config) { c.Transport = upstream.Transport() })
				_, err := send(app.HTTPClient(), method, listURL, "")
				if e, ok := err.(*Error); !ok || e.Status != 503 || e.OutcomeUnknown || !errors.Is(err, syscall.ECONNREFUSED) {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

// TestStaleConnection: a reused connection refuses every byte. Since nothing was
// sent, even a create may be tried again at once.
func TestStaleConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &hits{}
		app, upstream, stale := staleApp(t, h)
		send(app.HTTPClient(), "GET", listURL, "")
		synctest.Wait()
		stale.refuse()
		if _, err := send(app.HTTPClient(), "POST", listURL, "Body=hello"); err != nil {
			t.Error(err)
		}
		if h.count() != 2 || upstream.Dialled() != 2 {
			t.Errorf("over %d connections came %q", upstream.Dialled(), h.seen)
		}
		synctest.Wait()
		stale.refuse()
		r, _ := http.NewRequestWithContext(t.Context(), "POST", listURL, nil)
		if resp, err := app.HTTPClient().Do(r); err != nil {
			t.Error("without a body:", err)
		} else {
			resp.Body.Close()
		}
	})
}

// TestVanishedServer: idle connections silently lose what is written to them.
// That may cost one attempt, and only one.
func TestVanishedServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const connections = 8
		var together sync.WaitGroup
		together.Add(connections)
		h := &hits{next: func(w http.ResponseWriter, r *http.Request) {
			if r.Method == "GET" {
				together.Done()
				together.Wait()
			}
		}}
		app, upstream, stale := staleApp(t, h)
		var senders sync.WaitGroup
		for range connections {
			senders.Go(func() { send(app.HTTPClient(), "GET", listURL, "") })
		}
		senders.Wait()
		synctest.Wait()
		stale.vanish()
		began := time.Now()
		res := ExecuteWithRetry(t.Context(), func(ctx context.Context) (int, error) {
			req, err := http.NewRequestWithContext(ctx, "PUT", listURL, strings.NewReader("Body=hello"))
			if err != nil {
				return 0, err
			}
			resp, err := CheckResponse(app.HTTPClient().Do(req))
			if err == nil {
				_, err = ReadBody(resp)
			}
			return 0, err
		}, AttemptTimeout(time.Second))
		if took := time.Since(began); !res.Success || took > 2*time.Second {
			t.Errorf("%v after %s", res.Err(), took)
		}
		if h.count() != connections+1 || upstream.Dialled() != connections+1 {
			t.Errorf("%d requests came over %d connections", h.count(), upstream.Dialled())
		}
	})
}

func TestFrozenInstance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &hits{}
		upstream := memnet.Serve(t, h)
		base := upstream.Transport()
		base.IdleConnTimeout = 0 // its timer would be frozen too
		app := testApp(t, func(c *Config) { c.Transport = base })
		defer app.HTTPClient().CloseIdleConnections()
		for _, pause := range []time.Duration{0, 3 * time.Second, 3 * time.Second} {
			time.Sleep(pause)
			send(app.HTTPClient(), "GET", listURL, "")
			synctest.Wait()
		}
		if upstream.Dialled() != 1 {
			t.Errorf("%d connections for three requests in a row", upstream.Dialled())
		}
		time.Sleep(time.Minute)
		send(app.HTTPClient(), "POST", listURL, "")
		if upstream.Dialled() != 2 {
			t.Errorf("%d connections after a frozen minute", upstream.Dialled())
		}
	})
}

func TestTwilioURL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &hits{}
		upstream := memnet.Serve(t, h)
		app := testApp(t, func(c *Config) {
			c.Transport = upstream.Transport()
			c.TwilioURL = "http://fake.test:8080/twilio/"
		})
		defer app.HTTPClient().CloseIdleConnections()
		for _, url := range []string{"https://api.twilio.com/a%2Fb/c?d=e", "https://iam.ie1.twilio.com/v1", "http://crm.test/x", "http://eviltwilio.com/"} {
			resp, err := send(app.HTTPClient(), "GET", url, "")
			if err != nil {
				t.Fatal(err)
			}
			if resp.Request.URL.String() != url {
				t.Errorf("the answer names %s", resp.Request.URL)
			}
		}
		want := []string{"GET api.twilio.com/twilio/a%2Fb/c?d=e", "GET iam.ie1.twilio.com/twilio/v1", "GET crm.test/x", "GET eviltwilio.com/"}
		if fmt.Sprint(h.seen) != fmt.Sprint(want) {
			t.Errorf("came %q", h.seen)
		}
	})
}

func TestRedirects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &hits{next: func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/from" {
				http.Redirect(w, r, "http://elsewhere.test/to", http.StatusFound)
			}
		}}
		app := testApp(t, func(c *Config) { c.Transport = memnet.Serve(t, h).Transport() })
		defer app.HTTPClient().CloseIdleConnections()
		if _, err := send(app.HTTPClient(), "GET", "http://api.twilio.com/from", ""); err == nil || h.count() != 1 {
			t.Errorf("followed Twilio: %v %q", err, h.seen)
		}
		if _, err := send(app.HTTPClient(), "GET", "http://crm.test/from", ""); err != nil || h.count() != 3 {
			t.Errorf("did not follow another: %v %q", err, h.seen)
		}
	})
}

func TestDeadlineOfARequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := testApp(t, func(c *Config) { c.Transport = memnet.Serve(t, http.HandlerFunc(memnet.Hang)).Transport() })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		req, _ := http.NewRequestWithContext(ctx, "POST", listURL, strings.NewReader("A=1"))
		_, err := CheckResponse(app.HTTPClient().Do(req))
		e, ok := err.(*Error)
		if !ok || e.Status != 504 || !e.OutcomeUnknown || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

// TestWireForm checks that keeping Go from repeating a request does not change
// the request on the wire.
func TestWireForm(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		var got *http.Request
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { got = r }))
		server.EnableHTTP2 = h2
		server.StartTLS()
		defer server.Close()
		app := testApp(t, func(c *Config) { c.Transport = server.Client().Transport })
		for _, method := range []string{"GET", "HEAD", "DELETE", "OPTIONS", "POST", "PUT", "PATCH"} {
			if _, err := send(app.HTTPClient(), method, server.URL, ""); err != nil {
				t.Fatal(err)
			}
			if len(got.TransferEncoding) > 0 || !h2 && got.ContentLength != 0 || got.ProtoMajor == 2 != h2 {
				t.Errorf("HTTP/2 %t, %s: encoding %q, length %d, %s", h2, method, got.TransferEncoding, got.ContentLength, got.Proto)
			}
		}
		if _, err := send(app.HTTPClient(), "POST", server.URL, "A=1"); err != nil || got.ContentLength != 3 {
			t.Errorf("HTTP/2 %t: length %d, %v", h2, got.ContentLength, err)
		}
	}
}

// TestNoLookForABody: a GET without a body is sent such that net/http starts no
// goroutine to look for one. Other requests, and a GET that chose its encoding,
// stay as they are.
func TestNoLookForABody(t *testing.T) {
	var got []string
	app := testApp(t, func(c *Config) {
		c.Transport = heedless(func(r *http.Request) (*http.Response, error) {
			got = r.TransferEncoding
			resp, _ := reply("crm.test", 200, "")
			return resp, nil
		})
	})
	for _, c := range []struct {
		method    string
		own, want []string
	}{
		{"GET", nil, []string{"identity"}},
		{"GET", []string{"chunked"}, []string{"chunked"}},
		{"HEAD", nil, nil},
		{"DELETE", nil, nil},
		{"POST", nil, nil},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, "http://crm.test/", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.TransferEncoding = c.own
		if _, err := app.HTTPClient().Do(req); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s, %q: %q, %v", c.method, c.own, got, err)
		}
	}
}

// TestHTTP2Lost: an HTTP/2 stream ends without an answer, over TLS.
func TestHTTP2Lost(t *testing.T) {
	h := &hits{next: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }}
	server := httptest.NewUnstartedServer(h)
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	app := testApp(t, func(c *Config) { c.Transport = server.Client().Transport })
	for i, method := range []string{"GET", "POST"} {
		_, err := send(app.HTTPClient(), method, server.URL, "")
		e, ok := err.(*Error)
		if !ok || e.Status != 502 || e.OutcomeUnknown != (method == "POST") || h.count() != i+1 {
			t.Errorf("%s: %v, came %q", method, err, h.seen)
		}
	}
}

func TestMistakesAreNotRetried(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	ctx := testApp(t, nil).Context(t.Context())
	for url, want := range map[string]int{
		"ftp://crm.test/": 500,
		"http:///nowhere": 500,
		server.URL:        502, // no authority signed its certificate
	} {
		res := ExecuteWithRetry(ctx, func(ctx context.Context) (struct{}, error) {
			req, err := http.NewRequestWithContext(ctx, "POST", url, nil)
			if err != nil {
				return struct{}{}, err
			}
			return ReadJSON[struct{}](FromContext(ctx).HTTPClient().Do(req))
		})
		if res.Attempts != 1 || res.Status != want || res.OutcomeUnknown {
			t.Errorf("%s: %+v, %v", url, res, res.Err())
		}
	}
}

func TestUpdatesInstance(t *testing.T) {
	const sid = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	for path, want := range map[string]bool{
		"/v1/Workspaces/WS" + sid + "/Tasks/WT" + sid:                                          true,
		"/v1/Workspaces/WS" + sid + "/Tasks":                                                   false,
		"/v1/Workspaces/WS" + sid + "/Tasks/":                                                  false,
		"/2010-04-01/Accounts/AC" + sid + "/Calls.json":                                        false,
		"/2010-04-01/Accounts/AC" + sid + "/Calls/CA" + sid + ".json":                          true,
		"/2010-04-01/Accounts/AC" + sid + "/IncomingPhoneNumbers/Local.json":                   false,
		"/2010-04-01/Accounts/AC" + sid + "/SIP/Domains.json":                                  false,
		"/2010-04-01/Accounts/AC" + sid + "/Conferences/CF" + sid + "/Participants/agent.json": true,
		"/2010-04-01/Accounts/AC" + sid + "/Conferences/CF" + sid + "/Participants.json":       false,
		"/v2/Flows/FW" + sid + "/Executions":                                                   false,
		"/v1/Configuration":                                                                    true,
		"/v1/Accounts/AC" + sid + "/Tokens/validate":                                           true,
		"/v1/Services/IS" + sid + "/Documents/name":                                            true,
		"/v1/Conversations":                                                                    false,
		"":                                                                                     false,
		"/":                                                                                    false,
	} {
		if got := updatesInstance(path); got != want {
			t.Errorf("%s: %t", path, got)
		}
	}
}

// TestCertificatesAreVerified: a server without a trusted certificate, such as
// one posing as Twilio, is sent nothing.
func TestCertificatesAreVerified(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was asked") }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	client := newHTTPClient(Config{})
	defer client.CloseIdleConnections()
	_, err := client.Get(server.URL)
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); !ok {
		t.Errorf("got %v", err)
	}
}

// TestEndedBeforeSent: after its context has ended, nothing is sent, even by a
// transport that ignores the context. The outcome is therefore known.
func TestEndedBeforeSent(t *testing.T) {
	sent := 0
	client := &http.Client{Transport: &transport{base: heedless(func(r *http.Request) (*http.Response, error) {
		sent++
		return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}, nil
	})}}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://taskrouter.twilio.com/v1/Workspaces/WS1/Tasks", strings.NewReader("a=b"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Do(req)
	if e, ok := errors.AsType[*Error](err); !ok || e.OutcomeUnknown || sent != 0 {
		t.Errorf("%d requests were sent: %#v", sent, err)
	}
}

// TestUnsentBodyIsClosed: the body of a request that is not sent is closed, as
// http.RoundTripper demands.
func TestUnsentBodyIsClosed(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	sent := &body{}
	for _, b := range []io.ReadCloser{nil, sent} {
		r := (&http.Request{Method: "POST", URL: &url.URL{Scheme: "http", Host: "x.test"}, Body: b}).WithContext(ctx)
		if _, err := new(transport).RoundTrip(r); err == nil {
			t.Error("it was sent")
		}
	}
	if !sent.closed {
		t.Error("the body is open")
	}
}

func TestHostOfARequestToTwilio(t *testing.T) {
	twilio, _ := url.Parse("http://fake.test")
	for host, want := range map[string]string{"": "api.twilio.com", "own.twilio.com": "own.twilio.com"} {
		tr := &transport{twilio: twilio, base: heedless(func(r *http.Request) (*http.Response, error) {
			if r.Host != want || r.URL.Host != "fake.test" {
				t.Errorf("sent to %s for the host %s, want %s", r.URL.Host, r.Host, want)
			}
			return &http.Response{StatusCode: 200, Body: http.NoBody}, nil
		})}
		r := (&http.Request{Method: "GET", URL: &url.URL{Scheme: "https", Host: "api.twilio.com", Path: "/x"}, Host: host}).WithContext(t.Context())
		if _, err := tr.RoundTrip(r); err != nil {
			t.Error(err)
		}
	}
}

// TestSwitchedBodyIsKept: the body of an answer that switches protocols can be
// written to.
func TestSwitchedBodyIsKept(t *testing.T) {
	for status, kept := range map[int]bool{101: true, 200: false} {
		b := &body{}
		tr := &transport{base: heedless(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: status, Body: b}, nil
		})}
		r := (&http.Request{Method: "GET", URL: &url.URL{Scheme: "http", Host: "x.test"}}).WithContext(t.Context())
		if resp, err := tr.RoundTrip(r); err != nil || (resp.Body == io.ReadCloser(b)) != kept {
			t.Errorf("%d: %T, %v", status, resp.Body, err)
		}
	}
}

// TestLateReadIsReported: only a read that fails because its attempt has ended is
// reported as late.
func TestLateReadIsReported(t *testing.T) {
	running, over := &lazyContext{parent: t.Context()}, &lazyContext{parent: t.Context()}
	over.end()
	for _, c := range []struct {
		ctx  context.Context
		err  error
		late bool
	}{
		{over, context.Canceled, true}, {over, io.EOF, false}, {running, context.Canceled, false}, {t.Context(), context.Canceled, false},
	} {
		_, err := (&answerBody{broken{c.err}, c.ctx}).Read(nil)
		if _, late := errors.AsType[*readLateError](err); late != c.late || !errors.Is(err, c.err) {
			t.Errorf("%v of %v: %v", c.err, c.ctx, err)
		}
	}
}

func TestRedirectsAreBounded(t *testing.T) {
	request := func(host string) *http.Request { return &http.Request{URL: &url.URL{Scheme: "https", Host: host}} }
	for _, c := range []struct {
		host   string
		before int
		follow bool
	}{{"crm.test", 1, true}, {"crm.test", 9, true}, {"crm.test", 10, false}, {"api.twilio.com", 1, false}} {
		if err := checkRedirect(nil, slices.Repeat([]*http.Request{request(c.host)}, c.before)); (err == nil) != c.follow {
			t.Errorf("redirect %d from %s: %v", c.before, c.host, err)
		}
	}
}

// TestStepsAreBounded: each step of a request has a timeout.
func TestStepsAreBounded(t *testing.T) {
	base := newBaseTransport()
	for name, d := range map[string]time.Duration{
		"TLS handshake": base.TLSHandshakeTimeout, "header of the answer": base.ResponseHeaderTimeout, "idle connection": base.IdleConnTimeout,
	} {
		if d < time.Second || d > time.Minute {
			t.Errorf("%s: %s", name, d)
		}
	}
}

// heedless is a transport that ignores the ctx.
type heedless func(*http.Request) (*http.Response, error)

func (f heedless) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
