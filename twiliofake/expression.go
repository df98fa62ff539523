package twiliofake

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// An expression is a condition in TaskRouter's expression language. It decides
// which workers belong to a queue, which filter of a workflow takes a task, and
// which workers a target may reserve. See
// https://www.twilio.com/docs/taskrouter/expression-syntax.
//
// That page leaves some rules open. Here AND binds tighter than OR, keywords are
// accepted in any case, and = means ==, as in Twilio's own samples. A reference
// to something that does not exist is null: "== null" and "!= null" test for it,
// and every other comparison with null is false. Values of different kinds are
// never equal.
//
// An expression is parsed when it is stored, so that a mistake is an error of
// that request, and again when it is used.
type expression struct{ root condition }

// Limits of an expression. Twilio does not document any.
const (
	maxExpression = 64 << 10
	maxNesting    = 64
)

// A condition is a node of an expression: all or any of its parts, or a single
// comparison if it has no parts. any is OR, and its absence AND.
type condition struct {
	any         bool
	parts       []condition
	op          operator
	left, right operand
}

// An operand is a constant or, if path is set, a reference to a value.
type operand struct {
	constant any // nil, bool, float64, string or []any of those
	path     []step
}

// A step goes from a value to a part of it: by key, or by index if key is
// empty. An index is zero-based.
type step struct {
	key   string
	index int
}

// An operator compares two operands. Its text is the one in expressions, in
// capitals.
type operator string

const (
	equal    operator = "=="
	unequal  operator = "!="
	less     operator = "<"
	atMost   operator = "<="
	greater  operator = ">"
	atLeast  operator = ">="
	contains operator = "CONTAINS"
	has      operator = "HAS"
	in       operator = "IN"
	notIn    operator = "NOT IN"
)

// A scope holds what an expression can refer to. The first segment of a
// reference is looked up in the attributes, then in names. TaskRouter lets an
// attribute be named with or without the prefix "worker." or "task.", so both
// must be found.
type scope struct {
	attributes map[string]any
	names      map[string]any // such as "worker" and "task"
}

// clock returns the names for the current time, which every scope has; see
// https://www.twilio.com/docs/taskrouter/time-of-day-routing. currentTime is
// hours and minutes as one number, such as 1430. All are in UTC.
func clock(now time.Time) map[string]any {
	now = now.UTC()
	return map[string]any{
		"currentTime": now.Hour()*100 + now.Minute(),
		"currentHour": now.Hour(), "currentMin": now.Minute(),
		"dayOfWeek": now.Format("Mon"),
	}
}

// parseExpression parses an expression. An error says what was expected and
// what was found. An empty expression is an error; callers decide what an
// absent one means.
func parseExpression(src string) (expression, error) {
	p, err := newParser(src)
	if err != nil {
		return expression{}, err
	}
	root, err := p.condition(0)
	if err == nil && p.kind != endToken {
		err = p.unexpected("the end, AND or OR")
	}
	return expression{root}, err
}

// matches evaluates the expression. It never fails: values that cannot be
// compared do not match.
func (e expression) matches(s scope) bool { return e.root.holds(s) }

func (c condition) holds(s scope) bool {
	if c.parts == nil {
		return compare(c.op, c.left.value(s), c.right.value(s), c.left.isNull() || c.right.isNull())
	}
	for _, part := range c.parts {
		if part.holds(s) == c.any {
			return c.any
		}
	}
	return !c.any
}

// isNull reports whether the operand is the keyword null.
func (o operand) isNull() bool { return o.path == nil && o.constant == nil }

// value returns what the operand stands for in a scope. A step into something
// that is neither an object nor a list, or beyond the end of a list, gives
// null.
func (o operand) value(s scope) any {
	if o.path == nil {
		return o.constant
	}
	v, ok := s.attributes[o.path[0].key]
	if !ok {
		v = s.names[o.path[0].key]
	}
	for _, st := range o.path[1:] {
		switch in := v.(type) {
		case map[string]any:
			v = in[st.key]
		case []any:
			if v = nil; st.key == "" && st.index < len(in) {
				v = in[st.index]
			}
		default:
			return nil
		}
	}
	return v
}

