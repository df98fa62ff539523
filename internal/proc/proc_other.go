//go:build !unix

package proc

import (
	"io"
	"os/exec"
)

func ownGroup(*exec.Cmd) {}

// Interrupt ends a program that [Guard.Start] started.
func Interrupt(cmd *exec.Cmd) { _ = cmd.Process.Kill() }

// Kill ends a program that [Guard.Start] started.
func Kill(cmd *exec.Cmd) { _ = cmd.Process.Kill() }

func guardProcess(string) (io.WriteCloser, chan struct{}) { return nil, nil }
