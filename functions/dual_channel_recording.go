package functions

import (
	"context"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/twilioapi"
	api "github.com/twilio/twilio-go/rest/api/v2010"
)

// dualChannelRecording starts a recording with each side of the call on its own
// channel. It is not repeated if its outcome is unknown. Twilio's error 21220
// means that the call cannot be recorded, for example because it has ended.
// Calling it again makes a second recording. The plugin keeps the answer.
func dualChannelRecording(*Config) []flexfn.Route {
	return []flexfn.Route{{
		Path:     "/features/dual-channel-recording/flex/create-recording",
		Function: flexfn.PrepareFlexFunction(createRecording, flexfn.Doc("Starts to record a call, each side on its own channel.")),
	}}
}

type createRecordingParams struct {
	Call string `json:"callSid" purpose:"unique ID of call to record" kind:"CA"`
}

func createRecording(ctx context.Context, in createRecordingParams) (recordingReply, error) {
	res := twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) (*api.ApiV2010CallRecording, error) {
		return api.NewApiService(client).CreateCallRecording(in.Call, &api.CreateCallRecordingParams{RecordingChannels: new("dual")})
	})
	return recordingReply{twilioapi.View(res.Data)}, res.Err()
}
