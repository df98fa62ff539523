package twilioapi

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/internal/conflict"
	api "github.com/twilio/twilio-go/rest/api/v2010"
	conversations "github.com/twilio/twilio-go/rest/conversations/v1"
	flexapi "github.com/twilio/twilio-go/rest/flex/v1"
)

// UpdateParticipant changes a participant of a conference: puts them on hold,
// mutes them, or lets a supervisor coach an agent (Coaching and CallSidToCoach).
// conference is its SID or friendly name, which in Flex is the SID of its task;
// participant is the SID of a call or a label. A name that a URL cannot contain
// is refused with status 400 before anything is sent; see [CheckSegment].
func UpdateParticipant(ctx context.Context, conference, participant string, params *api.UpdateParticipantParams, opts ...flexfn.RetryOption) flexfn.Result[*api.ApiV2010Participant] {
	for _, name := range []string{conference, participant} {
		if err := CheckSegment(name); err != nil {
			return failed[*api.ApiV2010Participant](&flexfn.Error{Status: http.StatusBadRequest, Message: "a conference or a participant cannot have this name", Err: err})
		}
	}
	return ExecuteTwilio(ctx, func(client *Client) (*api.ApiV2010Participant, error) {
		return api.NewApiService(client).UpdateParticipant(conference, participant, params)
	}, opts...)
}

// InviteToInteraction asks TaskRouter for an agent for a channel of a Flex
// interaction. routing has the properties of the new task: workspace_sid,
// workflow_sid, task_channel_unique_name, attributes and the like. If the answer is
// lost, the invite is not repeated, since it may have been sent; see
// [flexfn.Result].OutcomeUnknown.
func InviteToInteraction(ctx context.Context, interactionSID, channelSID string, routing map[string]any, opts ...flexfn.RetryOption) flexfn.Result[*flexapi.FlexV1InteractionChannelInvite] {
	if err := checkInteraction(interactionSID, channelSID); err != nil {
		return failed[*flexapi.FlexV1InteractionChannelInvite](err)
	}
	properties := any(map[string]any{"properties": routing})
	return ExecuteTwilio(ctx, func(client *Client) (*flexapi.FlexV1InteractionChannelInvite, error) {
		return flexapi.NewApiService(client).CreateInteractionChannelInvite(interactionSID, channelSID, &flexapi.CreateInteractionChannelInviteParams{Routing: &properties})
	}, opts...)
}

// SetInteractionParticipantStatus moves an agent in a channel of a Flex
// interaction to a status: "closed" takes them out of it, and "wrapup" lets them
// finish first.
func SetInteractionParticipantStatus(ctx context.Context, interactionSID, channelSID, participantSID, status string, opts ...flexfn.RetryOption) flexfn.Result[*flexapi.FlexV1InteractionChannelParticipant] {
	for _, err := range []error{
		checkInteraction(interactionSID, channelSID), checkSID("participant of an interaction", "UT", participantSID),
		checkStatus("the status of a participant", status, "closed", "wrapup"),
	} {
		if err != nil {
			return failed[*flexapi.FlexV1InteractionChannelParticipant](err)
		}
	}
	return ExecuteTwilio(ctx, func(client *Client) (*flexapi.FlexV1InteractionChannelParticipant, error) {
		return flexapi.NewApiService(client).UpdateInteractionChannelParticipant(interactionSID, channelSID, participantSID,
			&flexapi.UpdateInteractionChannelParticipantParams{Status: &status})
	}, opts...)
}

// SetInteractionChannelStatus moves a channel of a Flex interaction to a status,
// "closed" or "wrapup". Closing it ends its tasks and the conversation.
func SetInteractionChannelStatus(ctx context.Context, interactionSID, channelSID, status string, opts ...flexfn.RetryOption) flexfn.Result[*flexapi.FlexV1InteractionChannel] {
	for _, err := range []error{checkInteraction(interactionSID, channelSID), checkStatus("the status of a channel", status, "closed", "wrapup")} {
		if err != nil {
			return failed[*flexapi.FlexV1InteractionChannel](err)
		}
	}
	return ExecuteTwilio(ctx, func(client *Client) (*flexapi.FlexV1InteractionChannel, error) {
		return flexapi.NewApiService(client).UpdateInteractionChannel(interactionSID, channelSID, &flexapi.UpdateInteractionChannelParams{Status: &status})
	}, opts...)
}

func checkInteraction(interactionSID, channelSID string) error {
	if err := checkSID("interaction", "KD", interactionSID); err != nil {
		return err
	}
	return checkSID("channel of an interaction", "UO", channelSID)
}

// ConversationAttributes reads the attributes of a conversation, a JSON object.
func ConversationAttributes(ctx context.Context, conversationSID string, opts ...flexfn.RetryOption) flexfn.Result[json.RawMessage] {
	if err := checkSID("conversation", "CH", conversationSID); err != nil {
		return failed[json.RawMessage](err)
	}
	return ExecuteTwilio(ctx, func(client *Client) (json.RawMessage, error) {
		return fetchConversationAttributes(client, conversationSID)
	}, opts...)
}

// UpdateConversationAttributes merges update, a JSON object, into the attributes of
// a conversation, as [MergeAttributes] does, and returns the result. Twilio
// does not version these attributes, so updates take turns among all instances
// of the app that share a Store, and each reads right before it writes. An
// update that another program makes at the same time can be lost.
func UpdateConversationAttributes(ctx context.Context, conversationSID string, update json.RawMessage, opts ...flexfn.RetryOption) flexfn.Result[json.RawMessage] {
	if err := checkSID("conversation", "CH", conversationSID); err != nil {
		return failed[json.RawMessage](err)
	}
	done, err := takeTurn(ctx, conflict.TakeShared, conversationSID, "conversation")
	if err != nil {
		return failed[json.RawMessage](err)
	}
	defer done()
	return ExecuteTwilio(ctx, func(client *Client) (json.RawMessage, error) {
		old, err := fetchConversationAttributes(client, conversationSID)
		if err != nil {
			return nil, err
		}
		changed, err := MergeAttributes(old, update)
		if err != nil {
			return nil, err
		}
		_, err = conversations.NewApiService(client).UpdateConversation(conversationSID, new(conversations.UpdateConversationParams).SetAttributes(string(changed)))
		return changed, err
	}, opts...)
}

func fetchConversationAttributes(client *Client, sid string) (json.RawMessage, error) {
	c, err := conversations.NewApiService(client).FetchConversation(sid)
	if err != nil || c.Attributes == nil || *c.Attributes == "" {
		return json.RawMessage("{}"), err
	}
	return json.RawMessage(*c.Attributes), nil
}
