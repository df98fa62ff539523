package functions

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/internal/conflict"
	"github.com/flexfn/flexfn/internal/steps"
	"github.com/flexfn/flexfn/twilioapi"
	api "github.com/twilio/twilio-go/rest/api/v2010"
	taskrouter "github.com/twilio/twilio-go/rest/taskrouter/v1"
	"github.com/twilio/twilio-go/twiml"
)

// internalCall lets agents call each other, or a queue.
//
// The caller joins a conference named after the SID of their task. Once they
// have joined, the called agent gets a task that leads there. Twilio may report
// the join twice, so the caller's task is marked with what the first report
// did. If the called agent's task cannot be created, the conference ends, so
// that the caller does not wait in it alone. Reports about one call take turns,
// among all instances that share a Store. Without a Store, two instances that
// get the report at the same moment could both create a task.
func internalCall(c *Config) []flexfn.Route {
	const path = "/features/internal-call/"
	return []flexfn.Route{
		{Path: path + "common/call-outbound-join", Function: flexfn.PrepareStudioFunction(c.conferenceEvent, flexfn.Doc("Calls the other agent when the first one has joined, and ends the tasks with the conference."))},
		{Path: path + "flex/cleanup-rejected-task", Function: flexfn.PrepareFlexFunction(cleanUpRejected, flexfn.Doc("Ends an internal call that was not taken."))},
	}
}

// internalCallVoice has the functions that Twilio asks for TwiML. They need
// neither settings nor calls to Twilio, so they always answer.
func internalCallVoice(*Config) []flexfn.Route {
	const path = "/features/internal-call/"
	return []flexfn.Route{
		{Path: path + "common/agent-join-conference", Function: flexfn.PrepareStudioFunction(joinConference, flexfn.Doc("Joins an agent to a conference with TwiML."))},
		{Path: path + "common/agent-outbound-join", Function: flexfn.PrepareStudioFunction(joinOutbound, flexfn.Doc("Joins the calling agent to the conference of their task with TwiML."))},
	}
}

type joinParams struct {
	Conference optional `json:"conferenceName" doc:"name of the conference" example:"WT00000000000000000000000000000001"`
}

// joinConference leads the called agent into the conference, which ends when
// either of the two leaves.
func joinConference(_ context.Context, in joinParams) (*flexfn.Response, error) {
	return intoConference(&twiml.VoiceConference{Name: string(in.Conference), EndConferenceOnExit: "true"})
}

type joinOutboundParams struct {
	Task optional `json:"taskSid" doc:"the task, whose SID names the conference" example:"WT00000000000000000000000000000001"`
}

// joinOutbound leads the calling agent into the conference. Only this leg asks
// for status callbacks, at a URL relative to this function's.
func joinOutbound(_ context.Context, in joinOutboundParams) (*flexfn.Response, error) {
	return intoConference(&twiml.VoiceConference{
		Name: string(in.Task), EndConferenceOnExit: "true", StatusCallback: "call-outbound-join", StatusCallbackEvent: "join end",
	})
}

// intoConference puts a caller into a conference. Without a name, which Twilio
// would refuse, the call ends. The word undefined is not a name: strangers would
// meet in that conference.
func intoConference(c *twiml.VoiceConference) (*flexfn.Response, error) {
	if strings.TrimSpace(c.Name) == "" {
		return twilioapi.TwiML(&twiml.VoiceHangup{})
	}
	return twilioapi.TwiML(&twiml.VoiceDial{InnerElements: []twiml.Element{c}})
}

type conferenceEventParams struct {
	Name       string `json:"FriendlyName" doc:"name of the conference, the SID of the caller's task"`
	Conference string `json:"ConferenceSid" doc:"the conference"`
	Call       string `json:"CallSid" doc:"the call that joined"`
	Event      string `json:"StatusCallbackEvent" doc:"participant-join or conference-end; nothing is done at others"`
}

