// Package twilioevent lists the types of Twilio's events and makes a sample of
// each. Its sources are the Twilio pages that package events names.
package twilioevent

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Source is how Twilio reports events, named after the function of package
// events that takes them.
type Source string

// The sources. Webhook is for requests that package events has no function for.
const (
	TaskRouter    Source = "TaskRouter"
	Stream        Source = "Stream"
	Status        Source = "Status"
	Conversations Source = "Conversations"
	Interactions  Source = "Interactions"
	Assignment    Source = "Assignment"
	Before        Source = "Before"
	Webhook       Source = "Webhook"
)

// taskRouterTypes lists the known types of TaskRouter events. Source:
// https://www.twilio.com/docs/taskrouter/api/event/reference; of those from
// Event Streams, https://www.twilio.com/docs/events/event-types. TaskRouter
// also sends reservation.updated, which is not documented.
var taskRouterTypes = sync.OnceValue(func() []string {
	return strings.Fields(`
	activity.created activity.updated activity.deleted
	reservation.created reservation.accepted reservation.rejected reservation.timeout reservation.canceled
	reservation.rescinded reservation.completed reservation.wrapup reservation.failed reservation.updated
	task.created task.updated task.canceled task.wrapup task.completed task.deleted task.system-deleted
	task.transfer-initiated task.transfer-attempt-failed task.transfer-failed task.transfer-canceled task.transfer-completed
	task-channel.created task-channel.updated task-channel.deleted
	task-queue.created task-queue.deleted task-queue.expression.updated task-queue.entered task-queue.timeout task-queue.moved
	worker.created worker.deleted worker.attributes.update worker.activity.update worker.capacity.update
	worker.channel.availability.update
	workflow.created workflow.updated workflow.deleted workflow.entered workflow.target-matched workflow.timeout
	workflow.skipped workflow.rejected
	workspace.created workspace.updated workspace.deleted`)
})

// types lists the types of events by source.
var types = sync.OnceValue(func() []typesOf {
	return []typesOf{
		{TaskRouter, taskRouterTypes()},
		{Assignment, []string{"assignment"}},
		{Status, strings.Fields(`
		call.initiated call.ringing call.in-progress call.completed call.busy call.no-answer call.failed call.canceled call.amd
		conference.start conference.end conference.participant-join conference.participant-leave conference.participant-mute
		conference.participant-unmute conference.participant-hold conference.participant-unhold conference.participant-modify
		conference.participant-speech-start conference.participant-speech-stop conference.announcement-end conference.announcement-fail
		recording.in-progress recording.completed recording.absent
		transcription.started transcription.content transcription.stopped transcription.error
		message.queued message.sent message.delivered message.undelivered message.failed message.read`)},
		{Before, strings.Fields(`
		onConversationAdd onConversationUpdate onConversationRemove onMessageAdd onMessageUpdate onMessageRemove
		onParticipantAdd onParticipantUpdate onParticipantRemove onUserUpdate`)},
		{Conversations, strings.Fields(`
		onConversationAdded onConversationUpdated onConversationRemoved onConversationStateUpdated
		onMessageAdded onMessageUpdated onMessageRemoved onParticipantAdded onParticipantUpdated onParticipantRemoved
		onDeliveryUpdated onUserAdded onUserUpdated`)},
		{Interactions, strings.Fields(`
		onInteractionCreated onChannelCreated onChannelCreateFailed onChannelStatusUpdated
		onParticipantJoined onParticipantLeft`)},
		{Stream, strings.Fields(`
		com.twilio.conversations.conversation.added com.twilio.conversations.message.added com.twilio.conversations.participant.added
		com.twilio.voice.status-callback.call.initiated com.twilio.voice.status-callback.call.completed
		com.twilio.voice.status-callback.recording.processed com.twilio.voice.twiml.enqueue.finished
		com.twilio.messaging.message.sent com.twilio.messaging.message.delivered com.twilio.messaging.inbound-message.received
		com.twilio.studio.flow.execution.started com.twilio.studio.flow.step.ended com.twilio.studio.flow.execution.ended
		com.twilio.error-logs.error.logged com.twilio.eventstreams.test-event`)},
		{Webhook, strings.Fields(`
		incoming.call incoming.message sync.document_updated sync.map_item_added
		video.room-created video.participant-connected video.room-ended verify.factor.verified verify.challenge.approved`)},
	}
})

