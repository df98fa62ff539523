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

// command runs a program in this folder, and fails the test if it fails.
func command(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// compile type-checks and compiles everything, including the guide's code.
func compile(t *testing.T) {
	t.Helper()
	type params struct {
		Name  string `json:"name" purpose:"who to greet"`
		Times int    `json:"times" doc:"how often"`
	}
	type reply struct {
		Greeting string `json:"greeting"`
		From     string `json:"from"`
	}
	greet := flexfn.PrepareFlexFunction(func(context.Context, params) (reply, error) { return reply{}, nil })
	generate(t, "functions.ts", []flexfn.Route{{Path: "/flex/greet", Function: greet}}, true)
	generate(t, "hooks.ts", kinds.Routes(), true)
	command(t, tsc, "-p", ".")
}

// generate writes the client, with hooks if hooks is set.
func generate(t *testing.T, file string, routes []flexfn.Route, hooks bool) {
	t.Helper()
	document, err := openapi.Document(kinds.Describe(routes), openapi.Info{})
	if err != nil {
		t.Fatal(err)
	}
	client, err := gen.Generate(document, gen.Options{Version: "devel", React: hooks})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, client, 0o600); err != nil {
		t.Fatal(err)
	}
}

const tsc, openapiTypescript = "node_modules/typescript/bin/tsc", "node_modules/.bin/openapi-typescript"

// versions are the React versions that the hooks support; Flex UI 2 has 17.
var versions = []string{"17", "18", "19"}

// The client and its hooks compile as their headers promise: with the oldest and
// the newest supported TypeScript, only the libraries ES2022 and DOM, and the
// types of each React.
func TestVersions(t *testing.T) {
	generate(t, "hooks.ts", kinds.Routes(), true)
	type config struct {
		Options map[string]any `json:"compilerOptions"`
		Files   []string       `json:"files"`
	}
	for _, compiler := range []string{"typescript-least", "typescript-newest"} {
		for _, react := range versions {
			options := map[string]any{
				"noEmit": true, "strict": true, "target": "ES2022", "module": "ES2022", "lib": []string{"ES2022", "DOM"}, "types": []string{},
				"exactOptionalPropertyTypes": true, "isolatedModules": true, "noUnusedLocals": true, "skipLibCheck": true,
				"paths": map[string][]string{"react": {"./node_modules/types-react-" + react}},
			}
			files := []string{"client.ts", "hooks.ts"}
			if compiler == "typescript-least" {
				options["moduleResolution"] = "node"
			} else {
				options["moduleResolution"], options["erasableSyntaxOnly"] = "bundler", true
				files = append(files, "hookchecks.ts")
			}
			text, err := json.Marshal(config{options, files})
			if err != nil {
				t.Fatal(err)
			}
			const file = "tsconfig.version.json" // relative paths start from it
			if err := os.WriteFile(file, text, 0o600); err != nil {
				t.Fatal(err)
			}
			defer os.Remove(file)
			command(t, "node", "node_modules/"+compiler+"/bin/tsc", "-p", file)
		}
	}
}

// TestReact runs the hooks in each React, in a browser.
func TestReact(t *testing.T) {
	generate(t, "hooks.ts", kinds.Routes(), true)
	for _, v := range versions {
		render := `import { createRoot } from "react-dom/client";
			const render = (node, element) => { const root = createRoot(node); root.render(element); return () => root.unmount(); };`
		if v == "17" {
			render = `import { render as draw, unmountComponentAtNode } from "react-dom";
			const render = (node, element) => { draw(element, node); return () => unmountComponentAtNode(node); };`
		}
		cmd := exec.CommandContext(t.Context(), "node_modules/.bin/esbuild", "--bundle", "--format=esm", "--outfile=out/react"+v+".js",
			"--define:process.env.NODE_ENV=\"development\"", "--alias:react=react-"+v, "--alias:react-dom=react-dom-"+v, "--log-level=error")
		cmd.Stdin = strings.NewReader(render + `
			import { version } from "react";
			import { run as check } from "./hookchecks.ts";
			export async function run(url) {
				return version.startsWith("` + v + `.") ? check(url, render) : ["this is React " + version];
			}`)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("esbuild: %v\n%s", err, out)
		}
		t.Run(v, func(t *testing.T) { browse(t, "/react"+v+".js") })
	}
}

// An independent validator accepts the documents, and so do other generators.
func TestDocuments(t *testing.T) {
	ready, err := openapi.Document(kinds.Describe(functions.Routes()), openapi.Info{Title: "Ready-made", Server: "https://functions.example.com", Trim: "/common"})
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
		command(t, tsc, "--noEmit", "--strict", "--typeRoots", "none", types)
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

// A plugin that calls one function does not bundle the others.
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
	const { run } = await import("MODULE");
	faults = await run(URL_OF_APP);
} catch (e) {
	faults = ["the page failed: " + e];
}
await fetch("/done", { method: "POST", body: JSON.stringify(faults) });
</script>`

func TestBrowser(t *testing.T) {
	compile(t)
	browse(t, "/checks.js")
}

// browse opens a page that runs the checks of a module in out. They call
// functions of another origin that allows the page's.
func browse(t *testing.T, module string) {
	t.Helper()
	browser := ""
	for _, name := range []string{"chromium-headless-shell", "chromium"} {
		if path, err := exec.LookPath(name); err == nil {
			browser = path
			break
		}
	}
	if browser == "" {
		t.Fatal("no browser: install chromium-headless-shell")
	}

	done := make(chan []string, 1)
	var app string
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServer(http.Dir("out")))
	mux.HandleFunc("GET /page", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		quoted, _ := json.Marshal(app)
		_, _ = w.Write([]byte(strings.NewReplacer("MODULE", module, "URL_OF_APP", string(quoted)).Replace(page)))
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
