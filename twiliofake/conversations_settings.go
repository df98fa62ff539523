package twiliofake

import (
	"slices"
	"strings"
	"time"
)

// conversationSettingRows are the account's settings for conversations: its
// default service and timers, its webhook, the addresses whose messages open
// conversations, and push credentials. Nothing arrives at an address, and no
// webhook is called. A credential's secrets are kept and never shown.
func conversationSettingRows() []resource {
	return []resource{
		{
			name: "conversation_configuration", host: "conversations", table: true, can: fetch | update, bare: true,
			paths: []string{"/v1/Configuration"},
			fields: []field{
				{"default_chat_service_sid", text, nil, never},
				{"default_closed_timer", text, nil, never},
				{"default_inactive_timer", text, nil, never},
				{"default_messaging_service_sid", text, nil, never},
			},
			find:   oneOfAKind,
			update: updateConversationConfiguration,
			view: func(c *call, _ *record, m map[string]any) {
				if s := defaultService(c.account); s != nil {
					m["default_chat_service_sid"] = s.id
				}
			},
		},
		{
			name: "conversation_global_webhooks", host: "conversations", table: true, can: fetch | update, bare: true,
			paths: []string{"/v1/Configuration/Webhooks"},
			fields: []field{
				{"filters", many, nil, never},
				{"method", text, "POST", never},
				{"post_webhook_url", text, nil, never},
				{"pre_webhook_url", text, nil, never},
				{"target", text, "webhook", never},
			},
			find:   oneOfAKind,
			update: updateWebhookSettings,
		},
		{
			// An address is also found by the address itself. See
			// https://www.twilio.com/docs/conversations/api/address-configuration-resource.
			name: "conversation_addresses", host: "conversations", prefix: "IG", table: true, can: all, list: "address_configurations",
			paths: []string{"/v1/Configuration/Addresses/{sid}"}, alias: []string{"address"},
			fields: []field{
				{"address", text, nil, never},
				{"address_country", text, nil, never},
				{"auto_creation", value, map[string]any{"enabled": false, "type": "default"}, never},
				{"friendly_name", text, nil, never},
				{"type", text, nil, never},
			},
			filters: []string{"type"},
			unique:  []unique{{field: "address", code: 20409}},
			create:  saveAddress,
			update:  saveAddress,
		},
		{
			name: "conversation_credentials", host: "conversations", prefix: "CR", table: true, can: all, list: "credentials",
			paths: []string{"/v1/Credentials/{sid}"},
			fields: []field{
				{"friendly_name", text, nil, never},
				{"sandbox", text, nil, never},
				{"type", text, nil, never},
			},
			create: saveCredential,
			update: saveCredential,
		},
	}
}

// updateConversationConfiguration checks the account's default service and
// timers. The timers are ISO 8601 durations, with the same least values as
// those of a conversation.
func updateConversationConfiguration(c *call, rec *record) *apiError {
	if sid := c.form.Get("DefaultChatServiceSid"); sid != "" && c.account.child(servicesPath).find(sid, nil) == nil {
		return invalid("DefaultChatServiceSid %.40s is not a conversation service", sid)
	}
	for param, least := range map[string]time.Duration{"DefaultInactiveTimer": timerParameters["inactive"], "DefaultClosedTimer": timerParameters["closed"]} {
		if s := c.form.Get(param); s != "" {
			if err := checkTimer(s, param, least); err != nil {
				return err
			}
		}
	}
	return nil
}

// saveCredential writes a flag the way the API shows it. It is the text "True"
// or "False" there.
func saveCredential(_ *call, rec *record) *apiError {
	if b, ok := rec.get("sandbox").(bool); ok {
		rec.set("sandbox", map[bool]string{true: "True", false: "False"}[b])
	}
	return nil
}

// Events of webhooks. Events after a change have names in the past tense;
// events before a change are only for webhooks of the account and of services.
// See https://www.twilio.com/docs/conversations/conversations-webhooks.
var (
	postEvents = []string{
		"onConversationAdded", "onConversationRemoved", "onConversationStateUpdated", "onConversationUpdated", "onDeliveryUpdated",
		"onMessageAdded", "onMessageRemoved", "onMessageUpdated", "onParticipantAdded", "onParticipantRemoved", "onParticipantUpdated",
		"onUserAdded", "onUserUpdated",
	}
	preEvents = []string{
		"onConversationAdd", "onConversationRemove", "onConversationUpdate", "onMessageAdd", "onMessageRemove", "onMessageUpdate",
		"onParticipantAdd", "onParticipantRemove", "onParticipantUpdate", "onUserUpdate",
	}
)

// updateWebhookSettings checks the events, the method and the URLs of a
// webhook. It serves the account's webhook and those of services.
func updateWebhookSettings(c *call, rec *record) *apiError {
	for _, f := range c.form["Filters"] {
		if !slices.Contains(postEvents, f) && !slices.Contains(preEvents, f) {
			return invalid("Invalid value for parameter Filters: %.40q is not an event", f)
		}
	}
	if m := c.form.Get("Method"); m != "" && !strings.EqualFold(m, "GET") && !strings.EqualFold(m, "POST") {
		return invalid("Invalid value for parameter Method: %.40q", m)
	}
	if err := checkURL("PreWebhookUrl", rec.text("pre_webhook_url")); err != nil {
		return err
	}
	return checkURL("PostWebhookUrl", rec.text("post_webhook_url"))
}

// saveAddress checks what happens to messages to an address that do not belong
// to a conversation. The types webhook and studio need a target; the default
// type does not.
func saveAddress(c *call, rec *record) *apiError {
	auto, _ := rec.get("auto_creation").(map[string]any)
	if auto["enabled"] == true {
		switch {
		case auto["type"] == "webhook" && textOf(auto["webhook_url"]) == "":
			return invalid("Missing required parameter AutoCreation.WebhookUrl in the post body")
		case auto["type"] == "studio" && textOf(auto["studio_flow_sid"]) == "":
			return invalid("Missing required parameter AutoCreation.StudioFlowSid in the post body")
		}
	}
	if sid := textOf(auto["conversation_service_sid"]); sid != "" && c.account.child(servicesPath).find(sid, nil) == nil {
		return invalid("AutoCreation.ConversationServiceSid %.40s is not a conversation service", sid)
	}
	filters, _ := auto["webhook_filters"].([]any)
	for _, f := range filters {
		if !slices.Contains(postEvents, textOf(f)) {
			return invalid("Invalid value for parameter AutoCreation.WebhookFilters: %.40q is not an event", textOf(f))
		}
	}
	return checkURL("AutoCreation.WebhookUrl", textOf(auto["webhook_url"]))
}