type typesOf struct {
	Source Source
	Types  []string
}

// TaskRouterTypes returns the types of TaskRouter events. The caller must not
// change the list.
func TaskRouterTypes() []string { return taskRouterTypes() }

// StreamTypes returns the types of events that [Story.CloudEvent] makes, by
// their names in Event Streams, which does not have all of TaskRouter's. The
// caller must not change the list.
var StreamTypes = sync.OnceValue(func() []string {
	var all []string
	for _, of := range types() {
		switch of.Source {
		case TaskRouter:
			for _, t := range of.Types {
				if kind, what, _ := strings.Cut(t, "."); slices.Contains(streamKinds(), kind) && !slices.Contains(callbackOnly(), kind+"."+what) {
					all = append(all, StreamType(t))
				}
			}
		case Stream:
			all = append(all, of.Types...)
		}
	}
	slices.Sort(all)
	return all
})

func streamKinds() []string {
	return []string{"reservation", "task", "task-queue", "worker", "workflow"}
}

// callbackOnly lists the types of those kinds that Event Streams does not have.
func callbackOnly() []string {
	return []string{"reservation.updated", "workflow.created", "workflow.deleted", "workflow.updated"}
}

// StreamType returns the name in Event Streams of a type of TaskRouter event.
func StreamType(t string) string {
	if t == "task-queue.expression.updated" {
		t = "task-queue.expression-updated"
	}
	return "com.twilio.taskrouter." + t
}

// TestEvent is the type of the event by which Event Streams tests a sink.
const TestEvent = "com.twilio.eventstreams.test-event"

// Plain returns the name in callbacks of a type of TaskRouter event that is
// given by its name in Event Streams, and whether t is such a name.
func Plain(t string) (string, bool) {
	for _, known := range taskRouterTypes() {
		if t == StreamType(known) {
			return known, true
		}
	}
	return t, false
}

// A Schema describes the data of events. Its versions count from 1.
type Schema struct {
	ID     string
	Latest int // version
}

// SchemaOf returns the schema of a type of Event Streams' events, and the
// latest version that Twilio's pages show. The ID is "" if none is known.
// Source: https://www.twilio.com/docs/events/event-types.
func SchemaOf(t string) Schema {
	t, _ = strings.CutPrefix(t, "com.twilio.")
	product, rest, _ := strings.Cut(t, ".")
	switch product {
	case "taskrouter":
		return Schema{"TaskRouter.WDSEvent", 4}
	case "voice":
		return Schema{"Voice.WebhookEvent", 1}
	case "messaging":
		if strings.HasPrefix(rest, "inbound-message.") {
			return Schema{"Messaging.InboundMessageV1", 5}
		}
		return Schema{"Messaging.MessageStatus", 3}
	case "studio":
		if strings.HasPrefix(rest, "flow.step.") {
			return Schema{"Studio.FlowStep", 1}
		}
		return Schema{"Studio.FlowExecution", 1}
	case "conversations": // each type has its own
		id := "Conversations."
		for word := range strings.FieldsFuncSeq(rest, func(r rune) bool { return r == '.' || r == '-' }) {
			id += strings.ToUpper(word[:1]) + word[1:]
		}
		return Schema{id, 2}
	case "error-logs":
		return Schema{"ErrorLogs.Error", 1}
	case "eventstreams":
		return Schema{"EventStreams.TestSink", 1}
	}
	return Schema{}
}

// URL returns the address of a version of the schema, as in an event's
// dataschema.
func (s Schema) URL(version int) string {
	return "https://events-schemas.twilio.com/" + s.ID + "/" + strconv.Itoa(version)
}

// Matches reports whether a listener's pattern takes events of type t: it is the
// type, or a beginning of it followed by "*".
func Matches(pattern, t string) bool {
	if start, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(t, start)
	}
	return pattern == t && t != ""
}

// Types calls yield with the types of each source.
func Types(yield func(Source, []string) bool) {
	for _, of := range types() {
		if !yield(of.Source, of.Types) {
			return
		}
	}
}

