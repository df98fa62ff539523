package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/flexfn/flexfn/internal/gotool"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"flexfn": main})
}

// TestScripts runs testdata/script. In addition to testscript's own commands, they
// have "ready URL", which waits until something answers there; "paste FILE",
// which runs each curl line in FILE and writes the answers to the file pasted;
// $ADDR, an address and $PORT2, a port, that nothing listens on; and $CHECKOUT,
// the folder of this module.
func TestScripts(t *testing.T) { runScripts(t, "testdata/script", func(*testscript.Env) {}) }

func runScripts(t *testing.T, dir string, setup func(*testscript.Env)) {
	// Under nohup this process ignores SIGHUP, and so would the programs that
	// it starts. A signal that it catches has its default action in them.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
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
		UpdateScripts: *update,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"paste": paste,
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

var update = flag.Bool("update", false, "rewrite the scripts' expected files")

// varying matches what differs between runs in an answer: times and new SIDs.
var varying = []struct {
	find *regexp.Regexp
	put  string
}{
	{regexp.MustCompile(`[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z`), "(time)"},
	{regexp.MustCompile(`(CA|WT|WR)[0-9a-f]{32}`), "$1(sid)"},
	{regexp.MustCompile(`"requestId":"[0-9A-Z]+"`), `"requestId":"(id)"`},
	{regexp.MustCompile(`"age":[0-9]+`), `"age":(age)`},
	{regexp.MustCompile(`"([a-z_]+)":[0-9]{10}\b`), `"$1":(time)`},
	{regexp.MustCompile(`http://127\.0\.0\.1:[0-9]+`), "http://(address)"},
	{regexp.MustCompile(`"(token|roomName)":"[^"]+"`), `"$1":"(random)"`},
	{regexp.MustCompile(`"recording":"[^"]{100,}"`), `"recording":"(sound)"`},
	{regexp.MustCompile(`"status":\{"isOpen":[^}]+\}`), `"status":(now)`},
}

// paste runs each curl line of a file in a shell, as a reader would, and writes
// a line with path, answer and status for each.
func paste(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: paste FILE")
	}
	var pasted strings.Builder
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "curl ") {
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		answer, err := exec.CommandContext(ctx, "sh", "-c", line+" -w ' %{http_code}'").Output()
		cancel()
		if err != nil {
			ts.Fatalf("%s: %v", line, err)
		}
		for _, v := range varying {
			answer = v.find.ReplaceAll(answer, []byte(v.put))
		}
		fmt.Fprintf(&pasted, "%s %s\n", pastedPath.FindStringSubmatch(line)[1], answer)
	}
	ts.Check(os.WriteFile(ts.MkAbs("pasted"), []byte(pasted.String()), 0o600))
}

var pastedPath = regexp.MustCompile(`http://[^/ ]+(/[^ ?]*)`)

// TestPanicsAreSeen checks that a panic in the command is not mistaken for a
// normal exit.
func TestPanicsAreSeen(t *testing.T) {
	defer func() {
		if got := recover(); got != "a bug" {
			t.Errorf("the panic was %v", got)
		}
	}()
	lookup := func(string) (string, bool) { panic("a bug") }
	code := run(t.Context(), []string{"serve"}, environment{lookup, io.Discard, io.Discard})
	t.Errorf("it continued, with exit code %d", code)
}
