package redisflexfn

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/flexfn/flexfn"
)

// redis is a redis-server of this test.
type redis struct {
	t       *testing.T
	port    string
	process *exec.Cmd
}

func startRedis(t *testing.T) *redis {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	_ = l.Close()
	r := &redis{t: t, port: port}
	r.start()
	t.Cleanup(r.kill)
	return r
}

func (r *redis) start() {
	r.t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		r.t.Fatal("redis-server is missing: install it (apt-get install redis-server)")
	}
	r.process = exec.Command(path, "--port", r.port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", r.t.TempDir())
	if err := r.process.Start(); err != nil {
		r.t.Fatal(err)
	}
	for range 500 {
		if c, err := net.Dial("tcp", "127.0.0.1:"+r.port); err == nil {
			_ = c.Close()
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	r.t.Fatal("redis-server does not listen")
}

func (r *redis) kill() {
	_ = r.process.Process.Kill()
	_ = r.process.Wait()
}

// say sends a command as text, and returns all that comes within a moment.
func (r *redis) say(command string) string {
	r.t.Helper()
	c, err := net.Dial("tcp", "127.0.0.1:"+r.port)
	if err != nil {
		r.t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(100 * time.Millisecond))
	fmt.Fprintf(c, "%s\r\n", command)
	text, _ := io.ReadAll(c)
	return string(text)
}

type iam struct{ calls atomic.Int64 }

func (i *iam) RoundTrip(r *http.Request) (*http.Response, error) {
	i.calls.Add(1)
	_, _ = io.Copy(io.Discard, r.Body)
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
		Body: io.NopCloser(strings.NewReader(`{"valid":true,"identity":"agent-x","worker_sid":"WK1","roles":["agent"]}`))}, nil
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func (b *syncBuffer) count(s string) int { return strings.Count(b.text(), s) }

func TestInstances(t *testing.T) {
	server := startRedis(t)
	twilio := new(iam)
	log := new(syncBuffer)
	instance := func() func(token string) {
		t.Helper()
		tokens, err := New("redis://127.0.0.1:" + server.port)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(tokens.Close)
		// Connected beforehand: the app would not wait for it on a slow machine.
		if _, err := tokens.Get(t.Context(), "nothing"); err != nil {
			t.Fatal(err)
		}
		app, err := flexfn.New(flexfn.Config{
			AccountSID: "AC" + strings.Repeat("a", 32), AuthToken: strings.Repeat("b", 32), SharedTokens: tokens, Transport: twilio,
			Logger: slog.New(slog.NewTextHandler(log, nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		app.Handle("/f", flexfn.PrepareFlexFunction(func(context.Context, flexfn.Event) (struct{}, error) { return struct{}{}, nil }))
		return func(token string) {
			t.Helper()
			w := httptest.NewRecorder()
			begin := time.Now()
			app.ServeHTTP(w, httptest.NewRequest("GET", "/f?Token="+token, nil))
			if took := time.Since(begin); w.Code != 200 || took > time.Second {
				t.Errorf("%s: %d after %s: %s", token, w.Code, took, w.Body)
			}
		}
	}
	calls := func(what string, want int64) {
		t.Helper()
		if got := twilio.calls.Load(); got != want {
			t.Errorf("%s: Twilio was asked %d times, want %d", what, got, want)
		}
	}
	one, two := instance(), instance()
	one("token-one")
	two("token-one")
	calls("two instances", 1)
	keys := server.say("KEYS *")
	if strings.Contains(keys, "token-one") || strings.Count(keys, "flexfn:token:") != 1 {
		t.Errorf("the keys are %q", keys)
	}
	name := keys[strings.Index(keys, "flexfn:"):strings.LastIndex(keys, "\r\n")]
	if value := server.say("GET " + name); len(value) < 50 || strings.Contains(value, "agent") || strings.Contains(value, "token-one") {
		t.Errorf("the entry is %q", value)
	}
	if ttl := server.say("TTL " + name); !strings.HasPrefix(ttl, ":5") && !strings.HasPrefix(ttl, ":60") {
		t.Errorf("the entry's TTL is %q", ttl)
	}

	// Frozen: connected, and silent.
	if err := server.process.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	one("token-two")
	one("token-three")
	calls("a silent Redis", 3)
	if err := server.process.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if n := log.count("does not work"); n != 1 {
		t.Errorf("the log tells %d times that Redis does not work, want once", n)
	}
	back := func(what string, instance func(string), message int) {
		t.Helper()
		for i := range 20 {
			if log.count("works again") == message {
				return
			}
			time.Sleep(300 * time.Millisecond)
			instance(fmt.Sprintf("token-%s-%d", what, i))
		}
		t.Errorf("%s: Redis is not used again", what)
	}
	back("thawed", one, 1)

	// Gone, and back.
	server.kill()
	before := twilio.calls.Load()
	for i := range 5 {
		one(fmt.Sprint("token-gone-", i))
	}
	calls("no Redis", before+5)
	if n := log.count("does not work"); n != 2 {
		t.Errorf("the log tells %d times that Redis does not work, want twice", n)
	}
	server.start()
	back("returned", one, 2)
	// A store that is slower than a request waits for is done without, so on a
	// loaded machine it can take more than one token.
	shared := false
	for i := 0; i < 20 && !shared; i++ {
		before = twilio.calls.Load()
		token := fmt.Sprint("token-last-", i)
		one(token)
		instance()(token)
		if shared = twilio.calls.Load() == before+1; !shared {
			time.Sleep(300 * time.Millisecond) // it is not asked for a second
		}
	}
	if !shared {
		t.Errorf("the instances share nothing again:\n%s", log.text())
	}
}

// TestLater has an app start before Redis does.
func TestLater(t *testing.T) {
	server := startRedis(t)
	server.kill()
	tokens, err := New("redis://127.0.0.1:" + server.port)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tokens.Get(t.Context(), "k"); err == nil {
		t.Error("without Redis there is no error")
	}
	server.start()
	for range 50 {
		if err = tokens.Set(t.Context(), "k", []byte{0, 255}, time.Minute); err == nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if value, err := tokens.Get(t.Context(), "k"); err != nil || !bytes.Equal(value, []byte{0, 255}) {
		t.Errorf("the value is %q, %v", value, err)
	}
	if value, err := tokens.Get(t.Context(), "nothing"); err != nil || value != nil {
		t.Errorf("a key that is not there: %q, %v", value, err)
	}
	tokens.Close()
	if _, err := tokens.Get(t.Context(), "k"); err == nil {
		t.Error("after Close there is no error")
	}
}

func TestFaultyURL(t *testing.T) {
	if _, err := New("redis://:se-cret@%zz"); err == nil || strings.Contains(err.Error(), "se-cret") {
		t.Errorf("a faulty URL: %v", err)
	}
}
