//go:build scaffold

package main

import (
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScaffold runs testdata/scaffold: what is generated is built, vetted,
// tested and run, with a module cache that was empty, as on a machine that has
// never seen flexfn. Modules come from this machine's downloads first.
func TestScaffold(t *testing.T) {
	modules := t.TempDir()
	runScripts(t, "testdata/scaffold", func(e *testscript.Env) {
		downloads := filepath.ToSlash(filepath.Join(e.Getenv("GOMODCACHE"), "cache", "download"))
		e.Setenv("GOPROXY", "file://"+downloads+","+e.Getenv("GOPROXY"))
		e.Setenv("GOMODCACHE", modules)
		// The cache can be removed, and build results are found again in any folder.
		e.Setenv("GOFLAGS", "-modcacherw -trimpath")
	})
}
