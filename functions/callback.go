package functions

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/twilioapi"
	taskrouter "github.com/twilio/twilio-go/rest/taskrouter/v1"
)

// callbacks are the functions for callbacks and voicemails: voice tasks that
// reach an agent without a caller on the line. The wait experience, which offers
// them to callers, is in wait_experience.go.
func callbacks(c *Config) []flexfn.Route {
	const path = "/features/callback-and-voicemail/"
	return []flexfn.Route{
		{Path: path + "flex/fetch-voicemail", Function: flexfn.PrepareFlexFunction(fetchVoicemail, flexfn.Doc("Downloads a voicemail."))},
		{Path: path + "flex/requeue-callback", Function: flexfn.PrepareFlexFunction(c.requeueCallback, flexfn.Doc("Queues a callback again after the customer was not reached."))},
		{Path: path + "studio/create-callback", Function: flexfn.PrepareStudioFunction(c.createCallback, flexfn.Doc("Creates the task of a callback or a voicemail."))},
	}
}

type voicemailParams struct {
	Recording string `json:"recordingSid" purpose:"recording sid to fetch" kind:"RE" example:"RE00000000000000000000000000000002"`
}

type voicemailReply struct {
	Recording string `json:"recording"` // base64
	Type      string `json:"type"`
}

// fetchVoicemail answers with the sound in base64, since the plugin expects
// JSON. [twilioapi.RecordingMedia] bounds it to 32 MiB. The SID becomes part of
// a path, so its form is checked. Any worker can fetch any recording of the
// account.
func fetchVoicemail(ctx context.Context, in voicemailParams) (voicemailReply, error) {
	res := twilioapi.RecordingMedia(ctx, in.Recording, "mp3")
	return voicemailReply{base64.StdEncoding.EncodeToString(res.Data.Body), res.Data.Type}, res.Err()
}

// callback is a request for a callback: from a flow, from a caller, or from an
// agent who tries again. Empty and nil fields come from the old task, or have
// the default of [Config.createCallbackTask].
type callback struct {
	Number, From                                  string // the customer's number, and the one to call from
	Workflow, Channel, FlowExecution, LinkID      string
	Timeout, Priority, Attempts                   *int
	Received                                      string
	Deleted                                       bool
	Recording, RecordingURL, TranscriptSID, Words string
	// inTurn keeps the old task's place in the queue. Otherwise the new task
	// goes to the end, as after an agent did not reach the customer.
	inTurn bool
}

// callbackData is the attribute callBackData, which the plugin shows. The names
// are the template's. A voicemail is a callback with a Recording.
type callbackData struct {
	Number        string `json:"numberToCall,omitempty"`
	From          string `json:"numberToCallFrom,omitempty"`
	Recording     string `json:"recordingSid,omitempty"`
	RecordingURL  string `json:"recordingUrl,omitempty"`
	TranscriptSID string `json:"transcriptSid,omitempty"`
	Transcript    string `json:"transcriptText,omitempty"`
	TimeZone      string `json:"mainTimeZone"`
	Received      string `json:"utcDateTimeReceived"`
	Deleted       bool   `json:"isDeleted"`
	Attempts      count  `json:"attempts"`
}

// count is a number that may arrive as a string.
type count int

// UnmarshalJSON implements [json.Unmarshaler].
func (c *count) UnmarshalJSON(raw []byte) error {
	n, err := strconv.Atoi(string(trimQuotes(raw)))
	if err == nil {
		*c = count(n)
	}
	return nil // an unreadable number does not count as an attempt
}

func trimQuotes(raw []byte) []byte {
	if len(raw) >= 2 && raw[0] == '"' {
		return raw[1 : len(raw)-1]
	}
	return raw
}

