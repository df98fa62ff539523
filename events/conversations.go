package events

import (
	"strings"
	"time"
)

// ConversationEvent is a webhook of Twilio Conversations, before or after a
// change. Types are, for example, "onMessageAdd" (before) and "onMessageAdded"
// (after). Source:
// https://www.twilio.com/docs/conversations/conversations-webhooks.
//
// Fields that the event does not concern are zero. Body, Author and the
// participants' addresses are personal data.
type ConversationEvent struct {
	Event
	Source          string `twilio:"Source"` // SDK or API
	ClientIdentity  string `twilio:"ClientIdentity"`
	ConversationSID string `twilio:"ConversationSid"`
	ChatServiceSID  string `twilio:"ChatServiceSid"`
	MessagingSID    string `twilio:"MessagingServiceSid"`
	FriendlyName    string `twilio:"FriendlyName"`
	UniqueName      string `twilio:"UniqueName"`
	// Attributes belong to the resource that the event is about.
	Attributes Attributes `twilio:"Attributes"`
	// State is active, inactive or closed. A change of state has StateFrom and
	// StateTo, and its Reason: API, EVENT or TIMER.
	State     string `twilio:"State"`
	StateFrom string `twilio:"StateFrom"`
	StateTo   string `twilio:"StateTo"`
	Reason    string `twilio:"Reason"`

	MessageSID string `twilio:"MessageSid"`
	// These five are zero unless the event is about a message; a first message
	// has Index 0, too. A message that is about to be added has no MessageSID.
	// Index is the message's place in the conversation, from 0.
	Index  int    `twilio:"Index"`
	Body   string `twilio:"Body"`
	Author string `twilio:"Author"`
	Media  string `twilio:"Media"` // a JSON list

	ParticipantSID   string `twilio:"ParticipantSid"`
	Identity         string `twilio:"Identity"`
	RoleSID          string `twilio:"RoleSid"`
	Address          string `twilio:"MessagingBinding.Address"`
	ProxyAddress     string `twilio:"MessagingBinding.ProxyAddress"`
	ProjectedAddress string `twilio:"MessagingBinding.ProjectedAddress"`
	AuthorAddress    string `twilio:"MessagingBinding.AuthorAddress"`
	// BindingType is how the participant is reached, such as sms or whatsapp;
	// empty for one in a chat.
	BindingType   string `twilio:"MessagingBinding.Type"`
	LastReadIndex int    `twilio:"LastReadMessageIndex"`

	// Status is sent, delivered, read, undelivered or failed; ErrorCode is
	// Twilio's, and zero unless delivery failed. Both come with
	// onDeliveryUpdated.
	DeliveryReceiptSID string `twilio:"DeliveryReceiptSid"`
	Status             string `twilio:"Status"`
	ErrorCode          int    `twilio:"ErrorCode"`

	UserSID string `twilio:"UserSid"`

	Created time.Time `twilio:"DateCreated"`
	Updated time.Time `twilio:"DateUpdated"`
	Removed time.Time `twilio:"DateRemoved"`
}

// conversationSubject returns the SID that the event is about, the most
// specific one: a message's event names its conversation too.
func conversationSubject(f fields) string {
	return f.first("MessageSid", "DeliveryReceiptSid", "ParticipantSid", "UserSid", "ConversationSid")
}

// conversationEvent reads a webhook. Its key is the idempotency token, since
// Conversations documents no id. Without a token, the key consists of what
// distinguishes two events of one subject, including the status, since a
// receipt changes it without a new SID. If there is no time either, the key is
// a hash of all fields.
func conversationEvent(f fields, token string) Event {
	e := Event{Type: f.text("EventType"), AccountSID: f.text("AccountSid"), fields: f, Key: token}
	when := f.first("DateRemoved", "StateUpdated", "DateUpdated", "DateCreated")
	e.Time, _ = parseTime(when)
	if e.Key == "" {
		if e.Key = strings.Join([]string{e.Type, conversationSubject(f), f.text("DeliveryReceiptSid"), f.text("Status"), when}, " "); when == "" {
			e.Key = f.sum()
		}
	}
	return e
}

// conversationOrder orders by time: nothing else is common to all events.
func conversationOrder(e Event) (string, order) {
	return conversationSubject(e.fields), order{time: e.Time.UnixMilli()}
}

// InteractionEvent is a Flex interaction webhook, such as "onChannelCreated".
// Source:
// https://www.twilio.com/docs/flex/developer/conversations/register-interactions-webhooks.
// Twilio sends neither an id nor a time, so Event.Time is zero. ErrorCode and
// ErrorMessage come with onChannelCreateFailed. An interaction's own webhook
// and a global one both fire.
type InteractionEvent struct {
	Event
	InstanceSID     string `twilio:"InstanceSid"`
	InteractionSID  string `twilio:"InteractionSid"`
	ChannelSID      string `twilio:"ChannelSid"`
	ChannelStatus   string `twilio:"ChannelStatus"`
	MediaChannelSID string `twilio:"MediaChannelSid"`
	MediaChannel    string `twilio:"MediaChannelType"`
	ParticipantSID  string `twilio:"ParticipantSid"`
	ParticipantType string `twilio:"ParticipantType"`
	TaskSID         string `twilio:"TaskSid"`
	ErrorCode       int    `twilio:"ErrorCode"`
	ErrorMessage    string `twilio:"ErrorMessage"`
}

// interactionEvent reads a webhook. Without a token, two closings of one
// channel count as the same event.
func interactionEvent(f fields, token string) Event {
	e := Event{Type: f.text("EventType"), AccountSID: f.text("AccountSid"), fields: f, Key: token}
	if e.Key == "" {
		if e.Key = strings.Join([]string{e.Type, f.text("InteractionSid"), f.text("ChannelSid"), f.text("ParticipantSid"), f.text("ChannelStatus")}, " "); f.text("InteractionSid") == "" {
			e.Key = f.sum()
		}
	}
	return e
}

// interactionOrder has neither a number nor a time to order by. So with
// NewestOnly, the events of a subject are handled one at a time, and none is
// skipped.
func interactionOrder(e Event) (string, order) {
	return e.fields.first("ParticipantSid", "ChannelSid", "InteractionSid"), order{}
}
