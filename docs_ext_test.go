package flexfn_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
)

// walk calls visit with each file of the repository, its path and its text.
func walk(t *testing.T, pick func(name string) bool, visit func(path, text string)) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
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

func readDoc(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestNamedTestsExist finds each test that a document names as its proof, and
// each fuzz target in the table of what was fuzzed.
func TestNamedTestsExist(t *testing.T) {
	have := map[string]bool{}
	function := regexp.MustCompile(`(?m)^func ((Test|Fuzz|Benchmark)[A-Z]\w*)\(`)
	walk(t, func(name string) bool { return strings.HasSuffix(name, "_test.go") }, func(_, text string) {
		for _, m := range function.FindAllStringSubmatch(text, -1) {
			have[m[1]] = true
		}
	})
	reliability := readDoc(t, "docs/reliability.md")
	named := 0
	for _, text := range []string{readDoc(t, "docs/security.md"), reliability} {
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

// TestDependenciesAreListed finds each module and package that the repository
// asks for in docs/dependencies.md.
func TestDependenciesAreListed(t *testing.T) {
	list := readDoc(t, "docs/dependencies.md")
	found := 0
	check := func(file, name string) {
		found++
		if !regexp.MustCompile(`(^|[^\w/.@-])` + regexp.QuoteMeta(name) + `($|[^\w/-])`).MatchString(list) {
			t.Errorf("%s asks for %s, which is not in docs/dependencies.md", file, name)
		}
	}
	walk(t, func(name string) bool { return name == "go.mod" || name == "package.json" }, func(path, text string) {
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
			for name := range group {
				check(path, name)
			}
		}
	})
	if found < 20 {
		t.Errorf("only %d dependencies were found", found)
	}
}

// TestNothingImportsAllAPIs: twilioapi.Client says what that would cost.
func TestNothingImportsAllAPIs(t *testing.T) {
	pick := func(name string) bool { return strings.HasSuffix(name, ".go") || strings.HasSuffix(name, ".tmpl") }
	some := false
	walk(t, pick, func(path, text string) {
		some = some || strings.Contains(text, `"github.com/twilio/twilio-go/rest/`)
		if strings.Contains(text, `"github.com/twilio/twilio-go`+`"`) {
			t.Errorf("%s imports all of Twilio's APIs", path)
		}
	})
	if !some {
		t.Error("no API was found")
	}
}
