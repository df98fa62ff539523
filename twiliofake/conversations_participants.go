package twiliofake

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// conversationParticipantRows are the participants of conversations: a user by
// identity, or someone outside of the chat by a pair of addresses. See
// https://www.twilio.com/docs/conversations/api/conversation-participant-resource.
func conversationParticipantRows() []resource {
	return []resource{
		{
			name: "conversation_participants", host: "conversations", prefix: "MB", table: true, alias: []string{"identity"},
			paths: []string{
				"/v1/Conversations/{conversation_sid}/Participants/{sid}",
				"/v1/Services/{chat_service_sid}/Conversations/{conversation_sid}/Participants/{sid}",
			},
			can: all,
			fields: []field{
				{"attributes", document, "{}", never},
				{"identity", text, nil, never},
				{"last_read_message_index", integer, nil, never},
				{"last_read_timestamp", text, nil, never},
				{"messaging_binding", value, nil, never},
				{"role_sid", text, nil, never},
			},
			unique: []unique{{field: "identity", code: 50433}},
			create: createConversationParticipant,
			update: updateConversationParticipant,
			view:   viewInService,
		},
		{
			// It does not have an item, so the row is special.
			name: "conversation_with_participants", host: "conversations", can: update, special: conversationWithParticipants,
			paths: []string{"/v1/ConversationWithParticipants", "/v1/Services/{chat_service_sid}/ConversationWithParticipants"},
		},
	}
}

// createConversationParticipant adds a participant to the conversation in the
// path. A closed conversation does not take more.
func createConversationParticipant(c *call, rec *record) *apiError {
	if err := open(c.parent); err != nil {
		return err
	}
	return c.saveParticipant(c.parent, rec)
}

// saveParticipant checks a new participant, and adds the user of its identity.
//
// A participant has an identity, an address or, in group texting, a projected
// address. The limits are 50417 for all participants, and 50422 for those
// outside of the chat. A pair of addresses that is in use is 50416. Without a
// role it gets the service's default one.
func (c *call) saveParticipant(conversation, rec *record) *apiError {
	service := c.account.child(servicesPath).find(conversation.text("chat_service_sid"), nil)
	identity := rec.text("identity")
	binding, _ := rec.get("messaging_binding").(map[string]any)
	address, proxy, projected := textOf(binding["address"]), textOf(binding["proxy_address"]), textOf(binding["projected_address"])
	switch {
	case identity == "" && address == "" && projected == "":
		return invalid("Missing required parameter Identity or MessagingBinding.Address in the post body")
	case identity != "" && address != "":
		return invalid("A participant has either Identity or MessagingBinding.Address")
	case len(identity) > maxIdentity || len(address) > maxIdentity || len(proxy) > maxIdentity:
		return invalid("Identity and addresses must have at most %d characters", maxIdentity)
	}
	if err := checkText(rec, maxAttributes); err != nil {
		return err
	}
	chat, nonChat := 0, 0
	for p := range conversation.child("Participants").all() {
		if p.text("identity") != "" {
			chat++
		} else {
			nonChat++
		}
	}
	if chat+nonChat >= maxParticipants {
		return refuse(http.StatusBadRequest, 50417, "Participants limit exceeded")
	}
	if address != "" {
		if nonChat >= maxNonChat {
			return refuse(http.StatusBadRequest, 50422, "Non-chat conversation participants limit exceeded")
		}
		if taken := c.bound(address, proxy); taken != nil {
			return refuse(http.StatusConflict, 50416, "A binding for this participant and proxy address already exists in Conversation %s", taken.id)
		}
		binding["type"] = channelOf(address)
		rec.set("messaging_binding", binding)
	}
	if service == nil {
		return nil
	}
	if err := c.role(service, rec, "conversation", "default_conversation_role_sid"); err != nil {
		return err
	}
	if identity != "" {
		return c.needUser(service, identity)
	}
	return nil
}

// bound returns the conversation in which a pair of addresses is in use: each
// pair leads an incoming message to one conversation that is not closed. It
// searches all conversations of the account, since an incoming message names
// only the two addresses.
func (c *call) bound(address, proxy string) *record {
	for p := range c.store.where(c.rows.byName["conversation_participants"], c.account, nil) {
		b, _ := p.get("messaging_binding").(map[string]any)
		if textOf(b["address"]) == address && textOf(b["proxy_address"]) == proxy && p.owner.text("state") != "closed" {
			return p.owner
		}
	}
	return nil
}

// channelOf returns the channel of an address, which its prefix names. An
// address without a known prefix is an email address if it has an @, and a
// telephone number otherwise.
func channelOf(address string) string {
	if prefix, _, ok := strings.Cut(address, ":"); ok && slices.Contains([]string{"whatsapp", "messenger", "gbm", "rcs", "apple"}, prefix) {
		return prefix
	}
	if strings.Contains(address, "@") {
		return "email"
	}
	return "sms"
}

