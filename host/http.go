package host

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/flexfn/flexfn/internal/link"
	"github.com/flexfn/flexfn/internal/pace"
	"github.com/flexfn/flexfn/internal/spool"
)

// Paths that the package answers itself, in front of the handler.
const (
	// HealthPath answers 200 while the process is alive, also while it is told
	// to stop. Use it as the liveness probe: it asks nothing of the handler, so
	// that an outage elsewhere does not restart the process. The method does
	// not matter, and the answer has no body.
	HealthPath = "/-/healthy"
	// ReadyPath answers 200 while the process accepts requests. It answers 503,
	// with the reason, in three cases: the process was told to stop; log lines
	// are being lost because nothing reads the log; or the handler is a
	// [Checker] that reports an error. Use it as the readiness probe, and as
	// the load balancer's health check. The reason is plain text, and anyone
	// who reaches the path can read it.
	ReadyPath = "/-/ready"
)

// Limits on what a slow or greedy client can hold.
const (
	headerTime     = 10 * time.Second
	readTime       = time.Minute
	writeTime      = 2 * time.Minute // at least; handlers that stream longer extend it
	idleTime       = 2 * time.Minute
	maxHeaderBytes = 32 << 10

	// maxHeaders bounds the header fields. In memory a short field takes twenty
	// times its bytes, which a client could hold on each connection by not ending
	// them, or in each of an HTTP/2 connection's streams by sending no body. With
	// TLS or HTTP/2, fields of the same name count as one. It is part of
	// fieldsMessage.
	maxHeaders    = 200
	fieldsMessage = "The request has more than 200 header fields"
)

// serveHTTP serves on config's address until ctx ends, and then until the
// requests in flight are answered.
//
// In this order: it says that it is not ready, goes on accepting during
// LameDuck, closes the port, waits for the answers, and last for what handlers
// left behind. Drain bounds the two waits together. What then still runs is cut
// off, and reported as [ErrCutOff].
func serveHTTP(ctx context.Context, front *front, config Config) error {
	listener := config.Listener
	if listener == nil {
		var err error
		if listener, err = listen(ctx, config); err != nil {
			return err
		}
	}
	address := listener.Addr().String()
	server, err := newServer(config)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	server.Handler = front
	// Not ctx: requests do not end when the program is told to stop.
	server.BaseContext = func(net.Listener) context.Context { return front.known(context.Background()) }
	listener = newClientListener(listener, server, config)
	if config.MaxConnections > 0 {
		listener = bound(listener, server, config.MaxConnections)
	}
	config.Logger.LogAttrs(ctx, slog.LevelInfo, "serving", append(config.found(), slog.String("address", address))...)

	// The channel is buffered so that the goroutine ends even without a
	// receiver.
	failed := make(chan error, 1)
	go func() {
		if server.TLSConfig != nil {
			failed <- server.ServeTLS(listener, "", "")
		} else {
			failed <- server.Serve(listener)
		}
	}()
	select {
	case err := <-failed:
		return fmt.Errorf("serving on %s broke off: %w", address, err)
	case <-ctx.Done():
	}
	front.ending.Store(true)
	if config.LameDuck > 0 {
		config.Logger.Info("told to end: no longer ready", "lame_duck", config.LameDuck.String())
		select {
		case <-time.After(config.LameDuck):
		case err := <-failed:
			return fmt.Errorf("serving on %s broke off: %w", address, err)
		}
	}
	// ctx has ended by now.
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), config.Drain)
	defer cancel()
	err = server.Shutdown(drain)
	if errors.Is(err, context.DeadlineExceeded) {
		err = errors.Join(fmt.Errorf("%w: they were still running after %s; FLEXFN_DRAIN gives them longer", ErrCutOff, config.Drain), server.Close())
	}
	// Serve has returned already, as Shutdown closed the listener. Any other
	// error came before that.
	if served := <-failed; served != http.ErrServerClosed {
		err = errors.Join(err, served)
	}
	err = errors.Join(err, front.wait(drain))
	if err == nil {
		config.Logger.Info("ended")
	}
	return err
}