// conferenceEvent answers Twilio's status callback. Twilio ignores the answer
// but logs a failure.
func (c *Config) conferenceEvent(ctx context.Context, in conferenceEventParams) (*flexfn.Response, error) {
	var err error
	switch in.Event {
	case "participant-join":
		err = c.participantJoined(ctx, in)
	case "conference-end":
		err = endInternalTasks(ctx, in.Name)
	}
	if err != nil {
		return nil, err
	}
	return twilioapi.TwiML()
}

// internalTask holds the attributes of the caller's task. The plugin writes
// them when it creates the task; TaskRouter adds worker_call_sid when it calls
// the agent.
type internalTask struct {
	To         string `json:"to"`
	From       string `json:"from"`
	FromName   string `json:"fromName"`
	Queue      string `json:"callToQueue"`
	WorkerCall string `json:"worker_call_sid"`
	Conference struct {
		Participants struct {
			Task string `json:"taskSid"`
		} `json:"participants"`
	} `json:"conference"`
}

// participantJoined handles a participant who joined the conference of an
// internal call. If it is the calling agent, it creates the called agent's
// task, and marks the caller's task with it so that the call can be ended
// later. Twilio reports a participant more than once, so calls for one
// conference take turns, and a marked task is left alone. If a step fails, the
// conference ends, so that the caller does not wait in silence.
func (c *Config) participantJoined(ctx context.Context, in conferenceEventParams) error {
	if err := required("CallSid", "CA", in.Call, "FriendlyName", "WT", in.Name, "ConferenceSid", "CF", in.Conference); err != nil {
		return err
	}
	// Look the call up first: one that is not an agent's needs neither a turn
	// nor a task.
	call := twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) (*api.ApiV2010Call, error) {
		return api.NewApiService(client).FetchCall(in.Call, nil)
	})
	if err := call.Err(); err != nil {
		return err
	}
	if !strings.HasPrefix(value(call.Data.To), "client") {
		return nil // not an agent's
	}
	turn, err := conflict.TakeShared(ctx, "internal call "+in.Name)
	if err != nil {
		return err
	}
	defer turn()
	fetched := twilioapi.FetchTask(ctx, in.Name)
	if err := fetched.Err(); err != nil {
		return err
	}
	var task internalTask
	if json.Unmarshal([]byte(value(fetched.Data.Attributes)), &task) != nil || task.WorkerCall != in.Call {
		return nil // not the caller
	}
	if task.Conference.Participants.Task != "" {
		return nil // a repeated report
	}
	if task.To == "" {
		return c.abandon(ctx, in, flexfn.Errorf(http.StatusBadRequest, "the task does not say who to call: its attribute \"to\" is missing"))
	}
	// The template's names and values; "true" and "false" are strings there
	// too.
	attributes := map[string]any{
		"to": task.To, "name": task.FromName, "from": task.From, "autoAnswer": "false", "conferenceSid": in.Name,
		"conference": map[string]string{"sid": in.Conference, "friendlyName": in.Name}, "internal": "true", "client_call": true,
	}
	if task.Queue != "" {
		attributes["callToQueue"] = task.Queue
	} else {
		attributes["targetWorker"] = task.To
	}
	created := twilioapi.CreateTask(ctx, &taskrouter.CreateTaskParams{
		WorkflowSid: &c.InternalCallWorkflowSID, TaskChannel: new("voice"), Attributes: new(string(object(attributes))),
		Timeout: new(86400), Priority: new(0),
	})
	switch err := created.Err(); {
	// The called agent may have the task: ending the conference would make it
	// lead nowhere.
	case created.OutcomeUnknown:
		return err // the called agent may already have the task
	case err != nil:
		return c.abandon(ctx, in, err)
	}
	sid := value(created.Data.Sid)
	marked := twilioapi.UpdateTaskAttributes(ctx, in.Name, object(map[string]any{"conference": map[string]any{
		"sid": in.Conference, "participants": map[string]string{"worker": in.Call, "taskSid": sid},
	}}))
	if err := marked.Err(); err != nil {
		// Without the mark, nothing would end the called agent's task.
		var undo steps.Undo
		undo.Add("the task "+sid+" of the called one", func(ctx context.Context) error {
			return twilioapi.SetTaskStatus(ctx, sid, "canceled", "Internal call failed").Err()
		})
		undo.Unless(ctx, err)
		return c.abandon(ctx, in, err)
	}
	return nil
}

