package twiliofake

import (
	"encoding/json"
	"net/http"
	"slices"
)

// flexChannelRows are Flex Flows, which say what happens to the messages of a
// channel, and the chats that begin by them: Flex 1's messaging, with
// Programmable Chat behind it. See
// https://www.twilio.com/docs/flex/developer/messaging/flow and
// https://www.twilio.com/docs/flex/developer/messaging/chat-channel.
//
// A chat has a channel of the flow's chat service, a user and a member for its
// customer and, if the flow makes tasks, a task. Studio flows are not started
// and webhooks are not called.
func flexChannelRows() []resource {
	fields := []field{{"flex_flow_sid", text, nil, never}}
	return []resource{
		{
			name: "flex_flows", host: "flex-api", prefix: "FO", table: true, can: all,
			paths: []string{"/v1/FlexFlows/{sid}"},
			fields: []field{
				{"contact_identity", text, nil, never},
				{"enabled", boolean, true, never},
				{"integration", value, map[string]any{}, never},
				{"integration_type", text, nil, never},
				{"janitor_enabled", boolean, false, never},
				{"long_lived", boolean, false, never},
			},
			create: saveFlexFlow,
			update: saveFlexFlow,
		},
		{
			name: "flex_channels", host: "flex-api", table: true, can: create | fetch | remove | list,
			paths:  []string{"/v1/Channels/{sid}"},
			fields: slices.Concat(fields, []field{{"task_sid", text, nil, never}, {"user_sid", text, nil, never}}),
			create: createFlexChannel,
			remove: removeFlexChannel,
		},
		{
			name: "flex_web_channels", host: "flex-api", table: true, can: all,
			paths:  []string{"/v1/WebChannels/{sid}"},
			fields: fields,
			create: createFlexChannel,
			update: updateWebChannel,
			remove: removeFlexChannel,
		},
	}
}

// integrationNeeds are the required parameters of each type of integration.
var integrationNeeds = map[string][]string{"studio": {"flow_sid"}, "external": {"url"}, "task": {"workspace_sid", "workflow_sid"}}

// saveFlexFlow checks a flow: what its integration needs, as twilio-go's
// comments on the parameters say, and that no other enabled flow has its
// channel and contact. A flow without an integration type does nothing with
// messages.
func saveFlexFlow(c *call, rec *record) *apiError {
	if sid := rec.text("chat_service_sid"); c.chatService(sid) == nil {
		return invalid("ChatServiceSid %.40s is not a chat service", sid)
	}
	integration, _ := rec.get("integration").(map[string]any)
	kind := rec.text("integration_type")
	for _, param := range integrationNeeds[kind] {
		if textOf(integration[param]) == "" {
			return invalid("Missing required parameter Integration.%s in the post body: IntegrationType is %s", pascal(param), kind)
		}
	}
	defaults := map[string]any{"retry_count": 3}
	if kind == "task" {
		workspace := textOf(integration["workspace_sid"])
		if c.one("workflows", map[string]any{"workspace_sid": workspace, "sid": integration["workflow_sid"]}) == nil {
			return invalid("Integration.WorkflowSid %.40v is not a workflow of workspace %.40s", integration["workflow_sid"], workspace)
		}
		defaults = map[string]any{"channel": "default", "timeout": defaultTaskTimeout, "priority": 0, "creation_on_message": false}
	}
	if kind != "" {
		for name, v := range defaults {
			if integration[name] == nil {
				integration[name] = v
			}
		}
		rec.set("integration", integration)
	}
	if n, ok := integer.fits(integration["retry_count"]); ok && n != nil && (n.(int) < 0 || n.(int) > 3) {
		return invalid("Integration.RetryCount must be from 0 to 3, not %d", n)
	}
	contact := rec.text("contact_identity")
	if contact == "" || !rec.flag("enabled") {
		return nil
	}
	same := map[string]any{"channel_type": rec.get("channel_type"), "contact_identity": contact, "enabled": true}
	for _, other := range c.where("flex_flows", same) {
		if other.id != rec.id {
			return refuse(http.StatusConflict, 20409, "Flex Flow %s is enabled for %s %s already", other.id, rec.text("channel_type"), contact)
		}
	}
	return nil
}

// chatService returns a service of Programmable Chat, or nil.
func (c *call) chatService(sid string) *record {
	return c.one("chat_services", map[string]any{"sid": sid})
}

