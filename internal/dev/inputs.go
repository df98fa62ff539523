package dev

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// inputs are the files that a build depends on. Where a new file would count
// too, they are patterns, not a list of the files that exist now.
//
// The list comes from the go command, so that it is right with vendor folders,
// workspaces, replaced modules and embedded files. Watching the whole module
// instead would rebuild for every log file and miss modules next to it.
type inputs struct {
	files   []string            // whether they exist or not
	folders map[string][]string // of packages, with the patterns of what each embeds
}

// addModule adds a go.mod or go.work with the files that belong to it.
func (in *inputs) addModule(file string) {
	dir := filepath.Dir(file)
	sum := strings.TrimSuffix(file, ".mod") + ".sum"
	in.files = append(in.files, file, sum, filepath.Join(dir, "vendor", "modules.txt"))
}

// A look is a snapshot of the inputs. Two looks are compared by size, time and
// identity of each file; contents are not read, since a look is taken at every
// request.
type look struct {
	files   map[string]fs.FileInfo
	folders []string  // that hold the inputs
	newest  time.Time // when a file was last written
}

// look takes a snapshot of all inputs. It follows symbolic links. A file that
// vanishes meanwhile is missing from it.
func (in *inputs) look() *look {
	l := &look{files: map[string]fs.FileInfo{}}
	for _, file := range in.files {
		l.add(file)
	}
	for dir, embeds := range in.folders {
		entries, _ := os.ReadDir(dir) // if the folder is gone, it is empty
		for _, e := range entries {
			if isSource(e.Name()) {
				l.add(filepath.Join(dir, e.Name()))
			}
		}
		if entries != nil {
			l.folders = append(l.folders, dir)
		}
		for _, pattern := range embeds {
			l.addEmbedded(dir, pattern)
		}
	}
	return l
}

// add stats a file, and leaves it out if it does not exist.
func (l *look) add(file string) {
	info, err := os.Stat(file)
	if err != nil || info.IsDir() {
		return
	}
	l.files[file] = info
	if t := info.ModTime(); t.After(l.newest) {
		l.newest = t
	}
}

// addEmbedded adds the files that a pattern embeds, by the rules of package
// embed: a pattern that names a folder takes in everything below it, without
// hidden files unless the pattern begins with "all:". Folders on the way are
// noted, so that the watcher hears of new files in them.
func (l *look) addEmbedded(dir, pattern string) {
	pattern, all := strings.CutPrefix(pattern, "all:")
	files := os.DirFS(dir)
	matches, _ := fs.Glob(files, pattern) // the build reports a bad pattern
	if parent := path.Dir(pattern); parent != "." && !strings.ContainsAny(parent, `*?[\`) {
		l.folders = append(l.folders, filepath.Join(dir, filepath.FromSlash(parent)))
	}
	for _, match := range matches {
		_ = fs.WalkDir(files, match, func(name string, e fs.DirEntry, err error) error {
			if err != nil {
				return nil // gone already
			}
			hidden := name != match && !all && strings.ContainsAny(e.Name()[:1], "._")
			switch {
			case e.IsDir() && hidden:
				return fs.SkipDir
			case e.IsDir():
				l.folders = append(l.folders, filepath.Join(dir, filepath.FromSlash(name)))
			case !hidden:
				l.add(filepath.Join(dir, filepath.FromSlash(name)))
			}
			return nil
		})
	}
}

// isSource reports whether a file of this name in a package's folder is an
// input of the build. The extensions are those that go build takes into a
// package. Test files are not in the program.
func isSource(name string) bool {
	if name == "go.mod" { // makes the folder another module
		return true
	}
	if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || strings.HasSuffix(name, "_test.go") {
		return false
	}
	switch filepath.Ext(name) {
	case ".go", ".c", ".cc", ".cpp", ".cxx", ".m", ".h", ".hh", ".hpp", ".hxx", ".f", ".F", ".for", ".f90", ".s", ".S", ".sx", ".swig", ".swigcxx", ".syso":
		return true
	}
	return false
}

// difference returns the name of a file that differs between l and m, or "" if
// there is none. Of several it returns any one: it is only shown.
func (l *look) difference(m *look) string {
	for name, info := range l.files {
		if !same(info, m.files[name]) {
			return name
		}
	}
	for name := range m.files {
		if l.files[name] == nil {
			return name
		}
	}
	return ""
}

// same reports whether nothing was written between two snapshots of a file. An
// editor that saves by renaming leaves another file, which os.SameFile tells.
func same(a, b fs.FileInfo) bool {
	return a != nil && b != nil && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && os.SameFile(a, b)
}
