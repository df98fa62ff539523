package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Fn wraps HTTP in HTTP. The caller's method, URL and headers are in headers of
// Fn's own request, and the answer's status and headers are in headers of the
// answer. Source: Fn's container contract (fn-format.md in Fn's documentation).
// The answer's own status is always 200. Fn-Deadline is when Fn gives up on the
// call, in RFC 3339.
const (
	fnMethod    = "Fn-Http-Method"
	fnURL       = "Fn-Http-Request-Url"
	fnHeader    = "Fn-Http-H-"
	fnStatus    = "Fn-Http-Status"
	fnDeadline  = "Fn-Deadline"
	fnIntent    = "Fn-Intent"
	fnIsRequest = "httprequest"
)

// fromFn unwraps requests that Fn wrapped. A call without a wrapped request,
// such as "fn invoke" makes, reaches next unchanged.
//
// Fn-Deadline bounds both kinds of call. One without it, or with one that is
// not a time, has no deadline from here. The URL or the intent alone is enough
// to take a request as wrapped.
func fromFn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		if at, err := time.Parse(time.RFC3339Nano, r.Header.Get(fnDeadline)); err == nil {
			var cancel context.CancelFunc
			ctx, cancel = withMargin(ctx, at)
			defer cancel()
		}
		r = r.Clone(ctx)
		if r.Header.Get(fnIntent) != fnIsRequest && r.Header.Get(fnURL) == "" {
			next.ServeHTTP(w, r)
			return
		}
		if err := unwrapFn(r); err != nil {
			fail(&fnWriter{responseHead{header: http.Header{}}, w}, http.StatusBadRequest, "The request's URL cannot be read")
			return
		}
		fw := &fnWriter{responseHead{header: http.Header{}, method: r.Method}, w}
		next.ServeHTTP(fw, r)
		fw.begin(nil)
	})
}

// unwrapFn turns r, Fn's own request, into the caller's.
//
// It fails only if the URL cannot be parsed, and then leaves r as it is.
func unwrapFn(r *http.Request) error {
	outer := r.Header
	text := outer.Get(fnURL)
	u, err := url.Parse(text)
	if err != nil {
		return err
	}
	if method := outer.Get(fnMethod); method != "" {
		r.Method = method
	}
	inner := http.Header{}
	for name, values := range outer {
		if rest, ok := strings.CutPrefix(name, fnHeader); ok {
			inner[http.CanonicalHeaderKey(rest)] = values
		}
	}
	// Fn also sends these two without the prefix; one with it is the caller's
	// and wins.
	for _, name := range []string{"Content-Type", "Content-Length"} {
		if _, ok := inner[name]; !ok && outer.Get(name) != "" {
			inner[name] = outer[name]
		}
	}
	// Keep the outer headers, for the call's id and the like. They come from Fn:
	// those that the caller sent have the prefix.
	for name, values := range outer {
		if strings.HasPrefix(name, "Fn-") && !strings.HasPrefix(name, fnHeader) {
			inner[name] = values
		}
	}
	r.Header = inner
	// As net/http has it on a server: no scheme and no host in URL, the host in
	// Host, and no Host among the headers. RequestURI is what signatures are
	// checked against.
	r.URL = &url.URL{Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery, ForceQuery: u.ForceQuery}
	r.RequestURI = r.URL.RequestURI()
	if r.Host = u.Host; r.Host == "" {
		r.Host = inner.Get("Host")
	}
	inner.Del("Host")
	return nil
}

// fnWriter writes the answer's status and headers in Fn's way.
type fnWriter struct {
	responseHead
	outer http.ResponseWriter
}

// begin writes the head, once. What the handler sets later has no effect. Fn
// takes the content type from the answer's own header, so it is there twice.
func (w *fnWriter) begin(p []byte) {
	if !w.responseHead.begin(p) {
		return
	}
	outer := w.outer.Header()
	for name, values := range w.sent {
		outer[fnHeader+name] = values
	}
	if t := w.sent.Get("Content-Type"); t != "" {
		outer.Set("Content-Type", t)
	}
	outer.Set(fnStatus, strconv.Itoa(w.status))
	w.outer.WriteHeader(http.StatusOK)
}

// Write drops the body of an answer to HEAD, and refuses one that the status
// rules out. net/http cannot do either here: it sees Fn's request, and the
// status 200.
func (w *fnWriter) Write(p []byte) (int, error) {
	if w.bodyless() {
		return 0, http.ErrBodyNotAllowed
	}
	w.begin(p)
	if w.method == http.MethodHead {
		return len(p), nil
	}
	return w.outer.Write(p)
}

// Flush makes it an [http.Flusher], which handlers look for.
func (w *fnWriter) Flush() {
	w.begin(nil)
	_ = http.NewResponseController(w.outer).Flush()
}

// Unwrap lets [http.ResponseController] set the deadlines of Fn's connection.
func (w *fnWriter) Unwrap() http.ResponseWriter { return w.outer }

// listenFn opens the socket at path, writable by any user. Fn starts calling as
// soon as the path exists, so the socket is created under another name and
// renamed when it is ready.
func listenFn(ctx context.Context, path string) (net.Listener, error) {
	// A predecessor that was killed may have left either.
	real := filepath.Join(filepath.Dir(path), "ready-"+filepath.Base(path))
	for _, p := range []string{real, path} {
		if err := os.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("cannot listen on FN_LISTENER: %w", err)
		}
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "unix", real)
	if err == nil {
		// Fn runs as another user. The link is relative, since Fn sees this
		// folder at another path.
		if err = os.Chmod(real, 0o666); err == nil {
			err = os.Symlink(filepath.Base(real), path)
		}
		if err != nil {
			err = errors.Join(err, listener.Close())
		}
	}
	if err != nil {
		return nil, fmt.Errorf("cannot listen on FN_LISTENER: %w", err)
	}
	return &fnListener{listener, path}, nil
}

// fnListener removes the socket's path when it is closed. The socket that it
// points to is removed by the listener itself.
type fnListener struct {
	net.Listener
	link string
}

func (l *fnListener) Close() error { return errors.Join(l.Listener.Close(), os.Remove(l.link)) }
