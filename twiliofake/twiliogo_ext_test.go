package twiliofake_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/twilio/twilio-go/client"
	openapi "github.com/twilio/twilio-go/rest/api/v2010"
	chat "github.com/twilio/twilio-go/rest/chat/v2"
	conversations "github.com/twilio/twilio-go/rest/conversations/v1"
	flex "github.com/twilio/twilio-go/rest/flex/v1"
	flexv2 "github.com/twilio/twilio-go/rest/flex/v2"
	lookups "github.com/twilio/twilio-go/rest/lookups/v2"
	tr "github.com/twilio/twilio-go/rest/taskrouter/v1"
	voice "github.com/twilio/twilio-go/rest/voice/v1"

	"github.com/flexfn/flexfn/twiliofake"
)

// newClient returns twilio-go's own client, talking to the fake.
func newClient(fake *twiliofake.Twilio) *client.RequestHandler {
	c := &client.Client{Credentials: client.NewCredentials(account, authToken), HTTPClient: fake.Client()}
	c.SetAccountSid(account)
	return client.NewRequestHandler(c)
}

// TestModels compares the body of every resource with twilio-go's model: it has
// the same fields, and every value has the model's type.
func TestModels(t *testing.T) {
	fake := newFake(t)
	if err := fake.SetResource("messages", twiliofake.Resource{"sid": "SM00000000000000000000000000000001", "body": "hi", "to": "+15550001111", "from": "+15550002222"}); err != nil {
		t.Fatal(err)
	}
	if err := fake.SetResource("chat_messages", twiliofake.Resource{
		"sid": "IM00000000000000000000000000000001", "service_sid": "IS00000000000000000000000000000001",
		"channel_sid": "CH00000000000000000000000000000001", "body": "hi",
	}); err != nil {
		t.Fatal(err)
	}
	const (
		convs = "https://conversations.twilio.com/v1/"
		conv  = convs + "Conversations/CH00000000000000000000000000000001"
		svc   = convs + "Services/IS00000000000000000000000000000001"
		chats = "https://chat.twilio.com/v2/Services/IS00000000000000000000000000000001"
		n     = "00000000000000000000000000000001"
	)
	for _, c := range []struct {
		url   string
		model any
		// extra are fields of the API that twilio-go's models lack.
		extra []string
		// lacking are fields of the models that the fake lacks.
		lacking []string
	}{
		{url: api + ".json", model: openapi.ApiV2010Account{}},
		{url: api + "/Keys/SK" + n + ".json", model: openapi.ApiV2010Key{}},
		{url: conference + ".json", model: openapi.ApiV2010Conference{}},
		{url: customer, model: openapi.ApiV2010Participant{}},
		{url: api + "/Calls/CA" + n + ".json", model: openapi.ApiV2010Call{}, extra: []string{"annotation"}},
		{url: api + "/Recordings/RE" + n + ".json", model: openapi.ApiV2010Recording{}},
		{url: api + "/Calls/CA" + n + "/Recordings/RE" + n + ".json", model: openapi.ApiV2010CallRecording{}},
		{url: conference + "/Recordings/RE" + n + ".json", model: openapi.ApiV2010ConferenceRecording{}, extra: []string{"track"}},
		{url: api + "/IncomingPhoneNumbers/PN" + n + ".json", model: openapi.ApiV2010IncomingPhoneNumber{}},
		{url: api + "/OutgoingCallerIds/PN00000000000000000000000000000003.json", model: openapi.ApiV2010OutgoingCallerId{}},
		{url: api + "/Messages/SM" + n + ".json", model: openapi.ApiV2010Message{}},
		{url: taskrouter, model: tr.TaskrouterV1Workspace{}},
		{url: taskrouter + "/Activities/WA" + n, model: tr.TaskrouterV1Activity{}},
		{url: taskrouter + "/TaskChannels/TC" + n, model: tr.TaskrouterV1TaskChannel{}},
		{url: taskrouter + "/TaskQueues/WQ" + n, model: tr.TaskrouterV1TaskQueue{}},
		{url: taskrouter + "/Workflows/WW" + n, model: tr.TaskrouterV1Workflow{}},
		{url: taskrouter + "/Workers/WK" + n, model: tr.TaskrouterV1Worker{}},
		{url: taskrouter + "/Workers/WK" + n + "/Channels/WC" + n, model: tr.TaskrouterV1WorkerChannel{}},
		{url: taskrouter + "/Workers/WK" + n + "/Reservations/WR" + n, model: tr.TaskrouterV1WorkerReservation{}},
		{url: task + "/Reservations/WR" + n, model: tr.TaskrouterV1TaskReservation{}},
		{url: task, model: tr.TaskrouterV1Task{}},
		{url: svc, model: conversations.ConversationsV1Service{}},
		{url: conv, model: conversations.ConversationsV1Conversation{}},
		{url: svc + "/Conversations/CH" + n, model: conversations.ConversationsV1ServiceConversation{}},
		{url: conv + "/Participants/MB" + n, model: conversations.ConversationsV1ConversationParticipant{}},
		{url: svc + "/Conversations/CH" + n + "/Participants/MB" + n, model: conversations.ConversationsV1ServiceConversationParticipant{}},
		{url: conv + "/Messages/IM" + n, model: conversations.ConversationsV1ConversationMessage{}},
		{url: svc + "/Conversations/CH" + n + "/Messages/IM" + n, model: conversations.ConversationsV1ServiceConversationMessage{}},
		{url: svc + "/Configuration", model: conversations.ConversationsV1ServiceConfiguration{}},
		{url: svc + "/Configuration/Notifications", model: conversations.ConversationsV1ServiceNotification{}},
		{url: svc + "/Configuration/Webhooks", model: conversations.ConversationsV1ServiceWebhookConfiguration{}},
		{url: convs + "Configuration", model: conversations.ConversationsV1Configuration{}},
		{url: convs + "Configuration/Webhooks", model: conversations.ConversationsV1ConfigurationWebhook{}},
		{url: convs + "Configuration/Addresses/IG" + n, model: conversations.ConversationsV1ConfigurationAddress{}},
		{url: convs + "Roles/RL" + n, model: conversations.ConversationsV1Role{}},
		{url: svc + "/Roles/RL" + n, model: conversations.ConversationsV1ServiceRole{}},
		{url: convs + "Users/customer", model: conversations.ConversationsV1User{}},
		{url: svc + "/Users/customer", model: conversations.ConversationsV1ServiceUser{}},
		{url: convs + "Users/customer/Conversations/CH" + n, model: conversations.ConversationsV1UserConversation{}},
		{url: svc + "/Users/customer/Conversations/CH" + n, model: conversations.ConversationsV1ServiceUserConversation{}},
		{url: chats, model: chat.ChatV2Service{}},
		{url: chats + "/Channels/CH" + n, model: chat.ChatV2Channel{}},
		{url: chats + "/Channels/CH" + n + "/Members/MB" + n, model: chat.ChatV2Member{}},
		{url: chats + "/Channels/CH" + n + "/Messages/IM" + n, model: chat.ChatV2Message{}},
		{url: chats + "/Users/US" + n, model: chat.ChatV2User{}},
		{url: "https://lookups.twilio.com/v2/PhoneNumbers/+15550001111", model: lookups.LookupResponse{}},
		{url: "https://voice.twilio.com/v1/DialingPermissions/Countries/GB", model: voice.VoiceV1DialingPermissionsCountryInstance{}},
		{url: "https://flex-api.twilio.com/v1/Configuration", model: flex.FlexV1Configuration{}},
		{url: "https://flex-api.twilio.com/v1/account/provision/status", model: flex.FlexV1ProvisioningStatus{}},
		{url: flexAPI + "/v2/Instances/" + instance + "/Users/" + flexUser, model: flexv2.FlexV2FlexUser{}},
	} {
		t.Run(strings.TrimPrefix(c.url, "https://"), func(t *testing.T) {
			a := ask(t, fake, "GET", c.url, "").want(t, 200)
			var want []string
			typ := reflect.TypeOf(c.model)
			for i := range typ.NumField() {
				name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
				want = append(want, name)
			}
			for _, name := range want {
				if _, ok := a.body[name]; !ok && !slices.Contains(c.lacking, name) {
					t.Errorf("field %s of the model is missing", name)
				}
			}
			for name := range a.body {
				if !slices.Contains(want, name) && !slices.Contains(c.extra, name) {
					t.Errorf("field %s is not one of the model's", name)
				}
			}
			for _, name := range c.extra {
				if _, ok := a.body[name]; !ok || slices.Contains(want, name) {
					t.Errorf("field %s is not an extra", name)
				}
			}
			if err := json.NewDecoder(bytes.NewReader([]byte(a.text))).Decode(reflect.New(typ).Interface()); err != nil {
				t.Errorf("the model cannot hold the body: %v", err)
			}
		})
	}
}

