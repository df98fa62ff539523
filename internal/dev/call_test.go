package dev

import (
	"strings"
	"testing"
)

func TestQuote(t *testing.T) {
	for s, want := range map[string]string{"": "''", "a-b_c=1": "a-b_c=1", "a b": "'a b'", "it's": `'it'\''s'`, "$x;`y`": "'$x;`y`'"} {
		if got := Quote(s); got != want {
			t.Errorf("Quote(%q) = %s, want %s", s, got, want)
		}
	}
	if got := Quote("a\nb"); !strings.HasPrefix(got, "'") {
		t.Errorf("a line break is not quoted: %s", got)
	}
}
