package twiliofake_test

import (
	"fmt"
	"testing"

	conversations "github.com/twilio/twilio-go/rest/conversations/v1"
	flex "github.com/twilio/twilio-go/rest/flex/v1"
	tr "github.com/twilio/twilio-go/rest/taskrouter/v1"

	"github.com/flexfn/flexfn/twiliofake"
)

// assisted is an interaction in which an agent has accepted the task.
type assisted struct {
	api                                            *flex.ApiService
	interaction, channel, task, agent, reservation string
}

func assist(t *testing.T, fake *twiliofake.Twilio) assisted {
	t.Helper()
	a := assisted{api: flex.NewApiService(newClient(fake))}
	made := must[*flex.FlexV1Interaction](t)(a.api.CreateInteraction(new(flex.CreateInteractionParams).
		SetChannel(map[string]any{"type": "web", "initiated_by": "customer"}).
		SetRouting(map[string]any{"properties": map[string]any{"workspace_sid": workspace, "workflow_sid": anyone, "task_channel_unique_name": "chat"}})))
	a.interaction = *made.Sid
	a.channel = (*made.Channel).(map[string]any)["sid"].(string)
	a.task = (*made.Routing).(map[string]any)["properties"].(map[string]any)["sid"].(string)
	a.reservation = reserve(t, fake, a.task, workerOne)[0]
	must[*tr.TaskrouterV1TaskReservation](t)(tr.NewApiService(newClient(fake)).UpdateTaskReservation(workspace, a.task, a.reservation,
		new(tr.UpdateTaskReservationParams).SetReservationStatus("accepted")))
	a.agent = *must[*flex.FlexV1InteractionChannelParticipant](t)(a.api.CreateInteractionChannelParticipant(a.interaction, a.channel,
		new(flex.CreateInteractionChannelParticipantParams).SetType("agent").SetMediaProperties(map[string]any{"identity": "ada"}).
			SetRoutingProperties(map[string]any{"reservation_sid": a.reservation, "task_sid": a.task}))).Sid
	return a
}

// TestInteractionTransfers begins and ends transfers. In a cold one, the agent
// who began it leaves.
func TestInteractionTransfers(t *testing.T) {
	for kind, want := range map[string]string{"cold": "completed", "warm": "assigned"} {
		fake := newFake(t)
		a := assist(t, fake)
		create := func(body map[string]any) (*flex.FlexV1InteractionTransfer, error) {
			return a.api.CreateInteractionTransfer(a.interaction, a.channel, new(flex.CreateInteractionTransferParams).SetBody(body))
		}
		update := func(sid string, body map[string]any) (*flex.FlexV1InteractionTransfer, error) {
			return a.api.UpdateInteractionTransfer(a.interaction, a.channel, sid, new(flex.UpdateInteractionTransferParams).SetBody(body))
		}
		made := must[*flex.FlexV1InteractionTransfer](t)(create(map[string]any{"type": kind, "from": a.agent, "to": "WQ00000000000000000000000000000003"}))
		if *made.Status != "active" || *made.InstanceSid != instance || *made.InteractionSid != a.interaction || *made.ChannelSid != a.channel || *made.From != a.agent {
			t.Errorf("the transfer is %+v", made)
		}
		done := must[*flex.FlexV1InteractionTransfer](t)(update(*made.Sid, map[string]any{"status": "completed"}))
		if *done.Status != "completed" || *done.To != "WQ00000000000000000000000000000003" {
			t.Errorf("after its end the transfer is %+v", done)
		}
		if got := must[*flex.FlexV1InteractionTransfer](t)(a.api.FetchInteractionTransfer(a.interaction, a.channel, *made.Sid)); *got.Status != "completed" {
			t.Errorf("fetched, the transfer is %s", *got.Status)
		}
		task := must[*tr.TaskrouterV1Task](t)(tr.NewApiService(newClient(fake)).FetchTask(workspace, a.task))
		if *task.AssignmentStatus != want {
			t.Errorf("after a %s transfer the first agent's task is %s, want %s", kind, *task.AssignmentStatus, want)
		}
		agent, _ := fake.Resource("interaction_participants", a.agent)
		if left := agent["status"] == "closed"; left != (kind == "cold") {
			t.Errorf("after a %s transfer the first agent is %v", kind, agent)
		}
		for says, body := range map[string]map[string]any{
			"type":   {"type": "lukewarm"},
			"from":   {"type": "warm", "from": "UT00000000000000000000000000000009"},
			"status": {"type": "warm", "status": "completed"},
		} {
			_, err := create(body)
			refused(t, err, says)
		}
		other := must[*flex.FlexV1InteractionTransfer](t)(create(map[string]any{"type": "warm"}))
		_, err := update(*other.Sid, map[string]any{"type": "cold"})
		refused(t, err, "type")
		_, err = update(*other.Sid, map[string]any{"status": "lost"})
		refused(t, err, "status")
		_, err = update(*made.Sid, map[string]any{"status": "failed"})
		refused(t, err, "completed")
		must[*flex.FlexV1InteractionChannel](t)(a.api.UpdateInteractionChannel(a.interaction, a.channel, new(flex.UpdateInteractionChannelParams).SetStatus("closed")))
		_, err = create(map[string]any{"type": "warm"})
		refused(t, err, "closed")
	}
}

