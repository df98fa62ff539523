package twiliofake

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

var updateFiles = flag.Bool("update", false, "write COVERAGE.md")

// leastModelled is the least number of operations that have rows. Raise it when
// you add some.
const leastModelled = 563

// TestCoverage checks that COVERAGE.md is up to date, and that the number of
// modelled operations does not fall.
func TestCoverage(t *testing.T) {
	type count struct{ all, modelled int }
	products := map[string]*count{}
	for product, top := range theWorld().products {
		n := &count{}
		var walk func(*node)
		walk = func(at *node) {
			for _, op := range at.ops {
				n.all++
				if at.rowVerb(op.method) != 0 {
					n.modelled++
				}
			}
			for _, next := range at.lit {
				walk(next)
			}
			if at.wild != nil {
				walk(at.wild)
			}
		}
		walk(top)
		if n.all > 0 { // twilio-go has the product
			products[product] = n
		}
	}
	var b strings.Builder
	b.WriteString(`# What twiliofake plays

Every operation of the twilio-go that go.mod names. The modelled ones have rows
written by hand, with the rules and life cycles that matter; the generic layer
plays the others by their names and types. This file is generated; run
` + "`make generate`" + `.

| product | operations | modelled | generic |
|---|---|---|---|
`)
	var all count
	for _, product := range slices.Sorted(maps.Keys(products)) {
		n := products[product]
		fmt.Fprintf(&b, "| %s | %d | %d | %d |\n", product, n.all, n.modelled, n.all-n.modelled)
		all.all += n.all
		all.modelled += n.modelled
	}
	fmt.Fprintf(&b, "| **all** | %d | %d | %d |\n", all.all, all.modelled, all.all-all.modelled)
	const file = "COVERAGE.md"
	committed, err := os.ReadFile(file)
	if err != nil && !*updateFiles {
		t.Fatal(err)
	}
	var was count
	if _, rest, ok := strings.Cut(string(committed), "| **all** |"); ok {
		fmt.Sscanf(rest, "%d | %d |", &was.all, &was.modelled) //nolint:errcheck // zero then
	}
	if all.modelled < leastModelled {
		t.Errorf("%d operations are modelled, want at least %d", all.modelled, leastModelled)
	}
	if all.all < was.all || all.modelled < was.modelled {
		t.Errorf("%d of %d operations are modelled, %d of %d were", all.modelled, all.all, was.modelled, was.all)
	}
	if *updateFiles {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if string(committed) != b.String() {
		t.Errorf("%s is stale; run make generate", file)
	}
}
