package examples_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var block = regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```$")

// read joins the files below dir whose names end so.
func read(t *testing.T, dir, ending string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ending) || strings.Contains(name, "node_modules") {
			return err
		}
		b, err := os.ReadFile(name)
		all.Write(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// Every block of code in the guide is part of something that is compiled and
// run: Go of the examples, TypeScript of the client's checks, commands of the
// command's scripts.
func TestGuide(t *testing.T) {
	guide, err := os.ReadFile("../docs/guide.md")
	if err != nil {
		t.Fatal(err)
	}
	source := map[string]string{"go": read(t, ".", ".go"), "ts": read(t, "../internal/tsclient/e2e", "guide.ts")}
	var commands []string
	for line := range strings.Lines(read(t, "../cmd/flexfn/testdata", ".txtar")) {
		if command, ok := strings.CutPrefix(strings.TrimSpace(line), "exec "); ok {
			commands = append(commands, normal(command))
		}
	}
	blocks := 0
	for _, m := range block.FindAllStringSubmatch(string(guide), -1) {
		blocks++
		language, code := m[1], m[2]
		if language == "sh" {
			for line := range strings.Lines(code) {
				if !known(commands, normal(strings.TrimPrefix(strings.TrimSpace(line), "go tool "))) {
					t.Errorf("no script runs the guide's command %s", line)
				}
			}
			continue
		}
		if source[language] == "" {
			t.Errorf("the guide has a block of %s, which nothing checks", language)
		} else if !strings.Contains(source[language], code) {
			t.Errorf("the guide's code is in no source that is compiled:\n%s", code)
		}
	}
	if blocks < 10 {
		t.Errorf("only %d blocks were found", blocks)
	}
}

var local = regexp.MustCompile(` (--url|--addr|--replace|--module) \S+`)

// normal leaves out where things are.
func normal(command string) string { return strings.TrimSpace(local.ReplaceAllString(command, "")) }

func known(commands []string, command string) bool {
	for _, c := range commands {
		if c == command || strings.HasPrefix(c, command+" ") {
			return true
		}
	}
	return false
}
