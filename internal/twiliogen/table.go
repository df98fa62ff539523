package main

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"fmt"
	"go/ast"
	"slices"
	"strings"
)

// writeTable writes the operations as lines of words:
//
//	P package host [standard]         what follows is of this package
//	M name field:kind …               a model, numbered from 0 in its package
//	O method path name class status model prefix listKey style flags param:kind …
//
// A missing word is "-". The flags are e for an ETag and j for a path that ends
// in .json. A kind is one of
//
//	s string   i integer   f float   b boolean   t time   d time as RFC 2822
//	o any      m object    N7 model 7   lK list of K   pK map of K
//
// In models * marks a field that is not a pointer and ! one that a body must
// have. In parameters ! marks the required ones, ^ a header, and @ the whole
// JSON body; =a|b lists the values of an enumeration.
func writeTable(pkgs []*apiPackage) ([]byte, error) {
	var b bytes.Buffer
	for _, p := range pkgs {
		w := &modelWriter{pkg: p, number: map[string]int{}}
		var ops bytes.Buffer
		for _, op := range p.ops {
			if err := w.operation(&ops, op); err != nil {
				return nil, fmt.Errorf("%s %s: %w", p.name, op.name, err)
			}
		}
		fmt.Fprintf(&b, "P %s %s", p.name, p.host)
		if p.standard {
			b.WriteString(" standard")
		}
		b.WriteByte('\n')
		for i := 0; i < len(w.order); i++ { // grows as models name others
			name := w.order[i]
			fmt.Fprintf(&b, "M %s", name)
			for _, f := range p.structs[name] {
				kind, err := w.kind(f.expr)
				if err != nil {
					return nil, fmt.Errorf("%s %s.%s: %w", p.name, name, f.name, err)
				}
				if kind == "s" && strings.Contains(f.comment, "RFC 2822") {
					kind = "d"
				}
				if !f.pointer {
					kind += "*"
				}
				if !f.omitempty && !f.pointer {
					kind += "!"
				}
				fmt.Fprintf(&b, " %s:%s", f.name, kind)
			}
			b.WriteByte('\n')
		}
		b.Write(ops.Bytes())
	}
	return b.Bytes(), nil
}

// modelWriter numbers the models that operations reach.
type modelWriter struct {
	pkg    *apiPackage
	number map[string]int
	order  []string
}

func (w *modelWriter) operation(b *bytes.Buffer, op *operation) error {
	model := "-"
	var err error
	switch {
	case op.verb() == "Page":
		model, err = w.kind(op.listItem)
	case op.model != "":
		model, err = w.kind(&ast.Ident{Name: op.model})
	}
	if err != nil {
		return err
	}
	flags := ""
	if op.etag {
		flags += "e"
	}
	if op.json {
		flags += "j"
	}
	style := cmp.Or(op.style, "-")
	if op.verb() == "Page" && op.style == "" {
		style = "none"
	}
	fmt.Fprintf(b, "O %s %s %s %s %d %s %s %s %s %s", op.method, op.path, op.name, op.class, op.status, model,
		cmp.Or(op.prefix, "-"), cmp.Or(op.listKey, "-"), style, cmp.Or(flags, "-"))
	for _, p := range op.params {
		kind, err := w.kind(p.expr)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		if p.list && kind[0] != 'l' {
			kind = "l" + kind
		}
		if p.place == "header" {
			kind += "^"
		}
		if p.required {
			kind += "!"
		}
		enum := p.enum
		if id, ok := deref(p.expr).(*ast.Ident); ok && len(enum) == 0 {
			enum = w.pkg.enums[id.Name]
		}
		if len(enum) > 0 {
			kind += "=" + strings.Join(enum, "|")
		}
		fmt.Fprintf(b, " %s:%s", p.name, kind)
	}
	if op.body != nil {
		kind, err := w.kind(op.body)
		if err != nil {
			return err
		}
		fmt.Fprintf(b, " @:%s", kind)
	}
	b.WriteByte('\n')
	return nil
}

// kind writes a type.
func (w *modelWriter) kind(e ast.Expr) (string, error) {
	switch e := e.(type) {
	case *ast.StarExpr:
		return w.kind(e.X)
	case *ast.InterfaceType:
		return "o", nil
	case *ast.SelectorExpr:
		if e.Sel.Name == "Time" {
			return "t", nil
		}
	case *ast.ArrayType:
		k, err := w.kind(e.Elt)
		return "l" + k, err
	case *ast.MapType:
		k, err := w.kind(e.Value)
		if k == "o" {
			return "m", err
		}
		return "p" + k, err
	case *ast.Ident:
		switch e.Name {
		case "string":
			return "s", nil
		case "int", "int32", "int64":
			return "i", nil
		case "float32", "float64":
			return "f", nil
		case "bool":
			return "b", nil
		case "any":
			return "o", nil
		}
		if under, ok := w.pkg.named[e.Name]; ok {
			return w.kind(under)
		}
		if _, ok := w.pkg.structs[e.Name]; ok {
			n, ok := w.number[e.Name]
			if !ok {
				n = len(w.order)
				w.number[e.Name] = n
				w.order = append(w.order, e.Name)
			}
			return fmt.Sprintf("N%d", n), nil
		}
	}
	return "", fmt.Errorf("unknown type %T", e)
}

func compress(table []byte) ([]byte, error) {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(table); err != nil {
		return nil, err
	}
	err = z.Close()
	return b.Bytes(), err
}

// writeListing lists how the generator understands each operation, for people
// who review a new version of twilio-go.
func writeListing(all []*operation) []byte {
	lines := make([]string, len(all))
	for i, op := range all {
		lines[i] = fmt.Sprintf("%s%s\t%s\t%s\t%s.%s\t%d\n", op.pkg.host, op.path, op.method, op.class, op.pkg.name, op.name, op.status)
	}
	slices.Sort(lines)
	return []byte(strings.Join(lines, ""))
}
