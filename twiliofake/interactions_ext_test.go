package twiliofake_test

import (
	"encoding/json"
	"testing"

	conversations "github.com/twilio/twilio-go/rest/conversations/v1"
	flex "github.com/twilio/twilio-go/rest/flex/v1"
	tr "github.com/twilio/twilio-go/rest/taskrouter/v1"

	"github.com/flexfn/flexfn/twiliofake"
)

// TestInteractions follows a chat from the customer's first message to its end:
// the interaction, its task, an agent who joins and a colleague who is invited.
func TestInteractions(t *testing.T) {
	fake := newFake(t)
	api, router, talk := flex.NewApiService(newClient(fake)), tr.NewApiService(newClient(fake)), conversations.NewApiService(newClient(fake))
	routing := map[string]any{"properties": map[string]any{
		"workspace_sid": workspace, "workflow_sid": anyone, "task_channel_unique_name": "chat", "attributes": map[string]any{"from": "web"}, "priority": 3,
	}}
	made := must[*flex.FlexV1Interaction](t)(api.CreateInteraction(new(flex.CreateInteractionParams).SetRouting(routing).
		SetChannel(map[string]any{"type": "web", "initiated_by": "customer", "participants": []any{map[string]any{"type": "customer", "address": "a"}}})))
	properties := (*made.Routing).(map[string]any)["properties"].(map[string]any)
	taskSID := properties["sid"].(string)
	task := must[*tr.TaskrouterV1Task](t)(router.FetchTask(workspace, taskSID))
	var attributes map[string]any
	if err := json.Unmarshal([]byte(*task.Attributes), &attributes); err != nil {
		t.Fatal(err)
	}
	if attributes["from"] != "web" || attributes["flexInteractionSid"] != *made.Sid || task.Priority != 3 || *task.TaskQueueFriendlyName != "Everyone" {
		t.Errorf("the task is %+v", task)
	}
	channels := must[[]flex.FlexV1InteractionChannel](t)(api.ListInteractionChannel(*made.Sid, nil))
	if len(channels) != 1 || *channels[0].Type != "web" || *channels[0].Status != "active" || *channels[0].Sid != attributes["flexInteractionChannelSid"] {
		t.Fatalf("the channels are %+v", channels)
	}
	channel := *channels[0].Sid
	conversation := (*made.Channel).(map[string]any)["properties"].(map[string]any)["media_channel_sid"].(string)
	must[*conversations.ConversationsV1Conversation](t)(talk.FetchConversation(conversation))

	reservation := reserve(t, fake, taskSID, workerOne)[0]
	must[*tr.TaskrouterV1TaskReservation](t)(router.UpdateTaskReservation(workspace, taskSID, reservation, new(tr.UpdateTaskReservationParams).SetReservationStatus("accepted")))
	agent := must[*flex.FlexV1InteractionChannelParticipant](t)(api.CreateInteractionChannelParticipant(*made.Sid, channel,
		new(flex.CreateInteractionChannelParticipantParams).SetType("agent").SetMediaProperties(map[string]any{"identity": "ada"}).
			SetRoutingProperties(map[string]any{"reservation_sid": reservation, "task_sid": taskSID, "worker_sid": workerOne})))
	if people := must[[]conversations.ConversationsV1ConversationParticipant](t)(talk.ListConversationParticipant(conversation, nil)); len(people) != 1 || *people[0].Identity != "ada" {
		t.Errorf("in the conversation are %+v", people)
	}
	if people := must[[]flex.FlexV1InteractionChannelParticipant](t)(api.ListInteractionChannelParticipant(*made.Sid, channel, nil)); len(people) != 2 {
		t.Errorf("%d take part, want the customer and the agent", len(people))
	}

	invite := must[*flex.FlexV1InteractionChannelInvite](t)(api.CreateInteractionChannelInvite(*made.Sid, channel,
		new(flex.CreateInteractionChannelInviteParams).SetRouting(map[string]any{"properties": map[string]any{
			"workspace_sid": workspace, "workflow_sid": anyone, "queue_sid": sales, "task_channel_unique_name": "chat", "attributes": `{"transfer":true}`,
		}})))
	invited := (*invite.Routing).(map[string]any)["properties"].(map[string]any)
	if invited["queue_name"] != "Sales" || *invite.InteractionSid != *made.Sid || *invite.ChannelSid != channel {
		t.Errorf("the invite is %+v: %v", invite, invited)
	}
	if all := must[[]flex.FlexV1InteractionChannelInvite](t)(api.ListInteractionChannelInvite(*made.Sid, channel, nil)); len(all) != 2 || *all[1].Sid != *invite.Sid {
		t.Errorf("%d invites, want that of the interaction and this one", len(all))
	}

	must[*flex.FlexV1InteractionChannelParticipant](t)(api.UpdateInteractionChannelParticipant(*made.Sid, channel, *agent.Sid,
		new(flex.UpdateInteractionChannelParticipantParams).SetStatus("closed")))
	if task := must[*tr.TaskrouterV1Task](t)(router.FetchTask(workspace, taskSID)); *task.AssignmentStatus != "completed" {
		t.Errorf("after the agent left the task is %s", *task.AssignmentStatus)
	}
	if people := must[[]conversations.ConversationsV1ConversationParticipant](t)(talk.ListConversationParticipant(conversation, nil)); len(people) != 0 {
		t.Errorf("in the conversation still are %+v", people)
	}
	closed := must[*flex.FlexV1InteractionChannel](t)(api.UpdateInteractionChannel(*made.Sid, channel, new(flex.UpdateInteractionChannelParams).SetStatus("closed")))
	if task := must[*tr.TaskrouterV1Task](t)(router.FetchTask(workspace, invited["sid"].(string))); *task.AssignmentStatus != "canceled" || *closed.Status != "closed" {
		t.Errorf("the channel is %s, the task of the invite %s", *closed.Status, *task.AssignmentStatus)
	}
	if c := must[*conversations.ConversationsV1Conversation](t)(talk.FetchConversation(conversation)); *c.State != "closed" {
		t.Errorf("the conversation is %s", *c.State)
	}
	_, err := api.CreateInteractionChannelInvite(*made.Sid, channel, new(flex.CreateInteractionChannelInviteParams).SetRouting(routing))
	refused(t, err, "closed")
	_, err = api.CreateInteraction(new(flex.CreateInteractionParams).SetChannel("text"))
	refused(t, err, "Channel")
	_, err = api.CreateInteraction(new(flex.CreateInteractionParams).SetChannel(map[string]any{"type": "web"}).
		SetRouting(map[string]any{"properties": map[string]any{"workspace_sid": workspace, "workflow_sid": "WWnone"}}))
	refused(t, err, "WorkflowSid")
	if n := len(fake.State().Resources["interactions"]); n != 1 {
		t.Errorf("refused creates left %d interactions, want 1", n)
	}
	if n := len(fake.State().Resources["conversations"]); n != 2 {
		t.Errorf("refused creates left %d conversations, want 2", n)
	}
}

