//go:build node

// Package tsclient type-checks the generated client with tsc and runs it in
// Node.js and in a browser, against a live app. It needs node, what npm ci
// installs here, and chromium-headless-shell or chromium:
//
//	(cd internal/testing/tsclient && npm ci) && go test -tags node ./internal/testing/tsclient
package tsclient

import (
	"context"
	_ "embed"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/functions"
	"github.com/flexfn/flexfn/internal/gen"
	"github.com/flexfn/flexfn/internal/testing/kinds"
	"github.com/flexfn/flexfn/openapi"
	"github.com/flexfn/flexfn/twiliofake"
)

// command runs a program here, and fails the test if that fails.
func command(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// compile type-checks and compiles all of it, the guide's code included.
func compile(t *testing.T) {
	t.Helper()
	type params struct {
		Name  string `json:"name" purpose:"whom to greet"`
		Times int    `json:"times" doc:"how often"`
	}
	type reply struct {
		Greeting string `json:"greeting"`
	}
	greet := flexfn.PrepareFlexFunction(func(context.Context, params) (reply, error) { return reply{}, nil })
	document, err := openapi.Document([]flexfn.Route{{Path: "/flex/greet", Function: greet}}, openapi.Info{})
	if err != nil {
		t.Fatal(err)
	}
	client, err := gen.Generate(document, "devel")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("functions.ts", client, 0o600); err != nil {
		t.Fatal(err)
	}
	command(t, tsc, "-p", ".")
}

const tsc, openapiTypescript = "node_modules/.bin/tsc", "node_modules/.bin/openapi-typescript"

// Documents are valid for an independent validator, and other generators
// accept them.
func TestDocuments(t *testing.T) {
	ready, err := openapi.Document(functions.Routes(), openapi.Info{Title: "Ready-made", Server: "https://functions.example.com", Trim: "/common"})
	if err != nil {
		t.Fatal(err)
	}
	none, err := openapi.Document(nil, openapi.Info{})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	files := []string{"openapi.json"}
	for name, document := range map[string][]byte{"functions.json": ready, "none.json": none} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, document, 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	command(t, "node", append([]string{"validate.mjs"}, files...)...)
	for _, file := range files {
		types := filepath.Join(dir, filepath.Base(file)+".d.ts")
		command(t, openapiTypescript, file, "-o", types)
		command(t, tsc, "--noEmit", "--strict", types)
	}

	broken := filepath.Join(dir, "broken.json")
	if err := os.WriteFile(broken, []byte(strings.Replace(string(none), `"title"`, `"titel"`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if exec.CommandContext(t.Context(), "node", "validate.mjs", broken).Run() == nil {
		t.Error("the validator accepts a broken document")
	}
}

// serve starts an app with the functions of package kinds.
func serve(t *testing.T, origins []string) (url string) {
	t.Helper()
	fake, err := twiliofake.New(twiliofake.Config{})
	if err != nil {
		t.Fatal(err)
	}
	app, err := flexfn.New(flexfn.Config{
		AccountSID: twiliofake.DevelopmentAccountSID, AuthToken: twiliofake.DevelopmentAuthToken,
		Transport: fake.Client().Transport, AllowedOrigins: origins, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range kinds.Routes() {
		app.Handle(r.Path, r.Function)
	}
	server := httptest.NewServer(app)
	t.Cleanup(func() {
		server.Close()
		fake.Close()
	})
	return server.URL
}

func TestNode(t *testing.T) {
	compile(t)
	command(t, "node", "node.mjs", serve(t, nil))
}

// A plugin that calls one function does not carry the others.
func TestTreeShaking(t *testing.T) {
	bundle := filepath.Join(t.TempDir(), "bundle.js")
	cmd := exec.CommandContext(t.Context(), "node_modules/.bin/esbuild", "--bundle", "--format=esm", "--outfile="+bundle)
	cmd.Stdin = strings.NewReader(`import { kindsOptional } from "./client.ts"; kindsOptional({ baseUrl: "" }).then(console.log);`)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("esbuild: %v\n%s", err, out)
	}
	text, err := os.ReadFile(bundle)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), "async function kinds"); n != 1 {
		t.Errorf("the bundle has %d functions, not 1", n)
	}
}

const page = `<!doctype html><meta charset="utf-8"><script type="module">
let faults;
try {
	const { run } = await import("/checks.js");
	faults = await run(URL_OF_APP);
} catch (e) {
	faults = ["the page failed: " + e];
}
await fetch("/done", { method: "POST", body: JSON.stringify(faults) });
</script>`

// A page of one origin calls functions of another, which allows it.
func TestBrowser(t *testing.T) {
	browser := ""
	for _, name := range []string{"chromium-headless-shell", "chromium"} {
		if path, err := exec.LookPath(name); err == nil {
			browser = path
			break
		}
	}
	if browser == "" {
		t.Fatal("there is no browser: install chromium-headless-shell")
	}
	compile(t)

	done := make(chan []string, 1)
	var app string
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServer(http.Dir("out")))
	mux.HandleFunc("GET /page", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		quoted, _ := json.Marshal(app)
		_, _ = w.Write([]byte(strings.Replace(page, "URL_OF_APP", string(quoted), 1)))
	})
	mux.HandleFunc("POST /done", func(_ http.ResponseWriter, r *http.Request) {
		faults := []string{"the page's report cannot be read"}
		_ = json.NewDecoder(r.Body).Decode(&faults)
		select {
		case done <- faults:
		default:
		}
	})
	pages := httptest.NewServer(mux)
	defer pages.Close()
	app = serve(t, []string{pages.URL})

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var log strings.Builder
	cmd := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--remote-debugging-port=0", "--user-data-dir="+t.TempDir(), pages.URL+"/page")
	cmd.Stderr = &log
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var faults []string
	select {
	case faults = <-done:
	case <-ctx.Done():
		faults = []string{"the page never reported"}
	}
	cancel()
	_ = cmd.Wait() // it was killed
	if len(faults) > 0 {
		t.Errorf("%s\n%s", strings.Join(faults, "\n"), log.String())
	}
}
