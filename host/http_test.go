package host

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flexfn/flexfn/internal/testing/syncbuf"
)

// served is a running Serve.
type served struct {
	address string // of the listener
	network string
	end     context.CancelFunc
	ended   chan error
	log     *syncbuf.Buffer
}

// start serves handler until the test ends or end is called, on a free port
// unless config says otherwise.
func start(t *testing.T, handler http.Handler, config Config) *served {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s := &served{end: cancel, ended: make(chan error, 1), log: new(syncbuf.Buffer), network: "tcp"}
	config.Logger = slog.New(slog.NewTextHandler(s.log, nil))
	if path, ok := strings.CutPrefix(config.Listen, "unix:"); ok {
		s.network, s.address = "unix", path
	} else if config.Listener == nil {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		config.Listener, s.address = l, l.Addr().String()
	}
	go func() { s.ended <- Serve(ctx, handler, config) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-s.ended:
			if err != nil {
				t.Errorf("Serve: %v", err)
			}
		case <-time.After(10 * time.Second):
			t.Error("Serve did not end")
		}
	})
	for range 500 {
		if c, err := net.Dial(s.network, s.address); err == nil {
			_ = c.Close()
			return s
		}
		select {
		case err := <-s.ended:
			s.ended <- err
			t.Fatalf("Serve: %v", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
	t.Fatal("Serve does not listen")
	return nil
}

// transport returns a transport that reaches it, whatever the URL's host.
func (s *served) transport() *http.Transport {
	return &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, s.network, s.address)
	}}
}

func lookup(vars map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := vars[name]; return v, ok }
}

func TestConformance(t *testing.T) {
	for name, vars := range map[string]map[string]string{
		"http":       {},
		"kubernetes": {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "FLEXFN_LAME_DUCK": "0s", "PORT": "8080"},
		"azure":      {"FUNCTIONS_CUSTOMHANDLER_PORT": "7071"},
		"cloud run":  {"K_SERVICE": "a", "K_REVISION": "b", "PORT": "8080", "CLOUD_RUN_TIMEOUT_SECONDS": "2"},
		"knative":    {"K_SERVICE": "a", "K_REVISION": "b", "PORT": "8080", "KUBERNETES_SERVICE_HOST": "10.0.0.1"},
		"openfaas": {
			"mode": "http", "fprocess": "./handler", "upstream_url": "http://127.0.0.1:8082", "exec_timeout": "2s",
			"KUBERNETES_SERVICE_HOST": "10.0.0.1", "FLEXFN_LAME_DUCK": "0s",
		},
		"lambda web adapter": {"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001", "AWS_LWA_PORT": "8080"},
		"limited":            {"FLEXFN_REQUEST_LIMIT": "1s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := FromLookup(lookup(vars))
			s := start(t, conformanceHandler(), config)
			p := target{transport: s.transport(), limit: config.RequestLimit, streams: true, leaves: true}
			if name == "lambda web adapter" {
				p.transport, p.limit = withLambdaContext(p.transport), 2*time.Second
			}
			conformance(t, p)
		})
	}
	t.Run("unix socket", func(t *testing.T) {
		t.Parallel()
		s := start(t, conformanceHandler(), Config{Listen: "unix:" + filepath.Join(t.TempDir(), "http.sock")})
		conformance(t, target{transport: s.transport(), streams: true, leaves: true})
	})
	t.Run("TLS", func(t *testing.T) {
		t.Parallel()
		cert, key := keyFiles(t, t.TempDir(), "flexfn.test")
		s := start(t, conformanceHandler(), Config{TLSCertFile: cert, TLSKeyFile: key})
		for _, http2 := range []bool{false, true} {
			transport := s.transport()
			transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
			transport.ForceAttemptHTTP2 = http2
			conformance(t, target{transport: transport, base: "https://flexfn.test", streams: true, leaves: true})
			if resp := get(t, transport, "https://flexfn.test/nothing"); (resp.ProtoMajor == 2) != http2 {
				t.Errorf("the protocol is %s", resp.Proto)
			}
		}
	})
	t.Run("HTTP/2 without TLS", func(t *testing.T) {
		t.Parallel()
		s := start(t, conformanceHandler(), Config{})
		transport := s.transport()
		transport.Protocols = new(http.Protocols)
		transport.Protocols.SetUnencryptedHTTP2(true)
		conformance(t, target{transport: transport, streams: true, leaves: true})
	})
	t.Run("prefix", func(t *testing.T) {
		t.Parallel()
		s := start(t, conformanceHandler(), Config{StripPrefix: "/api/"})
		conformance(t, target{transport: s.transport(), base: "http://flexfn.test/api", prefix: "/api", streams: true, leaves: true})
	})
}

