package functions_test

import (
	"fmt"
	"log"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/flexfntest"
	"github.com/flexfn/flexfn/functions"
	"github.com/flexfn/flexfn/internal/exampletb"
)

func ExampleAdd() {
	app, err := flexfn.New(flexfn.Config{ // in production: flexfn.FromEnv()
		AccountSID: "AC00000000000000000000000000000001", AuthToken: "12345",
		DisabledFunctions: []string{"/common/flex/programmable-chat/update-channel-attributes"},
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := functions.Add(app); err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(app.Routes()), "functions")
	// Output: 17 functions
}

func ExampleRoutes() {
	for _, r := range functions.Routes() {
		if r.Function == functions.UpdateWorkerAttributes {
			fmt.Println(r.Path, "is for", r.Function.Access())
		}
	}
	// Output: /common/flex/taskrouter/update-worker-attributes is for workers who are supervisor or admin
}

// A ready-made function on a path of one's own.
func ExampleHoldParticipant() {
	app := flexfntest.New(exampletb.T{}) // in production: flexfn.New(flexfn.FromEnv())
	app.Handle("/flex/hold", functions.HoldParticipant)

	answer := app.CallFlex(flexfntest.Agent, "/flex/hold", flexfntest.Params{
		"conference": "CF00000000000000000000000000000001", "participant": "CA00000000000000000000000000000001", "hold": "true",
	})
	fmt.Println(answer.Field("success"), answer.Field("participantsResponse", "hold"))
	// Output: true true
}

func ExampleValidatePhoneNumber() {
	app := flexfntest.New(exampletb.T{})
	app.Handle("/flex/validate", functions.ValidatePhoneNumber)

	for _, number := range []string{"+15550001111", "+1555", "+448701234567"} {
		answer := app.CallFlex(flexfntest.Agent, "/flex/validate", flexfntest.Params{"phoneNumber": number})
		fmt.Println(number, answer.Field("valid"), answer.Field("invalidReason"))
	}
	// Output:
	// +15550001111 true <nil>
	// +1555 false TOO_SHORT
	// +448701234567 false HIGH_RISK_SPECIAL_NUMBER_DISABLED
}

func ExampleCreateTask() {
	app := flexfntest.New(exampletb.T{})
	app.Handle("/studio/create-task", functions.CreateTask)

	answer := app.CallStudio("/studio/create-task", flexfntest.Params{
		"workflowSid": "WW00000000000000000000000000000001", "taskChannel": "voice", "attributes": `{"name":"Ann"}`,
	})
	fmt.Println(answer.Field("task", "assignmentStatus"), answer.Field("task", "attributes"))
	// Output: pending map[name:Ann]
}
