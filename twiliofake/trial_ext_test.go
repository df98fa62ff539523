package twiliofake_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/flexfn/flexfn/twiliofake"
)

// TestFaultPaths checks that patterns which would never match, or match more
// than they seem to, are refused in rules and in state documents.
func TestFaultPaths(t *testing.T) {
	fake := newFake(t)
	for path, want := range map[string]string{
		"/v1/Work**": "** elsewhere", "/v1/**/Tasks": "** elsewhere", "**/Tasks": "** elsewhere", "/v1/***": "** elsewhere",
		"/v1/[": "not a pattern", "v1/Workspaces": "does not begin with /",
	} {
		rule := twiliofake.Fault{Match: twiliofake.Match{Path: path}, Status: 503}
		if err := fake.AddFault(rule); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
		state := fake.State()
		state.Faults = []twiliofake.Fault{rule}
		if err := fake.SetState(state); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s in a state: %v", path, err)
		}
	}
	if n := len(fake.Faults()); n != 0 {
		t.Errorf("%d rules are in force", n)
	}
	for _, path := range []string{"/v1/Workspaces/**", "**", "/v1/Work*/*", ""} {
		if err := fake.AddFault(twiliofake.Fault{Match: twiliofake.Match{Path: path}, Status: 503}); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestDeletedConversation deletes a conversation with children in both layers.
// None of them is listed, in the state, or reachable.
func TestDeletedConversation(t *testing.T) {
	fake := newFake(t)
	const (
		conversations = "https://conversations.twilio.com/v1/Conversations"
		service       = "https://conversations.twilio.com/v1/Services/" + twiliofake.DevelopmentChatServiceSID + "/Conversations"
	)
	sid := ask(t, fake, "POST", conversations, "UniqueName=u").want(t, 201).sid(t)
	talk := conversations + "/" + sid
	participant := ask(t, fake, "POST", talk+"/Participants", "Identity=eve").want(t, 201).sid(t)
	message := ask(t, fake, "POST", talk+"/Messages", "Author=eve&Body=x").want(t, 201).sid(t)
	webhook := ask(t, fake, "POST", talk+"/Webhooks", "Target=webhook&Configuration.Url=https://a.example&Configuration.Filters=onMessageAdded").want(t, 201).sid(t)
	ask(t, fake, "DELETE", talk, "").want(t, 204)
	for _, at := range []string{talk, service + "/" + sid, conversations + "/u"} {
		for _, below := range []string{"", "/Participants", "/Messages", "/Webhooks", "/Participants/" + participant, "/Messages/" + message} {
			ask(t, fake, "GET", at+below, "").want(t, 404, "code", 20404)
		}
	}
	if a := ask(t, fake, "GET", "https://conversations.twilio.com/v1/ParticipantConversations?Identity=eve", ""); len(a.items(t, "conversations")) != 0 {
		t.Errorf("the participant is still in %s", a.text)
	}
	for kind, items := range fake.State().Resources {
		for _, item := range items {
			for _, id := range []string{sid, participant, message, webhook} {
				if item["sid"] == id || item["conversation_sid"] == id {
					t.Errorf("%s: %v is in the state", kind, item)
				}
			}
		}
	}
	// Its name is free again, and nothing below it comes back.
	again := ask(t, fake, "POST", conversations, "UniqueName=u").want(t, 201).sid(t)
	if n := len(ask(t, fake, "GET", conversations+"/"+again+"/Messages", "").items(t, "messages")); n != 0 {
		t.Errorf("the new conversation has %d messages", n)
	}
}

// TestIsolation reads the state of one account with the credentials of another.
// Nothing of it is visible, in either layer, and names do not collide.
func TestIsolation(t *testing.T) {
	fake := newFake(t)
	const trunks = "https://trunking.twilio.com/v1/Trunks"
	trunk := ask(t, fake, "POST", trunks, "FriendlyName=x").want(t, 201).sid(t)
	service := ask(t, fake, "POST", "https://sync.twilio.com/v1/Services", "FriendlyName=x").want(t, 201).sid(t)
	ask(t, fake, "POST", "https://serverless.twilio.com/v1/Services", "UniqueName=u&FriendlyName=x").want(t, 201)
	key := ask(t, fake, "POST", api+"/Keys.json", "FriendlyName=k").want(t, 201)
	sub := ask(t, fake, "POST", "https://api.twilio.com/2010-04-01/Accounts.json", "FriendlyName=Sub").want(t, 201)
	basic := func(user, password string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
	}
	own := basic(sub.sid(t), sub.body["auth_token"].(string))
	subAPI := "https://api.twilio.com/2010-04-01/Accounts/" + sub.sid(t)

	for list, name := range map[string]string{
		"https://taskrouter.twilio.com/v1/Workspaces": "workspaces", trunks: "trunks", "https://sync.twilio.com/v1/Services": "services",
		"https://serverless.twilio.com/v1/Services": "services", "https://conversations.twilio.com/v1/Conversations": "conversations",
		"https://chat.twilio.com/v2/Services": "services", subAPI + "/Keys.json": "keys", subAPI + "/Calls.json": "calls",
		subAPI + "/Conferences.json": "conferences", subAPI + "/IncomingPhoneNumbers.json": "incoming_phone_numbers",
	} {
		if a := ask(t, fake, "GET", list, "", "Authorization", own); a.status != 200 || len(a.items(t, name)) != 0 {
			t.Errorf("%s shows the other account's: %s", list, a.text)
		}
	}
	for _, item := range []string{
		task, taskrouter, trunks + "/" + trunk, "https://sync.twilio.com/v1/Services/" + service, "https://sync.twilio.com/v1/Services/" + service + "/Documents",
		"https://conversations.twilio.com/v1/Conversations/CH00000000000000000000000000000001", customer, api + "/Keys/" + key.sid(t) + ".json",
		"https://serverless.twilio.com/v1/Services/u",
	} {
		ask(t, fake, "GET", item, "", "Authorization", own).want(t, 404, "code", 20404)
		ask(t, fake, "DELETE", item, "", "Authorization", own)
		if a := ask(t, fake, "GET", item, ""); a.status != 200 {
			t.Errorf("the other account removed %s", item)
		}
	}
	ask(t, fake, "POST", "https://serverless.twilio.com/v1/Services", "UniqueName=u&FriendlyName=x", "Authorization", own).want(t, 201)

	// A key gives access only to its own account, and only with its own secret.
	secret := key.body["secret"].(string)
	ask(t, fake, "GET", trunks+"/"+trunk, "", "Authorization", basic(key.sid(t), secret)).want(t, 200)
	ask(t, fake, "GET", trunks, "", "Authorization", basic(key.sid(t), sub.body["auth_token"].(string))).want(t, 401, "code", 20003)
	ask(t, fake, "GET", trunks, "", "Authorization", basic(sub.sid(t), authToken)).want(t, 401, "code", 20003)
	mine := ask(t, fake, "POST", subAPI+"/Keys.json", "FriendlyName=k", "Authorization", own).want(t, 201)
	ask(t, fake, "GET", trunks+"/"+trunk, "", "Authorization", basic(mine.sid(t), mine.body["secret"].(string))).want(t, 404)
	ask(t, fake, "GET", api+".json", "", "Authorization", basic(mine.sid(t), mine.body["secret"].(string))).want(t, 404)

	// The accounts keep their state apart through save and load.
	checkLoads(t, fake, newFake(t))
	if err := fake.SetState(fake.State()); err != nil {
		t.Fatal(err)
	}
	ask(t, fake, "GET", trunks+"/"+trunk, "", "Authorization", own).want(t, 404)
	ask(t, fake, "GET", trunks+"/"+trunk, "").want(t, 200)
}

// TestPageAndDelete removes the items of each page, in every order that a list
// can have. No item is skipped.
func TestPageAndDelete(t *testing.T) {
	for _, query := range []string{"", "Order=desc&"} {
		fake := newFake(t)
		service := ask(t, fake, "POST", "https://sync.twilio.com/v1/Services", "FriendlyName=x").sid(t)
		base := "https://sync.twilio.com/v1/Services/" + service
		for _, kind := range []struct{ make, items, id string }{{"Lists", "Lists/u/Items", "index"}, {"Maps", "Maps/u/Items", "key"}} {
			ask(t, fake, "POST", base+"/"+kind.make, "UniqueName=u").want(t, 201)
			items := base + "/" + kind.items
			const n = 57
			for i := range n {
				form := "Data=%7B%7D"
				if kind.id == "key" {
					form += "&Key=" + string(rune('A'+i))
				}
				ask(t, fake, "POST", items, form).want(t, 201)
			}
			seen := map[string]bool{}
			for next := items + "?" + query + "PageSize=5"; next != ""; {
				page := ask(t, fake, "GET", next, "").want(t, 200)
				for _, item := range page.items(t, "items") {
					_, id, _ := strings.Cut(item["url"].(string), "/Items/")
					if seen[id] {
						t.Errorf("%s%s is listed twice", kind.items, id)
					}
					seen[id] = true
					ask(t, fake, "DELETE", items+"/"+id, "").want(t, 204)
				}
				next, _ = page.body["meta"].(map[string]any)["next_page_url"].(string)
			}
			if len(seen) != n {
				t.Errorf("%s?%s: %d of %d items were listed", kind.items, query, len(seen), n)
			}
			if left := ask(t, fake, "GET", items, "").items(t, "items"); len(left) != 0 {
				t.Errorf("%s?%s: %d removed items are listed", kind.items, query, len(left))
			}
		}
	}
}
