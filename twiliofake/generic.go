package twiliofake

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// The generic layer answers the operations that have no row, by their class in
// the table of operations. It knows names, types and the tree of paths, but not
// business rules or life cycles.

// generic answers an operation that has no row. The classes are explained at
// classify in internal/twiliogen. Parameters are checked before anything else
// happens, in every class.
func (c *call) generic() (*response, *apiError) {
	values, err := c.parameters()
	if err != nil {
		return nil, err
	}
	switch c.op.class {
	case "list", "list-only":
		return c.page()
	case "create", "create-at", "create-parent", "singleton-create":
		return c.genericCreate(values)
	case "fetch":
		return c.fetch()
	case "delete", "singleton-delete":
		return c.remove()
	case "update", "upsert", "singleton-update":
		return c.genericUpdate(values)
	case "singleton-fetch":
		if rec := c.collection().find("", nil); rec != nil {
			return c.answer(c.op.status, rec), nil
		}
		if c.node.has("singleton-create") {
			return nil, notFound(c.path)
		}
	case "oracle":
		if rec := c.collection().find(c.identity(), c.kind.alias); rec != nil {
			return c.answer(c.op.status, rec), nil
		}
	}
	// Views, verbs, oracles (such as prices) and settings that were never
	// changed show an item that is not in the tree.
	rec := c.fresh(c.identity())
	if c.method != http.MethodGet {
		if rec.id == "" {
			rec.id = c.identify(values)
		}
		c.stamp(rec, false)
	}
	c.fill(rec, values)
	return c.answer(c.op.status, rec), nil
}

// fresh makes a record of the node's kind below the parent in the path. It is
// not in the tree yet, and has neither a SID nor dates.
func (c *call) fresh(id string) *record { return c.store.record(c.kind, c.parent, id) }

// genericCreate creates an item. It replaces an existing singleton and refuses
// any other item that exists. Statuses come from initialFields; every other
// field that no parameter sets is null or, if twilio-go's model cannot hold
// null, the zero value of its type.
func (c *call) genericCreate(values []argument) (*response, *apiError) {
	rec := c.fresh(c.identity())
	if rec.id == "" && !c.kind.singleton {
		rec.id = c.identify(values)
	}
	if old := c.collection().find(rec.id, nil); old != nil {
		if !c.kind.singleton {
			return nil, refuse(http.StatusConflict, conflictCode(c.product), "%s %.100q exists", c.kind.name, rec.id)
		}
		c.store.remove(old)
	}
	c.stamp(rec, false)
	if c.kind.singleton && c.op.prefix != "" {
		rec.set("sid", c.store.hex32(c.op.prefix))
	}
	for _, f := range initialFields()[c.kind.name] {
		rec.set(f.name, f.value)
	}
	c.fill(rec, values)
	if err := c.free(rec); err != nil {
		return nil, err
	}
	c.add(rec)
	return c.answer(c.op.status, rec), nil
}

// identify returns the identity of a new item. In this order: a parameter with
// the name of the path's variable, the next index, the SID of an item that it
// links to, a new SID with the operation's prefix.
func (c *call) identify(values []argument) string {
	variable := ""
	if len(c.kind.vars) > 0 && !c.kind.singleton {
		variable = key(c.kind.vars[len(c.kind.vars)-1])
	}
	text := func(v any) string {
		if s, ok := v.(string); ok {
			return s
		}
		return fmt.Sprint(v)
	}
	if variable != "" && variable != "id" && variable != "sid" {
		for _, v := range values { // such as Identity, Key, PhoneNumber
			if key(v.name) == variable && v.value != nil && v.value != "" {
				return text(v.value)
			}
		}
	}
	if variable == "index" {
		next := 0
		if rec := c.collection().last(); rec != nil {
			n, _ := strconv.Atoi(rec.id)
			next = n + 1
		}
		return strconv.Itoa(next)
	}
	// An item that links to another one uses its SID: the PhoneNumbers of a
	// service are identified by PhoneNumberSid.
	collection := key(c.node.segment)
	for _, p := range c.op.params {
		joined, ok := strings.CutSuffix(p.key, "sid")
		if !ok || !p.required || !strings.HasPrefix(collection, joined) {
			continue
		}
		if m := c.op.model.model(); m != nil && m.field(p.key) != nil {
			continue
		}
		for _, v := range values {
			if v.name == p.name {
				return text(v.value)
			}
		}
	}
	return c.store.newSID(c.op.prefix, c.collection())
}

// genericUpdate changes an item; an upsert creates it if needed. POST and PATCH
// keep fields that they do not name, and PATCH merges objects. PUT replaces
// every field that its body can set.
func (c *call) genericUpdate(values []argument) (*response, *apiError) {
	rec := c.collection().find(c.identity(), c.kind.alias)
	if rec != nil && c.root && !c.owns(rec) {
		rec = nil
	}
	if rec == nil {
		if c.op.class == "update" || c.op.class == "singleton-update" && c.node.has("singleton-create") {
			return nil, notFound(c.path)
		}
		rec = c.fresh(c.identity())
		c.stamp(rec, false)
		c.store.add(rec)
	} else if err := c.precondition(rec); err != nil {
		return nil, err
	}
	next := rec.clone()
	switch c.method {
	case http.MethodPut: // replaces everything that the body can hold
		if model := c.op.body.model(); model != nil {
			for i := range model.fields {
				next.drop(model.fields[i].name)
			}
		}
	case http.MethodPatch:
		for i := range values {
			values[i].value = merged(rec.get(values[i].name), values[i].value)
		}
	}
	c.fill(next, values)
	if err := c.free(next); err != nil {
		return nil, err
	}
	c.commit(rec, next)
	return c.answer(c.op.status, rec), nil
}

// merged returns an object with the changes of another one, as RFC 7396 merges
// them, or the new value if either is not an object. null deletes a key. The
// result shares nothing with the record, which hands out copies.
func merged(was, now any) any {
	object, ok := was.(map[string]any)
	changes, ok2 := now.(map[string]any)
	if !ok || !ok2 {
		return now
	}
	for name, v := range changes {
		if v == nil {
			delete(object, name)
		} else {
			object[name] = merged(object[name], v)
		}
	}
	return object
}

// fill stores parameters in a record, under the names of their fields.
// Parameters without a field are kept under their own names, so that tests can
// read them. Dotted names nest: Configuration.Url sets url in configuration. A
// parameter adds to the object that an earlier parameter or request has made.
func (c *call) fill(rec *record, values []argument) {
	for _, v := range values {
		field, ok := c.fieldOf(v.name)
		top, rest, dotted := strings.Cut(v.name, ".")
		if ok || !dotted {
			rec.set(field, v.value)
			continue
		}
		top, _ = c.fieldOf(top)
		nested := map[string]any{}
		if was, ok := rec.get(top).(map[string]any); ok {
			for k, e := range was {
				nested[k] = e
			}
		}
		at := nested
		for {
			name, more, deeper := strings.Cut(rest, ".")
			if !deeper {
				at[snake(name)] = v.value
				break
			}
			next := map[string]any{}
			if was, ok := at[snake(name)].(map[string]any); ok {
				for k, e := range was {
					next[k] = e
				}
			}
			at[snake(name)] = next
			at, rest = next, more
		}
		rec.set(top, nested)
	}
}

// fieldOf returns the field of the operation's model that a parameter sets, or
// the parameter's own name and false.
func (c *call) fieldOf(param string) (string, bool) {
	if m := c.op.model.model(); m != nil {
		if f := m.field(key(param)); f != nil {
			return f.name, true
		}
	}
	return param, false
}
