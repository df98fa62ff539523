package twiliofake_test

import (
	"encoding/json"
	"net/url"
	"testing"

	chat "github.com/twilio/twilio-go/rest/chat/v2"
	flex "github.com/twilio/twilio-go/rest/flex/v1"
	tr "github.com/twilio/twilio-go/rest/taskrouter/v1"
)

// TestFlexFlows checks what the integrations of a Flex Flow need, and that only
// one enabled flow has a contact.
func TestFlexFlows(t *testing.T) {
	fake := newFake(t)
	flows := flexAPI + "/v1/FlexFlows"
	create := func(form string) answer {
		t.Helper()
		return ask(t, fake, "POST", flows, "FriendlyName=f&ChatServiceSid="+chatService+"&"+form)
	}
	sms := "ChannelType=sms&ContactIdentity=%2B15550002222"
	studio := create(sms+"&IntegrationType=studio&Integration.FlowSid=FW00000000000000000000000000000001").want(t, 201,
		"enabled", true, "long_lived", false, "janitor_enabled", false, "channel_type", "sms", "contact_identity", "+15550002222")
	if got := studio.body["integration"].(map[string]any); got["retry_count"] != 3.0 || got["flow_sid"] != "FW00000000000000000000000000000001" {
		t.Errorf("the integration is %v", got)
	}
	for _, form := range []string{
		"ChannelType=sms&IntegrationType=studio", "ChannelType=sms&IntegrationType=external",
		"ChannelType=sms&IntegrationType=task&Integration.WorkspaceSid=" + workspace,
		"ChannelType=sms&IntegrationType=task&Integration.WorkflowSid=WW00000000000000000000000000000009&Integration.WorkspaceSid=" + workspace,
		"ChannelType=sms&IntegrationType=external&Integration.Url=https://example.com&Integration.RetryCount=4",
		"ChannelType=fax",
	} {
		create(form).want(t, 400, "code", 20001)
	}
	ask(t, fake, "POST", flows, "FriendlyName=f&ChannelType=sms&ChatServiceSid=IS00000000000000000000000000000009").want(t, 400, "code", 20001)
	create(sms).want(t, 409, "code", 20409)
	outbound := create(sms+"&Enabled=false").want(t, 201)
	ask(t, fake, "POST", flows+"/"+outbound.sid(t), "Enabled=true").want(t, 409, "code", 20409)
	ask(t, fake, "POST", flows+"/"+studio.sid(t), "Enabled=false").want(t, 200, "enabled", false)
	ask(t, fake, "POST", flows+"/"+outbound.sid(t), "Enabled=true").want(t, 200, "enabled", true)
	if got := ask(t, fake, "GET", flows+"?FriendlyName=g", "").items(t, "flex_flows"); len(got) != 0 {
		t.Errorf("by another name there are %v", got)
	}
}

