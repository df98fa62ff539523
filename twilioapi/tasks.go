package twilioapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/internal/sid"
	taskrouter "github.com/twilio/twilio-go/rest/taskrouter/v1"
)

// FetchTask reads a task of the app's Flex workspace.
//
// The Result's Data is nil after a failure; if the task does not exist,
// TwilioErrorCode is 20404. The task's Attributes are JSON in a string.
func FetchTask(ctx context.Context, taskSID string, opts ...flexfn.RetryOption) flexfn.Result[*taskrouter.TaskrouterV1Task] {
	return inWorkspace(ctx, opts, func(api *taskrouter.ApiService, workspace string) (*taskrouter.TaskrouterV1Task, error) {
		return api.FetchTask(workspace, taskSID)
	}, checkSID("task", taskPrefix, taskSID))
}

// ListTasks lists the tasks of the app's Flex workspace that match params; nil
// matches all. It reads page after page, up to params.Limit tasks, and returns
// either the complete list or an error. Tasks that change in the meantime may be
// missing or listed twice.
//
//	res := twilioapi.ListTasks(ctx, new(taskrouter.ListTaskParams).
//		SetAssignmentStatus([]string{"pending"}).SetLimit(200))
//
// Without a Limit the list can be long: a page has 1,000 tasks unless
// params.PageSize says otherwise. params is not changed.
func ListTasks(ctx context.Context, params *taskrouter.ListTaskParams, opts ...flexfn.RetryOption) flexfn.Result[[]taskrouter.TaskrouterV1Task] {
	var p taskrouter.ListTaskParams
	if params != nil {
		p = *params
	}
	if p.PageSize == nil {
		p.PageSize = new(mostPerPage)
	}
	return inWorkspace(ctx, opts, func(api *taskrouter.ApiService, workspace string) ([]taskrouter.TaskrouterV1Task, error) {
		each := p // a copy, since twilio-go writes to it
		return api.ListTask(workspace, &each)
	})
}

// mostPerPage is the largest page that Twilio sends.
const mostPerPage = 1000

// CreateTask creates a task in the app's Flex workspace. Attributes that are not a
// JSON object are refused with status 400 before anything is sent: Twilio would
// accept them, but workflows and Flex would fail on them. If the answer is lost,
// the create is not repeated, since it may have happened; see
// [flexfn.Result].OutcomeUnknown.
//
//	res := twilioapi.CreateTask(ctx, new(taskrouter.CreateTaskParams).
//		SetWorkflowSid(workflow).SetTaskChannel("voice").SetAttributes(`{"customer":"Ada"}`))
//
// To create one task per click, whatever happens, prepare the function with
// [flexfn.Once].
func CreateTask(ctx context.Context, params *taskrouter.CreateTaskParams, opts ...flexfn.RetryOption) flexfn.Result[*taskrouter.TaskrouterV1Task] {
	var fault error
	if params != nil {
		fault = checkAttributes(params.Attributes)
	}
	return inWorkspace(ctx, opts, func(api *taskrouter.ApiService, workspace string) (*taskrouter.TaskrouterV1Task, error) {
		return api.CreateTask(workspace, params)
	}, fault)
}

// UpdateTask changes a task of the app's Flex workspace. It refuses
// params.Attributes without params.IfMatch, which would overwrite what others have
// written since they were read. To change attributes, use [UpdateTaskAttributes].
//
// Twilio does not change status and attributes in one request; use
// [SetTaskStatus] for the status. If params.IfMatch is out of date, the call
// fails with status 412; retrying it unchanged does not help, so read the task
// again, or use UpdateTaskAttributes.
func UpdateTask(ctx context.Context, taskSID string, params *taskrouter.UpdateTaskParams, opts ...flexfn.RetryOption) flexfn.Result[*taskrouter.TaskrouterV1Task] {
	fault := checkSID("task", taskPrefix, taskSID)
	if params != nil && params.Attributes != nil {
		fault = errors.Join(fault, checkAttributes(params.Attributes))
		if params.IfMatch == nil {
			fault = errors.Join(fault, &flexfn.Error{
				Status:  http.StatusInternalServerError,
				Message: "replacing task attributes without a version (IfMatch) loses concurrent changes: use UpdateTaskAttributes",
			})
		}
	}
	return inWorkspace(ctx, opts, func(api *taskrouter.ApiService, workspace string) (*taskrouter.TaskrouterV1Task, error) {
		return api.UpdateTask(workspace, taskSID, params)
	}, fault)
}

