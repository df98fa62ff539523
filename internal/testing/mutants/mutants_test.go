package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// The package whose mutants TestMutants tries.
const (
	code = `package sample

import "strings"

const day = 24 * 60 // no function

var half = func(n int) int { return n / 2 }

func Larger(a, b int) int {
	if a > b {
		return a
	}
	return b
}

func Greet(name string) (text string) {
	defer func() { text = strings.TrimSpace(text) }()
	return "hello " + name
}

func Count(words []string) int {
	n := 0
loop:
	for i := 0; i < len(words); i++ {
		switch {
		case words[i] == "stop":
			break loop
		}
		n++
	}
	return n
}

func Untested(a bool) bool { return a && true }
`
	tests = `package sample

import "testing"

func TestLarger(t *testing.T) {
	if Larger(1, 2) != 2 || Larger(2, 1) != 2 || half(4) != 2 {
		t.Fail()
	}
}

func TestGreet(t *testing.T) {
	if Greet("you") != "hello you" {
		t.Fail()
	}
}

func TestCount(t *testing.T) {
	if Count([]string{"a", "stop", "b", "c"}) != 1 {
		t.Fail()
	}
}
`
)

func TestMutants(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"go.mod": "module sample\n\ngo 1.26\n", "sample.go": code, "sample_test.go": tests} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := &pkg{dir: dir, only: regexp.MustCompile(""), slack: 5 * time.Second, log: t.Logf}
	if err := p.try(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range p.survivors {
		got = append(got, m.String())
	}
	want := []string{
		"sample.go:10: > to >=: if a > b {",
		"sample.go:24: < to <=: for i := 0; i < len(words); i++ {",
		"sample.go:34: && to ||: func Untested(a bool) bool { return a && true }",
	}
	if !slices.Equal(got, want) {
		t.Errorf("survivors: %q, want %q", got, want)
	}
	// Others change / to *, > to <=, < to >=, i++ to i--, n++ to n--, == to !=,
	// and break to continue. "hello " - name does not compile.
	if p.tried != 10 || p.broken != 1 || p.outside != 1 {
		t.Errorf("%v", p)
	}
	complaints := p.complaints(map[string]bool{
		p.survivors[0].key():       true,
		"sample.go\tn++\t++ to --": true,
		"other.go\tn++\t++ to --":  true,
	})
	if len(complaints) != 4 || !strings.HasPrefix(complaints[0], "not listed: sample.go:24") || !strings.HasPrefix(complaints[2], "listed, but noticed or gone: sample.go: n++") ||
		complaints[3] != "70.0 % are noticed; expected 95 %" {
		t.Errorf("complaints: %q", complaints)
	}
}

func TestParseList(t *testing.T) {
	const entry = "a.go\tif a > b {\t> to >=\tthe same\n"
	if listed, err := parseList("# comment\n\n" + entry); err != nil || len(listed) != 1 || !listed["a.go\tif a > b {\t> to >="] {
		t.Errorf("got %v, %v", listed, err)
	}
	for _, text := range []string{"a.go\tif a > b {\t> to >=\n", "a.go\tif a > b {\t> to >=\t\n", entry + entry} {
		if listed, err := parseList(text); err == nil {
			t.Errorf("%q: got %v, want an error", text, listed)
		}
	}
}
