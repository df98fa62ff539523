package twiliofake

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// interactionRows are Flex's interactions: a conversation with a customer, its
// channels, participants, invites and transfers. An invite creates a TaskRouter
// task. See
// https://www.twilio.com/docs/flex/developer/conversations/interactions-api.
// The task is not offered to anyone: an agent joins when a test reserves and
// accepts the task and adds the participant.
//
// Fields that answers do not show have a leading underscore: a channel's
// conversation (_conversation), its tasks (_tasks) and who began it
// (_initiated_by).
func interactionRows() []resource {
	const channel = "/v1/Interactions/{interaction_sid}/Channels/{channel_sid}"
	return slices.Concat(interactionWebhookRows(), interactionTransferRows(), []resource{
		{
			// channel and routing are stored as the answer shows them.
			name: "interactions", host: "flex-api", prefix: "KD", table: true,
			paths: []string{"/v1/Interactions/{sid}"}, can: create | fetch | update,
			fields: []field{
				{"channel", value, nil, never},
				{"interaction_context_sid", text, nil, never},
				{"routing", value, nil, never},
				{"webhook_ttid", text, nil, never},
			},
			create: createInteraction,
			update: checkInteractionWebhook,
		},
		{
			// status is active, inactive, closed or failed. The channel keeps
			// the tasks of all its invites.
			name: "interaction_channels", host: "flex-api", prefix: "UO", table: true,
			paths: []string{"/v1/Interactions/{interaction_sid}/Channels/{sid}"}, can: fetch | update | list,
			fields: []field{
				{"error_code", integer, 0, never},
				{"error_message", text, "", never},
				{"status", text, "active", never},
				{"type", text, "web", never},
			},
			update: updateInteractionChannel,
		},
		{
			// An invite is the task that offers the channel to a queue or a
			// worker.
			name: "interaction_invites", host: "flex-api", prefix: "KG", table: true, list: "invites",
			paths: []string{channel + "/Invites/{sid}"}, can: create | list,
			fields: []field{{"routing", value, nil, never}},
			create: createInvite,
		},
		{
			// A participant of a text channel is also a participant of the
			// conversation.
			name: "interaction_participants", host: "flex-api", prefix: "UT", table: true, list: "participants",
			paths: []string{channel + "/Participants/{sid}"}, can: create | update | list,
			fields: []field{
				{"routing_properties", value, nil, never},
				{"type", text, "customer", never},
			},
			create: createInteractionParticipant,
			update: updateInteractionParticipant,
		},
	})
}

// The types of channels that Twilio accepts, and the values that say who began
// an interaction. The empty string is for a body that does not say.
var (
	channelTypes = []string{"chat", "email", "gbm", "messenger", "sms", "voice", "web", "whatsapp"}
	initiators   = []string{"", "agent", "api", "customer"}
)

// createInteraction makes an interaction with one channel, the conversation of
// a text channel, its participants, and the task that its routing asks for, by
// a first invite. As with Twilio, a problem with the conversation only shows in
// the channel, which is then failed.
//
// If the body names a conversation in media_channel_sid, it is used unchanged;
// otherwise a text channel gets a new one, named after the interaction. Voice
// channels have none. If the routing is refused, a new conversation is removed
// again.
func createInteraction(c *call, rec *record) *apiError {
	channel, _ := rec.get("channel").(map[string]any)
	kind, by := strings.ToLower(textOf(channel["type"])), strings.ToLower(textOf(channel["initiated_by"]))
	if !slices.Contains(channelTypes, kind) {
		return invalid("Channel must be a JSON object with a type of %s", strings.Join(channelTypes, ", "))
	}
	if !slices.Contains(initiators, by) {
		return invalid("Channel has the initiated_by %.40q, which is neither agent nor customer", by)
	}
	routing, _ := rec.get("routing").(map[string]any)
	if c.form.Has("Routing") && routing == nil {
		return invalid("Routing must be a JSON object")
	}
	if err := checkInteractionWebhook(c, rec); err != nil {
		return err
	}
	made := c.blank("interaction_channels", rec)
	made.set("type", kind)
	made.set("_initiated_by", by)
	properties, _ := channel["properties"].(map[string]any)
	conversation := textOf(properties["media_channel_sid"])
	var talk *record
	if conversation == "" && kind != "voice" {
		talk = c.newConversation(map[string]any{"friendly_name": rec.id})
		conversation = talk.id
	}
	made.set("_conversation", conversation)
	participants, _ := channel["participants"].([]any)
	for _, p := range participants {
		properties, _ := p.(map[string]any)
		participant := c.blank("interaction_participants", made)
		if kind := textOf(properties["type"]); kind != "" {
			participant.set("type", kind)
		}
		participant.set("media_properties", properties)
		c.add(participant)
		if err := c.joinInteraction(talk, properties); err != nil {
			made.setAll(map[string]any{"status": "failed", "error_code": err.code, "error_message": err.message})
		}
	}
	if made.text("status") != "failed" {
		invite := c.blank("interaction_invites", made)
		switch task, err := c.invite(routing, made, invite); {
		case err != nil:
			if talk != nil {
				c.drop(talk)
			}
			return err
		case task != nil:
			invite.set("routing", map[string]any{"properties": routed(task)})
			c.add(invite)
			rec.set("routing", map[string]any{"properties": routed(task), "reservation": nil})
		}
	}
	shown := map[string]any{"sid": made.id, "interaction_sid": rec.id}
	for k, v := range channel {
		shown[k] = v
	}
	if conversation != "" {
		shown["properties"] = map[string]any{"media_channel_sid": conversation}
	}
	rec.set("channel", shown)
	c.add(made)
	return nil
}

