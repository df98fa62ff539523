package functions

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/twilioapi"
	taskrouter "github.com/twilio/twilio-go/rest/taskrouter/v1"
)

// workspace returns the Flex workspace's SID, for direct requests to
// TaskRouter. The helpers of twilioapi look it up themselves.
func workspace(ctx context.Context) (string, error) {
	return configured(flexfn.FromContext(ctx).Config().WorkspaceSID, "TWILIO_FLEX_WORKSPACE_SID")
}

// configured returns an error for a setting that is empty.
func configured(value, name string) (string, error) {
	if value == "" {
		return "", flexfn.Errorf(http.StatusInternalServerError, "%s is not set", name)
	}
	return value, nil
}

// GetQueues lists all task queues of the workspace as queues, each with sid,
// friendlyName and targetWorkers. It reads every page, up to 1,000 queues
// each. Its path is /common/flex/taskrouter/get-queues.
//
// The list is complete or the call fails. A workspace without queues answers
// with an empty list.
var GetQueues = flexfn.PrepareFlexFunction(getQueues, flexfn.Doc("Lists the task queues."))

type queuesReply struct {
	Queues []queue `json:"queues"`
}

// queue has the three fields that the template gives, null where Twilio leaves
// one out.
type queue struct {
	TargetWorkers *string `json:"targetWorkers"`
	FriendlyName  *string `json:"friendlyName"`
	SID           *string `json:"sid"`
}

func getQueues(ctx context.Context, _ struct{}) (queuesReply, error) {
	workspace, err := workspace(ctx)
	if err != nil {
		return queuesReply{}, err
	}
	res := twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) ([]taskrouter.TaskrouterV1TaskQueue, error) {
		return taskrouter.NewApiService(client).ListTaskQueue(workspace, &taskrouter.ListTaskQueueParams{PageSize: new(pageSize)})
	})
	reply := queuesReply{Queues: []queue{}}
	for _, q := range res.Data {
		reply.Queues = append(reply.Queues, queue{q.TargetWorkers, q.FriendlyName, q.Sid})
	}
	return reply, res.Err()
}

// pageSize is the largest page that Twilio sends.
const pageSize = 1000

// GetWorkerChannels lists the channels of any worker as workerChannels. Its
// path is /common/flex/taskrouter/get-worker-channels.
//
// If the worker does not exist, the answer is Twilio's 404.
var GetWorkerChannels = flexfn.PrepareFlexFunction(getWorkerChannels, flexfn.Doc("Lists the channels of a worker."))

type workerParams struct {
	Worker string `json:"workerSid" purpose:"unique ID of the worker" kind:"WK"`
}

type workerChannelsReply struct {
	Channels []twilioapi.Resource `json:"workerChannels"`
}

func getWorkerChannels(ctx context.Context, in workerParams) (workerChannelsReply, error) {
	workspace, err := workspace(ctx)
	if err != nil {
		return workerChannelsReply{}, err
	}
	res := twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) ([]taskrouter.TaskrouterV1WorkerChannel, error) {
		return taskrouter.NewApiService(client).ListWorkerChannel(workspace, in.Worker, &taskrouter.ListWorkerChannelParams{PageSize: new(pageSize)})
	})
	return workerChannelsReply{twilioapi.Views(res.Data)}, res.Err()
}

// UpdateTaskAttributes merges attributesUpdate, an object, into a task's
// attributes, as [twilioapi.UpdateTaskAttributes] does: objects by key, lists
// by index, and a null at the top removes its key. Concurrent changes are all
// kept. Its path is /common/flex/taskrouter/update-task-attributes.
//
// The answer only says whether it succeeded: 400 if the update is not an
// object, and Twilio's 404 if the task does not exist.
var UpdateTaskAttributes = flexfn.PrepareFlexFunction(updateTaskAttributes, flexfn.Doc("Merges an object into the attributes of a task."))

type taskAttributesParams struct {
	Task   string          `json:"taskSid" purpose:"unique ID of task to update" kind:"WT"`
	Update json.RawMessage `json:"attributesUpdate" purpose:"object to overwrite on existing task attributes" example:"{\"note\":\"called back\"}"`
}

func updateTaskAttributes(ctx context.Context, in taskAttributesParams) (done, error) {
	return done{}, twilioapi.UpdateTaskAttributes(ctx, in.Task, in.Update).Err()
}

// UpdateTaskAssignmentStatus changes a task's status, as
// [twilioapi.SetTaskStatus] does. It succeeds for a task that no longer exists
// or can no longer change to that status. Its path is
// /common/flex/taskrouter/update-task-assignment-status.
//
// An unknown status is answered 400. Twilio's documentation asks for a reason
// with "completed" and "canceled"; unless the caller gives one, it says that the
// plugin asked for it.
var UpdateTaskAssignmentStatus = flexfn.PrepareFlexFunction(updateTaskAssignmentStatus, flexfn.Doc("Sets the assignment status of a task."))

