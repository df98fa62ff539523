//go:build linux || darwin || freebsd || netbsd || openbsd

package main

import (
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// singleKeys makes a terminal return each key as it is pressed, without echo.
// Signals, such as that of Ctrl-C, and output are unaffected. The result
// restores the terminal. Restoring it twice is harmless, and does nothing if
// the shell has the terminal again by then: changing it would stop this process
// with SIGTTOU.
func singleKeys(f *os.File) (restore func(), err error) {
	fd := int(f.Fd())
	// The terminal may belong to another program. Changing it would stop this
	// one.
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
