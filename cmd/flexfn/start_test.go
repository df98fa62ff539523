package main

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestStart bounds what the command does before main, at every start of every
// server: the bytes that each package allocates to initialize its variables.
// Maps, regexps and split texts belong into a function, or a sync.OnceValue.
func TestStart(t *testing.T) {
	flexfn := exec.Command(os.Args[0], "-test.run", "^$")
	flexfn.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	out, err := flexfn.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	most := map[string]int{
		"":           1500,    // each package of flexfn but for
		"functions":  48000,   // describes the ready-made functions
		"twiliofake": 16000,   // its small tables
		"cmd/flexfn": 1 << 20, // here with the variables of tests
	}
	found := 0
	for _, m := range regexp.MustCompile(`(?m)^init github\.com/flexfn/flexfn/?(\S*) .* (\d+) bytes`).FindAllStringSubmatch(string(out), -1) {
		name := strings.TrimSuffix(m[1], "/")
		bytes, _ := strconv.Atoi(m[2])
		limit, ok := most[name]
		if !ok {
			limit = most[""]
		}
		if found++; bytes > limit {
			t.Errorf("the package flexfn/%s allocates %d bytes when it is initialized, and may allocate %d", name, bytes, limit)
		}
	}
	if found < 5 {
		t.Fatalf("only %d packages in: %s", found, out)
	}
	list := exec.Command("go", "list", "-tags", "lambda.norpc", "-deps", ".") // as in a release
	deps, err := list.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, deps)
	}
	for _, heavy := range []string{"encoding/gob", "go/types", "html/template", "net/rpc"} {
		if slices.Contains(strings.Fields(string(deps)), heavy) {
			t.Errorf("the command imports %s, which costs each start up to a millisecond, and megabytes", heavy)
		}
	}
}