// TestFlexChannels begins chats as Flex 1 does: with the chat channel, the
// customer's user and member, and the task that the flow asks for.
func TestFlexChannels(t *testing.T) {
	fake := newFake(t)
	api, chats, router := flex.NewApiService(newClient(fake)), chat.NewApiService(newClient(fake)), tr.NewApiService(newClient(fake))
	flow := must[*flex.FlexV1FlexFlow](t)(api.CreateFlexFlow(new(flex.CreateFlexFlowParams).SetFriendlyName("f").SetChatServiceSid(chatService).
		SetChannelType("sms").SetIntegrationType("task").SetIntegrationWorkspaceSid(workspace).
		SetIntegrationWorkflowSid("WW00000000000000000000000000000001").SetIntegrationChannel("sms").SetIntegrationPriority(5)))
	params := func() *flex.CreateChannelParams {
		return new(flex.CreateChannelParams).SetFlexFlowSid(*flow.Sid).SetIdentity("ada").SetChatUserFriendlyName("Ada").SetChatFriendlyName("Chat")
	}
	channel := must[*flex.FlexV1Channel](t)(api.CreateChannel(params().SetChatUniqueName("one").SetTaskAttributes(`{"to": "+15550001111"}`).
		SetTarget("+15550001111").SetPreEngagementData(`{"topic": "bill"}`)))
	task := must[*tr.TaskrouterV1Task](t)(router.FetchTask(workspace, *channel.TaskSid))
	var attributes map[string]any
	if err := json.Unmarshal([]byte(*task.Attributes), &attributes); err != nil {
		t.Fatal(err)
	}
	if attributes["channelSid"] != *channel.Sid || attributes["channelType"] != "sms" || attributes["to"] != "+15550001111" || attributes["name"] != "Ada" {
		t.Errorf("the task's attributes are %s", *task.Attributes)
	}
	if *task.TaskChannelUniqueName != "sms" || task.Priority != 5 || *task.AssignmentStatus != "pending" {
		t.Errorf("the task is %s, %d, %s", *task.TaskChannelUniqueName, task.Priority, *task.AssignmentStatus)
	}
	talk := must[*chat.ChatV2Channel](t)(chats.FetchChannel(chatService, "one"))
	if *talk.Sid != *channel.Sid || *talk.FriendlyName != "Chat" || *talk.Attributes != `{"channel_type":"sms","from":"Ada","long_lived":false,"pre_engagement_data":{"topic":"bill"},"status":"ACTIVE"}` {
		t.Errorf("the chat channel is %s %s %s", *talk.Sid, *talk.FriendlyName, *talk.Attributes)
	}
	must[*chat.ChatV2Member](t)(chats.FetchMember(chatService, *channel.Sid, "ada"))
	if user := must[*chat.ChatV2User](t)(chats.FetchUser(chatService, "ada")); *user.Sid != *channel.UserSid {
		t.Errorf("the user is %s, not %s", *user.Sid, *channel.UserSid)
	}

	// A second chat of the same customer has the same user; nothing is left of
	// one that is refused.
	second := must[*flex.FlexV1Channel](t)(api.CreateChannel(params().SetTaskSid(*channel.TaskSid)))
	if *second.UserSid != *channel.UserSid || *second.TaskSid != *channel.TaskSid {
		t.Errorf("the second chat has user %s and task %s", *second.UserSid, *second.TaskSid)
	}
	ask(t, fake, "POST", flexAPI+"/v1/Channels", "FlexFlowSid="+*flow.Sid+"&Identity=x&ChatUserFriendlyName=x&ChatFriendlyName=x&ChatUniqueName=one").want(t, 409, "code", 50307)
	_, err := api.CreateChannel(params().SetTaskSid("WT00000000000000000000000000000009"))
	refused(t, err, "TaskSid")
	_, err = api.CreateChannel(params().SetTaskAttributes("x"))
	refused(t, err, "TaskAttributes")
	_, err = api.CreateChannel(params().SetFlexFlowSid("FO00000000000000000000000000000009"))
	refused(t, err, "FlexFlowSid")
	if list := must[[]flex.FlexV1Channel](t)(api.ListChannel(nil)); len(list) != 2 {
		t.Errorf("%d channels are listed, want 2", len(list))
	}
	if list := must[[]tr.TaskrouterV1Task](t)(router.ListTask(workspace, nil)); len(list) != 3 {
		t.Errorf("%d tasks are listed, want those of the development state and 1", len(list))
	}
	if err := api.DeleteChannel(*channel.Sid); err != nil {
		t.Fatal(err)
	}
	ask(t, fake, "GET", "https://chat.twilio.com/v2/Services/"+chatService+"/Channels/one", "").want(t, 404)
}

// TestFlexWebChannels begins and ends a chat on a web page.
func TestFlexWebChannels(t *testing.T) {
	fake := newFake(t)
	api := flex.NewApiService(newClient(fake))
	flow := must[*flex.FlexV1FlexFlow](t)(api.CreateFlexFlow(new(flex.CreateFlexFlowParams).SetFriendlyName("f").SetChatServiceSid(chatService).SetChannelType("web")))
	web := ask(t, fake, "POST", flexAPI+"/v1/WebChannels", url.Values{
		"FlexFlowSid": {*flow.Sid}, "Identity": {"ada"}, "CustomerFriendlyName": {"Ada"}, "ChatFriendlyName": {"Chat"},
	}.Encode()).want(t, 201, "flex_flow_sid", *flow.Sid)
	if _, ok := web.body["task_sid"]; ok {
		t.Errorf("a web channel has no task: %s", web.text)
	}
	must[*flex.FlexV1WebChannel](t)(api.UpdateWebChannel(web.sid(t), new(flex.UpdateWebChannelParams).SetChatStatus("inactive").SetPostEngagementData(`{"stars": 5}`)))
	ask(t, fake, "GET", "https://chat.twilio.com/v2/Services/"+chatService+"/Channels/"+web.sid(t), "").want(t, 200,
		"attributes", `{"channel_type":"web","from":"Ada","long_lived":false,"post_engagement_data":{"stars":5},"status":"INACTIVE"}`)
	ask(t, fake, "POST", flexAPI+"/v1/WebChannels/"+web.sid(t), "ChatStatus=active").want(t, 400, "code", 20001)
	if err := api.DeleteWebChannel(web.sid(t)); err != nil {
		t.Fatal(err)
	}
	ask(t, fake, "GET", flexAPI+"/v1/WebChannels/"+web.sid(t), "").want(t, 404)
}
