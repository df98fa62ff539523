package openapi

import (
	"cmp"
	"encoding"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/flexfn/flexfn/internal/kind"
	"github.com/flexfn/flexfn/internal/oas"
)

// schemas makes JSON schemas of Go types, as encoding/json reads and writes
// them. Structs with a name become components. A component's name is reserved
// before its fields are looked at, so that a type may contain itself.
type schemas struct {
	components map[string]*oas.Schema
	names      map[typeUse]string
}

// typeUse says whether a type is written or read. A value that is read may lack
// any field, since encoding/json leaves missing fields alone, while a written
// value has them all; so a type used for both has two schemas.
type typeUse struct {
	t    reflect.Type
	read bool
}

var (
	timeType            = reflect.TypeFor[time.Time]()
	durationType        = reflect.TypeFor[time.Duration]()
	numberType          = reflect.TypeFor[json.Number]()
	rawMessageType      = reflect.TypeFor[json.RawMessage]()
	jsonMarshalerType   = reflect.TypeFor[json.Marshaler]()
	textMarshalerType   = reflect.TypeFor[encoding.TextMarshaler]()
	jsonUnmarshalerType = reflect.TypeFor[json.Unmarshaler]()
	textUnmarshalerType = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// typed is the schema of any value of one JSON type.
func typed(name string) *oas.Schema { return &oas.Schema{Type: oas.Types{name}} }

// nullable also admits null. A reference cannot have siblings, so null
// becomes an alternative to it.
func nullable(s *oas.Schema) *oas.Schema {
	switch {
	case s.Ref != "":
		return &oas.Schema{AnyOf: []*oas.Schema{s, typed("null")}}
	case len(s.AnyOf) > 0:
		s.AnyOf = append(s.AnyOf, typed("null"))
	case len(s.Type) > 0 && !slices.Contains(s.Type, "null"):
		s.Type = append(s.Type, "null")
	}
	return s
}

// parameter returns the schema of a parameter's value in a JSON body.
//
// It differs from schema: a parameter is read by flexfn's own rules, under
// which a number may come as a string, a duration as seconds, and a single
// value as a list of one. The document describes what a client should send
// rather than all that is accepted.
func (g *schemas) parameter(p Parameter) *oas.Schema {
	s := typed("string")
	if p.Type != nil {
		s = g.input(p.Type, p.Kind)
	}
	if s.Ref != "" && (p.Purpose+p.Doc != "" || p.Example != "") {
		s = &oas.Schema{Ref: s.Ref} // the schema may be shared
	}
	s.Description = cmp.Or(p.Purpose, p.Doc, s.Description)
	if p.Required && slices.Equal(s.Type, oas.Types{"string"}) && s.Pattern == "" {
		s.MinLength = 1 // an empty text counts as missing
	}
	if p.Required && slices.Equal(s.Type, oas.Types{"array"}) {
		s.MinItems = 1
	}
	if p.Example != "" {
		s.Examples = []any{example(s, p.Example)}
	}
	return s
}

// example returns text, from the example tag, as a value of the schema's type:
// in a document 5 is an example of an integer, and "5" is not.
func example(s *oas.Schema, text string) any {
	if slices.Contains(s.Type, "string") || !json.Valid([]byte(text)) {
		if slices.Equal(s.Type, oas.Types{"array"}) {
			return []any{example(s.Items, text)} // a single value is a list of one
		}
		return text
	}
	return json.RawMessage(text)
}

// input returns the schema of a type as flexfn reads a parameter.
//
// Pointers are not nullable here: null counts as absent.
func (g *schemas) input(t reflect.Type, tag string) *oas.Schema {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case tag != "" && t.Kind() == reflect.String:
		return ofKind(tag)
	case t == timeType:
		return &oas.Schema{Type: oas.Types{"string"}, Format: "date-time"}
	case t == durationType:
		return &oas.Schema{Type: oas.Types{"number", "string"}, Description: "a number of seconds, or a time span such as 1m30s"}
	case t == numberType:
		return typed("number")
	case t == rawMessageType:
		return &oas.Schema{}
	case t.Kind() == reflect.Interface:
		return &oas.Schema{Type: oas.Types{"string", "object", "array"}}
	case reflect.PointerTo(t).Implements(textUnmarshalerType):
		return typed("string")
	case reflect.PointerTo(t).Implements(jsonUnmarshalerType):
		return &oas.Schema{}
	case t.Kind() == reflect.Slice:
		return &oas.Schema{Type: oas.Types{"array"}, Items: g.input(t.Elem(), tag)}
	}
	return g.schema(t, true)
}

// ofKind returns the schema of a kind tag, which [flexfn.Function] has
// checked.
func ofKind(tag string) *oas.Schema {
	s := typed("string")
	if k, err := kind.Of(tag); err == nil {
		s.Kind, s.Format, s.Pattern = k.Name, k.Format, k.Pattern
	}
	return s
}

