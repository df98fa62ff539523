package functions

import (
	"context"
	"encoding/json"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/twilioapi"
	chat "github.com/twilio/twilio-go/rest/chat/v2"
)

// updateChannelAttributes replaces all attributes of a channel of Programmable
// Chat. Twilio has no If-Match for channels: the last change wins. Attributes
// that the caller does not send are lost. Without a chat service it answers 500
// and names the setting.
func (c *Config) updateChannelAttributes() *flexfn.Function {
	return flexfn.PrepareFlexFunction(func(ctx context.Context, in channelParams) (done, error) {
		service, err := configured(c.ChatServiceSID, "TWILIO_FLEX_CHAT_SERVICE_SID")
		if err != nil {
			return done{}, err
		}
		res := twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) (*chat.ChatV2Channel, error) {
			return chat.NewApiService(client).UpdateChannel(service, in.Channel, &chat.UpdateChannelParams{Attributes: new(string(in.Attributes))})
		})
		return done{}, res.Err()
	}, flexfn.Doc("Replaces the attributes of a chat channel."))
}

// channelParams name a channel by its SID or by its unique name. Twilio takes
// both, so only names that are not a single path segment are refused.
type channelParams struct {
	Channel    string          `json:"channelSid" purpose:"channel to be updated" example:"CH00000000000000000000000000000001"`
	Attributes json.RawMessage `json:"attributes" purpose:"new attributes"`
}

func (p channelParams) Validate() error { return checkNames("channelSid", p.Channel) }
