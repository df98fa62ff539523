package functions

import (
	"context"
	"errors"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/twilioapi"
	api "github.com/twilio/twilio-go/rest/api/v2010"
)

// pauseRecording lets an agent pause the recording of a call or conference while
// a customer says something that must not be recorded. Twilio's error 21220
// means that nothing is being recorded.
func pauseRecording(*Config) []flexfn.Route {
	const path = "/features/pause-recording/flex/"
	return []flexfn.Route{
		{Path: path + "pause-call-recording", Function: flexfn.PrepareFlexFunction(pauseCall, flexfn.Doc("Pauses the recording of a call."))},
		{Path: path + "pause-conference-recording", Function: flexfn.PrepareFlexFunction(pauseConference, flexfn.Doc("Pauses the recording of a conference."))},
		{Path: path + "resume-call-recording", Function: flexfn.PrepareFlexFunction(resumeCall, flexfn.Doc("Resumes the recording of a call."))},
		{Path: path + "resume-conference-recording", Function: flexfn.PrepareFlexFunction(resumeConference, flexfn.Doc("Resumes the recording of a conference."))},
	}
}

type recordingReply struct {
	Recording twilioapi.Resource `json:"recording"`
}

// pauseOptions say which recording to pause, and what is recorded meanwhile.
// With silence the recording stays as long as the call; with skip it becomes
// shorter.
type pauseOptions struct {
	Recording optional `json:"recordingSid" doc:"unique ID of the recording; the one under way when left out"`
	Behavior  optional `json:"pauseBehavior" doc:"skip leaves the pause out, silence records silence; silence when left out"`
}

// Validate implements [flexfn.Validator].
func (p pauseOptions) Validate() error {
	if p.Behavior != "" && p.Behavior != "skip" && p.Behavior != "silence" {
		return errors.New("pauseBehavior must be skip or silence")
	}
	return checkSIDs("recordingSid", "RE", string(p.Recording))
}

// current is Twilio's name for the recording in progress.
const current = "Twilio.CURRENT"

type pauseCallParams struct {
	Call string `json:"callSid" purpose:"unique ID of call to pause recording" kind:"CA"`
	pauseOptions
}

func pauseCall(ctx context.Context, in pauseCallParams) (recordingReply, error) {
	return updateCallRecording(ctx, in.Call, in.Recording.or(current), &api.UpdateCallRecordingParams{
		Status: new("paused"), PauseBehavior: new(in.Behavior.or("silence")),
	})
}

type pauseConferenceParams struct {
	Conference string `json:"conferenceSid" purpose:"unique ID of conference to pause recording" kind:"CF"`
	pauseOptions
}

func pauseConference(ctx context.Context, in pauseConferenceParams) (recordingReply, error) {
	return updateConferenceRecording(ctx, in.Conference, in.Recording.or(current), &api.UpdateConferenceRecordingParams{
		Status: new("paused"), PauseBehavior: new(in.Behavior.or("silence")),
	})
}

// resumeCallParams need the recording's SID. The plugin has it from the answer
// to pausing.
type resumeCallParams struct {
	Call      string `json:"callSid" purpose:"unique ID of call to resume recording" kind:"CA"`
	Recording string `json:"recordingSid" purpose:"unique ID of recording to resume" kind:"RE"`
}

func resumeCall(ctx context.Context, in resumeCallParams) (recordingReply, error) {
	return updateCallRecording(ctx, in.Call, in.Recording, &api.UpdateCallRecordingParams{Status: new("in-progress")})
}

type resumeConferenceParams struct {
	Conference string `json:"conferenceSid" purpose:"unique ID of conference to resume recording" kind:"CF"`
	Recording  string `json:"recordingSid" purpose:"unique ID of recording to resume" kind:"RE"`
}

func resumeConference(ctx context.Context, in resumeConferenceParams) (recordingReply, error) {
	return updateConferenceRecording(ctx, in.Conference, in.Recording, &api.UpdateConferenceRecordingParams{Status: new("in-progress")})
}

// updateCallRecording answers with the updated recording, or with Twilio's own
// error, in which the plugin looks for the code 21220.
func updateCallRecording(ctx context.Context, call, recording string, params *api.UpdateCallRecordingParams) (recordingReply, error) {
	res := twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) (*api.ApiV2010CallRecording, error) {
		return api.NewApiService(client).UpdateCallRecording(call, recording, params)
	})
	return recordingReply{twilioapi.View(res.Data)}, res.Err()
}

func updateConferenceRecording(ctx context.Context, conference, recording string, params *api.UpdateConferenceRecordingParams) (recordingReply, error) {
	res := twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) (*api.ApiV2010ConferenceRecording, error) {
		return api.NewApiService(client).UpdateConferenceRecording(conference, recording, params)
	})
	return recordingReply{twilioapi.View(res.Data)}, res.Err()
}
