package flexfn

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flexfn/flexfn/internal/form"
	"github.com/flexfn/flexfn/internal/jsonshape"
	"github.com/flexfn/flexfn/internal/kind"
	"github.com/flexfn/flexfn/internal/sid"
	"github.com/flexfn/flexfn/openapi"
)

// validator is implemented by inputs with rules that tags cannot express. The
// struct or its pointer may have the method.
type validator interface{ Validate() error }

// parameter is a parameter with its field in the struct, and how to set it.
type parameter struct {
	openapi.Parameter
	index []int
	set   setter
	one   bool // takes one value, not a list
}

// setter sets field to v. If v does not fit, it returns the end of the sentence
// "expected …" for the caller; field may then be half set, but the handler does
// not run. Setters are made when a function is defined, so that a request does
// not inspect types.
type setter func(field reflect.Value, v value) (expected string)

// parametersOf reads the fields of a struct type, embedded structs included.
// An error means that the struct's definition is faulty.
func parametersOf(t reflect.Type) ([]parameter, error) {
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("the input is %s: it must be a struct or flexfn.Event", t)
	}
	d := definition{names: map[string]string{}}
	d.add(t, nil)
	return d.list, errors.Join(d.faults...)
}

// definition collects the parameters of a type and everything that is wrong
// with them, so that one run of the program shows all faults.
type definition struct {
	list   []parameter
	names  map[string]string // parameter → field
	faults []error
}

// add adds the fields of struct type t, which is at index parent within the
// input. It continues after a fault, so that all of them are reported together.
func (d *definition) add(t reflect.Type, parent []int) {
	for i := range t.NumField() {
		f := t.Field(i)
		tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		index := append(parent[:len(parent):len(parent)], i)
		fault := func(format string, args ...any) {
			d.faults = append(d.faults, fmt.Errorf("%s.%s: %s", t, f.Name, fmt.Sprintf(format, args...)))
		}
		if err := checkTag(f.Tag); err != nil {
			fault("%v", err)
		}
		if f.Anonymous && tag == "" {
			if f.Type.Kind() == reflect.Struct {
				d.add(f.Type, index)
				continue
			}
			if f.Type.Kind() == reflect.Pointer {
				fault("a pointer is embedded: embed %s itself", f.Type.Elem())
				continue
			}
		}
		if !f.IsExported() || tag == "-" {
			continue
		}
		if containsItself(f.Type) {
			fault("%s contains nothing but itself, so no value can be sent for it", f.Type)
			continue
		}
		p := parameter{index: index}
		p.Name, p.Kind, p.Doc, p.Type = tag, f.Tag.Get("kind"), f.Tag.Get("doc"), f.Type
		p.Example = f.Tag.Get("example")
		if p.Name == "" {
			p.Name = f.Name
		}
		p.Purpose, p.Required = f.Tag.Lookup("purpose")
		if p.Required && p.Purpose == "" {
			fault("the purpose tag is empty: say what the parameter is for, or leave the tag out when it is optional")
		}
		if other, ok := d.names[p.Name]; ok {
			fault("the parameter %q is also field %s", p.Name, other)
		}
		d.names[p.Name] = f.Name
		p.one = f.Type.Kind() != reflect.Slice && f.Type.Kind() != reflect.Interface
		var err error
		if p.set, err = setterFor(f.Type, p.Kind); err != nil {
			fault("%v", err)
		} else if p.Example != "" {
			if expected := p.set(reflect.New(f.Type).Elem(), value{kind: stringValue, text: p.Example}); expected != "" {
				fault("the example %q does not fit: expected %s", p.Example, expected)
			}
		}
		d.list = append(d.list, p)
	}
}

