package twiliofake_test

import (
	"fmt"
	"slices"
	"testing"

	conversations "github.com/twilio/twilio-go/rest/conversations/v1"
)

// TestConversationUsers follows a user from the first participant, which
// creates it, until it is deleted with all its participants.
func TestConversationUsers(t *testing.T) {
	fake := newFake(t)
	api := conversations.NewApiService(newClient(fake))
	p := must[*conversations.ConversationsV1ConversationParticipant](t)(api.CreateConversationParticipant(talk,
		new(conversations.CreateConversationParticipantParams).SetIdentity("grace")))
	const conversationUser, serviceUser = "RL00000000000000000000000000000004", "RL00000000000000000000000000000002"
	if *p.RoleSid != conversationUser {
		t.Errorf("the participant has the role %s, want the service's default", *p.RoleSid)
	}
	user := must[*conversations.ConversationsV1User](t)(api.FetchUser("grace"))
	if *user.RoleSid != serviceUser || *user.ChatServiceSid != chatService || *user.Attributes != "{}" || user.IsOnline != nil {
		t.Errorf("the user is %+v", user)
	}
	must[*conversations.ConversationsV1ServiceConfiguration](t)(api.UpdateServiceConfiguration(chatService,
		new(conversations.UpdateServiceConfigurationParams).SetReachabilityEnabled(true)))
	if user := must[*conversations.ConversationsV1User](t)(api.FetchUser("grace")); user.IsOnline != nil || user.IsNotifiable != nil {
		t.Errorf("a user who was never online is online: %v", user.IsOnline)
	}
	seen, _ := fake.Resource("conversation_users", *user.Sid)
	seen["is_online"], seen["is_notifiable"] = true, false
	if err := fake.SetResource("conversation_users", seen); err != nil {
		t.Fatal(err)
	}
	if user := must[*conversations.ConversationsV1User](t)(api.FetchUser("grace")); user.IsOnline == nil || !*user.IsOnline || *user.IsNotifiable {
		t.Errorf("the user is online: %v", user.IsOnline)
	}
	for _, user := range must[[]conversations.ConversationsV1User](t)(api.ListUser(nil)) {
		if user.IsOnline != nil || user.IsNotifiable != nil {
			t.Errorf("a list says that %s is online: %v", *user.Identity, *user.IsOnline)
		}
	}
	other := *must[*conversations.ConversationsV1Conversation](t)(api.CreateConversation(new(conversations.CreateConversationParams).SetUniqueName("other"))).Sid
	must[*conversations.ConversationsV1ConversationParticipant](t)(api.CreateConversationParticipant(other,
		new(conversations.CreateConversationParticipantParams).SetIdentity("grace")))
	if users := must[[]conversations.ConversationsV1User](t)(api.ListUser(nil)); len(users) != 3 {
		t.Errorf("there are %d users, want 3", len(users))
	}
	create := func(p *conversations.CreateUserParams) func(*conversations.ApiService) error {
		return func(api *conversations.ApiService) error { _, err := api.CreateUser(p); return err }
	}
	update := func(p *conversations.UpdateUserParams) func(*conversations.ApiService) error {
		return func(api *conversations.ApiService) error { _, err := api.UpdateUser("grace", p); return err }
	}
	refuseAll(t, api, []conversationCase{
		{"an identity that is taken", create(new(conversations.CreateUserParams).SetIdentity("grace")), "409 50201"},
		{"an identity like a SID", create(new(conversations.CreateUserParams).SetIdentity("US00000000000000000000000000000009")), "400 50206"},
		{"no identity", create(nil), "400 20001"},
		{"a role of a conversation", update(new(conversations.UpdateUserParams).SetRoleSid(conversationUser)), "400 50105"},
		{"an unknown role", update(new(conversations.UpdateUserParams).SetRoleSid("RL9")), "400 50100"},
		{"attributes that are not JSON", update(new(conversations.UpdateUserParams).SetAttributes("x")), "400 20001"},
	})
	if err := api.DeleteUser("grace", nil); err != nil {
		t.Fatal(err)
	}
	for _, sid := range []string{talk, other} {
		if _, err := api.FetchConversationParticipant(sid, "grace"); code(t, err) != "404 20404" {
			t.Errorf("the deleted user still takes part in %s: %v", sid, err)
		}
	}
}