// TestInteractionChannels closes channels. The routing decides what happens to
// the task, and later changes are refused.
func TestInteractionChannels(t *testing.T) {
	for _, c := range []struct {
		routing any
		want    string
	}{{nil, "wrapping"}, {map[string]any{"status": "wrapup"}, "wrapping"}, {map[string]any{"status": "closed"}, "completed"}} {
		fake := newFake(t)
		a := assist(t, fake)
		status := func(s string) (*flex.FlexV1InteractionChannel, error) {
			p := new(flex.UpdateInteractionChannelParams).SetStatus(s)
			if c.routing != nil {
				p.SetRouting(c.routing)
			}
			return a.api.UpdateInteractionChannel(a.interaction, a.channel, p)
		}
		if ch := must[*flex.FlexV1InteractionChannel](t)(status("inactive")); *ch.Status != "inactive" {
			t.Errorf("the channel is %s", *ch.Status)
		}
		must[*flex.FlexV1InteractionChannel](t)(status("closed"))
		router := tr.NewApiService(newClient(fake))
		task := must[*tr.TaskrouterV1Task](t)(router.FetchTask(workspace, a.task))
		r := must[*tr.TaskrouterV1TaskReservation](t)(router.FetchTaskReservation(workspace, a.task, a.reservation))
		if *task.AssignmentStatus != c.want || *r.ReservationStatus != c.want {
			t.Errorf("closed with %v, the task is %s and the reservation %s, want %s", c.routing, *task.AssignmentStatus, *r.ReservationStatus, c.want)
		}
		if _, err := status("inactive"); code(t, err) != "400 45359" {
			t.Errorf("a closed channel becomes inactive: %v", err)
		}
		_, err := a.api.CreateInteractionChannelParticipant(a.interaction, a.channel,
			new(flex.CreateInteractionChannelParticipantParams).SetType("agent").SetMediaProperties(map[string]any{"identity": "grace"}))
		if code(t, err) != "400 45376" {
			t.Errorf("a participant of a closed channel: %v", err)
		}
	}
}

