package dev_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestWhatYouSavedIsWhatYouCall edits a program at random, in a workspace
// folder with a space in its name and behind symbolic links. It calls the
// program at once after each edit: the answer must come from the saved files,
// whether or not the system has sent a notice.
func TestWhatYouSavedIsWhatYouCall(t *testing.T) {
	if testing.Short() {
		t.Skip("builds programs")
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	work := filepath.Join(root, "a space")
	write := func(name, text string) {
		t.Helper()
		file := filepath.Join(work, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		// As many editors do, write a new file and rename it over the old one.
		if random.IntN(2) == 0 {
			if err := os.WriteFile(file+"~", []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(file+"~", file); err != nil {
				t.Fatal(err)
			}
			return
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	values := map[string]string{"main": "0", "inner": "0", "sibling": "0", "embedded": "0", "env": "0", "more": ""}
	save := func(name string) {
		value := values[name]
		switch name {
		case "main":
			write("app/value.go", "package main\n\nconst mainValue = \""+value+"\"\n")
		case "inner":
			write("app/inner/inner.go", "package inner\n\nconst Value = \""+value+"\"\n")
		case "sibling":
			write("sibling/sibling.go", "package sibling\n\nconst Value = \""+value+"\"\n")
		case "embedded":
			write("app/web/value.txt", value)
		case "env":
			write("elsewhere/env", "VALUE="+value+"\n")
		case "more":
			write("app/web/"+value+"/more.txt", value)
		}
	}
	write("go.work", "go 1.26.0\n\nuse (\n\t./sibling\n\t./app\n)\n")
	write("sibling/go.mod", "module example.com/sibling\n\ngo 1.26.0\n")
	write("app/go.mod", "module example.com/app\n\ngo 1.26.0\n")
	write("app/main.go", `package main

import (
	"embed"
	"io/fs"
	"fmt"
	"net/http"
	"os"

	"example.com/app/inner"
	"example.com/sibling"
)

//go:embed web
var web embed.FS

func main() {
	_, _ = os.MkdirTemp(".", "tmp") // must not cause a build
	http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		embedded, _ := web.ReadFile("web/value.txt")
		more, _ := fs.Glob(web, "web/*/more.txt")
		last := ""
		for _, name := range more {
			text, _ := web.ReadFile(name)
			last = max(last, string(text))
		}
		fmt.Fprintf(w, "main %s inner %s sibling %s embedded %s env %s more %s;", mainValue, inner.Value, sibling.Value, embedded, os.Getenv("VALUE"), last)
	}))
}
`)
	for _, name := range []string{"main", "inner", "sibling", "embedded", "env"} {
		save(name)
	}
	if err := os.Symlink(filepath.Join(work, "elsewhere", "env"), filepath.Join(work, "app", ".env")); err != nil {
		t.Fatal(err)
	}
	linked := filepath.Join(root, "linked")
	if err := os.Symlink(filepath.Join(work, "app"), linked); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOFLAGS", "")
	t.Setenv("GOWORK", "")
	base, shown := develop(t, module{t, linked})
	names := []string{"main", "inner", "sibling", "embedded", "env", "more"}
	builds := 1
	for i := 1; i <= 6; i++ {
		for range 1 + random.IntN(2) {
			name := names[random.IntN(len(names))]
			values[name] = fmt.Sprintf("%03d", i)
			save(name)
		}
		write("app/node_modules/x/index.js", fmt.Sprint(i))
		builds++
		want := fmt.Sprintf("main %s inner %s sibling %s embedded %s env %s more %s;",
			values["main"], values["inner"], values["sibling"], values["embedded"], values["env"], values["more"])
		if got := get(t, base+"/value"); got != want {
			t.Fatalf("after edit %d the program answers %q, want %q\n%s", i, got, want, shown)
		}
	}
	if n := strings.Count(shown.String(), "built and started"); n > builds {
		t.Errorf("%d builds for %d edits\n%s", n, builds, shown)
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
