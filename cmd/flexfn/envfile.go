package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"github.com/joho/godotenv"
)

// readEnvFile reads a file with one NAME=value on a line. Its error names the
// file and the line, and shows nothing of either: a .env file is full of
// secrets, and the library's own errors quote what stands behind a fault.
func readEnvFile(path string) (map[string]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if bytes.ContainsRune(text, 0) { // which a process's environment cannot hold
		return nil, fmt.Errorf("%s: there are zero bytes in it: save it as UTF-8; write one NAME=value on a line", path)
	}
	if vars, ok := parseEnv(string(text)); ok {
		return vars, nil
	}
	// A value may go over several lines: the fault is behind the most lines
	// that can be read.
	lines := strings.SplitAfter(string(text), "\n")
	n := len(lines) - 1
	for n > 0 {
		if _, ok := parseEnv(strings.Join(lines[:n], "")); ok {
			break
		}
		n--
	}
	return nil, fmt.Errorf("%s: line %d is no assignment, or its quotes do not end; write one NAME=value on a line", path, n+1)
}

// parseEnv reports whether text can be read, and each value has a name.
func parseEnv(text string) (map[string]string, bool) {
	vars, err := godotenv.Unmarshal(text)
	_, unnamed := vars[""]
	return vars, err == nil && !unnamed
}