// checkTag refuses tags that reflect.StructTag would silently ignore: unknown
// keys, such as a misspelt one, and tags that it cannot parse.
func checkTag(tag reflect.StructTag) error {
	for rest := strings.TrimLeft(string(tag), " "); rest != ""; rest = strings.TrimLeft(rest, " ") {
		key, after, _ := strings.Cut(rest, ":")
		quoted, err := strconv.QuotedPrefix(after)
		if err != nil || !strings.HasPrefix(quoted, `"`) || key == "" || strings.ContainsAny(key, " ,\"\t\n") {
			return fmt.Errorf("the tag cannot be read at %q: write key:\"text\", with one space between two", rest)
		}
		if !slices.Contains(knownTags[:], key) {
			return fmt.Errorf("the tag %s is unknown: a parameter has %s", key, strings.Join(knownTags[:], ", "))
		}
		rest = after[len(quoted):]
	}
	return nil
}

// knownTags are the keys that a field's tag may have. docs/parameters.md
// explains them.
var knownTags = [...]string{"json", "purpose", "doc", "example", "kind"}

// containsItself reports whether t consists of itself through lists, maps and
// pointers alone, as type L []L does: setterFor would never return. A struct in
// between ends the search, because encoding/json decodes structs.
func containsItself(t reflect.Type) bool {
	seen := map[reflect.Type]bool{}
	for !seen[t] {
		seen[t] = true
		switch t.Kind() {
		case reflect.Slice, reflect.Array, reflect.Map, reflect.Pointer:
			t = t.Elem()
		default:
			return false
		}
	}
	return true
}

var (
	timeType            = reflect.TypeFor[time.Time]()
	durationType        = reflect.TypeFor[time.Duration]()
	numberType          = reflect.TypeFor[json.Number]()
	rawMessageType      = reflect.TypeFor[json.RawMessage]()
	textUnmarshalerType = reflect.TypeFor[encoding.TextUnmarshaler]()
	jsonUnmarshalerType = reflect.TypeFor[json.Unmarshaler]()
)

// setterFor returns the setter for type t with the given kind tag. The error
// says why t cannot be a parameter.
//
// The order of the cases is the order of precedence: a kind tag, then flexfn's
// own types, then what the type says about itself, then its kind in Go. For a
// type that can decode itself from both text and JSON, text wins, since forms
// hold text.
func setterFor(t reflect.Type, tag string) (setter, error) {
	if t.Kind() == reflect.Pointer {
		set, err := setterFor(t.Elem(), tag)
		return func(field reflect.Value, v value) string {
			field.Set(reflect.New(t.Elem()))
			return set(field.Elem(), v)
		}, err
	}
	if tag != "" {
		k, err := kind.Of(tag)
		if err != nil {
			return nil, err
		}
		switch {
		case t.Kind() == reflect.String && t != numberType:
			return func(field reflect.Value, v value) string {
				if expected := setString(field, v); expected != "" {
					return expected
				}
				if !k.Check(field.String()) {
					return k.Expected
				}
				return ""
			}, nil
		case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.String:
			return sliceSetter(t, tag)
		}
		return nil, fmt.Errorf("the kind tag is for strings, not for %s", t)
	}
	switch {
	case t == timeType:
		return setTime, nil
	case t == durationType:
		return setDuration, nil
	case t == numberType:
		return setNumber, nil
	case t == rawMessageType, t.Kind() == reflect.Interface && t.NumMethod() == 0:
		return setAny, nil
	case reflect.PointerTo(t).Implements(textUnmarshalerType):
		return setText, nil
	case reflect.PointerTo(t).Implements(jsonUnmarshalerType):
		return setJSON, nil
	}
	switch t.Kind() {
	case reflect.String:
		return setString, nil
	case reflect.Bool:
		return setBool, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return setInt, nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return setUint, nil
	case reflect.Float32, reflect.Float64:
		return setFloat, nil
	case reflect.Slice:
		if t.Elem().Kind() != reflect.Uint8 {
			return sliceSetter(t, "")
		}
	case reflect.Struct, reflect.Map, reflect.Array:
		return setJSON, nil
	}
	return nil, fmt.Errorf("a parameter cannot be %s", t)
}

