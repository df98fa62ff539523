package redisflexfn

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/flexfntest"
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

func (r *redis) store(t *testing.T) *Store {
	t.Helper()
	s, err := New("redis://127.0.0.1:" + r.port)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestStore(t *testing.T) {
	server := startRedis(t)
	stores := make([]flexfn.Store, 8)
	for i := range stores {
		stores[i] = server.store(t)
	}
	flexfntest.CheckStore(t, stores...)
	if keys := server.say("KEYS *"); strings.Contains(keys, "flexfn:") {
		t.Errorf("the check leaves %q", keys)
	}
}

// TestProcesses has eight processes count up in one entry.
func TestProcesses(t *testing.T) {
	if port := os.Getenv("REDISFLEXFN_TEST_PORT"); port != "" {
		count(t, (&redis{port: port}).store(t))
		return
	}
	server := startRedis(t)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			child := exec.Command(os.Args[0], "-test.run=^TestProcesses$")
			child.Env = append(os.Environ(), "REDISFLEXFN_TEST_PORT="+server.port)
			if out, err := child.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	all.Wait()
	if got := server.say("GET flexfn:1:count"); !strings.Contains(got, "\n640 ") {
		t.Errorf("8 processes with 8 writers, 10 steps each, counted to %q", got)
	}
}

func count(t *testing.T, s flexfn.Store) {
	var all sync.WaitGroup
	for w := range 8 {
		all.Go(func() {
			for n := 0; n < 10; {
				value, _, err := s.Get(t.Context(), "flexfn:1:count")
				if err != nil {
					t.Error(err)
					return
				}
				have := 0
				_, _ = fmt.Sscanf(string(value), "%d", &have)
				ok, err := s.Swap(t.Context(), "flexfn:1:count", value, fmt.Appendf(nil, "%d by %d of %d", have+1, w, os.Getpid()), time.Minute)
				if err != nil {
					t.Error(err)
					return
				}
				if ok {
					n++
				}
			}
		})
	}
	all.Wait()
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

func (b *syncBuffer) count(s string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Count(b.b.String(), s)
}

// outage is an app whose function is guarded, and what its calls are answered.
type outage struct {
	t   *testing.T
	app *flexfntest.App
	log syncBuffer
	n   int
}

func newOutage(t *testing.T, s flexfn.Store) *outage {
	o := &outage{t: t}
	o.app = flexfntest.New(t, func(c *flexfn.Config) {
		c.Store, c.Logger = s, slog.New(slog.NewTextHandler(&o.log, nil))
	})
	f := func(context.Context, flexfn.Event) (struct{}, error) { return struct{}{}, nil }
	o.app.Handle("/once", flexfn.PrepareFlexFunction(f, flexfn.Once(time.Minute, "n"), flexfn.Require("n", "a number")))
	o.app.Handle("/deduplicate", flexfn.PrepareFlexFunction(f, flexfn.Deduplicate(time.Minute, "n"), flexfn.Require("n", "a number")))
	return o
}

// want makes calls until once is answered so, which must be soon.
func (o *outage) want(what string, once int) {
	o.t.Helper()
	var got int
	for range 40 {
		o.n++
		begin := time.Now()
		got = o.app.CallFlex(flexfntest.Agent, "/once", flexfntest.Params{"n": o.n}).Status
		if status := o.app.CallFlex(flexfntest.Agent, "/deduplicate", flexfntest.Params{"n": o.n}).Status; status != 200 {
			o.t.Errorf("%s: Deduplicate is answered %d", what, status)
		}
		if took := time.Since(begin); took > 3*time.Second {
			o.t.Errorf("%s: two calls took %s", what, took)
		}
		if got == once {
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
	o.t.Errorf("%s: Once is answered %d, want %d", what, got, once)
}

func (o *outage) logged(what string, fails, works int) {
	o.t.Helper()
	if f, w := o.log.count("the store fails"), o.log.count("the store works again"); f != fails || w != works {
		o.t.Errorf("%s: the log says %d times that the store fails and %d times that it works again, want %d and %d", what, f, w, fails, works)
	}
}

// TestHugeValue: a value that is none of the app's is not read into memory.
func TestHugeValue(t *testing.T) {
	server := startRedis(t)
	s := server.store(t)
	server.say("SETRANGE huge 50000000 x")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	value, _, err := s.Get(t.Context(), "huge")
	runtime.ReadMemStats(&after)
	if read := after.TotalAlloc - before.TotalAlloc; err == nil || value != nil || read > 8<<20 {
		t.Errorf("%d bytes came, %d were used for it: %v", len(value), read, err)
	}
}

func TestOutages(t *testing.T) {
	server := startRedis(t)
	o := newOutage(t, server.store(t))
	o.want("at first", 200)
	down := func(what string, n int) {
		t.Helper()
		o.want(what, 503)
		for range 5 {
			o.want(what, 503)
		}
		o.logged(what, n, n-1)
	}
	up := func(what string, n int) {
		t.Helper()
		o.want("after "+what, 200)
		o.logged("after "+what, n, n)
	}

	if err := server.process.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	down("slow", 1)
	if err := server.process.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	up("slow", 1)

	server.say("CONFIG SET maxmemory 1")
	down("full", 2)
	server.say("CONFIG SET maxmemory 0")
	up("full", 2)

	server.say("CONFIG SET min-replicas-to-write 1") // a read-only replica refuses as much
	down("read-only", 3)
	server.say("CONFIG SET min-replicas-to-write 0")
	up("read-only", 3)

	server.kill()
	down("down", 4)
	server.start()
	up("down", 4)
}

func TestWrongPassword(t *testing.T) {
	server := startRedis(t)
	server.say("CONFIG SET requirepass right-password")
	s, err := New("redis://:wrong-password@127.0.0.1:" + server.port)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	o := newOutage(t, s)
	for range 8 {
		o.want("wrong password", 503)
	}
	o.logged("wrong password", 1, 0)
	if o.log.count("wrong-password") > 0 {
		t.Error("the password is in the log")
	}
}

func TestEvictionIsRefused(t *testing.T) {
	server := startRedis(t)
	server.say("CONFIG SET maxmemory-policy allkeys-lru")
	if _, _, err := server.store(t).Get(t.Context(), "k"); err == nil || !strings.Contains(err.Error(), "noeviction") {
		t.Errorf("%v", err)
	}
}

// TestLater has an app start before Redis does.
func TestLater(t *testing.T) {
	server := startRedis(t)
	server.kill()
	s := server.store(t)
	if _, _, err := s.Get(t.Context(), "k"); err == nil {
		t.Error("without Redis there is no error")
	}
	server.start()
	var err error
	for range 50 {
		if _, err = s.Swap(t.Context(), "k", nil, []byte{0, 255}, time.Minute); err == nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if value, _, err := s.Get(t.Context(), "k"); err != nil || !bytes.Equal(value, []byte{0, 255}) {
		t.Errorf("the value is %q, %v", value, err)
	}
	s.Close()
	if _, _, err := s.Get(t.Context(), "k"); err == nil {
		t.Error("after Close there is no error")
	}
}

func TestFaultyURL(t *testing.T) {
	if _, err := New("redis://:se-cret@%zz"); err == nil || strings.Contains(err.Error(), "se-cret") {
		t.Errorf("a faulty URL: %v", err)
	}
}
