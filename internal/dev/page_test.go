package dev

import (
	"io/fs"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestPageParses checks the syntax of the page's scripts with Node.js;
// otherwise only a browser parses them.
func TestPageParses(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed")
	}
	scripts, err := fs.Glob(pageFiles, "page/*.js")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range scripts {
		if strings.HasPrefix(name, "page/uplot") {
			continue
		}
		text, err := fs.ReadFile(pageFiles, name)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), node, "--check", "--input-type=module")
		cmd.Stdin = strings.NewReader(string(text))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

// TestModulesHaveNoCircle checks that the page's modules have no import cycle.
func TestModulesHaveNoCircle(t *testing.T) {
	imports := map[string][]string{}
	files, err := fs.Glob(pageFiles, "page/*.js")
	if err != nil || len(files) < 5 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		text, err := fs.ReadFile(pageFiles, file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^import .* from '\./(.+)';$`).FindAllStringSubmatch(string(text), -1) {
			imports[path.Base(file)] = append(imports[path.Base(file)], m[1])
		}
	}
	var visit func(file string, above []string)
	visit = func(file string, above []string) {
		if slices.Contains(above, file) {
			t.Fatalf("a circle: %v", append(above, file))
		}
		for _, next := range imports[file] {
			visit(next, append(slices.Clone(above), file))
		}
	}
	for file := range imports {
		visit(file, nil)
	}
}
