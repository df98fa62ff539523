package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// An apiPackage is one package of twilio-go below rest, such as sync/v1.
type apiPackage struct {
	name     string // sync/v1
	host     string // sync.twilio.com
	standard bool   // errors in the shape of the API Standards
	structs  map[string][]field
	named    map[string]ast.Expr // other named types
	enums    map[string][]string // constants of named string types
	lists    map[string]string   // by operation without prefix: the field of the response that holds the items
	ops      []*operation
}

// A field of a struct, by its JSON name.
type field struct {
	goName, name string
	expr         ast.Expr
	pointer      bool
	omitempty    bool
	comment      string
}

// An operation is a method of ApiService that makes one request.
type operation struct {
	pkg       *apiPackage
	name      string // CreateDocument
	method    string
	path      string // with variables in braces, without .json
	json      bool   // the path ended in .json
	model     string // struct of the answer; empty when there is none
	params    []param
	body      ast.Expr // type of a JSON body
	listKey   string
	listItem  ast.Expr
	style     string
	class     string
	status    int
	prefix    string
	etag      bool
	signature []string // variables in the order of the Go method
}

type param struct {
	name     string
	place    string // form, query or header
	expr     ast.Expr
	list     bool // sent once per element
	required bool
	enum     []string
}

var verbs = []string{"Page", "Fetch", "Create", "Update", "Delete", "Patch"}

// parseSource reads every package below rest of the twilio-go module in dir.
func parseSource(dir string) ([]*apiPackage, error) {
	rest := filepath.Join(dir, "rest")
	var out []*apiPackage
	err := filepath.WalkDir(rest, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if _, err := os.Stat(filepath.Join(path, "api_service.go")); err != nil {
			return nil
		}
		rel, _ := filepath.Rel(rest, path)
		p, err := parsePackage(path, filepath.ToSlash(rel))
		if err != nil {
			return fmt.Errorf("%s: %w", rel, err)
		}
		out = append(out, p)
		return nil
	})
	slices.SortFunc(out, func(a, b *apiPackage) int { return cmp.Compare(a.name, b.name) })
	return out, err
}

func parsePackage(dir, name string) (*apiPackage, error) {
	p := &apiPackage{
		name: name, structs: map[string][]field{}, named: map[string]ast.Expr{},
		enums: map[string][]string{}, lists: map[string]string{},
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	set := token.NewFileSet()
	var methods []*ast.FuncDecl
	for _, name := range files {
		f, err := parser.ParseFile(set, name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.GenDecl:
				p.declare(d)
			case *ast.FuncDecl:
				if d.Name.Name == "NewApiService" {
					p.service(d)
				} else if receiver(d) == "ApiService" && !strings.HasSuffix(d.Name.Name, "WithMetadata") {
					methods = append(methods, d)
				}
			}
		}
	}
	for _, d := range methods {
		if list, ok := strings.CutPrefix(d.Name.Name, "stream"); ok {
			p.lists[list] = recordsField(d)
		}
	}
	for _, d := range methods {
		if slices.ContainsFunc(verbs, func(v string) bool { return strings.HasPrefix(d.Name.Name, v) }) {
			op, err := p.operation(d)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", d.Name.Name, err)
			}
			p.ops = append(p.ops, op)
		}
	}
	slices.SortFunc(p.ops, func(a, b *operation) int {
		return cmp.Or(cmp.Compare(a.path, b.path), cmp.Compare(a.name, b.name))
	})
	return p, nil
}

// declare keeps the types and constants of a declaration.
func (p *apiPackage) declare(d *ast.GenDecl) {
	for _, s := range d.Specs {
		switch s := s.(type) {
		case *ast.TypeSpec:
			st, ok := s.Type.(*ast.StructType)
			if !ok {
				p.named[s.Name.Name] = s.Type
				continue
			}
			fields := []field{}
			for _, f := range st.Fields.List {
				if f.Tag == nil || len(f.Names) == 0 {
					continue
				}
				tag, _ := strconv.Unquote(f.Tag.Value)
				name, opts, _ := strings.Cut(reflect.StructTag(tag).Get("json"), ",")
				_, pointer := f.Type.(*ast.StarExpr)
				fields = append(fields, field{
					goName: f.Names[0].Name, name: name, expr: f.Type, pointer: pointer,
					omitempty: opts == "omitempty", comment: f.Doc.Text(),
				})
			}
			p.structs[s.Name.Name] = fields
		case *ast.ValueSpec:
			id, ok := s.Type.(*ast.Ident)
			if !ok || d.Tok != token.CONST {
				continue
			}
			for _, v := range s.Values {
				if text, ok := literal(v); ok {
					p.enums[id.Name] = append(p.enums[id.Name], text)
				}
			}
		}
	}
}

// service reads the host out of NewApiService.
func (p *apiPackage) service(d *ast.FuncDecl) {
	ast.Inspect(d.Body, func(n ast.Node) bool {
		kv, ok := n.(*ast.KeyValueExpr)
		if !ok {
			return true
		}
		text, _ := literal(kv.Value)
		switch kv.Key.(*ast.Ident).Name {
		case "baseURL":
			p.host = strings.TrimPrefix(text, "https://")
		case "apiVersion":
			p.standard = text != ""
		}
		return true
	})
}

// recordsField returns X of "responseRecords := response.X".
func recordsField(d *ast.FuncDecl) string {
	name := ""
	ast.Inspect(d.Body, func(n ast.Node) bool {
		as, ok := n.(*ast.AssignStmt)
		if !ok || len(as.Lhs) != 1 {
			return true
		}
		if id, ok := as.Lhs[0].(*ast.Ident); ok && id.Name == "responseRecords" && name == "" {
			if sel, ok := as.Rhs[0].(*ast.SelectorExpr); ok {
				name = sel.Sel.Name
			}
		}
		return true
	})
	return name
}