// TestTypedCalls makes the calls of the ready-made functions through twilio-go.
func TestTypedCalls(t *testing.T) {
	fake := newFake(t)
	c := newClient(fake)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}

	p, err := openapi.NewApiService(c).UpdateParticipant("CF00000000000000000000000000000001", "CA00000000000000000000000000000001",
		(&openapi.UpdateParticipantParams{}).SetHold(true))
	must(err)
	if !*p.Hold {
		t.Error("the participant is not on hold")
	}
	np, err := openapi.NewApiService(c).CreateParticipant("CF00000000000000000000000000000001",
		(&openapi.CreateParticipantParams{}).SetFrom("+15550002222").SetTo("+15550007777").SetEndConferenceOnExit(false))
	must(err)
	must(openapi.NewApiService(c).DeleteParticipant("CF00000000000000000000000000000001", *np.CallSid, nil))
	call, err := openapi.NewApiService(c).UpdateCall("CA00000000000000000000000000000001", (&openapi.UpdateCallParams{}).SetTwiml("<Response/>"))
	must(err)
	if *call.Status != "in-progress" {
		t.Errorf("the call is %s", *call.Status)
	}

	got, err := tr.NewApiService(c).FetchTask(workspace, "WT00000000000000000000000000000001")
	must(err)
	if *got.AssignmentStatus != "assigned" || got.DateCreated.Year() != 2024 {
		t.Errorf("the task is %s, created %v", *got.AssignmentStatus, got.DateCreated)
	}
	_, err = tr.NewApiService(c).UpdateTask(workspace, *got.Sid, (&tr.UpdateTaskParams{}).SetIfMatch(`"7"`).SetAttributes("{}"))
	var refused *client.TwilioRestError
	if !errors.As(err, &refused) || refused.Code != 20412 || refused.Status != 412 {
		t.Errorf("the error is %v, want 412 with code 20412", err)
	}
	nt, err := tr.NewApiService(c).CreateTask(workspace, (&tr.CreateTaskParams{}).SetTaskChannel("voice").SetAttributes(`{"a":1}`))
	must(err)
	if *nt.AssignmentStatus != "pending" {
		t.Errorf("the new task is %s", *nt.AssignmentStatus)
	}
	wc, err := tr.NewApiService(c).UpdateWorkerChannel(workspace, "WK00000000000000000000000000000001", "WC00000000000000000000000000000001",
		(&tr.UpdateWorkerChannelParams{}).SetCapacity(4).SetAvailable(false))
	must(err)
	if wc.ConfiguredCapacity != 4 || *wc.Available {
		t.Errorf("the channel has capacity %d, available %v", wc.ConfiguredCapacity, *wc.Available)
	}
	conv, err := conversations.NewApiService(c).UpdateConversation("CH00000000000000000000000000000001",
		(&conversations.UpdateConversationParams{}).SetAttributes(`{"b":2}`))
	must(err)
	if *conv.Attributes != `{"b":2}` {
		t.Errorf("attributes are %s", *conv.Attributes)
	}
	_, err = chat.NewApiService(c).UpdateChannel("IS00000000000000000000000000000001", "CH00000000000000000000000000000001",
		(&chat.UpdateChannelParams{}).SetAttributes(`{}`))
	must(err)
	l, err := lookups.NewApiService(c).FetchPhoneNumber("+1555", nil)
	must(err)
	if l.Valid || len(l.ValidationErrors) != 1 {
		t.Errorf("the lookup is %v %v", l.Valid, l.ValidationErrors)
	}
	countries, err := voice.NewApiService(c).ListDialingPermissionsCountry((&voice.ListDialingPermissionsCountryParams{}).SetCountryCode("44"))
	must(err)
	if len(countries) != 1 || *countries[0].IsoCode != "GB" {
		t.Errorf("the countries are %v", countries)
	}
	conf, err := flex.NewApiService(c).FetchConfiguration(nil)
	must(err)
	if *conf.TaskrouterWorkspaceSid != workspace {
		t.Errorf("the workspace is %s", *conf.TaskrouterWorkspaceSid)
	}
}