// compare applies an operator. presence is set if one side is the keyword null,
// which tests whether the other side exists. HAS asks whether the list on the
// left contains the value on the right, IN the reverse, and CONTAINS whether a
// text contains another.
func compare(op operator, left, right any, presence bool) bool {
	if presence {
		return op == equal && left == nil && right == nil || op == unequal && (left != nil || right != nil)
	}
	l, lok := scalar(left)
	r, rok := scalar(right)
	switch op {
	case has:
		list, ok := left.([]any)
		return ok && rok && holdsScalar(list, r)
	case in, notIn:
		list, ok := right.([]any)
		return ok && lok && holdsScalar(list, l) == (op == in)
	}
	if !lok || !rok {
		return false
	}
	if op == contains {
		l, lok := l.(string)
		r, rok := r.(string)
		return lok && rok && strings.Contains(l, r)
	}
	order, comparable := compareScalars(l, r)
	switch op {
	case equal:
		return comparable && order == 0
	case unequal:
		return !comparable || order != 0
	}
	if _, isBool := l.(bool); isBool || !comparable {
		return false
	}
	switch op {
	case less:
		return order < 0
	case atMost:
		return order <= 0
	case greater:
		return order > 0
	}
	return order >= 0
}

// scalar converts a string, number or boolean to the type that constants have.
// All numbers become float64, in which the constants of expressions are.
func scalar(v any) (any, bool) {
	switch v := v.(type) {
	case string, bool, float64:
		return v, true
	case int:
		return float64(v), true
	case json.Number:
		f, _ := v.Float64() // too large becomes infinity
		return f, true
	}
	return nil, false
}

func holdsScalar(list []any, want any) bool {
	return slices.ContainsFunc(list, func(v any) bool {
		v, ok := scalar(v)
		return ok && v == want
	})
}

// compareScalars orders two scalars; the result is false if their kinds differ.
// Texts compare byte by byte. Booleans are equal or not; they have no order.
func compareScalars(l, r any) (int, bool) {
	switch l := l.(type) {
	case string:
		r, ok := r.(string)
		return cmp.Compare(l, r), ok
	case float64:
		r, ok := r.(float64)
		return cmp.Compare(l, r), ok
	}
	if l == r {
		_, ok := l.(bool)
		return 0, ok
	}
	_, ok := r.(bool)
	return 1, ok
}

// An ordering is an order_by clause of a workflow's target, which sorts
// workers; see https://www.twilio.com/docs/taskrouter/order-workers. Workers
// are sorted by the first term, those equal in it by the second, and so on.
type ordering []orderingTerm

type orderingTerm struct {
	operand
	descending bool
}

// parseOrdering reads terms such as "worker.level DESC, worker.age ASC".
func parseOrdering(src string) (ordering, error) {
	p, err := newParser(src)
	if err != nil {
		return nil, err
	}
	var terms ordering
	for {
		if p.kind != nameToken {
			return nil, p.unexpected("a reference")
		}
		o, err := p.reference()
		if err != nil {
			return nil, err
		}
		descending := p.is("DESC")
		if !descending && !p.is("ASC") {
			return nil, p.unexpected("ASC or DESC")
		}
		if err := p.next(); err != nil {
			return nil, err
		}
		terms = append(terms, orderingTerm{o, descending})
		if p.kind == endToken {
			return terms, nil
		}
		if !p.is(",") {
			return nil, p.unexpected("a comma or the end")
		}
		if err := p.next(); err != nil {
			return nil, err
		}
	}
}

// sort orders workers; it is stable. Workers that lack an attribute come last
// in either direction. A term is ignored if some worker's value is not an
// integer. Ignoring the term leaves the order to the terms after it.
func (o ordering) sort(workers []scope) {
	usable := slices.DeleteFunc(slices.Clone(o), func(t orderingTerm) bool {
		return slices.ContainsFunc(workers, func(w scope) bool {
			v := t.value(w)
			f, ok := v.(json.Number)
			return v != nil && (!ok || strings.ContainsAny(f.String(), ".eE"))
		})
	})
	slices.SortStableFunc(workers, func(a, b scope) int {
		for _, t := range usable {
			x, xok := scalar(t.value(a))
			y, yok := scalar(t.value(b))
			switch order, _ := compareScalars(x, y); {
			case !xok && !yok:
			case !xok:
				return 1
			case !yok:
				return -1
			case order != 0 && t.descending:
				return -order
			case order != 0:
				return order
			}
		}
		return 0
	})
}

// tokenKind is the kind of a token of an expression.
type tokenKind uint8

const (
	endToken tokenKind = iota
	nameToken
	numberToken
	stringToken
	signToken // an operator, a parenthesis, a bracket, a comma, a dot
)

