//go:build !(linux || darwin || freebsd || netbsd || openbsd)

package main

import (
	"errors"
	"os"
)

// singleKeys is not supported on other systems, where keys need Enter.
func singleKeys(*os.File) (restore func(), err error) { return nil, errors.ErrUnsupported }
