package twiliofake

import (
	"encoding/json"
	"slices"
	"time"
)

// interactionRows are Flex's interactions: a conversation with a customer, its
// channels, participants and invites. An invite creates a TaskRouter task. See
// https://www.twilio.com/docs/flex/developer/conversations/interactions-api.
func interactionRows() []resource {
	const channel = "/v1/Interactions/{interaction_sid}/Channels/{channel_sid}"
	return []resource{
		{
			name: "interactions", host: "flex-api", prefix: "KD", table: true,
			paths: []string{"/v1/Interactions/{sid}"}, can: create | fetch | update,
			fields: []field{
				{"channel", value, nil, never},
				{"routing", value, nil, never},
			},
			create: createInteraction,
		},
		{
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
			name: "interaction_invites", host: "flex-api", prefix: "KG", table: true, list: "invites",
			paths: []string{channel + "/Invites/{sid}"}, can: create | list,
			fields: []field{{"routing", value, nil, never}},
			create: createInvite,
		},
		{
			name: "interaction_participants", host: "flex-api", prefix: "UT", table: true, list: "participants",
			paths: []string{channel + "/Participants/{sid}"}, can: create | update | list,
			fields: []field{
				{"routing_properties", value, nil, never},
				{"type", text, "customer", never},
			},
			create: createInteractionParticipant,
			update: updateInteractionParticipant,
		},
	}
}

// createInteraction makes an interaction with one channel, the conversation of a
// text channel, its participants, and the task that its routing asks for.
func createInteraction(c *call, rec *record) *apiError {
	channel, _ := rec.get("channel").(map[string]any)
	if channel == nil || textOf(channel["type"]) == "" {
		return invalid("Channel must be a JSON object with a type")
	}
	routing, _ := rec.get("routing").(map[string]any)
	if c.form.Has("Routing") && routing == nil {
		return invalid("Routing must be a JSON object")
	}
	made := c.blank("interaction_channels", rec)
	made.set("type", channel["type"])
	task, err := c.invite(routing, rec.id, made.id)
	if err != nil {
		return err
	}
	if task != nil {
		made.set("_tasks", []any{task.id})
		rec.set("routing", map[string]any{"properties": routed(task)})
	}
	properties, _ := channel["properties"].(map[string]any)
	conversation := textOf(properties["media_channel_sid"])
	if conversation == "" && channel["type"] != "voice" {
		conversation = c.newConversation(map[string]any{"friendly_name": rec.id}).id
	}
	made.set("_conversation", conversation)
	shown := map[string]any{"sid": made.id, "interaction_sid": rec.id}
	for k, v := range channel {
		shown[k] = v
	}
	if conversation != "" {
		shown["properties"] = map[string]any{"media_channel_sid": conversation}
	}
	rec.set("channel", shown)
	c.add(made)
	participants, _ := channel["participants"].([]any)
	for _, p := range participants {
		properties, _ := p.(map[string]any)
		participant := c.blank("interaction_participants", made)
		if kind := textOf(properties["type"]); kind != "" {
			participant.set("type", kind)
		}
		participant.set("media_properties", properties)
		c.add(participant)
	}
	return nil
}

// invite makes the task that a routing asks for. It returns nil if the workspace
// does not exist.
func (c *call) invite(routing map[string]any, interaction, channel string) (*record, *apiError) {
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
	attributes := map[string]any{}
	switch given := properties["attributes"].(type) {
	case map[string]any:
		for k, v := range given {
			attributes[k] = v
		}
	case string:
		attributes = objectOf(given)
	}
	attributes["flexInteractionSid"], attributes["flexInteractionChannelSid"] = interaction, channel
	b, err := json.Marshal(attributes)
	if err != nil {
		return nil, invalid("Routing is not usable: %v", err)
	}
	task.set("attributes", string(b))
	if err := createTask(c, task); err != nil {
		return nil, err
	}
	c.add(task)
	return task, nil
}

// routed returns a routing as an answer shows it, with its task.
func routed(task *record) map[string]any {
	at := func(name string) any {
		if t, err := time.Parse(time.RFC3339, task.text(name)); err == nil {
			return t.Unix()
		}
		return nil
	}
	m := map[string]any{
		"sid": task.id, "date_created": at("date_created"), "date_updated": at("date_updated"), "age": 0,
		"queue_name": task.get("task_queue_friendly_name"), "queue_sid": task.get("task_queue_sid"),
	}
	for _, name := range []string{
		"account_sid", "workspace_sid", "attributes", "assignment_status", "priority", "timeout", "reason", "routing_target",
		"task_channel_sid", "task_channel_unique_name", "workflow_sid", "workflow_friendly_name",
	} {
		m[name] = task.get(name)
	}
	return m
}

func textOf(v any) string {
	s, _ := v.(string)
	return s
}

func createInvite(c *call, rec *record) *apiError {
	routing, _ := rec.get("routing").(map[string]any)
	if routing == nil {
		return invalid("Routing must be a JSON object")
	}
	if s := c.parent.text("status"); s == "closed" {
		return invalid("Channel %s is closed", c.parent.id)
	}
	task, err := c.invite(routing, c.vars["interaction_sid"], c.parent.id)
	if err != nil || task == nil {
		return err
	}
	tasks, _ := c.parent.get("_tasks").([]any)
	c.parent.set("_tasks", append(slices.Clone(tasks), task.id))
	rec.set("routing", map[string]any{"properties": routed(task)})
	return nil
}

// createInteractionParticipant adds a participant, also to the conversation if
// there is one.
func createInteractionParticipant(c *call, rec *record) *apiError {
	media, _ := rec.get("media_properties").(map[string]any)
	if media == nil {
		return invalid("MediaProperties must be a JSON object")
	}
	identity := textOf(media["identity"])
	conversation := c.one("conversations", map[string]any{"sid": c.parent.text("_conversation")})
	if identity == "" || conversation == nil {
		return nil
	}
	p := c.newParticipant(conversation)
	p.set("identity", identity)
	return c.join(p)
}

// leaves maps how a worker leaves a channel to the status of the reservation.
var leaves = map[string]string{"wrapup": "wrapping", "closed": "completed"}

// updateInteractionParticipant removes a participant from the conversation and,
// for a worker, ends the reservation.
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

// updateInteractionChannel closes a channel: its tasks end, everyone leaves,
// and the conversation closes.
func updateInteractionChannel(c *call, rec *record) *apiError {
	if rec.text("status") != "closed" {
		return nil
	}
	tasks, _ := rec.get("_tasks").([]any)
	for _, sid := range tasks {
		task := c.one("tasks", map[string]any{"sid": textOf(sid)})
		for _, next := range []string{"canceled", "completed"} {
			if task != nil && slices.Contains(taskMoves[next].from, task.status()) {
				c.set(task, map[string]any{"assignment_status": next})
				break
			}
		}
	}
	for _, p := range c.where("interaction_participants", map[string]any{"interaction_sid": c.vars["interaction_sid"], "channel_sid": rec.id}) {
		c.set(p, map[string]any{"status": "closed"})
	}
	if talk := c.one("conversations", map[string]any{"sid": rec.text("_conversation")}); talk != nil {
		c.set(talk, map[string]any{"state": "closed"})
	}
	return nil
}
