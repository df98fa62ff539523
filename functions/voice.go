package functions

import (
	"context"
	"net/url"
	"strings"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/twilioapi"
	api "github.com/twilio/twilio-go/rest/api/v2010"
	"github.com/twilio/twilio-go/twiml"
)

// participantParams identify a conference by its SID or its friendly name,
// which in Flex is the SID of its task, and a participant by the SID of its
// call or its label. Names that are not a single path segment are refused with
// 400; Twilio checks all others.
type participantParams struct {
	Conference  string `json:"conference" purpose:"unique ID of conference to update" example:"CF00000000000000000000000000000001"`
	Participant string `json:"participant" purpose:"unique ID of participant to update" example:"CA00000000000000000000000000000001"`
}

func (p participantParams) Validate() error {
	return checkNames("conference", p.Conference, "participant", p.Participant)
}

// participantReply has the participant under the template's key, which is the
// same for all functions about participants.
type participantReply struct {
	Participant twilioapi.Resource `json:"participantsResponse"`
}

// HoldParticipant holds or resumes a participant of a conference, and answers
// with the participant as participantsResponse. The conference is named by its
// SID or by its friendly name, which in Flex is the SID of the task, the
// participant by the SID of its call or by its label. Its path is
// /common/flex/programmable-voice/hold-participant.
//
// holdUrl is the URL of the TwiML that they hear meanwhile; without it Twilio
// plays its own music.
var HoldParticipant = flexfn.PrepareFlexFunction(holdParticipant, flexfn.Doc("Puts a participant of a conference on hold, or takes it off."))

type holdParams struct {
	participantParams
	Hold    bool   `json:"hold" purpose:"whether to hold or unhold the participant"`
	HoldURL string `json:"holdUrl" doc:"URL of the TwiML that plays while the participant is on hold"`
}

func holdParticipant(ctx context.Context, in holdParams) (participantReply, error) {
	params := &api.UpdateParticipantParams{Hold: &in.Hold}
	if in.Hold && in.HoldURL != "" {
		params.HoldUrl = &in.HoldURL
	}
	return updateParticipant(ctx, in.participantParams, params)
}

// MuteParticipant mutes or unmutes a participant, and answers with the
// participant as participantsResponse. Its path is
// /common/flex/programmable-voice/mute-participant.
var MuteParticipant = flexfn.PrepareFlexFunction(muteParticipant, flexfn.Doc("Mutes or unmutes a participant of a conference."))

type muteParams struct {
	participantParams
	Muted bool `json:"muted" purpose:"whether the participant is muted or not"`
}

func muteParticipant(ctx context.Context, in muteParams) (participantReply, error) {
	return updateParticipant(ctx, in.participantParams, &api.UpdateParticipantParams{Muted: &in.Muted})
}

// UpdateParticipant sets whether the conference ends when a participant
// leaves, and answers with the participant as participantsResponse. Its path
// is /common/flex/programmable-voice/update-participant.
var UpdateParticipant = flexfn.PrepareFlexFunction(endConferenceOnExit, flexfn.Doc("Sets whether a conference ends when a participant leaves it."))

type endOnExitParams struct {
	participantParams
	EndConferenceOnExit bool `json:"endConferenceOnExit" purpose:"whether to end conference when the participant leaves"`
}

func endConferenceOnExit(ctx context.Context, in endOnExitParams) (participantReply, error) {
	return updateParticipant(ctx, in.participantParams, &api.UpdateParticipantParams{EndConferenceOnExit: &in.EndConferenceOnExit})
}

func updateParticipant(ctx context.Context, in participantParams, params *api.UpdateParticipantParams) (participantReply, error) {
	res := twilioapi.UpdateParticipant(ctx, in.Conference, in.Participant, params)
	return participantReply{twilioapi.View(res.Data)}, res.Err()
}

// AddParticipant calls a number and adds it to the conference of a task, and
// answers with the participant as participantsResponse. The participant hears
// early media, and the conference goes on when it leaves. The call is not
// repeated if its outcome is unknown, since the number might ring twice. Its
// path is /common/flex/programmable-voice/add-participant.
//
// taskSid is the name of the conference, which in Flex is its task's SID.
var AddParticipant = flexfn.PrepareFlexFunction(addParticipant, flexfn.Doc("Calls a number and adds it to a conference."))

type addParams struct {
	Task string `json:"taskSid" purpose:"unique ID of task to update" example:"WT00000000000000000000000000000001"`
	To   string `json:"to" purpose:"number to add to the conference" example:"+15550100001"`
	From string `json:"from" purpose:"caller ID to use when adding to the conference" example:"+15550002222"`
}

func (p addParams) Validate() error { return checkNames("taskSid", p.Task) }

func addParticipant(ctx context.Context, in addParams) (participantReply, error) {
	res := twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) (*api.ApiV2010Participant, error) {
		return api.NewApiService(client).CreateParticipant(in.Task, &api.CreateParticipantParams{
			// Early media lets the agent hear the ringing and announcements of
			// the network.
			To: &in.To, From: &in.From, EarlyMedia: new(true), EndConferenceOnExit: new(false),
		})
	})
	return participantReply{twilioapi.View(res.Data)}, res.Err()
}

