package blind

import (
	"math/rand/v2"
	"reflect"
	"slices"
)

// A mutator makes inputs out of seeds.
type mutator struct {
	random  *rand.Rand
	seeds   [][]reflect.Value
	scratch []byte
}

// pieces mean something in the texts that targets read.
var pieces = []string{
	"&", "=", "+", "%", "%00", "%20", "%2", "%C3%AB", "%ff", ";", "#", "?", "/", "..", "//", "\\", ":", "@", ",", "'", "%27", "\"", "<", ">", "(", ")",
	"{", "}", "[", "]", "null", "true", "1e400", "-0", "0", "9999999999999999999", `\u0041`, `\ud800`, `\`, "{}", "[]", `"":`, `,"a":`,
	" ", "\t", "\r\n", "\x00", "\x7f", "\xff", "\xc3", "\xef\xbb\xbf", "é", "ſ", "\u2028", "👋", "*", "-", "_", ".", "|", "$", "~", "`", "^",
}

// maxInput keeps texts from growing, since each step of one takes its length.
const maxInput = 4 << 10

// next fills args with an input.
func (m *mutator) next(args []reflect.Value) {
	copy(args, m.seeds[m.random.IntN(len(m.seeds))])
	for {
		i := m.random.IntN(len(args))
		args[i] = m.value(args[i], i)
		if m.random.IntN(2) == 0 {
			return
		}
	}
}

// value changes the value of argument i.
func (m *mutator) value(v reflect.Value, i int) reflect.Value {
	if m.random.IntN(8) == 0 {
		return m.seeds[m.random.IntN(len(m.seeds))][i]
	}
	changed := reflect.New(v.Type()).Elem()
	switch {
	case v.Kind() == reflect.String:
		changed.SetString(string(m.text([]byte(v.String()), i)))
	case v.Kind() == reflect.Slice:
		changed.SetBytes(m.text(slices.Clone(v.Bytes()), i))
	case v.Kind() == reflect.Bool:
		changed.SetBool(!v.Bool())
	case v.CanInt():
		changed.SetInt(number(m.random, v.Int()))
	case v.CanUint():
		changed.SetUint(uint64(number(m.random, int64(v.Uint()))))
	case v.CanFloat():
		changed.SetFloat(v.Float() * m.random.NormFloat64())
	}
	return changed
}

// number returns one that is near n, or any.
func number(random *rand.Rand, n int64) int64 {
	switch random.IntN(4) {
	case 0:
		return int64(random.Uint64() >> random.IntN(64))
	case 1:
		return -n
	}
	return n + int64(random.IntN(21)) - 10
}

// text changes b, a text of argument i, in one or several places.
func (m *mutator) text(b []byte, i int) []byte {
	for {
		switch m.random.IntN(7) {
		case 0: // remove
			from, to := m.part(b)
			b = slices.Delete(b, from, to)
		case 1: // repeat
			from, to := m.part(b)
			b = m.insert(b, b[from:to])
		case 2: // insert what means something
			b = m.insert(b, []byte(pieces[m.random.IntN(len(pieces))]))
		case 3: // insert a part of another seed
			other := m.seeds[m.random.IntN(len(m.seeds))][i]
			text := []byte(nil)
			if other.Kind() == reflect.String {
				text = []byte(other.String())
			} else {
				text = other.Bytes()
			}
			from, to := m.part(text)
			b = m.insert(b, text[from:to])
		case 4: // flip a bit
			if len(b) > 0 {
				b[m.random.IntN(len(b))] ^= 1 << m.random.IntN(8)
			}
		case 5: // any byte
			if len(b) > 0 {
				b[m.random.IntN(len(b))] = byte(m.random.Uint32())
			}
		case 6: // exchange two
			if len(b) > 0 {
				x, y := m.random.IntN(len(b)), m.random.IntN(len(b))
				b[x], b[y] = b[y], b[x]
			}
		}
		if len(b) > maxInput {
			b = b[:maxInput]
		}
		if m.random.IntN(3) == 0 {
			return b
		}
	}
}

// part returns where a part of b begins and ends; short ones are likely.
func (m *mutator) part(b []byte) (from, to int) {
	if len(b) == 0 {
		return 0, 0
	}
	from = m.random.IntN(len(b))
	return from, from + min(len(b)-from, 1+m.random.IntN(1<<m.random.IntN(8)))
}

// insert inserts text anywhere in b.
func (m *mutator) insert(b, text []byte) []byte {
	m.scratch = append(m.scratch[:0], text...) // it may be a part of b
	return slices.Insert(b, m.random.IntN(len(b)+1), m.scratch...)
}
