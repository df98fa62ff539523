package twiliofake

import "net/http"

// unique refuses a name that another item of the account, with the same
// parent, has.
func (c *call) unique(rec *record, field, parent string, code int) *apiError {
	name := rec.text(field)
	if name == "" {
		return nil
	}
	for _, o := range c.store.where(c.name, map[string]any{field: name, parent: rec.fields[parent]}) {
		if o.text("sid") != rec.text("sid") {
			return refuse(http.StatusConflict, code, "%s %q is already in use", pascal(field), name)
		}
	}
	return nil
}

// countIn returns how many items of a kind a parent has.
func (c *call) countIn(kind, parent, sid string) int {
	return len(c.store.where(kind, map[string]any{parent: sid}))
}

// nextIndex is one more than the highest index of a parent's messages.
func (c *call) nextIndex(kind, parent, sid string) int {
	next := 0
	for _, m := range c.store.where(kind, map[string]any{parent: sid}) {
		if n, ok := m.fields["index"].(int); ok {
			next = max(next, n+1)
		}
	}
	return next
}

func saveConversation(c *call, rec *record) *apiError {
	if rec.text("chat_service_sid") == "" {
		if s := c.store.one("conversation_services", map[string]any{"account_sid": c.account.text("sid")}); s != nil {
			rec.fields["chat_service_sid"] = s.text("sid")
		}
	}
	switch s := rec.text("state"); s {
	case "active", "inactive", "closed":
	default:
		return invalid("Invalid value for parameter State: %.100q", s)
	}
	return c.unique(rec, "unique_name", "chat_service_sid", 50353)
}

// conversation is the one that the request's path names.
func (c *call) conversation() *record {
	return c.store.one("conversations", map[string]any{"sid": c.vars["conversation_sid"]})
}

func createConversationParticipant(c *call, rec *record) *apiError {
	if conv := c.conversation(); conv != nil {
		rec.fields["chat_service_sid"] = conv.fields["chat_service_sid"]
	}
	if address := c.form.Get("MessagingBinding.Address"); address != "" {
		rec.fields["messaging_binding"] = map[string]any{
			"type": "sms", "address": address, "proxy_address": c.form.Get("MessagingBinding.ProxyAddress"),
		}
	} else if rec.text("identity") == "" && c.form.Get("MessagingBinding.ProjectedAddress") == "" {
		return invalid("Missing required parameter Identity or MessagingBinding.Address in the post body")
	}
	return c.unique(rec, "identity", "conversation_sid", 50433)
}

func createConversationMessage(c *call, rec *record) *apiError {
	if conv := c.conversation(); conv != nil {
		if conv.text("state") == "closed" {
			return invalid("Conversation %s is closed", conv.text("sid"))
		}
		rec.fields["chat_service_sid"] = conv.fields["chat_service_sid"]
	}
	rec.fields["index"] = c.nextIndex("conversation_messages", "conversation_sid", c.vars["conversation_sid"])
	author := map[string]any{"conversation_sid": c.vars["conversation_sid"], "identity": rec.text("author")}
	if p := c.store.one("conversation_participants", author); p != nil {
		rec.fields["participant_sid"] = p.text("sid")
	}
	return nil
}

func saveChannel(c *call, rec *record) *apiError {
	if t := rec.text("type"); t != "public" && t != "private" {
		return invalid("Invalid value for parameter Type: %.100q", t)
	}
	return c.unique(rec, "unique_name", "service_sid", 50307)
}

func viewChannel(c *call, rec *record, m map[string]any) {
	m["members_count"] = c.countIn("chat_members", "channel_sid", rec.text("sid"))
	m["messages_count"] = c.countIn("chat_messages", "channel_sid", rec.text("sid"))
}

func createMember(c *call, rec *record) *apiError {
	return c.unique(rec, "identity", "channel_sid", 50404)
}

func createChatMessage(c *call, rec *record) *apiError {
	rec.fields["to"] = c.vars["channel_sid"]
	rec.fields["index"] = c.nextIndex("chat_messages", "channel_sid", c.vars["channel_sid"])
	return nil
}

func updateChatMessage(c *call, rec *record) *apiError {
	if c.form.Has("Body") && rec.text("body") != c.before.text("body") {
		rec.fields["was_edited"] = true
	}
	return nil
}
