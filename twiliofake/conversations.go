package twiliofake

import (
	"net/http"
	"strings"
)

// conversationRows are the resources of conversations.twilio.com.
func conversationRows() []resource {
	return []resource{
		{
			name: "conversation_services", host: "conversations", prefix: "IS",
			paths:  []string{"/v1/Services/{sid}"},
			can:    create | fetch | remove | list,
			fields: []field{{"friendly_name", text, nil, onCreate | required}},
		},
		{
			name: "conversations", host: "conversations", prefix: "CH", alias: []string{"unique_name"},
			paths: []string{
				"/v1/Conversations/{sid}",
				"/v1/Services/{chat_service_sid}/Conversations/{sid}",
			},
			can: all,
			fields: []field{
				{"chat_service_sid", text, nil, never},
				{"attributes", document, "{}", always},
				{"bindings", value, map[string]any{}, never},
				{"friendly_name", text, nil, always},
				{"messaging_service_sid", text, nil, always},
				{"state", text, "active", always},
				{"timers", value, map[string]any{}, never},
				{"unique_name", text, nil, always},
			},
			filters: []string{"state"},
			unique:  []unique{{field: "unique_name", code: 50353, in: "chat_service_sid"}},
			create:  saveConversation,
			update:  saveConversation,
		},
		{
			name: "conversation_participants", host: "conversations", prefix: "MB", alias: []string{"identity"},
			paths: []string{
				"/v1/Conversations/{conversation_sid}/Participants/{sid}",
				"/v1/Services/{chat_service_sid}/Conversations/{conversation_sid}/Participants/{sid}",
			},
			can: all,
			fields: []field{
				{"chat_service_sid", text, nil, never},
				{"conversation_sid", text, nil, never},
				{"attributes", document, "{}", always},
				{"identity", text, nil, always},
				{"last_read_message_index", integer, nil, onUpdate},
				{"last_read_timestamp", text, nil, onUpdate},
				{"messaging_binding", value, nil, never},
				{"role_sid", text, nil, always},
			},
			unique: []unique{{field: "identity", code: 50433}},
			create: createConversationParticipant,
		},
		{
			name: "conversation_messages", host: "conversations", prefix: "IM",
			paths: []string{
				"/v1/Conversations/{conversation_sid}/Messages/{sid}",
				"/v1/Services/{chat_service_sid}/Conversations/{conversation_sid}/Messages/{sid}",
			},
			can: all,
			fields: []field{
				{"chat_service_sid", text, nil, never},
				{"conversation_sid", text, nil, never},
				{"attributes", document, "{}", always},
				{"author", text, "system", always},
				{"body", text, nil, always},
				{"content_sid", text, nil, onCreate},
				{"delivery", value, nil, never},
				{"index", integer, 0, never},
				{"media", value, nil, never},
				{"participant_sid", text, nil, never},
			},
			create: createConversationMessage,
		},
		{
			name: "participant_conversations", host: "conversations", can: fetch, special: participantConversations,
			paths: []string{"/v1/ParticipantConversations", "/v1/Services/{chat_service_sid}/ParticipantConversations"},
		},
		{
			name: "conversation_webhooks", host: "conversations", prefix: "WH", table: true, list: "webhooks",
			paths: []string{
				"/v1/Conversations/{conversation_sid}/Webhooks/{sid}",
				"/v1/Services/{chat_service_sid}/Conversations/{conversation_sid}/Webhooks/{sid}",
			},
			can:    all,
			fields: []field{{"configuration", value, map[string]any{}, never}},
			create: createConversationWebhook,
		},
	}
}

// countIn returns the number of items of a kind below a parent.
func (c *call) countIn(kind, parent, sid string) int {
	return len(c.where(kind, map[string]any{parent: sid}))
}

// nextIndex returns one more than the highest index among a parent's messages.
func (c *call) nextIndex(kind, parent, sid string) int {
	next := 0
	for _, m := range c.where(kind, map[string]any{parent: sid}) {
		if n, ok := m.get("index").(int); ok {
			next = max(next, n+1)
		}
	}
	return next
}

