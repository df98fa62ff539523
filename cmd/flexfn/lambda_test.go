//go:build unix

package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/flexfn/flexfn/internal/testing/lambdatest"
	"github.com/flexfn/flexfn/twiliofake"
)

// serveOnLambda starts flexfn serve as a Lambda function.
func serveOnLambda(t *testing.T, environ ...string) (*lambdatest.API, *exec.Cmd, *strings.Builder) {
	t.Helper()
	api, err := lambdatest.New()
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(t.TempDir(), "flexfn") // under this name the test binary runs as the command
	if err := os.Symlink(self, binary); err != nil {
		t.Fatal(err)
	}
	serve := exec.Command(binary, "serve")
	serve.Env = append(append(api.Environ(), environ...), "ACCOUNT_SID="+twiliofake.DevelopmentAccountSID, "AUTH_TOKEN="+twiliofake.DevelopmentAuthToken)
	log := new(strings.Builder)
	serve.Stderr = log
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = serve.Process.Kill()
		_ = serve.Wait()
		_ = api.Close()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	if err := api.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	return api, serve, log
}

// TestServeOnLambda runs flexfn serve as a Lambda function behind a function
// URL, and checks that the ready-made functions answer as they do elsewhere.
func TestServeOnLambda(t *testing.T) {
	api, serve, log := serveOnLambda(t)
	client := &http.Client{Transport: &lambdatest.Transport{API: api, Kind: lambdatest.FunctionURL}}
	for path, want := range map[string]struct {
		status  int
		message string
	}{
		"/common/flex/programmable-voice/hold-participant": {403, "Unauthorized: Token was not provided"},
		"/nowhere": {404, "There is no function at this path"},
	} {
		resp, err := client.Post("https://flexfn.test"+path, "application/x-www-form-urlencoded", strings.NewReader("hold=true"))
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if cors := resp.Header.Get("Access-Control-Allow-Origin"); resp.StatusCode != want.status || !strings.Contains(string(text), want.message) || cors != "*" {
			t.Errorf("%s: %d %s, CORS %q", path, resp.StatusCode, text, cors)
		}
	}
	if err := serve.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := serve.Wait(); err != nil || !strings.Contains(log.String(), `"platform":"aws-lambda"`) || !strings.Contains(log.String(), `"msg":"ended"`) {
		t.Errorf("it ended with %v and said %s", err, log.String())
	}
}

// hold puts a participant on hold; the function calls Twilio for that.
func hold(t *testing.T, api *lambdatest.API, when string) {
	t.Helper()
	client := &http.Client{Transport: &lambdatest.Transport{API: api, Kind: lambdatest.FunctionURL}}
	resp, err := client.PostForm("https://flexfn.test/common/flex/programmable-voice/hold-participant", url.Values{
		"Token": {"dev-agent"}, "conference": {"CF00000000000000000000000000000001"}, "participant": {"CA00000000000000000000000000000001"}, "hold": {"true"},
	})
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Errorf("%s: %d %s", when, resp.StatusCode, text)
	}
}

// TestFreezeAndThaw freezes an instance between requests, as Lambda does, while
// Twilio closes its connections. Every request must succeed.
func TestFreezeAndThaw(t *testing.T) {
	fake, err := twiliofake.New(twiliofake.Config{})
	if err != nil {
		t.Fatal(err)
	}
	twilio := httptest.NewServer(fake)
	defer twilio.Close()
	defer fake.Close()
	api, serve, _ := serveOnLambda(t, "FLEXFN_TWILIO_URL="+twilio.URL, "FLEXFN_TOKEN_TTL=1s")
	for i := range 6 {
		for range 3 {
			hold(t, api, fmt.Sprint("thaw ", i))
		}
		if err := serve.Process.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		twilio.CloseClientConnections()
		time.Sleep(200 * time.Millisecond)
		if err := serve.Process.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
	}
}

// TestVanishedConnections makes Twilio's end of the connections vanish
// silently. After a freeze that is longer than idle connections are trusted,
// nothing may be sent on them; after a shorter one, one attempt may be lost.
func TestVanishedConnections(t *testing.T) {
	if testing.Short() {
		t.Skip("freezes a program for five seconds")
	}
	t.Parallel()
	fake, err := twiliofake.New(twiliofake.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer fake.Close()
	twilio := httptest.NewServer(fake)
	defer twilio.Close()
	between := startRelay(t, twilio.Listener.Addr().String())
	api, serve, _ := serveOnLambda(t, "FLEXFN_TWILIO_URL=http://"+between.address, "FLEXFN_ATTEMPT_TIMEOUT=300ms")
	hold(t, api, "at first")

	if err := serve.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	between.vanish()
	time.Sleep(5 * time.Second)
	if err := serve.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	hold(t, api, "after the freeze")
	if n := between.lost.Load(); n > 0 {
		t.Errorf("after the freeze %d bytes were sent on connections from before", n)
	}

	between.vanish()
	hold(t, api, "without a freeze")
	if between.lost.Load() == 0 {
		t.Error("no connection was used again at once: the check above proves nothing")
	}
}

// relay forwards connections, and can silently drop what is sent on them.
type relay struct {
	address string
	lost    atomic.Int64 // bytes

	mu       sync.Mutex
	vanished *atomic.Bool // for connections made from now on
}

func startRelay(t *testing.T, to string) *relay {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{address: listener.Addr().String(), vanished: new(atomic.Bool)}
	var accepting, running sync.WaitGroup
	var conns []net.Conn
	accepting.Go(func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", to)
			if err != nil {
				_ = near.Close()
				continue
			}
			conns = append(conns, near, far)
			r.mu.Lock()
			vanished := r.vanished
			r.mu.Unlock()
			running.Go(func() { r.copy(far, near, vanished) })
			running.Go(func() { r.copy(near, far, vanished) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		accepting.Wait()
		for _, c := range conns {
			_ = c.Close()
		}
		running.Wait()
	})
	return r
}

// vanish makes the current connections drop every byte and stay open.
func (r *relay) vanish() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.vanished.Store(true)
	r.vanished = new(atomic.Bool)
}

func (r *relay) copy(to, from net.Conn, vanished *atomic.Bool) {
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		if vanished.Load() {
			r.lost.Add(int64(n))
		} else {
			_, _ = to.Write(b[:n])
		}
		if err != nil {
			if !vanished.Load() {
				_ = to.Close()
			}
			return
		}
	}
}
