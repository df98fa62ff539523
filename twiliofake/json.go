package twiliofake

import (
	"encoding/json"
	"iter"
	"maps"
	"slices"
	"strconv"
)

// appendJSON appends v as [json.Marshal] writes it. It knows the types that
// records hold, which takes a third of the time that reflection does. Any other
// type goes to json.Marshal, so that a new type is slow but correct.
func appendJSON(b []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...), nil
	case string:
		return appendText(b, v)
	case bool:
		return strconv.AppendBool(b, v), nil
	case int:
		return strconv.AppendInt(b, int64(v), 10), nil
	case packed:
		return append(b, v...), nil
	case map[string]any:
		if v == nil {
			return append(b, "null"...), nil
		}
		return appendObject(b, v)
	case []any:
		if v == nil {
			return append(b, "null"...), nil
		}
		return appendArray(b, slices.Values(v))
	case array:
		return appendArray(b, iter.Seq[any](v))
	}
	other, err := json.Marshal(v)
	return append(b, other...), err
}

// appendObject appends an object. Like json.Marshal it sorts the keys, so that
// equal answers are equal bytes.
func appendObject(b []byte, m map[string]any) ([]byte, error) {
	var room [48]string // most objects have fewer keys
	keys := slices.AppendSeq(room[:0], maps.Keys(m))
	slices.Sort(keys)
	b = append(b, '{')
	var err error
	for i, k := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendText(b, k); err != nil {
			return nil, err
		}
		b = append(b, ':')
		if b, err = appendJSON(b, m[k]); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

// An array is a list whose elements are made while it is written.
type array iter.Seq[any]

func appendArray(b []byte, elements iter.Seq[any]) ([]byte, error) {
	b = append(b, '[')
	start := len(b)
	var err error
	for e := range elements {
		if len(b) > start {
			b = append(b, ',')
		}
		if b, err = appendJSON(b, e); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

// appendText appends a string and leaves everything but printable ASCII to
// json.Marshal. The characters <, > and & are escaped too, as json.Marshal
// does; a test compares the two.
func appendText(b []byte, s string) ([]byte, error) {
	start := len(b)
	b = append(b, '"')
	done := 0 // s up to here is in b
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(append(b, s[done:i]...), '\\')
			done = i
		case c < ' ' || c > '~' || c == '<' || c == '>' || c == '&':
			quoted, err := json.Marshal(s)
			return append(b[:start], quoted...), err
		}
	}
	return append(append(b, s[done:]...), '"'), nil
}

// packed is an object or a list, as JSON. Records hold these as JSON because a
// map takes ten times the memory, and answers can send them unchanged. A packed
// value never changes, so records and their copies share it.
type packed string

// pack packs objects and lists, and returns anything else unchanged.
func pack(v any) any {
	switch v.(type) {
	case map[string]any, []any:
		if b, err := appendJSON(nil, v); err == nil {
			return packed(b)
		}
	}
	return v
}

// unpack decodes the object or list. Each call makes a new value, which the
// caller may change.
func (p packed) unpack() any {
	v, err := decodeJSON(string(p))
	if err != nil {
		panic("twiliofake: " + err.Error()) // pack wrote it
	}
	return v
}