// schema returns the schema of a type as encoding/json treats it.
//
// Structs with a name become components, and so do lists and maps that contain
// themselves, which have to refer to themselves by name. Everything else is
// written out where it is used.
func (g *schemas) schema(t reflect.Type, read bool) *oas.Schema {
	if t.Name() != "" && recursive(t) && special(t, read) == nil {
		return g.component(t, read)
	}
	if t.Kind() == reflect.Pointer {
		return nullable(g.schema(t.Elem(), read))
	}
	if t.Kind() == reflect.Struct && t.Name() != "" && special(t, read) == nil {
		return g.component(t, read)
	}
	return g.inline(t, read)
}

// special returns the schema of a type that is encoded otherwise than its
// kind; nil for other types.
//
// A Duration is an integer of nanoseconds, since encoding/json writes it so. A
// type with MarshalText is a string of unknown form. An interface may hold
// anything.
func special(t reflect.Type, read bool) *oas.Schema {
	ownJSON, ownText := t.Implements(jsonMarshalerType) || reflect.PointerTo(t).Implements(jsonMarshalerType), t.Implements(textMarshalerType)
	if read {
		ownJSON = reflect.PointerTo(t).Implements(jsonUnmarshalerType)
		ownText = reflect.PointerTo(t).Implements(textUnmarshalerType)
	}
	switch {
	case t == timeType:
		return &oas.Schema{Type: oas.Types{"string"}, Format: "date-time"}
	case t == durationType:
		return &oas.Schema{Type: oas.Types{"integer"}, Format: "int64", Description: "nanoseconds"}
	case t == numberType:
		return typed("number")
	case ownJSON, t.Kind() == reflect.Interface:
		return &oas.Schema{}
	case ownText:
		return typed("string")
	}
	return nil
}

// inline returns the schema of t itself, without a reference to a component. t
// is not a pointer.
//
// Bounds are given where JSON's numbers are wider than Go's: a client is told
// that 300 does not fit a uint8, and a 64-bit integer gets a format instead,
// since most clients could not hold its bound. Slices and maps may be null, as
// encoding/json writes nil ones.
func (g *schemas) inline(t reflect.Type, read bool) *oas.Schema {
	if s := special(t, read); s != nil {
		return s
	}
	switch t.Kind() {
	case reflect.String:
		return typed("string")
	case reflect.Bool:
		return typed("boolean")
	case reflect.Float32, reflect.Float64:
		return typed("number")
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		s := typed("integer")
		bits := t.Bits()
		if bits >= 32 {
			s.Format = fmt.Sprintf("int%d", bits)
		}
		if bits < 64 {
			s.Minimum = json.Number(strconv.Itoa(-1 << (bits - 1)))
			s.Maximum = json.Number(strconv.Itoa(1<<(bits-1) - 1))
		}
		return s
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		s := typed("integer")
		s.Minimum = "0"
		if bits := t.Bits(); bits < 64 {
			s.Maximum = json.Number(strconv.FormatUint(math.MaxUint64>>(64-bits), 10))
		} else {
			s.Format = "uint64"
		}
		return s
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return &oas.Schema{Type: oas.Types{"string", "null"}, ContentEncoding: "base64"}
		}
		return &oas.Schema{Type: oas.Types{"array", "null"}, Items: g.schema(t.Elem(), read)}
	case reflect.Array:
		s := &oas.Schema{Type: oas.Types{"array"}, Items: g.schema(t.Elem(), read)}
		if !read { // when reading, encoding/json pads and truncates arrays
			s.MinItems, s.MaxItems = t.Len(), new(t.Len())
		}
		return s
	case reflect.Map:
		return &oas.Schema{Type: oas.Types{"object", "null"}, AdditionalProperties: g.schema(t.Elem(), read)}
	case reflect.Struct:
		return g.structure(t, read)
	}
	return &oas.Schema{} // channels and functions: encoding/json refuses them
}

// recursive reports whether t is a list, map, array or pointer that contains
// itself, as type List []List does, so that its schema has to refer to itself.
func recursive(t reflect.Type) bool {
	seen := map[reflect.Type]bool{}
	var within func(u reflect.Type) bool
	within = func(u reflect.Type) bool {
		switch u.Kind() {
		case reflect.Slice, reflect.Array, reflect.Map, reflect.Pointer:
			u = u.Elem()
			if u == t {
				return true
			}
			if seen[u] {
				return false
			}
			seen[u] = true
			return within(u)
		case reflect.Struct:
			if u.Name() != "" {
				return false // a component of its own
			}
			for f := range u.Fields() {
				if f.Type == t || within(f.Type) {
					return true
				}
			}
		}
		return false
	}
	return t.Kind() != reflect.Struct && within(t)
}

// component refers to the schema of a named type.
func (g *schemas) component(t reflect.Type, read bool) *oas.Schema {
	use := typeUse{t, read}
	name, ok := g.names[use]
	if !ok {
		name = g.name(use)
		g.names[use] = name
		g.components[name] = nil // taken; the type may contain itself
		g.components[name] = g.inline(t, read)
	}
	return &oas.Schema{Ref: oas.SchemaRef + name}
}

