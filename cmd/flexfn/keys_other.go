//go:build !(linux || darwin || freebsd || netbsd || openbsd)

package main

import (
	"errors"
	"os"
)

func singleKeys(*os.File) (restore func(), err error) { return nil, errors.ErrUnsupported }
