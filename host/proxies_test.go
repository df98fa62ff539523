//go:build unix

package host

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/flexfn/flexfn/internal/testing/syncbuf"
	"github.com/flexfn/flexfn/signature"
)

// freeAddress returns an address of this machine on which nothing listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// proxy is an nginx or haproxy in front of programs.
type proxy struct {
	address string
	log     *syncbuf.Buffer
}

// startProxy runs the program until the test ends. CI installs both; elsewhere
// the test is skipped without them.
func startProxy(t *testing.T, address, program string, args ...string) *proxy {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/" + program) // not in every user's PATH
	}
	if err != nil {
		t.Skipf("%s is not installed", program)
	}
	p := &proxy{address: address, log: new(syncbuf.Buffer)}
	command := exec.Command(path, args...)
	command.Stdout, command.Stderr = p.log, p.log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = command.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = command.Process.Kill()
		<-ended
		if t.Failed() {
			t.Logf("%s said:\n%s", program, p.log)
		}
	})
	for range 1000 {
		if c, err := net.Dial("tcp", address); err == nil {
			_ = c.Close()
			return p
		}
		select {
		case <-ended:
			t.Fatalf("%s ended", program)
		case <-time.After(10 * time.Millisecond):
		}
	}
	t.Fatalf("%s does not listen", program)
	return nil
}

// client returns a client that reaches the proxy, whatever the URL's host.
func (p *proxy) client() *http.Client {
	return &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, p.address)
		},
		TLSClientConfig:     &tls.Config{InsecureSkipVerify: true},
		MaxIdleConnsPerHost: 100,
	}}
}

// startNginx runs nginx with these blocks: one of upstreams, and what is within
// server.
func startNginx(t *testing.T, upstream, server string) *proxy {
	t.Helper()
	dir := t.TempDir()
	address := freeAddress(t)
	cert, key := keyFiles(t, dir, "functions.example.com")
	text := `daemon off;
master_process off;
error_log stderr warn;
pid nginx.pid;
events { worker_connections 512; }
http {
	access_log off;
	client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
	client_max_body_size 64m;
	` + upstream + `
	server {
		listen ` + address + ` ssl;
		ssl_certificate ` + cert + `;
		ssl_certificate_key ` + key + `;
		` + server + `
	}
}
`
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return startProxy(t, address, "nginx", "-p", dir, "-e", "stderr", "-c", file)
}

// startHaproxy runs haproxy as one proxy of these lines.
func startHaproxy(t *testing.T, lines ...string) *proxy {
	t.Helper()
	address := freeAddress(t)
	text := `defaults
	mode http
	timeout connect 5s
	timeout client 30s
	timeout server 30s
listen app
	bind ` + address + `
	` + strings.Join(lines, "\n\t") + "\n"
	file := filepath.Join(t.TempDir(), "haproxy.cfg")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return startProxy(t, address, "haproxy", "-db", "-f", file)
}

// TestCallersThatLeaveAProxy: the ctx of a handler ends when its caller leaves
// nginx, or haproxy with abortonclose, and not otherwise.
func TestCallersThatLeaveAProxy(t *testing.T) {
	const left, late = "context canceled", "context deadline exceeded"
	for name, c := range map[string]struct {
		start func(*testing.T, string) *proxy
		want  string
	}{
		"nginx": {func(t *testing.T, socket string) *proxy {
			return startNginx(t, "", "location / { proxy_pass http://unix:"+socket+":; }")
		}, left},
		"haproxy with abortonclose": {func(t *testing.T, socket string) *proxy {
			return startHaproxy(t, "option abortonclose", "server app unix@"+socket)
		}, left},
		"haproxy without": {func(t *testing.T, socket string) *proxy {
			return startHaproxy(t, "server app unix@"+socket)
		}, late},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, _ := appServer(t, nil, "")
			front := c.start(t, p.socket)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			scheme := "http"
			if name == "nginx" {
				scheme = "https"
			}
			req, err := http.NewRequestWithContext(ctx, "GET", scheme+"://flexfn.test/waits", nil)
			if err != nil {
				t.Fatal(err)
			}
			gone := make(chan error, 1)
			go func() {
				_, err := front.client().Do(req)
				gone <- err
			}()
			p.says(t, "the handler waits")
			cancel()
			if err := <-gone; err == nil {
				t.Error("the caller was answered before it left")
			}
			p.says(t, "the handler waited")
			if !strings.Contains(p.log.String(), c.want) {
				t.Errorf("the handler's ctx did not end with %q: %s", c.want, p.log)
			}
		})
	}
}