// name returns a free name for a struct: its own or, if that is taken, with
// its package's name before it or a number after it.
func (g *schemas) name(use typeUse) string {
	own := typeName(use.t)
	if use.read {
		own += "Input"
	}
	_, pkg, _ := strings.Cut("/"+use.t.PkgPath(), "/")
	pkg = pkg[strings.LastIndexByte(pkg, '/')+1:]
	for i := 1; ; i++ {
		for _, name := range []string{own, identifier(pkg) + own} {
			if i > 1 {
				name += strconv.Itoa(i)
			}
			if _, taken := g.components[name]; !taken {
				return name
			}
		}
	}
}

// typeName returns the name of a type as one word. Type arguments follow
// without their packages: Page[example.com/crm.Customer] becomes PageCustomer.
func typeName(t reflect.Type) string {
	name, arguments, _ := strings.Cut(t.Name(), "[")
	for argument := range strings.FieldsFuncSeq(arguments, func(r rune) bool { return strings.ContainsRune("[]*, ", r) }) {
		argument, _, _ = strings.Cut(argument[strings.LastIndexAny(argument, "/.")+1:], "·")
		name += " " + argument
	}
	return identifier(name)
}

// identifier returns s as one CamelCase word.
//
// Letters outside ASCII are left out, since not every language that clients
// are generated for has them in names.
func identifier(s string) string {
	var b strings.Builder
	upper := true
	for _, r := range s {
		switch {
		case r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r):
			upper = true
			continue
		case upper:
			r = unicode.ToUpper(r)
		}
		upper = false
		b.WriteRune(r)
	}
	return b.String()
}

// structure returns the schema of a struct's fields.
//
// Fields that are always written are required: not those with omitempty or
// omitzero, nor those of an embedded pointer, which may be nil. In a type that
// is read, none is required.
func (g *schemas) structure(t reflect.Type, read bool) *oas.Schema {
	s := typed("object")
	fields := map[string]field{}
	collect(t, 0, false, map[reflect.Type]bool{}, fields)
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		f := fields[name]
		if f.ambiguous {
			continue
		}
		p := g.schema(f.t, read)
		optional := f.optional || f.omit
		switch k := f.t.Kind(); {
		case f.quoted && quotable(f.t):
			if p = typed("string"); k == reflect.Pointer {
				p = nullable(p)
			}
			if f.omit && !read {
				p = withoutNull(p)
			}
		case f.omit && !read && (k == reflect.Pointer || k == reflect.Slice || k == reflect.Map):
			p = withoutNull(p)
		}
		if f.doc != "" {
			p.Description = f.doc
		}
		if s.Properties == nil {
			s.Properties = map[string]*oas.Schema{}
		}
		s.Properties[name] = p
		if !optional && !read {
			s.Required = append(s.Required, name)
		}
	}
	return s
}

// quotable reports whether the tag option "string" has an effect on t.
func quotable(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	k := t.Kind()
	return k == reflect.Bool || k == reflect.String || k >= reflect.Int && k <= reflect.Float64
}

// withoutNull removes null from a schema, for a field that is left out instead
// of being null.
func withoutNull(s *oas.Schema) *oas.Schema {
	if len(s.AnyOf) == 2 && slices.Equal(s.AnyOf[1].Type, oas.Types{"null"}) {
		return s.AnyOf[0]
	}
	s.Type = slices.DeleteFunc(s.Type, func(t string) bool { return t == "null" })
	return s
}

// field is a field as encoding/json sees it.
type field struct {
	t                                         reflect.Type
	depth                                     int
	tagged, ambiguous, omit, optional, quoted bool
	doc                                       string
}

// collect gathers fields, those of embedded structs included. Of several with
// the same name it keeps the one that encoding/json does: the least nested,
// then the tagged one, or none if that does not decide.
func collect(t reflect.Type, depth int, optional bool, within map[reflect.Type]bool, fields map[string]field) {
	if within[t] {
		return
	}
	within[t] = true
	defer delete(within, t)
	for i := range t.NumField() {
		sf := t.Field(i)
		tag := sf.Tag.Get("json")
		name, options, _ := strings.Cut(tag, ",")
		ft := sf.Type
		if ft.Kind() == reflect.Pointer && sf.Anonymous {
			ft = ft.Elem()
		}
		switch {
		case tag == "-":
			continue
		case sf.Anonymous && name == "" && ft.Kind() == reflect.Struct:
			collect(ft, depth+1, optional || sf.Type.Kind() == reflect.Pointer, within, fields)
			continue
		case !sf.IsExported():
			continue
		}
		list := strings.Split(options, ",")
		f := field{
			t: sf.Type, depth: depth, tagged: name != "", optional: optional,
			omit:   slices.Contains(list, "omitzero") || slices.Contains(list, "omitempty") && sf.Type.Kind() != reflect.Struct,
			quoted: slices.Contains(list, "string"), doc: cmp.Or(sf.Tag.Get("purpose"), sf.Tag.Get("doc")),
		}
		name = cmp.Or(name, sf.Name)
		old, taken := fields[name]
		switch {
		case !taken || f.depth < old.depth || f.depth == old.depth && f.tagged && !old.tagged:
			fields[name] = f
		case f.depth == old.depth && f.tagged == old.tagged:
			old.ambiguous = true
			fields[name] = old
		}
	}
}
