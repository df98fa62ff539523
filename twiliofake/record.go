package twiliofake

import (
	"fmt"
	"slices"
)

// A record is one item: its identity, its places in the tree and its fields.
//
// Fields are in vals by the column of their kind, since a map in each record
// would take most of the memory of a large state. A pointer to a record stays
// valid for as long as the item exists: a change replaces its contents.
type record struct {
	kind    *columns
	owner   *record // the item directly above
	id      string  // empty for a singleton
	vals    []any   // by column
	below   map[string]*collection
	views   []*collection // where else it is listed
	version int32
	shared  bool // an item below has views
	seq     int  // ascending in order of creation; 0 for ghosts
}

// columns map the fields of a kind to positions in record.vals. Names that
// differ only in case and separators share a column. They grow when a record
// gets a field that its row does not list, such as a parameter without a field.
type columns struct {
	*kind
	index map[string]int // a column, or one of the constants below
	names []string       // as first written
	// initial holds the initial values of a row's fields, which come first.
	initial []any
}

// Values of columns.index for names that have no column. Constants are
// negative, so a switch on the sign tells them from columns.
const (
	atNone     = -1
	atIdentity = -2
	atAccount  = -3
	atParent   = -4 // and down: the identity of the item that many levels up
)

// column returns a field's column or one of the constants; add makes a column
// if there is none. A field whose name starts with an underscore is stored and
// saved but never sent. The result for each spelling is remembered, so names
// are normalised once.
func (k *columns) column(name string, add bool) int {
	if i, ok := k.index[name]; ok && (i != atNone || !add) {
		return i
	}
	norm := key(name)
	i, ok := k.index[norm]
	if !ok || i == atNone {
		if !add {
			return atNone
		}
		i = len(k.names)
		k.names = append(k.names, name)
		k.index[norm] = i
	}
	k.index[name] = i
	return i
}

// get returns a field by its name on the wire, or nil.
func (r *record) get(name string) any {
	v, _ := r.lookup(name)
	return v
}

// lookup returns a field, and whether the record has it. An object or a list is
// a copy.
func (r *record) lookup(name string) (any, bool) {
	v, ok := r.raw(name)
	if p, is := v.(packed); is {
		v = p.unpack()
	}
	return v, ok
}

// raw is lookup for an answer: objects and lists stay packed. An identity, an
// account or a parent is not stored in the record but read from its place in
// the tree. A column without a value has the row's initial value; a row's
// columns come first, so its index is the same.
func (r *record) raw(name string) (any, bool) {
	switch i := r.kind.column(name, false); {
	case i >= 0:
		if i < len(r.vals) && r.vals[i] != unset {
			return r.vals[i], true
		}
		if i < len(r.kind.initial) {
			return r.kind.initial[i], true
		}
	case i == atIdentity:
		return r.id, true
	case i == atAccount:
		return r.account().id, true
	case i <= atParent:
		o := r
		for ; i <= atParent && o != nil; i++ {
			o = o.owner
		}
		if o != nil {
			return o.id, true
		}
	}
	return nil, false
}

// unset marks a column that a record does not have; nil is null. It is compared
// by its address, which no value from JSON can have.
var unset any = &struct{ _ byte }{}

// set sets a field. It cannot change the parents, nor the identity of a record
// that is in the tree. Objects and lists are packed, so the caller may go on
// using v.
func (r *record) set(name string, v any) {
	i := r.kind.column(name, true)
	if i < 0 {
		if s, ok := v.(string); ok && i == atIdentity && r.seq == 0 {
			r.id = s
		}
		return
	}
	if i >= cap(r.vals) { // room for all columns, so that it seldom has to grow again
		r.vals = append(make([]any, 0, len(r.kind.names)), r.vals...)
	}
	for len(r.vals) <= i {
		r.vals = append(r.vals, unset)
	}
	r.vals[i] = pack(v)
}

// drop removes a field. A row's field then has its initial value again; any
// other field is gone.
func (r *record) drop(name string) {
	if i := r.kind.column(name, false); i >= 0 && i < len(r.vals) {
		r.vals[i] = unset
	}
}

// setAll sets several fields.
func (r *record) setAll(fields map[string]any) {
	for name, v := range fields {
		r.set(name, v)
	}
}

// text returns a string field; "" if it is not a string.
func (r *record) text(name string) string {
	s, _ := r.get(name).(string)
	return s
}

// flag returns a boolean field. flag and number, like text, return the zero
// value for null or another type: a state document has been checked, so only
// null can occur for a row's field.
func (r *record) flag(name string) bool {
	b, _ := r.get(name).(bool)
	return b
}

func (r *record) number(name string) int {
	n, _ := r.get(name).(int)
	return n
}

// etag returns the record's version as an ETag. It is a strong tag: each change
// of an item gives another one.
func (r *record) etag() string { return fmt.Sprintf(`"%d"`, r.version) }

// clone copies a record for a change that may still be refused; see
// store.commit. The copy shares the children and the place of the original. It
// must not be added to the tree.
func (r *record) clone() *record {
	c := *r
	c.vals = slices.Clone(r.vals)
	return &c
}

// account returns the account above the record. For an account it is the
// account itself.
func (r *record) account() *record {
	for r.owner != nil && r.owner.owner != nil {
		r = r.owner
	}
	return r
}

// child returns the collection at a path below the item, or nil if there is
// none.
func (r *record) child(path string) *collection { return r.below[path] }

// childOrNone is child for an item that may not exist.
func (r *record) childOrNone(path string) *collection {
	if r == nil {
		return nil
	}
	return r.child(path)
}

func (r *record) makeChild(path string) *collection {
	c := r.below[path]
	if c == nil {
		c = &collection{owner: r}
		if r.below == nil {
			r.below = map[string]*collection{}
		}
		r.below[path] = c
	}
	return c
}

func (r *record) matches(want map[string]any) bool {
	for k, v := range want {
		if r.get(k) != v {
			return false
		}
	}
	return true
}
