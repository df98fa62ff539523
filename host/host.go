// Package host serves an [http.Handler] on the platform that the program runs
// on: plain HTTP on a laptop, a virtual machine or Kubernetes, and AWS Lambda,
// Azure Functions, Cloud Run, Knative, OpenFaaS and Fn.
//
//	func main() {
//		app, err := flexfn.New(flexfn.FromEnv())
//		if err != nil {
//			log.Fatal(err)
//		}
//		host.Main(app)
//	}
//
// The same binary runs on each of them: the platform is detected from the
// variables that it sets, see [Platform], and FLEXFN_PLATFORM overrides that.
// The log says which one was detected and why.
//
// # What it does
//
// It takes requests in the platform's own protocol and passes them to the
// handler as if they had come by HTTP. Path and query stay as they were sent,
// as far as the platform reports that, since Twilio signs them. It ends each
// request's ctx a little before the platform gives up on it. It bounds what
// slow and greedy clients can hold: headers within 10 s and 64 KiB, a body
// within a minute and [Config].MaxBodyBytes, idle connections for 2 minutes.
// When it is told to stop, it finishes the requests in flight; see [Serve]. It
// answers the health checks at [HealthPath] and [ReadyPath].
//
// # What it does not do
//
// It does not route, log requests, compress, limit rates or redirect to HTTPS:
// put middleware or a proxy around the handler for that. A response writer of
// such middleware should have the method Unwrap that [http.ResponseController]
// looks for.
//
// Any handler works. The package imports the standard library, AWS's library
// for Lambda and, from flexfn, only the protocol between a host and an app; it
// knows nothing about functions. docs/hosting.md has a recipe and the limits
// for each platform.
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

// Exit codes of [Main]. 0 means that the program was told to stop and that every
// request was answered.
const (
	// ExitFailed means that it could not serve: an invalid configuration, an
	// address already in use, a lost connection to the platform.
	ExitFailed = 1
	// ExitCutOff means that it was told to stop, and that requests, or handlers
	// whose callers had been answered, were still running when [Config].Drain
	// was over.
	ExitCutOff = 3
)

// ErrCutOff is part of the error of [Serve] if requests, or handlers whose
// callers had been answered, were still running when [Config].Drain was over.
var ErrCutOff = errors.New("requests or handlers were cut off")

// Waiter is implemented by handlers that have work to finish after the last
// answer, such as flexfn.App. [Serve] calls Wait once, at the end: on the
// handler that it serves, and on the apps behind its middleware, which it knows
// once they have answered a request.
//
// Implement it in a handler of your own that leaves goroutines behind, so that
// a deployment does not cut them off.
type Waiter interface {
	// Wait waits until that work is done. If ctx ends first, it returns an
	// error.
	Wait(ctx context.Context) error
}

// Checker is implemented by handlers that know when another instance should
// answer instead, such as flexfn.App. It applies to the handler that [Serve]
// serves and to the apps behind its middleware.
//
// Use it for what only another instance can mend, such as a full disk. If all
// instances report the same outage, a load balancer has none left to send to.
type Checker interface {
	// Ready returns nil, or the reason why [ReadyPath] should answer 503. It is
	// called for each request to that path, concurrently.
	Ready() error
}

// Main serves handler with the Config of [FromEnv], modified by each change,
// until SIGTERM or SIGINT. Then it exits the process with an [ExitCode]. A
// second signal ends the process at once.
//
// The process outlives the readers of its standard output and error. If they
// are gone, it keeps serving, and drops what the log package writes to
// standard error instead of waiting. See [ReadyPath].
//
// With the command-line argument -healthcheck it serves nothing. It runs
// [Healthcheck] against the program that serves on this machine with the same
// environment, and exits with 0 if that is healthy and with 1 if not, for
// images without a shell.
//
//	host.Main(app, func(c *host.Config) {
//		c.Drain = time.Minute
//		c.Logger = logger
//	})
//
// It does not return. Deferred calls of main do not run, so close what needs
// closing in a program that calls [Serve] instead:
//
//	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
//	defer stop()
//	err := host.Serve(ctx, app, host.FromEnv())
//	db.Close()
//	os.Exit(host.ExitCode(err))
func Main(handler http.Handler, change ...func(*Config)) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	// Otherwise a write to a closed standard output would end the process.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	if os.Getenv(link.StdinVariable) != "" {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			stop() // ends ctx
		}()
	}
	config := FromEnv()
	config.output = new(spool.Queue)
	if log.Writer() == os.Stderr { // slog's too, unless the program set another
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

// flush waits at most a second for the last log lines to be written. What is
// not written by then is lost: a reader that has stalled must not keep the
// process.
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

// Serve serves handler as config says until ctx ends. It then reports that it
// is not ready, answers the requests in flight, waits for each [Waiter], and
// returns nil. The error joins everything that is wrong with config, says why
// serving failed, or wraps [ErrCutOff].
//
// On AWS Lambda it does not return while the platform keeps the process, and
// ends the process itself when the platform says so. Call it once in a
// process.
//
// If FLEXFN_DESCRIBE is set and config comes from [FromEnv], it serves
// nothing: it prints the OpenAPI document of the functions to standard output
// and returns nil. "flexfn gen" asks a program for its functions in this way.
//
// handler must be safe for concurrent use. A panic in it breaks off that
// request alone, as in [http.Server]; an app answers its handlers' panics
// itself.
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

// describe prints the OpenAPI document of the handler's functions. Faults in
// the rest of the configuration do not matter, so it comes before they are
// checked.
func describe(ctx context.Context, handler http.Handler, query url.Values) error {
	document, err := link.Document(ctx, handler, "", query)
	if err != nil {
		return fmt.Errorf("%s: %w", link.DescribeVariable, err)
	}
	_, err = os.Stdout.Write(document)
	return err
}

// found returns the log attributes for the detected platform and the reason.
func (c Config) found() []slog.Attr {
	return []slog.Attr{slog.String("platform", string(c.Platform)), slog.String("because", c.because)}
}
