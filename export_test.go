package flexfn

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/flexfn/flexfn/internal/testing/exported"
)

// TestExportedNames checks that the package exports the names in
// testdata/exports.txt and no others, at most 48, and that each is used in an
// Example.
func TestExportedNames(t *testing.T) {
	const most = 48
	list, err := os.ReadFile("testdata/exports.txt")
	if err != nil {
		t.Fatal(err)
	}
	var allowed []string
	for line := range strings.Lines(string(list)) {
		if name := strings.TrimSpace(line); name != "" && !strings.HasPrefix(name, "#") {
			allowed = append(allowed, name)
		}
	}
	names := exported.Names(t)
	if len(names) > most {
		t.Errorf("%d names are exported, more than %d", len(names), most)
	}
	for _, name := range names {
		if !slices.Contains(allowed, name) {
			t.Errorf("%s is exported: the package has %d names at most, and testdata/exports.txt lists them", name, most)
		}
	}
	exported.InExamples(t, "flexfn")
}
