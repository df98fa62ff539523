package dev

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/flexfn/flexfn/internal/proc"
)

// A version is one attempt to build and start the program: the build, or why
// there is none. One that is out of date before it is ready is abandoned.
type version struct {
	build *Build
	child *child
	// mute says why the list of its functions is unknown; nil if it is known.
	mute error
	took time.Duration
	err  *Fault
	in   *inputs // what the build depends on
}

// Develop builds and runs p, and does so again whenever a file that p depends
// on changes. Each build replaces the one before in s. It returns when ctx
// ends, or with an error if it cannot continue.
//
// A build is only put in service if no file has changed since it began.
// Otherwise requests would be answered by code that was never on disk as a
// whole. Only one Develop may run for a server.
func (s *Server) Develop(ctx context.Context, p *Program) error {
	guard, err := proc.NewGuard()
	if err != nil {
		return err
	}
	defer guard.Close()
	d := &developer{s: s, p: p, guard: guard}
	defer d.end()
	t := s.o.Terminal
	t.Printf("flexfn dev: building %s\n", p.Dir)
	hold := s.gate.hold()
	s.setStatus(statusBuilding, nil)
	in, _ := p.inputs(ctx, guard) // if this fails, so does the build, which says why
	d.watch = newWatcher(in, func() { s.gate.hold() }, func(err error) {
		t.Printf("%s the system cannot watch more folders (%v): changes are seen within %s, or when a function is called; on Linux, raise fs.inotify.max_user_watches\n",
			t.paint(yellow, "flexfn dev:"), err, lookAgain)
	})
	defer d.watch.close()
	watching, stop := context.WithCancel(ctx)
	var work sync.WaitGroup
	defer work.Wait()
	defer stop()
	work.Go(func() { d.watch.run(watching) })
	defer s.gate.lookWith(d.watch.check)()
	for n := 1; ; n++ {
		if err := d.watch.settle(ctx); err != nil {
			return err
		}
		made, err := d.once(ctx, n, hold)
		if err != nil {
			return err
		}
		if made {
			if err := d.await(ctx); err != nil {
				return err
			}
		}
		hold = s.gate.hold()
		s.setStatus(statusBuilding, nil)
	}
}

// developer is the state of one call of Develop. It belongs to one goroutine,
// but for the build that once starts.
type developer struct {
	s       *Server
	p       *Program
	guard   *proc.Guard
	watch   *watcher
	current *version // nil: nothing serves

	children []*child // that may still be running
}

