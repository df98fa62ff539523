// Package host serves an [http.Handler] on the platform that the program runs
// on: plain HTTP on a laptop, a virtual machine or Kubernetes, AWS
// Lambda, Azure Functions, Cloud Run, Knative, OpenFaaS, Fn.
//
//	func main() {
//		app, err := flexfn.New(flexfn.FromEnv())
//		…
//		host.Main(app)
//	}
//
// Any handler will do. The package imports the standard library, AWS's
// library for Lambda, and from flexfn only the protocol between a host and an
// app; it knows nothing about functions. docs/hosting.md has a recipe and the
// limits for each platform.
package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/flexfn/flexfn/internal/link"
	"github.com/flexfn/flexfn/internal/spool"
)

// Exit codes of [Main] other than 0, which means that the program was told to
// end and that every request was answered.
const (
	// ExitFailed means that it could not serve: a fault in the configuration,
	// an address already in use, a lost connection to the platform.
	ExitFailed = 1
	// ExitCutOff means that it was told to end, and that requests, or handlers
	// whose callers had been answered, were still running at the end of
	// [Config].Drain.
	ExitCutOff = 3
)

// ErrCutOff is part of the error of [Serve] when requests, or handlers whose
// callers had been answered, were still under way at the end of
// [Config].Drain.
var ErrCutOff = errors.New("requests or handlers were cut off")

// Waiter is implemented by handlers that have work to finish after the last
// answer, such as flexfn.App. [Serve] calls Wait once, at the end: that of the
// handler that it serves, and those of the apps behind its middleware, which
// it knows once they have answered a request.
type Waiter interface {
	// Wait waits until that work is done, or until ctx ends, and then returns
	// an error.
	Wait(ctx context.Context) error
}

// Checker is implemented by handlers that know when another instance should
// answer instead, such as flexfn.App: the handler that [Serve] serves, and the
// apps behind its middleware.
type Checker interface {
	// Ready returns nil, or the reason for which [ReadyPath] answers 503. It
	// is called for each request of that path, concurrently.
	Ready() error
}

// Main serves handler with the Config of [FromEnv], which each change may
// alter, until SIGTERM or SIGINT, and then exits the process with an
// [ExitCode]. A second signal ends it at once.
//
// The process outlives the readers of its standard output and error. If they
// are gone, it keeps serving, and drops what the log package writes to
// standard error instead of waiting. See [ReadyPath].
//
// With the command-line argument -healthcheck it serves nothing. It runs
// [Healthcheck] against the program that serves on this machine with the same
// environment, and exits with 0 if that is healthy and with 1 if not, for
// images without a shell.
func Main(handler http.Handler, change ...func(*Config)) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	// Otherwise a write to a standard output that is closed ends the process.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	if os.Getenv(link.StdinVariable) != "" {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			stop() // ends ctx
		}()
	}
	config := FromEnv()
	config.output = new(spool.Queue)
	if log.Writer() == os.Stderr { // also slog's, unless the program has another
		log.SetOutput(config.output.Writer(os.Stderr))
		config.output.Report(func(lost int) {
			_, _ = fmt.Fprintf(os.Stderr, "%d log lines were lost while the log was not read\n", lost)
		})
	}
	for _, c := range change {
		c(&config)
	}
	os.Exit(run(ctx, handler, config, os.Args[1:]))
}

// run is Main without exiting the process. It returns the exit code.
func run(ctx context.Context, handler http.Handler, config Config, args []string) int {
	var err error
	if len(args) == 1 && (args[0] == "-healthcheck" || args[0] == "--healthcheck") {
		err = Healthcheck(ctx, config)
	} else {
		err = Serve(ctx, handler, config)
	}
	if config.output != nil {
		if err != nil {
			_, _ = fmt.Fprintln(config.output.Writer(os.Stderr), err)
		}
		flush(config.output)
	}
	return ExitCode(err)
}

// flush waits at most a second for the last log lines to be written.
func flush(q *spool.Queue) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = q.Wait(ctx)
}

// ExitCode returns the exit code for the error of [Serve]: 0, [ExitFailed] or
// [ExitCutOff].
func ExitCode(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, ErrCutOff):
		return ExitCutOff
	}
	return ExitFailed
}

// Serve serves handler as config says until ctx ends. It then reports not
// ready, answers the requests under way, waits for each [Waiter], and returns
// nil. The error joins everything that is wrong with config, says why serving
// failed, or wraps [ErrCutOff].
//
// On AWS Lambda it does not return while the platform keeps the process, and
// ends the process itself when the platform says so. Call it once in a
// process.
//
// If FLEXFN_DESCRIBE is set and config comes from [FromEnv], it serves
// nothing: it prints the OpenAPI document of the functions to standard output
// and returns nil. "flexfn gen" asks a program for its functions in this way.
func Serve(ctx context.Context, handler http.Handler, config Config) error {
	listener := config.Listener
	if config.describe != nil {
		err := describe(ctx, handler, config.describe)
		if listener != nil {
			err = errors.Join(err, listener.Close())
		}
		return err
	}
	config, err := config.withDefaults()
	if err != nil {
		if listener != nil {
			err = errors.Join(err, listener.Close())
		}
		return err
	}
	config.lines = new(spool.Queue)
	next := config.Logger.Handler()
	config.lines.Report(func(lost int) {
		slog.New(next).Warn("log lines were lost while the log was not read", "lines", lost)
	})
	config.Logger = slog.New(config.lines.Handler(next))
	defer flush(config.lines)

	front := newFront(handler, config)
	if config.row.serve != nil {
		return config.row.serve(ctx, front, config)
	}
	return serveHTTP(ctx, front, config)
}

// describe prints the OpenAPI document of the functions of handler.
func describe(ctx context.Context, handler http.Handler, query url.Values) error {
	document, err := link.Document(ctx, handler, "", query)
	if err != nil {
		return fmt.Errorf("%s: %w", link.DescribeVariable, err)
	}
	_, err = os.Stdout.Write(document)
	return err
}

// found returns the log attributes that say which platform was detected, and
// by what.
func (c Config) found() []slog.Attr {
	return []slog.Attr{slog.String("platform", string(c.Platform)), slog.String("because", c.because)}
}
