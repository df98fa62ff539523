package twiliofake_test

import (
	"fmt"
	"testing"

	conversations "github.com/twilio/twilio-go/rest/conversations/v1"

	"github.com/flexfn/flexfn/twiliofake"
)

// TestConversationSettings reads settings that nothing has changed, changes them
// and reads them again.
func TestConversationSettings(t *testing.T) {
	fake := newFake(t)
	api := conversations.NewApiService(newClient(fake))
	global := must[*conversations.ConversationsV1ConfigurationWebhook](t)(api.FetchConfigurationWebhook())
	if *global.Method != "POST" || *global.Target != "webhook" || global.PostWebhookUrl != nil {
		t.Errorf("the account's webhook is %+v", global)
	}
	if n := len(fake.State().Resources["conversation_global_webhooks"]); n != 0 {
		t.Error("reading a setting put it into the state")
	}
	must[*conversations.ConversationsV1ConfigurationWebhook](t)(api.UpdateConfigurationWebhook(new(conversations.UpdateConfigurationWebhookParams).
		SetTarget("flex").SetPostWebhookUrl("https://example.com/post").SetFilters([]string{"onMessageAdd", "onMessageAdded"})))
	if global := must[*conversations.ConversationsV1ConfigurationWebhook](t)(api.FetchConfigurationWebhook()); *global.Target != "flex" ||
		*global.PostWebhookUrl != "https://example.com/post" || fmt.Sprint(*global.Filters) != "[onMessageAdd onMessageAdded]" || *global.Method != "POST" {
		t.Errorf("the account's webhook is %+v", global)
	}
	must[*conversations.ConversationsV1ServiceWebhookConfiguration](t)(api.UpdateServiceWebhookConfiguration(chatService,
		new(conversations.UpdateServiceWebhookConfigurationParams).SetMethod("GET").SetPreWebhookUrl("https://example.com/pre")))
	if own := must[*conversations.ConversationsV1ServiceWebhookConfiguration](t)(api.FetchServiceWebhookConfiguration(chatService)); *own.Method != "GET" ||
		*own.PreWebhookUrl != "https://example.com/pre" || own.PostWebhookUrl != nil || *own.ChatServiceSid != chatService {
		t.Errorf("the service's webhook is %+v", own)
	}
	quiet := must[*conversations.ConversationsV1ServiceNotification](t)(api.FetchServiceNotification(chatService))
	if fmt.Sprint(*quiet.NewMessage) != "map[badge_count_enabled:false enabled:false]" || *quiet.LogEnabled {
		t.Errorf("notifications begin as %v", *quiet.NewMessage)
	}
	loud := must[*conversations.ConversationsV1ServiceNotification](t)(api.UpdateServiceNotification(chatService,
		new(conversations.UpdateServiceNotificationParams).SetNewMessageEnabled(true).SetNewMessageTemplate("hi").SetNewMessageWithMediaEnabled(true).SetLogEnabled(true)))
	if got := fmt.Sprint(*loud.NewMessage); got != "map[badge_count_enabled:false enabled:true template:hi with_media:map[enabled:true]]" || !*loud.LogEnabled ||
		fmt.Sprint(*loud.AddedToConversation) != "map[enabled:false]" {
		t.Errorf("the notifications are %s", got)
	}
	refuseAll(t, api, []conversationCase{
		{"an unknown event", func(api *conversations.ApiService) error {
			_, err := api.UpdateConfigurationWebhook(new(conversations.UpdateConfigurationWebhookParams).SetFilters([]string{"onRain"}))
			return err
		}, "400 20001"},
		{"an unknown target", func(api *conversations.ApiService) error {
			_, err := api.UpdateConfigurationWebhook(new(conversations.UpdateConfigurationWebhookParams).SetTarget("pigeon"))
			return err
		}, "400 20001"},
		{"an unknown method", func(api *conversations.ApiService) error {
			_, err := api.UpdateServiceWebhookConfiguration(chatService, new(conversations.UpdateServiceWebhookConfigurationParams).SetMethod("PUT"))
			return err
		}, "400 20001"},
		{"a URL that is none", func(api *conversations.ApiService) error {
			_, err := api.UpdateServiceWebhookConfiguration(chatService, new(conversations.UpdateServiceWebhookConfigurationParams).SetPreWebhookUrl("x"))
			return err
		}, "400 20001"},
		{"an unknown default service", func(api *conversations.ApiService) error {
			_, err := api.UpdateConfiguration(new(conversations.UpdateConfigurationParams).SetDefaultChatServiceSid("IS9"))
			return err
		}, "400 20001"},
		{"a default timer that is too short", func(api *conversations.ApiService) error {
			_, err := api.UpdateConfiguration(new(conversations.UpdateConfigurationParams).SetDefaultInactiveTimer("PT1S"))
			return err
		}, "400 20001"},
		{"settings of an unknown service", func(api *conversations.ApiService) error {
			_, err := api.FetchServiceConfiguration("IS9")
			return err
		}, "404 20404"},
	})
}

