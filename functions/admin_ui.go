package functions

import (
	"context"
	"encoding/json"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/twilioapi"
)

// adminUI lets administrators change the plugin's settings. Flex keeps them in
// its configuration's ui_attributes, which Twilio does not version. Changes
// therefore take turns, among instances that share a Store, and each reads
// before it writes. Another program, or Twilio's console, can still overwrite a
// change in between.
func adminUI(*Config) []flexfn.Route {
	const path = "/features/admin-ui/flex/"
	return []flexfn.Route{
		{Path: path + "fetch-config", Function: flexfn.PrepareFlexFunction(fetchConfig, flexfn.Roles("admin"), flexfn.Doc("Reads the settings of the Flex plugins."))},
		{Path: path + "update-config", Function: flexfn.PrepareFlexFunction(updateConfig, flexfn.Roles("admin"), flexfn.Doc("Merges values into the settings of the Flex plugins."))},
	}
}

// configReply holds the settings as they are stored, with all digits of their
// numbers.
type configReply struct {
	Configuration json.RawMessage `json:"configuration"`
}

func fetchConfig(ctx context.Context, _ struct{}) (configReply, error) {
	res := twilioapi.FlexConfiguration(ctx)
	return configReply{res.Data}, res.Err()
}

type updateConfigParams struct {
	Update map[string]json.RawMessage `json:"attributesUpdate" purpose:"ui_attributes to update" example:"{\"custom_data\":{\"features\":{\"park_interaction\":{\"enabled\":true}}}}"`
	Merge  optional                   `json:"mergeFeature" doc:"false replaces the features that the update names, and the common settings, as a whole; true, and left out, merges into them"`
}

// updateConfig merges the update into the stored settings. With merge=false it
// first empties the parts that the update names, so that they are replaced.
// Both happen in one change, so that no agent loads the settings half empty.
func updateConfig(ctx context.Context, in updateConfigParams) (configReply, error) {
	var emptied json.RawMessage
	if in.Merge == "false" {
		emptied = emptyNamed(in.Update["custom_data"])
	}
	res := twilioapi.UpdateFlexConfiguration(ctx, func(stored json.RawMessage) (json.RawMessage, error) {
		if emptied != nil {
			var err error
			if stored, err = twilioapi.MergeAttributes(stored, emptied); err != nil {
				return nil, err
			}
		}
		return twilioapi.MergeAttributes(stored, object(in.Update))
	})
	return configReply{res.Data}, res.Err()
}

// emptyNamed returns an update that empties the parts of custom_data that
// customData names: the common settings and each feature. Deep in an object,
// MergeAttributes stores a null instead of removing the key, and the caller's
// update then replaces the null. If customData has no such parts, the update
// empties nothing.
func emptyNamed(customData json.RawMessage) json.RawMessage {
	var named struct {
		Common   json.RawMessage            `json:"common"`
		Features map[string]json.RawMessage `json:"features"`
	}
	if json.Unmarshal(customData, &named) != nil {
		return nil
	}
	empty := map[string]any{}
	if named.Common != nil {
		empty["common"] = nil
	}
	if len(named.Features) > 0 {
		features := map[string]any{}
		for name := range named.Features {
			features[name] = nil
		}
		empty["features"] = features
	}
	return object(map[string]any{"custom_data": empty})
}
