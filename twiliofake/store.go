package twiliofake

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The state is one tree that follows the paths of the API. Below the root are
// the accounts, below an account the collections of every product, below an item
// its own collections. Since only the paths define the tree, rows and the
// generic layer share it, parents are found in constant time, and deleting an
// item deletes everything below it.

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

// A collection holds the records at one path, in order of creation.
//
// Removing a record leaves an empty slot, so that a removal from a long list is
// cheap, and a page token, which is a seq, still finds its place.
type collection struct {
	owner  *record
	byID   map[string]*record
	order  []slot           // ascending by seq; without ghosts
	first  int              // the slots before it are empty
	gone   int              // how many slots are empty
	names  map[name]*record // by unique fields and aliases
	sorted []*record        // by identity, once asked for; nil when out of date
}

// A slot is a record's place in the order of creation. It stays, empty, when the
// record is removed.
type slot struct {
	seq int
	rec *record
}

// A name is the value of a field that a collection is indexed by. It is folded
// if the field ignores case.
type name struct{ field, value string }

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

// find returns the item with an identity, or with that value in an alias. A SID
// wins over an alias. A nil collection has no items, so callers need not check
// for one.
func (c *collection) find(id string, alias []string) *record {
	if c == nil {
		return nil
	}
	if rec := c.byID[id]; rec != nil {
		return rec
	}
	if id == "" || c.names == nil {
		return nil
	}
	for _, field := range alias {
		if rec := c.names[name{field, id}]; rec != nil {
			return rec
		}
	}
	return nil
}

// all yields the records in order. Records may be added and removed meanwhile.
// A record that is added while it runs may or may not be seen.
func (c *collection) all() iter.Seq[*record] {
	return func(yield func(*record) bool) {
		if c == nil {
			return
		}
		for _, s := range c.order[c.first:] {
			if s.rec != nil && !yield(s.rec) {
				return
			}
		}
	}
}

// last returns the newest record, or nil.
func (c *collection) last() *record {
	if c == nil {
		return nil
	}
	for _, s := range slices.Backward(c.order) {
		if s.rec != nil {
			return s.rec
		}
	}
	return nil
}

func (c *collection) len() int {
	if c == nil {
		return 0
	}
	return len(c.order) - c.gone
}

// after returns the index of the first slot after a sequence number, by binary
// search.
func (c *collection) after(seq int) int {
	i, _ := slices.BinarySearchFunc(c.order, seq+1, func(s slot, seq int) int { return cmp.Compare(s.seq, seq) })
	return i
}

// put adds a record to the collection and its indexes. Usually it goes to the
// end. A record with an older seq goes back to its old slot, since a change
// takes it out of a second path's list and puts it in again.
func (c *collection) put(rec *record) {
	if c.byID == nil {
		c.byID = map[string]*record{}
	}
	c.byID[rec.id] = rec
	i := len(c.order)
	if i > 0 && c.order[i-1].seq >= rec.seq {
		i = c.after(rec.seq - 1)
	}
	if i < len(c.order) && c.order[i].seq == rec.seq { // it had been taken out
		if c.order[i].rec == nil {
			c.gone--
		}
		c.order[i].rec = rec
	} else {
		c.order = slices.Insert(c.order, i, slot{rec.seq, rec})
	}
	c.first = min(c.first, i)
	if n := len(c.sorted); n > 0 && compareID(c.sorted[n-1], rec.id) < 0 {
		c.sorted = append(c.sorted, rec)
	} else {
		c.sorted = nil
	}
	c.name(rec)
}

// take removes a record from the collection and its indexes. An eighth of the
// slots may be empty before they are dropped.
func (c *collection) take(rec *record) {
	if c.byID[rec.id] != rec {
		return
	}
	delete(c.byID, rec.id)
	c.unname(rec)
	i := c.after(rec.seq - 1)
	if i == len(c.order) || c.order[i].rec != rec {
		return // a ghost, which is not listed
	}
	c.order[i].rec = nil
	c.gone++
	for c.first < len(c.order) && c.order[c.first].rec == nil {
		c.first++
	}
	if c.gone > len(c.order)/8+16 {
		kept := make([]slot, 0, len(c.order)-c.gone) // a copy, since all may be iterating
		for _, s := range c.order {
			if s.rec != nil {
				kept = append(kept, s)
			}
		}
		c.order, c.gone, c.first = kept, 0, 0
	}
	if c.sorted != nil {
		if i, ok := slices.BinarySearchFunc(c.sorted, rec.id, compareID); ok {
			c.sorted = slices.Delete(c.sorted, i, i+1)
		}
	}
}

// inOrder returns the records in the order of their identities. The order is
// cached until a record is put in anywhere but at the end.
func (c *collection) inOrder() []*record {
	if c.sorted == nil && c.len() > 0 {
		c.sorted = slices.AppendSeq(make([]*record, 0, c.len()), c.all())
		slices.SortFunc(c.sorted, func(a, b *record) int { return compareID(a, b.id) })
	}
	return c.sorted
}

