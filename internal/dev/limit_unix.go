//go:build unix

package dev

import (
	"errors"
	"syscall"
)

// isWatchLimit reports whether err says that the limit of watched folders is
// reached. Linux reports ENOSPC for the number of watches; the others are
// limits of open files.
func isWatchLimit(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}
