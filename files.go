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
// from files, for anyone: pages, pictures and sounds that a Flex plugin uses.
// The name of a file in files is the whole request path without the leading
// slash; a directory is answered with its index.html. A function at the same
// path takes precedence. If there is no such file, a browser that asks for a
// page gets an HTML page, and others get JSON.
//
// Names that begin with a dot count as missing, and so do names that contain
// ".private." or ".protected.", which Twilio Functions does not serve to
// everyone either. A later call replaces the prefix and the files of an earlier
// one.
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
	w.Header().Set("Cache-Control", "no-cache") // clients revalidate, and get 304 if it has not changed
	http.ServeContent(w, r, info.Name(), info.ModTime(), content)
	return true
}
