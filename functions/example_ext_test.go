package functions_test

import (
	"fmt"
	"log"
	"maps"
	"slices"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/flexfntest"
	"github.com/flexfn/flexfn/functions"
	"github.com/flexfn/flexfn/internal/testing/exampletb"
)

func ExampleAdd() {
	app, err := flexfn.New(flexfn.Config{ // in production: flexfn.FromEnv()
		AccountSID: "AC00000000000000000000000000000001", AuthToken: "12345",
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := functions.Add(app); err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(app.Routes()), "functions")
	// Output: 53 functions
}

func ExampleRoutes() {
	for _, r := range functions.Routes() {
		if r.Function == functions.UpdateWorkerAttributes {
			fmt.Println(r.Path, "is for", r.Function.Describe().Access)
		}
	}
	// Output: /common/flex/taskrouter/update-worker-attributes is for workers who are supervisor or admin
}

// The settings come from the program instead of the environment.
func ExampleConfig_Add() {
	app := flexfntest.New(exampletb.T{}) // in production: flexfn.New(flexfn.FromEnv())
	config := functions.Config{
		ChatServiceSID: "IS00000000000000000000000000000001",
		Features:       []string{"hang-up-by", "park-interaction"},                // and no others
		Disabled:       []string{"/common/flex/phone-numbers/list-phone-numbers"}, // replaced by one of your own
	}
	if err := config.Add(app.App); err != nil {
		log.Fatal(err)
	}
	app.CallFlex(flexfntest.Agent, "/common/flex/programmable-chat/update-channel-attributes", flexfntest.Params{
		"channelSid": "CH00000000000000000000000000000001", "attributes": `{"topic":"returns"}`,
	}).OK()
	fmt.Println(len(app.Routes()), "functions")
	// Output: 21 functions
}

// A ready-made function can be served at another path.
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

// Every function answers with Twilio's resource, or with the requested data.
func Example_voice() {
	const (
		conference = "CF00000000000000000000000000000001"
		customer   = "CA00000000000000000000000000000001"
		worker     = "CA00000000000000000000000000000002"
	)
	app := flexfntest.New(exampletb.T{})
	for _, call := range []struct {
		function *flexfn.Function
		params   flexfntest.Params
		answer   []string
	}{
		{functions.GetCallProperties, flexfntest.Params{"callSid": customer}, []string{"callProperties", "status"}},
		{functions.MuteParticipant, flexfntest.Params{"conference": conference, "participant": worker, "muted": true}, []string{"participantsResponse", "muted"}},
		{functions.UpdateParticipant, flexfntest.Params{"conference": conference, "participant": customer, "endConferenceOnExit": true}, []string{"participantsResponse", "endConferenceOnExit"}},
		{functions.AddParticipant, flexfntest.Params{"taskSid": conference, "to": "+15550100001", "from": "+15550002222"}, []string{"participantsResponse", "status"}},
		{functions.RemoveParticipant, flexfntest.Params{"conference": conference, "participant": worker}, []string{"participantsResponse"}},
		{functions.ColdTransfer, flexfntest.Params{"callSid": "CA00000000000000000000000000000003", "to": "+15550100001"}, []string{"success"}},
	} {
		path := fmt.Sprintf("/voice/%p", call.function)
		app.Handle(path, call.function)
		fmt.Println(call.answer[len(call.answer)-1], app.CallFlex(flexfntest.Agent, path, call.params).Field(call.answer...))
	}
	// Output:
	// status in-progress
	// muted true
	// endConferenceOnExit true
	// status connected
	// participantsResponse true
	// success true
}

func Example_taskRouter() {
	const (
		task   = "WT00000000000000000000000000000001"
		worker = "WK00000000000000000000000000000001"
	)
	app := flexfntest.New(exampletb.T{})
	for _, call := range []struct {
		function *flexfn.Function
		params   flexfntest.Params
	}{
		{functions.GetQueues, nil},
		{functions.GetWorkerChannels, flexfntest.Params{"workerSid": worker}},
		{functions.UpdateTaskAttributes, flexfntest.Params{"taskSid": task, "attributesUpdate": `{"note":"called back"}`}},
		{functions.UpdateTaskAssignmentStatus, flexfntest.Params{"taskSid": task, "assignmentStatus": "wrapping"}},
		{functions.UpdateWorkerAttributes, flexfntest.Params{"workerSid": worker, "attributesUpdate": `{"desk":"7"}`}},
		{functions.UpdateWorkerChannel, flexfntest.Params{"workerSid": worker, "workerChannelSid": "WC00000000000000000000000000000001", "capacity": 2, "available": true}},
	} {
		path := fmt.Sprintf("/taskrouter/%p", call.function)
		app.Handle(path, call.function)
		var answer map[string]any
		app.CallFlex(flexfntest.Supervisor, path, call.params).OK().Decode(&answer)
		fmt.Println(slices.Sorted(maps.Keys(answer)))
	}
	// Output:
	// [queues success]
	// [success workerChannels]
	// [success]
	// [success]
	// [success worker]
	// [success workerChannelCapacity]
}

// The attributes of conversations, and the account's numbers.
func Example_others() {
	app := flexfntest.New(exampletb.T{})
	for _, call := range []struct {
		function *flexfn.Function
		params   flexfntest.Params
	}{
		{functions.UpdateConversationAttributes, flexfntest.Params{"conversationSid": "CH00000000000000000000000000000001", "attributes": `{"topic":"returns"}`}},
		{functions.ListPhoneNumbers, flexfntest.Params{"IncludeOutgoing": true}},
	} {
		path := fmt.Sprintf("/others/%p", call.function)
		app.Handle(path, call.function)
		var answer map[string]any
		app.CallFlex(flexfntest.Agent, path, call.params).OK().Decode(&answer)
		fmt.Println(slices.Sorted(maps.Keys(answer)))
	}
	// Output:
	// [success]
	// [phoneNumbers success]
}
