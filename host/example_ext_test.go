package host_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"

	"github.com/aws/aws-lambda-go/events"

	"github.com/flexfn/flexfn/host"
)

// A program's last line. It does not return.
func ExampleMain() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "hello") })
	host.Main(http.DefaultServeMux)
}

// On AWS Lambda a queue and a schedule may invoke the program as well.
func ExampleMain_events() {
	host.Main(http.DefaultServeMux, func(c *host.Config) {
		c.SQS = func(ctx context.Context, m events.SQSMessage) error {
			fmt.Println("later work:", m.Body) // an error redelivers this message, and no other
			return nil
		}
		c.EventBridge = func(ctx context.Context, e events.EventBridgeEvent) error {
			fmt.Println(e.DetailType, string(e.Detail))
			return nil
		}
	})
}

// busy is a handler that reports when another instance should answer.
type busy struct{ http.Handler }

func (busy) Ready() error { return errors.New("the database is not reachable") }

func ExampleChecker() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, end := context.WithCancel(context.Background())
	defer end()
	ended := make(chan error, 1)
	go func() {
		ended <- host.Serve(ctx, busy{http.NotFoundHandler()}, host.Config{Listener: listener, Logger: slog.New(slog.DiscardHandler)})
	}()
	resp, err := http.Get("http://" + listener.Addr().String() + host.ReadyPath)
	if err != nil {
		fmt.Println(err)
		return
	}
	text, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	fmt.Printf("%d %s", resp.StatusCode, text)
	// Output: 503 the database is not reachable
}

// Serve is for programs that choose the address or the time to stop.
func ExampleServe() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	config := host.FromLookup(func(string) (string, bool) { return "", false }) // or host.FromEnv()
	config.Listener = listener
	config.Logger = slog.New(slog.DiscardHandler)

	ctx, end := context.WithCancel(context.Background())
	defer end()
	ended := make(chan error)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "hello") })
	go func() { ended <- host.Serve(ctx, handler, config) }()

	for _, path := range []string{"/", host.ReadyPath} {
		resp, err := http.Get("http://" + listener.Addr().String() + path)
		if err != nil {
			fmt.Println(err)
			return
		}
		text, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		fmt.Printf("%s: %d %q\n", path, resp.StatusCode, text)
	}
	end() // as a signal does for [host.Main]
	err = <-ended
	fmt.Println(config.Platform, err, host.ExitCode(err))
	// Output:
	// /: 200 "hello"
	// /-/ready: 200 ""
	// http <nil> 0
}

// An image without a shell runs its own program as the health check.
func ExampleHealthcheck() {
	err := host.Healthcheck(context.Background(), host.Config{Listen: "unix:/nowhere/http.sock"})
	fmt.Println(host.ExitCode(err))
	// Output: 1
}

// The platform is detected from the environment.
func ExampleFromLookup() {
	for _, variable := range [][2]string{
		{"PORT", "8080"}, {"AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001"}, {"FUNCTIONS_CUSTOMHANDLER_PORT", "7071"},
		{"FLEXFN_PLATFORM", "kubernetes"},
	} {
		config := host.FromLookup(func(name string) (string, bool) {
			if name == variable[0] {
				return variable[1], true
			}
			return "", false
		})
		fmt.Printf("%s: %s %q\n", variable[0], config.Platform, config.Listen)
	}
	// Output:
	// PORT: http ":8080"
	// AWS_LAMBDA_RUNTIME_API: aws-lambda ""
	// FUNCTIONS_CUSTOMHANDLER_PORT: azure-functions "127.0.0.1:7071"
	// FLEXFN_PLATFORM: kubernetes ""
}

// A gateway leaves its own prefix on the path; the handler does not see it.
func ExampleConfig_stripPrefix() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, end := context.WithCancel(context.Background())
	defer end()
	ended := make(chan error)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL.Path) })
	go func() {
		ended <- host.Serve(ctx, handler, host.Config{Listener: listener, StripPrefix: "/api", Logger: slog.New(slog.DiscardHandler)})
	}()
	resp, err := http.Get("http://" + listener.Addr().String() + "/api/flex/greet")
	if err != nil {
		fmt.Println(err)
		return
	}
	text, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	end()
	fmt.Printf("%s %v\n", text, <-ended)
	// Output: /flex/greet <nil>
}

// The exit codes that a process supervisor sees.
func ExampleExitCode() {
	fmt.Println(host.ExitCode(nil), host.ExitCode(errors.New("the port is taken")), host.ExitCode(fmt.Errorf("2 of them: %w", host.ErrCutOff)))
	fmt.Println(host.ExitFailed, host.ExitCutOff)
	// Output:
	// 0 1 3
	// 1 3
}
