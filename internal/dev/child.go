package dev

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/flexfn/flexfn/internal/link"
	"github.com/flexfn/flexfn/internal/proc"
)

// child is a running program of the user's.
//
// It has a process group of its own and a guard (package proc), so it ends with
// flexfn dev even if that crashes: forgotten programs would pile up.
type child struct {
	cmd  *exec.Cmd
	url  *url.URL
	idle func()        // closes idle connections to it
	said *tail         // the end of what it printed
	done chan struct{} // closed once the program has ended
	err  error         // how it ended; valid once done is closed
}

// Bounds of starting and stopping. A program that hangs in its main function
// would otherwise leave the console at "building", and one that ignores the
// signal would keep Ctrl-C waiting.
const (
	startTime = 20 * time.Second // how long a program may take to listen
	stopTime  = 5 * time.Second  // how long it may take to end when asked to
)

// startChild runs binary and waits until it listens on the port it was given.
// It returns a child even with an error, since the child has what the program
// printed. It checks only that the program listens, not how it answers.
func startChild(ctx context.Context, guard *proc.Guard, binary, dir string, env []string, out io.Writer) (*child, error) {
	c, err := launch(guard, binary, dir, env, nil, out)
	if err != nil {
		return c, err
	}
	if err := c.awaitListening(ctx); err != nil {
		c.stop()
		return c, err
	}
	return c, nil
}

// launch starts binary. Its output goes to out, except that standard output
// goes to stdout if that is not nil. It does not wait. The port is free when it
// is chosen; nothing reserves it until the program listens.
func launch(guard *proc.Guard, binary, dir string, env []string, stdout, out io.Writer) (*child, error) {
	c := &child{done: make(chan struct{}), cmd: exec.Command(binary), said: &tail{to: out}}
	port, err := freePort()
	if err != nil {
		return c, err
	}
	c.cmd.Dir, c.cmd.Stdout, c.cmd.Stderr = dir, c.said, c.said
	if stdout != nil {
		c.cmd.Stdout = stdout
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	// Most programs listen on PORT. The other variables are for package host:
	// it must not detect another platform on this machine, it must speak plain
	// HTTP behind the dev server, and it must end without delay.
	c.cmd.Env = append(env, "PORT="+strconv.Itoa(port), "FLEXFN_LISTEN="+address, "FLEXFN_PLATFORM=http", "FLEXFN_LAME_DUCK=0s",
		"FLEXFN_TLS_CERT_FILE=", "FLEXFN_TLS_KEY_FILE=", link.StdinVariable+"=ends")
	// Nothing is written to the pipe. The system closes it when this process
	// ends, however that happens.
	if _, err := c.cmd.StdinPipe(); err != nil {
		return c, err
	}
	c.cmd.WaitDelay = stopTime
	c.url = &url.URL{Scheme: "http", Host: address}
	wait, err := guard.Start(c.cmd)
	if err != nil {
		return c, err
	}
	go func() {
		c.err = wait()
		close(c.done)
	}()
	return c, nil
}

// lastLines returns the last lines that the program printed.
func (c *child) lastLines() string { return c.said.String() }

// A tail passes on what is written to it, and keeps the end of it. It is safe
// for concurrent use. A program that ends at once often says why in its last
// lines, and by then the terminal may have scrolled on.
type tail struct {
	to io.Writer

	mu   sync.Mutex
	last []byte
}

// maxTail is how much a tail keeps, in bytes.
const maxTail = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = append(t.last, p...)
	if n := len(t.last) - maxTail; n > 0 {
		t.last = slices.Delete(t.last, 0, n)
	}
	return t.to.Write(p)
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := string(t.last)
	if len(s) == maxTail {
		_, s, _ = strings.Cut(s, "\n") // begin with a whole line
	}
	return strings.ToValidUTF8(s, "?")
}

// freePort asks the system for a port on the loopback interface.
func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return listener.Addr().(*net.TCPAddr).Port, listener.Close()
}

// awaitListening waits until the program accepts connections, or has ended. It
// tries to connect every few milliseconds, since a program has no other way to
// say that it is ready that works for every program.
func (c *child) awaitListening(ctx context.Context) error {
	address := c.url.Host
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-c.done:
			return fmt.Errorf("the program ended before it listened: %s", c.ending())
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return ctx.Err()
			}
			return fmt.Errorf("the program does not listen: nothing answered within %s on the port in the environment variable PORT (%s)", startTime, address)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// ending describes how the program ended. It must have ended.
func (c *child) ending() string {
	if c.err != nil {
		return c.err.Error()
	}
	return "exit status 0"
}

// ended reports whether the program has ended, without waiting.
func (c *child) ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// stop ends the program and waits until it has ended. It asks first, so that
// the program can finish what it is doing, and kills the whole group after
// stopTime. It may be called more than once.
func (c *child) stop() {
	if c.ended() {
		return
	}
	proc.Interrupt(c.cmd)
	select {
	case <-c.done:
	case <-time.After(stopTime):
		proc.Kill(c.cmd)
		<-c.done
	}
	if c.idle != nil {
		c.idle()
	}
}

// handler returns a proxy that passes requests on to the program unchanged.
//
// A request must arrive as it was sent, or signatures that are valid in
// production would fail here: the query stays byte for byte, Host and the
// forwarding headers stay, no User-Agent is invented and nothing is
// decompressed. Answers are passed on as they come, so that streams work.
func (c *child) handler() http.Handler {
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 256, IdleConnTimeout: time.Minute}
	c.idle = transport.CloseIdleConnections
	return &httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(c.url)
			r.Out.Host = r.In.Host
			// Twilio signs the query byte for byte.
			r.Out.URL.RawQuery = r.In.URL.RawQuery
			for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port"} {
				if v, ok := r.In.Header[name]; ok {
					r.Out.Header[name] = v
				}
			}
			if _, ok := r.In.Header["User-Agent"]; !ok {
				r.Out.Header["User-Agent"] = nil
			}
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if r.Context().Err() != nil {
				return // the caller is gone
			}
			unavailable(w, r, http.StatusServiceUnavailable, "flexfn dev: the program did not answer: "+err.Error())
		},
		FlushInterval: -1,
	}
}
