package flexfn_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/host"
	"github.com/flexfn/flexfn/internal/testing/syncbuf"
)

// plainWriter has only the three methods of http.ResponseWriter.
type plainWriter struct{ http.ResponseWriter }

// keeper is a middleware's writer that has Flush, but buffers the answer until
// the handler returns.
type keeper struct {
	http.ResponseWriter
	kept bytes.Buffer
}

func (k *keeper) Write(p []byte) (int, error) { return k.kept.Write(p) }
func (k *keeper) Flush()                      {}
func (k *keeper) Unwrap() http.ResponseWriter { return k.ResponseWriter }

// counter is a middleware's writer that passes everything on.
type counter struct {
	http.ResponseWriter
	n int
}

func (c *counter) Write(p []byte) (int, error) { c.n += len(p); return c.ResponseWriter.Write(p) }
func (c *counter) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// serving lists the ways in which an app can be served.
var serving = map[string]func(t *testing.T, app http.Handler) *httptest.Server{
	"net/http": func(t *testing.T, app http.Handler) *httptest.Server { return httptest.NewServer(app) },
	"HTTP/2": func(t *testing.T, app http.Handler) *httptest.Server {
		s := httptest.NewUnstartedServer(app)
		s.EnableHTTP2 = true
		s.StartTLS()
		return s
	},
	"TLS": func(t *testing.T, app http.Handler) *httptest.Server { return httptest.NewTLSServer(app) },
	"behind a counter": func(t *testing.T, app http.Handler) *httptest.Server {
		return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { app.ServeHTTP(&counter{w, 0}, r) }))
	},
	"behind a plain writer": func(t *testing.T, app http.Handler) *httptest.Server {
		return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { app.ServeHTTP(plainWriter{w}, r) }))
	},
	"behind one that keeps answers": func(t *testing.T, app http.Handler) *httptest.Server {
		return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			k := &keeper{ResponseWriter: w}
			app.ServeHTTP(k, r)
			_, _ = w.Write(k.kept.Bytes())
		}))
	},
	"behind http.TimeoutHandler": func(t *testing.T, app http.Handler) *httptest.Server {
		return httptest.NewServer(http.TimeoutHandler(app, time.Minute, ""))
	},
	"behind http.MaxBytesHandler": func(t *testing.T, app http.Handler) *httptest.Server {
		return httptest.NewServer(http.MaxBytesHandler(app, 1<<20))
	},
	"host": func(t *testing.T, app http.Handler) *httptest.Server {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() {
			ended <- host.Serve(ctx, app, host.Config{Listener: l, Logger: slog.New(slog.DiscardHandler)})
		}()
		t.Cleanup(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
		s := httptest.NewUnstartedServer(nil)
		_ = s.Listener.Close()
		s.URL = "http://" + l.Addr().String()
		return s
	},
}

// inline lists those ways in which a call runs on its connection's goroutine.
var inline = map[string]bool{"net/http": true, "TLS": true, "behind http.MaxBytesHandler": true, "host": true}

func clientOf(s *httptest.Server) *http.Client {
	if c := s.Client(); c != nil && s.TLS != nil {
		return c
	}
	return &http.Client{Transport: &http.Transport{}}
}

