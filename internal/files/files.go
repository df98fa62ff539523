// Package files divides the process's limit of open files between connections
// of callers and the connections that their calls open.
package files

import "math"

// spare is the number of files left for everything else: standard input and
// output, the poller, the log, certificates.
const spare = 16

// Half returns half of the number of files that the process may have open, at
// least 1. It is [math.MaxInt32] if no limit is known.
func Half() int { return half(limit()) }

func half(limit uint64) int {
	if limit > math.MaxInt32 {
		return math.MaxInt32
	}
	return max(int(limit)-spare, 2) / 2
}
