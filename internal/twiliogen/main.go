// Command twiliogen generates package twiliofake's table of all operations from
// facts.txt and from the source of twilio-go, in the version that go.mod names.
//
//	go run ./internal/twiliogen
//
// It writes twiliofake/operations.gz and, for review,
// internal/twiliogen/testdata/operations.txt. Package mask gets the words of
// the operations' paths, in internal/mask/words.go.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

const (
	tableFile   = "twiliofake/operations.gz"
	listingFile = "internal/twiliogen/testdata/operations.txt"
	wordsFile   = "internal/mask/words.go"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "twiliogen:", err)
		os.Exit(1)
	}
}

func run() error {
	module, dir, err := modules()
	if err != nil {
		return err
	}
	table, listing, words, err := generate(dir)
	if err != nil {
		return err
	}
	packed, err := compress(table)
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(module, tableFile), packed, 0o644),
		os.WriteFile(filepath.Join(module, listingFile), listing, 0o644),
		os.WriteFile(filepath.Join(module, wordsFile), words, 0o644),
	)
}

// modules finds the folders of this module and of twilio-go.
func modules() (main, twilio string, err error) {
	out, err := exec.Command("go", "list", "-m", "-json", "github.com/flexfn/flexfn", "github.com/twilio/twilio-go").Output()
	if err != nil {
		return "", "", fmt.Errorf("go list: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(out))
	var dirs [2]struct{ Dir string }
	for i := range dirs {
		if err := d.Decode(&dirs[i]); err != nil {
			return "", "", fmt.Errorf("go list: %w", err)
		}
		if dirs[i].Dir == "" {
			return "", "", errors.New("go list: a module is not there; run go mod download")
		}
	}
	return dirs[0].Dir, dirs[1].Dir, nil
}

// generate makes the table, the listing and the words of the twilio-go in dir.
func generate(dir string) (table, listing, words []byte, err error) {
	pkgs, err := parseSource(dir)
	if err != nil {
		return nil, nil, nil, err
	}
	var all []*operation
	for _, p := range pkgs {
		all = append(all, p.ops...)
	}
	classify(all)
	known, err := parseFacts(facts)
	if err != nil {
		return nil, nil, nil, err
	}
	if err := join(all, known); err != nil {
		return nil, nil, nil, err
	}
	if words, err = writeWords(all); err != nil {
		return nil, nil, nil, err
	}
	table, err = writeTable(pkgs)
	return table, writeListing(all), words, err
}
