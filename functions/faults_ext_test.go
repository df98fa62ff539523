package functions_test

import (
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/flexfntest"
	"github.com/flexfn/flexfn/twiliofake"
)

// TestFaultAtEveryCall repeats a function of several steps with a fault at each
// of its upstream calls in turn, and checks what is left in Twilio. A success
// has done every step. A failure has left nothing behind, unless it says that
// its outcome is unknown.
func TestFaultAtEveryCall(t *testing.T) {
	for _, tt := range []struct {
		path string
		params
		made func(*flexfntest.App) int // of what must be there once, or not at all
	}{
		{"callback-and-voicemail/flex/requeue-callback", params{"taskSid": "WT" + one}, countOf("tasks")},
		{"chat-to-video-escalation/flex/generate-unique-code", params{"taskSid": "WT" + one}, openRooms},
		{"chat-transfer/flex/create-transfer-task", params{
			"conversationId": "WT" + one, "jsonAttributes": `{"channelSid":"CH` + one + `"}`, "transferTargetSid": "WQ" + one, "ignoreWorkerContactUri": "client:a",
		}, countOf("tasks")},
	} {
		calls := upstreamCalls(t, tt.path, tt.params)
		for _, fault := range []twiliofake.Fault{
			{Name: "503 once", Status: 503, Times: 1}, {Name: "503 at every attempt of this call", Status: 503},
			{Name: "503 from here on", Status: 503, Times: 1000},
			{Name: "answer lost", Action: twiliofake.Reset, Apply: true, Times: 1},
			{Name: "request lost", Action: twiliofake.Reset, Times: 1},
		} {
			for at, call := range calls {
				t.Run(fmt.Sprint(tt.path, "/", fault.Name, "/", at), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						app := newApp(t, func(c *flexfn.Config) { c.Logger = slog.New(slog.DiscardHandler) })
						before := tt.made(app)
						fault.Skip = at
						if fault.Times == 0 {
							fault.Skip, fault.Match = 0, twiliofake.Match{Method: call.Method, Path: call.Path}
						}
						app.CallFlex(flexfntest.Agent, "/common/flex/taskrouter/get-queues", nil).OK() // the token is known from here on
						app.Twilio.ClearRequests()
						if err := app.Twilio.SetFaults(fault); err != nil {
							t.Fatal(err)
						}
						got := app.CallFlex(flexfntest.Agent, "/features/"+tt.path, tt.params)
						left := tt.made(app) - before
						switch {
						case got.Status == 200 && left != 1:
							t.Errorf("a success left %d: %s", left, got.Body)
						case got.Status != 200 && left != 0 && got.Field("outcomeUnknown") != true && fault.Times <= 1: // else it cannot be undone either
							t.Errorf("a failure left %d: %s", left, got.Body)
						case left > 1:
							t.Errorf("%d stand after status %d: %s", left, got.Status, got.Body)
						}
					})
				})
			}
		}
	}
}

// upstreamCalls lists the upstream calls of a function when nothing fails.
func upstreamCalls(t *testing.T, path string, p params) []twiliofake.Request {
	app := newApp(t)
	app.CallFlex(flexfntest.Agent, "/common/flex/taskrouter/get-queues", nil).OK()
	app.Twilio.ClearRequests()
	app.CallFlex(flexfntest.Agent, "/features/"+path, p).OK()
	return app.Twilio.Requests(twiliofake.Match{})
}

func countOf(kind string) func(*flexfntest.App) int {
	return func(app *flexfntest.App) int { return len(app.Twilio.State().Resources[kind]) }
}

func openRooms(app *flexfntest.App) (n int) {
	for _, room := range app.Twilio.State().Resources["video_rooms"] {
		if fmt.Sprint(room["status"]) != "completed" {
			n++
		}
	}
	return n
}
