// Package gotool runs the go command.
package gotool

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/flexfn/flexfn/internal/proc"
)

// A Tool runs the go command. The zero value runs it in the current folder.
type Tool struct {
	Dir string
	// Guard ends the command and everything that it started if this process is
	// killed, and provides a folder for its temporary files. If Guard is nil,
	// neither happens.
	Guard *proc.Guard
}

// Run runs the go command in dir; see [Tool.Run].
func Run(ctx context.Context, dir string, args ...string) ([]byte, error) {
	return Tool{Dir: dir}.Run(ctx, args...)
}

// Run runs the go command and returns its standard output. If the command
// fails, the error has its standard error; if ctx ends first, the command is
// killed and the error is that of ctx.
func (t Tool) Run(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.Command("go", args...)
	cmd.Dir = t.Dir
	if t.Guard != nil {
		cmd.Env = append(os.Environ(), "GOTMPDIR="+t.Guard.Temp())
	}
	stdout, stderr, err := t.Guard.Output(ctx, cmd)
	switch {
	case err == nil:
		return stdout, nil
	case ctx.Err() != nil:
		return stdout, ctx.Err()
	case errors.Is(err, exec.ErrNotFound):
		return nil, errors.New("the go command is not installed, or not on PATH")
	}
	return stdout, fmt.Errorf("go %s: %w\n%s", args[0], err, bytes.TrimSpace(stderr))
}

// List runs go list -json with fields, a list separated by commas, and decodes
// each package into a T.
func List[T any](ctx context.Context, t Tool, fields string, args ...string) ([]T, error) {
	out, err := t.Run(ctx, append([]string{"list", "-json=" + fields}, args...)...)
	if err != nil {
		return nil, err
	}
	var list []T
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p T
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return list, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		list = append(list, p)
	}
}

// Env returns variables of the go command's environment, as go env prints them.
func (t Tool) Env(ctx context.Context, names ...string) (map[string]string, error) {
	out, err := t.Run(ctx, append([]string{"env", "-json"}, names...)...)
	if err != nil {
		return nil, err
	}
	var env map[string]string
	err = json.Unmarshal(out, &env)
	return env, err
}
