package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
	"text/template"

	"github.com/flexfn/flexfn/internal/gen"
	"github.com/flexfn/flexfn/internal/gotool"
	"github.com/flexfn/flexfn/openapi"
)

type genCommand struct {
	OpenAPI genOpenAPICommand `cmd:"" name:"openapi" help:"Write the OpenAPI document of a package's functions."`
	TS      genTSCommand      `cmd:"" name:"ts" help:"Write a TypeScript client for a package's functions."`
}

// generated is what both generators have in common.
type generated struct {
	Package string `arg:"" optional:"" default:"./handlers" help:"The Go package with func Routes() []flexfn.Route (default: ${default})."`
	Trim    string `placeholder:"PREFIX" help:"Path prefix to leave out of names, such as /common/flex."`
	Check   bool   `help:"Write nothing; fail if the file is out of date."`
}

type genOpenAPICommand struct {
	generated
	Output  string `name:"output" short:"o" placeholder:"FILE" help:"Write to this file; by default standard output."`
	Title   string `help:"The API's title."`
	Version string `name:"api-version" help:"The API's version."`
	Server  string `placeholder:"URL" help:"Base URL of the functions."`
}

// Validate refuses what has nothing to be checked.
func (g *genOpenAPICommand) Validate() error {
	if g.Check && g.Output == "" {
		return usageError{errors.New("--check needs --output: the file to check")}
	}
	return nil
}

func (g *genOpenAPICommand) Run(ctx context.Context, env environment) error {
	document, err := describe(ctx, env, ".", g.Package, openapi.Info{Title: g.Title, Version: g.Version, Server: g.Server, Trim: g.Trim})
	if err != nil {
		return err
	}
	return g.deliver(env, g.Output, document)
}

type genTSCommand struct {
	generated
	Output string `name:"output" short:"o" required:"" placeholder:"FILE" help:"Write to this file."`
	React  bool   `help:"Add hooks for React 16.8 or later, and a provider for tests."`
}

func (g *genTSCommand) Run(ctx context.Context, env environment) error {
	document, err := describe(ctx, env, ".", g.Package, openapi.Info{Trim: g.Trim})
	if err != nil {
		return err
	}
	client, err := gen.Generate(document, gen.Options{Version: generatorVersion(), React: g.React})
	if err != nil {
		return err
	}
	return g.deliver(env, g.Output, client)
}

// deliver writes content to file, or compares.
func (g *generated) deliver(env environment, file string, content []byte) error {
	if file == "" {
		_, err := env.stdout.Write(content)
		return err
	}
	old, err := os.ReadFile(file)
	switch {
	case err != nil && (g.Check || !errors.Is(err, fs.ErrNotExist)):
		return err
	case bytes.Equal(old, content):
		return nil
	case g.Check:
		return fmt.Errorf("%s is stale: %s; run the command without --check", file, firstDifference(old, content))
	}
	return os.WriteFile(file, content, 0o644)
}

func firstDifference(old, content []byte) string {
	have, want := strings.Split(string(old), "\n"), strings.Split(string(content), "\n")
	for i, line := range want {
		if i >= len(have) {
			return fmt.Sprintf("it ends before line %d", i+1)
		}
		// The hash of what it was made from differs whenever anything does.
		if have[i] != line && !strings.HasPrefix(line, "// Made from") {
			return fmt.Sprintf("line %d is %q and would be %q", i+1, have[i], line)
		}
	}
	return "it differs"
}

// generatorVersion is the release, or "devel".
func generatorVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && regexp.MustCompile(`^v\d+\.\d+\.\d+(-(alpha|beta|rc)[.\d]*)?$`).MatchString(info.Main.Version) {
		return info.Main.Version
	}
	return "devel"
}

// describer is the program that describes a package's functions: only a
// program in the user's own module can import them. Beside a package main it
// is a file of that package, which ends the program before main begins.
var describer = template.Must(template.New("").Parse(`package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/flexfn/flexfn/openapi"
{{- if not .Main}}

	described {{printf "%q" .ImportPath}}
{{- end}}
)

func {{if .Main}}init{{else}}main{{end}}() {
	var info openapi.Info
	err := json.Unmarshal([]byte({{printf "%q" .Info}}), &info)
	var document []byte
	if err == nil {
		document, err = openapi.Document({{if not .Main}}described.{{end}}Routes(), info)
	}
	if err == nil {
		err = os.WriteFile({{printf "%q" .Output}}, document, 0o600)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}
`))

// describe makes the OpenAPI document of the functions that a package of the
// module around dir lists in Routes.
func describe(ctx context.Context, env environment, dir, pkg string, info openapi.Info) ([]byte, error) {
	listed, err := gotool.Run(ctx, dir, "list", "-find", "-json=ImportPath,Name,Dir", "--", pkg)
	if err != nil {
		return nil, fmt.Errorf("cannot find package %s: %w", pkg, err)
	}
	var p struct{ ImportPath, Name, Dir string }
	if err := json.Unmarshal(listed, &p); err != nil {
		return nil, fmt.Errorf("%s is not one package: name a single one", pkg)
	}
	module, err := gotool.Run(ctx, dir, "list", "-m", "-f", "{{.Dir}}")
	if err != nil {
		return nil, fmt.Errorf("this is no Go module: %w", err)
	}
	moduleDir, _, _ := strings.Cut(strings.TrimSpace(string(module)), "\n")

	work, err := os.MkdirTemp("", "flexfn-gen")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	settings, err := json.Marshal(info)
	if err != nil {
		return nil, err
	}
	output, main := filepath.Join(work, "openapi.json"), p.Name == "main"
	var program bytes.Buffer
	if err := describer.Execute(&program, map[string]any{"Main": main, "ImportPath": p.ImportPath, "Info": string(settings), "Output": output}); err != nil {
		return nil, err
	}
	// The overlay puts the program into the user's module without writing
	// anything there.
	programDir := filepath.Join(moduleDir, "flexfn-describe")
	if main {
		programDir = p.Dir
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{
		filepath.Join(programDir, "flexfn_describe.go"): filepath.Join(work, "main.go"),
	}})
	if err == nil {
		err = errors.Join(
			os.WriteFile(filepath.Join(work, "main.go"), program.Bytes(), 0o600),
			os.WriteFile(filepath.Join(work, "overlay.json"), overlay, 0o600))
	}
	if err != nil {
		return nil, err
	}
	said, err := gotool.Run(ctx, moduleDir, "run", "-overlay", filepath.Join(work, "overlay.json"), programDir)
	fmt.Fprintf(env.stderr, "%s", said) // what the user's packages print while they are initialised
	if err != nil {
		if strings.Contains(err.Error(), "undefined: described.Routes") || strings.Contains(err.Error(), "undefined: Routes") {
			return nil, fmt.Errorf("package %s has no function Routes: add func Routes() []flexfn.Route, which lists its functions and their paths", p.ImportPath)
		}
		return nil, fmt.Errorf("the functions of %s cannot be described: %w", p.ImportPath, err)
	}
	return os.ReadFile(output)
}
