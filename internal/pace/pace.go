// Package pace limits how often something happens that strangers can cause.
package pace

import (
	"sync"
	"time"
)

// Pace limits events to one each so often, and allows a burst after a quiet
// time. The zero value is ready. It is safe for concurrent use.
type Pace struct {
	mu   sync.Mutex
	next time.Time // when the next would be due if there were no bursts
}

// Take reserves the next turn and returns how long it is until then. If that is
// more than most, it reserves nothing and returns false.
func (p *Pace) Take(each time.Duration, burst int, most time.Duration) (wait time.Duration, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	next := p.next
	if earliest := now.Add(-time.Duration(burst-1) * each); next.Before(earliest) {
		next = earliest
	}
	if wait = next.Sub(now); wait > most {
		return 0, false
	}
	p.next = next.Add(each)
	return max(wait, 0), true
}