// TestDeadlineHolds calls a handler that ignores its ctx, in every way of
// serving.
func TestDeadlineHolds(t *testing.T) {
	for name, serve := range serving {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			app := newApp(t, testConfig(nil))
			release, began := make(chan struct{}), make(chan string, 8)
			app.Handle("/f", flexfn.PrepareStudioFunction(func(_ context.Context, in flexfn.Event) (any, error) {
				began <- string(debug.Stack())
				if in.String("wait") != "" {
					<-release
				}
				return map[string]any{"late": true}, nil
			}, flexfn.OpenToAnyone(), flexfn.Deadline(50*time.Millisecond)))
			s := serve(t, app)
			client := clientOf(s)
			call := func(method, query string) (*http.Response, string) {
				t.Helper()
				req, err := http.NewRequestWithContext(t.Context(), method, s.URL+"/f"+query, strings.NewReader("a=1"))
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				resp, err := client.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				text, err := io.ReadAll(resp.Body)
				if err != nil {
					t.Fatal(err)
				}
				return resp, string(text)
			}
			if resp, text := call("POST", ""); resp.StatusCode != 200 {
				t.Fatalf("in time: %s %s", resp.Status, text)
			}
			if got := strings.Contains(<-began, "net/http.(*conn).serve"); got != inline[name] {
				t.Errorf("on the connection's goroutine: %v", got)
			}
			start := time.Now()
			resp, text := call("POST", "?wait=1")
			if took := time.Since(start); took < 150*time.Millisecond || took > 5*time.Second {
				t.Errorf("answered after %s", took)
			}
			var body map[string]any
			if err := json.Unmarshal([]byte(text), &body); err != nil || resp.StatusCode != 504 || body["success"] != false ||
				body["message"] != "The function did not finish within 50ms" || resp.Header.Get("Access-Control-Allow-Origin") != "*" ||
				resp.Header.Get("X-Request-Id") != body["requestId"] || body["outcomeUnknown"] != nil || resp.Header.Get("Retry-After") != "" {
				t.Errorf("%s %v %s", resp.Status, resp.Header, text)
			}
			if resp, text := call("POST", ""); resp.StatusCode != 200 {
				t.Errorf("then: %s %s", resp.Status, text)
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if app.Wait(ctx) == nil {
				t.Error("Wait does not wait for the handler")
			}
			close(release)
			if err := app.Wait(t.Context()); err != nil {
				t.Error(err)
			}
			client.CloseIdleConnections()
			s.Close()
		})
	}
}

// TestLateConnectionIsClosed calls a handler that ends its goroutine, as
// t.Fatal does in a test. After a late answer the connection is closed, though
// the handler still runs.
func TestLateConnectionIsClosed(t *testing.T) {
	app := newApp(t, testConfig(nil))
	release := make(chan struct{})
	app.Handle("/f", flexfn.PrepareStudioFunction(func(context.Context, flexfn.Event) (any, error) {
		<-release
		return nil, nil
	}, flexfn.OpenToAnyone(), flexfn.Deadline(time.Millisecond)))
	s := httptest.NewServer(app)
	defer s.Close()
	defer close(release)
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, "GET /f HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(text), "HTTP/1.1 504") {
		t.Errorf("%s, %v", text, err)
	}
}

func TestGoexit(t *testing.T) {
	for name, serve := range serving {
		t.Run(name, func(t *testing.T) {
			app := newApp(t, testConfig(nil))
			app.Handle("/f", flexfn.PrepareStudioFunction(func(context.Context, struct{}) (any, error) {
				runtime.Goexit()
				return nil, nil
			}, flexfn.OpenToAnyone(), flexfn.Deadline(time.Minute)))
			s := serve(t, app)
			client := clientOf(s)
			before := 0
			for i := range 20 {
				resp, err := client.Post(s.URL+"/f", "text/plain", nil)
				if err != nil {
					t.Fatal(err)
				}
				text, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if err != nil || resp.StatusCode != 500 || !bytes.Contains(text, []byte(`"success":false`)) {
					t.Fatalf("%s %s %v", resp.Status, text, err)
				}
				if i == 5 {
					before = runtime.NumGoroutine()
				}
			}
			if err := app.Wait(t.Context()); err != nil {
				t.Error(err)
			}
			if now := runtime.NumGoroutine(); now > before+8 {
				t.Errorf("%d goroutines after 15 more calls, %d before", now, before)
			}
			client.CloseIdleConnections()
			s.Close()
		})
	}
}