// joinInteraction adds a participant of an interaction to its conversation, by
// identity or by a pair of addresses. Properties without either add no
// participant to it.
func (c *call) joinInteraction(conversation *record, properties map[string]any) *apiError {
	identity, address, proxy := textOf(properties["identity"]), textOf(properties["address"]), textOf(properties["proxy_address"])
	if conversation == nil || identity == "" && (address == "" || proxy == "") {
		return nil
	}
	p := c.newParticipant(conversation)
	if identity != "" {
		p.set("identity", identity)
	} else {
		p.set("messaging_binding", map[string]any{"address": address, "proxy_address": proxy})
	}
	return c.join(p)
}

// invite makes the task that a routing asks for, for an invite to a channel. It
// returns nil if the workspace does not exist.
//
// The task goes through the checks of a request for a task, so an unknown
// workflow refuses the interaction. The channel keeps the task's SID for when
// it closes.
func (c *call) invite(routing map[string]any, channel, invite *record) (*record, *apiError) {
	properties, _ := routing["properties"].(map[string]any)
	workspace := textOf(properties["workspace_sid"])
	if c.one("workspaces", map[string]any{"sid": workspace}) == nil {
		return nil, nil
	}
	c.vars["workspace_sid"] = workspace
	task := c.make("tasks", map[string]any{"workspace_sid": workspace})
	for _, name := range []string{"workflow_sid", "task_channel_unique_name", "routing_target"} {
		if v := textOf(properties[name]); v != "" {
			task.set(name, v)
		}
	}
	if queue := textOf(properties["queue_sid"]); queue != "" {
		task.set("task_queue_sid", queue)
	}
	for _, name := range []string{"priority", "timeout"} {
		if n, ok := integer.fits(properties[name]); ok && n != nil {
			task.set(name, n)
		}
	}
	b, err := json.Marshal(taskAttributes(properties["attributes"], channel, invite))
	if err != nil {
		return nil, invalid("Routing is not usable: %v", err)
	}
	task.set("attributes", string(b))
	if err := createTask(c, task); err != nil {
		return nil, err
	}
	c.add(task)
	tasks, _ := channel.get("_tasks").([]any)
	channel.set("_tasks", append(slices.Clone(tasks), task.id))
	return task, nil
}

// taskAttributes are the attributes of an invite's task: those that Flex adds
// unless the routing has them, and the SIDs of the interaction. conversationSid
// leads from the task to the chat.
func taskAttributes(given any, channel, invite *record) map[string]any {
	direction := "inbound"
	if channel.text("_initiated_by") == "agent" {
		direction = "outbound"
	}
	attributes := map[string]any{
		"channelType": channel.text("type"), "direction": direction, "initiatedBy": channel.text("_initiated_by"), "taskCreateSource": "interaction",
	}
	if sid := channel.text("_conversation"); sid != "" {
		attributes["conversationSid"] = sid
	}
	own, _ := given.(map[string]any)
	if s, ok := given.(string); ok {
		own = objectOf(s)
	}
	maps.Copy(attributes, own)
	attributes["flexInteractionSid"], attributes["flexInteractionChannelSid"], attributes["flexChannelInviteSid"] = channel.owner.id, channel.id, invite.id
	return attributes
}

// routed returns a routing as an answer shows it, with its task. Dates are
// seconds since 1970, in contrast to the task's own.
func routed(task *record) map[string]any {
	at := func(name string) any {
		if t, err := time.Parse(time.RFC3339, task.text(name)); err == nil {
			return t.Unix()
		}
		return nil
	}
	m := map[string]any{
		"sid": task.id, "age": 0, "age_in_queue": 0, "version": int(task.version), "assignmentCounter": 0,
		"queue_name": task.get("task_queue_friendly_name"), "queue_sid": task.get("task_queue_sid"), "workflow_name": task.get("workflow_friendly_name"),
	}
	for _, name := range []string{"date_created", "date_updated", "task_queue_entered_date", "virtual_start_time"} {
		m[name] = at(name)
	}
	for _, name := range []string{
		"account_sid", "workspace_sid", "attributes", "assignment_status", "priority", "timeout", "reason", "routing_target",
		"task_channel_sid", "task_channel_unique_name", "workflow_sid", "workflow_friendly_name", "addons", "ignore_capacity",
	} {
		m[name] = task.get(name)
	}
	return m
}