// createCallbackTask creates the task of b. old is the task that it replaces,
// or nil; its attributes, queue and priority are kept, except for attributes
// that describe the call itself. Without an old task, it is a voice task of the
// configured workflow with priority 0, canceled after a day (86400 s). If the
// old task was itself a callback, the number of attempts grows by one. The
// create is not repeated if its outcome is unknown. If it fails, nothing has
// changed.
func (c *Config) createCallbackTask(ctx context.Context, b callback, old *taskrouter.TaskrouterV1Task) (*taskrouter.TaskrouterV1Task, error) {
	data := callbackData{TimeZone: c.timeZone(), Received: isoNow()}
	attributes := json.RawMessage("{}")
	params := &taskrouter.CreateTaskParams{WorkflowSid: &c.CallbackWorkflowSID, TaskChannel: new("voice"), Timeout: new(86400), Priority: new(0)}
	kept := map[string]json.RawMessage{}
	if old != nil {
		kept = attributesOf(old.Attributes)
		if kept == nil {
			return nil, flexfn.Errorf(http.StatusBadGateway, "the attributes of the task are not a JSON object")
		}
		attributes = json.RawMessage(*old.Attributes)
		// b may still override these, below.
		params.WorkflowSid, params.TaskChannel, params.Timeout, params.Priority = old.WorkflowSid, old.TaskChannelUniqueName, &old.Timeout, &old.Priority
		if b.inTurn {
			params.VirtualStartTime = old.DateCreated
		}
		var before callbackData
		if raw, ok := kept["callBackData"]; ok && json.Unmarshal(raw, &before) == nil {
			data = before
			data.Attempts++
		}
	}
	override(&data.Number, b.Number)
	override(&data.From, b.From)
	override(&data.Recording, b.Recording)
	override(&data.RecordingURL, b.RecordingURL)
	override(&data.TranscriptSID, b.TranscriptSID)
	override(&data.Transcript, b.Words)
	override(&data.Received, b.Received)
	data.Deleted = b.Deleted
	if b.Attempts != nil {
		data.Attempts = count(*b.Attempts)
	}
	link := conversationLink(kept["conversations"], b.LinkID)
	update := map[string]any{
		"taskType": "callback", "callBackData": data, "direction": "inbound",
		// These describe the call, which is over or about to be.
		"call_sid": nil, "reservation_attributes": nil, "conference": nil,
	}
	if data.Recording != "" {
		update["taskType"] = "voicemail"
	}
	if direction := textOf(kept["direction"]); direction != "" {
		update["direction"] = direction
	}
	if b.Number != "" {
		update["from"], update["name"] = b.Number, b.Number
	}
	if b.FlowExecution != "" {
		update["flow_execution_sid"] = b.FlowExecution
	}
	// These are replaced, not merged.
	for _, update := range []json.RawMessage{json.RawMessage(`{"conversations":null,"callBackData":null}`), object(update), object(map[string]any{"conversations": link})} {
		var err error
		if attributes, err = twilioapi.MergeAttributes(attributes, update); err != nil {
			return nil, err
		}
	}
	params.Attributes = new(string(attributes))
	if b.Workflow != "" {
		params.WorkflowSid = &b.Workflow
	}
	if b.Channel != "" {
		params.TaskChannel = &b.Channel
	}
	if b.Timeout != nil {
		params.Timeout = b.Timeout
	}
	if b.Priority != nil {
		params.Priority = b.Priority
	}
	return twilioapi.CreateTask(ctx, params).Get()
}

// conversationLink returns the attribute conversations, which reports use,
// without the fields that say how the call ended. Only the old task says how
// the call ended.
func conversationLink(old json.RawMessage, linkID string) map[string]json.RawMessage {
	link := attributesOf(new(string(old)))
	if link == nil {
		link = map[string]json.RawMessage{}
	}
	delete(link, "abandoned")
	delete(link, "hang_up_by")
	if linkID != "" {
		link["conversation_id"] = object(linkID)
	}
	return link
}

func override(field *string, by string) {
	if by != "" {
		*field = by
	}
}

