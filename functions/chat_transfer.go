package functions

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/internal/steps"
	"github.com/flexfn/flexfn/twilioapi"
	chat "github.com/twilio/twilio-go/rest/chat/v2"
	taskrouter "github.com/twilio/twilio-go/rest/taskrouter/v1"
)

// chatTransfer transfers a Programmable Chat chat to another worker or queue
// with a second task, and completes the first task without closing the chat.
//
// The second task is created before the chat's channel is marked with it. If
// the mark cannot be written, that is logged and the transfer goes ahead.
// Completing the first task marks the channel before the task loses its
// channel, so the chat always has a mark.
func chatTransfer(c *Config) []flexfn.Route {
	const path = "/features/chat-transfer/"
	return []flexfn.Route{
		{Path: path + "flex/create-transfer-task", Function: flexfn.PrepareFlexFunction(c.createTransferTask, flexfn.Doc("Creates the task to which a chat is transferred."))},
		{Path: path + "flex/complete-task-for-transfer", Function: flexfn.PrepareFlexFunction(c.completeTaskForTransfer, flexfn.Doc("Completes a task whose chat continues in another."))},
		{Path: path + "studio/add-task-to-chat-channel-data", Function: flexfn.PrepareStudioFunction(c.markChannelFromStudio, flexfn.Doc("Records on a chat channel that a task is in progress."))},
	}
}

// transferTaskParams are the plugin's, with its spelling. Empty optional ones,
// and the words undefined and null, count as left out.
type transferTaskParams struct {
	LinkID     optional        `json:"conversationId" purpose:"conversation_id to link tasks for reporting" example:"WT00000000000000000000000000000001"`
	Attributes json.RawMessage `json:"jsonAttributes" purpose:"JSON calling tasks attributes to perpetuate onto new task" example:"{\"channelSid\":\"CH00000000000000000000000000000001\"}"`
	Target     string          `json:"transferTargetSid" purpose:"sid of target worker or target queue" kind:"WK|WQ"`
	QueueName  optional        `json:"transferQueueName" doc:"name of the queue if transfering to a queue, otherwise empty string"`
	Ignore     optional        `json:"ignoreWorkerContactUri" purpose:"woker Contact Uri to ignore when transfering" example:"client:agent"`
	Workflow   optional        `json:"workflowSid" doc:"workflow of the task; the configured one when left out"`
	Timeout    optionalInt     `json:"timeout" doc:"seconds after which the task is canceled; 86400 when left out"`
	Priority   optionalInt     `json:"priority" doc:"priority of the task; 0 when left out"`
}

// Validate implements [flexfn.Validator].
func (p transferTaskParams) Validate() error {
	var task map[string]json.RawMessage
	if json.Unmarshal(p.Attributes, &task) != nil || task == nil {
		return errors.New("jsonAttributes is not a JSON object: send the attributes of the task")
	}
	if !flexfn.ValidSID(textOf(task["channelSid"]), "CH") {
		return errors.New("jsonAttributes has no channelSid: only the task of a chat can be transferred this way")
	}
	return checkSIDs("workflowSid", "WW", string(p.Workflow))
}

type taskReply struct {
	Task string `json:"taskSid"`
}

// createTransferTask creates the second task, and marks the chat's channel with
// it. The create is not repeated if its outcome is unknown. The first task
// keeps the chat until the plugin completes it. The attributes added here tell
// the workflow where to route: the target, its type, and the worker to leave
// out.
func (c *Config) createTransferTask(ctx context.Context, in transferTaskParams) (taskReply, error) {
	target := "worker"
	if strings.HasPrefix(in.Target, "WQ") {
		target = "queue"
	}
	attributes, err := transferAttributes(in.Attributes, string(in.LinkID), map[string]any{
		"ignoreWorkerContactUri": in.Ignore, "transferTargetSid": in.Target, "transferQueueName": in.QueueName,
		"transferTargetType": target, "workerSidsInConversation": []string{},
	})
	if err != nil {
		return taskReply{}, err
	}
	created := twilioapi.CreateTask(ctx, &taskrouter.CreateTaskParams{
		WorkflowSid: new(in.Workflow.or(c.ChatTransferWorkflowSID)), TaskChannel: new("chat"), Attributes: new(string(attributes)),
		Timeout: in.Timeout.or(86400), Priority: in.Priority.or(0),
	})
	if err := created.Err(); err != nil {
		return taskReply{}, err
	}
	task, channel := value(created.Data.Sid), textOf(attributesOf(new(string(in.Attributes)))["channelSid"])
	if err := c.markChannel(ctx, channel, task, "inflight"); err != nil {
		flexfn.Logger(ctx).Warn("a chat was transferred, but its channel is not marked with the new task", "task", task, "channel", channel, "error", err)
	}
	return taskReply{task}, nil
}

