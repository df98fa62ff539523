package main

import (
	"testing"

	"github.com/flexfn/flexfn/flexfntest"
)

func TestCancelTask(t *testing.T) {
	app := flexfntest.New(t)
	app.Handle("/flex/cancel-task", cancelTask)
	pending := flexfntest.Params{"taskSid": "WT00000000000000000000000000000002", "reason": "a duplicate"}

	for _, token := range []string{flexfntest.Agent, flexfntest.Guest, flexfntest.Expired, ""} {
		app.CallFlex(token, "/flex/cancel-task", pending).Refused(403, "")
	}
	app.SawNo("POST", "/v1/Workspaces/*/Tasks/*")

	answer := app.CallFlex(flexfntest.Supervisor, "/flex/cancel-task", pending).OK()
	if answer.Field("task", "assignmentStatus") != "canceled" {
		t.Errorf("the answer is %s", answer.Body)
	}
	app.Saw("POST", "/v1/Workspaces/*/Tasks/*", flexfntest.Params{"AssignmentStatus": "canceled", "Reason": "a duplicate"})

	gone := flexfntest.Params{"taskSid": "WT99999999999999999999999999999999", "reason": "a duplicate"}
	app.CallFlex(flexfntest.Admin, "/flex/cancel-task", gone).Refused(404, "may have ended already")
}
