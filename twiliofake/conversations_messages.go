package twiliofake

// conversationMessageRows are the messages of a conversation and their delivery
// receipts. A message reaches chat participants at once. Everyone else gets it
// as a message of their channel, with a receipt that stays "sent" until a test
// changes it. See
// https://www.twilio.com/docs/conversations/api/conversation-message-resource.
func conversationMessageRows() []resource {
	const (
		messages = "/v1/Conversations/{conversation_sid}/Messages"
		service  = "/v1/Services/{chat_service_sid}/Conversations/{conversation_sid}/Messages"
	)
	return []resource{
		{
			name: "conversation_messages", host: "conversations", prefix: "IM", table: true,
			paths: []string{messages + "/{sid}", service + "/{sid}"},
			can:   all,
			fields: []field{
				{"attributes", document, "{}", never},
				{"author", text, "system", never},
				{"body", text, nil, never},
				{"content_sid", text, nil, never},
				{"delivery", value, nil, never},
				{"index", integer, 0, never},
				{"media", value, nil, never},
				{"participant_sid", text, nil, never},
			},
			turned: true,
			create: createConversationMessage,
			update: updateConversationMessage,
			remove: removeConversationMessage,
			view:   viewConversationMessage,
		},
		{
			name: "conversation_receipts", host: "conversations", prefix: "DY", table: true, list: "delivery_receipts",
			paths: []string{messages + "/{message_sid}/Receipts/{sid}", service + "/{message_sid}/Receipts/{sid}"},
			can:   readOnly,
			fields: []field{
				{"channel_message_sid", text, nil, never},
				{"error_code", integer, 0, never},
				{"participant_sid", text, nil, never},
				{"status", text, "sent", never},
			},
			view: viewInService,
		},
	}
}

// The longest bodies, in characters: in chat, and for messages that also leave
// the chat, such as by SMS. The latter is the limit in twilio-go's comment on
// Body.
const (
	maxBodyChat    = 32 << 10
	maxBodyChannel = 1600
)

// createConversationMessage numbers a message and delivers it. An author who is
// a participant, by identity or by address, is noted with participant_sid and
// gets no copy. The message makes an inactive conversation active again, and
// restarts its timers.
func createConversationMessage(c *call, rec *record) *apiError {
	conversation := c.parent
	if err := open(conversation); err != nil {
		return err
	}
	var others []*record // who get the message outside of the chat
	for p := range conversation.child("Participants").all() {
		binding, _ := p.get("messaging_binding").(map[string]any)
		address := textOf(binding["address"])
		switch {
		case rec.text("author") != "" && (rec.text("author") == p.text("identity") || rec.text("author") == address):
			rec.set("participant_sid", p.id)
		case address != "":
			others = append(others, p)
		}
	}
	if err := checkMessage(rec, len(others) > 0); err != nil {
		return err
	}
	if err := c.attach(rec, conversation); err != nil {
		return err
	}
	rec.set("index", takeIndex(conversation))
	for _, p := range others {
		c.deliver(rec, p)
	}
	if timers, _ := conversation.get("timers").(map[string]any); len(timers) > 0 || conversation.text("state") == "inactive" {
		next := conversation.clone()
		next.set("state", "active")
		restartTimers(next, c.now)
		c.commit(conversation, next)
	}
	return nil
}

// takeIndex returns the index of a new message. Indexes are never reused. The
// conversation keeps the next index in _next_index, so deleting the last
// message does not free its index.
func takeIndex(conversation *record) int {
	next := lastIndex(conversation) + 1
	if n, ok := integer.fits(conversation.get("_next_index")); ok && n != nil {
		next = max(next, n.(int))
	}
	conversation.set("_next_index", next+1)
	return next
}

// lastIndex returns the index of a conversation's last message, or -1.
func lastIndex(conversation *record) int {
	if m := conversation.child("Messages").last(); m != nil {
		return m.number("index")
	}
	return -1
}

// checkMessage refuses a body that is too long, and attributes that are not
// JSON. leaves reports whether the message also goes to an address outside of
// the chat.
func checkMessage(rec *record, leaves bool) *apiError {
	most := maxBodyChat
	if leaves {
		most = maxBodyChannel
	}
	if n := len([]rune(rec.text("body"))); n > most {
		return invalid("Body must have at most %d characters, not %d", most, n)
	}
	return checkText(rec, maxAttributes)
}

// deliver sends a message to a participant outside of the chat: as a message of
// the account, whose status the receipt repeats. A test can read what was sent
// in the kind messages, and change the status of a receipt with
// [Twilio.SetResource].
func (c *call) deliver(message, p *record) {
	binding, _ := p.get("messaging_binding").(map[string]any)
	sent := c.make("messages", map[string]any{
		"account_sid": c.account.id, "body": message.get("body"), "to": binding["address"], "from": binding["proxy_address"], "status": "sent",
	})
	c.add(sent)
	receipt := c.blank("conversation_receipts", message)
	receipt.setAll(map[string]any{"participant_sid": p.id, "channel_message_sid": sent.id})
	c.store.add(receipt)
}

// updateConversationMessage checks an edited message. A message with receipts
// has left the chat, so the shorter limit applies.
func updateConversationMessage(c *call, rec *record) *apiError {
	if err := open(c.parent); err != nil {
		return err
	}
	return checkMessage(rec, rec.child("Receipts").len() > 0)
}

// removeConversationMessage deletes a message's media with it.
func removeConversationMessage(c *call, rec *record) *apiError {
	c.detach(rec)
	return nil
}

// viewConversationMessage adds the summary of the receipts. For each status it
// says whether all receipts have reached it, some, or none. A delivery in the
// state document wins.
func viewConversationMessage(c *call, rec *record, m map[string]any) {
	viewInService(c, rec, m)
	receipts := rec.child("Receipts")
	if receipts.len() == 0 || rec.get("delivery") != nil {
		return
	}
	counts := map[string]int{}
	for r := range receipts.all() {
		status := r.text("status")
		counts[status]++
		switch status { // a message that was read was also delivered, and one that was delivered was also sent
		case "read":
			counts["delivered"]++
			counts["sent"]++
		case "delivered", "undelivered":
			counts["sent"]++
		}
	}
	summary := map[string]any{"total": receipts.len()}
	for _, status := range []string{"sent", "delivered", "read", "failed", "undelivered"} {
		switch counts[status] {
		case 0:
			summary[status] = "none"
		case receipts.len():
			summary[status] = "all"
		default:
			summary[status] = "some"
		}
	}
	m["delivery"] = summary
}