// operation reads what a method of ApiService sends and decodes.
func (p *apiPackage) operation(d *ast.FuncDecl) (*operation, error) {
	op := &operation{pkg: p, name: d.Name.Name}
	paramsType := ""
	for _, f := range d.Type.Params.List {
		if star, ok := f.Type.(*ast.StarExpr); ok {
			paramsType = star.X.(*ast.Ident).Name
			continue
		}
		for _, n := range f.Names {
			op.signature = append(op.signature, n.Name)
		}
	}
	kindOf := func(goName string) ast.Expr {
		for _, f := range p.structs[paramsType] {
			if f.goName == goName {
				return f.expr
			}
		}
		return nil
	}
	var err error
	var walk func(n ast.Node, about string)
	walk = func(n ast.Node, about string) {
		ast.Inspect(n, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.IfStmt:
				if field := paramsField(n.Cond); field != "" && field != about {
					walk(n.Body, field)
					return false
				}
			case *ast.AssignStmt:
				op.assign(n, about, kindOf)
			case *ast.CallExpr:
				if e := op.call(n, about, kindOf); e != nil {
					err = e
				}
			}
			return true
		})
	}
	walk(d.Body, "")
	if err != nil {
		return nil, err
	}
	if op.path == "" || op.method == "" {
		return nil, fmt.Errorf("no path or no method")
	}
	op.path, op.json = strings.CutSuffix(op.path, ".json")
	if list, ok := strings.CutPrefix(op.name, "Page"); ok {
		err = op.listOf(p.lists[list])
	}
	return op, err
}

// assign reads "path := …", "ps := &Model{}" and "headers[…] = …".
func (op *operation) assign(as *ast.AssignStmt, about string, kindOf func(string) ast.Expr) {
	switch left := as.Lhs[0].(type) {
	case *ast.Ident:
		if text, ok := literal(as.Rhs[0]); ok && left.Name == "path" {
			op.path = text
		}
		if left.Name == "ps" {
			if u, ok := as.Rhs[0].(*ast.UnaryExpr); ok {
				if id, ok := u.X.(*ast.CompositeLit).Type.(*ast.Ident); ok {
					op.model = id.Name
				}
			}
		}
	case *ast.IndexExpr:
		if name, ok := literal(left.Index); ok && about != "" {
			op.params = append(op.params, param{name: name, place: "header", expr: kindOf(about)})
		}
	}
}

// call reads data.Set, data.Add, json.Marshal of a body and the request itself.
func (op *operation) call(call *ast.CallExpr, about string, kindOf func(string) ast.Expr) error {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return nil
	}
	on := ""
	switch x := sel.X.(type) {
	case *ast.Ident:
		on = x.Name
	case *ast.SelectorExpr:
		on = x.Sel.Name
	}
	switch on + "." + sel.Sel.Name {
	case "data.Set", "data.Add":
		name, ok := literal(call.Args[0])
		if !ok {
			return fmt.Errorf("a parameter without a literal name")
		}
		if about == "" || slices.Contains([]string{"Page", "PageSize", "PageToken", "pageSize", "pageToken"}, name) {
			return nil
		}
		op.params = append(op.params, param{name: name, place: "form", expr: kindOf(about), list: sel.Sel.Name == "Add"})
	case "json.Marshal":
		if star, ok := call.Args[0].(*ast.StarExpr); ok {
			op.body = kindOf(star.X.(*ast.SelectorExpr).Sel.Name)
		}
	case "requestHandler.Get", "requestHandler.Post", "requestHandler.Put", "requestHandler.Patch", "requestHandler.Delete":
		op.method = strings.ToUpper(sel.Sel.Name)
	}
	return nil
}

// listOf finds the key, the items and the paging style of a list.
func (op *operation) listOf(goName string) error {
	fields := op.pkg.structs[op.model]
	has := func(fields []field, name string) bool {
		return slices.ContainsFunc(fields, func(f field) bool { return f.name == name })
	}
	for _, f := range fields {
		if f.goName == goName {
			op.listKey = f.name
			array, ok := deref(f.expr).(*ast.ArrayType)
			if !ok {
				return fmt.Errorf("%s is not a list", goName)
			}
			op.listItem = array.Elt
		}
		if f.name == "meta" {
			if id, ok := deref(f.expr).(*ast.Ident); ok {
				meta := op.pkg.structs[id.Name]
				switch {
				case has(meta, "next_page_url"):
					op.style = "meta"
				case has(meta, "nextToken"):
					op.style = "nextToken"
				case has(meta, "next_token"):
					op.style = "next_token"
				}
			}
		}
	}
	if has(fields, "next_page_uri") {
		op.style = "uri"
	}
	if op.listKey == "" {
		return fmt.Errorf("the items of the list are unknown")
	}
	return nil
}

// paramsField returns X of a condition on params.X.
func paramsField(cond ast.Expr) string {
	name := ""
	ast.Inspect(cond, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if id, ok := sel.X.(*ast.Ident); ok && id.Name == "params" {
				name = sel.Sel.Name
			}
		}
		return true
	})
	return name
}

func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return ""
	}
	if star, ok := d.Recv.List[0].Type.(*ast.StarExpr); ok {
		if id, ok := star.X.(*ast.Ident); ok {
			return id.Name
		}
	}
	return ""
}

func literal(e ast.Expr) (string, bool) {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(lit.Value)
	return s, err == nil
}

func deref(e ast.Expr) ast.Expr {
	if star, ok := e.(*ast.StarExpr); ok {
		return star.X
	}
	return e
}