// ValidSID reports whether s is one of prefixes, two capital letters each,
// followed by 32 hex digits in lower case, as every SID of Twilio is. Check
// what callers send before you put it into the path of an API URL; the kind tag
// does so for parameters. Without prefixes the result is false.
//
//	if !flexfn.ValidSID(in.Sid, "CH", "CA") {
//		return nil, flexfn.Errorf(http.StatusBadRequest, "sid is neither a conversation's nor a call's")
//	}
//
// It checks the form only: the resource may not exist, or may belong to another
// account that the credentials reach.
func ValidSID(s string, prefixes ...string) bool {
	return len(prefixes) > 0 && sid.Valid(s, prefixes...)
}

// got says what was sent, to follow "expected …". It repeats values of up to 24
// bytes, so it is called only where a boolean, a number or a time was expected.
// For strings, setString calls it only if v is an object or a list, so text
// that may be personal is never repeated.
func got(v value) string {
	switch v.kind {
	case listValue:
		return fmt.Sprintf("; it was given %d times", len(v.list))
	case objectValue:
		return ", not an object"
	case arrayValue:
		return ", not a list"
	case numberValue, boolValue, stringValue:
		if len(v.text) <= 24 {
			return fmt.Sprintf(", not %q", v.text)
		}
	}
	return ""
}

// isText reports whether v is a single value with a textual form. Forms have
// only strings, so every type accepts a number in a string as well as a number.
func (v value) isText() bool {
	return v.kind == stringValue || v.kind == numberValue || v.kind == boolValue
}

// setString takes any single value, and a number or boolean as it was written:
// a telephone number or a postal code without quotes in JSON keeps its digits.
func setString(field reflect.Value, v value) string {
	if !v.isText() {
		return "a string" + got(v)
	}
	field.SetString(v.text)
	return ""
}

// setBool takes true and false only, since "1", "yes" and "on" are as often
// mistakes as intended.
func setBool(field reflect.Value, v value) string {
	switch {
	case !v.isText(), v.kind == numberValue, v.text != "true" && v.text != "false":
		return "true or false" + got(v)
	}
	field.SetBool(v.text == "true")
	return ""
}

// setInt takes decimal digits with an optional sign that fit the field's type;
// 1.0 and 1e3 are refused.
func setInt(field reflect.Value, v value) string {
	n, err := strconv.ParseInt(v.text, 10, field.Type().Bits())
	if err != nil || !v.isText() {
		return "a whole number" + limits(err, field.Type()) + got(v)
	}
	field.SetInt(n)
	return ""
}

// setUint is setInt without negative numbers.
func setUint(field reflect.Value, v value) string {
	n, err := strconv.ParseUint(v.text, 10, field.Type().Bits())
	if err != nil || !v.isText() {
		return "a whole number, zero or more" + limits(err, field.Type()) + got(v)
	}
	field.SetUint(n)
	return ""
}

// limits returns the size of t, to follow what was expected, if the number was
// out of range.
func limits(err error, t reflect.Type) string {
	if errors.Is(err, strconv.ErrRange) {
		return fmt.Sprintf(" of at most %d bits", t.Bits())
	}
	return ""
}

// setFloat takes a number as JSON writes it, so neither NaN nor hexadecimal. A
// number that is too large for the field is refused rather than stored as
// infinity.
func setFloat(field reflect.Value, v value) string {
	n, err := strconv.ParseFloat(v.text, field.Type().Bits())
	if err != nil || !v.isText() || !isNumber(v.text) || math.IsInf(n, 0) {
		return "a number" + limits(err, field.Type()) + got(v)
	}
	field.SetFloat(n)
	return ""
}

// setNumber keeps the digits as they were sent, however many there are.
func setNumber(field reflect.Value, v value) string {
	if !v.isText() || !isNumber(v.text) {
		return "a number" + got(v)
	}
	field.SetString(v.text)
	return ""
}

// isNumber reports whether s is a number as JSON writes it.
func isNumber(s string) bool {
	return s != "" && (s[0] == '-' || '0' <= s[0] && s[0] <= '9') && json.Valid([]byte(s))
}