// TestLateTokenCheck: Twilio takes longer to check the token than the function
// may take. The handler must not start after the caller was answered, and the
// log must not blame it.
func TestLateTokenCheck(t *testing.T) {
	for _, delay := range []time.Duration{400 * time.Millisecond, 60 * time.Millisecond, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			var logs syncbuf.Buffer
			config := testConfig(&iam{delay: delay})
			config.Logger = slog.New(slog.NewTextHandler(&logs, nil))
			app := newApp(t, config)
			began := false
			app.Handle("/f", flexfn.PrepareFlexFunction(func(context.Context, struct{}) (struct{}, error) {
				began = true
				return struct{}{}, nil
			}, flexfn.Deadline(50*time.Millisecond)))
			w := httptest.NewRecorder()
			start := time.Now()
			app.ServeHTTP(w, httptest.NewRequest("GET", "/f?Token=agent", nil))
			took := time.Since(start)
			if err := app.Wait(t.Context()); err != nil {
				t.Error(err)
			}
			if began {
				t.Errorf("%s: the handler began after its deadline", delay)
			}
			if strings.Contains(logs.String(), "handler") {
				t.Errorf("%s: the log blames the handler: %s", delay, &logs)
			}
			if took > 150*time.Millisecond {
				t.Errorf("%s: answered after %s", delay, took)
			}
			if delay > 100*time.Millisecond && (w.Code != 503 || w.Header().Get("Retry-After") != "1") {
				t.Errorf("%s: %d, Retry-After %q", delay, w.Code, w.Header().Get("Retry-After"))
			}
		})
	}
}

// TestDeadlineIsNotTheCallersLeaving: an error from a ctx that the handler made
// is not mistaken for the caller's leaving.
func TestDeadlineIsNotTheCallersLeaving(t *testing.T) {
	for _, returned := range []error{context.Canceled, context.DeadlineExceeded, fmt.Errorf("child: %w", context.Canceled)} {
		synctest.Test(t, func(t *testing.T) {
			app := newApp(t, testConfig(nil))
			app.Handle("/f", flexfn.PrepareStudioFunction(func(ctx context.Context, _ struct{}) (struct{}, error) {
				<-ctx.Done()
				return struct{}{}, returned
			}, flexfn.OpenToAnyone(), flexfn.Deadline(20*time.Millisecond)))
			if code, body := post(t, app, "/f", nil); code != 504 {
				t.Errorf("deadline, %v: %d %v", returned, code, body)
			}
			ctx, leave := context.WithCancel(t.Context())
			time.AfterFunc(10*time.Millisecond, leave)
			if code, body := send(t, app, httptest.NewRequestWithContext(ctx, "POST", "/f", nil)); code != 499 {
				t.Errorf("the caller left, %v: %d %v", returned, code, body)
			}
		})
	}
}

// TestCallerLeavesDuringACall: a call to a service that ends because the caller
// has left is not a failure of the function, unless what it did is unknown.
func TestCallerLeavesDuringACall(t *testing.T) {
	for method, want := range map[string]struct {
		status int
		logged bool
	}{
		"GET":  {499, false},
		"POST": {504, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			var logs syncbuf.Buffer
			config := testConfig(roundTripper(func(r *http.Request) (*http.Response, error) {
				<-r.Context().Done()
				return nil, r.Context().Err()
			}))
			config.Logger = slog.New(slog.NewTextHandler(&logs, nil))
			app := newApp(t, config)
			app.Handle("/f", flexfn.PrepareStudioFunction(func(ctx context.Context, _ struct{}) (struct{}, error) {
				r, err := http.NewRequestWithContext(ctx, method, "https://api.example.com/", nil)
				if err != nil {
					return struct{}{}, err
				}
				resp, err := flexfn.FromContext(ctx).HTTPClient().Do(r)
				if err == nil {
					_ = resp.Body.Close()
				}
				return struct{}{}, err
			}, flexfn.OpenToAnyone()))
			ctx, leave := context.WithCancel(t.Context())
			time.AfterFunc(10*time.Millisecond, leave)
			code, body := send(t, app, httptest.NewRequestWithContext(ctx, "POST", "/f", nil))
			if logged := strings.Contains(logs.String(), "function failed"); code != want.status || logged != want.logged {
				t.Errorf("%s: %d %v, logged %v: %s", method, code, body, logged, &logs)
			}
		})
	}
}

