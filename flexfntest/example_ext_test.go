package flexfntest_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/flexfntest"
	"github.com/flexfn/flexfn/functions"
	"github.com/flexfn/flexfn/internal/testing/exampletb"
	"github.com/flexfn/flexfn/twiliofake"
)

const (
	conference  = "CF00000000000000000000000000000001" // of the fake's development state
	participant = "CA00000000000000000000000000000001"
)

func Example() {
	t := exampletb.T{} // in a test: t *testing.T

	app := flexfntest.New(t)
	app.Handle("/flex/hold", functions.HoldParticipant)
	answer := app.CallFlex(flexfntest.Agent, "/flex/hold", flexfntest.Params{
		"conference": conference, "participant": participant, "hold": true,
	}).OK()
	app.Saw("POST", "/*/Accounts/*/Conferences/*/Participants/*", flexfntest.Params{"Hold": true})

	fmt.Println(answer.Field("participantsResponse", "hold"))
	// Output: true
}

// Only supervisors may call; for others, no request may go to Twilio.
func ExampleAnswer_Refused() {
	t := exampletb.T{} // in a test: t *testing.T

	app := flexfntest.New(t)
	app.Handle("/flex/remove", flexfn.PrepareFlexFunction(func(context.Context, flexfn.Event) (any, error) {
		return nil, nil
	}, flexfn.Roles("supervisor")))
	app.CallFlex(flexfntest.Agent, "/flex/remove", nil).Refused(403, "for the role supervisor")
	app.CallFlex(flexfntest.Supervisor, "/flex/remove", nil).OK()
	app.SawNo("DELETE", "**")
	// Output:
}

func ExampleApp_CallStudio() {
	t := exampletb.T{} // in a test: t *testing.T

	app := flexfntest.New(t)
	app.Handle("/studio/create-task", functions.CreateTask)
	answer := app.CallStudio("/studio/create-task", flexfntest.Params{
		"workflowSid": "WW00000000000000000000000000000001", "taskChannel": "voice", "attributes": map[string]any{"name": "Ann"},
	}).OK()
	fmt.Println(answer.Field("task", "attributes"))
	// Output: map[name:Ann]
}

func ExampleApp_CallStudioJSON() {
	t := exampletb.T{} // in a test: t *testing.T

	app := flexfntest.New(t)
	app.Handle("/studio/echo", flexfn.PrepareStudioFunction(func(_ context.Context, e flexfn.Event) (any, error) {
		return e, nil
	}))
	fmt.Println(app.CallStudioJSON("/studio/echo", map[string]any{"digits": 7}).Field("digits"))
	// Output: 7
}

// Twilio delivers a webhook again when it got no answer. The function guards
// against that.
func ExampleAnswer_Redeliver() {
	t := exampletb.T{} // in a test: t *testing.T

	app := flexfntest.New(t, func(c *flexfn.Config) {
		c.Store, c.StoreSecret = flexfntest.NewStore(), "a secret of thirty-two characters"
	})
	calls := 0
	app.Handle("/studio/count", flexfn.PrepareStudioFunction(func(context.Context, flexfn.Event) (int, error) {
		calls++
		return calls, nil
	}, flexfn.Once(time.Hour)))
	first := app.CallStudio("/studio/count", nil, flexfntest.Header("I-Twilio-Idempotency-Token", "c0ffee")).OK()
	fmt.Println(first.Field("data"), first.Redeliver().OK().Field("data"))
	// Output: 1 1
}

// A double stands in for a web service other than Twilio.
func ExampleApp_Double() {
	t := exampletb.T{} // in a test: t *testing.T

	app := flexfntest.New(t)
	app.Handle("/flex/ticket", flexfn.PrepareFlexFunction(func(ctx context.Context, _ flexfn.Event) (map[string]any, error) {
		client := flexfn.FromContext(ctx).HTTPClient()
		return flexfn.ReadJSON[map[string]any](client.Post("https://crm.example.com/tickets", "application/json", strings.NewReader(`{"who": {"name": "Ann"}}`)))
	}))

	app.Double("crm.example.com", flexfntest.JSON(201, map[string]any{"ticket": "T-7"}))
	answer := app.CallFlex(flexfntest.Agent, "/flex/ticket", nil).OK()
	app.Saw("POST", "crm.example.com/tickets", flexfntest.Params{"who": map[string]any{"name": "Ann"}})

	fmt.Println(answer.Field("ticket"))
	// Output: T-7
}

// A plugin sends an Idempotency-Key.
func ExampleHeader() {
	t := exampletb.T{} // in a test: t *testing.T

	app := flexfntest.New(t)
	app.Handle("/flex/key", flexfn.PrepareFlexFunction(func(ctx context.Context, _ flexfn.Event) (string, error) {
		return flexfn.RequestHeader(ctx).Get("Idempotency-Key"), nil
	}))
	fmt.Println(app.CallFlex(flexfntest.Agent, "/flex/key", nil, flexfntest.Header("Idempotency-Key", "7")).Field("data"))
	// Output: 7
}

// Twilio fails twice, and the function still succeeds.
func ExampleApp_Saw() {
	t := exampletb.T{} // in a test: t *testing.T

	app := flexfntest.New(t)
	app.Handle("/flex/queues", functions.GetQueues)
	if err := app.Twilio.SetFaults(twiliofake.Fault{
		Match: twiliofake.Match{Path: "/v1/Workspaces/*/TaskQueues"}, Action: twiliofake.Status, Status: 503, Times: 2,
	}); err != nil {
		t.Errorf("%v", err)
	}
	app.CallFlex(flexfntest.Agent, "/flex/queues", nil).OK()
	request := app.Saw("GET", "/v1/Workspaces/*/TaskQueues", nil)
	fmt.Println(request.Status, len(app.Twilio.Requests(twiliofake.Match{Host: "taskrouter"})))
	// Output: 200 3
}

// The people that every fake knows.
func ExampleApp_CallFlex() {
	t := exampletb.T{} // in a test: t *testing.T

	app := flexfntest.New(t)
	app.Handle("/flex/team", flexfn.PrepareFlexFunction(func(context.Context, flexfn.Event) (any, error) {
		return nil, nil
	}, flexfn.Roles("supervisor", "admin")))
	for _, token := range []string{
		flexfntest.Agent, flexfntest.Supervisor, flexfntest.Admin, flexfntest.Guest,
		flexfntest.Expired, flexfntest.Invalid, flexfntest.Outage, "",
	} {
		fmt.Printf("%q %d\n", token, app.CallFlex(token, "/flex/team", nil).Status)
	}
	// Output:
	// "dev-agent" 403
	// "dev-supervisor" 200
	// "dev-admin" 200
	// "dev-guest" 403
	// "dev-expired" 403
	// "dev-invalid" 403
	// "dev-outage" 503
	// "" 403
}

func ExampleAnswer_Decode() {
	t := exampletb.T{} // in a test: t *testing.T

	app := flexfntest.New(t)
	app.Handle("/flex/queues", functions.GetQueues)
	var answer struct {
		Queues []struct {
			FriendlyName string `json:"friendlyName"`
		} `json:"queues"`
	}
	app.CallFlex(flexfntest.Agent, "/flex/queues", nil).OK().Decode(&answer)
	fmt.Println(answer.Queues[0].FriendlyName)
	// Output: Everyone
}
