package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/joho/godotenv"
)

func TestEnvFileFaults(t *testing.T) {
	const secret = "AUTH_TOKEN=s3cret\n"
	for text, line := range map[string]string{
		"A=1\nthis is no assignment\n" + secret: "2",
		"A=1\n\n# b\n!\n" + secret:              "4",
		"A='1\n" + secret:                       "1",
		"A=\"1\n2\"\nAUTH_TOKEN='s3cret\n":      "3",
		"=s3cret\n":                             "1",
		secret + "s3cret":                       "2",
		"A=1\x00\n" + secret:                    "",
		"A\x00=\x001\x00":                       "", // UTF-16
	} {
		file := filepath.Join(t.TempDir(), ".env")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := readEnvFile(file)
		if err == nil {
			t.Errorf("%q was accepted", text)
			continue
		}
		want := file + ": line " + line + " is no assignment"
		if line == "" {
			want = file + ": there are zero bytes in it"
		}
		if !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// FuzzEnvFile reads any file: it is what the library reads, or an error that
// names the file, and the line where that has a fault, and nothing of it.
func FuzzEnvFile(f *testing.F) {
	for _, s := range []string{
		"", "A=1\nB=$A ${A}x\n", "export A='x y' # c\r\nB: 2\r\n", "A=\"1\\n\\\"2\"\n", "A='1\n2'\nB=$(A)", "A", "=1", "A=\x00", "\xff\xfeA=1", "A B=1", "# c", "A=\\$B\n",
	} {
		f.Add(s)
	}
	file := filepath.Join(f.TempDir(), ".env")
	shape := regexp.MustCompile(`^` + regexp.QuoteMeta(file) + `: (line [0-9]+ is no assignment, or its quotes do not end|there are zero bytes in it: save it as UTF-8); write one NAME=value on a line$`)
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 10_000 {
			return
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		vars, err := readEnvFile(file)
		if err != nil {
			if vars != nil || !shape.MatchString(err.Error()) {
				t.Fatalf("%v, %v", vars, err)
			}
			return
		}
		want, err := godotenv.Unmarshal(text)
		if err != nil || len(vars) != len(want) {
			t.Fatalf("%v is accepted, the library has %v, %v", vars, want, err)
		}
		for name, value := range vars {
			if name == "" || strings.ContainsAny(name, "=\x00") || strings.Contains(value, "\x00") || want[name] != value {
				t.Fatalf("%q is %q, the library has %q", name, value, want[name])
			}
		}
	})
}
