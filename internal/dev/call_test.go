package dev

import (
	"slices"
	"strings"
	"testing"

	"github.com/flexfn/flexfn/internal/kind"
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

// TestSampleFits checks that a required parameter is filled in with its
// example, or with a value of its kind.
func TestSampleFits(t *testing.T) {
	for _, k := range kind.All() {
		f := Function{Path: "/f", Open: true, Parameters: []Parameter{
			{Name: "a", Required: true, Type: Text, Expected: k.Expected, Fits: k.Example},
			{Name: "b", Required: true, Type: List, Expected: k.Expected, Fits: k.Example, Example: "own"},
			{Name: "c", Type: Text, Expected: k.Expected, Fits: k.Example}, // optional
		}}
		if got, want := Sample(f, "").Parameters, []Pair{{"a", k.Example}, {"b", "own"}}; !slices.Equal(got, want) {
			t.Errorf("the kind %q is filled in as %q, want %q", k.Name, got, want)
		}
	}
}
