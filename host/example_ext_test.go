package host_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"

	"github.com/flexfn/flexfn/host"
)

// A program's last line. It does not return.
func ExampleMain() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "hello") })
	host.Main(http.DefaultServeMux)
}

// Serve is for programs that choose the address, or when to end.
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
	end() // what a signal does to [host.Main]
	err = <-ended
	fmt.Println(config.Platform, err, host.ExitCode(err))
	// Output:
	// /: 200 "hello"
	// /-/ready: 200 ""
	// http <nil> 0
}

// An image without a shell asks its own program.
func ExampleHealthcheck() {
	err := host.Healthcheck(context.Background(), host.Config{Listen: "unix:/nowhere/http.sock"})
	fmt.Println(host.ExitCode(err))
	// Output: 1
}
