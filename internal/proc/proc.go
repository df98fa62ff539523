// Package proc runs programs that must not outlive this one.
package proc

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A Guard ends the programs that were started with it and removes its folder
// when this process ends, whether with [Guard.Close] or by a crash or kill -9.
// The latter works on Unix only.
//
// It is safe for concurrent use. A nil Guard starts programs but does not guard
// them.
type Guard struct {
	temp string

	mu     sync.Mutex
	tell   io.WriteCloser // to the guard process; nil if there is no guard process
	done   chan struct{}  // closed when the guard process has ended
	groups []int
}

// NewGuard returns a guard with a new folder for temporary files. The caller
// must close it.
func NewGuard() (*Guard, error) {
	temp, err := os.MkdirTemp("", "flexfn-dev-")
	if err != nil {
		return nil, err
	}
	g := &Guard{temp: temp}
	g.tell, g.done = guardProcess(temp)
	return g, nil
}

// Temp returns the guard's folder for temporary files.
func (g *Guard) Temp() string { return g.temp }

// Close ends the guard and removes its folder. The programs must have ended
// before.
func (g *Guard) Close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.tell != nil {
		_ = g.tell.Close()
		<-g.done
		g.tell = nil
	}
	_ = os.RemoveAll(g.temp)
}

// Start starts cmd in a process group of its own, so that Ctrl-C in the
// terminal does not reach it. The caller must call wait, which returns when the
// program has ended.
func (g *Guard) Start(cmd *exec.Cmd) (wait func() error, err error) {
	ownGroup(cmd)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	g.track(func(groups []int) []int { return append(groups, cmd.Process.Pid) })
	return func() error {
		err := cmd.Wait()
		g.track(func(groups []int) []int {
			return slices.DeleteFunc(groups, func(pid int) bool { return pid == cmd.Process.Pid })
		})
		return err
	}, nil
}

// track changes the list of running groups, and sends it to the guard process.
func (g *Guard) track(change func([]int) []int) {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.groups = change(g.groups)
	if g.tell == nil {
		return
	}
	var line strings.Builder
	for _, pid := range g.groups {
		line.WriteString(strconv.Itoa(pid) + " ")
	}
	_, _ = io.WriteString(g.tell, line.String()+"\n") // fails only if the guard process was killed
}

// Output runs cmd and returns what it wrote to standard output and standard
// error. If ctx ends first, cmd's whole group is killed, and the error is that
// of ctx.
func (g *Guard) Output(ctx context.Context, cmd *exec.Cmd) (stdout, stderr []byte, err error) {
	if ctx.Err() != nil {
		return nil, nil, ctx.Err()
	}
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.WaitDelay = time.Second // child processes may hold the pipes open
	wait, err := g.Start(cmd)
	if err != nil {
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, func() { Kill(cmd) })
	err = wait()
	if !stop() {
		err = ctx.Err()
	}
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil // it succeeded, but left a child process behind
	}
	return []byte(out.String()), []byte(errs.String()), err
}
