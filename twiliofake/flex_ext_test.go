package twiliofake_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	conversations "github.com/twilio/twilio-go/rest/conversations/v1"
	flex "github.com/twilio/twilio-go/rest/flex/v1"
	flexv2 "github.com/twilio/twilio-go/rest/flex/v2"
	tr "github.com/twilio/twilio-go/rest/taskrouter/v1"

	"github.com/flexfn/flexfn/twiliofake"
)

const (
	flexAPI  = "https://flex-api.twilio.com"
	instance = "GO00000000000000000000000000000001"
	flexUser = "FU00000000000000000000000000000001"
)

// TestFlexConfigurationWriters has twenty writers change the configuration at
// once. Writes to different keys are all kept; of the writes to one key, one
// wins.
func TestFlexConfigurationWriters(t *testing.T) {
	fake := newFake(t)
	api := flex.NewApiService(newClient(fake))
	keys := []string{"attributes", "crm_attributes", "public_attributes", "plugin_service_attributes", "queue_stats_configuration"}
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			body := any(map[string]any{"account_sid": account, keys[i%len(keys)]: map[string]any{"writer": i}})
			if _, err := api.UpdateConfiguration(new(flex.UpdateConfigurationParams).SetBody(body.(map[string]any))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got := ask(t, fake, "GET", flexAPI+"/v1/Configuration", "").want(t, 200)
	for i, key := range keys {
		m, _ := got.body[key].(map[string]any)
		if n, ok := m["writer"].(float64); !ok || int(n)%len(keys) != i || len(m) != 1 {
			t.Errorf("%s is %v, want what one of its writers wrote", key, got.body[key])
		}
	}
	_, err := api.UpdateConfiguration(new(flex.UpdateConfigurationParams).SetBody(map[string]any{"account_sid": "AC00000000000000000000000000000009"}))
	refused(t, err, "account_sid")
	_, err = api.UpdateConfiguration(new(flex.UpdateConfigurationParams).SetBody(map[string]any{"call_recording_enabled": "yes"}))
	refused(t, err, "call_recording_enabled")
	if conf := must[*flex.FlexV1Configuration](t)(api.UpdateConfiguration(new(flex.UpdateConfigurationParams).SetBody(map[string]any{"flex_instance_sid": "GO9"}))); *conf.FlexInstanceSid != instance {
		t.Errorf("the instance became %s", *conf.FlexInstanceSid)
	}
}

// TestFlexUsers fetches, updates, provisions and deprovisions users; their
// workers follow.
func TestFlexUsers(t *testing.T) {
	fake := newFake(t)
	api, router := flexv2.NewApiService(newClient(fake)), tr.NewApiService(newClient(fake))
	user := must[*flexv2.FlexV2FlexUser](t)(api.FetchFlexUser(instance, flexUser))
	if *user.WorkerSid != workerOne || *user.Username != "agent@example.com" || user.Version != 1 || fmt.Sprint(*user.Roles) != "[agent]" {
		t.Errorf("the user is %+v", user)
	}
	updated := must[*flexv2.FlexV2FlexUser](t)(api.UpdateFlexUser(instance, flexUser, new(flexv2.UpdateFlexUserParams).SetEmail("ada@example.com").SetLocale("fr-FR")))
	if updated.Version != 2 || *updated.Email != "ada@example.com" || *updated.Locale != "fr-FR" || !updated.UpdatedDate.After(*updated.CreatedDate) {
		t.Errorf("after the update the user is %+v", updated)
	}
	for want, p := range map[string]*flexv2.UpdateFlexUserParams{
		"Email":   new(flexv2.UpdateFlexUserParams).SetEmail("ada"),
		"UserSid": new(flexv2.UpdateFlexUserParams).SetUserSid("ada"),
	} {
		_, err := api.UpdateFlexUser(instance, flexUser, p)
		refused(t, err, want)
	}
	if _, err := api.FetchFlexUser("GO00000000000000000000000000000009", flexUser); code(t, err) != "404 20404" {
		t.Errorf("a user of another instance: %v", err)
	}

	const users = flexAPI + "/v4/Instances/" + instance + "/Users"
	provision := func(body string) answer {
		t.Helper()
		return ask(t, fake, "POST", users+"/Provision", body, "Content-Type", "application/json")
	}
	const grace = `{"username": "grace.hopper@example.com", "email": "grace@example.com", "full_name": "Grace Hopper", "roles": ["agent"], "worker": {"attributes": {"language": "en"}}}`
	made := provision(grace).want(t, 201, "version", 1, "deactivated", false, "full_name", "Grace Hopper")
	workerSID := made.body["worker"].(map[string]any)["worker_sid"].(string)
	worker := must[*tr.TaskrouterV1Worker](t)(router.FetchWorker(workspace, workerSID))
	var attributes map[string]any
	if err := json.Unmarshal([]byte(*worker.Attributes), &attributes); err != nil {
		t.Fatal(err)
	}
	if *worker.FriendlyName != "grace.hopper@example.com" || attributes["language"] != "en" || attributes["contact_uri"] != "client:grace_2Ehopper_40example_2Ecom" || fmt.Sprint(attributes["roles"]) != "[agent]" {
		t.Errorf("the worker is %s with %v", *worker.FriendlyName, attributes)
	}
	again := provision(strings.Replace(grace, `["agent"]`, `["agent", "supervisor"]`, 1)).want(t, 200, "version", 2, "flex_user_sid", made.body["flex_user_sid"])
	if again.body["worker"].(map[string]any)["worker_sid"] != workerSID {
		t.Errorf("provisioned again, the worker is %v", again.body["worker"])
	}
	for _, bad := range []string{
		"[]", "{}", strings.Replace(grace, `"agent"`, `"pilot"`, 1), strings.Replace(grace, "grace@example.com", "", 1), strings.Replace(grace, `"worker": {`, `"w": {`, 1),
	} {
		provision(bad).want(t, 400, "code", 20001)
	}
	for path, want := range map[string]int{"v1": 5, "v4": 5} {
		if got := ask(t, fake, "GET", flexAPI+"/"+path+"/Instances/"+instance+"/Users", "").items(t, "users"); len(got) != want {
			t.Errorf("%s lists %d users, want %d", path, len(got), want)
		}
	}
	named := ask(t, fake, "GET", users+"?Username=grace.hopper%40example.com", "").items(t, "users")
	if len(named) != 1 || named[0]["flex_user_sid"] != made.body["flex_user_sid"] {
		t.Errorf("by name there are %v", named)
	}
	deprovision := func(sid string) answer {
		t.Helper()
		return ask(t, fake, "POST", users+"/Deprovision", `{"flex_user_sid": "`+sid+`"}`, "Content-Type", "application/json")
	}
	deprovision(made.body["flex_user_sid"].(string)).want(t, 204)
	deprovision("FU00000000000000000000000000000009").want(t, 404)
	if _, err := router.FetchWorker(workspace, workerSID); code(t, err) != "404 20404" {
		t.Errorf("the worker of a deprovisioned user: %v", err)
	}
	ask(t, fake, "GET", users+"/"+made.body["flex_user_sid"].(string), "").want(t, 200, "deactivated", true, "worker_sid", nil)
	_, err := api.UpdateFlexUser(instance, made.body["flex_user_sid"].(string), new(flexv2.UpdateFlexUserParams).SetLocale("en-US"))
	refused(t, err, "deactivated")
	if err := fake.SetState(fake.State()); err != nil {
		t.Fatal(err)
	}
	provision(grace).want(t, 200, "deactivated", false, "flex_user_sid", made.body["flex_user_sid"])
}

func TestFlexProvisioning(t *testing.T) {
	fake := newFake(t)
	api := flex.NewApiService(newClient(fake))
	if s := must[*flex.FlexV1ProvisioningStatus](t)(api.FetchProvisioningStatus()); *s.Status != "not-configured" {
		t.Errorf("email is %s", *s.Status)
	}
	if err := fake.SetResource("flex_provisioning", twiliofake.Resource{"status": "active"}); err != nil {
		t.Fatal(err)
	}
	if s := must[*flex.FlexV1ProvisioningStatus](t)(api.FetchProvisioningStatus()); *s.Status != "active" {
		t.Errorf("email is %s", *s.Status)
	}
}

// TestWebChats opens a conversation as a web chat does.
func TestWebChats(t *testing.T) {
	fake := newFake(t)
	api, talk := flexv2.NewApiService(newClient(fake)), conversations.NewApiService(newClient(fake))
	const address = "IG00000000000000000000000000000001"
	chat := must[*flexv2.FlexV2WebChannel](t)(api.CreateWebChannel(new(flexv2.CreateWebChannelParams).SetAddressSid(address).
		SetCustomerFriendlyName("Ada").SetPreEngagementData(`{"topic": "bill"}`)))
	c := must[*conversations.ConversationsV1Conversation](t)(talk.FetchConversation(*chat.ConversationSid))
	if *c.Attributes != `{"from":"Ada","pre_engagement_data":{"topic":"bill"}}` {
		t.Errorf("the attributes are %s", *c.Attributes)
	}
	must[*conversations.ConversationsV1ConversationParticipant](t)(talk.FetchConversationParticipant(*chat.ConversationSid, *chat.Identity))
	if u := must[*conversations.ConversationsV1User](t)(talk.FetchUser(*chat.Identity)); *u.FriendlyName != "Ada" {
		t.Errorf("the user is %s", *u.FriendlyName)
	}
	other := must[*flexv2.FlexV2WebChannel](t)(api.CreateWebChannel(new(flexv2.CreateWebChannelParams).SetAddressSid(address).SetIdentity("ada")))
	if *other.Identity != "ada" {
		t.Errorf("the identity is %s", *other.Identity)
	}
	off := must[*conversations.ConversationsV1ConfigurationAddress](t)(talk.CreateConfigurationAddress(
		new(conversations.CreateConfigurationAddressParams).SetType("chat").SetAddress("off")))
	for want, p := range map[string]*flexv2.CreateWebChannelParams{
		"404 45744": new(flexv2.CreateWebChannelParams).SetAddressSid("IG00000000000000000000000000000009"),
		"400 45761": new(flexv2.CreateWebChannelParams).SetAddressSid(*off.Sid),
		"400 45745": new(flexv2.CreateWebChannelParams).SetAddressSid(address).SetPreEngagementData("x"),
		"400 20001": nil,
	} {
		if _, err := api.CreateWebChannel(p); code(t, err) != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if n := len(must[[]conversations.ConversationsV1Conversation](t)(talk.ListConversation(nil))); n != 3 {
		t.Errorf("there are %d conversations, want 3", n)
	}
}
