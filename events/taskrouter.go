package events

import (
	"slices"
	"strings"
	"time"

	"github.com/flexfn/flexfn/internal/twilioevent"
)

// TaskRouterEvent is an event of a TaskRouter workspace, from its
// EventCallbackUrl, from Event Streams or from the Events API. Parts that the
// event does not concern are zero. Its fields are those of
// https://www.twilio.com/docs/taskrouter/api/event/reference; [Event.Field]
// returns others that Twilio sends, now or in future. ResourceType is
// documented in capitals but seen in lower case; here it is always in lower
// case.
type TaskRouterEvent struct {
	Event
	Description      string `twilio:"EventDescription"`
	ResourceType     string `twilio:"ResourceType"` // in lower case
	ResourceSID      string `twilio:"ResourceSid"`
	WorkspaceSID     string `twilio:"WorkspaceSid"`
	WorkspaceName    string `twilio:"WorkspaceName"`
	OperatingUnitSID string `twilio:"OperatingUnitSid"`
	KnownWorkerSID   string `twilio:"known_worker_sid"` // with Known Agent Routing

	Task        Task
	Reservation Reservation
	Worker      Worker
	TaskQueue   TaskQueue
	Workflow    Workflow
	TaskChannel TaskChannel
	Activity    Activity
	Transfer    Transfer
}

// Task is a TaskRouter task, as events and assignment callbacks describe it.
// Age and AgeInQueue are whole seconds. Attributes are as they were when the
// event happened; read the task to know what they are now. The previous
// priority and queue come with Event Streams, and are assumed to come with
// callbacks too.
type Task struct {
	SID        string        `twilio:"TaskSid"`
	Attributes Attributes    `twilio:"TaskAttributes"`
	Age        time.Duration `twilio:"TaskAge"`
	Priority   int           `twilio:"TaskPriority"`
	// AssignmentStatus is pending, reserved, assigned, canceled, wrapping or
	// completed.
	AssignmentStatus string `twilio:"TaskAssignmentStatus"`
	CanceledReason   string `twilio:"TaskCanceledReason"`
	CompletedReason  string `twilio:"TaskCompletedReason"`
	// Version grows with each change of the task; [NewestOnly] goes by it.
	Version            int           `twilio:"TaskVersion"`
	Created            time.Time     `twilio:"TaskDateCreated"`
	VirtualStart       time.Time     `twilio:"TaskVirtualStartTime"`
	QueueEntered       time.Time     `twilio:"TaskQueueEnteredDate"`
	AgeInQueue         time.Duration `twilio:"task_age_in_queue"`
	IgnoreCapacity     bool          `twilio:"TaskIgnoreCapacity"`
	RoutingTarget      string        `twilio:"task_routing_target"`
	ReEvaluatedReason  string        `twilio:"task_re_evaluated_reason"`
	Reason             string        `twilio:"Reason"`
	PreviousPriority   int           `twilio:"previous_task_priority"`
	PreviousQueueSID   string        `twilio:"previous_task_queue_sid"`
	PreviousQueueName  string        `twilio:"previous_task_queue_name"`
	TargetChangeReason string        `twilio:"target_changed_reason"`
}

// Reservation is a task's reservation of a worker. Version grows with each
// change.
type Reservation struct {
	SID        string `twilio:"ReservationSid"`
	Version    int    `twilio:"ReservationVersion"`
	ReasonCode string `twilio:"reservation_reason_code"`
}

// Worker is a TaskRouter worker. Durations are whole seconds.
type Worker struct {
	SID                  string        `twilio:"WorkerSid"`
	Name                 string        `twilio:"WorkerName"`
	Attributes           Attributes    `twilio:"WorkerAttributes"`
	ActivitySID          string        `twilio:"WorkerActivitySid"`
	ActivityName         string        `twilio:"WorkerActivityName"`
	Version              int           `twilio:"WorkerVersion"`
	PreviousActivitySID  string        `twilio:"WorkerPreviousActivitySid"`
	PreviousActivityName string        `twilio:"WorkerPreviousActivityName"`
	InPreviousActivity   time.Duration `twilio:"WorkerTimeInPreviousActivity"`
	// InPreviousActivityMs is the same in milliseconds. An int32 would overflow
	// after 25 days.
	InPreviousActivityMs int64 `twilio:"WorkerTimeInPreviousActivityMs"`

	// These come with worker.capacity.update and
	// worker.channel.availability.update.
	ChannelAvailable         bool `twilio:"WorkerChannelAvailable"`
	ChannelAvailableCapacity int  `twilio:"WorkerChannelAvailableCapacity"` // percent
	ChannelPreviousCapacity  int  `twilio:"WorkerChannelPreviousCapacity"`
	ChannelTaskCount         int  `twilio:"WorkerChannelTaskCount"`
}