// TestNoTimeLeft: the caller's own deadline has already passed.
func TestNoTimeLeft(t *testing.T) {
	app := newApp(t, testConfig(nil))
	began := false
	app.Handle("/f", flexfn.PrepareStudioFunction(func(context.Context, struct{}) (struct{}, error) {
		began = true
		return struct{}{}, nil
	}, flexfn.OpenToAnyone()))
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-3*time.Second))
	defer cancel()
	code, body := send(t, app, httptest.NewRequestWithContext(ctx, "POST", "/f", nil))
	if code != 504 || body["message"] != "No time was left for the function" || began {
		t.Errorf("%d %v, began %v", code, body, began)
	}
}

// TestWaitWhileServing calls Wait while requests still arrive and become late.
func TestWaitWhileServing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := newApp(t, testConfig(nil))
		app.Handle("/f", flexfn.PrepareStudioFunction(func(context.Context, struct{}) (struct{}, error) {
			time.Sleep(103 * time.Millisecond)
			return struct{}{}, nil
		}, flexfn.OpenToAnyone(), flexfn.Deadline(time.Millisecond)))
		end := time.Now().Add(3 * time.Second)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for time.Now().Before(end) {
					post(t, app, "/f", nil)
				}
			})
		}
		for range 4 {
			wg.Go(func() {
				for time.Now().Before(end) {
					if err := app.Wait(t.Context()); err != nil {
						t.Error(err)
					}
					time.Sleep(time.Millisecond)
				}
			})
		}
		wg.Wait()
		if err := app.Wait(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestStalledLog: if nothing reads the log, answers do not wait for it, its
// memory stays bounded, and lost lines are counted once it resumes.
func TestStalledLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		read, write := io.Pipe()
		config := testConfig(nil)
		config.Logger = slog.New(slog.NewTextHandler(write, nil))
		config.MaxCalls = 1000
		app := newApp(t, config)
		release := make(chan struct{})
		app.Handle("/f", flexfn.PrepareStudioFunction(func(ctx context.Context, in flexfn.Event) (any, error) {
			switch in.String("do") {
			case "log":
				flexfn.Logger(ctx).Info("of the handler", "text", strings.Repeat("x", 10_000))
				return nil, nil
			case "hang":
				<-release
			case "panic":
				panic("on purpose")
			}
			return nil, fmt.Errorf("failed on purpose")
		}, flexfn.OpenToAnyone(), flexfn.Deadline(50*time.Millisecond)))
		if err := app.Ready(); err != nil {
			t.Errorf("before: %v", err)
		}
		for do, want := range map[string]int{"log": 200, "hang": 504, "panic": 500, "fail": 500} {
			if code, body := post(t, app, "/f", url.Values{"do": {do}}); code != want {
				t.Errorf("%s: %d %v", do, code, body)
			}
		}
		for range 110 {
			post(t, app, "/f", url.Values{"do": {"log"}})
		}
		start := time.Now()
		for range 20 {
			post(t, app, "/f", url.Values{"do": {"fail"}})
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("20 calls took %s", took)
		}
		if err := app.Ready(); err == nil || !strings.Contains(err.Error(), "lines were lost") {
			t.Errorf("while the log is not read: Ready returns %v", err)
		}
		close(release)
		ended := make(chan error, 1)
		go func() { ended <- app.Wait(t.Context()) }()
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(5 * time.Second):
			t.Fatal("Wait does not end while the log is not read")
		}
		text := make(chan string)
		go func() { b, _ := io.ReadAll(read); text <- string(b) }()
		if err := app.Wait(t.Context()); err != nil {
			t.Error(err)
		}
		for app.Ready() != nil {
			time.Sleep(time.Millisecond) // virtual
		}
		_ = app.Wait(t.Context())
		_ = write.Close()
		log := <-text
		for _, want := range []string{"of the handler", "still running", "failed on purpose", "on purpose", "lines were lost"} {
			if !strings.Contains(log, want) {
				t.Errorf("the log has no %q", want)
			}
		}
		if len(log) > 2<<20 {
			t.Errorf("%d bytes were kept", len(log))
		}
	})
}

