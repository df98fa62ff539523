//go:build unix

package dev

import (
	"errors"
	"syscall"
)

// isWatchLimit reports whether err says that the limit of watched folders is
// reached.
func isWatchLimit(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}
