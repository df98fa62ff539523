package twiliofake

import (
	"cmp"
	"iter"
	"slices"
	"strconv"
)

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
