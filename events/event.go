package events

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Event has the fields that all events have. [TaskRouterEvent], [CallStatus]
// and the other types embed it, and so can structs of your own.
//
// Each listener gets its own copy. A listener may run twice for an event, so
// pass Key to systems that can refuse duplicates. Events do not arrive in the
// order of Time.
type Event struct {
	// Key identifies the event. It is the same on every delivery. A TaskRouter
	// event has the same key whether it comes by callback, by Event Streams or
	// from the Events API.
	Key string
	// Type is the event's name, such as "reservation.accepted". For TaskRouter
	// events from Event Streams it is the type without
	// "com.twilio.taskrouter.", as in callbacks; for other events of Event
	// Streams it is the whole type.
	Type string
	// Time is when the event happened, according to Twilio; zero if Twilio
	// does not say.
	Time time.Time
	// AccountSID is the account in which it happened; empty if Twilio does not
	// say.
	AccountSID string
	// Try counts the runs of this listener for this event, from 1. It is 1 in
	// [Assignment] and [Before], which have no listeners.
	Try int

	fields fields
}

// Field returns the field that Twilio sent under name, as text; empty if there
// is none. Case and underscores do not matter: TaskRouter's callbacks say
// "TaskSid" where Event Streams say "task_sid". Objects and lists are returned
// as JSON.
func (e Event) Field(name string) string { return e.fields.text(name) }

// Decode decodes the whole event into v, a pointer to a struct whose json tags
// name the fields as for [Event.Field]. The error names the first field that
// does not fit. Absent fields are left unchanged.
//
//	var change struct {
//		Reason string `json:"target_changed_reason"`
//	}
//	err := e.Decode(&change)
//
// Fields of a form are strings, and are converted to the type of the struct's
// field, so "3" fits an int.
func (e Event) Decode(v any) error {
	p := reflect.ValueOf(v)
	if p.Kind() != reflect.Pointer || p.IsNil() || p.Elem().Kind() != reflect.Struct {
		return fmt.Errorf("events: Decode needs a pointer to a struct, not %T", v)
	}
	return e.fields.fill(p.Elem(), "json", true)
}

// Attributes are the attributes of a task or a worker, a JSON object. They are
// nil if Twilio sent anything else.
//
// Numbers are [json.Number], so that none is rounded. A listener may change
// its copy; Twilio's attributes stay as they are.
type Attributes map[string]any

// String returns the attribute as text: a string unchanged, a number or a
// boolean as it was written. For any other value, and an absent one, it
// returns "".
func (a Attributes) String(name string) string {
	switch v := a[name].(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}

// fields holds what Twilio sent, as JSON, by folded name. The fields of a form
// are strings. Two names that fold to the same key are one field.
type fields map[string]json.RawMessage

// fold maps "TaskSid" and "task_sid" to the same key.
func fold(name string) string { return strings.ToLower(strings.ReplaceAll(name, "_", "")) }

func formFields(form map[string]any) fields {
	f := make(fields, len(form))
	for name, v := range form {
		if b, err := json.Marshal(v); err == nil {
			f[fold(name)] = b
		}
	}
	return f
}

// objectFields reads a JSON object, or a JSON string that contains one.
func objectFields(raw json.RawMessage) fields {
	var object map[string]json.RawMessage
	if json.Unmarshal(unquote(raw), &object) != nil {
		return nil
	}
	f := make(fields, len(object))
	for name, v := range object {
		f[fold(name)] = v
	}
	return f
}

// unquote returns the JSON within a JSON string; other JSON it returns
// unchanged.
func unquote(raw json.RawMessage) json.RawMessage {
	var s string
	if len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &s) == nil {
		if s = strings.TrimSpace(s); strings.HasPrefix(s, "{") || strings.HasPrefix(s, "[") {
			return json.RawMessage(s)
		}
	}
	return raw
}

func (f fields) text(name string) string {
	raw := f[fold(name)]
	if len(raw) == 0 || string(raw) == "null" {
		return ""
	}
	var s string
	if raw[0] == '"' {
		if json.Unmarshal(raw, &s) != nil {
			return ""
		}
		return s
	}
	return string(raw)
}

// sum identifies an event that has no id: events with equal fields have equal
// sums.
func (f fields) sum() string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(f)) {
		fmt.Fprintf(h, "%q %q\n", name, f[name])
	}
	return hex.EncodeToString(h.Sum(nil)[:20])
}

// first returns the text of the first of names that is not empty.
func (f fields) first(names ...string) string {
	for _, n := range names {
		if s := f.text(n); s != "" {
			return s
		}
	}
	return ""
}