// markChannel writes the state of a task into a channel's attributes: inflight,
// or completed. It merges, so that other tasks' marks stay. ChatServiceSID is
// set, since the feature is off without it.
func (c *Config) markChannel(ctx context.Context, channel, task, state string) error {
	update := object(map[string]any{"associatedTasks": map[string]string{task: state}})
	return rewriteAttributes(ctx, channel,
		func(old json.RawMessage) (json.RawMessage, error) { return twilioapi.MergeAttributes(old, update) },
		func(client *twilioapi.Client) (*string, error) {
			channel, err := chat.NewApiService(client).FetchChannel(c.ChatServiceSID, channel)
			if err != nil {
				return nil, err
			}
			return channel.Attributes, nil
		},
		func(client *twilioapi.Client, attributes string) error {
			_, err := chat.NewApiService(client).UpdateChannel(c.ChatServiceSID, channel, &chat.UpdateChannelParams{Attributes: &attributes})
			return err
		})
}

// completeTransferParams name the first task. Type appears only in the reason
// that reports show.
type completeTransferParams struct {
	Task    string   `json:"taskSid" purpose:"task sid to remove the chat channel from" kind:"WT"`
	Type    string   `json:"transferType" purpose:"COLD or WARM transfer" example:"COLD"`
	Channel optional `json:"channelSid" doc:"channel of the chat, which the task then lets go"`
}

// Validate implements [flexfn.Validator].
func (p completeTransferParams) Validate() error {
	if p.Type != "COLD" && p.Type != "WARM" {
		return errors.New("transferType must be COLD or WARM")
	}
	return checkSIDs("channelSid", "CH", string(p.Channel))
}

// completeTaskForTransfer marks the channel as completed by the task, takes the
// channel from the task, so that its end does not close the chat, and completes
// the task. If the mark cannot be written, that is logged. After any other
// failure, calling again continues where it failed.
func (c *Config) completeTaskForTransfer(ctx context.Context, in completeTransferParams) (done, error) {
	if in.Channel != "" {
		if err := c.markChannel(ctx, string(in.Channel), in.Task, "completed"); err != nil {
			flexfn.Logger(ctx).Warn("the channel of a transferred chat is not marked with the completed task", "task", in.Task, "channel", in.Channel, "error", err)
		}
		// A task that no longer exists has no channel and cannot be completed,
		// which counts as success.
		res := twilioapi.UpdateTaskAttributes(ctx, in.Task, json.RawMessage(`{"channelSid":null}`))
		if err := res.Err(); err != nil && res.Status != http.StatusNotFound {
			return done{}, err
		}
	}
	err := twilioapi.SetTaskStatus(ctx, in.Task, "completed", "Task "+in.Type+" Transfered to new task").Err()
	if err != nil && in.Channel != "" {
		return done{}, steps.Midway(err, "The task has let its chat go, and is not completed")
	}
	return done{}, err
}

type markChannelParams struct {
	Task    string `json:"taskSid" purpose:"taskSid to add to channel attributes" kind:"WT"`
	Channel string `json:"channelSid" purpose:"channelSid to add task information to" kind:"CH"`
}

// markChannelFromStudio marks the channel of a chat that a flow has given a
// task. Unlike in a transfer, it fails if the mark cannot be written, so that
// the flow can react.
func (c *Config) markChannelFromStudio(ctx context.Context, in markChannelParams) (done, error) {
	return done{}, c.markChannel(ctx, in.Channel, in.Task, "inflight")
}
