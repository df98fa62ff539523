package twiliofake

import (
	"encoding/hex"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// The state is one tree that follows the paths of the API. Below the root are
// the accounts, below an account the collections of every product, below an item
// its own collections. Since only the paths define the tree, rows and the
// generic layer share it, parents are found in constant time, and deleting an
// item deletes everything below it.

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
