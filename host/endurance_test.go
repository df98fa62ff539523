//go:build unix

package host

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/internal/testing/syncbuf"
)

// appProgram is an app whose functions misbehave.
func appProgram() http.Handler {
	config := flexfn.FromEnv()
	config.AccountSID, config.AuthToken = "AC00000000000000000000000000000001", "0123456789abcdef0123456789abcdef"
	app, err := flexfn.New(config)
	if err != nil {
		panic(err)
	}
	within := func(d time.Duration, path string, f func(context.Context, flexfn.Event) (any, error)) {
		app.Handle(path, flexfn.PrepareStudioFunction(f, flexfn.OpenToAnyone(), flexfn.Deadline(d)))
	}
	handle := func(path string, f func(context.Context, flexfn.Event) (any, error)) {
		within(300*time.Millisecond, path, f)
	}
	app.Handle("/signed", flexfn.PrepareStudioFunction(func(context.Context, flexfn.Event) (any, error) { return nil, nil }))
	within(1500*time.Millisecond, "/waits", func(ctx context.Context, _ flexfn.Event) (any, error) {
		slog.Info("the handler waits")
		<-ctx.Done()
		slog.Info("the handler waited", "until", ctx.Err())
		return nil, ctx.Err()
	})
	within(5*time.Second, "/slow", func(context.Context, flexfn.Event) (any, error) { time.Sleep(50 * time.Millisecond); return nil, nil })
	handle("/fine", func(context.Context, flexfn.Event) (any, error) { return nil, nil })
	handle("/fails", func(context.Context, flexfn.Event) (any, error) {
		return nil, errors.New(strings.Repeat("why ", 1000))
	})
	handle("/logs", func(ctx context.Context, _ flexfn.Event) (any, error) {
		slog.Info(strings.Repeat("what ", 1000)) // bypasses the app's logger
		return nil, nil
	})
	handle("/hangs", func(context.Context, flexfn.Event) (any, error) { select {} })
	handle("/exits", func(context.Context, flexfn.Event) (any, error) { runtime.Goexit(); return nil, nil })
	handle("/holds", func(_ context.Context, e flexfn.Event) (any, error) {
		if _, err := net.Dial("tcp", e.String("address")); err != nil {
			return nil, err
		}
		select {} // with a connection
	})
	within(5*time.Second, "/calls", func(ctx context.Context, e flexfn.Event) (any, error) {
		req, err := http.NewRequestWithContext(ctx, "GET", e.String("url"), nil)
		if err != nil {
			return nil, err
		}
		body, err := flexfn.ReadJSON[map[string]any](app.HTTPClient().Do(req))
		return body, err
	})
	return app
}

