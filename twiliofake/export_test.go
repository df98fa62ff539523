package twiliofake

import (
	"encoding/json"
	"hash/maphash"
	"net/http"
)

// ClientOf is [Twilio.Client] for any handler.
func ClientOf(h http.Handler) *http.Client { return &http.Client{Transport: memory{h}} }

// Decode decodes the table of operations anew and joins it with the rows.
func Decode() error {
	rows, err := theRows()
	if err != nil {
		return err
	}
	ops, err := readOperations(operationsGzip)
	if err != nil {
		return err
	}
	newWorld(rows, ops)
	return nil
}

// ProductOf returns the product of a modelled kind.
func ProductOf(kind string) string {
	rows, err := theRows()
	if err != nil {
		panic(err)
	}
	return rows.byName[kind].product
}

var seed = maphash.MakeSeed()

// Fingerprint returns a hash of all that [Twilio.State] returns, in a small part
// of the time. Two fakes of this process with equal states have the same one.
func (t *Twilio) Fingerprint() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	faults, faultSeed := t.faults.list()
	rest, err := json.Marshal([]any{t.tokens, faults, faultSeed})
	if err != nil {
		panic(err)
	}
	var room []byte
	sum := maphash.Bytes(seed, rest)
	// Sums do not depend on the order of maps and columns. Each element
	// therefore carries the hash of what it belongs to.
	var add func(r *record, above uint64)
	add = func(r *record, above uint64) {
		if r.kind != nil {
			for i, name := range r.kind.names {
				var v, initial any
				if i < len(r.kind.initial) {
					initial = r.kind.initial[i]
				}
				if v = initial; i < len(r.vals) && r.vals[i] != unset {
					v = r.vals[i]
				}
				if v == nil && initial == nil {
					continue
				}
				room = append(append(room[:0], key(name)...), '=')
				if room, err = appendJSON(room, v); err != nil {
					panic(err)
				}
				sum += maphash.Comparable(seed, [2]uint64{above, maphash.Bytes(seed, room)})
			}
		}
		for path, c := range r.below {
			at := maphash.Comparable(seed, struct {
				above uint64
				path  string
			}{above, path})
			i := 0
			for below := range c.all() {
				if below.owner == r { // and is not only a view of it
					id := maphash.Comparable(seed, struct {
						at      uint64
						i       int
						id      string
						version int32
					}{at, i, below.id, below.version})
					sum += id
					add(below, id)
				}
				i++
			}
			for ghost := range c.places() {
				add(ghost, maphash.Comparable(seed, struct {
					at uint64
					id string
				}{at, ghost.id}))
			}
		}
	}
	add(t.store.root, 0)
	return sum
}
