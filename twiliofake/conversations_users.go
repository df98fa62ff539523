package twiliofake

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/flexfn/flexfn/internal/sid"
)

// conversationUserRows are the users of chat, and the conversations in which a
// user or an address takes part, which follow from the participants. See
// https://www.twilio.com/docs/conversations/api/user-resource. A user is
// created by the first participant with its identity, or by a request.
func conversationUserRows() []resource {
	const service = "/v1/Services/{chat_service_sid}"
	return []resource{
		{
			name: "conversation_users", host: "conversations", prefix: "US", table: true, alias: []string{"identity"}, list: "users",
			paths: []string{"/v1/Users/{sid}", service + "/Users/{sid}"},
			can:   all,
			fields: []field{
				{"chat_service_sid", text, nil, never},
				{"attributes", document, "{}", never},
				{"friendly_name", text, nil, never},
				{"identity", text, nil, never},
				{"is_notifiable", boolean, nil, never},
				{"is_online", boolean, nil, never},
				{"role_sid", text, nil, never},
			},
			unique: []unique{{field: "identity", code: 50201, in: "chat_service_sid"}},
			scope:  inDefaultService("Users"),
			load:   loadIntoService,
			create: createConversationUser,
			update: updateConversationUser,
			remove: removeConversationUser,
			view:   viewConversationUser,
		},
		{
			// Its items are a user's participants, so nothing is stored: scope
			// collects them for each request.
			name: "user_conversations", host: "conversations", table: true, alias: []string{"unique_name"}, list: "conversations",
			paths:  []string{"/v1/Users/{user_sid}/Conversations/{conversation_sid}", service + "/Users/{user_sid}/Conversations/{conversation_sid}"},
			can:    fetch | update | remove | list,
			scope:  conversationsOfUser,
			update: updateUserConversation,
			view:   viewUserConversation,
		},
		{
			name: "participant_conversations", host: "conversations", table: true, can: list, list: "conversations",
			paths:  []string{"/v1/ParticipantConversations/{participant_sid}", service + "/ParticipantConversations/{participant_sid}"},
			scope:  participations,
			narrow: map[string]func(*call, []string) (func(*record) bool, *apiError){"": needParticipant, "Identity": everyItem, "Address": everyItem},
			view:   viewParticipantConversation,
		},
	}
}

// createConversationUser puts a user in its service. Without RoleSid the user
// gets the service's default role.
func createConversationUser(c *call, rec *record) *apiError {
	service := c.needService()
	rec.set("chat_service_sid", service.id)
	identity := rec.text("identity")
	switch {
	case sid.Valid(identity, "US"): // in a path it would be taken for one
		return refuse(http.StatusBadRequest, 50206, "Identity should not match user SID pattern")
	case len(identity) > maxIdentity:
		return invalid("Identity must have at most %d characters", maxIdentity)
	}
	if err := c.role(service, rec, "service", "default_chat_service_role_sid"); err != nil {
		return err
	}
	return checkText(rec, maxAttributes, "friendly_name")
}

// updateConversationUser checks a user's new role and texts. A role is only
// checked if the request names one.
func updateConversationUser(c *call, rec *record) *apiError {
	if service := c.account.child(servicesPath).find(rec.text("chat_service_sid"), nil); service != nil && c.form.Has("RoleSid") {
		if err := c.role(service, rec, "service", ""); err != nil {
			return err
		}
	}
	return checkText(rec, maxAttributes, "friendly_name")
}

// removeConversationUser takes a user out of all conversations.
func removeConversationUser(c *call, rec *record) *apiError {
	for _, p := range c.participants(rec.text("chat_service_sid"), rec.text("identity"), "") {
		c.drop(p)
	}
	return nil
}

// viewConversationUser shows whether a user is online and can be notified: only
// where a single user is asked for, and if the service's reachability_enabled is
// set, as twilio-go's comments on the fields say. A user who was never online is
// null too, and nobody connects to the fake, so the values come from the state.
func viewConversationUser(c *call, rec *record, m map[string]any) {
	service := c.account.child(servicesPath).find(rec.text("chat_service_sid"), nil)
	if c.item && service != nil {
		if conf := settings(service); conf != nil && conf.flag("reachability_enabled") {
			return
		}
	}
	m["is_online"], m["is_notifiable"] = nil, nil
}

// needUser adds the user of an identity to a service if there is none. A
// participant with an identity implies one.
func (c *call) needUser(service *record, identity string) *apiError {
	if service.child("Users").find(identity, []string{"identity"}) != nil {
		return nil
	}
	user := c.blank("conversation_users", c.account)
	user.setAll(map[string]any{"chat_service_sid": service.id, "identity": identity})
	if err := c.role(service, user, "service", "default_chat_service_role_sid"); err != nil {
		return err
	}
	c.add(user)
	return nil
}