// A parser reads an expression from left to right, one token ahead. It is a
// recursive descent without backtracking: the language needs one token to
// decide.
type parser struct {
	src  string
	kind tokenKind
	text string // the token; for a string, without its quotes
	at   int    // where the token starts
	end  int    // where to look for the next token
}

func newParser(src string) (*parser, error) {
	if len(src) > maxExpression {
		return nil, fmt.Errorf("it is longer than %d bytes", maxExpression)
	}
	p := &parser{src: src}
	return p, p.next()
}

// signs are the tokens other than names and constants, longer ones first.
var signs = [...]string{"==", "!=", "<=", ">=", "=", "<", ">", "(", ")", "[", "]", ",", "."}

// next reads the next token. A minus sign directly after a name is refused,
// since it was meant as part of the name; elsewhere it begins a number.
func (p *parser) next() error {
	for p.end < len(p.src) && strings.IndexByte(" \t\r\n", p.src[p.end]) >= 0 {
		p.end++
	}
	p.at = p.end
	rest := p.src[p.at:]
	if rest == "" {
		p.kind, p.text = endToken, ""
		return nil
	}
	first, _ := utf8.DecodeRuneInString(rest)
	if first == '-' && p.kind == nameToken && p.at > 0 && strings.IndexByte(" \t\r\n", p.src[p.at-1]) < 0 {
		return fmt.Errorf("extraneous input '-' at %d: a name with a hyphen cannot be referred to", p.at+1)
	}
	switch {
	case rest[0] == '\'' || rest[0] == '"':
		return p.quoted(rest)
	case isDigit(rest[0]), len(rest) > 1 && (rest[0] == '.' || rest[0] == '-') && (isDigit(rest[1]) || rest[1] == '.'):
		if n := numberLength(rest); n > 0 {
			p.take(numberToken, n)
			return nil
		}
	case isNameRune(first, true):
		n := strings.IndexFunc(rest, func(r rune) bool { return !isNameRune(r, false) })
		if n < 0 {
			n = len(rest)
		}
		p.take(nameToken, n)
		return nil
	}
	for _, sign := range signs {
		if strings.HasPrefix(rest, sign) {
			p.take(signToken, len(sign))
			return nil
		}
	}
	return fmt.Errorf("extraneous input %q at %d", first, p.at+1)
}

func (p *parser) take(kind tokenKind, n int) {
	p.kind, p.text, p.end = kind, p.src[p.at:p.at+n], p.at+n
}

// quoted reads a string. A backslash escapes a quote or a backslash.
func (p *parser) quoted(rest string) error {
	var b strings.Builder
	for i := 1; i < len(rest); i++ {
		switch ch := rest[i]; {
		case ch == rest[0]:
			p.kind, p.text, p.end = stringToken, b.String(), p.at+i+1
			return nil
		case ch == '\\' && i+1 < len(rest) && strings.IndexByte(`\'"`, rest[i+1]) >= 0:
			i++
			b.WriteByte(rest[i])
		default:
			b.WriteByte(ch)
		}
	}
	return fmt.Errorf("the string that begins at %d has no end", p.at+1)
}

// numberLength returns the length of the number at the start of s: an optional
// minus sign, then digits with at most one point.
func numberLength(s string) int {
	i, digits, points := 0, 0, 0
	if s[0] == '-' {
		i++
	}
	for ; i < len(s); i++ {
		switch {
		case isDigit(s[i]):
			digits++
		case s[i] == '.' && points == 0:
			points++
		default:
			if digits == 0 {
				return 0
			}
			return i
		}
	}
	if digits == 0 {
		return 0
	}
	return i
}

func isDigit(b byte) bool { return '0' <= b && b <= '9' }

func isNameRune(r rune, first bool) bool {
	return r == '_' || r == '$' || unicode.IsLetter(r) || !first && unicode.IsDigit(r)
}

// is reports whether the current token is the given sign or keyword. A string
// never is.
func (p *parser) is(word string) bool {
	return (p.kind == nameToken || p.kind == signToken) && strings.EqualFold(p.text, word)
}

// unexpected returns the error for the current token. Positions count from 1.
func (p *parser) unexpected(want string) error {
	if p.kind == endToken {
		return fmt.Errorf("it ends where %s should be", want)
	}
	return fmt.Errorf("mismatched input %.40q at %d: expected %s", p.text, p.at+1, want)
}

// condition reads one or more parts joined by OR. AND binds tighter, so it is
// the inner of the two.
func (p *parser) condition(depth int) (condition, error) {
	return p.joined("OR", func() (condition, error) {
		return p.joined("AND", func() (condition, error) { return p.unit(depth) })
	})
}

