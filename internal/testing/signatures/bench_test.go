package signatures

import (
	"testing"

	"github.com/flexfn/flexfn/signature"
	"github.com/twilio/twilio-go/client"
)

// BenchmarkSignature checks the signature of a form with 12 parameters.
func BenchmarkSignature(b *testing.B) {
	for _, v := range readVectors(b) {
		if v.ID != "form-sms-12-parameters" {
			continue
		}
		body, contentType := v.body(), v.Request.Headers["Content-Type"]
		b.Run("lib=flexfn", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !signature.Valid(v.AuthToken, v.Signature, v.Request.URL, contentType, body) {
					b.Fatal("refused")
				}
			}
		})
		b.Run("lib=twilio-go", func(b *testing.B) {
			validator := client.NewRequestValidator(v.AuthToken)
			b.ReportAllocs()
			for b.Loop() {
				if !validator.ValidateBody(v.Request.URL, body, v.Signature) {
					b.Fatal("refused")
				}
			}
		})
	}
}
