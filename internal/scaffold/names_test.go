package scaffold

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/flexfn/flexfn/internal/gotool"
)

// parsed parses a function's file and its test.
func parsed(t *testing.T, f Function) map[string]*ast.File {
	t.Helper()
	content, err := f.files()
	if err != nil {
		t.Fatalf("%+v: %v", f, err)
	}
	files := map[string]*ast.File{}
	for name, source := range content {
		file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.SkipObjectResolution)
		if err != nil {
			t.Fatalf("%+v: %v", f, err)
		}
		files[name] = file
	}
	return files
}

// TestNames makes a function for each name that has a meaning already: in the
// language, as an import of a file, or within a file. What the function
// declares for its package must not hide any of them.
func TestNames(t *testing.T) {
	kinds := []Function{{}, {Studio: true}, {Empty: true}, {Empty: true, Studio: true}}
	used := map[string]bool{}
	for _, name := range types.Universe.Names() {
		used[name] = true
	}
	for _, f := range kinds {
		f.Path = "/flex/zzz"
		for name, file := range parsed(t, f) {
			test := strings.HasSuffix(name, "_test.go")
			ast.Inspect(file, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.File:
					n.Name = ast.NewIdent("_") // the package clause declares no name
				case *ast.ImportSpec:
					if n.Name != nil {
						used[n.Name.Name] = true
					} else {
						used[path.Base(strings.Trim(n.Path.Value, `"`))] = true
					}
				case *ast.FuncDecl:
					return !test // a test may hide what it does not call
				case *ast.Ident:
					if !ast.IsExported(n.Name) { // exported names here are fields or follow a dot
						used[n.Name] = true
					}
				}
				return true
			})
		}
	}
	names := slices.Collect(maps.Keys(used))
	for keyword := token.BREAK; keyword <= token.VAR; keyword++ {
		names = append(names, keyword.String())
	}
	tried := 0
	for _, name := range names {
		if strings.Contains(strings.ToLower(name), "zzz") || name == "_" {
			continue
		}
		for _, f := range kinds {
			f.Path = "/flex/" + name
			files := parsed(t, f)
			tried++
			for _, file := range files {
				for _, declared := range gotool.DeclaredNames(file) {
					if used[declared] || token.IsKeyword(declared) {
						t.Errorf("%+v declares %s, which means something else", f, declared)
					}
				}
			}
		}
	}
	if tried < 200 {
		t.Errorf("only %d functions were made", tried)
	}
}
