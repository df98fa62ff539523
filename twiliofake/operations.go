package twiliofake

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/binary"
	"io"
	"strconv"
	"strings"
	"sync"
)

// operationsGzip is the table of operations, which internal/twiliogen generates
// from the source of twilio-go. Its format is documented at writeTable there.
// It is compressed, since the text is six times as long and every program that
// imports this package contains it.
//
//go:embed operations.gz
var operationsGzip []byte

// operations decodes the table on the first request that needs it. All fakes
// share the result, which never changes.
var operations = sync.OnceValue(func() []*operation {
	ops, err := readOperations(operationsGzip)
	if err != nil {
		panic("twiliofake: operations.gz: " + err.Error()) // a test decodes it
	}
	return ops
})

// An operation is one method on one path, as twilio-go calls it. It knows what
// the source of twilio-go and internal/twiliogen/facts.txt say: names, types,
// which parameters are required, the prefix of SIDs. Anything more from
// Twilio's documentation is in rows.
type operation struct {
	*apiPackage
	method, path, name string
	class              string
	status             int
	model              shape  // of the answer, or of an item of a list; zero for none
	prefix             string // of new SIDs
	listKey, style     string
	etag               bool
	extension          bool // the path ends in .json
	params             []param
	body               shape // of a JSON body; zero for none

	// Set when the table is joined to the tree.
	identity string // key of the model's identity field
}

// An apiPackage is one version of a product's API. Shapes refer to models by
// their number in it.
type apiPackage struct {
	name, product string
	standard      bool // errors follow Twilio's API standard v1.0
	models        []*model
}

// A model describes the fields of a JSON object. It is a struct of twilio-go.
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

// A param is a form or query parameter, or a header if header is set. enum
// lists the values that it can have; nil means any.
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
//
// For example, lN3 is a list of objects of model 3, and ps an object whose
// values are strings.
type shape struct {
	code string
	pkg  *apiPackage
}

func (s shape) none() bool  { return s.code == "" }
func (s shape) elem() shape { return shape{s.code[1:], s.pkg} }

// model returns the model that the shape refers to, or nil.
func (s shape) model() *model {
	if s.code == "" || s.code[0] != 'N' {
		return nil
	}
	n, _ := strconv.Atoi(s.code[1:])
	return s.pkg.models[n]
}

func readOperations(packedTable []byte) ([]*operation, error) {
	z, err := gzip.NewReader(bytes.NewReader(packedTable))
	if err != nil {
		return nil, err
	}
	var text strings.Builder
	text.Grow(int(binary.LittleEndian.Uint32(packedTable[len(packedTable)-4:]))) // gzip ends with the size
	if _, err := io.Copy(&text, z); err != nil {
		return nil, err
	}
	r := tableReader{keys: make(map[string]string, 4096), text: text.String()}
	return r.read()
}

// A tableReader decodes the text of the table. It reads a line at a time and
// keeps substrings of the text, so decoding allocates little.
type tableReader struct {
	text string
	keys map[string]string // caches key: most names occur often
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

// model reads a line of a model. "!" marks a field that a body must have, and
// "*" one that cannot be null.
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

// operation reads a line of an operation. Words are separated by single spaces,
// and "-" stands for an empty one.
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

// param returns the form or query parameter with that name. Names are compared
// exactly: Twilio's parameters are case-sensitive.
func (op *operation) param(name string) *param {
	for i := range op.params {
		if p := &op.params[i]; p.name == name && !p.header {
			return p
		}
	}
	return nil
}

// key normalises a name: friendly_name, FriendlyName and friendlyName are the
// same field, and so are createdAt and date_created. A leading underscore is
// kept.
//
// A name without capitals or separators, the common case, is returned without
// an allocation.
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