// updateConversationParticipant checks a change of a participant's addresses,
// identity, role and reading. The text "null" removes an address. An identity
// can only be given to a participant who has a projected address and no
// identity yet (50444).
func updateConversationParticipant(c *call, rec *record) *apiError {
	if err := open(c.parent); err != nil {
		return err
	}
	if err := checkText(rec, maxAttributes); err != nil {
		return err
	}
	binding, _ := rec.get("messaging_binding").(map[string]any)
	for _, name := range []string{"proxy_address", "projected_address"} {
		if binding[name] == "null" {
			delete(binding, name)
		}
	}
	if c.form.Has("Identity") && rec.text("identity") != c.before.text("identity") &&
		(c.before.text("identity") != "" || binding["projected_address"] == nil) {
		return refuse(http.StatusBadRequest, 50444, "Failed to add an identity to participant %s", rec.id)
	}
	if err := c.read(rec); err != nil {
		return err
	}
	service := c.account.child(servicesPath).find(c.parent.text("chat_service_sid"), nil)
	if service == nil || !c.form.Has("RoleSid") {
		return nil
	}
	return c.role(service, rec, "conversation", "")
}

// read checks the last message that a participant has read, and notes when. It
// also serves a user's view of a conversation. A client may name the time
// itself.
func (c *call) read(rec *record) *apiError {
	if !c.form.Has("LastReadMessageIndex") {
		return nil
	}
	last := lastIndex(rec.owner)
	if n := rec.number("last_read_message_index"); n < 0 || n > last {
		return invalid("LastReadMessageIndex must be that of a message, at most %d, not %d", last, n)
	}
	if !c.form.Has("LastReadTimestamp") {
		rec.set("last_read_timestamp", c.now.Format(time.RFC3339))
	}
	return nil
}

// conversationWithParticipants creates a conversation together with up to ten
// participants, or nothing. 50426 is for more than ten. If one cannot be added,
// the conversation is removed again. The answer has the conversation's URL, not
// that of this path.
func conversationWithParticipants(c *call) (*response, *apiError) {
	values, err := c.parameters()
	if err != nil {
		return nil, err
	}
	given := c.form["Participant"]
	if len(given) > maxParticipantsAtOnce {
		return nil, refuse(http.StatusBadRequest, 50426, "The request contains more than %d participants", maxParticipantsAtOnce)
	}
	rec := c.blank("conversations", c.account)
	c.fill(rec, values)
	rec.drop("Participant")
	if err := createConversation(c, rec); err != nil {
		return nil, err
	}
	if err := c.free(rec); err != nil {
		return nil, err
	}
	c.add(rec)
	for _, s := range given {
		if err := c.addParticipant(rec, s); err != nil {
			c.drop(rec)
			return nil, err
		}
	}
	m, _ := c.render(rec).(map[string]any)
	n := c.node.parent.lit["Conversations"].wild
	at := *c
	at.node, at.resource = n, n.kind.row
	at.vars = map[string]string{"chat_service_sid": c.vars["chat_service_sid"], n.vars[len(n.vars)-1]: rec.id}
	m["url"], m["links"] = at.itemURL(rec), at.links(rec)
	return jsonResponse(c.op.status, m), nil
}

// addParticipant adds a participant that a parameter describes in JSON. The
// keys are those of a participant's fields, such as identity and
// messaging_binding. A pair of addresses in use is 50425 here, not 50416.
func (c *call) addParticipant(conversation *record, s string) *apiError {
	m, err := decodeObject([]byte(s))
	if err != nil {
		return invalid("Participant must be a JSON object: %v", err)
	}
	p := c.newParticipant(conversation)
	for name, v := range m {
		f, ok := p.kind.row.field(pascal(name))
		if !ok {
			return invalid("Participant has the unknown field %.40q", name)
		}
		if v, ok = f.kind.fits(v); !ok {
			return invalid("Invalid value for %s of a participant", name)
		}
		p.set(name, v)
	}
	refusal := c.join(p)
	if refusal != nil && refusal.code == 50416 {
		refusal.code = 50425
	}
	return refusal
}

// newParticipant makes a participant of a conversation without adding it. join
// adds it.
func (c *call) newParticipant(conversation *record) *record {
	return c.make("conversation_participants", map[string]any{"conversation_sid": conversation.id})
}

// join adds a participant to the conversation above it. It runs the checks of a
// request for a participant.
func (c *call) join(p *record) *apiError {
	if err := c.free(p); err != nil {
		return err
	}
	if err := c.saveParticipant(p.owner, p); err != nil {
		return err
	}
	c.add(p)
	return nil
}