// setTime takes RFC 3339 with its time zone: a time without one would mean a
// different moment on each host.
func setTime(field reflect.Value, v value) string {
	t, err := time.Parse(time.RFC3339, v.text)
	if err != nil || v.kind != stringValue {
		return "a time such as 2026-01-31T15:04:05Z" + got(v)
	}
	field.Set(reflect.ValueOf(t))
	return ""
}

// setDuration takes Go's notation, and a bare number as seconds, which is
// Twilio's unit.
func setDuration(field reflect.Value, v value) string {
	const expected = "a time span: a number of seconds, or one such as 1m30s"
	if !v.isText() {
		return expected + got(v)
	}
	text := v.text
	if isNumber(text) {
		text += "s"
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return expected + got(v)
	}
	field.SetInt(int64(d))
	return ""
}

// setText has the type read its own text. The error is shown to the caller.
func setText(field reflect.Value, v value) string {
	if !v.isText() {
		return "a string" + got(v)
	}
	if err := field.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(v.text)); err != nil {
		return "another value: " + err.Error()
	}
	return ""
}

// jsonText returns the JSON that v holds. A string must itself be JSON, since
// plugins send nested values with JSON.stringify. It checks the bounds of such
// a string, which the check of the body did not see.
func (v value) jsonText() (text string, ok bool) {
	if v.kind == listValue {
		return "", false
	}
	if v.kind != stringValue {
		return v.text, true
	}
	text = form.TrimBOM(v.text)
	return text, json.Valid([]byte(text)) && jsonshape.Check(text) == nil
}

// setJSON decodes nested JSON into a struct, a map, an array, or a type that
// decodes itself. Numbers in untyped parts keep their digits.
func setJSON(field reflect.Value, v value) string {
	what := "JSON"
	switch field.Kind() {
	case reflect.Struct, reflect.Map:
		what = "a JSON object"
	case reflect.Array, reflect.Slice:
		what = "a JSON list"
	}
	text, ok := v.jsonText()
	if !ok {
		return what
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	err := d.Decode(field.Addr().Interface())
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && wrong.Field != "" {
		return fmt.Sprintf("%s whose %s is %s", what, wrong.Field, describe(wrong.Type))
	}
	if err != nil {
		return what
	}
	return ""
}

// describe returns the JSON value that a nested field of type t needs, to
// follow "is".
func describe(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Slice, reflect.Array:
		return "a list"
	}
	if t.Kind() >= reflect.Int && t.Kind() <= reflect.Float64 {
		return "a number that fits"
	}
	return "of another type"
}

// setAny decodes v into an any or a json.RawMessage. A string becomes an object
// or a list if it holds one; anything else, "5" and "true" among them, stays a
// string, as the caller wrote it.
func setAny(field reflect.Value, v value) string {
	raw := field.Type() == rawMessageType
	var text string
	switch v.kind {
	case listValue:
		b, _ := json.Marshal(v.list)
		text = string(b)
	case nullValue: // within a list
		if text = "null"; !raw {
			field.SetZero()
			return ""
		}
	case stringValue:
		inner, ok := v.jsonText()
		if ok && (raw || strings.HasPrefix(strings.TrimSpace(inner), "{") || strings.HasPrefix(strings.TrimSpace(inner), "[")) {
			text = inner
		} else if raw {
			return "JSON"
		} else {
			field.Set(reflect.ValueOf(v.text))
			return ""
		}
	default:
		text = v.text
	}
	if raw {
		field.SetBytes([]byte(text))
	} else {
		field.Set(reflect.ValueOf(decodeAny(text)))
	}
	return ""
}

