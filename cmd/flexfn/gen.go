package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"regexp"
	"runtime/debug"
	"strings"

	"github.com/flexfn/flexfn/functions"
	"github.com/flexfn/flexfn/internal/dev"
	"github.com/flexfn/flexfn/internal/gen"
	"github.com/flexfn/flexfn/openapi"
)

// genCommand writes files from the description that a program gives of itself.
type genCommand struct {
	OpenAPI genOpenAPICommand `cmd:"" name:"openapi" help:"Write the OpenAPI document of a program's functions."`
	TS      genTSCommand      `cmd:"" name:"ts" help:"Write a TypeScript client for a program's functions."`
}

// generated has the flags that both generators share. Dir is where the program
// is, and not where the file goes.
type generated struct {
	Dir       string `arg:"" optional:"" type:"existingdir" help:"Folder of your program (package main). By default, the program of the module that you are in."`
	ReadyMade bool   `help:"Describe the ready-made functions of flexfn serve instead of a program's."`
	Trim      string `placeholder:"PREFIX" help:"Path prefix to leave out of names, such as /common/flex."`
	Check     bool   `help:"Write nothing; fail if the file is out of date."`
}

// genOpenAPICommand writes the description as it is.
type genOpenAPICommand struct {
	generated
	Output  string `name:"output" short:"o" placeholder:"FILE" help:"Write to this file; by default standard output."`
	Title   string `help:"The API's title."`
	Version string `name:"api-version" help:"The API's version."`
	Server  string `placeholder:"URL" help:"Base URL of the functions."`
}

// Validate returns an error for --check without a file to check. kong calls it
// after parsing.
func (g *genOpenAPICommand) Validate() error {
	if g.Check && g.Output == "" {
		return usageError{errors.New("--check needs --output: the file to check")}
	}
	return nil
}

func (g *genOpenAPICommand) Run(ctx context.Context, env environment) error {
	document, err := g.document(ctx, env, openapi.Info{Title: g.Title, Version: g.Version, Server: g.Server})
	if err != nil {
		return err
	}
	return g.deliver(env, g.Output, document)
}

// genTSCommand writes a client made from the description. The same description
// and release of flexfn give the same file, byte for byte, which --check needs.
type genTSCommand struct {
	generated
	Output string `name:"output" short:"o" required:"" placeholder:"FILE" help:"Write to this file."`
	React  bool   `help:"Add hooks for React 16.8 or later, and a provider for tests."`
}

func (g *genTSCommand) Run(ctx context.Context, env environment) error {
	document, err := g.document(ctx, env, openapi.Info{})
	if err != nil {
		return err
	}
	client, err := gen.Generate(document, gen.Options{Version: generatorVersion(), React: g.React})
	if err != nil {
		return err
	}
	return g.deliver(env, g.Output, client)
}

// deliver writes content to file or, with --check, compares it. A file that is
// up to date is not written, so its time does not change and nothing that
// depends on it is rebuilt.
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

// firstDifference names the first line that differs, so that a failure in CI
// can be understood from its log.
func firstDifference(old, content []byte) string {
	have, want := strings.Split(string(old), "\n"), strings.Split(string(content), "\n")
	for i, line := range want {
		if i >= len(have) {
			return fmt.Sprintf("it ends before line %d", i+1)
		}
		// Skip the hash of the source, which differs whenever anything does.
		if have[i] != line && !strings.HasPrefix(line, "// Made from") {
			return fmt.Sprintf("line %d is %q and would be %q", i+1, have[i], line)
		}
	}
	return "it differs"
}

// generatorVersion returns the version of the release, or "devel". A
// pseudo-version is "devel" as well: it would change a generated file with
// every commit of flexfn.
func generatorVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && regexp.MustCompile(`^v\d+\.\d+\.\d+(-(alpha|beta|rc)[.\d]*)?$`).MatchString(info.Main.Version) {
		return info.Main.Version
	}
	return "devel"
}

// document asks the program for the OpenAPI document of its functions.
//
// The program is built and started with the fake's account and with
// .env.example as its last resort, so that it works in CI, where there are
// neither credentials nor a .env file. It is asked and then ended; it serves no
// requests.
func (g *generated) document(ctx context.Context, env environment, info openapi.Info) ([]byte, error) {
	info.Trim = g.Trim
	if g.ReadyMade {
		var list []openapi.Function
		for _, r := range functions.Routes() {
			list = append(list, r.Describe())
		}
		return openapi.Document(list, info)
	}
	program, err := dev.FindProgram(ctx, cmp.Or(g.Dir, "."))
	if err != nil {
		return nil, err
	}
	if program == nil {
		return nil, fmt.Errorf("%s is not in a Go module: there is no program to describe", cmp.Or(g.Dir, "this folder"))
	}
	// The program gets what the document needs to know in one variable; see
	// link.DescribeVariable.
	query := url.Values{"title": {info.Title}, "version": {info.Version}, "server": {info.Server}, "trim": {info.Trim}}
	variables := devVariables{dir: program.Dir, outer: env.lookup, base: nowhere, key: dev.NewKey(), describe: query.Encode()}
	program.Env, program.Output = variables.environ, env.stderr
	return program.Describe(ctx, variables.key, query)
}

// nowhere is the Twilio URL for programs that only describe their functions.
// Nothing listens there. A program that calls Twilio as it starts fails at
// once, and not with a real account.
const nowhere = "http://127.0.0.1:1"