// TestPaging reads lists of several pages with twilio-go's own helpers.
func TestPaging(t *testing.T) {
	fake := newFake(t)
	for i := range 2050 {
		if err := fake.SetResource("task_queues", twiliofake.Resource{
			"sid": fmt.Sprintf("WQ%032x", 100+i), "workspace_sid": workspace, "friendly_name": fmt.Sprint("Q", i),
		}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 120 {
		if err := fake.SetResource("incoming_phone_numbers", twiliofake.Resource{
			"sid": fmt.Sprintf("PN%032x", 100+i), "phone_number": fmt.Sprintf("+1212555%04d", i),
		}); err != nil {
			t.Fatal(err)
		}
	}
	c := newClient(fake)
	for _, size := range []int{1000, 7, 2053, 50} {
		fake.ClearRequests()
		queues, err := tr.NewApiService(c).ListTaskQueue(workspace, (&tr.ListTaskQueueParams{}).SetPageSize(size))
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, q := range queues {
			seen[*q.Sid] = true
		}
		if len(queues) != 2053 || len(seen) != 2053 {
			t.Errorf("page size %d: %d queues, %d different, want 2053", size, len(queues), len(seen))
		}
		size = min(size, 1000)
		if n, want := len(fake.Requests(twiliofake.Match{Host: "taskrouter"})), (2053+size-1)/size; n != want {
			t.Errorf("page size %d: %d requests, want %d", size, n, want)
		}
	}
	numbers, errs := openapi.NewApiService(c).StreamIncomingPhoneNumber((&openapi.ListIncomingPhoneNumberParams{}).SetPageSize(50))
	n := 0
	for range numbers {
		n++
	}
	if err := <-errs; err != nil || n != 122 {
		t.Errorf("%d numbers, %v, want 122", n, err)
	}
	// Deleting an item between two pages does not make the list skip another.
	first := ask(t, fake, "GET", taskrouter+"/TaskQueues?PageSize=10", "")
	ask(t, fake, "DELETE", taskrouter+"/TaskQueues/"+first.items(t, "task_queues")[4]["sid"].(string), "").want(t, 204)
	second := ask(t, fake, "GET", first.body["meta"].(map[string]any)["next_page_url"].(string), "")
	if got := second.items(t, "task_queues")[0]["friendly_name"]; got != "Q7" {
		t.Errorf("the second page begins with %v, want Q7", got)
	}
	back := ask(t, fake, "GET", second.body["meta"].(map[string]any)["previous_page_url"].(string), "")
	if got := back.items(t, "task_queues"); len(got) != 10 {
		t.Errorf("the page before has %d items", len(got))
	}
	ask(t, fake, "GET", taskrouter+"/TaskQueues?PageSize=x", "").want(t, 400)
}
