package twiliofake

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"io"
	"strconv"
	"strings"
	"sync"
)

// packed is the table of every operation, which internal/twiliogen makes from
// the source of twilio-go; writeTable there describes its format.
//
//go:embed operations.gz
var packed []byte

// operations reads the table when a request first needs it. What it returns is
// shared by all fakes and never changes.
var operations = sync.OnceValue(func() []*operation {
	ops, err := readOperations(packed)
	if err != nil {
		panic("twiliofake: operations.gz: " + err.Error()) // a test reads it
	}
	return ops
})

// An operation is what twilio-go can ask of one path with one method.
type operation struct {
	*apiPackage
	method, path, name string
	class              string
	status             int
	model              shape  // of the answer, or of an item of a list; zero is none
	prefix             string // of new SIDs
	listKey, style     string
	etag               bool
	extension          bool // the path ends in .json
	params             []param
	body               shape // of a JSON body; zero is none

	// What the tree adds.
	identity string // key of the model's field that is the identity
}

// An apiPackage is a version of a product's API.
type apiPackage struct {
	name, product string
	standard      bool // errors have the shape of Twilio's API Standards
	models        []*model
}

// A model is the shape of a JSON object.
type model struct {
	name   string
	fields []modelField
}

type modelField struct {
	name, key string // as on the wire, and normalised
	shape     shape
	nullable  bool
	required  bool // in a body
}

// A param is a parameter of a form, a query or, marked by header, a header.
type param struct {
	name, key string
	shape     shape
	required  bool
	header    bool
	enum      []string
}

// A shape is the type of a value. Its code is one of s (string), i (integer),
// f (float), b (boolean), t (time), d (time as RFC 2822), o (any), m (object),
// N and the number of a model, l or p and the code of the elements of a list or
// an object.
type shape struct {
	code string
	pkg  *apiPackage
}

func (s shape) none() bool  { return s.code == "" }
func (s shape) elem() shape { return shape{s.code[1:], s.pkg} }

// model is the model of a shape that is one.
func (s shape) model() *model {
	if s.code == "" || s.code[0] != 'N' {
		return nil
	}
	n, _ := strconv.Atoi(s.code[1:])
	return s.pkg.models[n]
}

func readOperations(packed []byte) ([]*operation, error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(z)
	if err != nil {
		return nil, err
	}
	r := tableReader{keys: map[string]string{}, text: string(b)}
	return r.read()
}

type tableReader struct {
	text string
	keys map[string]string // names and their keys: most occur often
	pkg  *apiPackage
	ops  []*operation
}

func (r *tableReader) read() ([]*operation, error) {
	r.ops = make([]*operation, 0, 1600)
	for line := range strings.Lines(r.text) {
		what, rest, _ := strings.Cut(line[:len(line)-1], " ")
		switch what {
		case "P":
			name, rest, _ := strings.Cut(rest, " ")
			host, standard, _ := strings.Cut(rest, " ")
			r.pkg = &apiPackage{name: name, product: strings.TrimSuffix(host, ".twilio.com"), standard: standard != ""}
		case "M":
			r.model(rest)
		case "O":
			if err := r.operation(rest); err != nil {
				return nil, err
			}
		}
	}
	return r.ops, nil
}

func (r *tableReader) key(name string) string {
	k, ok := r.keys[name]
	if !ok {
		k = key(name)
		r.keys[name] = k
	}
	return k
}

func (r *tableReader) model(line string) {
	name, rest, _ := strings.Cut(line, " ")
	m := &model{name: name, fields: make([]modelField, 0, strings.Count(rest, ":"))}
	for w := range strings.SplitSeq(rest, " ") {
		name, code, ok := strings.Cut(w, ":")
		if !ok {
			continue
		}
		code, required := strings.CutSuffix(code, "!")
		code, plain := strings.CutSuffix(code, "*")
		m.fields = append(m.fields, modelField{name, r.key(name), shape{code, r.pkg}, !plain, required})
	}
	r.pkg.models = append(r.pkg.models, m)
}

func (r *tableReader) operation(line string) error {
	word := func() string {
		w, rest, _ := strings.Cut(line, " ")
		line = rest
		if w == "-" {
			return ""
		}
		return w
	}
	op := &operation{apiPackage: r.pkg, method: word(), path: word(), name: word(), class: word()}
	var err error
	if op.status, err = strconv.Atoi(word()); err != nil {
		return err
	}
	op.model = shape{word(), r.pkg}
	op.prefix, op.listKey, op.style = word(), word(), word()
	flags := word()
	op.etag, op.extension = strings.Contains(flags, "e"), strings.Contains(flags, "j")
	if n := strings.Count(line, ":"); n > 0 {
		op.params = make([]param, 0, n)
	}
	for line != "" {
		name, code, _ := strings.Cut(word(), ":")
		code, enum, _ := strings.Cut(code, "=")
		code, required := strings.CutSuffix(code, "!")
		code, header := strings.CutSuffix(code, "^")
		if name == "@" {
			op.body = shape{code, r.pkg}
			continue
		}
		p := param{name: name, key: r.key(name), shape: shape{code, r.pkg}, required: required, header: header}
		if enum != "" {
			p.enum = strings.Split(enum, "|")
		}
		op.params = append(op.params, p)
	}
	r.ops = append(r.ops, op)
	return nil
}

// param returns the form or query parameter of that name.
func (op *operation) param(name string) *param {
	for i := range op.params {
		if p := &op.params[i]; p.name == name && !p.header {
			return p
		}
	}
	return nil
}

// key normalises a name: friendly_name, FriendlyName and friendlyName are one
// field, and so are createdAt and date_created. An underscore at the beginning
// stays.
func key(name string) string {
	clean := true
	for i := range len(name) {
		if c := name[i]; 'A' <= c && c <= 'Z' || i > 0 && (c == '_' || c == '.' || c == '-') {
			clean = false
			break
		}
	}
	if !clean {
		b := make([]byte, 0, len(name))
		for i := range len(name) {
			switch c := name[i]; {
			case 'A' <= c && c <= 'Z':
				b = append(b, c+'a'-'A')
			case i > 0 && (c == '_' || c == '.' || c == '-'):
			default:
				b = append(b, c)
			}
		}
		name = string(b)
	}
	switch name {
	case "createdat":
		return "datecreated"
	case "updatedat":
		return "dateupdated"
	}
	return name
}
