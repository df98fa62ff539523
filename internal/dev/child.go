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
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/flexfn/flexfn/internal/link"
)

// child is a program of the user's that runs.
type child struct {
	cmd  *exec.Cmd
	url  *url.URL
	idle func()        // closes idle connections to it
	done chan struct{} // closed when it has ended
	err  error         // how, once it has
}

const (
	startTime = 20 * time.Second // in which a program must listen
	stopTime  = 5 * time.Second  // in which it must end when asked to
)

// startChild runs binary and waits until it listens where it is told to.
func startChild(ctx context.Context, binary, dir string, env []string, out io.Writer) (*child, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	c := &child{done: make(chan struct{}), cmd: exec.Command(binary)}
	c.cmd.Dir, c.cmd.Stdout, c.cmd.Stderr = dir, out, out
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	// PORT is what most programs heed, and the rest package host, which is to
	// take this machine for no other platform and to end without delay.
	c.cmd.Env = append(env, "PORT="+strconv.Itoa(port), "FLEXFN_LISTEN="+address, "FLEXFN_PLATFORM=http", "FLEXFN_LAME_DUCK=0s", link.StdinVariable+"=ends")
	// Nothing is written to it. It is closed when this process ends, however
	// that happens.
	if _, err := c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	c.cmd.WaitDelay = stopTime
	ownGroup(c.cmd)
	c.url = &url.URL{Scheme: "http", Host: address}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		c.err = c.cmd.Wait()
		close(c.done)
	}()
	if err := c.awaitListening(ctx, address); err != nil {
		c.stop()
		return nil, err
	}
	return c, nil
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return listener.Addr().(*net.TCPAddr).Port, listener.Close()
}

func (c *child) awaitListening(ctx context.Context, address string) error {
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
			return fmt.Errorf("the program does not listen: within %s nothing answered at the port in the environment variable PORT (%s), where flexfn dev wants it", startTime, address)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// ending says how it ended; it has.
func (c *child) ending() string {
	if c.err != nil {
		return c.err.Error()
	}
	return "exit status 0"
}

func (c *child) ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// stop ends it, and returns when it has.
func (c *child) stop() {
	if c.ended() {
		return
	}
	interrupt(c.cmd)
	select {
	case <-c.done:
	case <-time.After(stopTime):
		kill(c.cmd)
		<-c.done
	}
	if c.idle != nil {
		c.idle()
	}
}

// handler passes requests on to it, as they are.
func (c *child) handler() http.Handler {
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 256, IdleConnTimeout: time.Minute}
	c.idle = transport.CloseIdleConnections
	return &httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(c.url)
			r.Out.Host = r.In.Host
			// Twilio signs the query as it stands.
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
				return // nobody is there to be told
			}
			unavailable(w, "flexfn dev: the program did not answer: "+err.Error())
		},
		FlushInterval: -1,
	}
}

// tempDir makes a folder for builds, and the function that removes it.
func tempDir() (dir string, remove func(), err error) {
	dir, err = os.MkdirTemp("", "flexfn-dev-")
	return dir, func() { _ = os.RemoveAll(dir) }, err
}