// SourceOf returns the source of events of type t. The error for an unknown
// type names those that begin like it for longest, or end like it.
func SourceOf(t string) (Source, error) {
	var begin, end []string
	longest := 3 // at least
	_, last, _ := strings.Cut(t, ".")
	for _, of := range types() {
		if slices.Contains(of.Types, t) {
			return of.Source, nil
		}
		for _, known := range of.Types {
			n := 0
			for n < min(len(known), len(t)) && strings.EqualFold(known[n:n+1], t[n:n+1]) {
				n++
			}
			if n > longest {
				longest, begin = n, nil
			}
			if n == longest {
				begin = append(begin, known)
			}
			if strings.HasSuffix(known, cmp.Or(last, t)) {
				end = append(end, known)
			}
		}
	}
	if strings.HasPrefix(t, "com.twilio.") {
		return Stream, nil // Event Streams has more types than are listed
	}
	alike := begin
	if len(alike) == 0 && t != "" {
		alike = end
	}
	if len(alike) > 0 {
		return "", fmt.Errorf("unknown event %q; did you mean %s?", t, strings.Join(alike[:min(len(alike), 5)], ", "))
	}
	return "", fmt.Errorf("unknown event %q: flexfn trigger --list names all", t)
}

// Story is the subject of a sequence of samples, which all have the same SIDs.
type Story struct {
	Account, Workspace string
	Time               time.Time // of the first event
	ID                 string    // 32 hex digits, the part of SIDs after the prefix
}

func (s Story) sid(prefix string) string { return prefix + s.ID }

// own returns a SID that only the n-th event of the story has.
func (s Story) own(prefix string, n int) string {
	return prefix + s.ID[:28] + fmt.Sprintf("%04x", n&0xffff)
}

