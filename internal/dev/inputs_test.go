package dev

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// tree is a folder of files for tests.
type tree struct {
	t    *testing.T
	root string
	tick time.Time // time of the last write; each write is later than the one before
}

func (tr *tree) path(name string) string { return filepath.Join(tr.root, filepath.FromSlash(name)) }

func (tr *tree) write(name, text string) {
	tr.t.Helper()
	if err := os.MkdirAll(filepath.Dir(tr.path(name)), 0o755); err != nil {
		tr.t.Fatal(err)
	}
	if err := os.WriteFile(tr.path(name), []byte(text), 0o644); err != nil {
		tr.t.Fatal(err)
	}
	tr.tick = tr.tick.Add(time.Second)
	if err := os.Chtimes(tr.path(name), tr.tick, tr.tick); err != nil {
		tr.t.Fatal(err)
	}
}

// TestLook checks that changes to what a build depends on make a difference,
// also by patterns and through links, and that other changes do not.
func TestLook(t *testing.T) {
	tr := &tree{t: t, root: t.TempDir(), tick: time.Now().Add(-time.Hour)}
	for _, name := range []string{"app/go.mod", "app/main.go", "app/web/a.txt", "app/web/.hidden", "app/sub/x.go", "elsewhere/go.mod", "elsewhere/env", "app/pages/one.tmpl"} {
		tr.write(name, "one")
	}
	for link, target := range map[string]string{"app/.env": "elsewhere/env", "app/linked.go": "elsewhere/linked"} {
		if err := os.Symlink(tr.path(target), tr.path(link)); err != nil {
			t.Fatal(err)
		}
	}
	in := &inputs{
		files: []string{tr.path("app/go.mod"), tr.path("app/.env"), tr.path("go.work")},
		folders: map[string][]string{
			tr.path("app"):     {"web", "pages/*.tmpl", "all:raw"},
			tr.path("app/sub"): nil,
			tr.path("app/new"): nil, // imported, but does not exist yet
		},
	}
	for _, c := range []struct {
		what    string
		do      func()
		differs bool
	}{
		{"a Go file", func() { tr.write("app/main.go", "two") }, true},
		{"a Go file of the same size", func() { tr.write("app/main.go", "tow") }, true},
		{"a new Go file", func() { tr.write("app/new.go", "") }, true},
		{"a file for cgo", func() { tr.write("app/x.h", "") }, true},
		{"a test", func() { tr.write("app/main_test.go", "") }, false},
		{"another file", func() { tr.write("app/notes.txt", "") }, false},
		{"an editor's file", func() { tr.write("app/.main.go.swp", ""); tr.write("app/_x.go", "") }, false},
		{"a temporary folder", func() { tr.write("app/tmp1234/x.txt", ""); tr.write("app/tmp1234/x.go", "") }, false},
		{"node_modules", func() { tr.write("app/node_modules/a/b.go", "") }, false},
		{"a package of the module that is not imported", func() { tr.write("app/other/x.go", "") }, false},
		{"an embedded file", func() { tr.write("app/web/a.txt", "two") }, true},
		{"a new embedded file", func() { tr.write("app/web/deep/er/b.txt", "") }, true},
		{"a hidden file below an embedded folder", func() { tr.write("app/web/.hidden", "two") }, false},
		{"a new file that a pattern takes in", func() { tr.write("app/pages/two.tmpl", "") }, true},
		{"a new file that it does not", func() { tr.write("app/pages/two.txt", "") }, false},
		{"a folder that is embedded with hidden files", func() { tr.write("app/raw/.x", "") }, true},
		{"an empty folder below an embedded one", func() { _ = os.Mkdir(tr.path("app/web/empty"), 0o755) }, false},
		{".env through a link", func() { tr.write("elsewhere/env", "two") }, true},
		{"a Go file behind a link that led nowhere", func() { tr.write("elsewhere/linked", "") }, true},
		{"go.mod", func() { tr.write("app/go.mod", "two") }, true},
		{"go.work, which is new", func() { tr.write("go.work", "") }, true},
		{"a go.mod in a package", func() { tr.write("app/sub/go.mod", "") }, true},
		{"the package that was missing", func() { tr.write("app/new/x.go", "") }, true},
		{"a package that moves out", func() { _ = os.Rename(tr.path("app/sub"), tr.path("sub")) }, true},
		{"and back", func() { _ = os.Rename(tr.path("sub"), tr.path("app/sub")) }, true},
		{"the folder above that moves out", func() { _ = os.Rename(tr.path("app/pages"), tr.path("pages")) }, true},
		{"an older file that takes its place", func() {
			tr.write("app/old.txt", "tow")
			_ = os.Chtimes(tr.path("app/old.txt"), tr.tick, mustStat(t, tr.path("app/main.go")).ModTime())
			_ = os.Rename(tr.path("app/old.txt"), tr.path("app/main.go"))
		}, true},
		{"a file that goes", func() { _ = os.Remove(tr.path("app/main.go")) }, true},
	} {
		before := in.look()
		c.do()
		if got := in.look().difference(before); (got != "") != c.differs {
			t.Errorf("%s: difference %q, want one: %t", c.what, got, c.differs)
		}
	}
}

