package main

import (
	"net/http"
	"testing"

	"github.com/flexfn/flexfn/flexfntest"
)

func TestRequestCallback(t *testing.T) {
	app := flexfntest.New(t)
	app.Handle("/flex/request-callback", requestCallback("https://crm.example.com"))
	statuses := []int{503, 429, 0, 200} // of the CRM's answers; 0: it does not answer
	keys := map[string]int{}
	app.Double("crm.example.com", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		keys[r.Header.Get("Idempotency-Key")]++
		status := statuses[0]
		statuses = statuses[1:]
		if status == 0 {
			panic(http.ErrAbortHandler)
		}
		flexfntest.JSON(status, map[string]any{"ticket": "T-7"}).ServeHTTP(w, r)
	}))

	call := flexfntest.Params{"number": "+15550100", "reason": "an invoice"}
	answer := app.CallFlex(flexfntest.Agent, "/flex/request-callback", call).OK()
	if answer.Field("ticket") != "T-7" {
		t.Errorf("the answer is %s", answer.Body)
	}
	if len(keys) != 1 || len(statuses) != 0 {
		t.Errorf("the CRM saw the keys %v, and was not asked for %v", keys, statuses)
	}
	app.Saw("POST", "crm.example.com/callbacks", call)

	// A call that the CRM refuses is not tried again.
	statuses = []int{409, 200}
	app.CallFlex(flexfntest.Agent, "/flex/request-callback", call).Refused(409, "")
	if len(statuses) != 1 {
		t.Error("the CRM was asked again after it refused")
	}
	app.CallFlex(flexfntest.Agent, "/flex/request-callback", flexfntest.Params{"number": "5550100"}).Refused(400, "Invalid number")
}
