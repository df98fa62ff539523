package flexfn

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestExportedNames holds the package to the names in testdata/exports.txt, at
// most 48, each of which is used in an Example.
func TestExportedNames(t *testing.T) {
	const most = 48
	list, err := os.ReadFile("testdata/exports.txt")
	if err != nil {
		t.Fatal(err)
	}
	var allowed []string
	for line := range strings.Lines(string(list)) {
		if name := strings.TrimSpace(line); name != "" && !strings.HasPrefix(name, "#") {
			allowed = append(allowed, name)
		}
	}
	exported := exportedNames(t)
	if len(exported) > most {
		t.Errorf("%d names are exported, more than %d", len(exported), most)
	}
	examples := examplesText(t)
	for _, name := range slices.Sorted(maps.Keys(exported)) {
		if !slices.Contains(allowed, name) {
			t.Errorf("%s is exported: the package has %d names at most, and testdata/exports.txt lists them", name, most)
		}
		if !regexp.MustCompile(`\bflexfn\.` + name + `\b|func Example` + name + `[_(]`).MatchString(examples) {
			t.Errorf("no Example uses %s", name)
		}
	}
}

func exportedNames(t *testing.T) map[string]bool {
	names := map[string]bool{}
	for _, file := range parseFiles(t, func(name string) bool { return !strings.HasSuffix(name, "_test.go") }) {
		for _, d := range file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil {
					names[d.Name.Name] = true
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					switch spec := spec.(type) {
					case *ast.TypeSpec:
						names[spec.Name.Name] = true
					case *ast.ValueSpec:
						for _, name := range spec.Names {
							names[name.Name] = true
						}
					}
				}
			}
		}
	}
	maps.DeleteFunc(names, func(name string, _ bool) bool { return !ast.IsExported(name) })
	return names
}

// examplesText is the source of all Examples of the package.
func examplesText(t *testing.T) string {
	var text strings.Builder
	files := parseFiles(t, func(name string) bool { return strings.HasSuffix(name, "_ext_test.go") })
	for path, file := range files {
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(f.Name.Name, "Example") {
				text.Write(source[f.Pos()-file.FileStart : f.End()-file.FileStart])
			}
		}
	}
	return text.String()
}

func parseFiles(t *testing.T, pick func(name string) bool) map[string]*ast.File {
	paths, err := filepath.Glob("*.go")
	if err != nil || len(paths) == 0 {
		t.Fatal("no Go files: ", err)
	}
	files := map[string]*ast.File{}
	for _, path := range paths {
		if !pick(path) {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files[path] = file
	}
	return files
}