// joined reads one or more parts separated by a keyword.
func (p *parser) joined(word string, part func() (condition, error)) (condition, error) {
	first, err := part()
	if err != nil || !p.is(word) {
		return first, err
	}
	parts := []condition{first}
	for p.is(word) {
		if err := p.next(); err != nil {
			return condition{}, err
		}
		c, err := part()
		if err != nil {
			return condition{}, err
		}
		parts = append(parts, c)
	}
	return condition{any: word == "OR", parts: parts}, nil
}

// unit reads a comparison, or a condition in parentheses. The depth is bounded,
// since the parser calls itself for each parenthesis and an expression comes
// from a request.
func (p *parser) unit(depth int) (condition, error) {
	if !p.is("(") {
		return p.comparison()
	}
	if depth == maxNesting {
		return condition{}, fmt.Errorf("parentheses are nested more than %d deep at %d", maxNesting, p.at+1)
	}
	if err := p.next(); err != nil {
		return condition{}, err
	}
	c, err := p.condition(depth + 1)
	if err != nil {
		return condition{}, err
	}
	return c, p.expect(")")
}

func (p *parser) expect(sign string) error {
	if !p.is(sign) {
		return p.unexpected(sign)
	}
	return p.next()
}

func (p *parser) comparison() (condition, error) {
	left, err := p.operand()
	if err != nil {
		return condition{}, err
	}
	op, err := p.operator()
	if err != nil {
		return condition{}, err
	}
	right, err := p.operand()
	return condition{op: op, left: left, right: right}, err
}

func (p *parser) operator() (operator, error) {
	for _, op := range []operator{equal, unequal, less, atMost, greater, atLeast, contains, has, in} {
		if p.is(string(op)) {
			return op, p.next()
		}
	}
	switch {
	case p.is("="):
		return equal, p.next()
	case p.is("NOT"):
		if err := p.next(); err != nil {
			return "", err
		}
		return notIn, p.expect("IN")
	}
	return "", p.unexpected("an operator")
}

// operand reads a reference, a constant or a list of constants. A list may be
// empty.
func (p *parser) operand() (operand, error) {
	if p.kind == nameToken && !p.constantWord() {
		return p.reference()
	}
	if !p.is("[") {
		v, err := p.constant()
		return operand{constant: v}, err
	}
	list := []any{}
	if err := p.next(); err != nil {
		return operand{}, err
	}
	for !p.is("]") {
		if len(list) > 0 {
			if err := p.expect(","); err != nil {
				return operand{}, err
			}
		}
		v, err := p.constant()
		if err != nil {
			return operand{}, err
		}
		list = append(list, v)
	}
	return operand{constant: list}, p.next()
}

func (p *parser) constantWord() bool { return p.is("true") || p.is("false") || p.is("null") }

func (p *parser) constant() (any, error) {
	var v any
	switch {
	case p.kind == stringToken:
		v = p.text
	case p.kind == numberToken:
		v, _ = strconv.ParseFloat(p.text, 64) // too large becomes infinity
	case p.is("true"), p.is("false"):
		v = p.is("true")
	case !p.is("null"):
		return nil, p.unexpected("a constant or a reference")
	}
	return v, p.next()
}

// keywords cannot start a reference.
var keywords = [...]string{"AND", "OR", "NOT", "IN", "HAS", "CONTAINS"}

// reference reads a dotted path with indexes.
func (p *parser) reference() (operand, error) {
	if slices.ContainsFunc(keywords[:], p.is) {
		return operand{}, p.unexpected("a constant or a reference")
	}
	path := []step{{key: p.text}}
	if err := p.next(); err != nil {
		return operand{}, err
	}
	for {
		switch {
		case p.is("."):
			if err := p.next(); err != nil {
				return operand{}, err
			}
			if p.kind != nameToken {
				return operand{}, p.unexpected("a name")
			}
			path = append(path, step{key: p.text})
			if err := p.next(); err != nil {
				return operand{}, err
			}
		case p.is("["):
			if err := p.next(); err != nil {
				return operand{}, err
			}
			n, err := strconv.Atoi(p.text)
			if err != nil || n < 0 || p.kind != numberToken {
				return operand{}, p.unexpected("an index")
			}
			path = append(path, step{index: n})
			if err := p.next(); err != nil {
				return operand{}, err
			}
			if err := p.expect("]"); err != nil {
				return operand{}, err
			}
		default:
			return operand{path: path}, nil
		}
	}
}
