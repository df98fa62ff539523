package twilioapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/internal/jsonshape"
	"github.com/flexfn/flexfn/internal/testing/blind"
)

func TestMergeObjects(t *testing.T) {
	for _, tt := range []struct{ old, update, want string }{
		{`{}`, `{}`, `{}`},
		{`{"a":1,"nested":{"x":1,"y":2},"list":[1,2,3]}`, `{"b":2,"nested":{"y":3}}`, `{"a":1,"nested":{"x":1,"y":3},"list":[1,2,3],"b":2}`},
		{`{"list":[1,2,3]}`, `{"list":[]}`, `{"list":[1,2,3]}`},
		{`{"list":[1,2,3]}`, `{"list":[9]}`, `{"list":[9,2,3]}`},
		{`{"list":[1]}`, `{"list":[2,3,4]}`, `{"list":[2,3,4]}`},
		{`{"list":[{"a":1},2]}`, `{"list":[{"b":2}]}`, `{"list":[{"a":1,"b":2},2]}`},
		{`{"a":{"b":1}}`, `{"a":null}`, `{"a":null}`},
		{`{"a":{"b":1}}`, `{"a":{"b":null}}`, `{"a":{"b":null}}`},
		{`{"a":[1]}`, `{"a":{"0":2}}`, `{"a":{"0":2}}`},
		{`{"a":{"x":1}}`, `{"a":[1]}`, `{"a":[1]}`},
		{`{"a":"x"}`, `{"a":{"y":1}}`, `{"a":{"y":1}}`},
		{`{"id":12345678901234567890,"x":1.10,"e":1E+400}`, `{"big":9007199254740993,"f":1.0,"neg":-0}`, `{"id":12345678901234567890,"x":1.10,"e":1E+400,"big":9007199254740993,"f":1.0,"neg":-0}`},
		{`{"z":1,"a":1}`, `{"a":2,"2":1,"1":1}`, `{"z":1,"a":2,"2":1,"1":1}`},
		{`{"a":1,"a":2}`, `{"b":1,"b":3}`, `{"a":2,"b":3}`},
		{` { "a" : 1 } `, `{"<&>":"é😀 \u0041"}`, `{"a":1,"<&>":"é😀 \u0041"}`},
		{`{"\u0061":1,"é":2}`, `{"a":2,"b\/\u2028":3}`, `{"\u0061":2,"é":2,"b\/\u2028":3}`},
		{`{}`, `{"__proto__":{"a":1},"":0}`, `{"__proto__":{"a":1},"":0}`},
	} {
		got, err := mergeObjects(json.RawMessage(tt.old), json.RawMessage(tt.update))
		if err != nil || string(got) != tt.want {
			t.Errorf("%s with %s:\ngot  %s, %v\nwant %s", tt.old, tt.update, got, err, tt.want)
		}
	}
}

func TestMergeRefuses(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 1000) + "1" + strings.Repeat("}", 1000)
	for _, tt := range []struct {
		old, update string
		status      int
	}{
		{`{}`, ``, 400},
		{`{}`, `[7]`, 400},
		{`{}`, `true`, 400},
		{`{}`, `null`, 400},
		{`{}`, `{"a":1`, 400},
		{`{}`, `{"a":1}{}`, 400},
		{`not json`, `{}`, 502},
		{`[1]`, `{}`, 502},
		{deep, deep, 400},
	} {
		_, err := mergeObjects(json.RawMessage(tt.old), json.RawMessage(tt.update))
		if e, ok := errors.AsType[*flexfn.Error](err); !ok || e.Status != tt.status {
			t.Errorf("%.20s with %.20s: %v", tt.old, tt.update, err)
		}
	}
}

