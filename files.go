package flexfn

import (
	"bytes"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

// HandleFiles answers GET and HEAD requests below prefix, such as "/features/",
// from files, to anyone: the pages, pictures and sounds that a Flex plugin shows.
// The name of a file is its whole path without the leading slash; a directory
// stands for its index.html. A function at the same path comes first. A path
// without a file is answered with a page if a browser asks for one, and with JSON
// otherwise.
//
// Names that begin with a dot, and those that Twilio Functions would not give to
// anyone either, with ".private." or ".protected." in them, count as missing. A
// later call replaces the prefix and the files of an earlier one.
func (a *App) HandleFiles(prefix string, files fs.FS) { a.files.Store(&fileTree{prefix, files}) }

type fileTree struct {
	prefix string
	files  fs.FS
}

// serveFile answers r if its path is below that of files.
func (a *App) serveFile(w http.ResponseWriter, r *http.Request) (served bool) {
	tree, at := a.files.Load(), path.Clean(r.URL.Path)
	if tree == nil || r.Method != http.MethodGet && r.Method != http.MethodHead || !strings.HasPrefix(at, tree.prefix) {
		return false
	}
	if sendFile(w, r, tree.files, at[1:]) {
		return true
	}
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		return false
	}
	answer{status: http.StatusNotFound, contentType: "text/html; charset=utf-8", body: []byte(noPage)}.write(w, r)
	return true
}

const noPage = `<!doctype html><meta charset="utf-8"><title>Not found</title><p>There is no page at this address.`

// sendFile sends the file with this name, if there is one.
func sendFile(w http.ResponseWriter, r *http.Request, files fs.FS, name string) bool {
	for segment := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(segment, ".") || strings.Contains(segment, ".private.") || strings.Contains(segment, ".protected.") {
			return false
		}
	}
	if info, err := fs.Stat(files, name); err == nil && info.IsDir() {
		name = path.Join(name, "index.html")
	}
	file, err := files.Open(name)
	if err != nil {
		return false
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	content, ok := file.(io.ReadSeeker)
	if !ok {
		all, err := io.ReadAll(file)
		if err != nil {
			return false
		}
		content = bytes.NewReader(all)
	}
	w.Header().Set("Cache-Control", "no-cache") // to be asked for again, and not sent again
	http.ServeContent(w, r, info.Name(), info.ModTime(), content)
	return true
}
