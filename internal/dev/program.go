package dev

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/flexfn/flexfn/internal/gotool"
)

// A Program is the user's main package.
type Program struct {
	Dir  string // the package's
	Root string // the module's, which is watched

	// Env makes the environment in which it runs, anew for each start.
	Env func() ([]string, error)
	// Output receives what it prints.
	Output io.Writer
}

// FindProgram finds the main package in dir, or the only one below it. It
// returns nil when dir is in no module.
func FindProgram(ctx context.Context, dir string) (*Program, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	out, err := gotool.Run(ctx, dir, "env", "GOMOD")
	if err != nil {
		return nil, err
	}
	mod := strings.TrimSpace(string(out))
	if mod == "" || mod == os.DevNull {
		return nil, nil
	}
	for _, pattern := range []string{".", "./..."} {
		out, err := gotool.Run(ctx, dir, "list", "-e", "-f", `{{if eq .Name "main"}}{{.Dir}}{{end}}`, pattern)
		if err != nil {
			return nil, err
		}
		switch found := strings.Fields(string(out)); len(found) {
		case 0:
		case 1:
			return &Program{Dir: found[0], Root: filepath.Dir(mod)}, nil
		default:
			return nil, fmt.Errorf("%s has several programs: name the folder of one, such as flexfn dev %s", dir, found[0])
		}
	}
	return nil, fmt.Errorf("%s has no program (package main)", dir)
}

// Module is the path of the module that dir is in; empty when in none.
func Module(ctx context.Context, dir string) string {
	out, err := gotool.Run(ctx, dir, "list", "-m", "-f", "{{if .Main}}{{.Path}}{{end}}")
	if err != nil {
		return ""
	}
	first, _, _ := strings.Cut(string(out), "\n")
	return first
}

// make builds the program into file.
func (p *Program) make(ctx context.Context, file string) error {
	below, err := filepath.Rel(p.Dir, p.Root)
	if err != nil {
		return err
	}
	// What is built again at each change is built in half the time without
	// optimizations and DWARF. A panic's trace says the same.
	own := "-gcflags=./" + filepath.ToSlash(below) + "/...=-N -l -dwarf=false"
	_, err = gotool.Run(ctx, p.Dir, "build", own, "-ldflags=-w", "-o", file, ".")
	return err
}

// version is a build that was made and started.
type version struct {
	build *Build
	child *child
	// mute says why its functions are not known; nil when they are.
	mute error
	took time.Duration
	err  error
}

// Develop builds and runs p, and again whenever a file changes, until ctx
// ends. Each build takes the place of the one before in s.
func (s *Server) Develop(ctx context.Context, p *Program) error {
	dir, remove, err := tempDir()
	if err != nil {
		return err
	}
	defer remove()
	watch, err := newWatcher(p)
	if err != nil {
		return err
	}
	defer watch.close()
	go watch.run(func() { s.gate.hold() })

	s.o.Terminal.Printf("flexfn dev: building %s\n", p.Dir)
	d := &developer{s: s, p: p, dir: dir}
	defer d.end()
	for n := 1; ; n++ {
		made, err := d.once(ctx, watch.changes, n)
		if err != nil {
			return err
		}
		if !made {
			continue // a file changed meanwhile
		}
		watch.refresh(ctx)
		if err := d.await(ctx, watch.changes); err != nil {
			return err
		}
	}
}

// developer is what Develop knows.
type developer struct {
	s       *Server
	p       *Program
	dir     string
	current *version // nil: none serves

	children []*child // that may still run
}

// once makes one version and puts it in place. It is false when a change
// came meanwhile.
func (d *developer) once(ctx context.Context, changes <-chan string, n int) (made bool, err error) {
	hold := d.s.gate.hold()
	d.s.setStatus(statusBuilding, "")
	making, cancel := context.WithCancel(ctx)
	defer cancel()
	result := make(chan *version, 1)
	go func() { result <- d.makeVersion(making, n) }()
	var v *version
	select {
	case v = <-result:
	case <-changes:
		cancel()
		if v := <-result; v.child != nil {
			v.child.stop()
		}
		return false, ctx.Err()
	}
	if ctx.Err() != nil {
		if v.child != nil {
			v.child.stop()
		}
		return false, ctx.Err()
	}
	t := d.s.o.Terminal
	if v.err != nil {
		what := "there is nothing to serve yet"
		if d.current != nil {
			what = "the last good build goes on serving"
		}
		t.Printf("%s; %s\n%s\n", t.paint(red, "flexfn dev: not built"), what, strings.TrimRight(d.s.mask.text(v.err.Error()), "\n"))
		d.s.gate.keep(v.err.Error(), hold)
		d.s.setStatus(statusFailed, v.err.Error())
		return true, nil
	}
	if v.mute != nil {
		t.Printf("%s %s\n", t.paint(yellow, "flexfn dev:"), v.mute)
	}
	first := d.current == nil
	d.current = v
	d.children = slices.DeleteFunc(d.children, (*child).ended)
	d.children = append(d.children, v.child)
	d.s.serve(v.build, hold)
	t.Printf("%s in %s\n", t.paint(green, "flexfn dev: built and started"), v.took.Round(time.Millisecond))
	if first {
		d.s.ShowFunctions()
	}
	return true, nil
}

func (d *developer) makeVersion(ctx context.Context, n int) *version {
	start := time.Now()
	file := filepath.Join(d.dir, fmt.Sprintf("build-%d", n))
	if runtime.GOOS == "windows" {
		file += ".exe"
	}
	if err := d.p.make(ctx, file); err != nil {
		return &version{err: err}
	}
	env, err := d.p.Env()
	if err != nil {
		return &version{err: err}
	}
	c, err := startChild(ctx, file, d.p.Dir, env, d.p.Output)
	if err != nil {
		_ = os.Remove(file)
		return &version{err: err}
	}
	handler := c.handler()
	functions, err := askFunctions(handler, d.s.o.Key)
	v := &version{child: c, mute: err, took: time.Since(start)}
	v.build = &Build{handler: handler, functions: functions, end: func() {
		c.stop()
		_ = os.Remove(file)
	}}
	return v
}

// await returns when a file has changed. Meanwhile it takes a program that
// ended by itself out of service, and starts it again when it had run for a
// while.
func (d *developer) await(ctx context.Context, changes <-chan string) error {
	var ended chan struct{}
	if d.current != nil && d.s.gate.serves(d.current.build) {
		ended = d.current.child.done
	}
	began := time.Now()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-changes:
		return nil
	case <-ended:
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	fault := "the program ended by itself: " + d.current.child.ending()
	d.s.gate.drop(d.current.build, fault)
	d.current = nil
	d.s.setStatus(statusFailed, fault)
	t := d.s.o.Terminal
	if time.Since(began) > 2*time.Second {
		t.Printf("%s %s; starting it again\n", t.paint(red, "flexfn dev:"), fault)
		return nil
	}
	t.Printf("%s %s; change a file to start it again\n", t.paint(red, "flexfn dev:"), fault)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-changes:
		return nil
	}
}

// end stops all programs that run.
func (d *developer) end() {
	var all sync.WaitGroup
	for _, c := range d.children {
		all.Go(c.stop)
	}
	all.Wait()
}
