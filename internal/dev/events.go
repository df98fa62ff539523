package dev

import (
	"encoding/json"
	"sync"
)

// An event is a change that open consoles show at once.
type event struct {
	kind string
	data []byte
}

// hub sends events to the open consoles. A console that is too slow loses
// events; it is told that it did, and asks for everything again.
//
// Without that bound, one tab in the background would hold all events in
// memory, or hold up the requests that cause them. It is safe for concurrent
// use; the zero value is ready.
type hub struct {
	mu    sync.Mutex
	subs  map[*subscriber]struct{}
	ended bool
}

// A subscriber is an open console. The channel is closed when the server ends.
type subscriber struct {
	events chan event
	lost   bool // guarded by the hub's lock
}

// maxWaiting is how many events wait for a slow console. A page that falls
// further behind loads everything again, which is faster.
const maxWaiting = 256 // events of one subscriber

// subscribe returns a new subscriber, or nil if the server is ending.
func (h *hub) subscribe() *subscriber {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended {
		return nil
	}
	if h.subs == nil {
		h.subs = map[*subscriber]struct{}{}
	}
	s := &subscriber{events: make(chan event, maxWaiting)}
	h.subs[s] = struct{}{}
	return s
}

// leave removes a subscriber. It may be called after end.
func (h *hub) leave(s *subscriber) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.subs, s)
}

// send sends an event to every open page. A page that does not keep up misses
// events, and gets the event lost once it has caught up. It never blocks.
func (h *hub) send(kind string, value any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.subs) == 0 {
		return
	}
	data, err := json.Marshal(value)
	if err != nil {
		return // cannot happen: the values are our own types
	}
	for s := range h.subs {
		if s.lost {
			if len(s.events) > 0 {
				continue
			}
			s.lost = false
			s.events <- event{"lost", []byte("{}")}
		}
		select {
		case s.events <- event{kind, data}:
		default:
			s.lost = true
		}
	}
}

// end makes all subscribers leave, and later ones be refused.
func (h *hub) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended = true
	for s := range h.subs {
		close(s.events)
		delete(h.subs, s)
	}
}