// TestSeededInteraction puts an interaction into the state, as tests of
// functions do.
func TestSeededInteraction(t *testing.T) {
	const n = "00000000000000000000000000000001"
	fake := newFake(t)
	for kind, item := range map[string]twiliofake.Resource{"interactions": {"sid": "KD" + n}} {
		if err := fake.SetResource(kind, item); err != nil {
			t.Fatal(err)
		}
	}
	for _, item := range []struct {
		kind string
		item twiliofake.Resource
	}{
		{"interaction_channels", twiliofake.Resource{"sid": "UO" + n, "interaction_sid": "KD" + n}},
		{"interaction_participants", twiliofake.Resource{
			"sid": "UT" + n, "interaction_sid": "KD" + n, "channel_sid": "UO" + n, "type": "agent",
			"routing_properties": map[string]any{"reservation_sid": "WR" + n, "task_sid": closedTask},
		}},
	} {
		if err := fake.SetResource(item.kind, item.item); err != nil {
			t.Fatal(err)
		}
	}
	api := flex.NewApiService(newClient(fake))
	must[*flex.FlexV1InteractionChannelParticipant](t)(api.UpdateInteractionChannelParticipant("KD"+n, "UO"+n, "UT"+n,
		new(flex.UpdateInteractionChannelParticipantParams).SetStatus("wrapup")))
	ask(t, fake, "GET", task, "").want(t, 200, "assignment_status", "wrapping")
}
