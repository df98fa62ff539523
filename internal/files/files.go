// Package files divides the files that the process may have open between the
// callers' connections and what their calls open.
package files

import "math"

// spare are those that are open besides: standard input and output, the
// poller, the log, certificates.
const spare = 16

// Half is half of the files that the process may have open, at least 1;
// [math.MaxInt32] when no limit is known.
func Half() int { return half(limit()) }

func half(limit uint64) int {
	if limit > math.MaxInt32 {
		return math.MaxInt32
	}
	return max(int(limit)-spare, 2) / 2
}