// sliceSetter takes a repeated key, a JSON list, a JSON list in a string, or
// a single value as a list of one.
func sliceSetter(t reflect.Type, tag string) (setter, error) {
	set, err := setterFor(t.Elem(), tag)
	if err != nil {
		return nil, err
	}
	return func(field reflect.Value, v value) string {
		const aList = "a JSON list"
		items := []value{v}
		text := form.TrimBOM(v.text)
		written := v.kind == stringValue && strings.HasPrefix(strings.TrimSpace(text), "[")
		valid := written && json.Valid([]byte(text))
		switch {
		case v.kind == listValue:
			items = items[:0]
			for _, s := range v.list {
				items = append(items, value{kind: stringValue, text: s})
			}
		case v.kind == arrayValue, valid:
			text, ok := v.jsonText()
			var raws []json.RawMessage
			if !ok || json.Unmarshal([]byte(text), &raws) != nil {
				return aList + " of at most " + strconv.Itoa(jsonshape.MaxItems) + " items"
			}
			items = items[:0]
			for _, raw := range raws {
				items = append(items, jsonValue(raw))
			}
		}
		slice := reflect.MakeSlice(t, len(items), len(items))
		for i, item := range items {
			if expected := set(slice.Index(i), item); expected != "" {
				if written && !valid {
					return aList
				}
				return fmt.Sprintf("%s (item %d of the list)", expected, i+1)
			}
		}
		field.Set(slice)
		return ""
	}, nil
}

// bind fills the struct in from vs. The error lists all faults of the request
// and is meant for the caller.
//
// It continues after a fault, so that a developer sees all of them at once.
// Hints are given only for parameters that are absent.
func bind(path string, list []parameter, vs *values, in reflect.Value) error {
	var faults *parameterFaults
	for i := range list {
		p := &list[i]
		v := vs.get(p.Name)
		if p.one {
			v = v.agreed()
		}
		if v.missing() {
			if v.kind == absentValue {
				vs.hint(p.Name)
			}
			if p.Required {
				faults = faults.missing(p.Name, p.Purpose)
			}
			continue
		}
		if expected := p.set(in.FieldByIndex(p.index), v); expected != "" {
			faults = faults.invalid(p.Name, p.Purpose, expected)
		}
	}
	return faults.answer(path, vs)
}

// parameterFaults collects what is wrong with the parameters of a request.
type parameterFaults struct {
	Missing []missingParameter `json:"missing,omitempty"`
	Invalid []invalidParameter `json:"invalid,omitempty"`
	Hint    string             `json:"hint,omitempty"`
}

// missingParameter and invalidParameter are part of the 400, and of the wire
// contract that the TypeScript client reads.
type missingParameter struct {
	Key     string `json:"key"`
	Purpose string `json:"purpose"`
}

type invalidParameter struct {
	missingParameter
	Expected string `json:"expected"`
}

// missing adds a required parameter that was not sent; f may be nil.
func (f *parameterFaults) missing(key, purpose string) *parameterFaults {
	if f == nil {
		f = new(parameterFaults)
	}
	f.Missing = append(f.Missing, missingParameter{key, purpose})
	return f
}

// invalid adds a parameter whose value does not fit; f may be nil.
func (f *parameterFaults) invalid(key, purpose, expected string) *parameterFaults {
	if f == nil {
		f = new(parameterFaults)
	}
	f.Invalid = append(f.Invalid, invalidParameter{missingParameter{key, purpose}, expected})
	return f
}

// answer returns the error for the faults; nil if there are none. If the body
// was ignored because of its content type, it says so: that is the usual reason
// for everything being missing.
func (f *parameterFaults) answer(path string, vs *values) error {
	if f == nil {
		return nil
	}
	var parts []string
	for _, m := range f.Missing {
		part := fmt.Sprintf("(%s) Missing %s", path, m.Key)
		if m.Purpose != "" {
			part += ": " + m.Purpose
		}
		parts = append(parts, part)
	}
	for _, i := range f.Invalid {
		parts = append(parts, fmt.Sprintf("(%s) Invalid %s: expected %s", path, i.Key, i.Expected))
	}
	if vs.ignored != "" {
		parts = append(parts, notRead)
	}
	f.Hint = strings.Join(vs.hints, "; ")
	return &parameterError{faults: f, message: strings.Join(parts, "; ")}
}

// parameterError is answered as 400 with the lists of faults. Its text names
// parameters but none of their values.
type parameterError struct {
	faults  *parameterFaults
	message string
}

func (e *parameterError) Error() string {
	return fmt.Sprintf("%d %d parameters missing, %d invalid", http.StatusBadRequest, len(e.faults.Missing), len(e.faults.Invalid))
}