func TestConversationAddresses(t *testing.T) {
	api := conversations.NewApiService(newClient(newFake(t)))
	address := func() *conversations.CreateConfigurationAddressParams {
		return new(conversations.CreateConfigurationAddressParams).SetType("sms").SetAddress("+15550002222")
	}
	made := must[*conversations.ConversationsV1ConfigurationAddress](t)(api.CreateConfigurationAddress(address().SetFriendlyName("main")))
	if fmt.Sprint(*made.AutoCreation) != "map[enabled:false type:default]" {
		t.Errorf("the address begins as %v", *made.AutoCreation)
	}
	updated := must[*conversations.ConversationsV1ConfigurationAddress](t)(api.UpdateConfigurationAddress("+15550002222",
		new(conversations.UpdateConfigurationAddressParams).SetAutoCreationEnabled(true).SetAutoCreationType("studio").SetAutoCreationStudioFlowSid("FW1")))
	if *updated.Sid != *made.Sid || *updated.FriendlyName != "main" || fmt.Sprint(*updated.AutoCreation) != "map[enabled:true studio_flow_sid:FW1 type:studio]" {
		t.Errorf("the address is %+v", updated)
	}
	create := func(p *conversations.CreateConfigurationAddressParams) func(*conversations.ApiService) error {
		return func(api *conversations.ApiService) error { _, err := api.CreateConfigurationAddress(p); return err }
	}
	other := func() *conversations.CreateConfigurationAddressParams { return address().SetAddress("+15550003333") }
	refuseAll(t, api, []conversationCase{
		{"an address that is taken", create(address()), "409 20409"},
		{"a webhook without a URL", create(other().SetAutoCreationEnabled(true).SetAutoCreationType("webhook")), "400 20001"},
		{"Studio without a flow", create(other().SetAutoCreationEnabled(true).SetAutoCreationType("studio")), "400 20001"},
		{"an unknown service", create(other().SetAutoCreationConversationServiceSid("IS9")), "400 20001"},
		{"an unknown event", create(other().SetAutoCreationWebhookFilters([]string{"onRain"})), "400 20001"},
		{"an unknown type", create(other().SetType("pigeon")), "400 20001"},
	})
	must[*conversations.ConversationsV1ConfigurationAddress](t)(api.CreateConfigurationAddress(other().SetType("whatsapp")))
	if list := must[[]conversations.ConversationsV1ConfigurationAddress](t)(api.ListConfigurationAddress(new(conversations.ListConfigurationAddressParams).SetType("whatsapp"))); len(list) != 1 {
		t.Errorf("there are %d addresses of WhatsApp, want 1", len(list))
	}
}

// TestConversationPush keeps a credential's secret out of answers, and lists and
// removes bindings that the state has.
func TestConversationPush(t *testing.T) {
	fake := newFake(t)
	api := conversations.NewApiService(newClient(fake))
	made := must[*conversations.ConversationsV1Credential](t)(api.CreateCredential(new(conversations.CreateCredentialParams).
		SetType("apn").SetCertificate("c").SetPrivateKey("p").SetSandbox(true)))
	if *made.Sandbox != "True" || *made.Type != "apn" {
		t.Errorf("the credential is %+v", made)
	}
	if err := fake.SetState(fake.State()); err != nil {
		t.Fatal(err)
	}
	if made := must[*conversations.ConversationsV1Credential](t)(api.FetchCredential(*made.Sid)); *made.Sandbox != "True" {
		t.Errorf("after a save and load, sandbox is %s", *made.Sandbox)
	}
	for i, identity := range []string{"grace", "ada"} {
		if err := fake.SetResource("conversation_bindings", twiliofake.Resource{
			"sid": fmt.Sprintf("BS%032d", i+1), "chat_service_sid": chatService, "identity": identity, "binding_type": "fcm",
		}); err != nil {
			t.Fatal(err)
		}
	}
	list := must[[]conversations.ConversationsV1ServiceBinding](t)(api.ListServiceBinding(chatService, new(conversations.ListServiceBindingParams).SetIdentity([]string{"ada"})))
	if len(list) != 1 || *list[0].BindingType != "fcm" || *list[0].ChatServiceSid != chatService {
		t.Fatalf("the bindings are %+v", list)
	}
	if err := api.DeleteServiceBinding(chatService, *list[0].Sid); err != nil {
		t.Error(err)
	}
}
