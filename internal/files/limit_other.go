//go:build !unix

package files

import "math"

// limit returns how many files the process may have open. On this system no
// limit is known.
func limit() uint64 { return math.MaxUint64 }
