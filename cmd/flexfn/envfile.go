package main

import (
	"bytes"
	"fmt"
	"os"

	"github.com/flexfn/flexfn/internal/dotenv"
)

// readEnvFile reads a file with one NAME=value on a line. Its error names the
// file and the line, but quotes neither. A value may be a secret, and so may a
// line in which the name is missing.
func readEnvFile(path string) (map[string]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if bytes.ContainsRune(text, 0) { // which a process's environment cannot hold
		return nil, fmt.Errorf("%s: there are zero bytes in it: save it as UTF-8; write one NAME=value on a line", path)
	}
	vars, err := dotenv.Parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return vars, nil
}