// TestMaxCalls sends a burst of calls to a function that ignores its ctx, and to
// one that does not.
func TestMaxCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logs syncbuf.Buffer
		config := testConfig(nil)
		config.MaxCalls = 3
		config.Logger = slog.New(slog.NewTextHandler(&logs, nil))
		app := newApp(t, config)
		release := make(chan struct{})
		var running, late, refused atomic.Int64
		options := []flexfn.StudioOption{flexfn.OpenToAnyone(), flexfn.Deadline(time.Second)}
		app.Handle("/hangs", flexfn.PrepareStudioFunction(func(context.Context, struct{}) (any, error) {
			running.Add(1)
			defer running.Add(-1)
			<-release
			return nil, nil
		}, options...))
		app.Handle("/fine", flexfn.PrepareStudioFunction(func(context.Context, struct{}) (any, error) { return nil, nil }, options...))
		ask := func() {
			w := httptest.NewRecorder()
			app.ServeHTTP(w, httptest.NewRequest("POST", "/hangs", nil))
			switch {
			case w.Code == 504:
				late.Add(1)
			case w.Code == 503 && w.Header().Get("Retry-After") == "1" && w.Header().Get("Access-Control-Allow-Origin") == "*":
				refused.Add(1)
			default:
				t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
			}
		}
		var burst sync.WaitGroup
		for range 40 {
			burst.Go(ask)
		}
		burst.Wait()
		for range 5 { // the places stay taken
			ask()
		}
		if running.Load() != 3 || late.Load() != 3 || refused.Load() != 42 {
			t.Errorf("%d handlers run, %d calls were late, %d refused", running.Load(), late.Load(), refused.Load())
		}
		if code, _ := post(t, app, "/fine", nil); code != 200 {
			t.Errorf("another function: %d", code)
		}
		close(release)
		if err := app.Wait(t.Context()); err != nil {
			t.Error(err)
		}
		for _, said := range []int{0, 1} { // only once no calls have been refused for a while
			if code, _ := post(t, app, "/hangs", nil); code != 200 {
				t.Errorf("after the handlers have returned: %d", code)
			}
			synctest.Wait()
			if n := strings.Count(logs.String(), "the function is called again"); n != said {
				t.Errorf("the end is logged %d times, want %d: %s", n, said, &logs)
			}
			time.Sleep(11 * time.Second)
		}
		if n := strings.Count(logs.String(), "too many calls of a function"); n != 1 || !strings.Contains(logs.String(), "function=/hangs running=3") {
			t.Errorf("logged %d times: %s", n, &logs)
		}
	})
}

// TestSlowBodies sends bodies that never arrive in full, in every way of
// serving.
func TestSlowBodies(t *testing.T) {
	for name, serve := range serving {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			app := newApp(t, testConfig(nil))
			app.Handle("/f", flexfn.PrepareStudioFunction(func(context.Context, struct{}) (any, error) { return nil, nil },
				flexfn.OpenToAnyone(), flexfn.Deadline(50*time.Millisecond)))
			s := serve(t, app)
			body, sender := io.Pipe()
			client := clientOf(s)
			start := time.Now()
			resp, err := client.Post(s.URL+"/f", "application/x-www-form-urlencoded", body)
			if err != nil {
				t.Fatal(err)
			}
			text, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if took := time.Since(start); resp.StatusCode != http.StatusRequestTimeout || took > 3*time.Second {
				t.Errorf("%s after %s: %s", resp.Status, took, text)
			}
			_ = sender.Close()
			if err := app.Wait(t.Context()); err != nil {
				t.Error(err)
			}
			client.CloseIdleConnections()
			s.Close()
		})
	}
}
