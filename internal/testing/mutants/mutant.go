package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
)

// changes are those of go-gremlins: each operator and its replacement.
var changes = map[token.Token][]token.Token{
	token.ADD:      {token.SUB},
	token.SUB:      {token.ADD},
	token.MUL:      {token.QUO},
	token.QUO:      {token.MUL},
	token.REM:      {token.MUL},
	token.EQL:      {token.NEQ},
	token.NEQ:      {token.EQL},
	token.LSS:      {token.LEQ, token.GEQ},
	token.LEQ:      {token.LSS, token.GTR},
	token.GTR:      {token.GEQ, token.LEQ},
	token.GEQ:      {token.GTR, token.LSS},
	token.INC:      {token.DEC},
	token.DEC:      {token.INC},
	token.LAND:     {token.LOR},
	token.LOR:      {token.LAND},
	token.BREAK:    {token.CONTINUE},
	token.CONTINUE: {token.BREAK},
}

// A mutant is one change of one operator within a function.
type mutant struct {
	id     int
	change string // "< to <=", with " #2" if the same line, or an equal one, has another
	line   string // of the source, trimmed
	at     token.Position
	old    token.Token
	new    token.Token
	fn     *function

	inBlock bool  // of the coverage profile
	tests   []int // that cover the operator
	reach   []int // that cover any of the function
}

// key is how a list names m. It outlives changes elsewhere in the file.
func (m *mutant) key() string { return m.fn.file + "\t" + m.line + "\t" + m.change }

func (m *mutant) String() string {
	return fmt.Sprintf("%s:%d: %s: %s", m.fn.file, m.at.Line, m.change, m.line)
}

// A function is a top-level function: one that is not inside another.
type function struct {
	file       string // below the module's folder
	results    string
	start, end token.Position // of the body, with its braces
	mutants    []*mutant
}

// parse returns the functions of a file with their mutants, and how many changes
// are possible outside of functions, where none is made.
func parse(file string, src []byte) (fns []*function, outside int, err error) {
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, file, src, parser.SkipObjectResolution)
	if err != nil {
		return nil, 0, err
	}
	operators(tree, func(_ token.Pos, op token.Token) { outside += len(changes[op]) })
	seen := map[string]int{}
	function := func(t *ast.FuncType, body *ast.BlockStmt) {
		fn := &function{file: file, start: fset.Position(body.Pos()), end: fset.Position(body.End())}
		if t.Results != nil {
			fn.results = string(src[fset.Position(t.Results.Pos()).Offset:fset.Position(t.Results.End()).Offset])
		}
		operators(body, func(pos token.Pos, op token.Token) {
			at := fset.Position(pos)
			line, _, _ := strings.Cut(string(src[at.Offset-at.Column+1:]), "\n")
			for _, to := range changes[op] {
				m := &mutant{change: op.String() + " to " + to.String(), line: strings.TrimSpace(line), at: at, old: op, new: to, fn: fn}
				seen[m.key()]++
				if n := seen[m.key()]; n > 1 {
					m.change += fmt.Sprintf(" #%d", n)
				}
				fn.mutants = append(fn.mutants, m)
			}
		})
		fns = append(fns, fn)
		outside -= len(fn.mutants)
	}
	ast.Inspect(tree, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Body != nil {
				function(n.Type, n.Body)
			}
			return false
		case *ast.FuncLit: // of a package-level variable
			function(n.Type, n.Body)
			return false
		}
		return true
	})
	return fns, outside, nil
}

// operators calls found for each operator below n that is in changes.
func operators(n ast.Node, found func(token.Pos, token.Token)) {
	ast.Inspect(n, func(n ast.Node) bool {
		pos, op := token.NoPos, token.ILLEGAL
		switch n := n.(type) {
		case *ast.BinaryExpr:
			pos, op = n.OpPos, n.Op
		case *ast.UnaryExpr:
			if n.Op == token.SUB {
				pos, op = n.OpPos, n.Op
			}
		case *ast.IncDecStmt:
			pos, op = n.TokPos, n.Tok
		case *ast.BranchStmt:
			pos, op = n.TokPos, n.Tok
		}
		if len(changes[op]) > 0 {
			found(pos, op)
		}
		return true
	})
}

// write returns src with its mutants: a function begins with a switch over the
// mutant that is on, which has the whole body once for each. lines has, for each
// line that was added, the mutant that it is part of.
func write(src []byte, fns []*function) (out []byte, lines map[int]*mutant) {
	lines = map[int]*mutant{}
	var b bytes.Buffer
	line, last := 1, 0
	add := func(text []byte, m *mutant) {
		n := bytes.Count(text, []byte("\n"))
		if m != nil {
			for i := range n + 1 {
				lines[line+i] = m
			}
		}
		line += n
		b.Write(text)
	}
	for _, fn := range fns {
		if len(fn.mutants) == 0 {
			continue
		}
		start, end := fn.start.Offset, fn.end.Offset
		add(src[last:start+1], nil)
		last = start + 1
		add([]byte("\nswitch "+active+" {\n"), nil)
		for _, m := range fn.mutants {
			at := m.at.Offset
			call, after := "return func() ", ""
			if fn.results == "" {
				call, after = "func() ", "; return"
			}
			add(fmt.Appendf(nil, "case %d: %s%s %s%s%s()%s\n", m.id, call, fn.results,
				src[start:at], m.new, src[at+len(m.old.String()):end], after), m)
		}
		add([]byte("}\n"), nil)
	}
	add(src[last:], nil)
	return b.Bytes(), lines
}
