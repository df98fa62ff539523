package flexfn

import (
	"sync"
	"sync/atomic"
)

// outages remembers which parts of something fail, so that the log tells once
// that one does and once that it works again, however the tries of its parts
// mix. The zero value is ready.
type outages struct {
	count atomic.Int32

	mu    sync.Mutex
	parts map[string]bool
}

// note takes the outcome of a try of part, and reports whether it is news.
func (o *outages) note(part string, failed bool) (news bool) {
	if !failed && o.count.Load() == 0 {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.parts[part] == failed {
		return false
	}
	if failed {
		if o.parts == nil {
			o.parts = map[string]bool{}
		}
		o.parts[part] = true
		o.count.Add(1)
	} else {
		delete(o.parts, part)
		o.count.Add(-1)
	}
	return true
}
