package twiliofake

import (
	"encoding/json"
	"math"
	"testing"
)

// TestAppendJSON compares the answers' JSON with what json.Marshal writes.
func TestAppendJSON(t *testing.T) {
	for _, v := range []any{
		nil, "", `a "quoted" \ text`, "<a href='x'>&amp;</a>", "tab\tline\nnul\x00del\x7f", "grüße \u2028 \U0001F600", "bad \xff", true, false,
		0, -1, math.MaxInt, 1.5, json.Number("1e400"), map[string]any{}, map[string]any(nil), []any{}, []any(nil), []string{"a"}, []string(nil),
		map[string]any{"b": []any{1, "x", nil, map[string]any{"z": 1, "a<": "é"}}, "a": map[string]any{"": false}}, map[string]string{"b": "1", "a": "2"},
	} {
		want, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := appendJSON([]byte("before "), v); err != nil || string(got) != "before "+string(want) {
			t.Errorf("%#v is %s (%v), want %s", v, got, err, want)
		}
	}
	if got, err := appendJSON(nil, map[string]any{"a": pack([]any{1, "<"})}); err != nil || string(got) != `{"a":[1,"\u003c"]}` {
		t.Errorf("a packed list is %s, %v", got, err)
	}
	for _, v := range []any{math.NaN(), []any{math.Inf(1)}, map[string]any{"a": func() {}}} {
		if _, err := appendJSON(nil, v); err == nil {
			t.Errorf("%v can be written", v)
		}
	}
}