func compareID(rec *record, id string) int { return rec.kind.compareIDs(rec.id, id) }

// compareIDs orders the identities of a kind: a list's indexes as numbers, all
// others as text.
func (k *kind) compareIDs(a, b string) int {
	if k.vars[len(k.vars)-1] == "index" {
		x, errX := strconv.Atoi(a)
		y, errY := strconv.Atoi(b)
		if errX == nil && errY == nil {
			return cmp.Compare(x, y)
		}
	}
	return cmp.Compare(a, b)
}

// name and unname keep the names up to date with a record. The first record
// with a name keeps it. Two can have the same one if a state document says so;
// requests refuse the second.
func (c *collection) name(rec *record) {
	for _, field := range rec.kind.indexed {
		n := name{field, rec.kind.fold(field, rec.text(field))}
		if n.value == "" || c.names[n] != nil {
			continue
		}
		if c.names == nil {
			c.names = map[name]*record{}
		}
		c.names[n] = rec
	}
}

func (c *collection) unname(rec *record) {
	for _, field := range rec.kind.indexed {
		if n := (name{field, rec.kind.fold(field, rec.text(field))}); c.names[n] == rec {
			delete(c.names, n)
		}
	}
}

// A store holds the state. It is not safe for concurrent use; the fake's lock
// guards it. SetState fills a new store and swaps it in, so that an invalid
// document changes nothing.
type store struct {
	root  *record
	kinds map[*kind]*columns
	sids  *rand.Rand
	seq   int
	// second and date are the current second and its text in both formats. The
	// items that are made in one second share it.
	second int64
	date   struct{ iso, classic any }
	// expiring holds the records that lapse.
	expiring expiries
}

// dateOf returns a time as a product writes it, as the value of a field.
func (s *store) dateOf(t time.Time, product string) any {
	if now := t.Unix(); s.date.iso == nil || s.second != now {
		s.second, s.date.iso, s.date.classic = now, t.Format(time.RFC3339), t.Format(time.RFC1123Z)
	}
	if product == "api" {
		return s.date.classic
	}
	return s.date.iso
}

// newStore makes an empty store. The second word of the seed keeps SIDs apart
// from the request IDs and the faults' dice of the same seed.
func newStore(seed uint64) *store {
	return &store{root: &record{}, kinds: map[*kind]*columns{}, sids: rand.New(rand.NewPCG(seed, 0x746c69))}
}

// columns returns this store's columns of a kind. Each store has its own,
// because columns grow with what its records hold, while kinds are shared by
// all fakes.
func (s *store) columns(k *kind) *columns {
	c := s.kinds[k]
	if c == nil {
		c = &columns{kind: k, index: map[string]int{}}
		if !k.root {
			c.index["account_sid"], c.index["accountsid"] = atAccount, atAccount
		}
		for i, v := range k.vars {
			at := atParent - (len(k.vars) - 2 - i)
			if i == len(k.vars)-1 && !k.singleton {
				at = atIdentity
			} else if k.singleton {
				at--
			}
			c.index[v], c.index[key(v)] = at, at
		}
		if k.row != nil {
			for _, f := range k.row.fields {
				if i := c.column(f.name, true); i == len(c.initial) {
					c.initial = append(c.initial, f.initial)
				}
			}
		}
		s.kinds[k] = c
	}
	return c
}

// record makes a record and does not add it to the tree.
func (s *store) record(k *kind, owner *record, id string) *record {
	return &record{kind: s.columns(k), owner: owner, id: id}
}

// add adds a record at every path of its kind whose parents exist. Its seq is
// the order of creation. Adding a record twice changes nothing, so a hook may
// add the record before the engine does.
func (s *store) add(rec *record) {
	home := rec.owner.makeChild(rec.kind.home())
	if home.byID[rec.id] == rec {
		return
	}
	s.seq++
	rec.seq = s.seq
	home.put(rec)
	s.view(rec)
	s.schedule(rec)
}

// view lists a record at the other paths of its kind. It marks the items above,
// so that remove knows which of them must take records out of other lists; most
// need not look.
func (s *store) view(rec *record) {
	for i := 1; i < len(rec.kind.paths); i++ {
		// An item with two paths shows its children at both.
		if c := s.placeAt(rec, rec.kind.paths[i]); c != nil && c.byID[rec.id] != rec {
			c.put(rec)
			rec.views = append(rec.views, c)
		}
	}
	if rec.views != nil {
		for o := rec.owner; o != nil && !o.shared; o = o.owner {
			o.shared = true
		}
	}
}

// placeAt returns the collection for a record at one path of its kind, or nil
// if an item that the record's fields name does not exist. A field of the
// record names each parent, so an item follows its fields: a reservation whose
// worker_sid changes moves to the other worker's list.
func (s *store) placeAt(rec *record, p *place) *collection {
	at := rec.account()
	for i, path := range p.keys {
		if i == len(p.keys)-1 {
			return at.makeChild(path)
		}
		at = at.child(path).find(rec.text(p.vars[i]), nil)
		if at == nil {
			return nil
		}
	}
	return nil
}

