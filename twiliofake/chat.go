package twiliofake

// chatRows are the resources of chat.twilio.com. Programmable Chat is what
// Conversations replaced; older Flex plugins still use it. The resources are
// documented at https://www.twilio.com/docs/chat/rest/service-resource and its
// neighbours. The rows list their own parameters, and the hosts chat and
// ip-messaging share them. Counts are computed for each answer. Nothing is
// pushed, no webhook is called, and roles have no effect.
func chatRows() []resource {
	return []resource{
		{
			// Its settings are stored and have no effect.
			name: "chat_services", host: "chat", prefix: "IS",
			paths: []string{"/v2/Services/{sid}"},
			can:   all,
			fields: []field{
				{"friendly_name", text, nil, always | required},
				{"consumption_report_interval", integer, 10, onUpdate},
				{"default_channel_creator_role_sid", text, nil, onUpdate},
				{"default_channel_role_sid", text, nil, onUpdate},
				{"default_service_role_sid", text, nil, onUpdate},
				{"limits", value, map[string]any{"channel_members": 100, "user_channels": 250}, never},
				{"media", value, nil, never},
				{"notifications", value, map[string]any{}, never},
				{"post_webhook_retry_count", integer, 0, onUpdate},
				{"post_webhook_url", text, nil, onUpdate},
				{"pre_webhook_retry_count", integer, 0, onUpdate},
				{"pre_webhook_url", text, nil, onUpdate},
				{"reachability_enabled", boolean, false, onUpdate},
				{"read_status_enabled", boolean, true, onUpdate},
				{"typing_indicator_timeout", integer, 5, onUpdate},
				{"webhook_filters", many, nil, onUpdate},
				{"webhook_method", text, nil, onUpdate},
			},
		},
		{
			// A channel is also found by its unique name, which no other
			// channel of the service may have.
			name: "chat_channels", host: "chat", prefix: "CH", alias: []string{"unique_name"},
			paths: []string{"/v2/Services/{service_sid}/Channels/{sid}"},
			can:   all,
			fields: []field{
				{"service_sid", text, nil, never},
				{"attributes", document, "{}", always},
				{"created_by", text, "system", always},
				{"friendly_name", text, nil, always},
				{"members_count", integer, 0, never},
				{"messages_count", integer, 0, never},
				{"type", text, "public", onCreate},
				{"unique_name", text, nil, always},
			},
			filters: []string{"type"},
			narrow:  map[string]func(*call, []string) (func(*record) bool, *apiError){"": byDefault("Type", "public")},
			unique:  []unique{{field: "unique_name", code: 50307}},
			create:  saveChannel,
			update:  saveChannel,
			view:    viewChannel,
		},
		{
			// A member need not be a user of the service: the identity is not
			// looked up.
			name: "chat_members", host: "chat", prefix: "MB", alias: []string{"identity"},
			paths: []string{"/v2/Services/{service_sid}/Channels/{channel_sid}/Members/{sid}"},
			can:   all,
			fields: []field{
				{"service_sid", text, nil, never},
				{"channel_sid", text, nil, never},
				{"attributes", document, "{}", always},
				{"identity", text, nil, onCreate | required},
				{"last_consumed_message_index", integer, nil, always},
				{"last_consumption_timestamp", instant, nil, always},
				{"role_sid", text, nil, always},
			},
			filters: []string{"identity"},
			unique:  []unique{{field: "identity", code: 50404}},
		},
		{
			name: "chat_messages", host: "chat", prefix: "IM",
			paths: []string{"/v2/Services/{service_sid}/Channels/{channel_sid}/Messages/{sid}"},
			can:   all,
			fields: []field{
				{"service_sid", text, nil, never},
				{"channel_sid", text, nil, never},
				{"attributes", document, "{}", always},
				{"body", text, nil, always},
				{"from", text, "system", always},
				{"index", integer, 0, never},
				{"last_updated_by", text, nil, always},
				{"media", value, nil, never},
				{"to", text, nil, never},
				{"type", text, "text", never},
				{"was_edited", boolean, false, never},
			},
			create: createChatMessage,
			update: updateChatMessage,
		},
		{
			name: "chat_users", host: "chat", prefix: "US", alias: []string{"identity"},
			paths: []string{"/v2/Services/{service_sid}/Users/{sid}"},
			can:   all,
			fields: []field{
				{"service_sid", text, nil, never},
				{"attributes", document, "{}", always},
				{"friendly_name", text, nil, always},
				{"identity", text, nil, onCreate | required},
				{"is_notifiable", boolean, nil, never},
				{"is_online", boolean, nil, never},
				{"joined_channels_count", integer, 0, never},
				{"role_sid", text, nil, always},
			},
		},
	}
}

// saveChannel checks the type. A channel is public or private from its creation
// on; no update can change that.
func saveChannel(c *call, rec *record) *apiError {
	if t := rec.text("type"); t != "public" && t != "private" {
		return invalid("Invalid value for parameter Type: %.100q", t)
	}
	return nil
}

func viewChannel(c *call, rec *record, m map[string]any) {
	m["members_count"] = c.countIn("chat_members", "channel_sid", rec.text("sid"))
	m["messages_count"] = c.countIn("chat_messages", "channel_sid", rec.text("sid"))
}

// createChatMessage numbers a message. Its index is one more than the highest
// in the channel, so the index of a deleted last message is used again.
// twilio-go's comment only promises that later messages have higher indexes.
func createChatMessage(c *call, rec *record) *apiError {
	rec.set("to", c.vars["channel_sid"])
	rec.set("index", c.nextIndex("chat_messages", "channel_sid", c.vars["channel_sid"]))
	return nil
}

// updateChatMessage notes that a body was edited. Setting the same body again
// is not an edit.
func updateChatMessage(c *call, rec *record) *apiError {
	if c.form.Has("Body") && rec.text("body") != c.before.text("body") {
		rec.set("was_edited", true)
	}
	return nil
}