// TestUserConversations reads, mutes and leaves conversations as a user.
func TestUserConversations(t *testing.T) {
	api := conversations.NewApiService(newClient(newFake(t)))
	var sids []string
	for i := range 5 {
		c := must[*conversations.ConversationsV1Conversation](t)(api.CreateConversation(new(conversations.CreateConversationParams).SetUniqueName(fmt.Sprint("c", i))))
		must[*conversations.ConversationsV1ConversationParticipant](t)(api.CreateConversationParticipant(*c.Sid,
			new(conversations.CreateConversationParticipantParams).SetIdentity("grace")))
		sids = append(sids, *c.Sid)
	}
	list := func() (got []string) {
		t.Helper()
		for _, c := range must[[]conversations.ConversationsV1UserConversation](t)(api.ListUserConversation("grace", new(conversations.ListUserConversationParams).SetPageSize(2))) {
			got = append(got, *c.ConversationSid)
		}
		return got
	}
	if got := list(); !slices.Equal(got, sids) {
		t.Errorf("the conversations are %v, want %v", got, sids)
	}
	for range 3 {
		must[*conversations.ConversationsV1ConversationMessage](t)(api.CreateConversationMessage("c0", new(conversations.CreateConversationMessageParams).SetBody("x")))
	}
	fresh := must[*conversations.ConversationsV1UserConversation](t)(api.FetchUserConversation("grace", "c0"))
	if fresh.UnreadMessagesCount != nil || *fresh.NotificationLevel != "default" || *fresh.UniqueName != "c0" || *fresh.ConversationState != "active" {
		t.Errorf("before it is read, the conversation is %+v", fresh)
	}
	read := must[*conversations.ConversationsV1UserConversation](t)(api.UpdateUserConversation("grace", sids[0],
		new(conversations.UpdateUserConversationParams).SetLastReadMessageIndex(0).SetNotificationLevel("muted")))
	if *read.UnreadMessagesCount != 2 || *read.LastReadMessageIndex != 0 || *read.NotificationLevel != "muted" {
		t.Errorf("after it was read, the conversation is %+v", read)
	}
	p := must[*conversations.ConversationsV1ConversationParticipant](t)(api.FetchConversationParticipant(sids[0], "grace"))
	if *p.LastReadMessageIndex != 0 || p.LastReadTimestamp == nil || *read.ParticipantSid != *p.Sid {
		t.Errorf("the participant is %+v", p)
	}
	_, err := api.UpdateUserConversation("grace", "c0", new(conversations.UpdateUserConversationParams).SetLastReadMessageIndex(3))
	refused(t, err, "LastReadMessageIndex")
	if err := api.DeleteUserConversation("grace", "c1"); err != nil {
		t.Fatal(err)
	}
	if got, want := list(), slices.Delete(slices.Clone(sids), 1, 2); !slices.Equal(got, want) {
		t.Errorf("after leaving one, the conversations are %v, want %v", got, want)
	}
	if _, err := api.FetchConversationParticipant(sids[1], "grace"); code(t, err) != "404 20404" {
		t.Errorf("a user who left still takes part: %v", err)
	}
	user := must[*conversations.ConversationsV1User](t)(api.FetchUser("grace"))
	got := must[[]conversations.ConversationsV1ParticipantConversation](t)(api.ListParticipantConversation(
		new(conversations.ListParticipantConversationParams).SetIdentity("grace").SetPageSize(3)))
	if len(got) != 4 || *got[0].ParticipantUserSid != *user.Sid || *got[3].ConversationUniqueName != "c4" {
		t.Errorf("the participant takes part in %d conversations, want 4", len(got))
	}
}

