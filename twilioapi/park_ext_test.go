package twilioapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/flexfntest"
	"github.com/flexfn/flexfn/internal/testing/syncbuf"
	"github.com/flexfn/flexfn/twilioapi"
	"github.com/flexfn/flexfn/twiliofake"
)

const (
	parkedTalk = "CH00000000000000000000000000000001"
	parkedList = "IS00000000000000000000000000000001"
	parkWorker = "WK00000000000000000000000000000001"
	itemsPath  = "/v1/Services/*/Maps/*/Items"
)

// newParking returns an app, its log, and a conversation with an agent who can
// park it.
func newParking(t *testing.T) (*flexfntest.App, context.Context, *syncbuf.Buffer, twilioapi.Parking) {
	t.Helper()
	log := new(syncbuf.Buffer)
	app := flexfntest.New(t, func(c *flexfn.Config) { c.Logger = slog.New(slog.NewTextHandler(log, nil)) })
	if err := app.Twilio.SetResource("sync_services", twiliofake.Resource{"sid": parkedList}); err != nil {
		t.Fatal(err)
	}
	ctx := app.Context(t.Context())
	interaction, channel, agent := exampleInteraction(ctx)
	return app, ctx, log, twilioapi.Parking{
		InteractionSID: interaction, ChannelSID: channel, ParticipantSID: agent, ConversationSID: parkedTalk,
		TaskSID: "WT00000000000000000000000000000001", WorkflowSID: "WW00000000000000000000000000000001", TaskChannel: "chat",
		Attributes: json.RawMessage(`{"from":"web"}`), QueueSID: "WQ00000000000000000000000000000001", QueueName: "Everyone", WorkerSID: parkWorker,
		WebhookURL: "https://functions.example.com/unpark", ListServiceSID: parkedList, ChannelType: "web",
	}
}

// marks returns the attributes of the conversation.
func marks(t *testing.T, ctx context.Context) (m map[string]string) {
	t.Helper()
	stored, err := twilioapi.ConversationAttributes(ctx, parkedTalk).Get()
	var all map[string]any
	if err == nil {
		err = json.Unmarshal(stored, &all)
	}
	if err != nil {
		t.Fatal(err)
	}
	m = map[string]string{}
	for name, v := range all {
		m[name] = fmt.Sprint(v)
	}
	return m
}

func kept(app *flexfntest.App, kind string) []map[string]any {
	return app.Twilio.State().Resources[kind]
}

// TestParking: what parking stores, in Twilio and on the worker's list, and that
// unparking removes it, with and without the list.
func TestParking(t *testing.T) {
	for _, c := range []struct {
		name        string
		channelType string
		list        string // when parking
		unparkList  string
		webhook     string // that reported the message; "own" for the one that was made
		ttl         string // of the item; empty for none
		itemLeft    bool
	}{
		{"with a list", "web", parkedList, parkedList, "", "86400", false},
		{"of a short message", "sms", parkedList, parkedList, "own", "0", false},
		{"without a list", "web", "", parkedList, "", "", false},
		{"list off when unparking", "web", parkedList, "", "", "86400", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			app, ctx, log, p := newParking(t)
			p.ListServiceSID, p.ChannelType = c.list, c.channelType
			made, err := twilioapi.ParkInteraction(ctx, p)
			if err != nil || made == nil {
				t.Fatal(made, err)
			}
			app.Saw("POST", "/v1/Interactions/*/Channels/*/Participants/"+p.ParticipantSID, flexfntest.Params{"Status": "closed"})
			app.Saw("POST", "/v1/Conversations/*/Webhooks", flexfntest.Params{"Configuration.Url": p.WebhookURL})
			m := marks(t, ctx)
			want := map[string]string{
				"interactionSid": p.InteractionSID, "channelSid": p.ChannelSID, "participantSid": p.ParticipantSID, "taskSid": p.TaskSID,
				"workflowSid": p.WorkflowSID, "taskChannelUniqueName": "chat", "queueName": "Everyone", "queueSid": p.QueueSID, "workerSid": parkWorker,
				"taskAttributes": `{"from":"web"}`, "webhookSid": *made.Sid,
			}
			if c.ttl != "" {
				app.Saw("POST", itemsPath, flexfntest.Params{"Key": parkedTalk, "Ttl": c.ttl})
				want["mapSid"], want["mapItemKey"] = fmt.Sprint(kept(app, "sync_maps")[0]["sid"]), parkedTalk
			} else {
				app.SawNo("", "/v1/Services/**")
			}
			for name, v := range want {
				if m[name] != v {
					t.Errorf("%s is %q, want %q", name, m[name], v)
				}
			}
			if m["mapSid"] != want["mapSid"] {
				t.Errorf("the map is %q, want %q", m["mapSid"], want["mapSid"])
			}

			u := twilioapi.Unparking{ConversationSID: parkedTalk, ListServiceSID: c.unparkList}
			if c.webhook == "own" {
				u.WebhookSID = *made.Sid
			}
			if invite, err := twilioapi.UnparkInteraction(ctx, u); err != nil || invite == nil {
				t.Fatal(invite, err)
			}
			if m := marks(t, ctx); m["interactionSid"] != "" || m["webhookSid"] != "" {
				t.Errorf("still marked: %v", m)
			}
			if left := len(kept(app, "sync_map_items")) > 0; left != c.itemLeft {
				t.Errorf("the item is left: %t", left)
			}
			if n := len(kept(app, "conversation_webhooks")); n != 0 {
				t.Errorf("%d webhooks are left", n)
			}
			if !c.itemLeft && c.list == "" {
				app.SawNo("DELETE", "/v1/Services/**")
			}
			if log.Count("still marked as parked") != 0 {
				t.Error(log.String())
			}
		})
	}
}