// participants returns the participants of a service's conversations with an
// identity or an address. An empty service means all services. They are in the
// order in which they joined.
func (c *call) participants(service, identity, address string) []*record {
	var found []*record
	for _, p := range c.where("conversation_participants", nil) {
		binding, _ := p.get("messaging_binding").(map[string]any)
		if (service == "" || p.owner.text("chat_service_sid") == service) &&
			(identity != "" && p.text("identity") == identity || address != "" && textOf(binding["address"]) == address) {
			found = append(found, p)
		}
	}
	slices.SortFunc(found, func(a, b *record) int { return cmp.Compare(a.seq, b.seq) })
	return found
}

// conversationsOfUser is the collection of a user's participants, each under
// the SID and the unique name of its conversation. It is made for this request
// and is not part of the tree, but its records are the participants themselves,
// so an update changes them.
func conversationsOfUser(c *call) *collection {
	in := &collection{byID: map[string]*record{}, names: map[name]*record{}}
	for _, p := range c.participants(c.parent.text("chat_service_sid"), c.parent.text("identity"), "") {
		in.order = append(in.order, slot{p.seq, p})
		in.byID[p.owner.id] = p
		if n := p.owner.text("unique_name"); n != "" {
			in.names[name{"unique_name", n}] = p
		}
	}
	return in
}

// updateUserConversation notes what a user has read, and whether a conversation
// is muted. The level is kept with the participant as _notification_level.
func updateUserConversation(c *call, rec *record) *apiError {
	if level := c.form.Get("NotificationLevel"); level != "" {
		rec.set("_notification_level", level)
	}
	rec.drop("NotificationLevel")
	return c.read(rec)
}

// maxUnread is the largest number of unread messages that Twilio reports. The
// count is cut there.
const maxUnread = 1000

// viewUserConversation shows a participant p as one of its user's
// conversations. The count of unread messages is null until something has been
// read.
func viewUserConversation(c *call, p *record, m map[string]any) {
	talk := p.owner
	m["conversation_sid"], m["participant_sid"], m["user_sid"] = talk.id, p.id, c.parent.id
	m["conversation_state"], m["created_by"], m["notification_level"] = talk.get("state"), "system", "default"
	if level := p.text("_notification_level"); level != "" {
		m["notification_level"] = level
	}
	for _, name := range []string{"chat_service_sid", "attributes", "date_created", "date_updated", "friendly_name", "timers", "unique_name"} {
		m[name] = talk.get(name)
	}
	m["last_read_message_index"], m["unread_messages_count"] = p.get("last_read_message_index"), nil
	if n, ok := p.get("last_read_message_index").(int); ok {
		unread := 0
		for message := range talk.child("Messages").all() {
			if message.number("index") > n {
				unread++
			}
		}
		m["unread_messages_count"] = min(unread, maxUnread)
	}
	conversations := c.base() + "/v1/"
	if s, ok := c.vars["chat_service_sid"]; ok {
		conversations += "Services/" + s + "/"
	}
	m["url"] = conversations + "Users/" + c.parent.id + "/Conversations/" + talk.id
	m["links"] = map[string]any{
		"conversation": conversations + "Conversations/" + talk.id,
		"participant":  conversations + "Conversations/" + talk.id + "/Participants/" + p.id,
	}
}

// participations is the collection of the participants that Identity or Address
// selects. The account's default service is searched unless the path names one.
func participations(c *call) *collection {
	in := &collection{}
	if s := c.service(); s != nil {
		for _, p := range c.participants(s.id, c.query.Get("Identity"), c.query.Get("Address")) {
			in.order = append(in.order, slot{p.seq, p})
		}
	}
	return in
}

// needParticipant refuses a list without Identity or Address. Exactly one of
// the two must be there.
func needParticipant(c *call, _ []string) (func(*record) bool, *apiError) {
	if (c.query.Get("Identity") == "") == (c.query.Get("Address") == "") {
		return nil, invalid("Either Identity or Address is required")
	}
	return everyItem(c, nil)
}

// viewParticipantConversation shows a participant p together with its
// conversation. The fields have the prefix conversation_ or participant_, by
// what they belong to.
func viewParticipantConversation(c *call, p *record, m map[string]any) {
	talk := p.owner
	m["chat_service_sid"], m["conversation_sid"] = talk.get("chat_service_sid"), talk.id
	m["participant_identity"], m["participant_messaging_binding"] = p.get("identity"), p.get("messaging_binding")
	m["conversation_created_by"], m["participant_user_sid"] = "system", nil
	if s := c.account.child(servicesPath).find(talk.text("chat_service_sid"), nil); s != nil {
		if user := s.child("Users").find(p.text("identity"), []string{"identity"}); user != nil {
			m["participant_user_sid"] = user.id
		}
	}
	for _, name := range []string{"unique_name", "friendly_name", "attributes", "date_created", "date_updated", "state", "timers"} {
		m["conversation_"+name] = talk.get(name)
	}
	m["links"] = map[string]any{
		"conversation": c.base() + "/v1/Conversations/" + talk.id,
		"participant":  c.base() + "/v1/Conversations/" + talk.id + "/Participants/" + p.id,
	}
}
