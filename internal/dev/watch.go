package dev

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/flexfn/flexfn/internal/gotool"
)

// quiet is how long files must stay as they are before a build begins:
// editors save in several steps, and several files at once.
const quiet = 50 * time.Millisecond

// watcher tells when a file changes that a build is made of.
type watcher struct {
	notify  *fsnotify.Watcher
	program *Program
	changes chan string // holds one: the file that changed

	mu       sync.Mutex
	embedded map[string]bool // files that go:embed takes in
}

func newWatcher(p *Program) (*watcher, error) {
	notify, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	w := &watcher{notify: notify, program: p, changes: make(chan string, 1)}
	for _, dir := range slices.Compact([]string{p.Root, p.Dir}) {
		w.add(dir)
	}
	return w, nil
}

func (w *watcher) close() { _ = w.notify.Close() }

// add watches dir and what is below it.
func (w *watcher) add(dir string) {
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil // gone already, or not ours to read
		}
		name := d.Name()
		if path != dir && (strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "node_modules" || name == "testdata") {
			return filepath.SkipDir
		}
		_ = w.notify.Add(path) // the limit on watches may be reached: the rest is still watched
		return nil
	})
}

// refresh learns from the go command which folders outside the module, and
// which embedded files, the program is made of.
func (w *watcher) refresh(ctx context.Context) {
	const format = `{{with .Module}}{{if or .Main (and .Replace (not .Replace.Version))}}{{$.Dir}}{{range $.EmbedFiles}}|{{.}}{{end}}{{"\n"}}{{end}}{{end}}`
	out, err := gotool.Run(ctx, w.program.Dir, "list", "-e", "-deps", "-f", format, ".")
	if err != nil {
		return // the build said what is wrong
	}
	embedded := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		dir, files, _ := strings.Cut(strings.TrimSpace(line), "|")
		if dir == "" {
			continue
		}
		_ = w.notify.Add(dir)
		for file := range strings.SplitSeq(files, "|") {
			if file != "" {
				full := filepath.Join(dir, file)
				embedded[full] = true
				_ = w.notify.Add(filepath.Dir(full))
			}
		}
	}
	w.mu.Lock()
	w.embedded = embedded
	w.mu.Unlock()
}

// relevant reports whether a build depends on the file.
func (w *watcher) relevant(path string) bool {
	name := filepath.Base(path)
	switch {
	case name == "go.mod" || name == "go.sum" || name == "go.work" || name == ".env" || name == ".env.local":
		return true
	case strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || strings.HasSuffix(name, "_test.go"):
		return false
	}
	switch filepath.Ext(name) {
	case ".go", ".c", ".h", ".s", ".cc", ".cpp":
		return true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.embedded[path]
}

// run passes changes on, until the watcher is closed. At the first of
// several, hold is called.
func (w *watcher) run(hold func()) {
	var changed string
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case e, ok := <-w.notify.Events:
			if !ok {
				return
			}
			if e.Op == fsnotify.Chmod {
				continue
			}
			if e.Has(fsnotify.Create) {
				if info, err := os.Stat(e.Name); err == nil && info.IsDir() {
					w.add(e.Name)
					changed = e.Name // files may be in it already
					timer.Reset(quiet)
					continue
				}
			}
			if w.relevant(e.Name) {
				hold()
				changed = e.Name
				timer.Reset(quiet)
			}
		case _, ok := <-w.notify.Errors:
			if !ok {
				return
			}
			// Events were lost: something may have changed.
			hold()
			timer.Reset(quiet)
		case <-timer.C:
			select {
			case w.changes <- changed:
			default: // one is waiting to be seen
			}
		}
	}
}