// Sample returns the form fields that Twilio sends in the n-th event of the
// story, counted from 0, if its type is t. SourceOf must know t.
func (s Story) Sample(t string, n int) map[string]string {
	source, _ := SourceOf(t)
	at := s.Time.Add(time.Duration(n) * time.Second).UTC()
	kind, what, _ := strings.Cut(t, ".")
	f := map[string]string{"AccountSid": s.Account}
	add := func(pairs ...string) {
		for i := 0; i < len(pairs); i += 2 {
			f[pairs[i]] = pairs[i+1]
		}
	}
	worker := func() {
		add("WorkerSid", s.sid("WK"), "WorkerName", "ada", "WorkerAttributes", `{"contact_uri":"client:ada","full_name":"Ada Lovelace"}`,
			"WorkerActivitySid", s.sid("WA"), "WorkerActivityName", "Available", "WorkerVersion", strconv.Itoa(n))
	}
	task := func() {
		add("TaskSid", s.sid("WT"), "TaskAttributes", `{"customer":"Grace Hopper","call_sid":"`+s.sid("CA")+`","from":"+15005550006"}`,
			"TaskAge", strconv.Itoa(n), "TaskPriority", "0", "TaskAssignmentStatus", "pending", "TaskVersion", strconv.Itoa(n),
			"TaskQueueSid", s.sid("WQ"), "TaskQueueName", "Everyone", "WorkflowSid", s.sid("WW"), "WorkflowName", "Assign to Anyone",
			"TaskChannelSid", s.sid("TC"), "TaskChannelUniqueName", "voice")
	}
	switch source {
	case TaskRouter:
		add("EventType", t, "EventDescription", strings.ToUpper(kind[:1])+kind[1:]+" "+what, "Sid", s.own("EV", n),
			"WorkspaceSid", s.Workspace, "WorkspaceName", "Flex Task Assignment",
			"Timestamp", strconv.FormatInt(at.Unix(), 10), "TimestampMs", strconv.FormatInt(at.UnixMilli(), 10), "ResourceType", kind)
		switch kind {
		case "reservation":
			task()
			worker()
			add("ReservationSid", s.sid("WR"), "ReservationVersion", strconv.Itoa(n), "ResourceSid", s.sid("WR"))
		case "task":
			task()
			add("ResourceSid", s.sid("WT"))
		case "worker":
			worker()
			add("ResourceSid", s.sid("WK"), "TaskChannelSid", s.sid("TC"), "TaskChannelUniqueName", "voice",
				"WorkerTimeInPreviousActivity", "90", "WorkerTimeInPreviousActivityMs", "90000", "WorkerPreviousActivitySid", s.own("WA", n),
				"WorkerChannelAvailable", "true", "WorkerChannelAvailableCapacity", "100", "WorkerChannelPreviousCapacity", "0", "WorkerChannelTaskCount", "1")
		case "task-queue":
			task()
			add("ResourceSid", s.sid("WQ"), "TaskQueueTargetExpression", "1==1")
		case "workflow":
			task()
			add("ResourceSid", s.sid("WW"))
		case "task-channel":
			add("ResourceSid", s.sid("TC"), "TaskChannelSid", s.sid("TC"), "TaskChannelName", "Voice", "TaskChannelUniqueName", "voice", "TaskChannelOptimizedRouting", "false")
		case "activity":
			add("ResourceSid", s.sid("WA"), "ActivitySid", s.sid("WA"), "ActivityName", "Available", "ActivityAvailable", "true")
		case "workspace":
			add("ResourceSid", s.Workspace)
		}
	case Assignment:
		task()
		worker()
		add("WorkspaceSid", s.Workspace, "ReservationSid", s.sid("WR"), "Timestamp", strconv.FormatInt(at.Unix(), 10))
	case Status:
		stamp, number := at.Format(time.RFC1123Z), strconv.Itoa(n)
		switch kind {
		case "call":
			add("CallSid", s.sid("CA"), "From", "+15005550006", "To", "+15005550001", "Direction", "inbound", "ApiVersion", "2010-04-01")
			if what == "amd" {
				add("AnsweredBy", "human", "MachineDetectionDuration", "1200")
				break
			}
			add("CallStatus", what, "CallDuration", "0", "Timestamp", stamp, "CallbackSource", "call-progress-events", "SequenceNumber", number)
		case "conference":
			if what == "start" || what == "end" {
				what = "conference-" + what
			}
			add("ConferenceSid", s.sid("CF"), "FriendlyName", s.sid("WT"), "StatusCallbackEvent", what, "Timestamp", stamp, "SequenceNumber", number,
				"CallSid", s.sid("CA"), "Muted", "false", "Hold", "false", "Coaching", "false")
		case "recording":
			add("RecordingSid", s.sid("RE"), "RecordingStatus", what, "CallSid", s.sid("CA"), "RecordingDuration", "12", "RecordingChannels", "2",
				"RecordingSource", "DialVerb", "RecordingUrl", "https://api.twilio.com/2010-04-01/Accounts/"+s.Account+"/Recordings/"+s.sid("RE"), "RecordingStartTime", stamp)
		case "transcription":
			add("TranscriptionSid", s.sid("GT"), "TranscriptionEvent", "transcription-"+what, "SequenceId", number, "CallSid", s.sid("CA"),
				"Track", "inbound_track", "TranscriptionData", `{"transcript":"Hello","confidence":0.9}`, "Final", "true")
		case "message":
			add("MessageSid", s.sid("SM"), "MessageStatus", what, "From", "+15005550006", "To", "+15005550001")
		}
	case Conversations, Before:
		stamp := at.Format("2006-01-02T15:04:05.000Z")
		add("EventType", t, "Source", "SDK", "ClientIdentity", "ada", "ConversationSid", s.sid("CH"), "ChatServiceSid", s.sid("IS"),
			"Attributes", "{}", "DateCreated", s.Time.UTC().Format("2006-01-02T15:04:05.000Z"), "DateUpdated", stamp)
		switch {
		case strings.HasPrefix(t, "onMessage"):
			add("MessageSid", s.sid("IM"), "Body", "Hello", "Author", "ada", "Index", strconv.Itoa(n), "ParticipantSid", s.sid("MB"))
		case strings.HasPrefix(t, "onParticipant"):
			add("ParticipantSid", s.sid("MB"), "Identity", "ada", "RoleSid", s.sid("RL"))
		case strings.HasPrefix(t, "onDelivery"):
			add("MessageSid", s.sid("IM"), "DeliveryReceiptSid", s.own("DY", n), "Status", "delivered", "ErrorCode", "0", "ChannelMessageSid", s.sid("SM"))
		case strings.HasPrefix(t, "onUser"):
			delete(f, "ConversationSid")
			add("UserSid", s.sid("US"), "Identity", "ada", "FriendlyName", "Ada")
		case t == "onConversationStateUpdated":
			add("StateFrom", "active", "StateTo", "closed", "StateUpdated", stamp, "Reason", "API")
		default:
			add("FriendlyName", "A conversation", "State", "active")
		}
		if t == "onMessageAdd" {
			delete(f, "MessageSid")
			delete(f, "Index")
		}
	case Interactions:
		add("EventType", t, "InstanceSid", s.sid("GO"), "InteractionSid", s.sid("KD"), "ChannelSid", s.sid("UO"),
			"MediaChannelSid", s.sid("CH"), "MediaChannelType", "web")
		switch {
		case strings.HasPrefix(t, "onParticipant"):
			add("ParticipantSid", s.sid("UT"), "ParticipantType", "agent", "TaskSid", s.sid("WT"))
		case t == "onChannelStatusUpdated":
			add("ChannelStatus", "closed")
		case t == "onChannelCreateFailed":
			add("ErrorCode", "500", "ErrorMessage", "The channel could not be created")
		}
	case Stream:
		add("EventType", t)
		switch {
		case strings.Contains(t, ".voice."):
			add("CallSid", s.sid("CA"), "CallStatus", "completed")
		case strings.Contains(t, ".messaging."):
			add("MessageSid", s.sid("SM"), "from", "+15005550006", "to", "+15005550001")
		case strings.Contains(t, ".studio."):
			add("flow_sid", s.sid("FW"), "execution_sid", s.sid("FN"), "name", "send_to_flex", "status", "ended")
		case strings.Contains(t, ".conversations."):
			add("ConversationSid", s.sid("CH"), "MessageSid", s.sid("IM"))
		case strings.Contains(t, "test-event"):
			add("test_id", s.sid(""))
		}
	case Webhook:
		switch kind {
		case "incoming":
			add("From", "+15005550006", "To", "+15005550001", "ApiVersion", "2010-04-01")
			if what == "call" {
				add("CallSid", s.sid("CA"), "CallStatus", "ringing", "Direction", "inbound")
			} else {
				add("MessageSid", s.sid("SM"), "SmsSid", s.sid("SM"), "Body", "Hello", "NumMedia", "0")
			}
		case "sync":
			add("EventType", what, "ServiceSid", s.sid("IS"), "Identity", "ada", "EventId", strconv.Itoa(n))
		case "video":
			add("StatusCallbackEvent", what, "RoomSid", s.sid("RM"), "RoomName", "room", "Timestamp", at.Format(time.RFC3339), "SequenceNumber", strconv.Itoa(n))
		case "verify":
			add("type", what, "service_sid", s.sid("VA"), "identity", "ada", "uuid", s.own("", n))
		}
	}
	return f
}