// RemoveParticipant takes a participant out of a conference, which ends its
// call, and answers with participantsResponse: true. If they have already left,
// the answer is 404. Its path is
// /common/flex/programmable-voice/remove-participant.
//
// The conference itself goes on, unless it ends with this participant.
var RemoveParticipant = flexfn.PrepareFlexFunction(removeParticipant, flexfn.Doc("Takes a participant out of a conference."))

// removeParams are participantParams with another example, so that the console
// suggests a participant that other examples do not need.
type removeParams struct {
	Conference  string `json:"conference" purpose:"unique ID of conference to update" example:"CF00000000000000000000000000000001"`
	Participant string `json:"participant" purpose:"unique ID of participant to update" example:"CA00000000000000000000000000000004"`
}

func (p removeParams) Validate() error {
	return participantParams(p).Validate()
}

type removeReply struct {
	Removed bool `json:"participantsResponse"`
}

func removeParticipant(ctx context.Context, in removeParams) (removeReply, error) {
	res := twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) (bool, error) {
		err := api.NewApiService(client).DeleteParticipant(in.Conference, in.Participant, nil)
		return err == nil, err
	})
	return removeReply{res.Data}, res.Err()
}

// GetCallProperties answers with a call as callProperties: its numbers,
// status, times and price. Its path is
// /common/flex/programmable-voice/get-call-properties.
var GetCallProperties = flexfn.PrepareFlexFunction(getCallProperties, flexfn.Doc("Fetches a call."))

type callParams struct {
	Call string `json:"callSid" purpose:"unique ID of call to fetch" kind:"CA"`
}

type callReply struct {
	Call twilioapi.Resource `json:"callProperties"`
}

func getCallProperties(ctx context.Context, in callParams) (callReply, error) {
	res := twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) (*api.ApiV2010Call, error) {
		return api.NewApiService(client).FetchCall(in.Call, nil)
	})
	return callReply{twilioapi.View(res.Data)}, res.Err()
}

// ColdTransfer connects a call to someone else: a telephone number, a SIP
// address ("sip:…"), or a TwiML application with parameters ("app:AP…?a=b"). In
// those parameters a plus sign stays a plus sign, since telephone numbers have
// one; write a space as %20.
//
// The call leaves its conference, and so the agent. Its path is
// /common/flex/programmable-voice/cold-transfer.
//
// The other party sees from as the caller ID, or the call's own. Success means
// that Twilio has accepted the new instructions, not that anyone has answered.
// It does not check that the agent may call that number: see
// [ValidatePhoneNumber].
var ColdTransfer = flexfn.PrepareFlexFunction(coldTransfer, flexfn.Doc("Transfers a call to a number, a SIP address or a TwiML application."))

type transferParams struct {
	Call string `json:"callSid" purpose:"unique ID of call to update" kind:"CA" example:"CA00000000000000000000000000000003"`
	To   string `json:"to" purpose:"phone number to transfer to" example:"+15550100001"`
	From string `json:"from" doc:"caller ID; the call's own when left out"`
}

// coldTransfer updates the call with TwiML that dials the other party. TwiML
// escapes the address, so that it cannot become a verb. The address is not
// checked here; Twilio checks it when it runs the TwiML, after this function
// has answered.
func coldTransfer(ctx context.Context, in transferParams) (done, error) {
	dial := &twiml.VoiceDial{CallerId: in.From}
	scheme, rest, _ := strings.Cut(in.To, ":")
	switch strings.ToLower(scheme) { // RFC 3986, section 3.1
	case "sip", "sips":
		dial.InnerElements = []twiml.Element{&twiml.VoiceSip{SipUrl: in.To}}
	case "app":
		dial.InnerElements = []twiml.Element{application(rest)}
	default:
		dial.Number = in.To
	}
	answer, err := twilioapi.TwiML(dial)
	if err != nil {
		return done{}, err
	}
	res := twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) (*api.ApiV2010Call, error) {
		return api.NewApiService(client).UpdateCall(in.Call, &api.UpdateCallParams{Twiml: new(answer.Body.(string))})
	})
	return done{}, res.Err()
}

// application splits an application's SID from its parameters, which are as in
// a URL. A parameter without a name is skipped. The SID is not checked: it is
// only text in the TwiML, which Twilio checks.
func application(to string) twiml.Element {
	sid, query, _ := strings.Cut(to, "?")
	app := &twiml.VoiceApplication{InnerElements: []twiml.Element{&twiml.VoiceApplicationSid{Sid: sid}}}
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if name != "" {
			app.InnerElements = append(app.InnerElements, &twiml.VoiceParameter{Name: unescape(name), Value: unescape(value)})
		}
	}
	return app
}

// unescape decodes percent escapes. It leaves malformed ones unchanged, and
// plus signs, which belong to telephone numbers.
func unescape(s string) string {
	if plain, err := url.PathUnescape(s); err == nil {
		return plain
	}
	return s
}
