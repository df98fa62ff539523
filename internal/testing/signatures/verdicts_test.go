// Package signatures holds the cases behind signature/testdata/signatures.json,
// and compares validators of Twilio's signature on them.
package signatures

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/flexfn/flexfn/signature"
	"github.com/twilio/twilio-go/client"
)

type vector struct {
	ID        string
	AuthToken string
	Signature string
	Request   struct {
		URL        string
		Headers    map[string]string
		Body       string
		BodyBase64 []byte
	}
	Expected string
	Differs  map[string]string
}

func (v vector) body() []byte {
	if v.Request.BodyBase64 != nil {
		return v.Request.BodyBase64
	}
	return []byte(v.Request.Body)
}

func readVectors(t testing.TB) []vector {
	data, err := os.ReadFile("../../../signature/testdata/signatures.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Vectors []vector }
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Vectors) < 150 {
		t.Fatalf("only %d vectors", len(file.Vectors))
	}
	return file.Vectors
}

// TestVerdicts runs twilio-go's validator and ours on every vector; the file
// says what each should answer. vectors.mjs reads the verdicts from the file in
// SIGNATURE_VERDICTS.
func TestVerdicts(t *testing.T) {
	verdicts := map[string]map[string]string{}
	for _, v := range readVectors(t) {
		validator := client.NewRequestValidator(v.AuthToken)
		got := map[string]string{
			"twilio-go":       verdict(validator.ValidateBody(v.Request.URL, v.body(), v.Signature)),
			"signature.Valid": verdict(signature.Valid(v.AuthToken, v.Signature, v.Request.URL, v.Request.Headers["Content-Type"], v.body())),
		}
		verdicts[v.ID] = got
		if os.Getenv("SIGNATURE_VERDICTS") != "" {
			continue // reported by the caller, with the others
		}
		for who, verdict := range got {
			reason, differs := v.Differs[who]
			if (verdict != v.Expected) != differs {
				t.Errorf("%s: %s says %s, expected %s (%s)", v.ID, who, verdict, v.Expected, reason)
			}
		}
	}
	if path := os.Getenv("SIGNATURE_VERDICTS"); path != "" {
		data, err := json.Marshal(verdicts)
		if err == nil {
			err = os.WriteFile(path, data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func verdict(valid bool) string {
	if valid {
		return "accept"
	}
	return "refuse"
}
