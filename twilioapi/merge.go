package twilioapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/internal/jsonshape"
)

// MergeAttributes merges update into old, two JSON objects, and returns the result.
// Objects are merged by key, at any depth, and lists by index; any other value
// of update replaces the old one. A null at the top of update removes its key.
// Keys that update does not have stay, nulls included, in their order and with
// all digits of their numbers. The error is an [*flexfn.Error]: 400 if update
// is not an object, 502 if old is not, since old comes from Twilio.
//
// Use it for resources without a version, such as conversations. For tasks,
// [UpdateTaskAttributes] reads, merges and stores.
//
//	merged, err := twilioapi.MergeAttributes(
//		json.RawMessage(`{"a":1,"list":[1,2,3]}`),
//		json.RawMessage(`{"a":null,"list":[9]}`))
//	// {"list":[9,2,3]}
//
// These are the rules of the Node.js template's helper, lists by index
// included. The result has no white space. More than 32 levels of nesting are
// an error. Neither argument is changed.
func MergeAttributes(old, update json.RawMessage) (json.RawMessage, error) {
	old, update, err := compactObjects(old, update)
	if err != nil {
		return nil, err
	}
	var kept, from object
	from.parse(update)
	jsonshape.EachMember(old, func(name, value []byte) {
		m := member{memberName(name), name, value}
		if i := from.find(m.name); i < 0 || kind(from.members[i].value) != 'n' {
			kept.set(m)
		}
	})
	for _, m := range from.members {
		if kind(m.value) == 'n' {
			continue
		}
		if err := kept.merge(m, 0); err != nil {
			return nil, tooDeep(err)
		}
	}
	return kept.json(), nil
}

// mergeObjects merges compact objects as MergeAttributes does, except that a
// null is a value like any other. Keys stay in old's order, and new ones
// follow. Numbers and strings are copied as they are written, so no digit is
// lost.
func mergeObjects(old, update json.RawMessage) (json.RawMessage, error) {
	old, update, err := compactObjects(old, update)
	if err != nil {
		return nil, err
	}
	merged, err := merge(old, update, 0)
	return merged, tooDeep(err)
}

func tooDeep(err error) error {
	if errors.Is(err, errTooDeep) {
		return &flexfn.Error{Status: http.StatusBadRequest, Message: "the update of attributes is nested too deeply", Err: err}
	}
	return err
}

// assignObject sets the members of update in old, without merging their values.
func assignObject(old, update json.RawMessage) (json.RawMessage, error) {
	old, update, err := compactObjects(old, update)
	if err != nil {
		return nil, err
	}
	var o object
	o.parse(old)
	o.parse(update)
	return o.json(), nil
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

var errTooDeep = fmt.Errorf("nested more than %d deep", jsonshape.MaxDepth)

// merge merges update into old, two compact JSON values at this depth. Values
// of different types are replaced.
func merge(old, update json.RawMessage, depth int) (json.RawMessage, error) {
	if depth > jsonshape.MaxDepth {
		return nil, errTooDeep
	}
	switch {
	case kind(old) == '{' && kind(update) == '{':
		var into, from object
		into.parse(old)
		from.parse(update)
		for _, m := range from.members {
			if err := into.merge(m, depth); err != nil {
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
	index   map[string]int // nil while there are few
}

type member struct {
	name    string
	written []byte // the name as it came, and as it is written again
	value   json.RawMessage
}

// few is the number of members up to which an object has no index.
const few = 16

// find returns the index of the member called name, or -1 if there is none.
func (o *object) find(name string) int {
	if o.index == nil {
		return slices.IndexFunc(o.members, func(m member) bool { return m.name == name })
	}
	if i, ok := o.index[name]; ok {
		return i
	}
	return -1
}

func (o *object) set(m member) {
	if i := o.find(m.name); i >= 0 {
		o.members[i].value = m.value
		return
	}
	o.members = append(o.members, m)
	switch n := len(o.members); {
	case n == few+1:
		o.index = make(map[string]int, 4*few)
		for i, m := range o.members {
			o.index[m.name] = i
		}
	case n > few:
		o.index[m.name] = n - 1
	}
}

// merge merges m into the member with the same name; depth is that of o.
func (o *object) merge(m member, depth int) (err error) {
	if i := o.find(m.name); i >= 0 {
		m.value, err = merge(o.members[i].value, m.value, depth+1)
	}
	if err == nil {
		o.set(m)
	}
	return err
}

// parse adds the members of raw, a valid object.
func (o *object) parse(raw json.RawMessage) {
	jsonshape.EachMember(raw, func(name, value []byte) { o.set(member{memberName(name), name, value}) })
}

// memberName reads a name as it is written in valid JSON.
func memberName(written []byte) (name string) {
	if !bytes.ContainsRune(written, '\\') {
		return string(written[1 : len(written)-1])
	}
	_ = json.Unmarshal(written, &name) // written is valid
	return name
}

func (o *object) json() json.RawMessage {
	size := 2
	for _, m := range o.members {
		size += len(m.written) + len(m.value) + 2
	}
	b := bytes.NewBuffer(make([]byte, 0, size))
	b.WriteByte('{')
	for i, m := range o.members {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(m.written)
		b.WriteByte(':')
		b.Write(m.value)
	}
	b.WriteByte('}')
	return b.Bytes()
}
