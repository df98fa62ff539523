// Package scaffold makes new projects and new functions. It never overwrites
// a file.
package scaffold

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"go/ast"
	"go/doc"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"text/template"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"

	"github.com/flexfn/flexfn/functions"
	"github.com/flexfn/flexfn/internal/gotool"
	"github.com/flexfn/flexfn/internal/link"
	"github.com/flexfn/flexfn/internal/setting"
)

//go:embed all:app all:function
var files embed.FS

// App describes a new project.
type App struct {
	// Module is the path of its Go module.
	Module string
	// Version is the version of flexfn to require; empty leaves it to go mod
	// tidy.
	Version string
	// Replace is a folder with flexfn's source, to use instead of a release.
	Replace string
}

// first lists the functions of a new project.
var first = []Function{{Path: "/flex/task-status"}, {Path: "/studio/lookup", Studio: true}}

// Write creates the project in dir and returns the names of the files that it
// wrote. If one of them exists already, it writes nothing and returns an error.
func (a App) Write(dir string) ([]string, error) {
	if err := module.CheckImportPath(a.Module); err != nil {
		return nil, fmt.Errorf("%q cannot be the path of a Go module: %w", a.Module, err)
	}
	content := map[string][]byte{}
	prefix, _, _ := module.SplitPathVersion(a.Module) // a suffix such as /v2 is not part of the name
	title := path.Base(prefix)
	replace := a.Replace
	if replace != "" {
		replace = modfile.AutoQuote(replace) // a folder may have a space
	}
	data := map[string]any{
		"Module": a.Module, "Version": a.Version, "Replace": replace, "Title": title, "Binary": title, "Settings": envSettings(),
	}
	err := fs.WalkDir(files, "app", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := expand(name, data)
		content[strings.TrimSuffix(strings.TrimPrefix(name, "app/"), ".tmpl")] = b
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, f := range first {
		made, err := f.files()
		if err != nil {
			return nil, err
		}
		for name, b := range made {
			content["handlers/"+name] = b
		}
		if content["handlers/routes.go"], err = register(content["handlers/routes.go"], f); err != nil {
			return nil, err
		}
	}
	return write(dir, content)
}

type envSetting struct {
	setting.Setting
	Required bool
}

func envSettings() (list []envSetting) {
	for _, s := range slices.Concat(setting.App(), setting.Server(), functions.Settings()) {
		if s.Names[0] == link.KeyVariable || s.Names[0] == link.DescribeVariable { // users never set them
			continue
		}
		list = append(list, envSetting{s, slices.Contains([]string{"ACCOUNT_SID", "AUTH_TOKEN", "TWILIO_FLEX_WORKSPACE_SID", "PUBLIC_URL"}, s.Names[0])})
	}
	return list
}

// Function describes a new function.
type Function struct {
	// Path is the function's path.
	Path string
	// Studio makes a Studio function instead of a Flex function.
	Studio bool
	// Empty leaves out the example that a new function has otherwise.
	Empty bool
	// Name is the function's Go name; empty derives it from the last part of
	// the path.
	Name string
}

// Write adds the function to the package in dir: its file, its test, and its
// line in func Routes of routes.go. It returns the names of the files that it
// wrote. If one of the new files exists already, it writes nothing and returns
// an error.
func (f Function) Write(dir string) ([]string, error) {
	content, err := f.files()
	if err != nil {
		return nil, err
	}
	routes := filepath.Join(dir, "routes.go")
	old, err := os.ReadFile(routes)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is not there: run this in a project made by flexfn new app, or name the package with func Routes by --dir", routes)
	}
	if err != nil {
		return nil, err
	}
	registered, err := register(old, f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", routes, err)
	}
	if err := f.checkFree(dir); err != nil {
		return nil, err
	}
	written, err := write(dir, content)
	if err != nil {
		return nil, err
	}
	return append(written, routes), os.WriteFile(routes, registered, 0o644)
}

// names returns the function's exported name, the name of its handler, and the
// beginning of its files' names.
func (f Function) names() (exported, handler, file string, err error) {
	if err := link.CheckPath(f.Path); err != nil {
		return "", "", "", err
	}
	words := strings.FieldsFunc(path.Base(f.Path), func(r rune) bool { return strings.ContainsRune("-._~", r) })
	if f.Name != "" {
		words = []string{f.Name}
	}
	for i, w := range words {
		words[i] = strings.ToUpper(w[:1]) + w[1:]
	}
	exported = strings.Join(words, "")
	switch {
	case !token.IsIdentifier(exported) || !token.IsExported(exported):
		return "", "", "", fmt.Errorf("%q is not an exported Go name: choose one with --name", exported)
	case exported == "Routes":
		return "", "", "", errors.New("the name Routes is taken by the list of functions: choose another with --name")
	}
	handler = strings.ToLower(exported[:1]) + exported[1:]
	if token.IsKeyword(handler) || doc.IsPredeclared(handler) || slices.Contains(packageNames, handler) {
		handler += "Handler"
	}
	var b strings.Builder
	for i, r := range exported {
		if 'A' <= r && r <= 'Z' && i > 0 && !('A' <= exported[i-1] && exported[i-1] <= 'Z') {
			b.WriteByte('_')
		}
		b.WriteRune(r)
	}
	file = strings.ToLower(b.String())
	// Go reads some endings as constraints, such as x_test.go and x_linux.go.
	if _, ending, ok := cutLast(file, "_"); ok && (ending == "test" || slices.Contains(constraints, ending)) {
		file += "_function"
	}
	return exported, handler, file, nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// packageNames lists the names that the templates import or use for variables,
// in addition to Go's predeclared ones.
var packageNames = strings.Fields("ctx context http flexfn flexfntest twilioapi twilio twiliofake testing taskrouter lookups init main in t app reply res client workspace")

// checkFree returns an error if the package already declares one of the
// function's names.
func (f Function) checkFree(dir string) error {
	exported, handler, _, err := f.names()
	if err != nil {
		return err
	}
	mine := []string{exported, handler, handler + "Params", handler + "Reply", "Test" + exported}
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return err
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			continue // register checks routes.go; other files do not matter
		}
		for _, declared := range gotool.DeclaredNames(file) {
			if slices.Contains(mine, declared) {
				return fmt.Errorf("nothing was written: the name %s is taken in %s; choose another with --name", declared, name)
			}
		}
	}
	return nil
}

