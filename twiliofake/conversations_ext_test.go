package twiliofake_test

import (
	"fmt"
	"testing"

	conversations "github.com/twilio/twilio-go/rest/conversations/v1"
)

const talk = "CH00000000000000000000000000000001"

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
		t.Errorf("a webhook of no conversation: %s", got)
	}
	other := must[*conversations.ConversationsV1Conversation](t)(api.CreateConversation(nil))
	_, err = api.CreateConversationScopedWebhook(*other.Sid, new(conversations.CreateConversationScopedWebhookParams).SetTarget("studio"))
	refused(t, err, "Configuration.FlowSid")
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
