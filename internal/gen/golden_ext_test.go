package gen_test

import (
	"bytes"
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/flexfn/flexfn/internal/gen"
	"github.com/flexfn/flexfn/internal/testing/kinds"
	"github.com/flexfn/flexfn/openapi"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestGolden compares with the golden files, which the end-to-end test
// type-checks and runs.
func TestGolden(t *testing.T) {
	document, err := openapi.Document(kinds.Describe(kinds.Routes()), openapi.Info{})
	if err != nil {
		t.Fatal(err)
	}
	client, err := gen.Generate(document, gen.Options{Version: "devel"})
	if err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string][]byte{"../testing/tsclient/openapi.json": document, "../testing/tsclient/client.ts": client} {
		if *update {
			if err := os.WriteFile(name, got, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what is generated: go test ./internal/gen -run TestGolden -update, and look at the difference", name)
		}
	}
	if found := regexp.MustCompile(`(?m)[:<|(]\s*any\b|as any\b|^import `).FindAll(client, -1); found != nil {
		t.Errorf("the client uses the type any, or imports something: %q", found)
	}
}

func TestNoDocument(t *testing.T) {
	for _, document := range []string{
		``, `[]`, `{}`, `{"openapi":"3.0.0"}`, `{"openapi":"3.1.0","components":{"schemas":{}}}`,
		`{"openapi":"3.1.0","components":{"schemas":{"Failure":{}}},"paths":{"/x":{}}}`,
		`{"openapi":"3.1.0","components":{"schemas":{"Failure":{}}},"paths":{"/x":{"post":{"requestBody":{},"responses":{"200":{}}}}}}`,
		`{"openapi":"3.1.0","components":{"schemas":{"Failure":{}}},"paths":{"/x":{"post":{"requestBody":{"content":{"application/json":{"schema":{"$ref":"#/components/schemas/X"}}}},"responses":{"200":{}}}}}}`,
	} {
		if client, err := gen.Generate([]byte(document), gen.Options{Version: "devel"}); err == nil {
			t.Errorf("%s gave the client\n%s", document, client)
		}
	}
}

// TestNames checks that generated names do not collide with those of TypeScript
// or the client.
func TestNames(t *testing.T) {
	document := `{"openapi":"3.1.0","components":{"schemas":{"Failure":{"type":"object"},"DeleteInput":{"type":"object"},
		"Date":{"type":"object","properties":{"a b":{"type":"string"}}},
		"DeleteResult":{"type":"object","properties":{"date":{"$ref":"#/components/schemas/Date"}}}}},
		"paths":{"/delete":{"post":{"operationId":"delete","requestBody":{"content":{"application/json":{"schema":{"$ref":"#/components/schemas/DeleteInput"}}}},
		"responses":{"200":{"content":{"application/json":{"schema":{"$ref":"#/components/schemas/DeleteResult"}}}}}}}}}`
	client, err := gen.Generate([]byte(document), gen.Options{Version: "devel"})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"function delete_(", "interface Date_ {", "date?: Date_;", `"a b"?: string;`} {
		if !strings.Contains(string(client), want) {
			t.Errorf("the client lacks %s:\n%s", want, client[:900])
		}
	}
}