// constraints lists the systems and architectures, which the go command treats
// as build constraints at the end of file names.
var constraints = strings.Fields(`aix android darwin dragonfly freebsd illumos ios js linux netbsd openbsd plan9 solaris wasip1
	windows unix 386 amd64 arm arm64 loong64 mips mips64 mips64le mipsle ppc64 ppc64le riscv64 s390x wasm`)

// files returns the contents of the function's file and its test, by name.
func (f Function) files() (map[string][]byte, error) {
	exported, handler, file, err := f.names()
	if err != nil {
		return nil, err
	}
	kind := "flex"
	switch {
	case f.Empty:
		kind = "empty"
	case f.Studio:
		kind = "studio"
	}
	data := map[string]any{"Name": exported, "Handler": handler, "Path": f.Path, "Studio": f.Studio}
	content := map[string][]byte{}
	for _, ending := range []string{".go", "_test.go"} {
		if content[file+ending], err = expand("function/"+kind+ending+".tmpl", data); err != nil {
			return nil, err
		}
	}
	return content, nil
}

// register adds f's line to the list that func Routes returns in source.
func register(source []byte, f Function) ([]byte, error) {
	exported, _, _, err := f.names()
	if err != nil {
		return nil, err
	}
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, "routes.go", source, parser.ParseComments)
	if err != nil {
		return nil, fmt.Errorf("it does not parse: %w", err)
	}
	line := fmt.Sprintf("{Path: %q, Function: %s},", f.Path, exported)
	list := routesList(file)
	if list == nil {
		return nil, fmt.Errorf("it has no func Routes that returns a literal list: nothing was written; add %s by hand where the functions are listed", line)
	}
	for _, item := range list.Elts {
		if text := string(source[set.Position(item.Pos()).Offset:set.Position(item.End()).Offset]); strings.Contains(text, fmt.Sprintf("%q", f.Path)) {
			return nil, fmt.Errorf("the path %s is taken: %s", f.Path, text)
		}
	}
	end := set.Position(list.Rbrace).Offset
	before := bytes.TrimRight(source[:end], " \t\n")
	if last := before[len(before)-1]; last != ',' && last != '{' {
		before = append(bytes.Clone(before), ',')
	}
	return format.Source(slices.Concat(before, []byte("\n"+line+"\n"), source[end:]))
}

// routesList returns the list that func Routes returns, or nil if it does not
// return a literal list.
func routesList(file *ast.File) *ast.CompositeLit {
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Recv != nil || f.Name.Name != "Routes" || f.Body == nil || len(f.Body.List) == 0 {
			continue
		}
		if ret, ok := f.Body.List[len(f.Body.List)-1].(*ast.ReturnStmt); ok && len(ret.Results) == 1 {
			list, _ := ret.Results[0].(*ast.CompositeLit)
			return list
		}
	}
	return nil
}

// expand executes a template, and formats the result if it is a Go file.
func expand(name string, data any) ([]byte, error) {
	t, err := template.ParseFS(files, name)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := t.Option("missingkey=error").Execute(&b, data); err != nil {
		return nil, err
	}
	if strings.HasSuffix(name, ".go.tmpl") {
		return format.Source(b.Bytes())
	}
	return b.Bytes(), nil
}

// write creates the files in dir, all of them or none.
func write(dir string, content map[string][]byte) ([]string, error) {
	var names []string
	var faults []error
	for name := range content {
		names = append(names, filepath.Join(dir, filepath.FromSlash(name)))
	}
	slices.Sort(names)
	for _, name := range names {
		if _, err := os.Lstat(name); err == nil {
			faults = append(faults, fmt.Errorf("%s exists already", name))
		} else if !errors.Is(err, fs.ErrNotExist) {
			faults = append(faults, err)
		}
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("nothing was written: %w", errors.Join(faults...))
	}
	for name, b := range content {
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return nil, err
		}
		file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return nil, err
		}
		_, err = file.Write(b)
		if err = errors.Join(err, file.Close()); err != nil {
			return nil, err
		}
	}
	return names, nil
}
