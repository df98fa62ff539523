package functions

import (
	"context"
	"encoding/json"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/twilioapi"
	conversations "github.com/twilio/twilio-go/rest/conversations/v1"
)

// UpdateConversationAttributes replaces all attributes of a conversation.
// Twilio has no If-Match for conversations: the last change wins. Attributes
// that the caller does not send are lost. Its path is
// /common/flex/conversations/update-attributes.
//
// The conversation may be named by its SID or by its unique name. To change
// some attributes and keep the rest, write a function with
// [twilioapi.UpdateConversationAttributes], which merges.
var UpdateConversationAttributes = flexfn.PrepareFlexFunction(updateConversationAttributes, flexfn.Doc("Replaces the attributes of a conversation."))

type conversationParams struct {
	Conversation string          `json:"conversationSid" purpose:"conversation to be updated" example:"CH00000000000000000000000000000001"`
	Attributes   json.RawMessage `json:"attributes" purpose:"new attributes"`
}

func (p conversationParams) Validate() error {
	return checkNames("conversationSid", p.Conversation)
}

func updateConversationAttributes(ctx context.Context, in conversationParams) (done, error) {
	res := twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) (*conversations.ConversationsV1Conversation, error) {
		return conversations.NewApiService(client).UpdateConversation(in.Conversation, &conversations.UpdateConversationParams{
			Attributes: new(string(in.Attributes)),
		})
	})
	return done{}, res.Err()
}