// newServer makes the server, with TLS if there is a certificate, and with
// limits on slow and greedy clients.
func newServer(config Config) (*http.Server, error) {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	// Without TLS, only for clients that start with HTTP/2, as the proxies of
	// Cloud Run and Knative do if told to.
	protocols.SetUnencryptedHTTP2(true)
	// net/http counts WriteTimeout from the end of the headers, so the time for
	// the body is part of it.
	server := &http.Server{
		Protocols: protocols,
		// A client that has been silent for 30 s is asked whether it is there,
		// and has 15 s to answer; one that does not read is dropped after 30 s.
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: maxStreams,
			SendPingTimeout:      30 * time.Second,
			PingTimeout:          15 * time.Second,
			WriteByteTimeout:     30 * time.Second,
		},
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       readTime,
		WriteTimeout:      max(writeTime, config.RequestLimit+readTime),
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(sparse{config.Logger.Handler(), new(pace.Lines)}, slog.LevelWarn),
	}
	if config.TLSCertFile != "" {
		pair := &keyPair{certFile: config.TLSCertFile, keyFile: config.TLSKeyFile, log: config.Logger}
		// Reading it now makes a bad file an error of Serve, not of every
		// handshake.
		if _, err := pair.get(nil); err != nil {
			return nil, err
		}
		server.TLSConfig = &tls.Config{GetCertificate: pair.get, MinVersion: tls.VersionTLS12}
		server.TLSConfig.GetConfigForClient = configFor(server.TLSConfig)
	}
	return server, nil
}

// sparse is a handler for net/http's own lines, such as those about failed TLS
// handshakes, which anyone can cause. [slog.NewLogLogger] calls neither
// WithAttrs nor WithGroup, whose results would not be sparse.
type sparse struct {
	slog.Handler
	lines *pace.Lines
}

func (s sparse) Handle(ctx context.Context, r slog.Record) error {
	leftOut, ok := s.lines.Next()
	if !ok {
		return nil
	}
	if leftOut > 0 {
		r.AddAttrs(slog.Int64(pace.LeftOut, leftOut))
	}
	return s.Handler.Handle(ctx, r)
}

// front answers this package's own paths, and limits the bodies of other
// requests. It is not ready while one of logs loses lines, and never again once
// ending is set. Apps behind middleware register themselves in apps when they
// first answer.
type front struct {
	next    http.Handler
	handler http.Handler // the program's
	maxBody int64
	logs    []*spool.Queue
	apps    link.Host
	ending  atomic.Bool
}

func newFront(handler http.Handler, config Config) *front {
	f := &front{next: prepare(handler, config), handler: handler, maxBody: config.MaxBodyBytes, logs: []*spool.Queue{config.lines}}
	if config.output != nil {
		f.logs = append(f.logs, config.output)
	}
	return f
}

// known returns a ctx for requests through which the apps that answer find f.
func (f *front) known(ctx context.Context) context.Context {
	return context.WithValue(ctx, link.HostKey{}, &f.apps)
}

// behind returns the handler and the apps that it has called. An app without
// middleware is both, and is listed once.
func (f *front) behind() []any {
	list := []any{f.handler}
	for _, app := range f.apps.Apps() {
		if any(app) != any(f.handler) {
			list = append(list, app)
		}
	}
	return list
}

// wait waits for the handler's work after its answers. The handlers wait one
// after another, within the same ctx.
func (f *front) wait(ctx context.Context) error {
	var errs []error
	for _, h := range f.behind() {
		if w, ok := h.(Waiter); ok {
			if err := w.Wait(ctx); err != nil {
				errs = append(errs, fmt.Errorf("%w: %w", ErrCutOff, err))
			}
		}
	}
	return errors.Join(errs...)
}

// unready returns why another instance should get the next request, or nil.
// What is certain and cheap comes first: Ready may be the program's own code.
func (f *front) unready() error {
	if f.ending.Load() {
		return errors.New("told to end")
	}
	for _, q := range f.logs {
		if n := q.Lost(); n > 0 {
			return fmt.Errorf("the log is not being read: %d lines were lost", n)
		}
	}
	for _, h := range f.behind() {
		if c, ok := h.(Checker); ok {
			if err := c.Ready(); err != nil {
				return err
			}
		}
	}
	return nil
}

