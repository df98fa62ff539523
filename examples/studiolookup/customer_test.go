package main

import (
	"testing"

	"github.com/flexfn/flexfn/flexfntest"
	"github.com/flexfn/flexfn/twiliofake"
)

func TestCustomer(t *testing.T) {
	app := flexfntest.New(t)
	app.Handle("/studio/customer", customer)
	from := flexfntest.Params{"from": "+15550100001"}

	if answer := app.CallStudio("/studio/customer", from).OK(); answer.Field("known") != true {
		t.Errorf("the answer is %s", answer.Body)
	}

	// Twilio's look-up is down: the flow continues with the default.
	if err := app.Twilio.SetFaults(twiliofake.Fault{
		Match: twiliofake.Match{Host: "lookups"}, Action: twiliofake.Status, Status: 503, Times: 100,
	}); err != nil {
		t.Fatal(err)
	}
	answer := app.CallStudio("/studio/customer", from).OK()
	if answer.Field("known") != false || answer.Field("country") != "US" {
		t.Errorf("the answer is %s", answer.Body)
	}

	// Only Twilio's failures are tolerated, not mistakes of the caller.
	app.CallFlex(flexfntest.Agent, "/studio/customer", from).Refused(403, "")
	app.CallStudio("/studio/customer", nil).Refused(400, "Missing from")
}
