package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestEnvFileFaults checks that an error names the file and the fault, and
// shows no secret.
func TestEnvFileFaults(t *testing.T) {
	const secret = "AUTH_TOKEN=s3cret\n"
	for text, want := range map[string]string{
		"A=1\nthis is no assignment\n" + secret: "line 2 ",
		"A=1\x00\n" + secret:                    "there are zero bytes in it",
		"A\x00=\x001\x00":                       "there are zero bytes in it", // UTF-16
	} {
		file := filepath.Join(t.TempDir(), ".env")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := readEnvFile(file)
		if err == nil || !strings.HasPrefix(err.Error(), file+": "+want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}