// TestMergeManyMembers: an object finds each of its members, whether it has few
// or many.
func TestMergeManyMembers(t *testing.T) {
	for n := range 2 * few {
		var old, update, want []string
		for i := range n {
			old = append(old, fmt.Sprintf(`"k%d":0`, i))
			update = append(update, fmt.Sprintf(`"k%d":1`, n-1-i))
			want = append(want, fmt.Sprintf(`"k%d":1`, i))
		}
		object := func(members []string) json.RawMessage { return json.RawMessage("{" + strings.Join(members, ",") + "}") }
		if got, err := mergeObjects(object(old), object(update)); err != nil || string(got) != string(object(want)) {
			t.Errorf("%d members: %s, %v", n, got, err)
		}
	}
}

func TestMergeDepth(t *testing.T) {
	nested := func(open, end string, levels int) json.RawMessage {
		return json.RawMessage(`{"a":` + strings.Repeat(open, levels-1) + "1" + strings.Repeat(end, levels-1) + "}")
	}
	for levels, good := range map[int]bool{jsonshape.MaxDepth: true, jsonshape.MaxDepth + 1: false} {
		for _, json := range []json.RawMessage{nested(`{"a":`, "}", levels), nested("[", "]", levels)} {
			if got, err := mergeObjects(json, json); (err == nil) != good || good && string(got) != string(json) {
				t.Errorf("%d levels of %.6s: %.20s, %v", levels, json, got, err)
			}
		}
	}
}

func TestMergeAttributes(t *testing.T) {
	got, err := MergeAttributes(json.RawMessage(`{"kept":null,"a":1,"b":{"c":null},"d":2}`), json.RawMessage(`{"a":null,"new":null,"b":{"e":null},"d":"null"}`))
	if want := `{"kept":null,"b":{"c":null,"e":null},"d":"null"}`; err != nil || string(got) != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
}

func FuzzMergeObjects(f *testing.F) {
	f.Add(`{"a":1,"nested":{"x":1},"list":[1,{"y":2}]}`, `{"nested":{"x":null},"list":[3]}`)
	f.Add(`{"a":1,"a":2}`, `{"\u0061":[1e400]}`)
	f.Add(`{"a":null,"b":{"c":null,"d":{}}}`, `{"b":{"c":{"d":null}},"e":{"f":null}}`)
	f.Add(` {"":"","\"":"\\","é":"\ud83d\udc4b"} `, `{"\u00e9":null,"\ud800":"\udc00"}`)
	f.Add(`{"a":{"b":[{"c":1}]},"z":-0.0}`, `{"a":"text","z":{"y":true}}`)
	f.Add(`[]`, `null`)
	f.Add(`{"a":1}`, `{"new":{"twice":[3],"twice":[3]}}`)
	f.Add("", "{}")
	blind.Fuzz(f, func(t *testing.T, old, update string) {
		merged, err := mergeObjects(json.RawMessage(old), json.RawMessage(update))
		if err != nil {
			return
		}
		if !json.Valid(merged) || !utf8.Valid(merged) {
			t.Fatalf("no JSON: %q", merged)
		}
		again, err := mergeObjects(merged, json.RawMessage(update))
		if err != nil || !reflect.DeepEqual(decoded(t, again), decoded(t, merged)) { // a new value may repeat a key
			t.Errorf("merging again changed it: %s, %v\n%s", again, err, merged)
		}
		kept, err := MergeAttributes(json.RawMessage(old), json.RawMessage(update))
		if err != nil || !json.Valid(kept) {
			t.Errorf("without nulls: %s, %v", kept, err)
		}
	})
}

// decoded returns what a JSON value means, with all digits of its numbers.
func decoded(t *testing.T, raw json.RawMessage) (v any) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Errorf("%v: %s", err, raw)
	}
	return v
}

func FuzzPlainSegment(f *testing.F) {
	for _, s := range []string{"WT1", "..", "a/b", "%2e%2e", "a?b", "\\", "\x00"} {
		f.Add(s)
	}
	blind.Fuzz(f, func(t *testing.T, s string) {
		if plainSegment(s) && (s == "" || s == "." || s == ".." || strings.ContainsAny(s, "/\\?#%\x00\r\n")) {
			t.Errorf("%q passes", s)
		}
	})
}
