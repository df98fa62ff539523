package flexfn

import (
	"sync"
	"sync/atomic"
)

// outages remembers which parts of something are failing, so that the log says so
// once when a part begins to fail, and once when it works again. The zero value
// is ready. While nothing fails, a success costs an atomic load.
type outages struct {
	count atomic.Int32

	mu    sync.Mutex
	parts map[string]bool
}

// note records whether part failed, and reports whether that is a change.
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
