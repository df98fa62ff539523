package dev

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/modfile"

	"github.com/flexfn/flexfn/internal/gotool"
	"github.com/flexfn/flexfn/internal/proc"
)

// A Program is the user's main package. The go command is run for everything
// that depends on the module, so that no rule of it is repeated here.
type Program struct {
	// Dir is the package's folder or, as long as the go command cannot load the
	// module, the folder in which to look for the package.
	Dir string
	// Module is the module's path, and ModFile its go.mod.
	Module, ModFile string

	// Env returns the environment for the program; it is called for each start.
	// EnvFiles lists the files that Env reads.
	Env      func() ([]string, error)
	EnvFiles []string
	// Output receives what the program prints.
	Output io.Writer

	found  bool // Dir is the package's
	work   string
	cache  string
	writes bool // the go command may write go.mod
}

// FindProgram finds the main package in dir, or the only one below it. It
// returns nil if dir is not in a module. If there is not exactly one, the error
// comes with a Program that knows its module alone. A module that the go command cannot
// load, say because of a typo in go.mod, is not an error: builds fail with the
// go command's message until it is fixed.
//
// Symbolic links in dir are resolved, because the go command reports folders
// without them. It looks below dir only if dir itself has no program, so that
// naming a folder decides.
func FindProgram(ctx context.Context, dir string) (*Program, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return nil, err
	}
	env, err := gotool.Tool{Dir: dir}.Env(ctx, "GOMOD", "GOWORK", "GOMODCACHE", "GOFLAGS")
	if err != nil {
		return nil, err
	}
	p := &Program{Dir: dir, ModFile: env["GOMOD"], work: env["GOWORK"], cache: env["GOMODCACHE"], writes: strings.Contains(env["GOFLAGS"], "-mod=mod")}
	if p.ModFile == "" || p.ModFile == os.DevNull {
		if p.work != "" && p.work != "off" {
			return nil, fmt.Errorf("%s is in the workspace %s, but in none of its modules: name the folder of a program", dir, p.work)
		}
		return nil, nil
	}
	text, err := os.ReadFile(p.ModFile)
	if err != nil {
		return nil, err
	}
	p.Module = modfile.ModulePath(text)
	if err := p.find(ctx, gotool.Tool{}); err != nil && errors.As(err, new(choiceError)) {
		return p, err
	}
	return p, ctx.Err()
}

// choiceError says that there is not exactly one program to run. It is kept
// apart from errors of the go command, which the developer may fix while flexfn
// dev runs.
type choiceError struct{ error }

// find looks for the main package, once. Programs in node_modules are not the
// user's: npm packages may ship Go code.
func (p *Program) find(ctx context.Context, tool gotool.Tool) error {
	if p.found {
		return nil
	}
	tool.Dir = p.Dir
	var mains []string
	for _, pattern := range []string{".", "./..."} {
		packages, err := gotool.List[struct{ Dir, Name string }](ctx, tool, "Dir,Name", "-e", "-find", pattern)
		if err != nil {
			return err
		}
		for _, found := range packages {
			if found.Name == "main" && !strings.Contains(filepath.ToSlash(found.Dir), "/node_modules/") {
				mains = append(mains, found.Dir)
			}
		}
		if len(mains) > 0 {
			break
		}
	}
	switch len(mains) {
	case 0:
		return choiceError{fmt.Errorf("%s has no program (package main)", p.Dir)}
	case 1:
		p.Dir, p.found = mains[0], true
		return nil
	}
	var names []string
	for _, dir := range mains {
		if rel, err := filepath.Rel(p.Dir, dir); err == nil {
			names = append(names, filepath.ToSlash(rel))
		}
	}
	return choiceError{fmt.Errorf("%s has several programs: name the folder of one, such as %s; it has %s", p.Dir, Quote(names[0]), strings.Join(names, ", "))}
}

