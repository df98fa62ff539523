package signature_test

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/flexfn/flexfn/signature"
)

const formType = "application/x-www-form-urlencoded"

func ExampleSign() {
	body := []byte("CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212")
	fmt.Println(signature.Sign("12345", "https://mycompany.com/myapp.php?foo=1&bar=2", formType, body))
	// Output: RSOYDt4T1cUTdK1PDd93/VVr8B8=
}

func ExampleAddBodyHash() {
	body := []byte(`{"property": "value", "boolean": true}`)
	url := signature.AddBodyHash("https://mycompany.com/myapp.php?foo=1&bar=2", body)
	fmt.Println(signature.Sign("12345", url, "application/json", body))
	// Output: a9nBmqA0ju/hNViExpshrM61xv4=
}

func ExampleValid() {
	const url = "https://mycompany.com/myapp.php?foo=1&bar=2"
	const sent = "IK+Dwps556ElfBT0I3Rgjkr1wJU="
	fmt.Println(signature.Valid("12345", sent, url, formType, []byte("Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234&Digits=1234")))
	fmt.Println(signature.Valid("12345", sent, url, formType, []byte("Sid=CA123&SidAccount=AC123&Digits=5678")))
	// Output:
	// true
	// false
}

// A server without an app checks a webhook and reads what was signed.
func ExampleVerifier() {
	verifier, err := signature.New(signature.Config{
		AccountSID: "AC" + strings.Repeat("0", 32),
		AuthTokens: []string{"12345"},
		PublicURL:  "https://functions.example.com",
	})
	if err != nil {
		log.Fatal(err)
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			http.Error(w, "no body", http.StatusBadRequest)
			return
		}
		proof, err := verifier.Verify(r.Context(), r, body)
		if err != nil {
			http.Error(w, "not from Twilio", http.StatusForbidden) // err is for the log
			return
		}
		for name, value := range proof.Form() {
			fmt.Println(name, "is", value)
		}
	})

	const body = "Digits=1234"
	r := httptest.NewRequest("POST", "http://10.0.0.5:8080/studio/menu", strings.NewReader(body))
	r.Header.Set("Content-Type", formType)
	r.Header.Set(signature.Header, signature.Sign("12345", "https://functions.example.com/studio/menu", formType, []byte(body)))
	handler.ServeHTTP(httptest.NewRecorder(), r)
	// Output: Digits is 1234
}

// A proxy reports the called URL in either of two headers.
func ExampleProxyTrust() {
	for name, trust := range map[string]signature.ProxyTrust{
		"Forwarded":        signature.TrustForwarded("192.0.2.0/24"),
		"X-Forwarded-Host": signature.TrustXForwardedFromAnyone(), // only if every request passes the proxy
	} {
		verifier, err := signature.New(signature.Config{AuthTokens: []string{"12345"}, ProxyTrust: trust})
		if err != nil {
			log.Fatal(err)
		}
		r := httptest.NewRequest("GET", "http://10.0.0.5:8080/hook", nil) // from 192.0.2.1
		r.Header.Set(signature.Header, signature.Sign("12345", "https://functions.example.com/hook", "", nil))
		if name == "Forwarded" {
			r.Header.Set(name, "for=203.0.113.7;proto=https;host=functions.example.com")
		} else {
			r.Header.Set(name, "functions.example.com")
		}
		_, err = verifier.Verify(r.Context(), r, nil)
		fmt.Println(err)
	}
	// Output:
	// <nil>
	// <nil>
}

// An empty list of proxies is refused rather than ignored.
func ExampleTrustXForwarded() {
	_, err := signature.New(signature.Config{AuthTokens: []string{"12345"}, ProxyTrust: signature.TrustXForwarded("10.0.0.0/8", "fd00::/8")})
	fmt.Println(err)
	_, err = signature.New(signature.Config{AuthTokens: []string{"12345"}, ProxyTrust: signature.TrustXForwarded()})
	fmt.Println(err)
	// Output:
	// <nil>
	// ProxyTrust (FLEXFN_TRUSTED_PROXIES): the list of trusted proxies is empty: write addresses or networks such as 10.0.0.0/8
}
