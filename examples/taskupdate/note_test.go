package main

import (
	"fmt"
	"sync"
	"testing"

	"github.com/flexfn/flexfn/flexfntest"
	"github.com/flexfn/flexfn/twiliofake"
)

const task = "WT00000000000000000000000000000001"

func TestAddNote(t *testing.T) {
	app := flexfntest.New(t)
	app.Handle("/flex/add-note", addNote)

	// Another program is faster, twice.
	if err := app.Twilio.SetFaults(twiliofake.Fault{
		Match: twiliofake.Match{Method: "POST", Path: "/v1/Workspaces/*/Tasks/*"}, Action: twiliofake.Status, Status: 412, Times: 2,
	}); err != nil {
		t.Fatal(err)
	}
	var workers sync.WaitGroup
	for i := range 20 {
		workers.Go(func() {
			app.CallFlex(flexfntest.Agent, "/flex/add-note", flexfntest.Params{
				"taskSid": task, "topic": fmt.Sprintf("topic-%d", i), "text": "done",
			}).OK()
		})
	}
	workers.Wait()
	last := app.CallFlex(flexfntest.Agent, "/flex/add-note", flexfntest.Params{"taskSid": task, "topic": "last", "text": "done"}).OK()
	for i := range 20 {
		if last.Field("attributes", "notes", fmt.Sprintf("topic-%d", i)) != "done" {
			t.Errorf("note %d is lost: %s", i, last.Body)
		}
	}
}
