package twilioapi

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/internal/conflict"
)

// FlexConfiguration reads the ui_attributes of the account's Flex
// configuration, where Flex plugins keep their settings. The result is the
// stored JSON object, with all digits of its numbers; {} if the account has
// none.
func FlexConfiguration(ctx context.Context, opts ...flexfn.RetryOption) flexfn.Result[json.RawMessage] {
	return ExecuteTwilio(ctx, flexAttributes, opts...)
}

// UpdateFlexConfiguration reads the ui_attributes of the account's Flex
// configuration, stores what change returns for them, and returns what was
// stored. Most changes are one call of [MergeAttributes]. change may run more
// than once, so its result must depend on its argument only. An error of change
// ends the call.
//
// Twilio's configuration has no version (ETag). Updates take turns, among all
// instances of the app that share a Store, but a change by another program, or in
// Twilio's console, between reading and storing is overwritten.
//
//	res := twilioapi.UpdateFlexConfiguration(ctx, func(old json.RawMessage) (json.RawMessage, error) {
//		return twilioapi.MergeAttributes(old, json.RawMessage(`{"custom_data":{"greeting":"Hello"}}`))
//	})
//
// The result of change replaces the whole, so start from old.
func UpdateFlexConfiguration(ctx context.Context, change func(old json.RawMessage) (json.RawMessage, error), opts ...flexfn.RetryOption) flexfn.Result[json.RawMessage] {
	done, err := takeTurn(ctx, conflict.TakeShared, "Flex configuration", "Flex configuration")
	if err != nil {
		return failed[json.RawMessage](err)
	}
	defer done()
	return ExecuteTwilio(ctx, func(client *Client) (json.RawMessage, error) {
		old, err := flexAttributes(client)
		if err != nil {
			return nil, err
		}
		changed, err := change(old)
		if err != nil {
			return nil, err
		}
		body, err := json.Marshal(flexConfiguration{AccountSID: client.Client.AccountSid(), Attributes: changed})
		if err != nil {
			return nil, &flexfn.Error{Status: http.StatusInternalServerError, Message: "the changed Flex configuration is not JSON", Err: err}
		}
		return readFlexAttributes(client.Post(flexConfigurationURL, nil, map[string]any{"Content-Type": "application/json"}, "", body...))
	}, opts...)
}

const flexConfigurationURL = "https://flex-api.twilio.com/v1/Configuration"

// flexConfiguration keeps the attributes as JSON text; twilio-go's model would
// round their numbers.
type flexConfiguration struct {
	AccountSID string          `json:"account_sid"`
	Attributes json.RawMessage `json:"ui_attributes"`
}

func flexAttributes(client *Client) (json.RawMessage, error) {
	return readFlexAttributes(client.Get(flexConfigurationURL, nil, nil, ""))
}

func readFlexAttributes(resp *http.Response, err error) (json.RawMessage, error) {
	read, err := flexfn.ReadJSON[flexConfiguration](resp, err)
	switch {
	case err != nil:
		return nil, err
	case len(read.Attributes) == 0 || string(read.Attributes) == "null":
		return json.RawMessage("{}"), nil
	}
	return read.Attributes, nil
}
