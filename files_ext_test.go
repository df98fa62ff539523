package flexfn_test

import (
	"context"
	"fmt"
	"io/fs"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/flexfntest"
)

func TestHandleFiles(t *testing.T) {
	app := flexfntest.New(t)
	app.Handle("/features/a/taken", flexfn.PrepareFlexFunction(func(context.Context, struct{}) (struct{}, error) { return struct{}{}, nil }))
	app.HandleFiles("/features/", fstest.MapFS{
		"features/a/index.html":          {Data: []byte("<p>a page")},
		"features/a/taken":               {Data: []byte("never")},
		"features/a/secret.private.json": {Data: []byte("secret")},
		"features/.env":                  {Data: []byte("secret")},
		"features/a/.git/config":         {Data: []byte("secret")},
		"features/b/x.protected.js":      {Data: []byte("secret")},
		"other/page.html":                {Data: []byte("secret")},
		"features/a/sound.mp3":           {Data: []byte(strings.Repeat("x", 100))},
	})
	for _, tt := range []struct {
		method, path, accept string
		status               int
		kind, body           string
	}{
		{"GET", "/features/a/index.html?roomName=x", "text/html", 200, "text/html", "<p>a page"},
		{"HEAD", "/features/a/index.html", "text/html", 200, "text/html", ""},
		{"GET", "/features/a/", "text/html", 200, "text/html", "<p>a page"},
		{"GET", "/features/a/taken", "text/html", 403, "application/json", ""},
		{"GET", "/features/a/sound.mp3", "*/*", 200, "audio/mpeg", ""},
		{"POST", "/features/a/index.html", "text/html", 404, "application/json", ""},
		{"GET", "/features/missing.html", "text/html,*/*", 404, "text/html", "no page"},
		{"GET", "/features/missing.png", "image/*", 404, "application/json", ""},
		{"GET", "/features/a/secret.private.json", "text/html", 404, "text/html", "no page"},
		{"GET", "/features/.env", "*/*", 404, "application/json", ""},
		{"GET", "/features/a/.git/config", "*/*", 404, "application/json", ""},
		{"GET", "/features/b/x.protected.js", "*/*", 404, "application/json", ""},
		{"GET", "/features/../other/page.html", "text/html", 404, "application/json", ""},
		{"GET", "/other/page.html", "text/html", 404, "application/json", ""},
		{"GET", "/features/a/\x00", "text/html", 404, "text/html", "no page"},
	} {
		r := httptest.NewRequest(tt.method, "/", nil)
		r.URL.Path, _, _ = strings.Cut(tt.path, "?")
		r.Header.Set("Accept", tt.accept)
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		if kind, _, _ := strings.Cut(w.Header().Get("Content-Type"), ";"); w.Code != tt.status || kind != tt.kind || !strings.Contains(w.Body.String(), tt.body) || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s %q: %d %s %s", tt.method, tt.path, w.Code, kind, w.Body)
		}
	}

	r := httptest.NewRequest("GET", "/features/a/sound.mp3", nil)
	r.Header.Set("Range", "bytes=0-9")
	w := httptest.NewRecorder()
	app.ServeHTTP(w, r)
	if w.Code != 206 || w.Body.Len() != 10 {
		t.Errorf("a range: %d, %d bytes", w.Code, w.Body.Len())
	}
}

// unseekable hides that a file can seek.
type unseekable struct{ fs.FS }

func (u unseekable) Open(name string) (fs.File, error) {
	file, err := u.FS.Open(name)
	return struct{ fs.File }{file}, err
}

func TestHandleFilesThatCannotSeek(t *testing.T) {
	app := flexfntest.New(t)
	app.HandleFiles("/features/", unseekable{fstest.MapFS{"features/a.txt": {Data: []byte("text")}}})
	w := httptest.NewRecorder()
	app.ServeHTTP(w, httptest.NewRequest("GET", "/features/a.txt", nil))
	if w.Code != 200 || w.Body.String() != "text" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestFolderCalledIndex: it is not sent as a page.
func TestFolderCalledIndex(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "features/a/index.html"), 0o700); err != nil {
		t.Fatal(err)
	}
	app := flexfntest.New(t)
	app.HandleFiles("/features/", os.DirFS(dir))
	for _, path := range []string{"/features/a/", "/features/a/index.html"} {
		w := httptest.NewRecorder()
		app.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != 404 {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

func ExampleApp_HandleFiles() {
	app := exampleApp()
	app.HandleFiles("/features/", fstest.MapFS{"features/welcome/index.html": {Data: []byte("<p>Welcome")}})

	w := httptest.NewRecorder()
	app.ServeHTTP(w, httptest.NewRequest("GET", "/features/welcome/", nil))
	fmt.Println(w.Code, w.Header().Get("Content-Type"), w.Body)
	// Output: 200 text/html; charset=utf-8 <p>Welcome
}
