package twilioapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/twilioapi"
	"github.com/flexfn/flexfn/twiliofake"
	api "github.com/twilio/twilio-go/rest/api/v2010"
	flexapi "github.com/twilio/twilio-go/rest/flex/v1"
	taskrouter "github.com/twilio/twilio-go/rest/taskrouter/v1"
)

// fakeContext returns a ctx with an app whose Twilio is the fake.
func fakeContext(parent context.Context) context.Context {
	state := twiliofake.DevelopmentState()
	fake, err := twiliofake.New(twiliofake.Config{State: &state})
	if err != nil {
		panic(err)
	}
	app, err := flexfn.New(flexfn.Config{
		AccountSID:   twiliofake.DevelopmentAccountSID,
		AuthToken:    twiliofake.DevelopmentAuthToken,
		WorkspaceSID: twiliofake.DevelopmentWorkspaceSID,
		Transport:    fake.Client().Transport,
	})
	if err != nil {
		panic(err)
	}
	return app.Context(parent)
}

func ExampleFetchTask() {
	ctx := fakeContext(context.Background()) // in a function, use the handler's ctx
	task, err := twilioapi.FetchTask(ctx, "WT00000000000000000000000000000001").Get()
	fmt.Println(*task.AssignmentStatus, err)
	// Output: assigned <nil>
}

func ExampleListTasks() {
	ctx := fakeContext(context.Background())
	waiting, err := twilioapi.ListTasks(ctx, &taskrouter.ListTaskParams{
		AssignmentStatus: &[]string{"pending", "reserved"},
	}).Get()
	fmt.Println(len(waiting), err)
	// Output: 1 <nil>
}

func ExampleCreateTask() {
	ctx := fakeContext(context.Background())
	res := twilioapi.CreateTask(ctx, &taskrouter.CreateTaskParams{
		WorkflowSid: new("WW00000000000000000000000000000001"),
		TaskChannel: new("voice"),
		Attributes:  new(`{"taskType":"callback"}`),
	})
	fmt.Println(*res.Data.AssignmentStatus, res.OutcomeUnknown)
	// Output: pending false
}

func ExampleUpdateTask() {
	ctx := fakeContext(context.Background())
	task, err := twilioapi.UpdateTask(ctx, "WT00000000000000000000000000000002", &taskrouter.UpdateTaskParams{Priority: new(7)}).Get()
	fmt.Println(task.Priority, err)
	// Output: 7 <nil>
}

// Completing a task twice is a success.
func ExampleSetTaskStatus() {
	ctx := fakeContext(context.Background())
	for range 2 {
		res := twilioapi.SetTaskStatus(ctx, "WT00000000000000000000000000000001", "completed", "done")
		fmt.Println(res.Success, res.Data != nil)
	}
	// Output:
	// true true
	// true false
}

func ExampleSetReservationStatus() {
	ctx := fakeContext(context.Background())
	res := twilioapi.SetReservationStatus(ctx, "WT00000000000000000000000000000001", "WR00000000000000000000000000000001", "completed")
	fmt.Println(res.Success)
	// Output: true
}

func ExampleMergeAttributes() {
	merged, err := twilioapi.MergeAttributes(
		json.RawMessage(`{"name":"Ann","orders":[7,8],"note":"call back"}`),
		json.RawMessage(`{"orders":[9],"note":null}`))
	fmt.Println(string(merged), err)
	// Output: {"name":"Ann","orders":[9,8]} <nil>
}

func ExampleFlexConfiguration() {
	ctx := fakeContext(context.Background())
	attributes, err := twilioapi.FlexConfiguration(ctx).Get()
	fmt.Println(json.Valid(attributes), err)
	// Output: true <nil>
}

func ExampleUpdateFlexConfiguration() {
	ctx := fakeContext(context.Background())
	stored, err := twilioapi.UpdateFlexConfiguration(ctx, func(old json.RawMessage) (json.RawMessage, error) {
		return twilioapi.MergeAttributes(old, json.RawMessage(`{"custom_data":{"language":"de"}}`))
	}).Get()
	fmt.Println(strings.Contains(string(stored), `"language":"de"`), err)
	// Output: true <nil>
}

