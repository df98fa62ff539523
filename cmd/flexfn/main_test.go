package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/flexfn/flexfn/internal/gotool"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"flexfn": main})
}

// TestScripts runs testdata/script. Beside testscript's own commands they
// have "ready URL", which waits until something answers there, $ADDR, an
// address and $PORT2, a port, that nothing listens on, and $CHECKOUT, the folder of this module.
func TestScripts(t *testing.T) { runScripts(t, "testdata/script", func(*testscript.Env) {}) }

func runScripts(t *testing.T, dir string, setup func(*testscript.Env)) {
	testscript.Run(t, testscript.Params{
		Dir:                 dir,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			second, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			defer second.Close()
			_, port, err := net.SplitHostPort(second.Addr().String())
			if err != nil {
				return err
			}
			e.Setenv("ADDR", listener.Addr().String())
			e.Setenv("PORT2", port)
			// For scripts that run the go command, here or through flexfn.
			for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOPROXY", "GOSUMDB"} {
				value, err := gotool.Run(context.Background(), ".", "env", name)
				if err != nil {
					return err
				}
				e.Setenv(name, strings.TrimSpace(string(value)))
			}
			e.Setenv("GOWORK", "off")
			e.Setenv("GOFLAGS", "")
			checkout, err := filepath.Abs("../..")
			if err != nil {
				return err
			}
			e.Setenv("CHECKOUT", checkout)
			setup(e)
			return listener.Close()
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"ready": func(ts *testscript.TestScript, neg bool, args []string) {
				if neg || len(args) != 1 {
					ts.Fatalf("usage: ready URL")
				}
				ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
				defer cancel()
				for {
					req, err := http.NewRequestWithContext(ctx, "GET", args[0], nil)
					ts.Check(err)
					resp, err := http.DefaultClient.Do(req)
					if err == nil {
						ts.Check(resp.Body.Close())
						return
					}
					select {
					case <-ctx.Done():
						ts.Fatalf("%s never answered: %v", args[0], err)
					case <-time.After(10 * time.Millisecond):
					}
				}
			},
		},
	})
}

// TestPanicsAreSeen: a bug of the command's own is not taken for its end.
func TestPanicsAreSeen(t *testing.T) {
	defer func() {
		if got := recover(); got != "a bug" {
			t.Errorf("the panic was %v", got)
		}
	}()
	lookup := func(string) (string, bool) { panic("a bug") }
	code := run(t.Context(), []string{"serve"}, environment{lookup, io.Discard, io.Discard})
	t.Errorf("it went on, to exit code %d", code)
}
