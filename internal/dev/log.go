package dev

import (
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/flexfn/flexfn/internal/link"
)

// Bounds of the log of requests. The oldest entries are dropped first. A
// developer who leaves flexfn dev running for days, or uploads large files,
// does not run out of memory.
const (
	maxEntries   = 500
	maxBodyShown = 64 << 10 // of each body
	maxLogBytes  = 16 << 20 // of all of them
)

// A Summary is a line of the log. Duration is in milliseconds. Attempts and
// Retries count calls to Twilio, as recorded in the trace.
type Summary struct {
	ID        string    `json:"id"`
	Time      time.Time `json:"time"`
	Method    string    `json:"method"`
	Path      string    `json:"path"`
	Status    int       `json:"status"` // zero while the request is running
	Duration  float64   `json:"duration"`
	Attempts  int       `json:"attempts"`
	Retries   int       `json:"retries"`
	Caller    string    `json:"caller,omitempty"`
	RequestID string    `json:"requestId,omitempty"`
	Origin    string    `json:"origin,omitempty"` // of the page that called
}

// An Entry is a request and its answer, with secrets masked. An entry does not
// change once its request has ended, so the console can read it without a lock.
type Entry struct {
	Summary
	Query      string      `json:"query,omitempty"`
	Request    Message     `json:"request"`
	Answer     Message     `json:"answer"`
	Trace      *link.Trace `json:"trace,omitempty"`
	Replayable bool        `json:"replayable"`
	Person     string      `json:"person"` // who sent it

	raw *rawRequest // unmasked; only for replay
}

// A Message is the headers and the body of a request or an answer. At most
// maxBodyShown bytes of the body are kept.
type Message struct {
	Header http.Header `json:"header"`
	Body   string      `json:"body"`
	Cut    bool        `json:"cut,omitempty"` // the body was longer
}

// A rawRequest is a request as it came, for sending it again. It holds tokens,
// so it is never shown.
type rawRequest struct {
	method, host, uri string
	header            http.Header
	body              []byte
}

// size estimates the memory of an entry, in bytes. It need not be exact, only
// grow with everything that can be large.
func (e *Entry) size() int {
	n := 1024 + len(e.Path) + len(e.Query) + len(e.Request.Body) + len(e.Answer.Body)
	if e.raw != nil {
		n += len(e.raw.uri) + len(e.raw.body)
	}
	for _, h := range []http.Header{e.Request.Header, e.Answer.Header} {
		for k, vs := range h {
			n += len(k)
			for _, v := range vs {
				n += 2 * len(v)
			}
		}
	}
	if e.Trace != nil {
		n += 300 * len(e.Trace.Attempts)
	}
	return n
}

// requestLog holds the latest requests in bounded memory. It is safe for
// concurrent use. The zero value is ready.
type requestLog struct {
	mu      sync.Mutex
	last    int
	entries []*Entry // oldest first
	bytes   int
}

// begin adds e, a running request, gives it an id, and returns a copy of it for
// end. The entry is in the log before the answer, so that a request that hangs
// can be seen.
func (l *requestLog) begin(e *Entry) (soFar *Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	e.ID = strconv.Itoa(l.last)
	soFar = new(*e)
	l.add(soFar)
	return soFar
}

// end replaces soFar by e, which must not be changed any more. If soFar is no
// longer in the log, pushed out by newer requests or cleared by the developer,
// e is added as a new line.
func (l *requestLog) end(soFar, e *Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.Index(l.entries, soFar); i >= 0 {
		l.bytes += e.size() - soFar.size()
		l.entries[i] = e
		l.shrink()
		return
	}
	l.add(e)
}

// add appends an entry. The caller holds the lock.
func (l *requestLog) add(e *Entry) {
	l.entries = append(l.entries, e)
	l.bytes += e.size()
	l.shrink()
}

// shrink drops the oldest entries until the log is within its bounds. One entry
// always stays, however large it is.
func (l *requestLog) shrink() {
	drop := 0
	for len(l.entries)-drop > 1 && (len(l.entries)-drop > maxEntries || l.bytes > maxLogBytes) {
		l.bytes -= l.entries[drop].size()
		l.entries[drop] = nil
		drop++
	}
	l.entries = l.entries[drop:]
}

// find returns the entry with this id, or nil if it is not in the log any more.
func (l *requestLog) find(id string) *Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.entries {
		if e.ID == id {
			return e
		}
	}
	return nil
}

// list returns the lines of the log, newest first.
func (l *requestLog) list() []Summary {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]Summary, 0, len(l.entries))
	for i := len(l.entries) - 1; i >= 0; i-- {
		list = append(list, l.entries[i].Summary)
	}
	return list
}

// clear empties the log. Ids go on from where they were, so a link to an old
// entry does not lead to a new one.
func (l *requestLog) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries, l.bytes = nil, 0
}
