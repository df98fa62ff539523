package main

import (
	"testing"

	"github.com/flexfn/flexfn/flexfntest"
)

func TestGreet(t *testing.T) {
	app := flexfntest.New(t)
	app.Handle("/flex/greet", greet)

	answer := app.CallFlex(flexfntest.Agent, "/flex/greet", flexfntest.Params{"name": "Ada", "times": 2}).OK()
	if got := answer.Field("greeting"); got != "Hello Ada! Hello Ada!" {
		t.Errorf("the greeting is %q", got)
	}
	app.CallFlex(flexfntest.Agent, "/flex/greet", nil).Refused(400, "Missing name: who to greet")
	app.CallFlex("", "/flex/greet", flexfntest.Params{"name": "Ada"}).Refused(403, "Token was not provided")
}
