package host

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flexfn/flexfn/internal/testing/memnet"
)

// TestSlowClients holds connections for as long as clients can, in a synctest
// bubble's time.
func TestSlowClients(t *testing.T) {
	for name, c := range map[string]struct {
		send  string        // at first
		drip  bool          // then a byte a second
		deaf  bool          // it reads nothing
		after time.Duration // it is cut off
		got   string        // the beginning of the answer
	}{
		"says nothing":           {"", false, false, headerTime, ""},
		"slow request line":      {"GE", true, false, headerTime, "HTTP/1.1 400 "},
		"slow headers":           {"GET /echo/ HTTP/1.1\r\nHost: x\r\nX: ", true, false, headerTime, ""},
		"half of the headers":    {"GET /echo/ HTTP/1.1\r\nHost: x\r\n", false, false, headerTime, ""},
		"slow body":              {"POST /echo/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n", true, false, readTime, "HTTP/1.1 413 "}, // the handler's answer
		"half of the body":       {"POST /echo/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc", false, false, readTime, "HTTP/1.1 413 "},
		"body that is not read":  {"POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n", true, false, readTime, "HTTP/1.1 200 "},
		"idle":                   {"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n", false, false, idleTime, "HTTP/1.1 200 "},
		"takes no answer":        {"GET /large?bytes=1048576 HTTP/1.1\r\nHost: x\r\n\r\n", true, true, writeTime, ""},
		"half of HTTP/2's magic": {"PRI * HTTP/2.0\r\n\r\n", false, false, headerTime, "HTTP/1.1 400 "},
		"HTTP/2 without pongs":   {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", false, false, 45 * time.Second, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := memnet.NewNetwork(t)
				ctx, end := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() {
					ended <- Serve(ctx, conformanceHandler(), Config{Listener: network.Listener(), Logger: slog.New(slog.DiscardHandler)})
				}()
				defer func() {
					end()
					if err := <-ended; err != nil {
						t.Error(err)
					}
				}()
				conn, err := network.Dial(t.Context(), "tcp", "")
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				began := time.Now()
				var client sync.WaitGroup
				client.Go(func() {
					_, err := io.WriteString(conn, c.send)
					for c.drip && err == nil {
						time.Sleep(time.Second)
						_, err = conn.Write([]byte("a"))
					}
				})
				var got []byte
				if !c.deaf {
					_ = conn.SetReadDeadline(began.Add(time.Hour))
					if got, err = io.ReadAll(conn); err != nil {
						t.Errorf("it is not cut off: %v", err)
					}
				}
				client.Wait()
				if took := time.Since(began); took < c.after || took > c.after+2*time.Second {
					t.Errorf("it is cut off after %s, want %s", took, c.after)
				}
				if !bytes.HasPrefix(got, []byte(c.got)) || c.got == "" && bytes.HasPrefix(got, []byte("HTTP/1")) {
					t.Errorf("it is answered %.60q, want %q", got, c.got)
				}
			})
		})
	}
}
