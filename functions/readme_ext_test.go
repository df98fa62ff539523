package functions_test

import (
	"context"
	"fmt"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/flexfntest"
	"github.com/flexfn/flexfn/internal/testing/exampletb"
	"github.com/flexfn/flexfn/twilioapi"
	api "github.com/twilio/twilio-go/rest/api/v2010"
)

// The code of README.md begins here.

type HoldParams struct {
	Conference  string `json:"conference"  kind:"CF" purpose:"unique ID of conference to update"`
	Participant string `json:"participant" kind:"CA" purpose:"unique ID of participant to update"`
	Hold        bool   `json:"hold"                  purpose:"whether to hold or unhold the participant"`
}

type HoldReply struct {
	Participant twilioapi.Resource `json:"participantsResponse"`
}

func hold(ctx context.Context, in HoldParams) (HoldReply, error) {
	res := twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) (*api.ApiV2010Participant, error) {
		return api.NewApiService(client).UpdateParticipant(in.Conference, in.Participant, new(api.UpdateParticipantParams).SetHold(in.Hold))
	})
	return HoldReply{Participant: twilioapi.View(res.Data)}, res.Err()
}

func Example_hold() {
	app := flexfntest.New(exampletb.T{}) // in production: flexfn.New(flexfn.FromEnv())
	app.Handle("/flex/hold-participant", flexfn.PrepareFlexFunction(hold, flexfn.Roles("agent", "supervisor")))
	answer := app.CallFlex(flexfntest.Agent, "/flex/hold-participant", flexfntest.Params{
		"conference": "CF00000000000000000000000000000001", "participant": "CA00000000000000000000000000000001", "hold": true,
	})
	fmt.Println(answer.Field("participantsResponse", "hold"))
	// Output: true
}
