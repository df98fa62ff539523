//go:build linux || darwin || freebsd || netbsd || openbsd

package main

import (
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// singleKeys makes a terminal hand over each key as it is pressed, without
// showing it. Signals, such as Ctrl-C's, and what is written to the terminal
// stay as they are. The result puts it back.
func singleKeys(f *os.File) (restore func(), err error) {
	fd := int(f.Fd())
	// Another program's terminal is not to be changed, and to try would stop
	// this one.
	inFront := func() bool {
		group, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP)
		return err == nil && group == unix.Getpgrp()
	}
	if !inFront() {
		return nil, errNotInFront
	}
	before, err := unix.IoctlGetTermios(fd, getTermios)
	if err != nil {
		return nil, err
	}
	single := *before
	single.Lflag &^= unix.ICANON | unix.ECHO
	single.Cc[unix.VMIN], single.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(fd, setTermios, &single); err != nil {
		return nil, err
	}
	return sync.OnceFunc(func() {
		if inFront() {
			_ = unix.IoctlSetTermios(fd, setTermios, before)
		}
	}), nil
}