// SetTaskStatus moves a task of the app's Flex workspace to an assignment
// status: "pending", "reserved", "assigned", "canceled", "wrapping" or
// "completed". Twilio requires a reason for "completed" and "canceled"; an empty
// one is not sent.
//
// If the task is gone (Twilio error 20404), or can no longer change to that status
// (20001), the call succeeds with nil Data, so that a task can be completed twice.
//
//	res := twilioapi.SetTaskStatus(ctx, in.TaskSID, "completed", "the agent wrapped up")
//
// Twilio uses code 20001 for several reasons, so check the task's status
// afterwards if it matters. Any other status fails with 400 before anything is
// sent.
func SetTaskStatus(ctx context.Context, taskSID, status, reason string, opts ...flexfn.RetryOption) flexfn.Result[*taskrouter.TaskrouterV1Task] {
	params := taskrouter.UpdateTaskParams{AssignmentStatus: &status}
	if reason != "" {
		params.Reason = &reason
	}
	return inWorkspace(ctx, opts, func(api *taskrouter.ApiService, workspace string) (*taskrouter.TaskrouterV1Task, error) {
		return unlessSettled(api.UpdateTask(workspace, taskSID, &params))
	}, checkSID("task", taskPrefix, taskSID),
		checkStatus("the status of a task", status, "pending", "reserved", "assigned", "canceled", "wrapping", "completed"))
}

// SetReservationStatus moves a worker's reservation of a task to a status:
// "accepted", "rejected", "timeout", "canceled", "rescinded", "wrapping" or
// "completed". As with [SetTaskStatus], the call succeeds with nil Data if the
// reservation is gone or can no longer change to that status.
func SetReservationStatus(ctx context.Context, taskSID, reservationSID, status string, opts ...flexfn.RetryOption) flexfn.Result[*taskrouter.TaskrouterV1TaskReservation] {
	return inWorkspace(ctx, opts, func(api *taskrouter.ApiService, workspace string) (*taskrouter.TaskrouterV1TaskReservation, error) {
		return unlessSettled(api.UpdateTaskReservation(workspace, taskSID, reservationSID, &taskrouter.UpdateTaskReservationParams{ReservationStatus: &status}))
	}, checkSID("task", taskPrefix, taskSID), checkSID("reservation", reservationPrefix, reservationSID),
		checkStatus("the status of a reservation", status, "accepted", "rejected", "timeout", "canceled", "rescinded", "wrapping", "completed"))
}

// unlessSettled turns an error that means that there is nothing left to change
// into a success without data. Twilio uses the same code for an unknown status,
// so the status must be checked before.
func unlessSettled[T any](data *T, err error) (*T, error) {
	if e, ok := errors.AsType[*flexfn.Error](err); ok && (e.TwilioErrorCode == 20001 || e.TwilioErrorCode == 20404) {
		return nil, nil
	}
	return data, err
}

// inWorkspace runs callback through ExecuteTwilio, with TaskRouter's API and
// the app's Flex workspace. It fails without running callback if faults has an
// error or the app has no workspace.
func inWorkspace[T any](ctx context.Context, opts []flexfn.RetryOption, callback func(api *taskrouter.ApiService, workspace string) (T, error), faults ...error) flexfn.Result[T] {
	workspace, err := workspaceOf(ctx)
	for _, fault := range append([]error{err}, faults...) {
		if fault != nil {
			return failed[T](fault)
		}
	}
	return ExecuteTwilio(ctx, func(client *Client) (T, error) {
		return callback(taskrouter.NewApiService(client), workspace)
	}, opts...)
}

func workspaceOf(ctx context.Context) (string, error) {
	app := flexfn.FromContext(ctx)
	if app == nil {
		return "", noApp()
	}
	workspace := app.Config().WorkspaceSID
	if workspace == "" {
		return "", &flexfn.Error{Status: http.StatusInternalServerError, Message: "TWILIO_FLEX_WORKSPACE_SID is not set"}
	}
	return workspace, nil
}

// The prefixes of the SIDs that are checked.
const (
	taskPrefix        = "WT"
	workerPrefix      = "WK"
	reservationPrefix = "WR"
	recordingPrefix   = "RE"
)

func checkSID(kind, prefix, s string) error {
	if sid.Valid(s, prefix) {
		return nil
	}
	article := "a "
	if strings.ContainsRune("aeiou", rune(kind[0])) {
		article = "an "
	}
	return &flexfn.Error{Status: http.StatusBadRequest, Message: "this is not the SID of " + article + kind, Err: fmt.Errorf("%q", s)}
}

func checkStatus(what, status string, known ...string) error {
	if slices.Contains(known, status) {
		return nil
	}
	return &flexfn.Error{Status: http.StatusBadRequest, Message: what + " must be one of " + strings.Join(known, ", ")}
}

func checkAttributes(attributes *string) error {
	var object map[string]json.RawMessage
	if attributes == nil || json.Unmarshal([]byte(*attributes), &object) == nil && object != nil {
		return nil
	}
	return &flexfn.Error{Status: http.StatusBadRequest, Message: "the attributes are not a JSON object"}
}
