package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/flexfntest"
)

func TestRequestCallback(t *testing.T) {
	statuses := []int{503, 429, 0, 200} // of the CRM's answers; 0 is none
	keys := map[string]int{}
	var mu sync.Mutex // for both
	crm := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		keys[r.Header.Get("Idempotency-Key")]++
		status := statuses[0]
		statuses = statuses[1:]
		mu.Unlock()
		if status == 0 {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(status)
		fmt.Fprint(w, `{"ticket":"T-7"}`)
	}))
	defer crm.Close()
	app := flexfntest.New(t, func(c *flexfn.Config) { c.Transport = withCRM(c.Transport, crm) })
	app.Handle("/flex/request-callback", requestCallback(crm.URL))

	call := flexfntest.Params{"number": "+15550100", "reason": "an invoice"}
	answer := app.CallFlex(flexfntest.Agent, "/flex/request-callback", call).OK()
	if answer.Field("ticket") != "T-7" {
		t.Errorf("the answer is %s", answer.Body)
	}
	mu.Lock()
	if len(keys) != 1 || len(statuses) != 0 {
		t.Errorf("the CRM saw the keys %v, and was not asked for %v", keys, statuses)
	}

	// What the CRM refuses is not tried again.
	statuses = []int{409, 200}
	mu.Unlock()
	app.CallFlex(flexfntest.Agent, "/flex/request-callback", call).Refused(409, "")
	mu.Lock()
	if len(statuses) != 1 {
		t.Error("the CRM was asked again after it refused")
	}
	mu.Unlock()
	app.CallFlex(flexfntest.Agent, "/flex/request-callback", flexfntest.Params{"number": "5550100"}).Refused(400, "Invalid number")
}

// withCRM lets requests for the CRM through to it; all others stay with
// the fake Twilio.
func withCRM(fake http.RoundTripper, crm *httptest.Server) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		if "http://"+r.URL.Host == crm.URL {
			return http.DefaultTransport.RoundTrip(r)
		}
		return fake.RoundTrip(r)
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