// TestConversationRoles creates a service with its roles, and changes them.
func TestConversationRoles(t *testing.T) {
	api := conversations.NewApiService(newClient(newFake(t)))
	service := *must[*conversations.ConversationsV1Service](t)(api.CreateService(new(conversations.CreateServiceParams).SetFriendlyName("new"))).Sid
	byName := map[string]string{}
	for _, r := range must[[]conversations.ConversationsV1ServiceRole](t)(api.ListServiceRole(service, nil)) {
		byName[*r.FriendlyName+", "+*r.Type] = *r.Sid
	}
	conf := must[*conversations.ConversationsV1ServiceConfiguration](t)(api.FetchServiceConfiguration(service))
	for name, sid := range map[string]*string{
		"service user, service": conf.DefaultChatServiceRoleSid, "channel admin, conversation": conf.DefaultConversationCreatorRoleSid,
		"channel user, conversation": conf.DefaultConversationRoleSid,
	} {
		if byName[name] == "" || *sid != byName[name] {
			t.Errorf("the configuration points at %s, want %s among %v", *sid, name, byName)
		}
	}
	if len(byName) != 4 {
		t.Errorf("the roles are %v, want 4", byName)
	}
	guest := must[*conversations.ConversationsV1ServiceRole](t)(api.CreateServiceRole(service, new(conversations.CreateServiceRoleParams).
		SetFriendlyName("guest").SetType("conversation").SetPermission([]string{"sendMessage", "leaveConversation"})))
	if fmt.Sprint(*guest.Permissions) != "[sendMessage leaveConversation]" {
		t.Errorf("the permissions are %v", *guest.Permissions)
	}
	updated := must[*conversations.ConversationsV1ServiceRole](t)(api.UpdateServiceRole(service, *guest.Sid, new(conversations.UpdateServiceRoleParams).SetPermission([]string{"sendMediaMessage"})))
	if fmt.Sprint(*updated.Permissions) != "[sendMediaMessage]" {
		t.Errorf("after the update the permissions are %v", *updated.Permissions)
	}
	role := func(kind, permission string) func(*conversations.ApiService) error {
		return func(api *conversations.ApiService) error {
			_, err := api.CreateServiceRole(service, new(conversations.CreateServiceRoleParams).SetFriendlyName("x").SetType(kind).SetPermission([]string{permission}))
			return err
		}
	}
	configure := func(p *conversations.UpdateServiceConfigurationParams) func(*conversations.ApiService) error {
		return func(api *conversations.ApiService) error {
			_, err := api.UpdateServiceConfiguration(service, p)
			return err
		}
	}
	refuseAll(t, api, []conversationCase{
		{"a permission of the other type", role("service", "sendMessage"), "400 20001"},
		{"an unknown permission", role("conversation", "fly"), "400 20001"},
		{"an unknown type", role("world", "sendMessage"), "400 20001"},
		{"a default role of the wrong type", configure(new(conversations.UpdateServiceConfigurationParams).SetDefaultChatServiceRoleSid(*guest.Sid)), "400 50105"},
		{"a default role of another service", configure(new(conversations.UpdateServiceConfigurationParams).SetDefaultConversationRoleSid("RL00000000000000000000000000000004")), "400 50100"},
	})
	must[*conversations.ConversationsV1ServiceConfiguration](t)(api.UpdateServiceConfiguration(service,
		new(conversations.UpdateServiceConfigurationParams).SetDefaultConversationRoleSid(*guest.Sid)))
	c := must[*conversations.ConversationsV1ServiceConversation](t)(api.CreateServiceConversation(service, nil))
	p := must[*conversations.ConversationsV1ServiceConversationParticipant](t)(api.CreateServiceConversationParticipant(service, *c.Sid,
		new(conversations.CreateServiceConversationParticipantParams).SetIdentity("grace")))
	if *p.RoleSid != *guest.Sid {
		t.Errorf("a new participant has the role %s, want the new default", *p.RoleSid)
	}
	refused(t, api.DeleteServiceRole(service, *guest.Sid), "default_conversation_role_sid")
	must[*conversations.ConversationsV1ServiceConfiguration](t)(api.UpdateServiceConfiguration(service,
		new(conversations.UpdateServiceConfigurationParams).SetDefaultConversationRoleSid(byName["channel user, conversation"])))
	if err := api.DeleteServiceRole(service, *guest.Sid); err != nil {
		t.Error(err)
	}
}
