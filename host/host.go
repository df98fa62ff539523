// Package host serves an [http.Handler] on whatever platform the program finds
// itself on: plain HTTP on a laptop, a virtual machine or Kubernetes, AWS
// Lambda, Azure Functions, Cloud Run, Knative, OpenFaaS, Fn.
//
//	func main() {
//		app, err := flexfn.New(flexfn.FromEnv())
//		…
//		host.Main(app)
//	}
//
// The package knows nothing of flexfn: any handler will do. docs/hosting.md
// has a recipe and the limits for each platform.
package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/flexfn/flexfn/internal/link"
)

// Exit codes of [Main], beside 0, which says that the program was told to end
// and that every request was answered.
const (
	// ExitFailed says that it could not serve: a fault in the configuration,
	// an address that is taken, a platform that broke off.
	ExitFailed = 1
	// ExitCutOff says that it was told to end, and that requests were still
	// under way when the time for them was over.
	ExitCutOff = 3
)

// ErrCutOff is part of the error of [Serve] when requests were still under
// way at the end of [Config].Drain.
var ErrCutOff = errors.New("requests were cut off")

// Waiter is implemented by handlers that have work of their own to finish
// after the last answer, as flexfn.App has.
type Waiter interface {
	// Wait waits until that work is done, or ctx is.
	Wait(ctx context.Context) error
}

// Main serves handler as [FromEnv] says until SIGTERM or SIGINT, and exits
// the process. A second signal ends it at once.
//
// With the command-line argument -healthcheck it serves nothing: it asks the
// program that serves on this machine with the same environment whether it is
// well, and exits with 0 if so and 1 if not, for images without a shell.
func Main(handler http.Handler) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	if os.Getenv(link.StdinVariable) != "" {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			stop() // ends ctx
		}()
	}
	os.Exit(run(ctx, handler, FromEnv(), os.Args[1:]))
}

// run is Main without the process. It returns the exit code.
func run(ctx context.Context, handler http.Handler, config Config, args []string) int {
	var err error
	if len(args) == 1 && (args[0] == "-healthcheck" || args[0] == "--healthcheck") {
		err = Healthcheck(ctx, config)
	} else {
		err = Serve(ctx, handler, config)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return ExitCode(err)
}

// ExitCode is the exit code with which [Main] ends after err.
func ExitCode(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, ErrCutOff):
		return ExitCutOff
	}
	return ExitFailed
}

// Serve serves handler as config says. When ctx ends it stops: it tells the
// load balancer, answers what is under way, and returns nil. The error joins
// all that is wrong with config, or says why serving failed. On AWS Lambda it
// does not return while the platform keeps the process, and ends the process
// itself when the platform says so.
func Serve(ctx context.Context, handler http.Handler, config Config) error {
	config, err := config.withDefaults()
	if err != nil {
		return err
	}
	handler = prepare(handler, config)
	if config.Platform == Lambda {
		config.Logger.LogAttrs(ctx, slog.LevelInfo, "serving", config.found()...)
		return serveLambda(ctx, handler, config)
	}
	return serveHTTP(ctx, handler, config)
}

// found is what the log says about the platform.
func (c Config) found() []slog.Attr {
	return []slog.Attr{slog.String("platform", string(c.Platform)), slog.String("because", c.because)}
}
