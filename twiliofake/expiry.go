package twiliofake

import (
	"container/heap"
	"time"
)

// An expiry says when an item lapses. The fake has no timers: each request
// looks at the top of the heap for items that are due.
type expiry struct {
	at  string // RFC 3339 in UTC, which sorts by time
	rec *record
}

// expiries is a heap with the earliest expiry on top. An entry whose record has
// a new date since then is stale; expire skips it.
type expiries []expiry

func (e expiries) Len() int           { return len(e) }
func (e expiries) Less(i, j int) bool { return e[i].at < e[j].at }
func (e expiries) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *expiries) Push(x any)        { *e = append(*e, x.(expiry)) }

func (e *expiries) Pop() any {
	last := len(*e) - 1
	x := (*e)[last]
	(*e)[last] = expiry{}
	*e = (*e)[:last]
	return x
}

// schedule queues an item for the time when it lapses, if there is one. Adding
// and changing an item both call it, so an item may be queued more than once.
func (s *store) schedule(rec *record) {
	if rec.kind.due == nil {
		return
	}
	if at := rec.kind.due(rec); at != "" {
		heap.Push(&s.expiring, expiry{at, rec})
	}
}

// expire deletes the items that have expired, and changes those whose row says
// what becomes of them. Each item lapses at its own time, in order, even if
// several were due since the last request; one that lapses into a state with
// another timer is queued again and may lapse twice.
func (s *store) expire(now time.Time) {
	if len(s.expiring) == 0 {
		return
	}
	for date := now.UTC().Format(time.RFC3339); len(s.expiring) > 0 && s.expiring[0].at <= date; {
		e := heap.Pop(&s.expiring).(expiry)
		if home := e.rec.owner.child(e.rec.kind.home()); home.find(e.rec.id, nil) != e.rec || e.rec.kind.due(e.rec) != e.at {
			continue
		}
		if e.rec.kind.row.lapse == nil {
			s.remove(e.rec)
			continue
		}
		next := e.rec.clone()
		e.rec.kind.row.lapse(next, e.at)
		next.version++
		s.commit(e.rec, next)
	}
}

// expiresOn is the time to live of an item with a date_expires.
func expiresOn(rec *record) string { return rec.text("date_expires") }