// TestOutboundInteractions writes to a customer by SMS. A second interaction with
// the same pair of addresses fails, which only its channel shows.
func TestOutboundInteractions(t *testing.T) {
	fake := newFake(t)
	api := flex.NewApiService(newClient(fake))
	create := func() *flex.FlexV1InteractionChannel {
		t.Helper()
		made := must[*flex.FlexV1Interaction](t)(api.CreateInteraction(new(flex.CreateInteractionParams).
			SetChannel(map[string]any{"type": "sms", "initiated_by": "agent", "participants": []any{
				map[string]any{"address": "+15550001111", "proxy_address": "+15550002222", "type": "customer"},
			}}).
			SetRouting(map[string]any{"properties": map[string]any{"workspace_sid": workspace, "workflow_sid": anyone, "task_channel_unique_name": "sms"}})))
		channels := must[[]flex.FlexV1InteractionChannel](t)(api.ListInteractionChannel(*made.Sid, nil))
		return &channels[0]
	}
	tasks := func() int { return len(fake.State().Resources["tasks"]) }
	before := tasks()
	first := create()
	if *first.Status != "active" || *first.Type != "sms" || tasks() != before+1 {
		t.Errorf("the channel is %+v, with %d new tasks", first, tasks()-before)
	}
	people := must[[]conversations.ConversationsV1ParticipantConversation](t)(conversations.NewApiService(newClient(fake)).ListParticipantConversation(
		new(conversations.ListParticipantConversationParams).SetAddress("+15550001111")))
	if len(people) != 1 {
		t.Errorf("the address takes part in %d conversations, want 1", len(people))
	}
	second := create()
	if *second.Status != "failed" || *second.ErrorCode != 50416 || *second.ErrorMessage == "" || tasks() != before+1 {
		t.Errorf("the second channel is %+v, with %d new tasks", second, tasks()-before)
	}
	for says, channel := range map[string]map[string]any{"type": {"type": "pigeon"}, "initiated_by": {"type": "sms", "initiated_by": "rain"}} {
		_, err := api.CreateInteraction(new(flex.CreateInteractionParams).SetChannel(channel))
		refused(t, err, says)
	}
}

// TestInteractionWebhooks registers webhooks and gives one to an interaction.
func TestInteractionWebhooks(t *testing.T) {
	fake := newFake(t)
	api := flex.NewApiService(newClient(fake))
	const hooks = flexAPI + "/v1/Instances/" + instance + "/InteractionWebhooks"
	create := func(form string) answer {
		t.Helper()
		return ask(t, fake, "POST", hooks, form)
	}
	global := create("WebhookUrl=https://example.com/a&WebhookEvents=onChannelStatusUpdated&WebhookEvents=onChannelCreateFailed").want(t, 201,
		"type", "global", "webhook_method", "POST", "instance_sid", instance, "account_sid", account)
	if got := fmt.Sprint(global.body["webhook_events"]); got != "[onChannelStatusUpdated onChannelCreateFailed]" {
		t.Errorf("the events are %s", got)
	}
	own := create("WebhookUrl=https://example.com/b&Type=interaction&FriendlyName=own").want(t, 201, "friendly_name", "own")
	ttid := own.body["ttid"].(string)
	ask(t, fake, "POST", hooks+"/"+ttid, "WebhookMethod=GET").want(t, 200, "webhook_method", "GET", "webhook_url", "https://example.com/b")
	if n := len(ask(t, fake, "GET", hooks, "").items(t, "interaction_webhooks")); n != 2 {
		t.Errorf("there are %d webhooks, want 2", n)
	}
	for _, form := range []string{
		"", "WebhookUrl=x", "WebhookUrl=https://example.com&Type=odd", "WebhookUrl=https://example.com&WebhookEvents=onRain", "WebhookUrl=https://example.com&WebhookMethod=PUT",
	} {
		create(form).want(t, 400, "code", 20001)
	}
	ask(t, fake, "POST", flexAPI+"/v1/Instances/GO00000000000000000000000000000009/InteractionWebhooks", "WebhookUrl=https://example.com").want(t, 404)
	if err := fake.SetState(fake.State()); err != nil {
		t.Fatal(err)
	}
	channel := map[string]any{"type": "web"}
	made := must[*flex.FlexV1Interaction](t)(api.CreateInteraction(new(flex.CreateInteractionParams).SetChannel(channel).SetWebhookTtid(ttid)))
	if *made.WebhookTtid != ttid {
		t.Errorf("the interaction has %s", *made.WebhookTtid)
	}
	_, err := api.UpdateInteraction(*made.Sid, new(flex.UpdateInteractionParams).SetWebhookTtid(global.body["ttid"].(string)))
	refused(t, err, "WebhookTtid")
	_, err = api.CreateInteraction(new(flex.CreateInteractionParams).SetChannel(channel).SetWebhookTtid("flex_interactionwebhook_0"))
	refused(t, err, "WebhookTtid")
	ask(t, fake, "DELETE", hooks+"/"+ttid, "").want(t, 204)
	ask(t, fake, "GET", hooks+"/"+ttid, "").want(t, 404)
}