func ExampleRecordingMedia() {
	ctx, stop := exampleApp()
	defer stop()
	media, err := twilioapi.RecordingMedia(ctx, "REaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "mp3").Get()
	fmt.Println(media.Type, len(media.Body), err)
	// Output: audio/mpeg 3 <nil>
}

// A supervisor, whose call is in the conference, coaches the agent's call.
// Twilio accepts the conference's name, which the plugin sent, instead of its
// SID.
func ExampleUpdateParticipant() {
	ctx := fakeContext(context.Background())
	const supervisor, agent = "CA00000000000000000000000000000001", "CA00000000000000000000000000000002"
	res := twilioapi.UpdateParticipant(ctx, "CF00000000000000000000000000000001", supervisor,
		new(api.UpdateParticipantParams).SetMuted(false).SetCoaching(true).SetCallSidToCoach(agent))
	fmt.Println(*res.Data.CallSidToCoach == agent, res.Err())
	// Output: true <nil>
}

// A second agent joins a conversation, and the first one leaves it.
func ExampleInviteToInteraction() {
	ctx := fakeContext(context.Background())
	interaction, channel, agent := exampleInteraction(ctx)
	invited := twilioapi.InviteToInteraction(ctx, interaction, channel, map[string]any{
		"workspace_sid": flexfn.FromContext(ctx).Config().WorkspaceSID, "workflow_sid": "WW00000000000000000000000000000001",
		"task_channel_unique_name": "chat", "attributes": map[string]any{"from": "web"},
	})
	fmt.Println(invited.Success)
	left := twilioapi.SetInteractionParticipantStatus(ctx, interaction, channel, agent, "closed")
	fmt.Println(left.Success)
	// Output:
	// true
	// true
}

func ExampleSetInteractionChannelStatus() {
	ctx := fakeContext(context.Background())
	interaction, channel, _ := exampleInteraction(ctx)
	closed, err := twilioapi.SetInteractionChannelStatus(ctx, interaction, channel, "closed").Get()
	fmt.Println(*closed.Status, err)
	// Output: closed <nil>
}

// exampleInteraction makes an interaction with an agent.
func exampleInteraction(ctx context.Context) (interaction, channel, agent string) {
	res := twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) ([3]string, error) {
		service := flexapi.NewApiService(client)
		made, err := service.CreateInteraction(new(flexapi.CreateInteractionParams).SetChannel(map[string]any{"type": "web", "initiated_by": "customer"}))
		if err != nil {
			return [3]string{}, err
		}
		channels, err := service.ListInteractionChannel(*made.Sid, nil)
		if err != nil {
			return [3]string{}, err
		}
		joined, err := service.CreateInteractionChannelParticipant(*made.Sid, *channels[0].Sid,
			new(flexapi.CreateInteractionChannelParticipantParams).SetType("agent").SetMediaProperties(map[string]any{"identity": "ada"}))
		if err != nil {
			return [3]string{}, err
		}
		return [3]string{*made.Sid, *channels[0].Sid, *joined.Sid}, nil
	})
	return res.Data[0], res.Data[1], res.Data[2]
}

// An agent parks a conversation. The function at WebhookURL, which Twilio calls
// with the customer's next message, unparks it.
func ExampleParkInteraction() {
	ctx := fakeContext(context.Background())
	interaction, channel, agent := exampleInteraction(ctx)
	const conversation = "CH00000000000000000000000000000001"
	_, err := twilioapi.ParkInteraction(ctx, twilioapi.Parking{
		InteractionSID: interaction, ChannelSID: channel, ParticipantSID: agent, ConversationSID: conversation,
		TaskSID: "WT00000000000000000000000000000001", WorkflowSID: "WW00000000000000000000000000000001", TaskChannel: "chat",
		Attributes: json.RawMessage(`{"from":"web"}`), WorkerSID: "WK00000000000000000000000000000001",
		WebhookURL: "https://functions.example.com/unpark",
	})
	fmt.Println(err)

	invite, err := twilioapi.UnparkInteraction(ctx, twilioapi.Unparking{ConversationSID: conversation})
	fmt.Println(invite != nil, err)
	again, err := twilioapi.UnparkInteraction(ctx, twilioapi.Unparking{ConversationSID: conversation})
	fmt.Println(again != nil, err)
	// Output:
	// <nil>
	// true <nil>
	// false <nil>
}

