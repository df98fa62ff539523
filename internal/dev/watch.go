package dev

import (
	"cmp"
	"context"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// quiet is how long files must stay unchanged before a build begins:
	// editors save in several steps, and several files at once. It is longer
	// than the resolution of file systems' clocks, so that anything written
	// after the build began has a later time.
	quiet = 50 * time.Millisecond
	// lookAgain is how often the watcher looks without a notice from the
	// system. There are none for the target of a link, a network file system or
	// a folder that cannot be watched.
	lookAgain = time.Second
	// lookPause is the least time between looks that notices cause, since some
	// programs write logs next to their source.
	lookPause = 10 * time.Millisecond
)

// A watcher reports when the inputs of a build have changed since the build
// began. It decides by looking at the files; the system's notices only say when
// to look. A request looks too, before it is answered.
//
// Notices alone are not enough: they are missing for some file systems, come
// late, and report changes that are none, such as a log file next to the
// source. Looking alone would cost a second. Together, a change is seen at once
// where the system helps, within lookAgain where it does not, and always before
// a request is answered.
type watcher struct {
	notify  *fsnotify.Watcher // nil: the system does not report changes
	add     func(dir string) error
	changed func()      // called once per base, when something differs from it
	limited func(error) // called once, when the system cannot watch all folders
	changes chan string // with room for one; the file that differs

	mu      sync.Mutex
	in      *inputs
	base    *look // nil until the first settle
	differs bool  // something differs from base, and changed was called
	lagging bool  // limited was called
	looks   int   // number of looks that have ended

	arrived sync.Mutex // guards begun
	begun   int        // number of looks that have begun
}

// newWatcher returns a watcher that reports nothing until settle has set a
// base. A system that cannot report changes at all is not an error: limited is
// called, and changes are noticed later.
func newWatcher(in *inputs, changed func(), limited func(error)) *watcher {
	w := &watcher{in: in, changed: changed, limited: limited, changes: make(chan string, 1)}
	notify, err := fsnotify.NewWatcher()
	if err != nil {
		w.lagging = true
		limited(err)
		return w
	}
	w.notify, w.add = notify, notify.Add
	return w
}

// close ends the notices. run must have ended or be about to.
func (w *watcher) close() {
	if w.notify != nil {
		_ = w.notify.Close()
	}
}

// run looks at every notice from the system and every lookAgain, until ctx
// ends. Notices that come during lookPause lead to one look after it.
func (w *watcher) run(ctx context.Context) {
	var events chan fsnotify.Event
	var errs chan error // an error means that notices were lost, so look
	if w.notify != nil {
		events, errs = w.notify.Events, w.notify.Errors
	}
	again := time.NewTicker(lookAgain)
	defer again.Stop()
	pause := time.NewTimer(0)
	defer pause.Stop()
	told, paused := false, true
	for {
		select {
		case <-ctx.Done():
			return
		case <-again.C:
			told = true
		case <-events:
			told = true
		case <-errs:
			told = true
		case <-pause.C:
			paused = false
		}
		if told && !paused {
			w.check()
			told, paused = false, true
			pause.Reset(lookPause)
		}
	}
}

// check looks at the files, unless another goroutine has taken a look that
// began after check was called. Many requests that arrive together thus share
// one look, while each still sees every change made before it arrived.
func (w *watcher) check() {
	w.arrived.Lock()
	before := w.begun
	w.arrived.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.base == nil || w.differs || w.looks > before {
		return
	}
	w.compare(w.look())
}

// look takes a snapshot of the inputs. The caller holds the lock.
func (w *watcher) look() *look {
	w.arrived.Lock()
	w.begun++
	n := w.begun
	w.arrived.Unlock()
	l := w.in.look()
	w.looks = n
	return l
}

// compare reports a difference between l and the base. The caller holds the
// lock.
func (w *watcher) compare(l *look) {
	if file := l.difference(w.base); file != "" {
		w.tell(file)
	}
}

// tell reports a difference once per base. The caller holds the lock.
func (w *watcher) tell(file string) {
	if w.differs {
		return
	}
	w.differs = true
	w.changed()
	select {
	case w.changes <- file:
	default: // a change is reported already
	}
}

// settle waits until the files have not changed for a while, and makes that
// state the base: from then on, differences from it are reported. A time in the
// future, from a wrong clock or a network drive, does not make it wait.
func (w *watcher) settle(ctx context.Context) error {
	for end := time.Now().Add(20 * quiet); ; { // bounded, since clocks may be wrong
		w.mu.Lock()
		l := w.look()
		rest := quiet - time.Since(l.newest)
		if rest <= 0 || rest > quiet || time.Now().After(end) {
			w.base, w.differs = l, false
			select {
			case <-w.changes:
			default:
			}
			w.watch(l)
			w.mu.Unlock()
			return ctx.Err()
		}
		w.mu.Unlock()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(rest):
		}
	}
}

// learn sets the inputs of the build that was just made. Inputs that were not
// known before may have changed during the build, so changed ones are reported
// as a difference.
func (w *watcher) learn(in *inputs) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.in = in
	l := w.look()
	if !w.differs {
		for name, info := range l.files {
			if !same(info, w.base.files[name]) {
				w.tell(name)
				break
			}
		}
		w.base = l
	}
	w.watch(l)
}

// watch asks the system for notices about the folders of the inputs, and only
// those. Only the developer can raise the system's limit, so it is reported
// once, and the watcher then goes on without those notices.
func (w *watcher) watch(l *look) {
	if w.notify == nil {
		return
	}
	folders := l.folders
	for file := range l.files {
		folders = append(folders, filepath.Dir(file))
	}
	slices.Sort(folders)
	folders = slices.Compact(folders)
	var failed error
	watched := w.notify.WatchList()
	for _, old := range watched {
		if _, wanted := slices.BinarySearch(folders, old); !wanted {
			_ = w.notify.Remove(old)
		}
	}
	for _, dir := range folders {
		if !slices.Contains(watched, dir) {
			if err := w.add(dir); isWatchLimit(err) {
				failed = cmp.Or(failed, err)
			}
		}
	}
	if failed != nil && !w.lagging {
		w.lagging = true
		w.limited(failed)
	}
}
