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
func FetchTask(ctx context.Context, taskSID string, opts ...flexfn.RetryOption) flexfn.Result[*taskrouter.TaskrouterV1Task] {
	return inWorkspace(ctx, opts, func(api *taskrouter.ApiService, workspace string) (*taskrouter.TaskrouterV1Task, error) {
		return api.FetchTask(workspace, taskSID)
	}, checkSID("task", taskPrefix, taskSID))
}

// ListTasks lists the tasks of the app's Flex workspace that params choose; nil
// chooses them all. The list is whole, page by page, or the call fails;
// params.Limit bounds it. Tasks that change while they are listed may be
// missed or come twice.
func ListTasks(ctx context.Context, params *taskrouter.ListTaskParams, opts ...flexfn.RetryOption) flexfn.Result[[]taskrouter.TaskrouterV1Task] {
	var p taskrouter.ListTaskParams
	if params != nil {
		p = *params
	}
	if p.PageSize == nil {
		p.PageSize = new(mostPerPage)
	}
	return inWorkspace(ctx, opts, func(api *taskrouter.ApiService, workspace string) ([]taskrouter.TaskrouterV1Task, error) {
		each := p // twilio-go writes to it
		return api.ListTask(workspace, &each)
	})
}

// mostPerPage is the most that Twilio sends at once.
const mostPerPage = 1000

// CreateTask creates a task in the app's Flex workspace. Attributes that are
// not a JSON object are refused with status 400 before anything is sent:
// Twilio takes them, and workflows and Flex then fail on them. A create whose
// answer was lost is not repeated, since it may have happened; see
// [flexfn.Result].OutcomeUnknown.
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
// params.Attributes without params.IfMatch, which would undo what others wrote
// since they were read: change attributes with [UpdateTaskAttributes].
func UpdateTask(ctx context.Context, taskSID string, params *taskrouter.UpdateTaskParams, opts ...flexfn.RetryOption) flexfn.Result[*taskrouter.TaskrouterV1Task] {
	fault := checkSID("task", taskPrefix, taskSID)
	if params != nil && params.Attributes != nil {
		fault = errors.Join(fault, checkAttributes(params.Attributes))
		if params.IfMatch == nil {
			fault = errors.Join(fault, &flexfn.Error{
				Status:  http.StatusInternalServerError,
				Message: "task attributes are replaced without a version (IfMatch), which loses concurrent changes: use UpdateTaskAttributes",
			})
		}
	}
	return inWorkspace(ctx, opts, func(api *taskrouter.ApiService, workspace string) (*taskrouter.TaskrouterV1Task, error) {
		return api.UpdateTask(workspace, taskSID, params)
	}, fault)
}

// SetTaskStatus moves a task of the app's Flex workspace to an assignment
// status: "pending", "reserved", "assigned", "canceled", "wrapping" or
// "completed". Twilio needs a reason for the last and for "canceled"; empty
// sends none.
//
// That the task is gone (Twilio error 20404), or is past changing so (20001),
// counts as done, so that a task may be completed twice; Data is then nil.
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
// "completed". As with [SetTaskStatus], a reservation that is gone or past
// changing so counts as done, and Data is then nil.
func SetReservationStatus(ctx context.Context, taskSID, reservationSID, status string, opts ...flexfn.RetryOption) flexfn.Result[*taskrouter.TaskrouterV1TaskReservation] {
	return inWorkspace(ctx, opts, func(api *taskrouter.ApiService, workspace string) (*taskrouter.TaskrouterV1TaskReservation, error) {
		return unlessSettled(api.UpdateTaskReservation(workspace, taskSID, reservationSID, &taskrouter.UpdateTaskReservationParams{ReservationStatus: &status}))
	}, checkSID("task", taskPrefix, taskSID), checkSID("reservation", reservationPrefix, reservationSID),
		checkStatus("the status of a reservation", status, "accepted", "rejected", "timeout", "canceled", "rescinded", "wrapping", "completed"))
}

// unlessSettled takes an error that says that there is nothing left to change
// for a success without data. Twilio has the same code for a status that it
// does not know, which therefore has to be checked before.
func unlessSettled[T any](data *T, err error) (*T, error) {
	if e, ok := errors.AsType[*flexfn.Error](err); ok && (e.TwilioErrorCode == 20001 || e.TwilioErrorCode == 20404) {
		return nil, nil
	}
	return data, err
}

// inWorkspace is ExecuteTwilio for TaskRouter in the app's Flex workspace,
// unless there is a fault.
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

// The prefixes of SIDs.
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
	return &flexfn.Error{Status: http.StatusBadRequest, Message: "this is not the SID of a " + kind, Err: fmt.Errorf("%q", s)}
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