// createCallbackParams are the parameters of a flow, as the template names
// them. The recording may instead come under the names that Twilio posts; see
// twilioRecording.
type createCallbackParams struct {
	Number        given        `json:"numberToCall" purpose:"the number of the customer to call" example:"+15550001111"`
	From          given        `json:"numberToCallFrom" purpose:"the number to call the customer from" example:"+15550002222"`
	FlowExecution optional     `json:"flexFlowSid" doc:"the execution of the flow that asks"`
	Workflow      optional     `json:"workflowSid" doc:"workflow of the task; the configured one when left out"`
	Timeout       optionalInt  `json:"timeout" doc:"seconds after which the task is canceled; 86400 when left out"`
	Priority      optionalInt  `json:"priority" doc:"priority of the task; 0 when left out"`
	Attempts      optionalInt  `json:"attempts" doc:"how often the customer was called already; 0 when left out"`
	LinkID        optional     `json:"conversation_id" doc:"conversation_id to link tasks for reporting"`
	Received      optional     `json:"utcDateTimeReceived" doc:"when the customer asked; now when left out"`
	Deleted       optionalBool `json:"isDeleted" doc:"whether the voicemail was deleted; false when left out"`
	Channel       optional     `json:"taskChannel" doc:"task channel; voice when left out"`
	Recording     optional     `json:"recordingSid" doc:"the voicemail's recording, which makes it a voicemail"`
	RecordingURL  optional     `json:"recordingUrl" doc:"address of the recording"`
	TranscriptSID optional     `json:"transcriptSid" doc:"the voicemail's transcription"`
	Transcript    optional     `json:"transcriptText" doc:"what the transcription says"`
	twilioRecording
}

// twilioRecording holds the same under the names that Twilio posts.
type twilioRecording struct {
	Recording     optional `json:"RecordingSid" doc:"as recordingSid, as Twilio posts it"`
	RecordingURL  optional `json:"RecordingUrl" doc:"as recordingUrl, as Twilio posts it"`
	TranscriptSID optional `json:"TranscriptionSid" doc:"as transcriptSid, as Twilio posts it"`
	Transcript    optional `json:"TranscriptionText" doc:"as transcriptText, as Twilio posts it"`
}

// Validate implements [flexfn.Validator].
func (p createCallbackParams) Validate() error {
	return checkSIDs("workflowSid", "WW", string(p.Workflow))
}

// createCallback creates a callback for a flow. The template's names win over
// Twilio's.
func (c *Config) createCallback(ctx context.Context, in createCallbackParams) (taskReply, error) {
	posted := in.twilioRecording
	return createdTask(c.createCallbackTask(ctx, callback{
		Number: string(in.Number), From: string(in.From), Workflow: string(in.Workflow), Channel: string(in.Channel), FlowExecution: string(in.FlowExecution),
		LinkID: string(in.LinkID), Timeout: in.Timeout.n, Priority: in.Priority.n, Attempts: in.Attempts.n, Received: string(in.Received), Deleted: bool(in.Deleted),
		Recording: in.Recording.or(string(posted.Recording)), RecordingURL: in.RecordingURL.or(string(posted.RecordingURL)),
		TranscriptSID: in.TranscriptSID.or(string(posted.TranscriptSID)), Words: in.Transcript.or(string(posted.Transcript)),
	}, nil))
}

func createdTask(task *taskrouter.TaskrouterV1Task, err error) (taskReply, error) {
	if err != nil {
		return taskReply{}, err
	}
	return taskReply{value(task.Sid)}, nil
}

type requeueParams struct {
	Task string `json:"taskSid" purpose:"the callback task SID to requeue" kind:"WT"`
}

// requeueCallback creates a new task from the old one, and fails if it cannot
// read the old one. The plugin completes the old task only after a success. At
// worst, if that completion fails, a customer has two callbacks; a callback is
// never lost.
func (c *Config) requeueCallback(ctx context.Context, in requeueParams) (taskReply, error) {
	old := twilioapi.FetchTask(ctx, in.Task)
	if err := old.Err(); err != nil {
		return taskReply{}, err
	}
	return createdTask(c.createCallbackTask(ctx, callback{}, old.Data))
}
