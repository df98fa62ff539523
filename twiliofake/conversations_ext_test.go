package twiliofake_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	conversations "github.com/twilio/twilio-go/rest/conversations/v1"

	"github.com/flexfn/flexfn/twiliofake"
)

const (
	talk        = "CH00000000000000000000000000000001"
	chatService = "IS00000000000000000000000000000001"
)

// A conversationCase is a request that Twilio refuses.
type conversationCase struct {
	name string
	do   func(*conversations.ApiService) error
	want string // status and code
}

// refuseAll checks that each request is refused.
func refuseAll(t *testing.T, api *conversations.ApiService, cases []conversationCase) {
	t.Helper()
	for _, c := range cases {
		if got := code(t, c.do(api)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestConversationServices keeps the conversations, users and roles of two
// services apart. A path without a service shows those of the default one.
func TestConversationServices(t *testing.T) {
	fake := newFake(t)
	api := conversations.NewApiService(newClient(fake))
	service := *must[*conversations.ConversationsV1Service](t)(api.CreateService(new(conversations.CreateServiceParams).SetFriendlyName("second"))).Sid
	named := func() *conversations.CreateServiceConversationParams {
		return new(conversations.CreateServiceConversationParams).SetUniqueName("customer")
	}
	other := must[*conversations.ConversationsV1ServiceConversation](t)(api.CreateServiceConversation(service, named()))
	if *other.ChatServiceSid != service {
		t.Errorf("the conversation is in %s", *other.ChatServiceSid)
	}
	_, err := api.CreateServiceConversation(service, named())
	if got := code(t, err); got != "409 50353" {
		t.Errorf("a second conversation of that name in the service: %s", got)
	}
	if c := must[*conversations.ConversationsV1Conversation](t)(api.FetchConversation("customer")); *c.Sid != talk {
		t.Errorf("without a service, the name is that of %s", *c.Sid)
	}
	if c := must[*conversations.ConversationsV1ServiceConversation](t)(api.FetchServiceConversation(service, "customer")); *c.Sid != *other.Sid {
		t.Errorf("in its service, the name is that of %s", *c.Sid)
	}
	for _, sid := range []string{talk, *other.Sid} {
		for in, fetch := range map[string]func() error{
			"the default service": func() error { _, err := api.FetchConversation(sid); return err },
			"another service":     func() error { _, err := api.FetchServiceConversation(service, sid); return err },
			"its messages":        func() error { _, err := api.ListConversationMessage(sid, nil); return err },
		} {
			want := ""
			if (sid == talk) == (in == "another service") {
				want = "404 20404"
			}
			if got := code(t, fetch()); got != want {
				t.Errorf("%s through %s: %q, want %q", sid, in, got, want)
			}
		}
	}
	must[*conversations.ConversationsV1ServiceConversationParticipant](t)(api.CreateServiceConversationParticipant(service, *other.Sid,
		new(conversations.CreateServiceConversationParticipantParams).SetIdentity("grace")))
	if _, err := api.FetchUser("grace"); code(t, err) != "404 20404" {
		t.Errorf("the default service has a user of the other: %v", err)
	}
	must[*conversations.ConversationsV1ServiceUser](t)(api.FetchServiceUser(service, "grace"))

	// Items of the state without a service are in the default one.
	const seeded = "CH00000000000000000000000000000009"
	if err := fake.SetResource("conversations", twiliofake.Resource{"sid": seeded}); err != nil {
		t.Fatal(err)
	}
	if c := must[*conversations.ConversationsV1Conversation](t)(api.FetchConversation(seeded)); *c.ChatServiceSid != chatService {
		t.Errorf("the conversation of the state is in %s", *c.ChatServiceSid)
	}

	// Another service becomes the default one.
	conf := must[*conversations.ConversationsV1Configuration](t)(api.FetchConfiguration())
	if *conf.DefaultChatServiceSid != chatService {
		t.Errorf("the default service is %s", *conf.DefaultChatServiceSid)
	}
	must[*conversations.ConversationsV1Configuration](t)(api.UpdateConfiguration(new(conversations.UpdateConfigurationParams).SetDefaultChatServiceSid(service)))
	if list := must[[]conversations.ConversationsV1Conversation](t)(api.ListConversation(nil)); len(list) != 1 || *list[0].Sid != *other.Sid {
		t.Errorf("the new default service has %d conversations", len(list))
	}
	// Deleting a service deletes everything in it.
	if err := api.DeleteService(service); err != nil {
		t.Fatal(err)
	}
	if list := must[[]conversations.ConversationsV1Conversation](t)(api.ListConversation(nil)); len(list) != 2 || *list[0].Sid != talk {
		t.Errorf("after the deletion there are %d conversations", len(list))
	}
	var state strings.Builder
	if err := fake.Save(&state); err != nil {
		t.Fatal(err)
	}
	for _, sid := range []string{service, *other.Sid} {
		if strings.Contains(state.String(), sid) {
			t.Errorf("after the deletion the state still has %s", sid)
		}
	}
	if list := must[[]conversations.ConversationsV1User](t)(api.ListUser(nil)); len(list) != 2 {
		t.Errorf("after the deletion there are %d users, want 2", len(list))
	}
}

// TestNoConversationService starts from an account without services. It gets a
// default one, with the items of the state document that name none.
func TestNoConversationService(t *testing.T) {
	fake, err := twiliofake.New(twiliofake.Config{State: &twiliofake.State{Resources: map[string][]twiliofake.Resource{
		"accounts":      {{"sid": account, "auth_token": authToken}},
		"conversations": {{"sid": talk, "unique_name": "old"}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	api := conversations.NewApiService(newClient(fake))
	if c := must[*conversations.ConversationsV1Conversation](t)(api.FetchConversation("old")); c.ChatServiceSid != nil {
		t.Errorf("the conversation is in %s", *c.ChatServiceSid)
	}
	made := must[*conversations.ConversationsV1Conversation](t)(api.CreateConversation(nil))
	old := must[*conversations.ConversationsV1Conversation](t)(api.FetchConversation("old"))
	if list := must[[]conversations.ConversationsV1Service](t)(api.ListService(nil)); len(list) != 1 || *list[0].Sid != *made.ChatServiceSid || *old.ChatServiceSid != *list[0].Sid {
		t.Errorf("the services are %v, the conversations are in %s and %s", list, *made.ChatServiceSid, *old.ChatServiceSid)
	}
	if list := must[[]conversations.ConversationsV1Conversation](t)(api.ListConversation(nil)); len(list) != 2 {
		t.Errorf("there are %d conversations, want 2", len(list))
	}
}

func TestConversationRefusals(t *testing.T) {
	api := conversations.NewApiService(newClient(newFake(t)))
	create := func(p *conversations.CreateConversationParams) func(*conversations.ApiService) error {
		return func(api *conversations.ApiService) error { _, err := api.CreateConversation(p); return err }
	}
	join := func(p *conversations.CreateConversationParticipantParams) func(*conversations.ApiService) error {
		return func(api *conversations.ApiService) error {
			_, err := api.CreateConversationParticipant(talk, p)
			return err
		}
	}
	update := func(p *conversations.UpdateConversationParticipantParams) func(*conversations.ApiService) error {
		return func(api *conversations.ApiService) error {
			_, err := api.UpdateConversationParticipant(talk, "customer", p)
			return err
		}
	}
	conversation := func() *conversations.CreateConversationParams { return new(conversations.CreateConversationParams) }
	participant := func() *conversations.CreateConversationParticipantParams {
		return new(conversations.CreateConversationParticipantParams)
	}
	sms := func(address string) *conversations.CreateConversationParticipantParams {
		return participant().SetMessagingBindingAddress(address).SetMessagingBindingProxyAddress("+15550002222")
	}
	must[*conversations.ConversationsV1ConversationParticipant](t)(api.CreateConversationParticipant(talk, sms("+15550001111")))
	refuseAll(t, api, []conversationCase{
		{"a name that is too long", create(conversation().SetFriendlyName(strings.Repeat("x", 257))), "400 20001"},
		{"attributes that are not JSON", create(conversation().SetAttributes("{")), "400 20001"},
		{"attributes that are too long", create(conversation().SetAttributes(`{"x":"` + strings.Repeat("x", 16<<10) + `"}`)), "400 20001"},
		{"an unknown state", create(conversation().SetState("odd")), "400 20001"},
		{"a name that is taken", create(conversation().SetUniqueName("customer")), "409 50353"},
		{"a timer that is not a duration", create(conversation().SetTimersInactive("5m")), "400 20001"},
		{"an inactive timer below a minute", create(conversation().SetTimersInactive("PT59S")), "400 20001"},
		{"a closed timer below ten minutes", create(conversation().SetTimersClosed("PT9M59S")), "400 20001"},
		{"a participant without identity or address", join(nil), "400 20001"},
		{"a participant who is two", join(sms("+15550001112").SetIdentity("grace")), "400 20001"},
		{"an identity that is too long", join(participant().SetIdentity(strings.Repeat("x", 257))), "400 20001"},
		{"an identity that takes part already", join(participant().SetIdentity("customer")), "409 50433"},
		{"an address that takes part already", join(sms("+15550001111")), "409 50416"},
		{"a role that does not exist", join(participant().SetIdentity("grace").SetRoleSid("RL00000000000000000000000000000009")), "400 50100"},
		{"a role of the service", join(participant().SetIdentity("grace").SetRoleSid("RL00000000000000000000000000000002")), "400 50105"},
		{"attributes of a participant that are too long", join(participant().SetIdentity("grace").SetAttributes(`"` + strings.Repeat("x", 4<<10) + `"`)), "400 20001"},
		{"another identity", update(new(conversations.UpdateConversationParticipantParams).SetIdentity("grace")), "400 50444"},
		{"a message that does not exist, as read", update(new(conversations.UpdateConversationParticipantParams).SetLastReadMessageIndex(1)), "400 20001"},
	})
	if list := must[[]conversations.ConversationsV1ConversationParticipant](t)(api.ListConversationParticipant(talk, nil)); len(list) != 2 {
		t.Errorf("after the refusals there are %d participants, want 2", len(list))
	}
	for i := range 49 {
		must[*conversations.ConversationsV1ConversationParticipant](t)(api.CreateConversationParticipant(talk, sms(fmt.Sprintf("+1555001%04d", i))))
	}
	refuseAll(t, api, []conversationCase{{"a 51st participant outside of the chat", join(sms("+15550019999")), "400 50422"}})
	for i := range 949 {
		must[*conversations.ConversationsV1ConversationParticipant](t)(api.CreateConversationParticipant(talk, participant().SetIdentity(fmt.Sprint("user", i))))
	}
	refuseAll(t, api, []conversationCase{{"participant 1001", join(participant().SetIdentity("grace")), "400 50417"}})
}

// TestConversationDates lists conversations by when they were created.
func TestConversationDates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := conversations.NewApiService(newClient(newFake(t)))
		today := time.Now().UTC().Format(time.DateOnly)
		must[*conversations.ConversationsV1Conversation](t)(api.CreateConversation(nil))
		time.Sleep(24 * time.Hour)
		must[*conversations.ConversationsV1Conversation](t)(api.CreateConversation(nil))
		tomorrow := time.Now().UTC().Format(time.RFC3339)
		for _, c := range []struct {
			from, to string
			want     int
		}{{"", "", 2}, {today, today, 1}, {tomorrow, "", 1}, {"", tomorrow, 1}, {tomorrow, today, 0}} {
			p := new(conversations.ListConversationParams)
			if c.from != "" {
				p.SetStartDate(c.from)
			}
			if c.to != "" {
				p.SetEndDate(c.to)
			}
			n := 0
			for _, c := range must[[]conversations.ConversationsV1Conversation](t)(api.ListConversation(p)) {
				if *c.Sid != talk {
					n++
				}
			}
			if n != c.want {
				t.Errorf("from %q to %q there are %d conversations, want %d", c.from, c.to, n, c.want)
			}
		}
		_, err := api.ListConversation(new(conversations.ListConversationParams).SetStartDate("soon"))
		refused(t, err, "StartDate")
	})
}

// TestClosedConversation checks that closed is final, and that closing frees
// the addresses.
func TestClosedConversation(t *testing.T) {
	api := conversations.NewApiService(newClient(newFake(t)))
	sms := new(conversations.CreateConversationParticipantParams).SetMessagingBindingAddress("whatsapp:+15550001111").SetMessagingBindingProxyAddress("whatsapp:+15550002222")
	p := must[*conversations.ConversationsV1ConversationParticipant](t)(api.CreateConversationParticipant(talk, sms))
	if got := fmt.Sprint(*p.MessagingBinding); got != "map[address:whatsapp:+15550001111 proxy_address:whatsapp:+15550002222 type:whatsapp]" {
		t.Errorf("the binding is %s", got)
	}
	must[*conversations.ConversationsV1Conversation](t)(api.UpdateConversation(talk, new(conversations.UpdateConversationParams).SetState("closed")))
	refuseAll(t, api, []conversationCase{
		{"opening it again", func(api *conversations.ApiService) error {
			_, err := api.UpdateConversation(talk, new(conversations.UpdateConversationParams).SetState("active"))
			return err
		}, "400 50377"},
		{"a message", func(api *conversations.ApiService) error {
			_, err := api.CreateConversationMessage(talk, new(conversations.CreateConversationMessageParams).SetBody("x"))
			return err
		}, "400 50377"},
		{"a participant", func(api *conversations.ApiService) error {
			_, err := api.CreateConversationParticipant(talk, new(conversations.CreateConversationParticipantParams).SetIdentity("grace"))
			return err
		}, "400 50377"},
		{"another text", func(api *conversations.ApiService) error {
			_, err := api.UpdateConversationMessage(talk, "IM00000000000000000000000000000001", new(conversations.UpdateConversationMessageParams).SetBody("x"))
			return err
		}, "400 50377"},
	})
	next := must[*conversations.ConversationsV1Conversation](t)(api.CreateConversation(nil))
	must[*conversations.ConversationsV1ConversationParticipant](t)(api.CreateConversationParticipant(*next.Sid, sms))
	if err := api.DeleteConversation(talk, nil); err != nil {
		t.Error(err)
	}
}

// TestConversationTimers lets a conversation become inactive and close. A
// message postpones both.
func TestConversationTimers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t)
		api := conversations.NewApiService(newClient(fake))
		must[*conversations.ConversationsV1Configuration](t)(api.UpdateConfiguration(new(conversations.UpdateConfigurationParams).SetDefaultClosedTimer("P1D")))
		sid := *must[*conversations.ConversationsV1Conversation](t)(api.CreateConversation(new(conversations.CreateConversationParams).SetTimersInactive("PT1H"))).Sid
		state := func(want, timers string) {
			t.Helper()
			c := must[*conversations.ConversationsV1Conversation](t)(api.FetchConversation(sid))
			var names []string
			for _, name := range []string{"date_inactive", "date_closed"} {
				if _, ok := (*c.Timers).(map[string]any)[name]; ok {
					names = append(names, name)
				}
			}
			if *c.State != want || strings.Join(names, " ") != timers {
				t.Errorf("the conversation is %s with the timers %v, want %s with %s", *c.State, *c.Timers, want, timers)
			}
		}
		say := func() {
			t.Helper()
			must[*conversations.ConversationsV1ConversationMessage](t)(api.CreateConversationMessage(sid, new(conversations.CreateConversationMessageParams).SetBody("x")))
		}
		state("active", "date_inactive date_closed")
		time.Sleep(59 * time.Minute)
		say()
		time.Sleep(59 * time.Minute)
		state("active", "date_inactive date_closed")
		time.Sleep(2 * time.Minute)
		state("inactive", "date_closed")
		if list := must[[]conversations.ConversationsV1Conversation](t)(api.ListConversation(new(conversations.ListConversationParams).SetState("inactive"))); len(list) != 1 {
			t.Errorf("%d conversations are inactive, want 1", len(list))
		}
		say()
		state("active", "date_inactive date_closed")
		if err := fake.SetState(fake.State()); err != nil { // timers outlive save and load
			t.Fatal(err)
		}
		time.Sleep(24 * time.Hour)
		state("inactive", "date_closed")
		time.Sleep(time.Hour + time.Second)
		state("closed", "")
	})
}

func TestConversationWithParticipants(t *testing.T) {
	fake := newFake(t)
	api := conversations.NewApiService(newClient(fake))
	create := func(participants ...string) (*conversations.ConversationsV1ConversationWithParticipants, error) {
		return api.CreateConversationWithParticipants(new(conversations.CreateConversationWithParticipantsParams).SetFriendlyName("group").SetParticipant(participants))
	}
	made := must[*conversations.ConversationsV1ConversationWithParticipants](t)(create(
		`{"identity": "grace"}`, `{"messaging_binding": {"address": "+15550001111", "proxy_address": "+15550002222"}}`))
	if *made.Url != "https://conversations.twilio.com/v1/Conversations/"+*made.Sid {
		t.Errorf("the url is %s", *made.Url)
	}
	people := must[[]conversations.ConversationsV1ConversationParticipant](t)(api.ListConversationParticipant(*made.Sid, nil))
	if len(people) != 2 || *people[0].Identity != "grace" || (*people[1].MessagingBinding).(map[string]any)["type"] != "sms" {
		t.Errorf("%d take part", len(people))
	}
	for want, participants := range map[string][]string{
		"409 50425": {`{"identity": "ada"}`, `{"messaging_binding": {"address": "+15550001111", "proxy_address": "+15550002222"}}`},
		"409 50433": {`{"identity": "ada"}`, `{"identity": "ada"}`},
		"400 50426": strings.Split(strings.Repeat(`{}|`, 10)+`{}`, "|"),
		"400 20001": {`[]`},
	} {
		if _, err := create(participants...); code(t, err) != want {
			t.Errorf("%v: %v, want %s", participants, err, want)
		}
	}
	if list := must[[]conversations.ConversationsV1Conversation](t)(api.ListConversation(nil)); len(list) != 2 {
		t.Errorf("after the refusals there are %d conversations, want 2", len(list))
	}
}

func TestConversationWebhooks(t *testing.T) {
	fake := newFake(t)
	api := conversations.NewApiService(newClient(fake))
	create := func() *conversations.CreateConversationScopedWebhookParams {
		return new(conversations.CreateConversationScopedWebhookParams).SetTarget("webhook").SetConfigurationUrl("https://example.com/unpark").
			SetConfigurationMethod("POST").SetConfigurationFilters([]string{"onMessageAdded"})
	}
	first := must[*conversations.ConversationsV1ConversationScopedWebhook](t)(api.CreateConversationScopedWebhook(talk, create()))
	if got := fmt.Sprint(*first.Configuration); got != "map[filters:[onMessageAdded] method:POST url:https://example.com/unpark]" {
		t.Errorf("the configuration is %s", got)
	}
	for range 4 {
		must[*conversations.ConversationsV1ConversationScopedWebhook](t)(api.CreateConversationScopedWebhook(talk, create()))
	}
	_, err := api.CreateConversationScopedWebhook(talk, create())
	if got := code(t, err); got != "400 50388" {
		t.Errorf("a sixth webhook: %s", got)
	}
	if n := len(must[[]conversations.ConversationsV1ConversationScopedWebhook](t)(api.ListConversationScopedWebhook(talk, nil))); n != 5 {
		t.Errorf("the list shows %d webhooks, want 5", n)
	}
	through := must[*conversations.ConversationsV1ServiceConversationScopedWebhook](t)(api.FetchServiceConversationScopedWebhook("IS00000000000000000000000000000001", talk, *first.Sid))
	if *through.ChatServiceSid != "IS00000000000000000000000000000001" || *through.ConversationSid != talk {
		t.Errorf("through its service the webhook is %+v", through)
	}
	updated := must[*conversations.ConversationsV1ConversationScopedWebhook](t)(api.UpdateConversationScopedWebhook(talk, *first.Sid,
		new(conversations.UpdateConversationScopedWebhookParams).SetConfigurationMethod("GET")))
	if got := fmt.Sprint(*updated.Configuration); got != "map[filters:[onMessageAdded] method:GET url:https://example.com/unpark]" {
		t.Errorf("the configuration is %s", got)
	}
	if err := api.DeleteConversationScopedWebhook(talk, *first.Sid); err != nil {
		t.Fatal(err)
	}
	must[*conversations.ConversationsV1ConversationScopedWebhook](t)(api.CreateConversationScopedWebhook(talk, create()))
	_, err = api.CreateConversationScopedWebhook("CH00000000000000000000000000000002", create())
	if got := code(t, err); got != "404 20404" {
		t.Errorf("a webhook of an unknown conversation: %s", got)
	}
	other := must[*conversations.ConversationsV1Conversation](t)(api.CreateConversation(nil))
	_, err = api.CreateConversationScopedWebhook(*other.Sid, new(conversations.CreateConversationScopedWebhookParams).SetTarget("studio"))
	refused(t, err, "Configuration.FlowSid")
	scoped := func(p *conversations.CreateConversationScopedWebhookParams) func(*conversations.ApiService) error {
		return func(api *conversations.ApiService) error {
			_, err := api.CreateConversationScopedWebhook(*other.Sid, p)
			return err
		}
	}
	refuseAll(t, api, []conversationCase{
		{"without a URL", scoped(new(conversations.CreateConversationScopedWebhookParams).SetTarget("webhook")), "400 50369"},
		{"an unknown target", scoped(new(conversations.CreateConversationScopedWebhookParams).SetTarget("pigeon")), "400 20001"},
		{"an event before a change", scoped(create().SetConfigurationFilters([]string{"onMessageAdd"})), "400 50365"},
		{"a URL that is none", scoped(create().SetConfigurationUrl("example.com")), "400 20001"},
	})
}

func TestParticipantConversations(t *testing.T) {
	fake := newFake(t)
	api := conversations.NewApiService(newClient(fake))
	join := func(conversation string, p *conversations.CreateConversationParticipantParams) {
		t.Helper()
		must[*conversations.ConversationsV1ConversationParticipant](t)(api.CreateConversationParticipant(conversation, p))
	}
	other := must[*conversations.ConversationsV1Conversation](t)(api.CreateConversation(new(conversations.CreateConversationParams).SetFriendlyName("other")))
	for _, sid := range []string{talk, *other.Sid} {
		join(sid, new(conversations.CreateConversationParticipantParams).SetIdentity("grace"))
	}
	join(*other.Sid, new(conversations.CreateConversationParticipantParams).SetMessagingBindingAddress("+15550009999").SetMessagingBindingProxyAddress("+15550002222"))
	list := func(p *conversations.ListParticipantConversationParams) []conversations.ConversationsV1ParticipantConversation {
		t.Helper()
		return must[[]conversations.ConversationsV1ParticipantConversation](t)(api.ListParticipantConversation(p))
	}
	if got := list(new(conversations.ListParticipantConversationParams).SetIdentity("grace")); len(got) != 2 || *got[1].ConversationFriendlyName != "other" {
		t.Errorf("grace takes part in %+v", got)
	}
	if got := list(new(conversations.ListParticipantConversationParams).SetAddress("+15550009999")); len(got) != 1 || *got[0].ConversationSid != *other.Sid {
		t.Errorf("the address takes part in %+v", got)
	}
	_, err := api.ListParticipantConversation(nil)
	refused(t, err, "Identity or Address")
}