type roundTripFunc func(*http.Request) (*http.Response, error)

func (f roundTripFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// withLambdaContext adds the header that the Lambda Web Adapter adds.
func withLambdaContext(next http.RoundTripper) http.RoundTripper {
	return roundTripFunc(func(r *http.Request) (*http.Response, error) {
		r = r.Clone(r.Context())
		r.Header.Set("X-Amzn-Lambda-Context", fmt.Sprintf(`{"request_id":"id","deadline":%d,"invoked_function_arn":"arn"}`, time.Now().Add(2*time.Second).UnixMilli()))
		return next.RoundTrip(r)
	})
}

func get(t *testing.T, transport http.RoundTripper, url string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Error(err)
	}
	_ = resp.Body.Close()
	return resp
}

// keyFiles writes a new certificate for name.
func keyFiles(t *testing.T, dir, name string) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

func TestCertificateIsReadAgain(t *testing.T) {
	dir := t.TempDir()
	cert, key := keyFiles(t, dir, "old.test")
	pair := &keyPair{certFile: cert, keyFile: key, log: slog.New(slog.DiscardHandler)}
	name := func() string {
		c, err := pair.get(nil)
		if err != nil {
			t.Fatal(err)
		}
		return c.Leaf.DNSNames[0]
	}
	if got := name(); got != "old.test" {
		t.Fatalf("the certificate is for %s", got)
	}
	later := time.Now().Add(time.Minute)
	if err := os.WriteFile(cert, []byte("half a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(cert, later, later); err != nil {
		t.Fatal(err)
	}
	pair.checked = time.Time{}
	if got := name(); got != "old.test" {
		t.Errorf("while the file is written the certificate is for %s", got)
	}
	keyFiles(t, dir, "new.test")
	pair.checked = time.Time{}
	if got := name(); got != "new.test" {
		t.Errorf("after the file changed the certificate is for %s", got)
	}
}

// TestFailedHandshakesAreLoggedSparsely: anyone can make TLS handshakes fail,
// each of which net/http logs.
func TestFailedHandshakesAreLoggedSparsely(t *testing.T) {
	cert, key := keyFiles(t, t.TempDir(), "flexfn.test")
	s := start(t, http.NotFoundHandler(), Config{TLSCertFile: cert, TLSKeyFile: key})
	for range 100 {
		conn, err := net.Dial("tcp", s.address)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\n\r\n")
		_, _ = io.Copy(io.Discard, conn) // until it has been logged
		_ = conn.Close()
	}
	if n := strings.Count(s.log.String(), "TLS handshake error"); n < 1 || n > 22 { // 20 at once, and one each ten seconds
		t.Errorf("100 failed handshakes left %d lines", n)
	}
}

func TestHealth(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusTeapot) })
	s := start(t, handler, Config{LameDuck: 300 * time.Millisecond})
	transport := s.transport()
	status := func(path string) int { return get(t, transport, "http://flexfn.test"+path).StatusCode }
	if h, r, other := status(HealthPath), status(ReadyPath), status("/"); h != 200 || r != 200 || other != 418 {
		t.Errorf("health %d, ready %d, handler %d; want 200, 200, 418", h, r, other)
	}
	s.end()
	for status(ReadyPath) == 200 { // until it has noticed
		time.Sleep(time.Millisecond)
	}
	if h, r, other := status(HealthPath), status(ReadyPath), status("/"); h != 200 || r != 503 || other != 418 {
		t.Errorf("in the lame-duck time: health %d, ready %d, handler %d; want 200, 503, 418", h, r, other)
	}
	if resp := get(t, transport, "http://flexfn.test/"); !resp.Close {
		t.Error("in the lame-duck time the connection stays open for another request")
	}
}

