package twiliofake

import (
	"container/heap"
	"time"
)

// An expiry is the time at which an item is deleted.
type expiry struct {
	at  string // date_expires; its order is that of time
	rec *record
}

// expiries is a heap of what will expire, the earliest on top. A record whose
// date has changed since is still in it, and then stays.
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

// schedule lets an item expire when its date comes, if its kind has one.
func (s *store) schedule(rec *record) {
	if !rec.kind.expires {
		return
	}
	if at := rec.text("date_expires"); at != "" {
		heap.Push(&s.expiring, expiry{at, rec})
	}
}

// expire removes what has expired.
func (s *store) expire(now time.Time) {
	for date := now.UTC().Format(time.RFC3339); len(s.expiring) > 0 && s.expiring[0].at <= date; {
		e := heap.Pop(&s.expiring).(expiry)
		if home := e.rec.owner.child(e.rec.kind.home()); home.find(e.rec.id, nil) == e.rec && e.rec.text("date_expires") == e.at {
			s.remove(e.rec)
		}
	}
}
