//go:build unix

package dev

import (
	"errors"
	"syscall"
)

// isWatchLimit reports whether err says that the system watches no more.
func isWatchLimit(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}
