// Package docs_test checks that the documents name things that exist: code, commands,
// tests, dependencies.
package docs_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"

	"github.com/flexfn/flexfn/twiliofake"
)

const root = ".."

// walk calls visit with each file below dir, its path and its text.
func walk(t *testing.T, dir string, pick func(name string) bool, visit func(path, text string)) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git" || d.Name() == "dist"):
			return filepath.SkipDir
		case d.IsDir() || !pick(d.Name()):
			return nil
		}
		text, err := os.ReadFile(path)
		if err == nil {
			visit(path, string(text))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// read joins the files below dir whose names end so.
func read(t *testing.T, dir, ending string) string {
	t.Helper()
	var all strings.Builder
	walk(t, dir, ends(ending), func(_, text string) { all.WriteString(text) })
	return all.String()
}

func ends(endings ...string) func(string) bool {
	return func(name string) bool {
		return slices.ContainsFunc(endings, func(ending string) bool { return strings.HasSuffix(name, ending) })
	}
}

var block = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$")

// TestDocuments: every block of code in the README and below docs is part of
// something that is compiled and run: Go of the examples and tests, TypeScript
// of the client's checks, commands of the command's scripts and of CI, states
// and faults that the fake takes. What no test can run (commands of other
// companies' clouds) leads to files that are there, which deploy/check checks.
func TestDocuments(t *testing.T) {
	documents, err := filepath.Glob(root + "/docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	c := checker{
		sources: map[string]string{"go": flat(read(t, ".", ".go")), "ts": flat(read(t, "internal/testing/tsclient", "guide.ts")), "tsx": flat(read(t, "internal/testing/tsclient", "panel.tsx"))},
		ci:      read(t, ".ci", "run") + read(t, ".", "Makefile"),
	}
	for line := range strings.Lines(read(t, "cmd/flexfn/testdata", ".txtar")) {
		if command, ok := strings.CutPrefix(strings.TrimPrefix(strings.TrimSpace(line), "! "), "exec "); ok {
			c.commands = append(c.commands, normal(command))
		}
	}
	blocks := 0
	for _, name := range append(documents, root+"/README.md") {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range block.FindAllStringSubmatch(string(text), -1) {
			blocks++
			c.check(t, filepath.Base(name), m[1], m[2])
		}
	}
	if blocks < 40 {
		t.Errorf("only %d blocks were found", blocks)
	}
}

type checker struct {
	sources  map[string]string // by language, flat
	commands []string          // of the scripts
	ci       string
}

func (c checker) check(t *testing.T, document, language, code string) {
	switch language {
	case "go", "ts", "tsx":
		for part := range strings.SplitSeq(code, "…\n") { // what is left out
			if !strings.Contains(c.sources[language], flat(part)) {
				t.Errorf("%s: this code is in no source that is compiled:\n%s", document, part)
			}
		}
	case "sh":
		for line := range strings.Lines(strings.ReplaceAll(code, "\\\n", "")) {
			c.command(t, document, line)
		}
	case "json":
		var state twiliofake.State
		var faults []twiliofake.Fault
		into := any(&state)
		if strings.HasPrefix(code, "[") {
			into = &faults
		}
		err := json.Unmarshal([]byte(code), into)
		if err == nil && faults == nil {
			_, err = twiliofake.New(twiliofake.Config{State: &state})
		}
		if fake, _ := twiliofake.New(twiliofake.Config{}); err == nil && faults != nil {
			err = fake.SetFaults(faults...)
		}
		if err != nil {
			t.Errorf("%s: the fake does not take this: %v\n%s", document, err, code)
		}
	case "js", "nginx", "":
		// The template's own code; another program's configuration; what is
		// printed.
	default:
		t.Errorf("%s has a block of %s, which nothing checks", document, language)
	}
}

var (
	comment = regexp.MustCompile(`\s+# .*`)
	path    = regexp.MustCompile(`(?:\./)?(?:deploy|cmd|internal)/[\w./-]+`)
	// ours are the commands that a script or CI must run.
	ours = regexp.MustCompile(`^(go tool flexfn|go run \./cmd/flexfn|flexfn|go test|make|curl|cd internal/)\b`)
	// built is what the commands of a recipe make.
	built = regexp.MustCompile(`^deploy/(aws-lambda/build|azure-functions/flexfn)`)
)

func (c checker) command(t *testing.T, document, line string) {
	command := comment.ReplaceAllString(strings.TrimSpace(line), "")
	for _, p := range path.FindAllString(command, -1) {
		if _, err := os.Stat(filepath.Join(root, p)); err != nil && !built.MatchString(p) {
			t.Errorf("%s: %s is not there: %s", document, p, command)
		}
	}
	if !ours.MatchString(command) {
		return
	}
	words := strings.Fields(command)
	ran := false
	switch words[0] {
	case "make":
		ran = strings.Contains(c.ci, "\n"+words[1]+":")
	case "curl":
		// Against a server that runs; the scripts make the same
		// requests with addresses of their own.
		u := words[len(words)-1]
		for _, w := range words {
			if strings.HasPrefix(w, "http://") {
				u = w
			}
		}
		_, p, _ := strings.Cut(strings.TrimPrefix(u, "http://"), "/")
		ran = strings.Contains(c.ci, p) || strings.Contains(strings.Join(c.commands, "\n"), "/"+p) || strings.HasSuffix(u, "/-/ready")
	case "cd":
		ran = strings.Contains(c.ci, "("+strings.SplitN(command, " && ", 2)[0])
	default:
		script := normal(strings.NewReplacer("go tool flexfn", "flexfn", "go run ./cmd/flexfn", "flexfn").Replace(command))
		ran = strings.Contains(c.ci, command)
		for _, known := range c.commands {
			ran = ran || known == script || strings.HasPrefix(known, script+" ")
		}
	}
	if !ran {
		t.Errorf("%s: neither a script nor CI runs %s", document, command)
	}
}

// flat removes the indentation of code.
func flat(code string) string {
	var b strings.Builder
	for line := range strings.Lines(code) {
		b.WriteString(strings.TrimLeft(line, "\t "))
	}
	return b.String()
}

var local = regexp.MustCompile(` (--url|--addr|--replace|--module) \S+`)

// normal leaves out where things are.
func normal(command string) string { return strings.TrimSpace(local.ReplaceAllString(command, "")) }

// TestNamedTestsExist finds each test that a document names as its proof, and
// each fuzz target in the table of fuzzing.
func TestNamedTestsExist(t *testing.T) {
	have := map[string]bool{}
	function := regexp.MustCompile(`(?m)^func ((Test|Fuzz|Benchmark)[A-Z]\w*)\(`)
	walk(t, ".", ends("_test.go"), func(_, text string) {
		for _, m := range function.FindAllStringSubmatch(text, -1) {
			have[m[1]] = true
		}
	})
	reliability := read(t, "docs", "reliability.md")
	named := 0
	for _, text := range []string{read(t, "docs", "security.md"), reliability} {
		for _, name := range regexp.MustCompile(`\b(Test|Fuzz|Benchmark)[A-Z]\w*`).FindAllString(text, -1) {
			named++
			if !have[name] {
				t.Errorf("a document names %s, which does not exist", name)
			}
		}
	}
	if named < 50 {
		t.Errorf("only %d tests are named", named)
	}
	for name := range have {
		if strings.HasPrefix(name, "Fuzz") && !strings.Contains(reliability, "| "+name) {
			t.Errorf("%s is not in the table of docs/reliability.md", name)
		}
	}
}

// TestCommandsOfProofs: each go test command in the tables of proofs selects
// tests of the packages that it names, with each alternative of its pattern.
func TestCommandsOfProofs(t *testing.T) {
	commands := 0
	for _, document := range []string{"security.md", "reliability.md"} {
		for _, m := range regexp.MustCompile("`go test (?:-v )?-run '?([^' ]+)'? ([^`]+)`").FindAllStringSubmatch(read(t, "docs", document), -1) {
			commands++
			var names []string
			for folder := range strings.FieldsSeq(m[2]) {
				files, err := filepath.Glob(filepath.Join(root, folder, "*_test.go"))
				if err != nil {
					t.Fatal(err)
				}
				for _, file := range files {
					text, err := os.ReadFile(file)
					if err != nil {
						t.Fatal(err)
					}
					for _, f := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllSubmatch(text, -1) {
						names = append(names, string(f[1]))
					}
				}
			}
			for pattern := range strings.SplitSeq(m[1], "|") {
				if !slices.ContainsFunc(names, regexp.MustCompile(pattern).MatchString) {
					t.Errorf("docs/%s: %s finds no test by %s", document, m[0], pattern)
				}
			}
		}
	}
	if commands < 10 {
		t.Errorf("only %d commands were found", commands)
	}
}

// TestLogLinesExist finds each message of the table in docs/logging.md in the
// source, so that it can be searched for as it is.
func TestLogLinesExist(t *testing.T) {
	sources := read(t, ".", ".go")
	_, table, _ := strings.Cut(read(t, "docs", "logging.md"), "\n## Log lines\n")
	table, _, _ = strings.Cut(table, "\n## ")
	found := 0
	for line := range strings.Lines(table) {
		message, _, _ := strings.Cut(strings.TrimPrefix(line, "| "), " |")
		for _, m := range regexp.MustCompile("`([^`…]+)[^`]*`").FindAllStringSubmatch(message, -1) {
			found++
			if !strings.Contains(sources, `"`+strings.TrimSpace(m[1])) {
				t.Errorf("docs/logging.md has the message %q, which is not in the source", m[1])
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d messages were found", found)
	}
}

// TestDependenciesAreListed finds each module and package that the repository
// asks for in docs/dependencies.md.
func TestDependenciesAreListed(t *testing.T) {
	list := read(t, "docs", "dependencies.md")
	found := 0
	check := func(file, name string) {
		found++
		if !regexp.MustCompile(`(^|[^\w/.@-])` + regexp.QuoteMeta(name) + `($|[^\w/-])`).MatchString(list) {
			t.Errorf("%s asks for %s, which is not in docs/dependencies.md", file, name)
		}
	}
	walk(t, ".", ends("go.mod", "package.json"), func(path, text string) {
		if filepath.Base(path) == "go.mod" {
			mod, err := modfile.Parse(path, []byte(text), nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range mod.Require {
				if !r.Indirect && !strings.HasPrefix(r.Mod.Path, "github.com/flexfn/flexfn") {
					check(path, r.Mod.Path)
				}
			}
			for _, tool := range mod.Tool {
				check(path, regexp.MustCompile(`^[^/]+/[^/]+/[^/]+`).FindString(tool.Path))
			}
			return
		}
		var pkg struct{ Dependencies, DevDependencies map[string]string }
		if err := json.Unmarshal([]byte(text), &pkg); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		for _, group := range []map[string]string{pkg.Dependencies, pkg.DevDependencies} {
			for name, version := range group {
				if alias, ok := strings.CutPrefix(version, "npm:"); ok {
					name = alias[:strings.LastIndex(alias, "@")]
				}
				check(path, name)
			}
		}
	})
	if found < 20 {
		t.Errorf("only %d dependencies were found", found)
	}
}

var importsAll = regexp.MustCompile(`(?m)^\s*(import )?(\w+ )?"github.com/twilio/twilio-go"$`)

// TestNothingImportsAllAPIs: twilioapi.Client says what that would cost.
func TestNothingImportsAllAPIs(t *testing.T) {
	some := false
	walk(t, ".", ends(".go", ".tmpl"), func(path, text string) {
		some = some || strings.Contains(text, `"github.com/twilio/twilio-go/rest/`)
		if importsAll.MatchString(text) {
			t.Errorf("%s imports all of Twilio's APIs", path)
		}
	})
	if !some {
		t.Error("no API was found")
	}
}