func TestHealthcheck(t *testing.T) {
	handler := http.NotFoundHandler()
	cert, key := keyFiles(t, t.TempDir(), "flexfn.test")
	for name, config := range map[string]Config{
		"port": {}, "TLS": {TLSCertFile: cert, TLSKeyFile: key}, "unix": {Listen: "unix:" + filepath.Join(t.TempDir(), "http.sock")},
	} {
		s := start(t, handler, config)
		if config.Listen == "" {
			_, port, _ := net.SplitHostPort(s.address)
			config.Listen = ":" + port
		}
		if code := run(t.Context(), handler, config, []string{"-healthcheck"}); code != 0 {
			t.Errorf("%s: the exit code of a program that is well is %d", name, code)
		}
		s.end()
		s.ended <- <-s.ended
		if err := Healthcheck(t.Context(), config); err == nil || !strings.Contains(err.Error(), "nothing answers") {
			t.Errorf("%s: after the end: %v", name, err)
		}
	}
}

// TestDrain sends requests without a pause while the program is told to end,
// like a load balancer that learns of that from ReadyPath. Every request must
// be answered.
func TestDrain(t *testing.T) {
	for name, protocol := range map[string]func(*http.Protocols){
		"HTTP/1.1": func(p *http.Protocols) { p.SetHTTP1(true) },
		"HTTP/2":   func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) },
	} {
		t.Run(name, func(t *testing.T) {
			slow := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				time.Sleep(time.Duration(len(body)) * time.Millisecond)
				_, _ = w.Write(body)
			})
			s := start(t, slow, Config{LameDuck: 200 * time.Millisecond})
			transport := s.transport()
			transport.Protocols = new(http.Protocols)
			protocol(transport.Protocols)
			client := &http.Client{Transport: transport}
			var sent, after atomic.Int64
			var ending, stop atomic.Bool
			var senders sync.WaitGroup
			for i := range 16 {
				senders.Go(func() {
					for n := i; !stop.Load(); n++ {
						body := strings.Repeat("x", n%40)
						req, err := http.NewRequest("POST", "http://flexfn.test/", strings.NewReader(body))
						if err != nil {
							t.Error(err)
							return
						}
						req.GetBody = nil // or the client would hide a failure
						sent.Add(1)
						if ending.Load() {
							after.Add(1)
						}
						resp, err := client.Do(req)
						if err != nil {
							t.Errorf("a request failed: %v", err)
							return
						}
						text, err := io.ReadAll(resp.Body)
						_ = resp.Body.Close()
						if err != nil || string(text) != body || resp.StatusCode != 200 {
							t.Errorf("a request was answered %s, %q, %v", resp.Status, text, err)
						}
					}
				})
			}
			for sent.Load() < 300 {
				time.Sleep(time.Millisecond)
			}
			ending.Store(true)
			s.end()
			for { // the load balancer's own check
				resp, err := client.Get("http://flexfn.test" + ReadyPath)
				if err != nil {
					t.Fatal(err)
				}
				_ = resp.Body.Close()
				if resp.StatusCode != 200 {
					break
				}
			}
			time.Sleep(50 * time.Millisecond) // it is slow to act on it
			stop.Store(true)
			senders.Wait()
			s.ended <- <-s.ended
			if after.Load() == 0 {
				t.Error("no request came after the program was told to end")
			}
			t.Logf("%d requests, %d of them after the program was told to end", sent.Load(), after.Load())
		})
	}
}