// says waits until the program's log has text.
func (p *program) says(t *testing.T, text string) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !strings.Contains(p.log.String(), text); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the program does not say %q: %s", text, p.log)
		}
	}
}

// TestSignaturesBehindNginx runs nginx with the block of docs/security.md.
func TestSignaturesBehindNginx(t *testing.T) {
	text, err := os.ReadFile("../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?s)```nginx\n(.*?)```").FindSubmatch(text)
	if found == nil {
		t.Fatal("docs/security.md has no configuration of nginx")
	}
	documented := string(found[1])
	address := freeAddress(t)
	location := strings.Replace(documented, "127.0.0.1:8080", address, 1)
	if location == documented {
		t.Fatalf("the documented address is another: %s", documented)
	}
	withoutHost := regexp.MustCompile(`(?m)^.* Host .*\n`).ReplaceAllString(location, "")
	withoutHost = strings.Replace(withoutHost, "location / {", "location / {\nproxy_set_header Host app;", 1)
	const (
		contentType = "application/x-www-form-urlencoded"
		body        = "Body=it%27s+100%25&To=%2B15550100"
	)
	send := func(t *testing.T, front *proxy, target, signed, forwardedHost string) int {
		t.Helper()
		req, err := http.NewRequest("POST", "https://functions.example.com"+target, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", contentType)
		req.Header.Set(signature.Header, signature.Sign(strings.Repeat("0123456789abcdef", 2), signed, contentType, []byte(body)))
		if forwardedHost != "" {
			req.Header.Set("X-Forwarded-Host", forwardedHost)
			req.Header.Set("X-Forwarded-Proto", "http")
		}
		resp, err := front.client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	const (
		plain = "/signed"
		odd   = "/signed?a=it's&b=%2Fx%20y+z&c=[1]|2&c=&d"
		us    = "https://functions.example.com"
		other = "https://other.example.com"
	)
	for name, c := range map[string]struct {
		location string
		environ  []string
		trusted  int // the answer to what only the forwarded host can prove
	}{
		"as documented":             {location, []string{"FLEXFN_TRUSTED_PROXIES=127.0.0.1"}, 200},
		"another Host, trusted":     {withoutHost, []string{"FLEXFN_TRUSTED_PROXIES=127.0.0.1"}, 200},
		"another Host, not trusted": {withoutHost, nil, 403},
		"another Host, PUBLIC_URL":  {withoutHost, []string{"PUBLIC_URL=" + us}, 200},
		"another Host, other proxy": {withoutHost, []string{"FLEXFN_TRUSTED_PROXIES=192.0.2.1"}, 403},
	} {
		t.Run(name, func(t *testing.T) {
			// One after another: the address is the same.
			p := listenOnTCP(t, address, c.environ...)
			front := startNginx(t, "", c.location)
			for _, target := range []string{plain, odd} {
				if got := send(t, front, target, us+target, ""); got != c.trusted {
					t.Errorf("%s: %d, want %d: %s", target, got, c.trusted, p.log)
				}
				if got := send(t, front, target, us+target, "other.example.com"); got != c.trusted {
					t.Errorf("%s with a forwarded host of the caller's: %d, want %d", target, got, c.trusted)
				}
				if got := send(t, front, target, other+target, "other.example.com"); got != 403 {
					t.Errorf("%s signed for another host, which the caller names: %d", target, got)
				}
			}
		})
	}
}

// listenOnTCP runs the app on an address, from which it sees that of its proxy.
func listenOnTCP(t *testing.T, address string, environ ...string) *program {
	t.Helper()
	p := startProgram(t, nil, append([]string{programVariable + "=app", "FLEXFN_LISTEN=" + address, "FLEXFN_PLATFORM=http", "FLEXFN_DRAIN=2s"}, environ...))
	for range 1000 {
		if c, err := net.Dial("tcp", address); err == nil {
			_ = c.Close()
			return p
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("the program does not listen: %s", p.log)
	return nil
}

// TestLargeUploadsThroughAProxy: the caller can read why its body is refused,
// whatever the proxy does with the body.
func TestLargeUploadsThroughAProxy(t *testing.T) {
	p, _ := appServer(t, nil, "")
	nginx := func(setting string) func(*testing.T) *proxy {
		return func(t *testing.T) *proxy {
			return startNginx(t, "", "location / { proxy_pass http://unix:"+p.socket+":; proxy_http_version 1.1; "+setting+" }")
		}
	}
	for name, start := range map[string]func(*testing.T) *proxy{
		"nginx":             nginx(""),
		"nginx, unbuffered": nginx("proxy_request_buffering off;"),
		"haproxy":           func(t *testing.T) *proxy { return startHaproxy(t, "server app unix@"+p.socket) },
	} {
		t.Run(name, func(t *testing.T) {
			front := start(t)
			scheme := "https"
			if name == "haproxy" {
				scheme = "http"
			}
			for _, size := range []int{7 << 20, 30 << 20} {
				for _, chunked := range []bool{false, true} {
					var body io.Reader = bytes.NewReader(make([]byte, size))
					if chunked {
						body = io.MultiReader(body)
					}
					req, err := http.NewRequest("POST", scheme+"://flexfn.test/slow", body)
					if err != nil {
						t.Fatal(err)
					}
					req.Header.Set("Content-Type", "application/json")
					resp, err := front.client().Do(req)
					if err != nil {
						t.Errorf("%d bytes, chunked %t: %v", size, chunked, err)
						continue
					}
					text, _ := io.ReadAll(resp.Body)
					_ = resp.Body.Close()
					if resp.StatusCode != 413 || !bytes.Contains(text, []byte("The request body is longer than")) || resp.Header.Get("Access-Control-Allow-Origin") != "*" {
						t.Errorf("%d bytes, chunked %t: %s %.200s", size, chunked, resp.Status, text)
					}
				}
			}
		})
	}
}

// TestDrainBehindAProxy tells one of two instances to end while requests come
// through a proxy. haproxy asks the instances whether they are ready, and every
// request is answered. nginx does not: it keeps connecting until that fails, and
// answers 502 itself for a connection that nothing had accepted by then. Each
// sender has at most one.
func TestDrainBehindAProxy(t *testing.T) {
	for name, start := range map[string]func(*testing.T, string, string) *proxy{
		"nginx": func(t *testing.T, one, other string) *proxy {
			return startNginx(t, "upstream app { server unix:"+one+"; server unix:"+other+"; keepalive 16; }",
				`location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; }`)
		},
		"haproxy": func(t *testing.T, one, other string) *proxy {
			check := " check inter 100ms fall 1 rise 1"
			return startHaproxy(t, "option httpchk GET "+ReadyPath, "option redispatch", "retries 3", "server one unix@"+one+check, "server other unix@"+other+check)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one, _ := appServer(t, nil, "", "FLEXFN_LAME_DUCK=600ms")
			other, _ := appServer(t, nil, "")
			front := start(t, one.socket, other.socket)
			scheme := "https"
			if name == "haproxy" {
				scheme = "http"
			}
			const parallel = 8
			var answered, after, lost atomic.Int64
			stop := make(chan struct{})
			var senders sync.WaitGroup
			client := front.client()
			for i := range parallel {
				senders.Go(func() {
					for n := i; ; n++ {
						select {
						case <-stop:
							return
						default:
						}
						path := []string{"/fine", "/slow"}[n%2]
						resp, err := client.Post(fmt.Sprintf("%s://flexfn.test%s", scheme, path), "application/json", strings.NewReader(`{"n":1}`))
						if err != nil {
							t.Errorf("%s: %v", path, err)
							return
						}
						text, _ := io.ReadAll(resp.Body)
						_ = resp.Body.Close()
						if name == "nginx" && resp.StatusCode == 502 {
							lost.Add(1)
							continue
						}
						if resp.StatusCode != 200 {
							t.Errorf("%s: %s %.200s", path, resp.Status, text)
							return
						}
						answered.Add(1)
						select {
						case <-one.ended:
							after.Add(1)
						default:
						}
					}
				})
			}
			for end := time.Now().Add(10 * time.Second); answered.Load() < 100 && time.Now().Before(end); {
				time.Sleep(time.Millisecond)
			}
			_ = one.Process.Signal(syscall.SIGTERM)
			if code := one.exit(t); code != 0 {
				t.Errorf("the exit code is %d: %s", code, one.log)
			}
			for end := time.Now().Add(10 * time.Second); after.Load() < 50 && time.Now().Before(end) && !t.Failed(); {
				time.Sleep(time.Millisecond)
			}
			close(stop)
			senders.Wait()
			if after.Load() == 0 {
				t.Error("nothing was answered after the end")
			}
			if n := lost.Load(); n > parallel {
				t.Errorf("%d requests were lost", n)
			}
		})
	}
}
