package flexfn_test

import (
	"context"
	"fmt"
	"log"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/signature"
)

const formType = "application/x-www-form-urlencoded"

// studioConfig stands for flexfn.FromEnv().
func studioConfig() flexfn.Config {
	return flexfn.Config{
		AccountSID: "AC" + strings.Repeat("0", 32),
		AuthToken:  "12345",
		PublicURL:  "https://functions.example.com",
	}
}

func ExampleDeduplicate() {
	app, err := flexfn.New(studioConfig())
	if err != nil {
		log.Fatal(err)
	}
	calls := 0
	app.Handle("/studio/send-survey", flexfn.PrepareStudioFunction(func(ctx context.Context, in flexfn.Event) (map[string]int, error) {
		calls++ // sends a message
		return map[string]int{"calls": calls}, nil
	}, flexfn.Deduplicate(10*time.Minute)))

	for range 2 { // Twilio delivers the webhook twice
		const body = "To=%2B15005550006"
		r := httptest.NewRequest("POST", "http://10.0.0.5:8080/studio/send-survey", strings.NewReader(body))
		r.Header.Set("Content-Type", formType)
		r.Header.Set("I-Twilio-Idempotency-Token", "5e5c31d4-7b9a-4c38-b3f2-0a1d3a5e8f77")
		r.Header.Set("X-Twilio-Signature", signature.Sign("12345", "https://functions.example.com/studio/send-survey", formType, []byte(body)))
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		fmt.Println(w.Code, w.Body)
	}
	// Output:
	// 200 {"calls":1,"success":true}
	// 200 {"calls":1,"success":true}
}
