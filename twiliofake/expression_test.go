package twiliofake

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flexfn/flexfn/internal/testing/blind"
)

// expressionVectors is testdata/expressions.json.
type expressionVectors struct {
	Expressions []struct {
		About, Source    string
		Attributes       map[string]any
		Names            map[string]any
		Matches, Differs []string
		Refused          map[string]string // a part of the error
	}
	Orderings []struct {
		Source  string
		Workers []map[string]any
		Sorted  map[string][]string
		Refused map[string]string
	}
}

func readVectors(t testing.TB) expressionVectors {
	t.Helper()
	f, err := os.Open("testdata/expressions.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d := json.NewDecoder(f)
	d.UseNumber()
	d.DisallowUnknownFields()
	var v expressionVectors
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestExpressions(t *testing.T) {
	n := 0
	for _, g := range readVectors(t).Expressions {
		s := scope{g.Attributes, g.Names}
		check := func(src string, want bool) {
			n++
			e, err := parseExpression(src)
			if err != nil {
				t.Errorf("%s: %s: %v", g.About, src, err)
			} else if e.matches(s) != want {
				t.Errorf("%s: %s matches: %v, want %v", g.About, src, !want, want)
			}
		}
		for _, src := range g.Matches {
			check(src, true)
		}
		for _, src := range g.Differs {
			check(src, false)
		}
		for src, want := range g.Refused {
			n++
			if _, err := parseExpression(src); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q: the error is %v, want one with %q", g.About, src, err, want)
			}
		}
	}
	if n < 150 {
		t.Errorf("there are %d vectors, want 150 or more", n)
	}
}

func TestOrderings(t *testing.T) {
	for _, g := range readVectors(t).Orderings {
		for src, want := range g.Sorted {
			o, err := parseOrdering(src)
			if err != nil {
				t.Errorf("%s: %v", src, err)
			}
			var workers []scope
			for _, w := range g.Workers {
				workers = append(workers, scope{names: map[string]any{"worker": w}})
			}
			o.sort(workers)
			var got []string
			for _, w := range workers {
				got = append(got, w.names["worker"].(map[string]any)["name"].(string))
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s sorts %v, want %v", src, got, want)
			}
		}
		for src, want := range g.Refused {
			if _, err := parseOrdering(src); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: the error is %v, want one with %q", src, err, want)
			}
		}
	}
}

// TestExpressionBounds parses hostile expressions. Nesting and length are
// limited, and within the limits parsing takes linear time.
func TestExpressionBounds(t *testing.T) {
	nested := func(n int) string { return strings.Repeat("(", n) + "1==1" + strings.Repeat(")", n) }
	if _, err := parseExpression(nested(maxNesting)); err != nil {
		t.Error(err)
	}
	if _, err := parseExpression(nested(maxNesting + 1)); err == nil || !strings.Contains(err.Error(), "nested") {
		t.Errorf("the error is %v, want one about nesting", err)
	}
	if _, err := parseExpression(strings.Repeat("(", maxExpression)); err == nil {
		t.Error("unclosed parentheses were accepted")
	}
	if _, err := parseExpression("1 == 1" + strings.Repeat(" ", maxExpression)); err == nil || !strings.Contains(err.Error(), "longer") {
		t.Errorf("the error is %v, want one about the length", err)
	}
	for _, src := range []string{
		strings.Repeat("1==1 AND ", maxExpression/10) + "1==1", "a" + strings.Repeat(".a", maxExpression/4) + "==1",
		"1 IN [" + strings.Repeat("1,", maxExpression/4) + "1]", "'" + strings.Repeat(`\\`, maxExpression/4) + "' == 'a'",
	} {
		started := time.Now()
		e, err := parseExpression(src)
		if err != nil {
			t.Errorf("%.20s…: %v", src, err)
		}
		e.matches(scope{})
		if took := time.Since(started); took > time.Second {
			t.Errorf("%.20s… of %d bytes took %v", src, len(src), took)
		}
	}
}

func TestClock(t *testing.T) {
	at := time.Date(2026, 3, 2, 9, 5, 0, 0, time.FixedZone("", 3600))
	e, err := parseExpression("t.currentTime == 0805 AND t.currentHour == 8 AND t.currentMin == 5 AND t.dayOfWeek == 'Mon'")
	if err != nil || !e.matches(scope{names: map[string]any{"t": clock(at)}}) {
		t.Errorf("%v: %v", clock(at), err)
	}
}

// FuzzExpression parses any text as an expression and as an ordering, and
// evaluates it against any attributes. Nothing panics, and errors are not empty.
func FuzzExpression(f *testing.F) {
	for _, g := range readVectors(f).Expressions {
		attributes, err := json.Marshal(g.Attributes)
		if err != nil {
			f.Fatal(err)
		}
		for _, src := range slices.Concat(g.Matches, g.Differs) {
			f.Add(src, string(attributes))
		}
	}
	f.Add("worker.a ASC, worker.b.c[0] DESC", `{"worker":{"a":1e400}}`)
	blind.Fuzz(f, func(t *testing.T, src, attributes string) {
		m, _ := decodeObject([]byte(attributes))
		s := scope{attributes: m, names: map[string]any{"worker": m}}
		e, err := parseExpression(src)
		if err == nil {
			e.matches(s)
		} else if err.Error() == "" {
			t.Error("an empty error")
		}
		if o, err := parseOrdering(src); err == nil {
			o.sort([]scope{s, {}, s})
		}
	})
}
