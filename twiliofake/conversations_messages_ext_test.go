package twiliofake_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	conversations "github.com/twilio/twilio-go/rest/conversations/v1"

	"github.com/flexfn/flexfn/twiliofake"
)

// TestReceipts sends a message to two participants outside of the chat. Each
// has a receipt, and the message has a summary.
func TestReceipts(t *testing.T) {
	fake := newFake(t)
	api := conversations.NewApiService(newClient(fake))
	join := func(address, proxy string) string {
		t.Helper()
		p := must[*conversations.ConversationsV1ConversationParticipant](t)(api.CreateConversationParticipant(talk,
			new(conversations.CreateConversationParticipantParams).SetMessagingBindingAddress(address).SetMessagingBindingProxyAddress(proxy)))
		return *p.Sid
	}
	chat := must[*conversations.ConversationsV1ConversationMessage](t)(api.CreateConversationMessage(talk, new(conversations.CreateConversationMessageParams).SetBody("chat")))
	if chat.Delivery != nil || chat.Index != 1 || *chat.Author != "system" {
		t.Errorf("a message in the chat alone is %+v", chat)
	}
	sms, whatsapp := join("+15550001111", "+15550002222"), join("whatsapp:+15550001111", "whatsapp:+15550002222")
	create := func(p *conversations.CreateConversationMessageParams) *conversations.ConversationsV1ConversationMessage {
		t.Helper()
		return must[*conversations.ConversationsV1ConversationMessage](t)(api.CreateConversationMessage(talk, p))
	}
	m := create(new(conversations.CreateConversationMessageParams).SetAuthor("customer").SetBody("hello"))
	if *m.ParticipantSid != "MB00000000000000000000000000000001" {
		t.Errorf("the author is participant %s", *m.ParticipantSid)
	}
	summary := func(want string) {
		t.Helper()
		m := must[*conversations.ConversationsV1ConversationMessage](t)(api.FetchConversationMessage(talk, *m.Sid))
		if got := fmt.Sprint(*m.Delivery); got != want {
			t.Errorf("the summary is %s, want %s", got, want)
		}
	}
	summary("map[delivered:none failed:none read:none sent:all total:2 undelivered:none]")
	receipts := must[[]conversations.ConversationsV1ConversationMessageReceipt](t)(api.ListConversationMessageReceipt(talk, *m.Sid, nil))
	if len(receipts) != 2 || *receipts[0].ParticipantSid != sms || *receipts[1].ParticipantSid != whatsapp || *receipts[0].Status != "sent" {
		t.Fatalf("the receipts are %+v", receipts)
	}
	sent, ok := fake.Resource("messages", *receipts[0].ChannelMessageSid)
	if !ok || sent["to"] != "+15550001111" || sent["from"] != "+15550002222" || sent["body"] != "hello" {
		t.Errorf("the SMS is %v", sent)
	}
	for i, status := range []string{"read", "failed"} {
		sid := *receipts[i].Sid
		if err := fake.SetResource("conversation_receipts", twiliofake.Resource{
			"sid": sid, "conversation_sid": talk, "message_sid": *m.Sid, "status": status, "participant_sid": *receipts[i].ParticipantSid,
		}); err != nil {
			t.Fatal(err)
		}
	}
	summary("map[delivered:some failed:some read:some sent:some total:2 undelivered:none]")
	through := must[*conversations.ConversationsV1ServiceConversationMessageReceipt](t)(api.FetchServiceConversationMessageReceipt(chatService, talk, *m.Sid, *receipts[0].Sid))
	if *through.ChatServiceSid != chatService || *through.Status != "read" {
		t.Errorf("through the service the receipt is %+v", through)
	}
	if m := create(new(conversations.CreateConversationMessageParams).SetAuthor("+15550001111").SetBody("back")); *m.ParticipantSid != sms ||
		(*m.Delivery).(map[string]any)["total"] != 1.0 {
		t.Errorf("an answer by SMS is %+v", m)
	}
	_, err := api.CreateConversationMessage(talk, new(conversations.CreateConversationMessageParams).SetBody(strings.Repeat("é", 1601)))
	refused(t, err, "1600")
	create(new(conversations.CreateConversationMessageParams).SetBody(strings.Repeat("é", 1600)))
	if err := api.DeleteConversationMessage(talk, *m.Sid, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := api.ListConversationMessageReceipt(talk, *m.Sid, nil); code(t, err) != "404 20404" {
		t.Errorf("the receipts of a deleted message: %v", err)
	}
	last := create(new(conversations.CreateConversationMessageParams).SetBody("last"))
	if err := api.DeleteConversationMessage(talk, *last.Sid, nil); err != nil {
		t.Fatal(err)
	}
	if err := fake.SetState(fake.State()); err != nil {
		t.Fatal(err)
	}
	if next := create(new(conversations.CreateConversationMessageParams).SetBody("next")); next.Index != last.Index+1 {
		t.Errorf("after message %d was deleted, the next has index %d", last.Index, next.Index)
	}
	var order []int
	for _, m := range must[[]conversations.ConversationsV1ConversationMessage](t)(api.ListConversationMessage(talk, new(conversations.ListConversationMessageParams).SetOrder("desc").SetPageSize(2))) {
		order = append(order, m.Index)
	}
	if fmt.Sprint(order) != "[6 4 3 1 0]" {
		t.Errorf("in descending order the messages are %v", order)
	}
}

// TestConversationMedia uploads a file, sends it and reads it. Deleting the
// message deletes the file.
func TestConversationMedia(t *testing.T) {
	fake := newFake(t)
	api := conversations.NewApiService(newClient(fake))
	const files = "https://mcs.us1.twilio.com/v1/Services/" + chatService + "/Media"
	file := ask(t, fake, "POST", files+"?Filename=dot.png", "\x89PNG\x00", "Content-Type", "image/png").want(t, 201,
		"size", 5, "content_type", "image/png", "filename", "dot.png", "category", "media", "service_sid", chatService, "message_sid", nil)
	sid := file.sid(t)
	if !strings.HasPrefix(sid, "ME") {
		t.Errorf("the file is %s", sid)
	}
	if err := fake.SetState(fake.State()); err != nil {
		t.Fatal(err)
	}
	m := must[*conversations.ConversationsV1ConversationMessage](t)(api.CreateConversationMessage(talk, new(conversations.CreateConversationMessageParams).SetMediaSid(sid)))
	if got := fmt.Sprint(*m.Media); !strings.Contains(got, "content_type:image/png") || !strings.Contains(got, "sid:"+sid) {
		t.Errorf("the message carries %s", got)
	}
	read := ask(t, fake, "GET", files+"/"+sid, "").want(t, 200, "message_sid", *m.Sid, "channel_sid", talk)
	for name, link := range read.body["links"].(map[string]any) {
		if got := ask(t, fake, "GET", link.(string), ""); got.text != "\x89PNG\x00" || got.header.Get("Content-Type") != "image/png" {
			t.Errorf("%s is %q as %s", name, got.text, got.header.Get("Content-Type"))
		}
	}
	item, _ := fake.Resource("conversation_media", sid)
	if item["_content"] != base64.StdEncoding.EncodeToString([]byte("\x89PNG\x00")) {
		t.Errorf("the state has %v", item["_content"])
	}
	_, err := api.CreateConversationMessage(talk, new(conversations.CreateConversationMessageParams).SetMediaSid("ME00000000000000000000000000000009"))
	refused(t, err, "MediaSid")
	ask(t, fake, "POST", files, "", "Content-Type", "image/png").want(t, 400)
	ask(t, fake, "POST", files, "x", "Content-Type", "image").want(t, 201, "content_type", "image")
	ask(t, fake, "POST", files, "x", "Content-Type", "a b").want(t, 400)
	ask(t, fake, "POST", strings.Replace(files, chatService, "IS00000000000000000000000000000009", 1), "x", "Content-Type", "image/png").want(t, 404)
	if err := api.DeleteConversationMessage(talk, *m.Sid, nil); err != nil {
		t.Fatal(err)
	}
	ask(t, fake, "GET", files+"/"+sid, "").want(t, 404)
}
