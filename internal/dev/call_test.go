package dev

import (
	"strings"
	"testing"
)

func TestQuote(t *testing.T) {
	for s, want := range map[string]string{"": "''", "a-b_c=1": "a-b_c=1", "a b": "'a b'", "it's": `'it'\''s'`, "$x;`y`": "'$x;`y`'"} {
		if got := quote(s); got != want {
			t.Errorf("quote(%q) = %s, want %s", s, got, want)
		}
	}
	if got := quote("a\nb"); !strings.HasPrefix(got, "'") {
		t.Errorf("a line break is not quoted: %s", got)
	}
}
