// Package spool decouples the writing of log lines from their reader. A full
// pipe or a hung disk then loses log lines, which are counted, but never delays
// an answer for long.
package spool

import (
	"bytes"
	"context"
	"io"
	"sync"
	"time"
)

const (
	// patience is how long Do waits for a line to be written. As long as the
	// log is being read, the line has been written when Do returns. An instance
	// that is frozen after its answer has therefore logged everything.
	patience = 100 * time.Millisecond
	// Room is how many bytes of lines may wait for a reader that has stalled.
	Room = 1 << 20
)

// A Queue writes lines one after another. The zero value is ready to use. It is
// safe for concurrent use.
type Queue struct {
	mu      sync.Mutex
	lines   []line
	size    int  // of all lines, including the one that is being written
	running bool // a goroutine writes until the queue is empty
	stalled bool // until all lines are written, Do does not wait
	lost    int  // lines lost for lack of room, since lines were last written
	report  func(lost int)
}

type line struct {
	size  int
	write func()
	done  chan struct{}
}

// Report sets the function that reports lost lines. It is called once lines can
// be written again.
func (q *Queue) Report(report func(lost int)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.report = report
}

// Do runs write after the lines before it, and waits for it, but at most for
// [patience]. size is the line's size in bytes; if there is no room for it, the
// line is lost.
func (q *Queue) Do(size int, write func()) {
	q.mu.Lock()
	if q.size > 0 && q.size+size > Room {
		q.lost++
		q.mu.Unlock()
		return
	}
	l := q.add(size, write)
	stalled := q.stalled
	q.mu.Unlock()
	if stalled {
		return
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-l.done:
	case <-timer.C:
		q.mu.Lock()
		q.stalled = q.running
		q.mu.Unlock()
	}
}

// add adds a line. The caller holds the lock.
func (q *Queue) add(size int, write func()) line {
	l := line{size, write, make(chan struct{})}
	q.lines = append(q.lines, l)
	q.size += size
	if !q.running {
		q.running = true
		go q.run()
	}
	return l
}

// run writes the lines in order, on a goroutine that ends when the queue is
// empty. It does not hold the lock while it writes.
func (q *Queue) run() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.lines) > 0 {
		l := q.lines[0]
		q.lines[0] = line{}
		q.lines = q.lines[1:]
		q.mu.Unlock()
		l.run()
		q.mu.Lock()
		q.size -= l.size
		if report, lost := q.report, q.lost; lost > 0 {
			q.lost = 0
			if report != nil {
				q.add(0, func() { report(lost) })
			}
		}
	}
	q.lines, q.running, q.stalled = nil, false, false
}

// run writes the line. It recovers from panics, since a logger must not end the
// program.
func (l line) run() {
	defer close(l.done)
	defer func() { _ = recover() }()
	l.write()
}

// Lost returns how many lines were lost since a line was last written. It is
// above zero while the reader has stalled and the queue is full.
func (q *Queue) Lost() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.lost
}

// Wait waits until all lines so far are written. It returns an error if ctx
// ends first.
func (q *Queue) Wait(ctx context.Context) error {
	q.mu.Lock()
	if !q.running {
		q.mu.Unlock()
		return nil
	}
	l := q.add(0, func() {})
	q.mu.Unlock()
	select {
	case <-l.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Writer returns a writer that passes lines to w through q. Errors of w are
// ignored.
func (q *Queue) Writer(w io.Writer) io.Writer { return &writer{q, w} }

type writer struct {
	q *Queue
	w io.Writer
}

func (w *writer) Write(p []byte) (int, error) {
	text := bytes.Clone(p)
	w.q.Do(len(text), func() { _, _ = w.w.Write(text) })
	return len(p), nil
}