// root returns the module's folder.
func (p *Program) root() string { return filepath.Dir(p.ModFile) }

// make builds the program into file. The module's own packages get the flags
// and others do not, so that dependencies come from the build cache.
func (p *Program) make(ctx context.Context, guard *proc.Guard, file string) error {
	tool := gotool.Tool{Dir: p.Dir, Guard: guard}
	if err := p.find(ctx, tool); err != nil {
		return err
	}
	tool.Dir = p.Dir
	below, err := filepath.Rel(p.Dir, p.root())
	if err != nil {
		return err
	}
	// Without optimizations and DWARF, the packages that are rebuilt at each
	// change take half the time. The trace of a panic stays the same.
	own := "-gcflags=./" + filepath.ToSlash(below) + "/...=-N -l -dwarf=false"
	_, err = tool.Run(ctx, "build", own, "-ldflags=-w", "-o", file, ".")
	return err
}

// listedPackage is a package in the output of go list. Error is set if the
// package does not load; its text is left to the build.
type listedPackage struct {
	Dir, ImportPath string
	Standard        bool
	EmbedPatterns   []string
	Module          *struct {
		Path, Dir, GoMod string
	}
	Error *struct{}
}

// inputs asks the go command what a build of the program depends on. If that
// fails, the result still has the inputs that are known without the go command.
//
// It also has files that do not exist yet but would count if they did: a
// go.work in any folder above, vendor/modules.txt, a package that is imported
// and missing. Otherwise creating them would not start a build. The standard
// library and the module cache do not change and are left out.
func (p *Program) inputs(ctx context.Context, guard *proc.Guard) (*inputs, error) {
	in := &inputs{folders: map[string][]string{p.Dir: nil}}
	in.files = append(in.files, p.EnvFiles...)
	in.addModule(p.ModFile)
	if p.work != "" && p.work != "off" {
		in.addModule(p.work)
	} else if p.work == "" && os.Getenv("GOWORK") == "" {
		for dir := p.root(); ; dir = filepath.Dir(dir) { // every folder where a go.work would count
			in.files = append(in.files, filepath.Join(dir, "go.work"))
			if dir == filepath.Dir(dir) {
				break
			}
		}
	}
	args := []string{"-e", "-deps", "."}
	if p.writes { // it may be killed while it writes
		args = append([]string{"-mod=readonly"}, args...)
	}
	packages, err := gotool.List[listedPackage](ctx, gotool.Tool{Dir: p.Dir, Guard: guard},
		"Dir,ImportPath,Standard,EmbedPatterns,Module,Error", args...)
	if err != nil {
		return in, err
	}
	modules := map[string]string{} // folders by path
	if p.Module != "" {
		modules[p.Module] = p.root()
	}
	for _, q := range packages {
		if q.Standard || q.Dir == "" || under(q.Dir, p.cache) {
			continue
		}
		in.folders[q.Dir] = q.EmbedPatterns
		if q.Module != nil && q.Module.Dir != "" {
			modules[q.Module.Path] = q.Module.Dir
			if q.Module.GoMod != "" {
				in.addModule(q.Module.GoMod)
			}
		}
	}
	for _, q := range packages {
		if q.Error == nil || q.Dir != "" {
			continue
		}
		for path, dir := range modules { // the folder where the missing package would be
			if rest, ok := strings.CutPrefix(q.ImportPath, path+"/"); ok {
				in.folders[filepath.Join(dir, filepath.FromSlash(rest))] = nil
			}
		}
	}
	slices.Sort(in.files)
	in.files = slices.Compact(in.files)
	return in, nil
}

// under reports whether dir is below another folder.
func under(dir, above string) bool {
	return above != "" && strings.HasPrefix(dir, above+string(filepath.Separator))
}

// Bounds of building and starting a version. A build may download modules
// first, which is why it has minutes.
const (
	buildTime    = 10 * time.Minute
	describeTime = 5 * time.Second
)