func saveConversation(c *call, rec *record) *apiError {
	if rec.text("chat_service_sid") == "" {
		if s := c.one("conversation_services", map[string]any{"account_sid": c.account.text("sid")}); s != nil {
			rec.set("chat_service_sid", s.text("sid"))
		}
	}
	switch s := rec.text("state"); s {
	case "active", "inactive", "closed":
	default:
		return invalid("Invalid value for parameter State: %.100q", s)
	}
	return nil
}

// conversation returns the conversation in the request's path.
func (c *call) conversation() *record {
	return c.one("conversations", map[string]any{"sid": c.vars["conversation_sid"]})
}

func createConversationParticipant(c *call, rec *record) *apiError {
	if conv := c.conversation(); conv != nil {
		rec.set("chat_service_sid", conv.get("chat_service_sid"))
	}
	if address := c.form.Get("MessagingBinding.Address"); address != "" {
		rec.set("messaging_binding", map[string]any{
			"type": "sms", "address": address, "proxy_address": c.form.Get("MessagingBinding.ProxyAddress"),
		})
	} else if rec.text("identity") == "" && c.form.Get("MessagingBinding.ProjectedAddress") == "" {
		return invalid("Missing required parameter Identity or MessagingBinding.Address in the post body")
	}
	return nil
}

func createConversationMessage(c *call, rec *record) *apiError {
	if conv := c.conversation(); conv != nil {
		if conv.text("state") == "closed" {
			return invalid("Conversation %s is closed", conv.text("sid"))
		}
		rec.set("chat_service_sid", conv.get("chat_service_sid"))
	}
	rec.set("index", c.nextIndex("conversation_messages", "conversation_sid", c.vars["conversation_sid"]))
	author := map[string]any{"conversation_sid": c.vars["conversation_sid"], "identity": rec.text("author")}
	if p := c.one("conversation_participants", author); p != nil {
		rec.set("participant_sid", p.text("sid"))
	}
	return nil
}

// maxWebhooks bounds the webhooks of a conversation.
const maxWebhooks = 5

// webhookNeeds maps a webhook's target to the setting that it requires.
var webhookNeeds = map[string]string{"webhook": "Url", "studio": "FlowSid", "trigger": "Url"}

func createConversationWebhook(c *call, rec *record) *apiError {
	rec.set("chat_service_sid", c.parent.text("chat_service_sid"))
	if c.parent.child("Webhooks").len() >= maxWebhooks {
		return refuse(http.StatusBadRequest, 50388, "Conversation webhooks limit exceeded")
	}
	if param := "Configuration." + webhookNeeds[strings.ToLower(rec.text("target"))]; c.form.Get(param) == "" {
		return invalid("Missing required parameter %s in the post body", param)
	}
	return nil
}

// participantConversations lists the conversations of a participant.
func participantConversations(c *call) (*response, *apiError) {
	identity, address := c.query.Get("Identity"), c.query.Get("Address")
	if (identity == "") == (address == "") {
		return nil, invalid("Either Identity or Address is required")
	}
	list := []any{}
	for _, p := range c.where("conversation_participants", map[string]any{}) {
		binding, _ := p.get("messaging_binding").(map[string]any)
		service := c.vars["chat_service_sid"]
		if identity != "" && p.text("identity") != identity || address != "" && textOf(binding["address"]) != address ||
			service != "" && p.text("chat_service_sid") != service {
			continue
		}
		talk := p.owner
		m := map[string]any{
			"account_sid": c.account.id, "chat_service_sid": talk.get("chat_service_sid"), "conversation_sid": talk.id,
			"participant_sid": p.id, "participant_user_sid": nil, "participant_identity": p.get("identity"),
			"participant_messaging_binding": p.get("messaging_binding"), "conversation_created_by": "system",
			"links": map[string]any{
				"conversation": c.base() + "/v1/Conversations/" + talk.id,
				"participant":  c.base() + "/v1/Conversations/" + talk.id + "/Participants/" + p.id,
			},
		}
		for _, name := range []string{"unique_name", "friendly_name", "attributes", "date_created", "date_updated", "state", "timers"} {
			m["conversation_"+name] = talk.get(name)
		}
		list = append(list, m)
	}
	url := c.base() + c.path
	return jsonResponse(http.StatusOK, map[string]any{"conversations": list, "meta": map[string]any{
		"key": "conversations", "page": 0, "page_size": max(len(list), defaultPageSize), "url": url,
		"first_page_url": url, "next_page_url": nil, "previous_page_url": nil,
	}}), nil
}
