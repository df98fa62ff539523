package twiliofake

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flexfn/flexfn/internal/jsonshape"
)

// assign stores form parameters in a record. Like Twilio, it ignores parameters
// that are not a field. Parameters are read in the order of their names, so
// that if several are invalid, the same one is reported each time.
func (r *resource) assign(rec *record, form url.Values, on setting) *apiError {
	for _, param := range slices.Sorted(maps.Keys(form)) {
		f, ok := r.field(param)
		if !ok || f.set&on == 0 {
			continue
		}
		v, ok := f.kind.parse(form[param])
		if !ok {
			return invalid("Invalid value for parameter %s: %.100q", param, form.Get(param))
		}
		rec.set(f.name, v)
	}
	return nil
}

// missing returns the first required parameter that a create lacks. An empty
// value counts as missing.
func (r *resource) missing(form url.Values) (string, bool) {
	for _, f := range r.fields {
		if f.set&required == 0 {
			continue
		}
		param := r.param(f.name)
		if form.Get(param) == "" {
			return param, true
		}
	}
	return "", false
}

// param returns the parameter that sets a field. It is the reverse of field:
// FriendlyName for friendly_name, unless the row's params say otherwise.
func (r *resource) param(name string) string {
	for p, f := range r.params {
		if f == name {
			return p
		}
	}
	return pascal(name)
}

// parse parses the values of a form parameter. If a parameter is repeated, the
// first value counts, except for many. An empty document is allowed, and clears
// the field.
func (k valueKind) parse(values []string) (any, bool) {
	s := ""
	if len(values) > 0 {
		s = values[0]
	}
	switch k {
	case integer:
		n, err := strconv.Atoi(s)
		return n, err == nil
	case boolean:
		switch strings.ToLower(s) {
		case "true", "1", "yes":
			return true, true
		case "false", "0", "no":
			return false, true
		}
		return nil, false
	case instant:
		t, err := time.Parse(time.RFC3339, s)
		return t.UTC().Format(time.RFC3339), err == nil
	case document:
		return s, s == "" || json.Valid([]byte(s))
	case value:
		v, err := decodeJSON(s)
		return v, err == nil
	case many:
		return slices.Clone(values), true
	}
	return s, true
}

// fits converts a value from a state document or a JSON body to the type that
// records hold; the result is false if the value is of another kind. null fits
// every kind. Numbers come as json.Number from a decoder, and as int or float64
// from Go code that calls [Twilio.SetResource].
func (k valueKind) fits(v any) (any, bool) {
	if v == nil {
		return nil, true
	}
	switch k {
	case integer:
		switch n := v.(type) {
		case json.Number:
			i, err := strconv.Atoi(n.String())
			return i, err == nil
		case float64:
			return int(n), n == float64(int(n))
		case int:
			return n, true
		}
		return nil, false
	case boolean:
		_, ok := v.(bool)
		return v, ok
	case value:
		v, err := copyJSON(v)
		return v, err == nil
	case many:
		switch l := v.(type) {
		case []string:
			return slices.Clone(l), true
		case []any:
			out := make([]string, len(l))
			for i, e := range l {
				s, ok := e.(string)
				if !ok {
					return nil, false
				}
				out[i] = s
			}
			return out, true
		}
		return nil, false
	case instant:
		s, ok := v.(string)
		if !ok {
			return nil, false
		}
		_, err := time.Parse(time.RFC3339, s)
		return s, err == nil
	case document:
		s, ok := v.(string)
		return v, ok && (s == "" || json.Valid([]byte(s)))
	}
	_, ok := v.(string)
	return v, ok
}

// copyJSON makes a deep copy of a value, so that callers and records never
// share memory. It also refuses what cannot be written as JSON, such as a
// channel, before it gets into a record.
func copyJSON(v any) (any, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return decodeJSON(string(b))
}

// decodeJSON reads one JSON value and keeps numbers as written. A number stays
// a json.Number: as a float64, 20-digit ids would lose digits.
func decodeJSON(text string) (any, error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if strings.Trim(text[d.InputOffset():], jsonshape.Space) != "" {
		return nil, errTrailing
	}
	return v, nil
}

// decodeObject reads one JSON object.
func decodeObject(b []byte) (map[string]any, error) {
	v, err := decodeJSON(string(b))
	if err != nil {
		return nil, err
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, errNotObject
	}
	return m, nil
}