// CloudEvent returns the n-th event of the story as Event Streams sends it.
// fields are those of the sample, possibly changed.
func (s Story) CloudEvent(t string, n int, fields map[string]string) map[string]any {
	data := map[string]any{}
	if source, _ := SourceOf(t); source == TaskRouter {
		t = StreamType(t)
		payload := map[string]any{}
		for name, v := range fields {
			payload[snake(name)] = v
		}
		data["payload"] = payload
	} else {
		for name, v := range fields {
			if name != "EventType" {
				data[name] = v
			}
		}
	}
	event := map[string]any{
		"specversion": "1.0", "id": s.own("EZ", n), "type": t, "source": "/v1/events/" + s.own("EZ", n), "datacontenttype": "application/json",
		"time": s.Time.Add(time.Duration(n) * time.Second).UTC().Format("2006-01-02T15:04:05.000Z"), "data": data,
	}
	if schema := SchemaOf(t); schema.ID != "" {
		event["dataschema"] = schema.URL(schema.Latest)
	}
	return event
}

// snake converts names such as TaskSid to task_sid.
func snake(name string) string {
	var b strings.Builder
	for i, r := range name {
		if r >= 'A' && r <= 'Z' {
			if i > 0 && name[i-1] != '_' {
				b.WriteByte('_')
			}
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}