// createFlexChannel begins a chat: the channel in the flow's chat service, whose
// SID is that of the new item too, the customer as a user and a member of it,
// and the task. The chat channel's attributes say where the chat comes from.
//
// A flow that is not enabled can begin chats: that is how outbound ones are
// kept apart.
func createFlexChannel(c *call, rec *record) *apiError {
	flow := c.one("flex_flows", map[string]any{"sid": rec.text("flex_flow_sid")})
	if flow == nil {
		return invalid("FlexFlowSid %.40s is not a Flex Flow", rec.text("flex_flow_sid"))
	}
	service := c.chatService(flow.text("chat_service_sid"))
	if service == nil {
		return invalid("Flex Flow %s has the chat service %.40s, which does not exist", flow.id, flow.text("chat_service_sid"))
	}
	name := c.form.Get("ChatUserFriendlyName")
	if name == "" {
		name = c.form.Get("CustomerFriendlyName")
	}
	attributes := map[string]any{
		"status": "ACTIVE", "channel_type": flow.text("channel_type"), "from": name,
		"long_lived": c.form.Get("LongLived") == "true" || flow.flag("long_lived") && !c.form.Has("LongLived"),
	}
	if data := c.form.Get("PreEngagementData"); data != "" {
		m, err := decodeObject([]byte(data))
		if err != nil {
			return invalid("PreEngagementData must be a JSON object: %v", err)
		}
		attributes["pre_engagement_data"] = m
	}
	channel := c.inService("chat_channels", service, map[string]any{"friendly_name": c.form.Get("ChatFriendlyName"), "type": "private"})
	if unique := c.form.Get("ChatUniqueName"); unique != "" {
		channel.set("unique_name", unique)
	}
	b, err := json.Marshal(attributes)
	if err != nil {
		return invalid("PreEngagementData is not usable: %v", err)
	}
	channel.set("attributes", string(b))
	if err := c.free(channel); err != nil {
		return err
	}
	task, refusal := c.flexTask(flow, channel, name)
	if refusal != nil {
		return refusal
	}
	rec.id = channel.id
	c.add(channel)
	identity := c.form.Get("Identity")
	user := service.child("Users").find(identity, []string{"identity"})
	if user == nil {
		user = c.inService("chat_users", service, map[string]any{"identity": identity, "friendly_name": name})
		c.add(user)
	}
	c.add(c.inService("chat_members", channel, map[string]any{"identity": identity}))
	if rec.kind.name == "flex_channels" {
		rec.set("user_sid", user.id)
		rec.set("task_sid", task)
	}
	for _, name := range []string{ // they are in the chat now
		"Identity", "ChatFriendlyName", "ChatUserFriendlyName", "CustomerFriendlyName", "ChatUniqueName", "PreEngagementData", "TaskAttributes", "LongLived",
	} {
		rec.drop(name)
	}
	return nil
}

// inService makes an item below one of Programmable Chat, and does not add it.
func (c *call) inService(kind string, owner *record, fields map[string]any) *record {
	rec := c.blank(kind, owner)
	rec.setAll(fields)
	return rec
}

// flexTask makes the task of a chat, if its flow makes tasks, and returns its
// SID or nil. TaskSid names a task that is there already. With
// Integration.CreationOnMessage the task would be made with the customer's
// first message, which never comes.
func (c *call) flexTask(flow, channel *record, name string) (any, *apiError) {
	integration, _ := flow.get("integration").(map[string]any)
	if flow.text("integration_type") != "task" {
		if c.form.Get("TaskSid") != "" {
			return nil, invalid("TaskSid is only valid if the flow's integration type is task")
		}
		return nil, nil
	}
	workspace := textOf(integration["workspace_sid"])
	if sid := c.form.Get("TaskSid"); sid != "" {
		if c.one("tasks", map[string]any{"workspace_sid": workspace, "sid": sid}) == nil {
			return nil, invalid("TaskSid %.40s is not a task of workspace %s", sid, workspace)
		}
		return sid, nil
	}
	if integration["creation_on_message"] == true {
		return nil, nil
	}
	attributes := map[string]any{"name": name}
	if s := c.form.Get("TaskAttributes"); s != "" {
		m, err := decodeObject([]byte(s))
		if err != nil {
			return nil, invalid("TaskAttributes must be a JSON object: %v", err)
		}
		for k, v := range m {
			attributes[k] = v
		}
	}
	attributes["channelSid"], attributes["channelType"] = channel.id, flow.get("channel_type")
	b, err := json.Marshal(attributes)
	if err != nil {
		return nil, invalid("TaskAttributes is not usable: %v", err)
	}
	c.vars["workspace_sid"] = workspace
	task := c.make("tasks", map[string]any{
		"workspace_sid": workspace, "workflow_sid": integration["workflow_sid"], "task_channel_unique_name": integration["channel"], "attributes": string(b),
	})
	for _, name := range []string{"priority", "timeout"} {
		if n, ok := integer.fits(integration[name]); ok && n != nil {
			task.set(name, n)
		}
	}
	if err := createTask(c, task); err != nil {
		return nil, err
	}
	c.add(task)
	return task.id, nil
}

// updateWebChannel ends a chat with the status inactive: the chat channel's
// attributes say so, and have what the customer filled in afterwards.
func updateWebChannel(c *call, rec *record) *apiError {
	channel := c.one("chat_channels", map[string]any{"sid": rec.id})
	if channel == nil {
		return nil
	}
	attributes := objectOf(channel.text("attributes"))
	if c.form.Get("ChatStatus") == "inactive" {
		attributes["status"] = "INACTIVE"
	}
	if data := c.form.Get("PostEngagementData"); data != "" {
		m, err := decodeObject([]byte(data))
		if err != nil {
			return invalid("PostEngagementData must be a JSON object: %v", err)
		}
		attributes["post_engagement_data"] = m
	}
	b, err := json.Marshal(attributes)
	if err != nil {
		return invalid("PostEngagementData is not usable: %v", err)
	}
	c.set(channel, map[string]any{"attributes": string(b)})
	return nil
}

// removeFlexChannel deletes the chat channel with what is in it.
func removeFlexChannel(c *call, rec *record) *apiError {
	if channel := c.one("chat_channels", map[string]any{"sid": rec.id}); channel != nil {
		c.drop(channel)
	}
	return nil
}