// once makes a version and puts it in service, which releases hold. It reports
// false if a file changed in the meantime and the version was abandoned. The
// build runs on a goroutine of its own, so that a change during a long build
// can cancel it. After the build it looks at the files once more, now including
// inputs that only this build has revealed.
func (d *developer) once(ctx context.Context, n, hold int) (made bool, err error) {
	making, cancel := context.WithTimeout(ctx, buildTime)
	defer cancel()
	result := make(chan *version, 1)
	go func() { result <- d.makeVersion(making, n) }()
	slow := time.AfterFunc(patience, func() { d.sayItTakesLong(d.current != nil) })
	defer slow.Stop()
	var v *version
	select {
	case v = <-result:
	case <-d.watch.changes:
		cancel()
		v = <-result
		d.abandon(v)
		return false, ctx.Err()
	}
	if ctx.Err() != nil {
		d.abandon(v)
		return false, ctx.Err()
	}
	if v.in != nil {
		d.watch.learn(v.in)
	}
	d.watch.check()
	select {
	case <-d.watch.changes:
		d.abandon(v)
		return false, nil
	default:
	}
	t := d.s.o.Terminal
	if v.err != nil {
		what := "there is nothing to serve yet"
		if d.current != nil {
			what = "the last good build keeps serving"
		}
		t.Printf("%s; %s\n%s\n", t.paint(red, "flexfn dev: "+strings.ToLower(v.err.Title)), what, strings.TrimRight(d.s.mask.account(v.err.Text), "\n"))
		d.s.gate.keep(v.err, hold)
		d.s.setStatus(statusFailed, v.err)
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

// sayItTakesLong is printed when waiting requests are about to be let go: after
// waiting for patience they get the last good build, or an error.
func (d *developer) sayItTakesLong(served bool) {
	t := d.s.o.Terminal
	what := "requests get an error that says so"
	if served {
		what = "the last good build answers meanwhile"
	}
	t.Printf("%s the build has taken %s so far; %s\n", t.paint(yellow, "flexfn dev:"), patience, what)
}

// abandon ends a version that is out of date already. Its program ends in the
// background, since the next build need not wait for it.
func (d *developer) abandon(v *version) {
	if v.child != nil {
		d.children = append(d.children, v.child)
		go v.build.end()
	}
}

// makeVersion builds and starts the program. While it starts, makeVersion asks
// the go command what the build depends on. The binary has the number n in its
// name: Windows does not let a file be replaced that is running, and the last
// build runs until the new one serves.
func (d *developer) makeVersion(ctx context.Context, n int) *version {
	start := time.Now()
	v := &version{}
	file := filepath.Join(d.guard.Temp(), executable(fmt.Sprintf("build-%d", n)))
	err := d.p.make(ctx, d.guard, file)
	// Not during the build, since with -mod=mod both would write go.mod.
	var listing sync.WaitGroup
	listing.Go(func() {
		if in, err := d.p.inputs(ctx, d.guard); err == nil {
			v.in = in
		}
	})
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("the build did not end within %s, and was killed", buildTime)
	}
	if err != nil {
		v.err = &Fault{Title: "Not built", Text: err.Error()}
	} else {
		d.start(ctx, file, v)
	}
	listing.Wait()
	v.took = time.Since(start)
	return v
}

// executable returns name with the extension that the system expects of a
// program.
func executable(name string) string {
	if runtime.GOOS == "windows" {
		return name + ".exe"
	}
	return name
}

// start runs the program in file and fills in v. A program that does not
// describe its functions still serves; only the list of functions is unknown
// then.
func (d *developer) start(ctx context.Context, file string, v *version) {
	env, err := d.p.Env()
	if err != nil {
		v.err = &Fault{Title: "Not started", Text: err.Error()}
		return
	}
	c, err := startChild(ctx, d.guard, file, d.p.Dir, env, d.p.Output)
	if err != nil {
		_ = os.Remove(file)
		v.err = &Fault{Title: "Not started", Text: err.Error(), Output: c.lastLines()}
		return
	}
	v.child = c
	v.build, v.mute = d.s.newBuild(ctx, c.handler())
	v.build.end = func() {
		c.stop()
		_ = os.Remove(file)
	}
}

// await returns when a file has changed. If the program ends by itself in the
// meantime, await takes it out of service; if it had run for a while, it is
// started again. A program that ends within two seconds would only be started
// again and again, so that waits for a change.
func (d *developer) await(ctx context.Context) error {
	var ended chan struct{}
	if d.current != nil && d.s.gate.serves(d.current.build) {
		ended = d.current.child.done
	}
	began := time.Now()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-d.watch.changes:
		return nil
	case <-ended:
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	fault := &Fault{Title: "Ended", Text: "the program ended by itself: " + d.current.child.ending(), Output: d.current.child.lastLines()}
	d.s.gate.drop(d.current.build, fault)
	d.current = nil
	d.s.setStatus(statusFailed, fault)
	t := d.s.o.Terminal
	if time.Since(began) > 2*time.Second {
		t.Printf("%s %s; starting it again\n", t.paint(red, "flexfn dev:"), fault.Text)
		return nil
	}
	t.Printf("%s %s; change a file to start it again\n", t.paint(red, "flexfn dev:"), fault.Text)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-d.watch.changes:
		return nil
	}
}

// end stops every program that is still running. They end at the same time, so
// that stopping takes stopTime at most, however many there are.
func (d *developer) end() {
	var all sync.WaitGroup
	for _, c := range d.children {
		all.Go(c.stop)
	}
	all.Wait()
}