func ExampleUpdateConversationAttributes() {
	ctx := fakeContext(context.Background())
	const conversation = "CH00000000000000000000000000000001"
	res := twilioapi.UpdateConversationAttributes(ctx, conversation, json.RawMessage(`{"pre_engagement_data":null,"language":"en"}`))
	fmt.Println(string(res.Data), res.Err())
	read := twilioapi.ConversationAttributes(ctx, conversation)
	fmt.Println(string(read.Data), read.Err())
	// Output:
	// {"language":"en"} <nil>
	// {"language":"en"} <nil>
}

func ExampleCheckSegment() {
	for _, name := range []string{"agent in training", "../Calls"} {
		fmt.Println(name, twilioapi.CheckSegment(name) == nil)
	}
	// Output:
	// agent in training true
	// ../Calls false
}

// TestHelpersRefuse checks what the helpers refuse before they call Twilio.
func TestHelpersRefuse(t *testing.T) {
	u, ctx := serve(t, nil)
	update := func(p *taskrouter.UpdateTaskParams) error { return twilioapi.UpdateTask(ctx, taskSID, p).Err() }
	for name, tt := range map[string]struct {
		err  error
		want string
	}{
		"a path":             {twilioapi.FetchTask(ctx, "../Workers").Err(), "this is not the SID of a task"},
		"no status":          {twilioapi.SetTaskStatus(ctx, taskSID, "done", "").Err(), "the status of a task must be one of"},
		"a bent reservation": {twilioapi.SetReservationStatus(ctx, taskSID, "WR1", "completed").Err(), "this is not the SID of a reservation"},
		"a path to media":    {twilioapi.RecordingMedia(ctx, "../../AC", "mp3").Err(), "this is not the SID of a recording"},
		"a format":           {twilioapi.RecordingMedia(ctx, "RE00000000000000000000000000000001", "json").Err(), "must be one of mp3, wav"},
		"attributes":         {twilioapi.CreateTask(ctx, &taskrouter.CreateTaskParams{Attributes: new("null")}).Err(), "the attributes are not a JSON object"},
		"unsafe attributes":  {update(&taskrouter.UpdateTaskParams{Attributes: new("{}")}), "use UpdateTaskAttributes"},
		"a bent conference":  {twilioapi.UpdateParticipant(ctx, "../Calls", "CA1", nil).Err(), "cannot have this name"},
		"an interaction":     {twilioapi.InviteToInteraction(ctx, "KD1", "UO1", nil).Err(), "this is not the SID of an interaction"},
		"a participant": {twilioapi.SetInteractionParticipantStatus(ctx, "KD00000000000000000000000000000001", "UO00000000000000000000000000000001", "UT1", "closed").Err(),
			"this is not the SID of a participant"},
		"a channel's status": {twilioapi.SetInteractionChannelStatus(ctx, "KD00000000000000000000000000000001", "UO00000000000000000000000000000001", "open").Err(),
			"the status of a channel must be one of"},
		"a conversation": {twilioapi.UpdateConversationAttributes(ctx, "CH1", nil).Err(), "this is not the SID of a conversation"},
		"no app":         {twilioapi.ListTasks(t.Context(), nil).Err(), "no Twilio account"},
	} {
		if tt.err == nil || !strings.Contains(tt.err.Error(), tt.want) {
			t.Errorf("%s: %v", name, tt.err)
		}
	}
	if len(u.seen) > 0 {
		t.Errorf("Twilio was asked: %q", u.seen)
	}
}

// TestSettledIsNotEveryFailure: only a task that cannot change any more counts
// as settled.
func TestSettledIsNotEveryFailure(t *testing.T) {
	u, ctx := serve(t, func(c *flexfn.Config) { c.Retry = []flexfn.RetryOption{flexfn.RetryLimit(0)} })
	for _, tt := range []struct {
		status, code int
		done         bool
	}{{400, 20001, true}, {404, 20404, true}, {400, 20008, false}, {401, 20003, false}, {503, 20503, false}} {
		u.next = func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(tt.status)
			fmt.Fprintf(w, `{"code":%d,"message":"no","status":%d}`, tt.code, tt.status)
		}
		res := twilioapi.SetTaskStatus(ctx, taskSID, "completed", "done")
		if res.Success != tt.done || res.Data != nil {
			t.Errorf("%d: %+v", tt.code, res)
		}
	}
}