type taskStatusParams struct {
	Task   string   `json:"taskSid" purpose:"unique ID of task to update" kind:"WT"`
	Status string   `json:"assignmentStatus" purpose:"Set task to assignemnt status of: pending, reserved, assigned, canceled, wrapping, or completed" example:"wrapping"`
	Reason optional `json:"reason" doc:"why the task is completed or canceled"`
}

func updateTaskAssignmentStatus(ctx context.Context, in taskStatusParams) (done, error) {
	reason := ""
	if in.Status == "completed" || in.Status == "canceled" {
		reason = in.Reason.or("Set to " + in.Status + " by the Flex plugin")
	}
	return done{}, twilioapi.SetTaskStatus(ctx, in.Task, in.Status, reason).Err()
}

// UpdateWorkerAttributes sets each key of attributesUpdate in a worker's
// attributes, as [twilioapi.UpdateWorkerAttributes] does, and answers with the
// worker. It is for supervisors and administrators, since attributes decide
// which tasks a worker gets. Its path is
// /common/flex/taskrouter/update-worker-attributes.
//
// Unlike the attributes of tasks, a list or an object is replaced as a whole,
// and a null is stored. Concurrent changes are all kept.
var UpdateWorkerAttributes = flexfn.PrepareFlexFunction(updateWorkerAttributes,
	flexfn.Roles("supervisor", "admin"), flexfn.Doc("Overwrites keys of the attributes of a worker."))

type workerAttributesParams struct {
	workerParams
	Update json.RawMessage `json:"attributesUpdate" purpose:"object to overwrite on existing task attributes" example:"{\"note\":\"called back\"}"`
}

type workerReply struct {
	Worker twilioapi.Resource `json:"worker"`
}

func updateWorkerAttributes(ctx context.Context, in workerAttributesParams) (workerReply, error) {
	res := twilioapi.UpdateWorkerAttributes(ctx, in.Worker, in.Update)
	return workerReply{twilioapi.View(res.Data)}, res.Err()
}

// UpdateWorkerChannel sets capacity and availability of a channel of the
// caller or, if the caller is a supervisor or an administrator, of another
// worker. The channel is named by its SID or by the unique name of its task
// channel. The answer has it as workerChannelCapacity. Its path is
// /common/flex/taskrouter/update-worker-channel.
//
// Capacity is a number of tasks. For another worker's channel, an agent gets
// 403. Twilio checks the capacity.
var UpdateWorkerChannel = flexfn.PrepareFlexFunction(updateWorkerChannel, flexfn.Doc("Sets capacity and availability of a worker's channel."))

type workerChannelParams struct {
	Channel   string `json:"workerChannelSid" purpose:"unique ID of the workerChannelSid to update" example:"WC00000000000000000000000000000001"`
	Capacity  uint32 `json:"capacity" purpose:"the new capacity"`
	Available bool   `json:"available" purpose:"whether the channel is enabled or not"`
	Worker    string `json:"workerSid" doc:"unique ID of the worker; the caller's own when left out" kind:"WK"`
}

// Validate also accepts the unique name of the task channel, as Twilio does.
func (p workerChannelParams) Validate() error {
	return checkNames("workerChannelSid", p.Channel)
}

type workerChannelReply struct {
	Channel twilioapi.Resource `json:"workerChannelCapacity"`
}

// updateWorkerChannel checks that the caller may change the worker's channel
// before it reads anything of that worker.
func updateWorkerChannel(ctx context.Context, in workerChannelParams) (workerChannelReply, error) {
	owner, _ := flexfn.TokenOwner(ctx)
	worker := owner.WorkerSID
	if in.Worker != "" && in.Worker != worker {
		if !owner.HasRole("supervisor", "admin") {
			return workerChannelReply{}, flexfn.Errorf(http.StatusForbidden, "Only a supervisor or admin may change the channels of another worker")
		}
		worker = in.Worker
	}
	workspace, err := workspace(ctx)
	if err != nil {
		return workerChannelReply{}, err
	}
	res := twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) (*taskrouter.TaskrouterV1WorkerChannel, error) {
		return taskrouter.NewApiService(client).UpdateWorkerChannel(workspace, worker, in.Channel, &taskrouter.UpdateWorkerChannelParams{
			Capacity: new(int(in.Capacity)), Available: &in.Available,
		})
	})
	return workerChannelReply{twilioapi.View(res.Data)}, res.Err()
}
