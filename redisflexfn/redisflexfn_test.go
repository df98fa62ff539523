package redisflexfn

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/flexfntest"
	"github.com/flexfn/flexfn/internal/testing/storetest"
)

// redis is a redis-server that the test starts.
type redis struct {
	t       testing.TB
	port    string
	dir     string
	options []string
	process *exec.Cmd
}

func startRedis(t testing.TB, options ...string) *redis {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	_ = l.Close()
	r := &redis{t: t, port: port, dir: t.TempDir(), options: options}
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
	r.process = exec.Command(path, append([]string{"--port", r.port, "--bind", "127.0.0.1", "--save", "", "--dir", r.dir}, r.options...)...)
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

// say sends a command as text, and returns everything that arrives within a
// moment.
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

func (r *redis) store(t testing.TB) *Store {
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

func TestProcesses(t *testing.T) {
	address := ""
	if !storetest.Child() {
		address = startRedis(t).port
	}
	storetest.Processes(t, address, func(port string) flexfn.Store { return (&redis{port: port}).store(t) })
}

// TestDeliveries delivers events while processes are killed and a Redis with
// persistence is restarted. "make soak" sends a million.
func TestDeliveries(t *testing.T) {
	var server *redis
	storetest.Deliveries{
		Short: 5000,
		Address: func() string {
			server = startRedis(t, "--appendonly", "yes")
			return server.port
		},
		Configure: func(c *flexfn.Config, port string) (work func(context.Context, *flexfn.App) error, err error) {
			c.Store, err = New("redis://127.0.0.1:" + port)
			return nil, err
		},
		Restart: func() {
			server.kill()
			server.start()
		},
	}.Run(t)
}

// TestOneInHand has each process handle one event at a time, so that a kill
// doubles at most that one.
func TestOneInHand(t *testing.T) {
	storetest.Deliveries{
		OneInHand: true,
		Short:     2000,
		Address:   func() string { return startRedis(t).port },
		Configure: func(c *flexfn.Config, port string) (work func(context.Context, *flexfn.App) error, err error) {
			c.Store, err = New("redis://127.0.0.1:" + port)
			return nil, err
		},
	}.Run(t)
}

// TestFrozenProcesses freezes processes for longer than a claim on an event of
// Event Streams lasts. Others take over, and then both continue.
func TestFrozenProcesses(t *testing.T) {
	storetest.Deliveries{
		Freeze:  8 * time.Second,
		Short:   3000,
		Address: func() string { return startRedis(t).port },
		Configure: func(c *flexfn.Config, port string) (work func(context.Context, *flexfn.App) error, err error) {
			c.Store, err = New("redis://127.0.0.1:" + port)
			return nil, err
		},
	}.Run(t)
}

func BenchmarkClaims(b *testing.B) {
	server := startRedis(b)
	storetest.Claims(b, func() flexfn.Store { return server.store(b) }, func() func() error {
		c, err := net.Dial("tcp", "127.0.0.1:"+server.port)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = c.Close() })
		answers := bufio.NewReader(c)
		return func() error {
			for range 2 {
				if _, err := fmt.Fprintf(c, "SET bare %0200d PX 60000\r\n", 0); err != nil {
					return err
				}
				if _, err := answers.ReadSlice('\n'); err != nil {
					return err
				}
			}
			return nil
		}
	}, 1000, 5000, 10000)
}

// TestHugeValue: a value that is too long to be the app's is not read into
// memory.
func TestHugeValue(t *testing.T) {
	server := startRedis(t)
	s := server.store(t)
	server.say("SETRANGE huge 50000000 x")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	value, _, err := s.Get(t.Context(), "huge")
	runtime.ReadMemStats(&after)
	if read := after.TotalAlloc - before.TotalAlloc; err == nil || value != nil || read > 8<<20 {
		t.Errorf("received %d bytes, and allocated %d for them: %v", len(value), read, err)
	}
}

func TestOutages(t *testing.T) {
	server := startRedis(t)
	o := storetest.NewOutage(t, server.store(t))
	o.Want("at first", 200)
	down := func(what string, n int) {
		t.Helper()
		o.Want(what, 503)
		for range 5 {
			o.Want(what, 503)
		}
		o.Logged(what, n, n-1)
	}
	up := func(what string, n int) {
		t.Helper()
		o.Want("after "+what, 200)
		o.Logged("after "+what, n, n)
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
	o := storetest.NewOutage(t, s)
	for range 8 {
		o.Want("wrong password", 503)
	}
	o.Logged("wrong password", 1, 0)
	if o.Log.Count("wrong-password") > 0 {
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

// TestLater starts an app before Redis.
func TestLater(t *testing.T) {
	server := startRedis(t)
	server.kill()
	s := server.store(t)
	if _, _, err := s.Get(t.Context(), "k"); err == nil {
		t.Error("no error without Redis")
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
		t.Error("no error after Close")
	}
}

func TestFaultyURL(t *testing.T) {
	if _, err := New("redis://:se-cret@%zz"); err == nil || strings.Contains(err.Error(), "se-cret") {
		t.Errorf("a faulty URL: %v", err)
	}
}