func mustStat(t *testing.T, path string) os.FileInfo {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// TestWatchLimit checks that a system that watches no more folders is reported
// once, and that changes are still found.
func TestWatchLimit(t *testing.T) {
	tr := &tree{t: t, root: t.TempDir(), tick: time.Now().Add(-time.Hour)}
	tr.write("main.go", "one")
	tr.write("inner/inner.go", "one")
	var told []error
	w := newWatcher(&inputs{folders: map[string][]string{tr.root: nil, tr.path("inner"): nil}}, func() {}, func(err error) { told = append(told, err) })
	defer w.close()
	if w.notify == nil {
		t.Skip("the system gives no notices")
	}
	w.add = func(dir string) error { return &os.PathError{Op: "inotify_add_watch", Path: dir, Err: syscall.ENOSPC} }
	for range 2 {
		if err := w.settle(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(told) != 1 || !errors.Is(told[0], syscall.ENOSPC) {
		t.Errorf("told %v", told)
	}
	tr.write("inner/inner.go", "two")
	if w.check(); !w.differs {
		t.Error("the change was missed")
	}
}

// TestWatcherMissesNothing edits at random while builds begin and end. A check
// after an edit must report it, unless a build that began later contains it,
// and without an edit no build may be restarted.
func TestWatcherMissesNothing(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	tr := &tree{t: t, root: t.TempDir(), tick: time.Now().Add(-24 * time.Hour)}
	tr.write("main.go", "0")
	in := &inputs{folders: map[string][]string{tr.root: {"web"}}}
	w := newWatcher(in, func() {}, func(error) {})
	defer w.close()
	if err := w.settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	learned, there := -1, map[int]bool{} // which tmp folder is an input, and which have a file
	for i := range 300 {
		edited, extended, written := false, false, map[int]bool{}
		for range random.IntN(3) {
			switch n := random.IntN(4); random.IntN(6) {
			case 0:
				tr.write("main.go", fmt.Sprint(i))
				edited = true
			case 1:
				tr.write(fmt.Sprintf("web/%d/x.txt", n), fmt.Sprint(i))
				edited = true
			case 2:
				tr.write(fmt.Sprintf("tmp%d/x.go", n), fmt.Sprint(i))
				there[n], written[n] = true, true
			case 3:
				tr.write("main_test.go", fmt.Sprint(i))
			case 4: // the build now depends on another package
				extended = extended || n != learned && there[n]
				learned = n
				w.learn(&inputs{folders: map[string][]string{tr.root: {"web"}, tr.path(fmt.Sprintf("tmp%d", n)): nil}})
			case 5:
				_ = os.Remove(tr.path("main.go"))
				tr.write("main.go", fmt.Sprint(i))
				edited = true
			}
		}
		relevant := edited || extended || written[learned]
		w.check()
		if relevant != w.differs || w.differs && len(w.changes) == 0 {
			t.Fatalf("step %d: edited %t, told %t", i, relevant, w.differs)
		}
		if err := w.settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(w.changes) > 0 || w.differs {
			t.Fatalf("step %d: a build that has just begun is restarted", i)
		}
	}
}