// TestFlexConfigurationConcurrently: updates of one app are never lost, and
// numbers keep their digits.
func TestFlexConfigurationConcurrently(t *testing.T) {
	ctx := fakeContext(t.Context())
	var writers sync.WaitGroup
	for i := range 8 {
		writers.Go(func() {
			res := twilioapi.UpdateFlexConfiguration(ctx, func(old json.RawMessage) (json.RawMessage, error) {
				return twilioapi.MergeAttributes(old, fmt.Appendf(nil, `{"k%d":12345678901234567890}`, i))
			})
			if !res.Success {
				t.Error(res.Err())
			}
		})
	}
	writers.Wait()
	stored := twilioapi.FlexConfiguration(ctx).Data
	for i := range 8 {
		if !strings.Contains(string(stored), fmt.Sprintf(`"k%d":12345678901234567890`, i)) {
			t.Errorf("k%d is missing in %s", i, stored)
		}
	}
}

func TestFlexConfigurationWithoutAttributes(t *testing.T) {
	u, ctx := serve(t, nil)
	for _, answer := range []string{`{}`, `{"ui_attributes":null}`, `{"ui_attributes":{}}`} {
		u.next = answers(200, answer)
		if res := twilioapi.FlexConfiguration(ctx); string(res.Data) != "{}" {
			t.Errorf("%s: %q, %v", answer, res.Data, res.Err())
		}
	}
}

// TestTaskParameters: Twilio is sent the arguments that are set, and nothing
// for empty ones.
func TestTaskParameters(t *testing.T) {
	u, ctx := serve(t, nil)
	for want, call := range map[string]func() error{
		"GET PageSize=1000": func() error { return twilioapi.ListTasks(ctx, nil).Err() },
		"GET PageSize=7":    func() error { return twilioapi.ListTasks(ctx, &taskrouter.ListTaskParams{PageSize: new(7)}).Err() },
		"POST AssignmentStatus=completed&Reason=done": func() error { return twilioapi.SetTaskStatus(ctx, taskSID, "completed", "done").Err() },
		"POST AssignmentStatus=pending":               func() error { return twilioapi.SetTaskStatus(ctx, taskSID, "pending", "").Err() },
	} {
		u.next = answers(200, `{"tasks":[],"meta":{"key":"tasks"}}`)
		err := call()
		if got := u.last.Method + " " + u.last.URL.RawQuery + u.body; err != nil || got != want {
			t.Errorf("%s, %v, want %s", got, err, want)
		}
	}
}

func TestRecordingMedia(t *testing.T) {
	u, ctx := serve(t, nil)
	for _, tt := range []struct {
		kind string
		want int
	}{{"audio/mpeg", 200}, {"application/json", 502}} {
		u.next = func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", tt.kind)
			io.WriteString(w, "ID3\x00\xff")
		}
		res := twilioapi.RecordingMedia(ctx, "RE00000000000000000000000000000001", "mp3")
		if res.Status != tt.want {
			t.Errorf("%s: %d %v", tt.kind, res.Status, res.Err())
		}
	}
	if want := "GET api.twilio.com/2010-04-01/Accounts/" + accountSID + "/Recordings/RE00000000000000000000000000000001.mp3"; u.seen[0] != want {
		t.Errorf("asked %s", u.seen[0])
	}
}

// TestConversationAttributesConcurrently: no update in one app is lost.
func TestConversationAttributesConcurrently(t *testing.T) {
	ctx := fakeContext(t.Context())
	const conversation = "CH00000000000000000000000000000001"
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			if err := twilioapi.UpdateConversationAttributes(ctx, conversation, json.RawMessage(fmt.Sprintf(`{"k%d":1}`, i))).Err(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	var stored map[string]any
	if err := json.Unmarshal(twilioapi.ConversationAttributes(ctx, conversation).Data, &stored); err != nil || len(stored) != 21 {
		t.Errorf("%d keys, want 21: %v", len(stored), err)
	}
}
