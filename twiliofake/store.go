package twiliofake

import (
	"encoding/hex"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
)

// A record is one item: its fields as they are on the wire, and its version.
// A field whose name begins with an underscore is kept and saved, and never
// sent.
type record struct {
	fields  map[string]any
	version int
}

func (r *record) clone() *record { return &record{maps.Clone(r.fields), r.version} }

// text returns a field that is a string, or "".
func (r *record) text(name string) string {
	s, _ := r.fields[name].(string)
	return s
}

func (r *record) flag(name string) bool {
	b, _ := r.fields[name].(bool)
	return b
}

func (r *record) number(name string) int {
	n, _ := r.fields[name].(int)
	return n
}

func (r *record) get(name string) any { return r.fields[name] }

func (r *record) set(name string, v any) { r.fields[name] = v }

func (r *record) etag() string { return fmt.Sprintf(`"%d"`, r.version) }

// A collection holds the records of one kind in the order of their creation.
type collection struct {
	all  []*record
	byID map[string][]*record
}

// A store holds the records of every kind. It is not safe for concurrent use.
type store struct {
	kinds map[string]*collection
	sids  *rand.Rand
}

func newStore(seed uint64) *store {
	return &store{map[string]*collection{}, rand.New(rand.NewPCG(seed, 0x746c69))}
}

func (s *store) kind(name string) *collection {
	c := s.kinds[name]
	if c == nil {
		c = &collection{byID: map[string][]*record{}}
		s.kinds[name] = c
	}
	return c
}

func (s *store) add(r *resource, rec *record) {
	c := s.kind(r.name)
	c.all = append(c.all, rec)
	id := rec.text(r.identity())
	c.byID[id] = append(c.byID[id], rec)
}

func (s *store) remove(r *resource, rec *record) {
	c := s.kind(r.name)
	same := func(o *record) bool { return o == rec }
	c.all = slices.DeleteFunc(c.all, same)
	id := rec.text(r.identity())
	if c.byID[id] = slices.DeleteFunc(c.byID[id], same); len(c.byID[id]) == 0 {
		delete(c.byID, id)
	}
}

// where returns the records of a kind whose fields equal all of want.
func (s *store) where(name string, want map[string]any) []*record {
	var out []*record
	for _, rec := range s.kind(name).all {
		if rec.matches(want) {
			out = append(out, rec)
		}
	}
	return out
}

// one returns the first record of a kind whose fields equal all of want.
func (s *store) one(name string, want map[string]any) *record {
	for _, rec := range s.kind(name).all {
		if rec.matches(want) {
			return rec
		}
	}
	return nil
}

func (r *record) matches(want map[string]any) bool {
	for k, v := range want {
		if r.fields[k] != v {
			return false
		}
	}
	return true
}

// sid makes a SID that no record of the kind has: the prefix and 32 hex digits.
func (s *store) sid(name, prefix string) string {
	for {
		var b [16]byte
		for i := range b {
			b[i] = byte(s.sids.Uint32())
		}
		sid := prefix + hex.EncodeToString(b[:])
		if len(s.kind(name).byID[sid]) == 0 {
			return sid
		}
	}
}