// TestParkingOnAListInUse: the worker's map exists, and an old item of the same
// conversation is replaced.
func TestParkingOnAListInUse(t *testing.T) {
	app, ctx, _, p := newParking(t)
	if _, err := twilioapi.ParkInteraction(ctx, p); err != nil {
		t.Fatal(err)
	}
	first := marks(t, ctx)
	p.InteractionSID, p.ChannelSID, p.ParticipantSID = exampleInteraction(ctx)
	if _, err := twilioapi.ParkInteraction(ctx, p); err != nil {
		t.Fatal(err)
	}
	second := marks(t, ctx)
	if first["mapSid"] == "" || second["mapSid"] != first["mapSid"] || second["interactionSid"] != p.InteractionSID {
		t.Errorf("marked with %v, then with %v", first, second)
	}
	if items := kept(app, "sync_map_items"); len(items) != 1 {
		t.Errorf("%d items", len(items))
	}
	app.Saw("POST", itemsPath+"/"+parkedTalk, flexfntest.Params{"Data": map[string]any{"interactionSid": p.InteractionSID}})
}

// TestParkingThatFails: if a step fails, the agent keeps the conversation and
// nothing is left of the earlier steps.
func TestParkingThatFails(t *testing.T) {
	for name, match := range map[string]twiliofake.Match{
		"the webhook": {Method: "POST", Path: "/v1/Conversations/*/Webhooks"},
		"the map":     {Method: "POST", Path: "/v1/Services/*/Maps"},
		"the item":    {Method: "POST", Path: itemsPath},
		"the marks":   {Method: "POST", Path: "/v1/Conversations/*"},
	} {
		app, ctx, _, p := newParking(t)
		if err := app.Twilio.AddFault(twiliofake.Fault{Match: match, Times: 1, Status: 403, Code: 20003}); err != nil {
			t.Fatal(err)
		}
		made, err := twilioapi.ParkInteraction(ctx, p)
		if err == nil || made != nil {
			t.Errorf("%s: %v, %v", name, made, err)
		}
		app.SawNo("POST", "/v1/Interactions/*/Channels/*/Participants/"+p.ParticipantSID)
		if m := marks(t, ctx); m["interactionSid"] != "" || len(kept(app, "conversation_webhooks")) != 0 || len(kept(app, "sync_map_items")) != 0 {
			t.Errorf("%s: left are the marks %v, %d webhooks and %d items", name, m, len(kept(app, "conversation_webhooks")), len(kept(app, "sync_map_items")))
		}
	}

	app, ctx, _, p := newParking(t)
	if _, err := twilioapi.ParkInteraction(ctx, p); err != nil { // so that the item exists
		t.Fatal(err)
	}
	if err := app.Twilio.AddFault(twiliofake.Fault{Match: twiliofake.Match{Method: "POST", Path: itemsPath + "/*"}, Times: 1, Status: 403, Code: 20003}); err != nil {
		t.Fatal(err)
	}
	if made, err := twilioapi.ParkInteraction(ctx, p); err == nil || made != nil {
		t.Errorf("the update of an item: %v, %v", made, err)
	}
}

// TestUnparkingLeavesSomething: what is gone already is no failure; what cannot
// be removed is logged, since the customer has an agent.
func TestUnparkingLeavesSomething(t *testing.T) {
	for status, logged := range map[int]int{404: 0, 403: 1} {
		app, ctx, log, p := newParking(t)
		if _, err := twilioapi.ParkInteraction(ctx, p); err != nil {
			t.Fatal(err)
		}
		if err := app.Twilio.AddFault(twiliofake.Fault{Match: twiliofake.Match{Method: "DELETE"}, Status: status}); err != nil {
			t.Fatal(err)
		}
		invite, err := twilioapi.UnparkInteraction(ctx, twilioapi.Unparking{ConversationSID: parkedTalk, ListServiceSID: parkedList})
		if err != nil || invite == nil || log.Count("still marked as parked") != logged {
			t.Errorf("%d: %v, %v, logged: %s", status, invite, err, log)
		}
	}
}

// TestConversationWithoutAttributes: they read as an empty object, and an error
// is not taken for that.
func TestConversationWithoutAttributes(t *testing.T) {
	u, ctx := serve(t, nil)
	for answer, want := range map[string]string{`{}`: `{}`, `{"attributes":null}`: `{}`, `{"attributes":""}`: `{}`, `{"attributes":"{\"a\":1}"}`: `{"a":1}`} {
		u.next = answers(200, answer)
		if res := twilioapi.ConversationAttributes(ctx, parkedTalk); string(res.Data) != want || !res.Success {
			t.Errorf("%s: %q, %v", answer, res.Data, res.Err())
		}
	}
	u.next = answers(404, `{"code":20404,"message":"not found","status":404}`)
	if res := twilioapi.ConversationAttributes(ctx, parkedTalk); res.Success || res.Status != 404 {
		t.Errorf("%+v", res)
	}
}
