//go:build unix

package files

import (
	"math"
	"syscall"
)

// limit returns how many files the process may have open.
func limit() uint64 {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) != nil {
		return math.MaxUint64
	}
	return uint64(l.Cur)
}
