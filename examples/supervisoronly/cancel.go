package main

import (
	"context"
	"net/http"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/twilioapi"
	taskrouter "github.com/twilio/twilio-go/rest/taskrouter/v1"
)

type cancelParams struct {
	Task   string `json:"taskSid" kind:"WT" purpose:"the task to cancel" example:"WT00000000000000000000000000000002"`
	Reason string `json:"reason" purpose:"why it is canceled"`
}

type cancelReply struct {
	Task twilioapi.Resource `json:"task"`
}

var cancelTask = flexfn.PrepareFlexFunction(func(ctx context.Context, in cancelParams) (cancelReply, error) {
	workspace := flexfn.FromContext(ctx).Config().WorkspaceSID
	res := twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) (*taskrouter.TaskrouterV1Task, error) {
		return taskrouter.NewApiService(client).UpdateTask(workspace, in.Task, &taskrouter.UpdateTaskParams{
			AssignmentStatus: new("canceled"), Reason: &in.Reason,
		})
	})
	if res.Status == http.StatusNotFound {
		return cancelReply{}, flexfn.Errorf(http.StatusNotFound, "There is no such task; it may have ended already")
	}
	return cancelReply{twilioapi.View(res.Data)}, res.Err()
}, flexfn.Roles("supervisor", "admin"), flexfn.Doc("Cancels a task; for supervisors."))
