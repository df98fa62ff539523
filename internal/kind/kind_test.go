package kind

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range All() {
		v := reflect.ValueOf(k)
		for i := range v.NumField() {
			if v.Field(i).IsZero() {
				t.Fatalf("the kind %q has no %s", k.Name, v.Type().Field(i).Name)
			}
		}
		if seen[k.Name] {
			t.Errorf("the kind %q is there twice", k.Name)
		}
		seen[k.Name] = true
		if got, err := Of(k.Name); err != nil || got.Pattern != k.Pattern {
			t.Errorf("Of(%q) is the kind %q, %v", k.Name, got.Name, err)
		}
		if got := NoteOf(k.Format); got != k.Note {
			t.Errorf("the format %q has the notes %q and %q", k.Format, k.Note, got)
		}
		if !k.Check(k.Example) {
			t.Errorf("the kind %q refuses its example %q", k.Name, k.Example)
		}
		if k.Check("") {
			t.Errorf("the kind %q accepts an empty string", k.Name)
		}
		if !strings.HasPrefix(k.Pattern, "^") || !strings.HasSuffix(k.Pattern, "$") {
			t.Errorf("the pattern %s of %q also matches within a string", k.Pattern, k.Name)
		}
	}
}

// TestPatternIsCheck checks that a client which checks the pattern accepts what
// the app accepts.
func TestPatternIsCheck(t *testing.T) {
	for _, k := range All() {
		pattern := regexp.MustCompile(k.Pattern)
		texts := append(near(k.Example), "", " ", "+", "+0", "+1", "+12", "+"+strings.Repeat("9", 15), "+"+strings.Repeat("9", 16))
		for _, other := range All() {
			texts = append(texts, other.Example)
		}
		for _, text := range texts {
			if got, want := pattern.MatchString(text), k.Check(text); got != want {
				t.Errorf("%q: the pattern of %q says %t, its check %t", text, k.Name, got, want)
			}
		}
	}
}

// near returns strings that differ from s in one place.
func near(s string) []string {
	list := []string{s + s, s + "\n", " " + s, s + "\u0661"}
	for i := range s {
		list = append(list, s[:i], s[:i]+s[i+1:])
		for _, c := range []string{"0", "9", "a", "F", "g", "+", "-", "\n", "\u0661"} {
			list = append(list, s[:i]+c+s[i+1:])
		}
	}
	return list
}

func TestDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/parameters.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range All() {
		row := "| `kind:\"" + strings.ReplaceAll(k.Name, "|", `\|`) + "\"` |"
		if !strings.Contains(string(page), row) {
			t.Errorf("docs/parameters.md has no row for the kind %q", k.Name)
		}
	}
}

func TestUnknown(t *testing.T) {
	for _, tag := range []string{"", "E164", "cf", "CF|", "CF|x", "CFX", "CF WT"} {
		_, err := Of(tag)
		if err == nil {
			t.Errorf("the tag %q is a kind", tag)
		} else if !strings.Contains(err.Error(), "e164") {
			t.Errorf("the error for %q does not list the kinds: %v", tag, err)
		}
	}
}
