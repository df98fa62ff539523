package functions

import (
	"context"
	"encoding/json"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/twilioapi"
	conversations "github.com/twilio/twilio-go/rest/conversations/v1"
	flexapi "github.com/twilio/twilio-go/rest/flex/v1"
)

// invite asks TaskRouter for an agent for an interaction's channel. It is not
// repeated if its outcome is unknown.
func invite(ctx context.Context, interaction, channel string, properties map[string]any) flexfn.Result[*flexapi.FlexV1InteractionChannelInvite] {
	routing := any(map[string]any{"properties": properties})
	return twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) (*flexapi.FlexV1InteractionChannelInvite, error) {
		return flexapi.NewApiService(client).CreateInteractionChannelInvite(interaction, channel, &flexapi.CreateInteractionChannelInviteParams{Routing: &routing})
	})
}

// closeParticipant takes an agent out of an interaction's channel.
func closeParticipant(ctx context.Context, interaction, channel, participant string) error {
	return twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) (*flexapi.FlexV1InteractionChannelParticipant, error) {
		return flexapi.NewApiService(client).UpdateInteractionChannelParticipant(interaction, channel, participant,
			&flexapi.UpdateInteractionChannelParticipantParams{Status: new("closed")})
	}).Err()
}

// conversationAttributes reads the attributes of a conversation.
func conversationAttributes(ctx context.Context, sid string) flexfn.Result[json.RawMessage] {
	return twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) (json.RawMessage, error) {
		c, err := conversations.NewApiService(client).FetchConversation(sid)
		if err != nil || value(c.Attributes) == "" {
			return json.RawMessage("{}"), err
		}
		return json.RawMessage(*c.Attributes), nil
	})
}

// mergeConversation merges update into the attributes of a conversation.
func mergeConversation(ctx context.Context, sid string, update json.RawMessage) error {
	return rewriteAttributes(ctx, sid,
		func(old json.RawMessage) (json.RawMessage, error) { return twilioapi.MergeAttributes(old, update) },
		func(client *twilioapi.Client) (*string, error) {
			c, err := conversations.NewApiService(client).FetchConversation(sid)
			if err != nil {
				return nil, err
			}
			return c.Attributes, nil
		},
		func(client *twilioapi.Client, attributes string) error {
			_, err := conversations.NewApiService(client).UpdateConversation(sid, &conversations.UpdateConversationParams{Attributes: &attributes})
			return err
		})
}
