package functions

import (
	"context"
	"encoding/json"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/twilioapi"
	taskrouter "github.com/twilio/twilio-go/rest/taskrouter/v1"
)

// CreateTask creates a task for a Studio flow. The answer has the task as task,
// and its SID as taskSid. The priority is 0 unless given; unless given a
// timeout, the task is canceled after a day. The create is not repeated if its
// outcome is unknown; the flow then takes its Failed branch, with
// outcomeUnknown in the answer. Its path is
// /common/studio/taskrouter/create-task.
//
// Attributes must be a JSON object; other parameters are checked by Twilio,
// whose refusal has its own code. In the answer the task's attributes are an
// object, not text, so that a flow can read them. To create one task however
// often the flow asks, write a function with [flexfn.Once].
var CreateTask = flexfn.PrepareStudioFunction(createTask, flexfn.Doc("Creates a task."))

type createTaskParams struct {
	Workflow   string                     `json:"workflowSid" purpose:"workflow to execute" kind:"WW"`
	Channel    string                     `json:"taskChannel" purpose:"task channel for task" example:"voice"`
	Attributes map[string]json.RawMessage `json:"attributes" purpose:"attributes for task"`
	Priority   *int                       `json:"priority" doc:"priority of the task, zero or more; 0 when left out"`
	Timeout    *int                       `json:"timeout" doc:"seconds after which the task is canceled; 86400 when left out"`
}

type createTaskReply struct {
	Task twilioapi.Resource `json:"task"`
	SID  string             `json:"taskSid"`
}

func createTask(ctx context.Context, in createTaskParams) (createTaskReply, error) {
	if in.Priority == nil {
		in.Priority = new(0)
	}
	if in.Timeout == nil {
		in.Timeout = new(86400)
	}
	attributes, err := json.Marshal(in.Attributes)
	if err != nil {
		return createTaskReply{}, err
	}
	res := twilioapi.CreateTask(ctx, &taskrouter.CreateTaskParams{
		WorkflowSid: &in.Workflow, TaskChannel: &in.Channel, Attributes: new(string(attributes)),
		Priority: in.Priority, Timeout: in.Timeout,
	})
	if err := res.Err(); err != nil {
		return createTaskReply{}, err
	}
	reply := createTaskReply{Task: twilioapi.View(res.Data)}
	if sid := res.Data.Sid; sid != nil {
		reply.SID = *sid
	}
	// Text that is not JSON, which Twilio never sends, would break the whole
	// answer.
	if text, ok := reply.Task["attributes"].(string); ok && json.Valid([]byte(text)) {
		reply.Task["attributes"] = json.RawMessage(text)
	}
	return reply, nil
}