var (
	eventType      = reflect.TypeFor[Event]()
	timeType       = reflect.TypeFor[time.Time]()
	durationType   = reflect.TypeFor[time.Duration]()
	attributesType = reflect.TypeFor[Attributes]()
)

// fill sets the fields of a struct by the names in tag. A value that does not
// fit is an error if strict, and otherwise leaves the field zero: a wrong
// guess about what Twilio sends must not lose an event.
func (f fields) fill(v reflect.Value, tag string, strict bool) error {
	t := v.Type()
	for i := range t.NumField() {
		sf := t.Field(i)
		name, _, _ := strings.Cut(sf.Tag.Get(tag), ",")
		switch {
		case sf.Type == eventType || name == "-" || !sf.IsExported():
			continue
		// The fields of parts such as Task, and of embedded structs, are among
		// those of the event itself.
		case name == "" && sf.Type.Kind() == reflect.Struct && sf.Type != timeType && (sf.Anonymous || tag != "json"):
			if err := f.fill(v.Field(i), tag, strict); err != nil {
				return err
			}
			continue
		case name == "" && tag != "json":
			continue
		case name == "":
			name = sf.Name
		}
		// A form sends an empty string for an absent number or time.
		raw, ok := f[fold(name)]
		if !ok || string(raw) == "null" || string(raw) == `""` && sf.Type.Kind() != reflect.String {
			continue
		}
		if err := set(v.Field(i), raw); err != nil && strict {
			return fmt.Errorf("the field %s: %w", name, err)
		}
	}
	return nil
}

// set sets a field from JSON, or from a form's string.
func set(v reflect.Value, raw json.RawMessage) error {
	text := fields{"v": raw}.text("v")
	switch t := v.Type(); {
	case t == timeType:
		at, err := parseTime(text)
		if err != nil {
			return err
		}
		v.Set(reflect.ValueOf(at))
		return nil
	case t == durationType:
		// Twilio's durations are in seconds. The limits keep them within an
		// int64 of nanoseconds.
		seconds, err := parseNumber(text, 64)
		if err != nil || seconds < -1e9 || seconds > 1e9 {
			return errors.New("it is not a number of seconds")
		}
		v.SetInt(int64(seconds * float64(time.Second)))
		return nil
	case t == attributesType:
		d := json.NewDecoder(bytes.NewReader(unquote(raw)))
		d.UseNumber()
		var a Attributes
		if err := d.Decode(&a); err != nil {
			return errors.New("it is not a JSON object")
		}
		v.Set(reflect.ValueOf(a))
		return nil
	case t.Kind() == reflect.String:
		v.SetString(text)
		return nil
	case t.Kind() == reflect.Bool:
		b, err := strconv.ParseBool(strings.ToLower(text))
		if err != nil {
			return errors.New("it is neither true nor false")
		}
		v.SetBool(b)
		return nil
	case v.CanInt():
		n, err := strconv.ParseInt(text, 10, t.Bits())
		if err != nil {
			return fmt.Errorf("it is not a whole number of %d bits", t.Bits())
		}
		v.SetInt(n)
		return nil
	case v.CanFloat():
		n, err := parseNumber(text, t.Bits())
		if err != nil {
			return err
		}
		v.SetFloat(n)
		return nil
	}
	if err := json.Unmarshal(unquote(raw), v.Addr().Interface()); err != nil {
		return errors.New("it does not fit into " + v.Type().String())
	}
	return nil
}

// parseNumber reads a finite number. strconv also accepts "NaN" and "Inf": NaN
// passes any check of bounds, and JSON can write neither.
func parseNumber(s string, bits int) (float64, error) {
	n, err := strconv.ParseFloat(s, bits)
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
		return 0, errors.New("it is not a number")
	}
	return n, nil
}

// parseTime reads the formats of Twilio's products: seconds or milliseconds
// since 1970, RFC 3339 and RFC 2822. Numbers beyond 1e11 are milliseconds: as
// seconds they would lie after the year 5000, and as milliseconds smaller ones
// before 1974. A time without a zone is UTC.
func parseTime(s string) (time.Time, error) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		if n > 1e11 || n < -1e11 {
			return time.UnixMilli(n).UTC(), nil
		}
		return time.Unix(n, 0).UTC(), nil
	}
	for _, layout := range []string{time.RFC3339, time.RFC1123Z, time.RFC1123, "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, errors.New("it is not a time that Twilio writes")
}

func valueOf(pointer any) reflect.Value { return reflect.ValueOf(pointer).Elem() }