// appServer runs such a program on a socket, with stderr for its log.
func appServer(t *testing.T, stderr *os.File, shell string, environ ...string) (*program, *http.Client) {
	t.Helper()
	dir, err := os.MkdirTemp("", "host") // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	p := &program{socket: socket, Cmd: exec.Command("/bin/sh", "-c", shell+` exec "$0"`, os.Args[0]), log: new(syncbuf.Buffer), ended: make(chan struct{})}
	p.Env = append([]string{programVariable + "=app", "FLEXFN_LISTEN=unix:" + socket, "FLEXFN_DRAIN=2s", "GORACE=atexit_sleep_ms=0", "PATH=" + os.Getenv("PATH"), "GOCOVERDIR=" + os.Getenv("GOCOVERDIR")}, environ...)
	p.Stderr, p.Stdout = p.log, p.log
	if stderr != nil {
		p.Stderr = stderr
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = p.Wait(); close(p.ended) }()
	t.Cleanup(func() { _ = p.Process.Kill(); <-p.ended })
	client := &http.Client{Transport: (&served{network: "unix", address: socket}).transport(), Timeout: 20 * time.Second}
	for range 1000 {
		if c, err := net.Dial("unix", socket); err == nil {
			_ = c.Close()
			return p, client
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("the program does not listen: %s", p.log)
	return nil, nil
}

func status(t *testing.T, client *http.Client, path string) int {
	t.Helper()
	resp, err := client.Get("http://flexfn.test" + path)
	if err != nil {
		t.Errorf("%s: %v", path, err)
		return 0
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp.StatusCode
}

// TestLogIsNotRead: the reader of standard error stops reading, and the server
// goes on.
func TestLogIsNotRead(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	p, client := appServer(t, write, "")
	_ = write.Close()
	for path, want := range map[string]int{"/fails": 500, "/logs": 200} {
		// Until the pipe (64 KiB) and the queue (1 MiB) are full.
		for range 350 {
			if got := status(t, client, path); got != want {
				t.Fatalf("%s is answered %d, want %d", path, got, want)
			}
		}
	}
	began := time.Now()
	for path, want := range map[string]int{"/fails": 500, "/logs": 200, "/fine": 200, "/hangs": 504, HealthPath: 200, ReadyPath: 503} {
		if got := status(t, client, path); got != want {
			t.Errorf("%s is answered %d, want %d", path, got, want)
		}
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("six answers took %s", took)
	}
	began = time.Now()
	_ = p.Process.Signal(syscall.SIGTERM)
	if code := p.exit(t); code != ExitCutOff { // for the handler that hangs
		t.Errorf("the exit code is %d", code)
	}
	if took := time.Since(began); took > 6*time.Second {
		t.Errorf("shutting down took %s with a drain of 2s", took)
	}
}

// TestLogIsReadAgain: the reader resumes after a while.
func TestLogIsReadAgain(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p, client := appServer(t, write, "")
	_ = write.Close()
	for range 400 {
		if got := status(t, client, "/fails"); got != 500 {
			t.Fatalf("answered %d", got)
		}
	}
	if got := status(t, client, ReadyPath); got != 503 {
		t.Errorf("%s is answered %d while lines are lost", ReadyPath, got)
	}
	text := make(chan string)
	go func() { b, _ := io.ReadAll(read); text <- string(b) }()
	for end := time.Now().Add(10 * time.Second); status(t, client, ReadyPath) != 200; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not ready again")
		}
	}
	_ = p.Process.Signal(syscall.SIGTERM)
	if code := p.exit(t); code != 0 {
		t.Errorf("the exit code is %d", code)
	}
	if log := <-text; !strings.Contains(log, "log lines were lost") || !strings.Contains(log, "msg=ended") && !strings.Contains(log, "ended") {
		t.Errorf("the log does not report the lost lines, or the end: …%s", log[max(0, len(log)-500):])
	}
}

// TestLogReaderIsGone closes the reading ends of standard output and error.
func TestLogReaderIsGone(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p, client := appServer(t, write, "exec 1>&2;")
	_ = write.Close()
	_ = read.Close()
	for path, want := range map[string]int{"/fails": 500, "/logs": 200, "/fine": 200, "/hangs": 504, "/exits": 500} {
		if got := status(t, client, path); got != want {
			t.Errorf("%s is answered %d, want %d", path, got, want)
		}
	}
	_ = p.Process.Signal(syscall.SIGTERM)
	if code := p.exit(t); code != ExitCutOff {
		t.Errorf("the exit code is %d", code)
	}
}

// TestEndWithLateHandlers shuts down with a handler that never returns, and with
// one that ended its goroutine.
func TestEndWithLateHandlers(t *testing.T) {
	for path, want := range map[string]struct {
		status, code int
		took         time.Duration
	}{
		"/hangs": {504, ExitCutOff, 2 * time.Second},
		"/exits": {500, 0, 0},
	} {
		p, client := appServer(t, nil, "")
		if got := status(t, client, path); got != want.status {
			t.Errorf("%s is answered %d, want %d", path, got, want.status)
		}
		began := time.Now()
		_ = p.Process.Signal(syscall.SIGTERM)
		code := p.exit(t)
		if took := time.Since(began); code != want.code || took < want.took || took > want.took+3*time.Second {
			t.Errorf("%s: the exit code is %d after %s, want %d after %s", path, code, took, want.code, want.took)
		}
		if path == "/hangs" && !strings.Contains(p.log.String(), "handlers are still running past their deadline") {
			t.Errorf("the log does not say why: %s", p.log)
		}
	}
}

// TestHandlersThatHang repeatedly calls a handler that ignores its ctx.
func TestHandlersThatHang(t *testing.T) {
	p, client := appServer(t, nil, "", "FLEXFN_MAX_CALLS=5")
	var wg sync.WaitGroup
	var refused, late atomic.Int64
	for range 40 { // at once
		wg.Go(func() {
			for range 5 {
				switch status(t, client, "/hangs") {
				case 503:
					refused.Add(1)
				case 504:
					late.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if late.Load() != 5 || refused.Load() != 195 {
		t.Errorf("%d were late, %d refused", late.Load(), refused.Load())
	}
	if got := status(t, client, "/fine"); got != 200 {
		t.Errorf("another function is answered %d", got)
	}
	if n := strings.Count(p.log.String(), "too many calls of a function"); n != 1 || !strings.Contains(p.log.String(), "function=/hangs running=5") {
		t.Errorf("the log names the function %d times: %s", n, p.log)
	}
}

// TestFewFiles: clients alone could use up the limit of open files, but handlers
// must still reach the services that they call.
func TestFewFiles(t *testing.T) {
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(20 * time.Millisecond)
		_, _ = io.WriteString(w, `{"a":1}`)
	}))
	defer service.Close()
	p, _ := appServer(t, nil, "ulimit -n 40;")
	if got := p.burst(t, 60, 4, "/calls?url="+service.URL); got[200] != 240 {
		t.Errorf("240 calls were answered %v: %.2000s", got, p.log)
	}
}

// TestFilesThatHandlersKeep: the handlers of one function never end and each
// keep a file open. Others must still reach the services that they call.
func TestFilesThatHandlersKeep(t *testing.T) {
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, `{"a":1}`) }))
	defer service.Close()
	p, client := appServer(t, nil, "ulimit -n 40;")
	const most = (40 - 16) / 2 // half of what is left, without a setting
	if got := p.burst(t, 60, 3, "/holds?address="+service.Listener.Addr().String()); got[504] != most || got[503] != 180-most {
		t.Errorf("180 calls were answered %v", got)
	}
	for range 20 {
		if got := status(t, client, "/calls?url="+service.URL); got != 200 {
			t.Fatalf("another function is answered %d: %.2000s", got, p.log)
		}
	}
}

