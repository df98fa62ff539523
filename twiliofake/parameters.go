package twiliofake

import (
	"cmp"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An argument is one parameter of a request in the generic layer. The name is
// Twilio's, as sent.
type argument struct {
	name  string
	value any
}

// parameters reads the request's parameters and checks them against the table:
// unknown, missing and ill-typed ones are refused. It also checks the query,
// unless the request is for a list.
//
// The result is in the order of the names, so that if there are several faults,
// the same one is reported each time. Headers among the operation's parameters,
// such as If-Match, are read elsewhere.
func (c *call) parameters() ([]argument, *apiError) {
	if !c.op.body.none() {
		return c.jsonParameters()
	}
	sent, where := c.form, "post body"
	if c.method == "GET" || c.method == "DELETE" {
		sent, where = c.query, "query"
	}
	var out []argument
	for _, name := range slices.Sorted(maps.Keys(sent)) {
		if c.method == "GET" && isPaging(name) {
			continue
		}
		p := c.op.param(name)
		if p == nil {
			return nil, invalid("Unknown parameter %.100q in the %s", name, where)
		}
		v, ok := p.parse(sent[name])
		if !ok {
			return nil, invalid("Invalid value for parameter %s: %.100q", name, cmp.Or(sent[name]...))
		}
		out = append(out, argument{name, v})
	}
	for i := range c.op.params {
		if p := &c.op.params[i]; p.required && !p.header && cmp.Or(sent[p.name]...) == "" {
			return nil, invalid("Missing required parameter %s in the %s", p.name, where)
		}
	}
	return out, nil
}

// isPaging reports whether a query parameter asks for a page and is not a
// filter. Both spellings occur: the newer APIs write names in camel case.
func isPaging(name string) bool {
	return slices.Contains([]string{"Page", "PageSize", "PageToken", "pageSize", "pageToken"}, name)
}

// parse parses the values of a form parameter. An enumeration may be empty,
// which clears the field.
func (p *param) parse(values []string) (any, bool) {
	if p.shape.code[0] == 'l' {
		out := make([]any, 0, len(values))
		elem := p.shape.elem()
		for _, s := range values {
			v, ok := elem.parse(s)
			if !ok || !p.allows(s) {
				return nil, false
			}
			out = append(out, v)
		}
		return out, true
	}
	s := ""
	if len(values) > 0 {
		s = values[0]
	}
	v, ok := p.shape.parse(s)
	return v, ok && (s == "" || p.allows(s))
}

// allows reports whether an enumeration has the value, ignoring case as Twilio
// does.
func (p *param) allows(s string) bool {
	return len(p.enum) == 0 || slices.ContainsFunc(p.enum, func(e string) bool { return strings.EqualFold(e, s) })
}

// parse converts the text of a parameter. The result has a type that records
// hold. If the shape allows any type, text that parses as JSON becomes that
// value, and other text a string.
func (s shape) parse(text string) (any, bool) {
	switch s.code[0] {
	case 'i':
		n, err := strconv.Atoi(text)
		return n, err == nil
	case 'f':
		n, err := strconv.ParseFloat(text, 64)
		return n, err == nil && !math.IsInf(n, 0) && !math.IsNaN(n)
	case 'b':
		return boolean.parse([]string{text})
	case 't':
		t, err := parseTime(text)
		return t.Format(time.RFC3339), err == nil
	case 'm', 'p', 'N':
		m, err := decodeObject([]byte(text))
		return m, err == nil
	case 'o':
		if v, err := decodeJSON(text); err == nil {
			return v, true
		}
	case 'l':
		v, err := decodeJSON(text)
		l, ok := v.([]any)
		return l, ok && err == nil
	}
	return text, true
}

// jsonParameters reads a JSON body and checks it against its model. Fields are
// in the order of the model. A body that is not an object, such as a list, is
// one argument named _body.
func (c *call) jsonParameters() ([]argument, *apiError) {
	body := c.body
	if len(body) == 0 {
		body = []byte("{}")
	}
	v, err := decodeJSON(string(body))
	if err != nil {
		return nil, invalid("The body is not JSON: %v", err)
	}
	if bad := c.op.body.misfit(v, "the body"); bad != "" {
		return nil, invalid("%s", bad)
	}
	m, ok := v.(map[string]any)
	model := c.op.body.model()
	if !ok || model == nil {
		return []argument{{"_body", v}}, nil
	}
	var out []argument
	for i := range model.fields {
		if v, ok := m[model.fields[i].name]; ok {
			out = append(out, argument{model.fields[i].name, v})
		}
	}
	return out, nil
}

// misfit describes how a JSON value differs from the shape; "" if it does not.
// where names the value, in dots and brackets, as in "the
// body.channels[0].type". null fits everything; misfitObject checks whether a
// field may be missing.
func (s shape) misfit(v any, where string) string {
	wrong := func(want string) string { return "Invalid value for " + where + ": expected " + want }
	if v == nil {
		return ""
	}
	switch s.code[0] {
	case 's', 't', 'd':
		text, ok := v.(string)
		if !ok {
			return wrong("a string")
		}
		if _, err := parseTime(text); s.code[0] == 't' && err != nil {
			return wrong("a time")
		}
	case 'i':
		n, ok := v.(json.Number)
		if !ok {
			return wrong("an integer")
		}
		if _, err := n.Int64(); err != nil {
			return wrong("an integer")
		}
	case 'f':
		if _, ok := v.(json.Number); !ok {
			return wrong("a number")
		}
	case 'b':
		if _, ok := v.(bool); !ok {
			return wrong("true or false")
		}
	case 'l':
		l, ok := v.([]any)
		if !ok {
			return wrong("an array")
		}
		for i, e := range l {
			if bad := s.elem().misfit(e, where+"["+strconv.Itoa(i)+"]"); bad != "" {
				return bad
			}
		}
	case 'm', 'p', 'N':
		m, ok := v.(map[string]any)
		if !ok {
			return wrong("an object")
		}
		return s.misfitObject(m, where)
	}
	return ""
}

// misfitObject is misfit for an object. It counts the known keys, so that only
// a body with unknown ones has to be sorted.
func (s shape) misfitObject(m map[string]any, where string) string {
	model := s.model()
	if model == nil {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if s.code[0] != 'p' {
				break
			}
			if bad := s.elem().misfit(m[k], where+"."+k); bad != "" {
				return bad
			}
		}
		return ""
	}
	known := 0
	for i := range model.fields {
		f := &model.fields[i]
		v, ok := m[f.name]
		if ok {
			known++
		}
		if f.required && v == nil {
			return "Missing required parameter " + f.name + " in " + where
		}
		if bad := f.shape.misfit(v, where+"."+f.name); bad != "" {
			return bad
		}
	}
	if known < len(m) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if !slices.ContainsFunc(model.fields, func(f modelField) bool { return f.name == k }) {
				return "Unknown parameter " + strconv.Quote(k) + " in " + where
			}
		}
	}
	return ""
}
