package functions

import (
	"context"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/twilioapi"
	api "github.com/twilio/twilio-go/rest/api/v2010"
)

// supervisorBargeCoach allows a supervisor who listens in to speak to everyone
// (barge), or to the agent only (coach). The template lets any worker do so.
// Here the caller must be a supervisor or an administrator; otherwise an agent
// could listen to, and speak in, any conference.
func supervisorBargeCoach(*Config) []flexfn.Route {
	return []flexfn.Route{{
		Path: "/features/supervisor-barge-coach/flex/participant-mute-and-coach",
		Function: flexfn.PrepareFlexFunction(muteAndCoach, flexfn.Roles("supervisor", "admin"),
			flexfn.Doc("Mutes a supervisor in a conference, or lets them coach an agent.")),
	}}
}

// muteAndCoachParams name the conference by its SID or by its task's SID, which
// is its friendly name in Flex.
type muteAndCoachParams struct {
	Conference  string   `json:"conferenceSid" purpose:"conference sid to target for changes" kind:"CF|WT"`
	Participant string   `json:"participantSid" purpose:"participant sid to target for conference changes" kind:"CA"`
	Muted       bool     `json:"muted" purpose:"boolean to determine the muted status of the participant in the conference"`
	Coaching    bool     `json:"coaching" purpose:"boolean to determine the coaching status of the participant in the conference"`
	Agent       optional `json:"agentSid" doc:"call of the agent who is coached; when it is left out, only muted changes"`
}

// Validate implements [flexfn.Validator].
func (p muteAndCoachParams) Validate() error { return checkSIDs("agentSid", "CA", string(p.Agent)) }

// muteAndCoach changes both in one request, so that the supervisor is not heard
// in between. Without an agent to coach, it does not send coaching.
func muteAndCoach(ctx context.Context, in muteAndCoachParams) (done, error) {
	params := &api.UpdateParticipantParams{Muted: &in.Muted}
	if in.Agent != "" {
		params.Coaching, params.CallSidToCoach = &in.Coaching, new(string(in.Agent))
	}
	return done{}, twilioapi.UpdateParticipant(ctx, in.Conference, in.Participant, params).Err()
}
