package twiliofake

import (
	"container/heap"
	"time"
)

// An expiry says when to delete an item.
type expiry struct {
	at  string // date_expires, which sorts by time
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

// schedule queues an item for deletion at its date_expires, if it has one.
func (s *store) schedule(rec *record) {
	if !rec.kind.expires {
		return
	}
	if at := rec.text("date_expires"); at != "" {
		heap.Push(&s.expiring, expiry{at, rec})
	}
}

// expire deletes the items that have expired.
func (s *store) expire(now time.Time) {
	for date := now.UTC().Format(time.RFC3339); len(s.expiring) > 0 && s.expiring[0].at <= date; {
		e := heap.Pop(&s.expiring).(expiry)
		if home := e.rec.owner.child(e.rec.kind.home()); home.find(e.rec.id, nil) == e.rec && e.rec.text("date_expires") == e.at {
			s.remove(e.rec)
		}
	}
}