// burst sends calls from many clients at once, each with connections that it
// keeps, and counts the answers by status.
func (p *program) burst(t *testing.T, clients, calls int, path string) map[int]int {
	var wg sync.WaitGroup
	var mu sync.Mutex
	got := map[int]int{}
	for range clients {
		wg.Go(func() {
			client := &http.Client{Transport: (&served{network: "unix", address: p.socket}).transport(), Timeout: 20 * time.Second}
			defer client.CloseIdleConnections()
			for range calls {
				code := status(t, client, path)
				mu.Lock()
				got[code]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return got
}

// TestAppBehindMiddleware: a handler hides the app behind it, so that the host
// cannot ask it whether its log is read or a handler still runs.
func TestAppBehindMiddleware(t *testing.T) {
	read, write := io.Pipe()
	app, err := flexfn.New(flexfn.Config{
		AccountSID: "AC00000000000000000000000000000001", AuthToken: "0123456789abcdef0123456789abcdef",
		Logger: slog.New(slog.NewTextHandler(write, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	release := make(chan struct{})
	defer func() { _ = read.Close(); close(release) }()
	app.Handle("/fails", flexfn.PrepareStudioFunction(func(context.Context, flexfn.Event) (any, error) {
		return nil, errors.New(strings.Repeat("why ", 1000))
	}, flexfn.OpenToAnyone()))
	app.Handle("/hangs", flexfn.PrepareStudioFunction(func(context.Context, flexfn.Event) (any, error) {
		<-release
		return nil, nil
	}, flexfn.OpenToAnyone(), flexfn.Deadline(50*time.Millisecond)))
	mux := http.NewServeMux()
	mux.Handle("/", app)
	s := start(t, mux, Config{Drain: 300 * time.Millisecond})
	client := &http.Client{Transport: s.transport()}
	if got := status(t, client, ReadyPath); got != 200 {
		t.Errorf("before the first request %s is answered %d", ReadyPath, got)
	}
	for range 400 {
		if got := status(t, client, "/fails"); got != 500 {
			t.Fatalf("/fails is answered %d", got)
		}
	}
	if got := status(t, client, ReadyPath); got != 503 {
		t.Errorf("with a log that is not read %s is answered %d", ReadyPath, got)
	}
	if got := status(t, client, "/hangs"); got != 504 {
		t.Errorf("/hangs is answered %d", got)
	}
	s.end()
	if err := <-s.ended; !errors.Is(err, ErrCutOff) {
		t.Errorf("shutting down while a handler runs on: %v", err)
	}
	s.ended <- nil
}

func TestFaultyConfigClosesTheListener(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	err = Serve(t.Context(), http.NotFoundHandler(), Config{Listener: l, Platform: "bogus"})
	if err == nil || !strings.Contains(err.Error(), `FLEXFN_PLATFORM "bogus" is not known`) || time.Since(began) > time.Second {
		t.Errorf("an unknown platform: %v after %s", err, time.Since(began))
	}
	if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
		_ = c.Close()
		t.Error("the listener is still open")
	}
}

func TestHandlersMayHijack(t *testing.T) {
	s := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, ok := w.(http.Hijacker)
		if !ok {
			http.Error(w, "cannot", http.StatusNotImplemented)
			return
		}
		conn, rw, err := h.Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = fmt.Fprint(rw, "HTTP/1.1 101 Switching Protocols\r\n\r\nhello")
		_ = rw.Flush()
	}), Config{MaxConnections: 1})
	for range 3 { // its slot is free again
		conn, err := net.Dial("tcp", s.address)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		text, _ := io.ReadAll(bufio.NewReader(conn))
		_ = conn.Close()
		if !strings.HasSuffix(string(text), "hello") {
			t.Errorf("answered %q", text)
		}
	}
	transport := s.transport()
	transport.Protocols = new(http.Protocols)
	transport.Protocols.SetUnencryptedHTTP2(true)
	if resp := get(t, transport, "http://flexfn.test/"); resp.StatusCode != http.StatusNotImplemented {
		t.Errorf("HTTP/2: %s", resp.Status)
	}
}
