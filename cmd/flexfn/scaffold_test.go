//go:build scaffold

package main

import (
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScaffold runs testdata/scaffold. It builds, vets, tests and runs what is
// generated, beginning with an empty module cache, as on a machine that has
// never seen flexfn. Modules come from this machine's downloads first.
func TestScaffold(t *testing.T) {
	modules := t.TempDir()
	runScripts(t, "testdata/scaffold", func(e *testscript.Env) {
		downloads := filepath.ToSlash(filepath.Join(e.Getenv("GOMODCACHE"), "cache", "download"))
		e.Setenv("GOPROXY", "file://"+downloads+","+e.Getenv("GOPROXY"))
		e.Setenv("GOMODCACHE", modules)
		// -modcacherw lets the cache be removed; -trimpath lets build results
		// be reused in any folder, and by images, which have no cgo.
		e.Setenv("GOFLAGS", "-modcacherw -trimpath")
		e.Setenv("CGO_ENABLED", "0")
	})
}
