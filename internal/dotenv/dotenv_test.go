package dotenv

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/flexfn/flexfn/internal/testing/blind"
)

// TestVectors compares with what npm's dotenv read from the same files; see
// testdata/vectors.mjs.
func TestVectors(t *testing.T) {
	file, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Text string
		Vars map[string]string
	}
	if err := json.Unmarshal(file, &vectors); err != nil || len(vectors) < 50 {
		t.Fatal(len(vectors), err)
	}
	for _, v := range vectors {
		got, err := Parse(v.Text)
		if _, refused := errors.AsType[*LineError](err); refused && len(v.Vars) == 0 {
			continue // npm's dotenv skips the line
		}
		if err != nil || !maps.Equal(got, v.Vars) {
			t.Errorf("%q: %q %v, want %q", v.Text, got, err, v.Vars)
		}
	}
}

// TestLineError checks that the error names the line but does not quote it.
func TestLineError(t *testing.T) {
	for text, line := range map[string]int{
		"s3cret":                        1,
		"A=b\n\ns3cret s3cret\nC=d":     3,
		"A='x\ny'\n=s3cret":             3,
		"A=b\nB=\"s3cret\nC=d":          2,
		"# s3cret\r\nA=b\r\n'B'=s3cret": 3,
		"1 =s3cret\nS s3cret":           2,
	} {
		_, err := Parse(text)
		e, ok := errors.AsType[*LineError](err)
		if !ok || e.Line != line || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: %v, want line %d", text, err, line)
		}
	}
}

func FuzzEnvFile(f *testing.F) {
	f.Add("A=b # c\nB=\"x\ny\"\n")
	blind.Fuzz(f, func(t *testing.T, text string) {
		vars, err := Parse(text)
		if err != nil {
			return
		}
		for name, value := range vars {
			// Write values so that they read back the same.
			if strings.ContainsAny(value, "'\\") {
				continue
			}
			again, err := Parse(name + "='" + value + "'")
			if err != nil || again[name] != value {
				t.Errorf("%q: %q is read again as %q, %v", name, value, again[name], err)
			}
		}
	})
}
