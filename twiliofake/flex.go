package twiliofake

import (
	"encoding/json"
	"net/http"
	"slices"
)

// flexRows are the resources of flex-api.twilio.com.
//
// Modelled: the configuration, users with their workers, interactions (in
// interactions.go) and web chats. A configuration has no version: if several
// requests write one key, the last one wins, but writes to different keys do
// not affect each other. Not modelled: Flex Flows with their channels, plugins
// and Insights. Each account has one configuration, which comes from the state,
// or is made when a request first changes it.
func flexRows() []resource {
	return slices.Concat(flexUserRows(), flexPluginRows(), flexChannelRows(), []resource{
		{
			name: "flex_provisioning", host: "flex-api", table: true, can: fetch, bare: true,
			paths:  []string{"/v1/account/provision/status"},
			fields: []field{{"status", text, "not-configured", never}},
			find:   oneOfAKind,
		},
		{
			name: "web_chats", host: "flex-api", can: update, special: createWebChat,
			paths: []string{"/v2/WebChats"},
		},
		{
			// Bodies are JSON. A key that is missing keeps its value, and an
			// object replaces the former one as a whole.
			name: "flex_configuration", host: "flex-api", json: true,
			paths: []string{"/v1/Configuration"},
			can:   fetch | update,
			fields: []field{
				{"agent_conv_end_methods", value, nil, onUpdate},
				{"attributes", value, map[string]any{}, onUpdate},
				{"call_recording_enabled", boolean, false, onUpdate},
				{"call_recording_webhook_url", text, nil, onUpdate},
				{"channel_configs", value, []any{}, onUpdate},
				{"chat_service_instance_sid", text, nil, never},
				{"citrix_voice_vdi", value, nil, onUpdate},
				{"crm_attributes", value, nil, onUpdate},
				{"crm_callback_url", text, nil, onUpdate},
				{"crm_enabled", boolean, false, onUpdate},
				{"crm_fallback_url", text, nil, onUpdate},
				{"crm_type", text, nil, onUpdate},
				{"debugger_integration", value, nil, onUpdate},
				{"flex_insights_drilldown", boolean, false, onUpdate},
				{"flex_insights_hr", value, nil, onUpdate},
				{"flex_instance_sid", text, nil, never},
				{"flex_service_instance_sid", text, nil, never},
				{"flex_ui_status_report", value, nil, onUpdate},
				{"flex_url", text, nil, onUpdate},
				{"integrations", value, []any{}, onUpdate},
				{"markdown", value, nil, onUpdate},
				{"messaging_service_instance_sid", text, nil, never},
				{"notifications", value, nil, onUpdate},
				{"offline_config", value, nil, onUpdate},
				{"outbound_call_flows", value, map[string]any{}, onUpdate},
				{"plugin_service_attributes", value, nil, onUpdate},
				{"plugin_service_enabled", boolean, true, onUpdate},
				{"public_attributes", value, nil, onUpdate},
				{"queue_stats_configuration", value, nil, onUpdate},
				{"runtime_domain", text, nil, never},
				{"serverless_service_sids", many, nil, onUpdate},
				{"service_version", text, nil, never},
				{"status", text, "ok", never},
				{"taskrouter_offline_activity_sid", text, nil, onUpdate},
				{"taskrouter_skills", value, []any{}, onUpdate},
				{"taskrouter_target_taskqueue_sid", text, nil, onUpdate},
				{"taskrouter_target_workflow_sid", text, nil, onUpdate},
				{"taskrouter_taskqueues", value, nil, onUpdate},
				{"taskrouter_worker_attributes", value, nil, onUpdate},
				{"taskrouter_worker_channels", value, nil, onUpdate},
				{"taskrouter_workspace_sid", text, nil, never},
				{"ui_attributes", value, map[string]any{}, onUpdate},
				{"ui_dependencies", value, nil, onUpdate},
				{"ui_language", text, "en", onUpdate},
				{"ui_version", text, nil, onUpdate},
			},
			find:   oneOfAKind,
			update: updateFlexConfiguration,
		},
	})
}

// updateFlexConfiguration refuses a body that names another account.
func updateFlexConfiguration(c *call, _ *record) *apiError {
	body, err := decodeObject(c.body)
	if sid, ok := body["account_sid"]; err == nil && ok && sid != c.account.id {
		return invalid("account_sid %.40v is not the account's", sid)
	}
	return nil
}

// createWebChat opens a conversation with a customer on a web page, as the
// address for web chats says. The customer's identity is new.
//
// The address's automatic creation decides whether a chat can begin, and in
// which service. 45744 means an unknown address, 45761 one without automatic
// creation, 45745 data that is not an object. The conversation's attributes
// have the customer's answers from before the chat under pre_engagement_data.
// If the customer cannot join, the conversation is removed again.
func createWebChat(c *call) (*response, *apiError) {
	if _, err := c.parameters(); err != nil {
		return nil, err
	}
	address := c.one("conversation_addresses", map[string]any{"sid": c.form.Get("AddressSid")})
	if address == nil {
		return nil, refuse(http.StatusNotFound, 45744, "Failed to create webchat conversation. Address %.40s was not found", c.form.Get("AddressSid"))
	}
	auto, _ := address.get("auto_creation").(map[string]any)
	if auto["enabled"] != true {
		return nil, refuse(http.StatusBadRequest, 45761, "Failed to validate address configuration %s. Auto create not enabled", address.id)
	}
	attributes := map[string]any{"from": c.form.Get("CustomerFriendlyName")}
	if data := c.form.Get("PreEngagementData"); data != "" {
		m, err := decodeObject([]byte(data))
		if err != nil {
			return nil, refuse(http.StatusBadRequest, 45745, "PreEngagementData must be a JSON object: %v", err)
		}
		attributes["pre_engagement_data"] = m
	}
	b, err := json.Marshal(attributes)
	if err != nil {
		return nil, invalid("PreEngagementData is not usable: %v", err)
	}
	identity := c.form.Get("Identity")
	if identity == "" {
		identity = c.store.hex32("")
	}
	fields := map[string]any{"attributes": string(b)}
	if name := c.form.Get("ChatFriendlyName"); name != "" {
		fields["friendly_name"] = name
	}
	talk := c.newConversation(fields)
	if sid := textOf(auto["conversation_service_sid"]); sid != "" {
		c.set(talk, map[string]any{"chat_service_sid": sid})
	}
	customer := c.newParticipant(talk)
	customer.set("identity", identity)
	if err := c.join(customer); err != nil {
		c.drop(talk)
		return nil, err
	}
	if name := c.form.Get("CustomerFriendlyName"); name != "" {
		service := c.account.child(servicesPath).find(talk.text("chat_service_sid"), nil)
		if user := service.child("Users").find(identity, []string{"identity"}); user != nil {
			c.set(user, map[string]any{"friendly_name": name})
		}
	}
	return jsonResponse(c.op.status, map[string]any{"conversation_sid": talk.id, "identity": identity}), nil
}
