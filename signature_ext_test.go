package flexfn_test

import (
	"context"
	"fmt"
	"log"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/flexfn/flexfn"
)

const formType = "application/x-www-form-urlencoded"

func ExampleSignature() {
	body := []byte("CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212")
	fmt.Println(flexfn.Signature("12345", "https://mycompany.com/myapp.php?foo=1&bar=2", formType, body))
	// Output: RSOYDt4T1cUTdK1PDd93/VVr8B8=
}

func ExampleAddBodyHash() {
	body := []byte(`{"property": "value", "boolean": true}`)
	url := flexfn.AddBodyHash("https://mycompany.com/myapp.php?foo=1&bar=2", body)
	fmt.Println(flexfn.Signature("12345", url, "application/json", body))
	// Output: a9nBmqA0ju/hNViExpshrM61xv4=
}

func ExampleValidSignature() {
	const url = "https://mycompany.com/myapp.php?foo=1&bar=2"
	const signature = "IK+Dwps556ElfBT0I3Rgjkr1wJU="
	fmt.Println(flexfn.ValidSignature("12345", signature, url, formType, []byte("Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234&Digits=1234")))
	fmt.Println(flexfn.ValidSignature("12345", signature, url, formType, []byte("Sid=CA123&SidAccount=AC123&Digits=5678")))
	// Output:
	// true
	// false
}

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
		r.Header.Set("X-Twilio-Signature", flexfn.Signature("12345", "https://functions.example.com/studio/send-survey", formType, []byte(body)))
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		fmt.Println(w.Code, w.Body)
	}
	// Output:
	// 200 {"calls":1,"success":true}
	// 200 {"calls":1,"success":true}
}

func ExampleTrustXForwarded() {
	config := studioConfig()
	config.PublicURL = "" // several names lead to this app
	config.ProxyTrust = flexfn.TrustXForwarded("10.0.0.0/8", "fd00::/8")
	_, err := flexfn.New(config)
	fmt.Println(err)

	config.ProxyTrust = flexfn.TrustXForwarded() // believes nobody: refused, not ignored
	_, err = flexfn.New(config)
	fmt.Println(err)
	// Output:
	// <nil>
	// ProxyTrust (FLEXFN_TRUSTED_PROXIES): no trusted proxy is named: write addresses or networks such as 10.0.0.0/8
}
