package twilioapi_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/twilioapi"
	"github.com/flexfn/flexfn/twiliofake"
)

// oneTask imitates a Twilio that has one task and stores nothing.
const oneTask = `{"account_sid":"AC00000000000000000000000000000001","age":25200,"assignment_status":"assigned",
"attributes":"{\"name\":\"Ada\",\"type\":\"inbound\",\"conversations\":{\"conversation_id\":\"WT00000000000000000000000000000002\"},\"skills\":[\"en\",\"support\"]}",
"date_created":"2026-05-14T10:50:02Z","date_updated":"2026-05-14T14:26:02Z","task_queue_entered_date":null,"virtual_start_time":"2026-05-14T10:50:02Z",
"priority":0,"reason":null,"sid":"WT00000000000000000000000000000002","task_queue_sid":"WQ00000000000000000000000000000003","task_queue_friendly_name":"Everyone",
"task_channel_sid":"TC00000000000000000000000000000004","task_channel_unique_name":"voice","timeout":86400,"workflow_sid":"WW00000000000000000000000000000005",
"workflow_friendly_name":"Assign to anyone","workspace_sid":"WS00000000000000000000000000000006","ignore_capacity":false,"routing_target":null,"addons":"{}",
"url":"https://taskrouter.twilio.com/v1/Workspaces/WS00000000000000000000000000000006/Tasks/WT00000000000000000000000000000002",
"links":{"task_queue":"https://taskrouter.twilio.com/v1/Workspaces/WS00000000000000000000000000000006/TaskQueues/WQ00000000000000000000000000000003",
"workflow":"https://taskrouter.twilio.com/v1/Workspaces/WS00000000000000000000000000000006/Workflows/WW00000000000000000000000000000005",
"workspace":"https://taskrouter.twilio.com/v1/Workspaces/WS00000000000000000000000000000006",
"reservations":"https://taskrouter.twilio.com/v1/Workspaces/WS00000000000000000000000000000006/Tasks/WT00000000000000000000000000000002/Reservations"}}`

type oneTaskTwilio struct{}

func (oneTaskTwilio) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body)
	}
	return &http.Response{StatusCode: 200, Header: http.Header{"Etag": {`"3"`}}, Body: io.NopCloser(strings.NewReader(oneTask)), ContentLength: int64(len(oneTask))}, nil
}

// BenchmarkUpdateTaskAttributes measures flexfn's work for the two requests of
// an update, without a network.
func BenchmarkUpdateTaskAttributes(b *testing.B) {
	app, err := flexfn.New(flexfn.Config{
		AccountSID: twiliofake.DevelopmentAccountSID, AuthToken: twiliofake.DevelopmentAuthToken,
		WorkspaceSID: "WS00000000000000000000000000000006", Logger: slog.New(slog.DiscardHandler), Transport: oneTaskTwilio{},
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx := app.Context(b.Context())
	b.ReportAllocs()
	for b.Loop() {
		if res := twilioapi.UpdateTaskAttributes(ctx, "WT00000000000000000000000000000002", json.RawMessage(`{"note":"called back"}`)); !res.Success {
			b.Fatal(res.Err())
		}
	}
}
