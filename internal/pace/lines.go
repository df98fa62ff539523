package pace

import (
	"sync/atomic"
	"time"
)

// Lines bounds log lines that strangers can cause: after a burst of 20, one
// each ten seconds. The zero value is ready. It is safe for concurrent use.
type Lines struct {
	pace Pace
	left atomic.Int64
}

// Next reports whether the next line may be written, and how many were left out
// since the last one.
func (l *Lines) Next() (leftOut int64, ok bool) {
	if _, ok = l.pace.Take(10*time.Second, 20, 0); !ok {
		l.left.Add(1)
		return 0, false
	}
	return l.left.Swap(0), true
}

// LeftOut is the key of the attribute that says how many lines were left out.
const LeftOut = "left_out"