// textOf returns v if it is a string, and "" otherwise. Values of JSON objects
// have any type; anything but a string counts as missing.
func textOf(v any) string {
	s, _ := v.(string)
	return s
}

// createInvite makes the task of an invite. A channel that is inactive can
// still invite; one that is closed cannot.
func createInvite(c *call, rec *record) *apiError {
	routing, _ := rec.get("routing").(map[string]any)
	if routing == nil {
		return invalid("Routing must be a JSON object")
	}
	if s := c.parent.text("status"); s == "closed" {
		return invalid("Channel %s is closed", c.parent.id)
	}
	task, err := c.invite(routing, c.parent, rec)
	if err != nil || task == nil {
		return err
	}
	rec.set("routing", map[string]any{"properties": routed(task)})
	return nil
}

// createInteractionParticipant adds a participant, also to the conversation if
// there is one. 45376 is for a channel that is closed or failed.
func createInteractionParticipant(c *call, rec *record) *apiError {
	media, _ := rec.get("media_properties").(map[string]any)
	if media == nil {
		return invalid("MediaProperties must be a JSON object")
	}
	if s := c.parent.text("status"); s == "closed" || s == "failed" {
		return refuse(http.StatusBadRequest, 45376, "Failed to add Participant %s. Channel %s is %s", rec.id, c.parent.id, s)
	}
	return c.joinInteraction(c.one("conversations", map[string]any{"sid": c.parent.text("_conversation")}), media)
}

// leaves maps how a worker leaves a channel to the status of the reservation.
// wrapup keeps the agent at work on the task after the conversation; closed
// ends both.
var leaves = map[string]string{"wrapup": "wrapping", "closed": "completed"}

// updateInteractionParticipant removes a participant from the conversation and,
// for a worker, ends the reservation. The reservation is found by the SIDs in
// routing_properties; one that is not at that point is left alone.
func updateInteractionParticipant(c *call, rec *record) *apiError {
	status := rec.text("status")
	properties, _ := rec.get("routing_properties").(map[string]any)
	want := map[string]any{"sid": textOf(properties["reservation_sid"])}
	if task := textOf(properties["task_sid"]); task != "" {
		want["task_sid"] = task
	}
	reservation := c.one("reservations", want)
	if next := leaves[status]; reservation != nil && slices.Contains(reservationMoves[next].from, reservation.text("reservation_status")) {
		c.set(reservation, map[string]any{"reservation_status": next})
	}
	media, _ := rec.get("media_properties").(map[string]any)
	if identity := textOf(media["identity"]); identity != "" && status == "closed" {
		p := c.one("conversation_participants", map[string]any{"conversation_sid": c.parent.text("_conversation"), "identity": identity})
		if p != nil {
			c.drop(p)
		}
	}
	return nil
}

// updateInteractionChannel makes a channel inactive or closes it. When it
// closes, tasks that no worker has accepted are canceled, and the others go to
// wrapping, or to completed if Routing has the status closed. Everyone leaves,
// and the conversation closes.
//
// A closed channel stays closed (45359). Routing in the body is an instruction
// for the tasks, not a field, so it is dropped.
func updateInteractionChannel(c *call, rec *record) *apiError {
	next := rec.text("status")
	talk := c.one("conversations", map[string]any{"sid": rec.text("_conversation")})
	if was := c.before.text("status"); was == "closed" && next != "closed" {
		return refuse(http.StatusBadRequest, 45359, "Channel %s is closed and cannot become %s", rec.id, next)
	}
	if next != "closed" {
		if talk != nil && talk.text("state") == "active" {
			c.set(talk, map[string]any{"state": "inactive"})
		}
		return nil
	}
	ends := "wrapping"
	if routing, _ := rec.get("routing").(map[string]any); routing["status"] == "closed" {
		ends = "completed"
	}
	rec.drop("routing")
	tasks, _ := rec.get("_tasks").([]any)
	for _, sid := range tasks {
		task := c.one("tasks", map[string]any{"sid": textOf(sid)})
		for _, next := range []string{"canceled", ends} {
			if task != nil && slices.Contains(taskMoves[next].from, task.status()) {
				c.set(task, map[string]any{"assignment_status": next})
				break
			}
		}
	}
	for _, p := range c.where("interaction_participants", map[string]any{"interaction_sid": c.vars["interaction_sid"], "channel_sid": rec.id}) {
		c.set(p, map[string]any{"status": "closed"})
	}
	if talk != nil && talk.text("state") != "closed" {
		c.set(talk, map[string]any{"state": "closed", "timers": map[string]any{}})
	}
	return nil
}