// waiting is a handler that has work after its answers.
type waiting struct {
	http.Handler
	wait func(context.Context) error
}

func (w waiting) Wait(ctx context.Context) error { return w.wait(ctx) }

func TestEnd(t *testing.T) {
	entered := make(chan struct{})
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	waited := false
	ended := make(chan error, 1)
	go func() {
		ended <- Serve(ctx, waiting{handler, func(context.Context) error { waited = true; return nil }},
			Config{Listener: listener, Drain: 50 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)})
	}()
	go func() { _, _ = http.Get("http://" + listener.Addr().String()) }()
	<-entered
	cancel()
	err = <-ended
	if !errors.Is(err, ErrCutOff) || ExitCode(err) != ExitCutOff {
		t.Errorf("a request that never ends: %v, exit code %d; want ErrCutOff and %d", err, ExitCode(err), ExitCutOff)
	}
	if !waited {
		t.Error("the handler's own work was not waited for")
	}
	if ExitCode(nil) != 0 || ExitCode(errors.New("x")) != ExitFailed {
		t.Error("the exit codes of nil and of another error are wrong")
	}
}

func TestStaleSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "http.sock")
	old, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	config := Config{Listen: "unix:" + path, Logger: slog.New(slog.DiscardHandler)}
	if err := Serve(t.Context(), http.NotFoundHandler(), config); err == nil || !strings.Contains(err.Error(), "another program does") {
		t.Errorf("a socket in use: %v", err)
	}
	old.SetUnlinkOnClose(false)
	_ = old.Close()
	start(t, http.NotFoundHandler(), config)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	config.Listen = "unix:" + file
	if err := Serve(t.Context(), http.NotFoundHandler(), config); err == nil || !strings.Contains(err.Error(), "not a socket") {
		t.Errorf("a file in the socket's place: %v", err)
	}
}

func TestBodyLimit(t *testing.T) {
	s := start(t, conformanceHandler(), Config{MaxBodyBytes: 1000})
	for size, want := range map[int]int{1000: 200, 1001: 413} {
		resp, err := (&http.Client{Transport: s.transport()}).Post("http://flexfn.test/echo/", "text/plain", strings.NewReader(strings.Repeat("x", size)))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("a body of %d bytes: %s, want %d", size, resp.Status, want)
		}
	}
	req, err := http.NewRequest("GET", "http://flexfn.test/", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Long", strings.Repeat("x", 80<<10))
	resp, err := s.transport().RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("80 KiB of headers: %s", resp.Status)
	}
}

// TestHeaderFields: a request with many header fields is answered at once, even
// if its body does not come, so that its fields are not held in memory.
func TestHeaderFields(t *testing.T) {
	for name, protocol := range map[string]func(*http.Protocols){
		"HTTP/1.1": func(p *http.Protocols) { p.SetHTTP1(true) },
		"HTTP/2":   func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) },
	} {
		s := start(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), Config{})
		for fields, want := range map[int]int{maxHeaders - 20: 200, maxHeaders + 1: 431} {
			transport := s.transport()
			transport.Protocols = new(http.Protocols)
			protocol(transport.Protocols)
			var body io.Reader = strings.NewReader("body")
			if want == http.StatusRequestHeaderFieldsTooLarge {
				r, w := io.Pipe()
				defer w.Close()
				body = r // never comes
			}
			req, err := http.NewRequest("POST", "http://flexfn.test/", body)
			if err != nil {
				t.Fatal(err)
			}
			req.ContentLength = 4
			for i := range fields {
				req.Header.Set(fmt.Sprint("X-", i), "")
			}
			began := time.Now()
			resp, err := transport.RoundTrip(req)
			if err != nil {
				t.Fatalf("%s with %d fields: %v", name, fields, err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != want {
				t.Errorf("%s with %d fields: %s, want %d", name, fields, resp.Status, want)
			}
			if took := time.Since(began); want == 431 && took > 10*time.Second {
				t.Errorf("%s: the answer took %s", name, took)
			}
		}
	}
}
