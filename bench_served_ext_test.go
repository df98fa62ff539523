//go:build unix

package flexfn_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/host"
)

// BenchmarkServed is BenchmarkFunction behind net/http's server. The client
// costs the same in all cases and allocates almost nothing; cpu-ns/op is the
// processor time of both ends.
func BenchmarkServed(b *testing.B) {
	app := newApp(b, testConfig(new(iam)))
	echo := func(_ context.Context, in benchParams) (benchReply, error) {
		return benchReply{in.Task, in.Priority, in.Hold}, nil
	}
	app.Handle("/echo", flexfn.PrepareStudioFunction(echo, flexfn.OpenToAnyone()))
	app.Handle("/flex", flexfn.PrepareFlexFunction(echo))
	for _, c := range []struct {
		name, path string
		handler    http.Handler
		host       bool
	}{
		{"bare", "/echo", http.HandlerFunc(bareHandler), false},
		{"echo", "/echo", app, false}, {"flex", "/flex", app, false},
		{"echo-host", "/echo", app, true},
	} {
		b.Run("handler="+c.name, func(b *testing.B) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			ctx, end := context.WithCancel(b.Context())
			ended := make(chan error, 1)
			if c.host {
				go func() {
					ended <- host.Serve(ctx, c.handler, host.Config{Listener: l, Logger: slog.New(slog.DiscardHandler)})
				}()
			} else {
				server := &http.Server{Handler: c.handler}
				go func() { ended <- server.Serve(l) }()
				context.AfterFunc(ctx, func() { _ = server.Close() })
			}
			defer func() { end(); <-ended }()
			conn, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			defer conn.Close()
			request := []byte(fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s",
				c.path, len(benchForm), benchForm))
			answers := bufio.NewReader(conn)
			call := func() {
				if _, err := conn.Write(request); err != nil {
					b.Fatal(err)
				}
				length := 0
				for {
					line, err := answers.ReadSlice('\n')
					if err != nil {
						b.Fatal(err)
					}
					if n, ok := cutPrefix(line, "Content-Length: "); ok {
						length, _ = strconv.Atoi(string(n[:len(n)-2]))
					}
					if len(line) == 2 {
						break
					}
				}
				if _, err := io.CopyN(io.Discard, answers, int64(length)); err != nil || length == 0 {
					b.Fatal(length, err)
				}
			}
			for range 100 {
				call()
			}
			b.ReportAllocs()
			began := cpuTime()
			for b.Loop() {
				call()
			}
			b.ReportMetric(float64(cpuTime()-began)/float64(b.N), "cpu-ns/op")
		})
	}
}

func cutPrefix(line []byte, prefix string) ([]byte, bool) {
	if len(line) < len(prefix) || string(line[:len(prefix)]) != prefix {
		return nil, false
	}
	return line[len(prefix):], true
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
