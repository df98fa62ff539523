package events

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// CallStatus is a call's status callback. Its type is "call." and the status,
// such as "call.completed". Source: https://www.twilio.com/docs/voice/twiml.
//
// Fields that the callback lacks are zero. CallDuration is whole seconds,
// known at the end. SequenceNumber counts the callbacks of a call from 0, in
// the order in which things happened, which is not that of their arrival; see
// [NewestOnly].
type CallStatus struct {
	Event
	CallSID       string `twilio:"CallSid"`
	ParentCallSID string `twilio:"ParentCallSid"`
	// Status is queued, initiated, ringing, in-progress, completed, busy,
	// failed, no-answer or canceled.
	Status string `twilio:"CallStatus"`
	From   string `twilio:"From"`
	To     string `twilio:"To"`
	// Direction is inbound, outbound-api or outbound-dial.
	Direction      string        `twilio:"Direction"`
	CallDuration   time.Duration `twilio:"CallDuration"`
	SequenceNumber int           `twilio:"SequenceNumber"`
	// AnsweredBy is what machine detection found: human, fax, unknown, or a
	// value that begins with machine_; empty without machine detection.
	AnsweredBy        string `twilio:"AnsweredBy"`
	DetectionDuration int    `twilio:"MachineDetectionDuration"` // milliseconds
	RecordingSID      string `twilio:"RecordingSid"`
	RecordingURL      string `twilio:"RecordingUrl"`
}

// ConferenceStatus is a conference's status callback. Its type is
// "conference." and the StatusCallbackEvent without "conference-", such as
// "conference.end" or "conference.participant-join". Source:
// https://www.twilio.com/docs/voice/twiml/conference.
type ConferenceStatus struct {
	Event
	ConferenceSID string `twilio:"ConferenceSid"`
	FriendlyName  string `twilio:"FriendlyName"`
	// Happened is the event as Twilio names it, such as conference-end.
	Happened       string `twilio:"StatusCallbackEvent"`
	SequenceNumber int    `twilio:"SequenceNumber"`
	// CallSID, ParticipantLabel, Muted, Hold, Coaching and EndOnExit are about
	// one participant; they are zero in events of the conference as a whole.
	CallSID          string `twilio:"CallSid"`
	ParticipantLabel string `twilio:"ParticipantLabel"`
	Muted            bool   `twilio:"Muted"`
	Hold             bool   `twilio:"Hold"`
	Coaching         bool   `twilio:"Coaching"`
	EndOnExit        bool   `twilio:"EndConferenceOnExit"`
	EndedByCallSID   string `twilio:"CallSidEndingConference"`
	EndedByLabel     string `twilio:"ParticipantLabelEndingConference"`
	// EndReason says why the conference ended, such as last-participant-left;
	// EndedByCallSID and EndedByLabel say who ended it.
	EndReason        string `twilio:"ReasonConferenceEnded"`
	LeaveReason      string `twilio:"ReasonParticipantLeft"`
	ParticipantState string `twilio:"ParticipantCallStatus"`
}

// RecordingStatus is a recording's status callback. Its type is "recording."
// and the status, such as "recording.completed".
//
// URL needs the account's credentials unless media access is open;
// RecordingMedia of package twilioapi downloads it. Channels is 1 or 2.
type RecordingStatus struct {
	Event
	RecordingSID  string `twilio:"RecordingSid"`
	CallSID       string `twilio:"CallSid"`
	ConferenceSID string `twilio:"ConferenceSid"`
	// Status is in-progress, completed or absent.
	Status            string        `twilio:"RecordingStatus"`
	URL               string        `twilio:"RecordingUrl"`
	RecordingDuration time.Duration `twilio:"RecordingDuration"`
	Channels          int           `twilio:"RecordingChannels"`
	// Source is what recorded, such as Conference, DialVerb or RecordVerb.
	Source string `twilio:"RecordingSource"`
}

