package main

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFresh compares the committed table and listing with what the generator
// makes from the twilio-go that go.mod names.
func TestFresh(t *testing.T) {
	module, dir, err := modules()
	if err != nil {
		t.Fatal(err)
	}
	table, listing, words, err := generate(dir)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(filepath.Join(module, tableFile))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	committed, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(committed, table) {
		t.Errorf("%s is stale; run make generate", tableFile)
	}
	committed, err = os.ReadFile(filepath.Join(module, listingFile))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(committed, listing) {
		t.Errorf("%s is stale; run make generate", listingFile)
	}
	committed, err = os.ReadFile(filepath.Join(module, wordsFile))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(committed, words) {
		t.Errorf("%s is stale; run make generate", wordsFile)
	}
	if packed, err := compress(table); err != nil || len(packed) > 100<<10 {
		t.Errorf("the table has %d bytes, %v; it may have 100 KiB", len(packed), err)
	}
}

// TestFacts checks that facts about unknown operations are refused.
func TestFacts(t *testing.T) {
	_, dir, err := modules()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ facts, want string }{
		{"GET sync.twilio.com/v9/Nothing status=201", "unknown operation"},
		{"POST sync.twilio.com/v1/Services required=Nothing", "has no parameter Nothing"},
		{"POST sync.twilio.com/v1/Services Nothing=a|b", "has no parameter Nothing"},
		{"POST sync.twilio.com/v1/Services status=x", "status=x"},
		{"POST sync.twilio.com/v1/Services prefix=IS\nPOST sync.twilio.com/v1/Services prefix=IS", "is there twice"},
	} {
		pkg, err := parsePackage(filepath.Join(dir, "rest", "sync", "v1"), "sync/v1")
		if err != nil {
			t.Fatal(err)
		}
		classify(pkg.ops)
		known, err := parseFacts(c.facts)
		if err == nil {
			err = join(pkg.ops, known)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.facts, err, c.want)
		}
	}
}
