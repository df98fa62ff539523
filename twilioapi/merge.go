package twilioapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/flexfn/flexfn"
)

// MergeAttributes merges update into old, two JSON objects, and returns the result.
// Objects are merged by key, at any depth, and lists by index; for everything else
// update's value counts. A null at the top of update removes its key. Keys that
// update does not have stay, nulls included, in their order and with all digits of
// their numbers. The error is an [*flexfn.Error]: 400 if update is not an object,
// 502 if old is not, since old comes from Twilio.
//
// Use it for resources without a version, such as conversations. For tasks,
// [UpdateTaskAttributes] reads, merges and stores.
func MergeAttributes(old, update json.RawMessage) (json.RawMessage, error) {
	merged, err := mergeObjects(old, update)
	if err != nil {
		return nil, err
	}
	into, err := parseObject(merged)
	if err != nil {
		return nil, err
	}
	_, update, err = compactObjects(old, update)
	if err != nil {
		return nil, err
	}
	from, err := parseObject(update)
	if err != nil {
		return nil, err
	}
	kept := object{}
	for _, m := range into.members {
		if i, named := from.index[m.name]; !named || kind(from.members[i].value) != 'n' {
			kept.set(m)
		}
	}
	return kept.json(), nil
}

// mergeObjects is MergeAttributes for compact objects, at any depth: a null is a
// value here. Keys stay in old's order and new ones follow. Numbers and strings are
// copied as they are written, so no digit is lost.
func mergeObjects(old, update json.RawMessage) (json.RawMessage, error) {
	old, update, err := compactObjects(old, update)
	if err != nil {
		return nil, err
	}
	merged, err := merge(old, update, 0)
	if errors.Is(err, errTooDeep) {
		return nil, &flexfn.Error{Status: http.StatusBadRequest, Message: "the update of attributes is nested too deeply", Err: err}
	}
	return merged, err
}

// assignObject sets the members of update in old, without merging their values.
func assignObject(old, update json.RawMessage) (json.RawMessage, error) {
	old, update, err := compactObjects(old, update)
	if err != nil {
		return nil, err
	}
	into, err := parseObject(old)
	if err != nil {
		return nil, err
	}
	from, err := parseObject(update)
	if err != nil {
		return nil, err
	}
	for _, m := range from.members {
		into.set(m)
	}
	return into.json(), nil
}

// compactObjects checks that both are JSON objects, removes their white space,
// and replaces invalid UTF-8 with U+FFFD, as encoding/json does when it
// decodes. Nothing else is decoded here.
func compactObjects(old, update json.RawMessage) (_, _ json.RawMessage, err error) {
	var o, u bytes.Buffer
	if json.Compact(&u, update) != nil || kind(u.Bytes()) != '{' {
		return nil, nil, &flexfn.Error{Status: http.StatusBadRequest, Message: "the update of attributes is not a JSON object"}
	}
	if json.Compact(&o, old) != nil || kind(o.Bytes()) != '{' {
		return nil, nil, &flexfn.Error{Status: http.StatusBadGateway, Message: "the attributes that Twilio has are not a JSON object"}
	}
	replacement := []byte("\uFFFD")
	return bytes.ToValidUTF8(o.Bytes(), replacement), bytes.ToValidUTF8(u.Bytes(), replacement), nil
}

// maxDepth bounds nesting; encoding/json itself stops at 10,000.
const maxDepth = 200

var errTooDeep = fmt.Errorf("nested more than %d deep", maxDepth)

func merge(old, update json.RawMessage, depth int) (json.RawMessage, error) {
	if depth > maxDepth {
		return nil, errTooDeep
	}
	switch {
	case kind(old) == '{' && kind(update) == '{':
		into, err := parseObject(old)
		if err != nil {
			return nil, err
		}
		from, err := parseObject(update)
		if err != nil {
			return nil, err
		}
		for _, m := range from.members {
			i, ok := into.index[m.name]
			if !ok {
				into.set(m)
				continue
			}
			if into.members[i].value, err = merge(into.members[i].value, m.value, depth+1); err != nil {
				return nil, err
			}
		}
		return into.json(), nil
	case kind(old) == '[' && kind(update) == '[':
		var into, from []json.RawMessage
		if err := errors.Join(json.Unmarshal(old, &into), json.Unmarshal(update, &from)); err != nil {
			return nil, err
		}
		for i, value := range from {
			if i >= len(into) {
				into = append(into, value)
				continue
			}
			var err error
			if into[i], err = merge(into[i], value, depth+1); err != nil {
				return nil, err
			}
		}
		var b bytes.Buffer
		b.WriteByte('[')
		for i, value := range into {
			if i > 0 {
				b.WriteByte(',')
			}
			b.Write(value)
		}
		b.WriteByte(']')
		return b.Bytes(), nil
	}
	return update, nil
}

// kind returns the first byte of a compact JSON value, which identifies its type.
func kind(raw json.RawMessage) byte {
	if len(raw) == 0 {
		return 0
	}
	return raw[0]
}

// object is a JSON object that keeps the order of its keys. If a key is repeated,
// its last value counts, at its first position.
type object struct {
	members []member
	index   map[string]int
}

type member struct {
	name  string
	value json.RawMessage
}

func (o *object) set(m member) {
	if i, ok := o.index[m.name]; ok {
		o.members[i].value = m.value
		return
	}
	if o.index == nil {
		o.index = make(map[string]int)
	}
	o.index[m.name] = len(o.members)
	o.members = append(o.members, m)
}

func parseObject(raw json.RawMessage) (object, error) {
	var o object
	d := json.NewDecoder(bytes.NewReader(raw))
	if _, err := d.Token(); err != nil { // the brace
		return o, err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return o, err
		}
		m := member{name: name.(string)}
		if err := d.Decode(&m.value); err != nil {
			return o, err
		}
		o.set(m)
	}
	return o, nil
}

func (o *object) json() json.RawMessage {
	var b bytes.Buffer
	names := json.NewEncoder(&b)
	names.SetEscapeHTML(false)
	b.WriteByte('{')
	for i, m := range o.members {
		if i > 0 {
			b.WriteByte(',')
		}
		names.Encode(m.name) // a string cannot fail
		b.Truncate(b.Len() - 1)
		b.WriteByte(':')
		b.Write(m.value)
	}
	b.WriteByte('}')
	return b.Bytes()
}