// MessageStatus is a message's status callback. Its type is "message." and the
// status, such as "message.delivered".
//
// ErrorCode is Twilio's, such as 30003; zero if the message has not failed.
// ChannelSID and ChannelSay come from WhatsApp and other channels.
type MessageStatus struct {
	Event
	MessageSID string `twilio:"MessageSid"`
	// Status is queued, sending, sent, delivered, undelivered, failed or, on
	// channels that report it, read.
	Status     string `twilio:"MessageStatus"`
	ErrorCode  int    `twilio:"ErrorCode"`
	From       string `twilio:"From"`
	To         string `twilio:"To"`
	ChannelSID string `twilio:"ChannelInstallSid"`
	ChannelSay string `twilio:"ChannelStatusMessage"`
}

// statusEvent finds out what a status callback is about. The order matters: the
// callback of a conference's recording has a ConferenceSid too. Any other
// callback gets a type that begins with "unknown." instead of being lost.
func statusEvent(f fields, _ string) Event {
	e := Event{AccountSID: f.text("AccountSid"), fields: f}
	e.Time, _ = parseTime(f.text("Timestamp"))
	say := func(kind, what, sid, more string) {
		e.Type = kind + "." + strings.ToLower(what)
		if e.Key = sid + " " + more; sid == "" {
			e.Key = f.sum() // it must not pass for another
		}
	}
	sequence := func(otherwise string) string {
		if n := f.text("SequenceNumber"); n != "" {
			return n
		}
		return otherwise
	}
	switch {
	case f.text("MessageStatus") != "" || f.text("SmsStatus") != "" && f.text("CallSid") == "":
		status := f.first("MessageStatus", "SmsStatus")
		say("message", status, f.first("MessageSid", "SmsSid"), status+" "+f.text("ErrorCode"))
	case f.text("RecordingStatus") != "":
		say("recording", f.text("RecordingStatus"), f.text("RecordingSid"), f.text("RecordingStatus"))
	case f.text("ConferenceSid") != "" && f.text("StatusCallbackEvent") != "":
		what := f.text("StatusCallbackEvent")
		say("conference", strings.TrimPrefix(what, "conference-"), f.text("ConferenceSid"), sequence(what+" "+f.text("CallSid")+" "+f.text("Timestamp")))
	case f.text("TranscriptionSid") != "":
		what := f.first("TranscriptionEvent", "TranscriptionStatus")
		say("transcription", strings.TrimPrefix(what, "transcription-"), f.text("TranscriptionSid"), f.first("SequenceId", "TranscriptionEvent", "TranscriptionStatus"))
	// Asynchronous machine detection has a separate callback, without the
	// sequence number of progress callbacks.
	case f.text("AnsweredBy") != "" && f.text("SequenceNumber") == "" && f.text("CallbackSource") == "":
		say("call", "amd", f.text("CallSid"), "amd")
	case f.text("CallSid") != "":
		say("call", f.text("CallStatus"), f.text("CallSid"), sequence(f.text("CallStatus")))
	default:
		say("unknown", f.first("StatusCallbackEvent", "EventType", "Event"), f.first("Sid", "RoomSid"), sequence(f.text("Timestamp")))
	}
	return e
}

// statusOrder ranks statuses, so that a late one does not undo a later one.
// Statuses of the same rank, and unknown ones, are ordered by time. Where
// Twilio sends no time, both are handled.
func statusOrder(e Event) (subject string, at order) {
	kind, status, _ := strings.Cut(e.Type, ".")
	subject = kind + " " + e.fields.first("MessageSid", "RecordingSid", "ConferenceSid", "TranscriptionSid", "CallSid", "SmsSid", "Sid")
	ranks := map[string][]string{
		"message":   {"accepted", "scheduled", "queued", "sending", "sent", "delivered undelivered failed", "read"},
		"recording": {"in-progress", "completed absent"},
		"call":      {"queued", "initiated", "ringing", "in-progress answered", "completed busy failed no-answer canceled"},
	}
	at.version = number(e.fields.first("SequenceNumber", "SequenceId")) + 1
	if kind == "message" || kind == "recording" || e.fields.text("SequenceNumber") == "" && kind == "call" {
		at.version = int64(1 + slices.IndexFunc(ranks[kind], func(list string) bool { return slices.Contains(strings.Fields(list), status) }))
	}
	at.time = e.Time.UnixMilli()
	return subject, at
}

func number(s string) int64 {
	n, _ := strconv.ParseInt(s, 10, 64)
	return n
}
