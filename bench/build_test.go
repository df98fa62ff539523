package bench

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// BenchmarkBuild builds the module from an empty cache, and a program again
// after a change to one of its functions, as flexfn dev does. Run it with
// -benchtime 1x.
func BenchmarkBuild(b *testing.B) {
	root, err := filepath.Abs("..")
	if err != nil {
		b.Fatal(err)
	}
	build := func(b *testing.B, cache string, args ...string) {
		b.Helper()
		c := exec.Command("go", append([]string{"build"}, args...)...)
		c.Dir, c.Env = root, os.Environ()
		if cache != "" {
			c.Env = append(c.Env, "GOCACHE="+cache)
		}
		if out, err := c.CombinedOutput(); err != nil {
			b.Fatalf("go build: %v\n%s", err, out)
		}
	}
	b.Run("what=empty-cache", func(b *testing.B) {
		for b.Loop() {
			build(b, b.TempDir(), "./...")
		}
	})
	b.Run("what=changed-function", func(b *testing.B) {
		changed := filepath.Join(root, "examples", "first", "greet.go")
		source, err := os.ReadFile(changed)
		if err != nil {
			b.Fatal(err)
		}
		dir := b.TempDir()
		overlay := filepath.Join(dir, "overlay.json")
		text, err := json.Marshal(map[string]any{"Replace": map[string]string{changed: filepath.Join(dir, "greet.go")}})
		if err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(overlay, text, 0o600); err != nil {
			b.Fatal(err)
		}
		rebuild := func() {
			source = append(source, "\nfunc init() {}\n"...)
			if err := os.WriteFile(filepath.Join(dir, "greet.go"), source, 0o600); err != nil {
				b.Fatal(err)
			}
			build(b, "", "-overlay", overlay, "-ldflags=-w", "-o", filepath.Join(dir, "program"), "./examples/first")
		}
		rebuild() // what it imports
		for b.Loop() {
			rebuild()
		}
	})
}