// TaskQueue is a TaskRouter task queue.
type TaskQueue struct {
	SID              string `twilio:"TaskQueueSid"`
	Name             string `twilio:"TaskQueueName"`
	TargetExpression string `twilio:"TaskQueueTargetExpression"`
}

// Workflow is a TaskRouter workflow, and the filter that a task met in it.
type Workflow struct {
	SID                    string `twilio:"WorkflowSid"`
	Name                   string `twilio:"WorkflowName"`
	FilterName             string `twilio:"WorkflowFilterName"`
	FilterExpression       string `twilio:"workflow_filter_expression"`
	FilterTargetName       string `twilio:"workflow_filter_target_name"`
	FilterTargetExpression string `twilio:"workflow_filter_target_expression"`
}

// TaskChannel is a TaskRouter task channel.
type TaskChannel struct {
	SID              string `twilio:"TaskChannelSid"`
	Name             string `twilio:"TaskChannelName"`
	UniqueName       string `twilio:"TaskChannelUniqueName"`
	OptimizedRouting bool   `twilio:"TaskChannelOptimizedRouting"`
}

// Activity is a TaskRouter activity, in activity.* events.
type Activity struct {
	SID       string `twilio:"ActivitySid"`
	Name      string `twilio:"ActivityName"`
	Available bool   `twilio:"ActivityAvailable"`
}

// Transfer is a task's transfer. The fields are those of Event Streams, and are
// assumed to come with callbacks too.
type Transfer struct {
	Started                  time.Time `twilio:"transfer_started"`
	Status                   string    `twilio:"transfer_status"`
	Mode                     string    `twilio:"transfer_mode"`
	Type                     string    `twilio:"transfer_type"`
	To                       string    `twilio:"transfer_to"`
	FailedReason             string    `twilio:"transfer_failed_reason"`
	InitiatingWorkerSID      string    `twilio:"transfer_initiating_worker_sid"`
	InitiatingReservationSID string    `twilio:"transfer_initiating_reservation_sid"`
	TaskTransferSID          string    `twilio:"task_transfer_sid"`
}

// knownTaskRouterType reports whether any type that TaskRouter documents
// matches. It catches typos; an event of an unknown type still reaches the
// listeners of "*".
func knownTaskRouterType(pattern string) bool {
	return slices.ContainsFunc(twilioevent.TaskRouterTypes(), func(t string) bool { return twilioevent.Matches(pattern, t) })
}

// taskRouterEvent reads an event of TaskRouter from any of its sources. The key
// is the event's own SID, which callbacks have although it is not documented;
// otherwise token, an id of the delivery; otherwise the type, the resource and
// the time. Without a time, two events might get the same key, so it is a hash
// of all fields.
func taskRouterEvent(f fields, token string) Event {
	e := Event{Type: strings.ToLower(f.text("EventType")), AccountSID: f.text("AccountSid"), fields: f}
	e.Time, _ = parseTime(f.first("TimestampMs", "Timestamp"))
	e.Key = f.text("Sid")
	if e.Key == "" {
		e.Key = token
	}
	if e.Key == "" {
		if e.Key = strings.Join([]string{e.Type, f.text("ResourceSid"), f.first("TimestampMs", "Timestamp")}, " "); e.Time.IsZero() {
			e.Key = f.sum()
		}
	}
	return e
}

// taskRouterOrder returns the subject of the event, and its position among that
// subject's events. Only reservations, tasks and workers have versions; other
// events are ordered by time. Callbacks have milliseconds, so equal times are
// rare.
func taskRouterOrder(e Event) (subject string, at order) {
	kind, _, _ := strings.Cut(e.Type, ".")
	subject = e.fields.text("ResourceSid")
	version := ""
	switch kind {
	case "reservation":
		subject, version = e.fields.first("ReservationSid", "ResourceSid"), "ReservationVersion"
	case "task":
		subject, version = e.fields.first("TaskSid", "ResourceSid"), "TaskVersion"
	case "worker":
		subject, version = e.fields.first("WorkerSid", "ResourceSid"), "WorkerVersion"
	}
	at.time = e.Time.UnixMilli()
	if version != "" {
		at.version = number(e.fields.text(version))
	}
	return subject, at
}
