package dev

import (
	"embed"
	"io/fs"
	"net/http"
)

// pageFiles is the console: plain HTML, CSS and JavaScript modules, without a
// build step. page/uplot.iife.min.js and page/uplot.min.css are uPlot, a
// charting library under the MIT licence; page/uplot.LICENSE has its text.
//
//go:embed page
var pageFiles embed.FS

// pagePolicy restricts the page to its own files, and keeps other pages from
// framing it. The console shows text that strangers have sent, so should it
// ever be inserted as HTML, no script in it runs.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// pageHandler serves the console's page at "/". Files are checked for changes
// on each load (no-cache), since an update of flexfn changes them under the
// same names.
func pageHandler() http.Handler {
	page, err := fs.Sub(pageFiles, "page")
	if err != nil {
		panic(err) // cannot happen: the folder is embedded
	}
	server := http.FileServerFS(page)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", pagePolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-cache")
		server.ServeHTTP(w, r)
	})
}
