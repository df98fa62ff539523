// Package exported finds out which names a package exports, and which of them
// no Example uses.
package exported

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/flexfn/flexfn/internal/gotool"
)

// Names returns the package-level names that the package in the working
// directory exports, sorted.
func Names(t *testing.T) []string {
	var names []string
	for _, file := range parse(t, func(name string) bool { return !strings.HasSuffix(name, "_test.go") }) {
		names = append(names, gotool.DeclaredNames(file)...)
	}
	names = slices.DeleteFunc(names, func(name string) bool { return !ast.IsExported(name) })
	slices.Sort(names)
	return slices.Compact(names)
}

// InExamples fails the test for each exported name that no Example of the
// package, which is called pkg, uses.
func InExamples(t *testing.T, pkg string) {
	t.Helper()
	examples := examplesText(t)
	for _, name := range Names(t) {
		if !regexp.MustCompile(`\b` + pkg + `\.` + name + `\b|func Example` + name + `[_(]`).MatchString(examples) {
			t.Errorf("no Example uses %s", name)
		}
	}
}

// examplesText is the source of all Examples of the package.
func examplesText(t *testing.T) string {
	var text strings.Builder
	for path, file := range parse(t, func(name string) bool { return strings.HasSuffix(name, "_test.go") }) {
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

func parse(t *testing.T, pick func(name string) bool) map[string]*ast.File {
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
