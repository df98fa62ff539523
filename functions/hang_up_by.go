package functions

import (
	"context"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/twilioapi"
	api "github.com/twilio/twilio-go/rest/api/v2010"
)

// hangUpBy lets the plugin find out who hung up first: the participant who is
// no longer connected. The plugin reads only the status, which is "connected"
// or another. For a participant who has left, the answer is Twilio's 404.
func hangUpBy(*Config) []flexfn.Route {
	return []flexfn.Route{{
		Path:     "/features/hang-up-by/flex/fetch-conference-participant",
		Function: flexfn.PrepareFlexFunction(fetchParticipant, flexfn.Doc("Fetches a participant of a conference.")),
	}}
}

func fetchParticipant(ctx context.Context, in participantParams) (participantReply, error) {
	res := twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) (*api.ApiV2010Participant, error) {
		return api.NewApiService(client).FetchParticipant(in.Conference, in.Participant, nil)
	})
	return participantReply{twilioapi.View(res.Data)}, res.Err()
}