// abandon ends a conference that no one will join, and returns cause for
// Twilio's log. It has its own deadline of a few seconds, since the request's
// may have passed.
func (c *Config) abandon(ctx context.Context, in conferenceEventParams, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), steps.UndoTime)
	defer cancel()
	if err := endConference(ctx, in.Conference); err != nil {
		flexfn.Logger(ctx).Error("an internal call failed, and its conference could not be ended", "conference", in.Conference, "cause", cause, "error", err)
	}
	return cause
}

func endConference(ctx context.Context, sid string) error {
	return twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) (*api.ApiV2010Conference, error) {
		return api.NewApiService(client).UpdateConference(sid, &api.UpdateConferenceParams{Status: new("completed")})
	}).Err()
}

// endInternalTasks ends the caller's and the called agent's task. If one cannot
// be ended, it still ends the other, unless the caller's task, which names it,
// cannot be read. Twilio can report the end twice; SetTaskStatus succeeds for a
// task that has ended.
func endInternalTasks(ctx context.Context, sid string) error {
	if err := required("FriendlyName", "WT", sid); err != nil {
		return err
	}
	other, err := endInternalTask(ctx, sid)
	if other != "" {
		_, failed := endInternalTask(ctx, other)
		err = errors.Join(err, failed)
	}
	return err
}

// endInternalTask ends one task in the way that its status allows, and returns
// the SID of the other task.
func endInternalTask(ctx context.Context, sid string) (other string, err error) {
	fetched := twilioapi.FetchTask(ctx, sid)
	switch {
	case fetched.Status == http.StatusNotFound:
		return "", nil
	case !fetched.Success:
		return "", fetched.Err()
	}
	var task internalTask
	_ = json.Unmarshal([]byte(value(fetched.Data.Attributes)), &task) // attributes that are not JSON name no other task
	if flexfn.ValidSID(task.Conference.Participants.Task, "WT") {
		other = task.Conference.Participants.Task
	}
	// A task that an agent has accepted goes to wrapping; one that still waits
	// is canceled.
	next := map[string]string{"assigned": "wrapping", "pending": "canceled", "reserved": "canceled"}[value(fetched.Data.AssignmentStatus)]
	if next == "" {
		return other, nil
	}
	return other, twilioapi.SetTaskStatus(ctx, sid, next, "conference is complete").Err()
}

// required refuses invalid and missing SIDs. Parameters come as for checkSIDs:
// name, prefix and value.
func required(parameters ...string) error {
	for i := 2; i < len(parameters); i += 3 {
		if parameters[i] == "" {
			return flexfn.Errorf(http.StatusBadRequest, "%s is missing", parameters[i-2])
		}
	}
	return checkSIDs(parameters...)
}

type cleanUpParams struct {
	Task       string `json:"taskSid" purpose:"unique ID of task to clean up" kind:"WT"`
	Conference string `json:"conferenceSid" purpose:"unique ID of conference to clean up" example:"CF00000000000000000000000000000005"`
}

// cleanUpRejected takes both steps even if the first fails, and reports both
// errors. Each step can be repeated. The plugin sends the word undefined if
// there is no conference yet.
func cleanUpRejected(ctx context.Context, in cleanUpParams) (done, error) {
	var conference optional
	_ = conference.UnmarshalText([]byte(in.Conference)) // never fails
	if err := checkSIDs("conferenceSid", "CF", string(conference)); err != nil {
		return done{}, err
	}
	err := twilioapi.SetTaskStatus(ctx, in.Task, "canceled", "Rejected internal call").Err()
	if conference != "" {
		err = errors.Join(err, endConference(ctx, string(conference)))
	}
	return done{}, err
}
