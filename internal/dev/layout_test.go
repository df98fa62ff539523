package dev_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLayout serves a vendored module once the typo in its go.mod is fixed. Its
// .env has settings for TLS, which the dev server must override. An edit below
// vendor must be noticed.
func TestLayout(t *testing.T) {
	if testing.Short() {
		t.Skip("builds programs")
	}
	t.Setenv("GOFLAGS", "")
	t.Setenv("GOWORK", "off")
	m := module{t, t.TempDir()}
	if err := os.MkdirAll(filepath.Join(m.dir, "vendor/example.com/dep"), 0o755); err != nil {
		t.Fatal(err)
	}
	const goMod = "module example.com/app\n\ngo 1.26.0\n\nrequire example.com/dep v1.0.0\n"
	m.write("go.mod", strings.Replace(goMod, "require", "requier", 1))
	m.write("vendor/modules.txt", "# example.com/dep v1.0.0\n## explicit; go 1.26.0\nexample.com/dep\n")
	m.write("vendor/example.com/dep/dep.go", "package dep\n\nconst Value = \"one\"\n")
	m.write(".env", "FLEXFN_TLS_CERT_FILE=nowhere.pem\n")
	m.write("main.go", `package main

import (
	"fmt"
	"net/http"
	"os"

	"example.com/dep"
)

func main() {
	http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "%s %q", dep.Value, os.Getenv("FLEXFN_TLS_CERT_FILE"))
	}))
}
`)
	base, shown := develop(t, m)
	if status, text := post(t, base+"/", ""); status != 503 || !strings.Contains(text, "unknown directive: requier") {
		t.Errorf("with a faulty go.mod: %d %s", status, text)
	}
	if !strings.Contains(shown.String(), "unknown directive: requier") {
		t.Errorf("the terminal does not show what is wrong with go.mod:\n%s", shown)
	}
	m.write("go.mod", goMod)
	if got := get(t, base+"/x"); got != `one ""` {
		t.Errorf("with go.mod mended: %s\n%s", got, shown)
	}
	m.write("vendor/example.com/dep/dep.go", "package dep\n\nconst Value = \"two\"\n")
	if got := get(t, base+"/x"); got != `two ""` {
		t.Errorf("with the vendored package edited: %s\n%s", got, shown)
	}
}
