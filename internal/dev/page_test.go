package dev

import (
	"io/fs"
	"os/exec"
	"strings"
	"testing"
)

// TestPageParses: without Node.js nothing else reads the page's scripts but a
// browser.
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