// commit replaces a record's contents with those of its changed copy. It takes
// the record out of the lists at its other paths and puts it in again, since
// the fields that name its parents there may have changed.
func (s *store) commit(rec, next *record) {
	home := rec.owner.child(rec.kind.home())
	home.unname(rec)
	for _, c := range rec.views {
		c.take(rec)
	}
	rec.vals, rec.version, rec.views = next.vals, next.version, nil
	home.name(rec)
	s.view(rec)
	s.schedule(rec)
}

// remove deletes a record, and everything below it. Everything below is
// unreachable once the record is out of its collection, and is garbage
// collected. Only records that are also listed elsewhere have to be taken out
// of those lists.
func (s *store) remove(rec *record) {
	rec.owner.child(rec.kind.home()).take(rec)
	for _, c := range rec.views {
		c.take(rec)
	}
	rec.views = nil
	if rec.shared {
		for _, c := range rec.below {
			for _, b := range c.byID {
				if b.owner == rec {
					s.remove(b)
				} else {
					b.views = slices.DeleteFunc(b.views, func(v *collection) bool { return v == c })
				}
			}
		}
	}
}

// where yields the records of a kind below an item, usually the account, whose
// fields equal all of want. It searches the path whose parents want names, and
// only the collection there. A field that is part of the path narrows the
// search at its level; the others are compared with each record's.
func (s *store) where(k *kind, from *record, want map[string]any) iter.Seq[*record] {
	best, most := k.paths[0], 0
	for _, p := range k.paths {
		known := 0
		parents := p.vars[:len(p.keys)-1]
		for _, v := range parents {
			if _, ok := want[v]; ok {
				known++
			}
		}
		if known == len(parents) && known > most {
			best, most = p, known
		}
	}
	return func(yield func(*record) bool) { s.descend(best, 0, from, want, yield) }
}

// descend yields the matching records of a place, starting at level i below at.
// It returns false once yield has asked to stop.
func (s *store) descend(p *place, i int, at *record, want map[string]any, yield func(*record) bool) bool {
	if i >= len(p.keys) {
		return true
	}
	c := at.child(p.keys[i])
	last := i == len(p.keys)-1
	id, bound := "", false
	if i < len(p.vars) {
		id, bound = want[p.vars[i]].(string)
	}
	try := func(rec *record) bool {
		if !last {
			return s.descend(p, i+1, rec, want, yield)
		}
		return rec.seq == 0 || !rec.matches(want) || yield(rec)
	}
	if bound {
		if rec := c.find(id, nil); rec != nil {
			return try(rec)
		}
		return true
	}
	if c == nil {
		return true
	}
	for rec := range c.all() {
		if !try(rec) {
			return false
		}
	}
	if !last { // ghosts are not listed
		for _, rec := range slices.SortedFunc(c.places(), func(a, b *record) int { return strings.Compare(a.id, b.id) }) {
			if !try(rec) {
				return false
			}
		}
	}
	return true
}

// places yields the ghosts of a collection. They are yielded in no particular
// order; descend sorts them.
func (c *collection) places() iter.Seq[*record] {
	return func(yield func(*record) bool) {
		if len(c.byID) == c.len() {
			return
		}
		for _, rec := range c.byID {
			if rec.seq == 0 && !yield(rec) {
				return
			}
		}
	}
}

func (r *record) matches(want map[string]any) bool {
	for k, v := range want {
		if r.get(k) != v {
			return false
		}
	}
	return true
}

// hex32 returns a prefix and 32 random hex digits. It uses the seeded generator,
// so that equal runs make equal SIDs, tokens and codes.
func (s *store) hex32(prefix string) string { return randomHex(s.sids, prefix) }

// randomHex returns a prefix and 32 hex digits from a generator.
func randomHex(from *rand.Rand, prefix string) string {
	var b [16]byte
	for i := range b {
		b[i] = byte(from.Uint32())
	}
	var room [48]byte
	return string(hex.AppendEncode(append(room[:0], prefix...), b[:]))
}

// newSID returns a SID that no item of the collection has. The generator starts
// again with each new store, so after a save and a load an item can have the
// next SID.
func (s *store) newSID(prefix string, in *collection) string {
	for {
		if sid := s.hex32(prefix); in.find(sid, nil) == nil {
			return sid
		}
	}
}

// ghost adds an item that no request can create, because something is created
// below it. A ghost can be found by its identity but is not listed.
func (s *store) ghost(rec *record) {
	c := rec.owner.makeChild(rec.kind.home())
	if c.byID == nil {
		c.byID = map[string]*record{}
	}
	c.byID[rec.id] = rec
}

// accounts returns the collection of all accounts.
func (s *store) accounts() *collection { return s.root.child("accounts") }