// ServeHTTP answers the health checks and passes on everything else. While the
// server is shutting down, and after a chunked request, it closes HTTP/1
// connections.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if len(r.Header) > maxHeaders {
		w.Header().Set("Connection", "close")
		_ = http.NewResponseController(w).SetReadDeadline(time.Now()) // net/http would wait for the body
		http.Error(w, fieldsMessage, http.StatusRequestHeaderFieldsTooLarge)
		return
	}
	ending := f.ending.Load()
	if r.ProtoMajor == 1 && (ending || len(r.TransferEncoding) > 0) {
		// When ending, the next request of this connection belongs to another
		// instance. HTTP/2 needs no header: the server's shutdown tells the
		// client. And a chunked request may have had a Content-Length too,
		// which net/http has dropped: a proxy that went by it would see the
		// end elsewhere, so what follows is not a request (RFC 9112, section 6.1).
		w.Header().Set("Connection", "close")
	}
	switch r.URL.Path {
	case HealthPath:
		w.WriteHeader(http.StatusOK)
		return
	case ReadyPath:
		if err := f.unready(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
		return
	}
	// -1, a length that is not known, is limited too.
	if r.ContentLength != 0 {
		r.Body = http.MaxBytesReader(w, r.Body, f.maxBody)
	}
	f.next.ServeHTTP(w, r)
}

// listen opens config's address.
func listen(ctx context.Context, config Config) (net.Listener, error) {
	if path, ok := strings.CutPrefix(config.Listen, "unix:"); ok {
		if config.row.listen != nil {
			return config.row.listen(ctx, path)
		}
		return listenSocket(ctx, path)
	}
	return listenOn(ctx, "tcp", config.Listen)
}

// listenSocket opens a Unix socket, whose file it replaces if nothing listens
// on it.
func listenSocket(ctx context.Context, path string) (net.Listener, error) {
	if err := removeStaleSocket(path); err != nil {
		return nil, err
	}
	return listenOn(ctx, "unix", path)
}

// listenOn opens an address. The error says how to choose another.
func listenOn(ctx context.Context, network, address string) (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, network, address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w; choose another with FLEXFN_LISTEN", address, err)
	}
	return listener, nil
}

// removeStaleSocket removes a socket left behind by a process that was killed.
// One that still accepts connections is left alone.
//
// It assumes that no other program starts on the same path at the same moment:
// both could find the socket stale, and the second would remove that of the
// first.
func removeStaleSocket(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("cannot listen on unix:%s: the file there is not a socket", path)
	}
	conn, err := net.Dial("unix", path)
	if err == nil {
		return errors.Join(fmt.Errorf("cannot listen on unix:%s: another program does", path), conn.Close())
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return os.Remove(path)
	}
	return fmt.Errorf("cannot listen on unix:%s: %w", path, err)
}

// keyPair is a certificate in files, reread when they change.
//
// A handshake asks for it, so it is safe for concurrent use; handshakes wait
// while it is read.
type keyPair struct {
	certFile, keyFile string
	log               *slog.Logger

	mu      sync.Mutex
	checked time.Time
	changed time.Time // of certFile, when it was read
	cert    *tls.Certificate
}

// get returns the certificate. At most once a second it checks whether the file
// has changed and rereads it. If it cannot be read, the old certificate stays in
// use, since the two files may be replaced one after the other.
//
// Only certFile's time is compared. A new key without a new certificate does
// not occur, and if the certificate is replaced first, the pair does not match
// until the key follows; that is tried again every second, and logged.
func (k *keyPair) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.cert != nil && time.Since(k.checked) < time.Second {
		return k.cert, nil
	}
	k.checked = time.Now()
	info, err := os.Stat(k.certFile)
	if err == nil && k.cert != nil && info.ModTime().Equal(k.changed) {
		return k.cert, nil
	}
	var cert tls.Certificate
	if err == nil {
		cert, err = tls.LoadX509KeyPair(k.certFile, k.keyFile)
	}
	switch {
	case err == nil:
		k.cert, k.changed = &cert, info.ModTime()
	case k.cert == nil:
		return nil, fmt.Errorf("FLEXFN_TLS_CERT_FILE and FLEXFN_TLS_KEY_FILE: %w", err)
	default: // while they are being replaced
		k.log.Warn("the certificate cannot be read again; the old one stays", "error", err)
	}
	return k.cert, nil
}
