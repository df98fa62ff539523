package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/flexfn/flexfn/internal/dev"
	"github.com/flexfn/flexfn/internal/gotool"
	"github.com/flexfn/flexfn/internal/scaffold"
)

// newCommand writes files of a user's project; package scaffold has their
// contents.
type newCommand struct {
	App      newAppCommand      `cmd:"" help:"Make a project: a Flex and a Studio function with tests, Dockerfile, CI."`
	Function newFunctionCommand `cmd:"" help:"Add a function to a project: its file, its test, and its line in routes.go."`
}

// newAppCommand makes a project that builds and passes its tests as it is.
type newAppCommand struct {
	Dir     string `arg:"" type:"path" help:"Folder to create; an existing one must be empty."`
	Module  string `placeholder:"PATH" help:"Path of the Go module; by default the folder's name."`
	Replace string `type:"existingdir" placeholder:"DIR" help:"Use flexfn's source from this folder, instead of a release."`
	Tidy    bool   `negatable:"" default:"true" help:"Run go mod tidy to fetch the dependencies (default: yes)."`
}

// Run creates the project and, unless told not to, fetches its dependencies.
//
// Mistakes that go mod tidy would report late and in its own words are found
// before anything is written: a build of flexfn that no proxy has, and a module
// path that belongs to the standard library.
func (n *newAppCommand) Run(ctx context.Context, env environment) error {
	app := scaffold.App{Module: n.Module, Replace: n.Replace}
	if app.Module == "" {
		app.Module = filepath.Base(n.Dir)
	}
	// The project requires the release that makes it. A working copy has no
	// version that a proxy knows; with --replace any version will do.
	if v := generatorVersion(); v != "devel" {
		app.Version = v
	} else if n.Replace != "" {
		app.Version = "v0.0.0"
	}
	if n.Tidy && app.Version == "" {
		return usageError{errors.New("this flexfn is not a release, which go mod tidy could find: add --replace with the folder of its source, or --no-tidy")}
	}
	if first, _, _ := strings.Cut(app.Module, "/"); !strings.Contains(first, ".") {
		// The go command would resolve such a path to the standard library.
		out, err := gotool.Run(ctx, "", "list", "-e", "-find", "-f", "{{.Standard}}", "--", app.Module)
		if err == nil && strings.TrimSpace(string(out)) == "true" {
			return usageError{fmt.Errorf("%s is a package of Go's standard library: give the module a path of its own with --module, such as example.com/%s", app.Module, app.Module)}
		}
	}
	written, err := app.Write(n.Dir)
	if err != nil {
		return err
	}
	list(env, written)
	if n.Tidy {
		if _, err := gotool.Run(ctx, n.Dir, "mod", "tidy"); err != nil {
			return fmt.Errorf("the project is there, but its dependencies are not: run go mod tidy in %s, or remove it and begin again with --replace and the folder of a checkout of flexfn: %w", n.Dir, err)
		}
	}
	fmt.Fprintf(env.stdout, "\nNext:\n  cd %s\n", dev.Quote(n.Dir))
	// In a workspace that does not list the module, every go command in it
	// would fail.
	if variables, err := (gotool.Tool{Dir: n.Dir}).Env(ctx, "GOWORK"); err == nil && variables["GOWORK"] != "" && variables["GOWORK"] != "off" {
		fmt.Fprintf(env.stdout, "  go work use .         # the workspace %s does not have it yet\n", variables["GOWORK"])
	}
	fmt.Fprintf(env.stdout, "  go test ./...\n  go tool flexfn dev\n")
	return nil
}

// newFunctionCommand adds a function to a project, in the style of those that
// are there.
type newFunctionCommand struct {
	Path   string `arg:"" help:"The function's path, such as /flex/hold-participant."`
	Flex   bool   `xor:"kind" help:"For Flex plugins (the default)."`
	Studio bool   `xor:"kind" help:"For Studio flows and other requests that Twilio signs."`
	Empty  bool   `help:"Leave out the example: no parameters, no call to Twilio."`
	Name   string `help:"The function's Go name; by default derived from the path."`
	Dir    string `default:"handlers" type:"existingdir" help:"Folder of the package with func Routes."`
}

// Run writes the files and lists them. It changes routes.go and overwrites
// nothing else.
func (n *newFunctionCommand) Run(env environment) error {
	written, err := scaffold.Function{Path: n.Path, Studio: n.Studio, Empty: n.Empty, Name: n.Name}.Write(n.Dir)
	if err != nil {
		return err
	}
	list(env, written)
	return nil
}

func list(env environment, names []string) {
	for _, name := range names {
		fmt.Fprintln(env.stdout, name)
	}
}
