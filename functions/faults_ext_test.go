package functions_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/flexfntest"
	"github.com/flexfn/flexfn/internal/dev"
	"github.com/flexfn/flexfn/twiliofake"
)

// several is a function with several steps, and what they leave in Twilio.
type several struct {
	name, path string
	token      string // empty: signed, as by Studio
	params
	before func(*flexfntest.App) // changes the demo state
	// left counts what each step leaves behind: after a success one each, and
	// nothing after a failure that can be undone.
	left func(*flexfntest.App) steps
	// stays lists steps that may remain after a failure. dispensable lists
	// steps whose failure does not make the function fail. The function's
	// documentation says why.
	stays, dispensable []string
	// needs maps a step that releases a customer to the steps that must also
	// have been done, whatever fails.
	needs map[string][]string
	// done reports whether the answer is a success; nil means status 200.
	done func(*flexfntest.Answer) bool
	// cleanUp: a single fault costs at most one step, even if the function
	// succeeds.
	cleanUp bool
	// apart: a failed write costs only its own step.
	apart bool
	// again: after any failure of known outcome, calling again without faults
	// finishes the work.
	again bool
}

// steps counts what each step has left.
type steps map[string]int

const (
	talk        = "CH" + one
	interaction = "KD" + one
	channel     = "UO" + one
	waitingTask = "WT00000000000000000000000000000003"
	insideTask  = "WT00000000000000000000000000000005"
	insideCall  = "CA00000000000000000000000000000002"
	insideRoom  = "CF00000000000000000000000000000005"
)

var parking = params{
	"channelSid": channel, "interactionSid": interaction, "participantSid": "UT" + one, "conversationSid": talk, "channelType": "web",
	"taskSid": "WT" + one, "workflowSid": "WW" + one, "taskChannelUniqueName": "chat", "queueName": "Everyone", "queueSid": "WQ" + one,
	"taskAttributes": `{"from":"web"}`, "workerSid": "WK" + one, "createUpdateSyncMapItem": "true",
}

var inviting = params{
	"taskSid": "WT" + one, "conversationId": "WT" + one, "jsonAttributes": `{"from":"web"}`, "transferTargetSid": "WQ" + one,
	"workersToIgnore": `{"workersToIgnore":["Bob"]}`, "flexInteractionSid": interaction, "flexInteractionChannelSid": channel,
	"taskChannelUniqueName": "chat", "conversationSid": talk, "transferQueueName": "Everyone",
}

func severals() []several {
	park := func(app *flexfntest.App) {
		app.CallFlex(flexfntest.Agent, "/features/park-interaction/flex/park-interaction", parking).OK()
	}
	invited := func(app *flexfntest.App) steps {
		return steps{
			"invite":   count(app, "interaction_invites"),
			"recorded": len(attributes(app, "conversations", talk)["invites"].object()),
		}
	}
	unparked := func(app *flexfntest.App) steps {
		return steps{
			"invite": count(app, "interaction_invites"), "webhook removed": 1 - count(app, "conversation_webhooks"),
			"item removed": 1 - count(app, "sync_map_items"), "marks removed": lacks(attributes(app, "conversations", talk), "webhookSid"),
		}
	}
	waiting := func(mode string) params {
		return params{"mode": mode, "CallSid": "CA00000000000000000000000000000003", "QueueSid": "QU" + one, "enqueuedTaskSid": waitingTask, "Caller": "+15550001113", "Called": "+15550002222"}
	}
	const wait = "callback-and-voicemail/studio/wait-experience"
	callback := waiting("submit-callback")
	callback["to"] = "+15550001113"
	voicemail := waiting("handle-callback-or-voicemail-choice")
	voicemail["Digits"] = "2"
	saved := waiting("submit-voicemail")
	saved["RecordingSid"] = "RE" + one
	newTasks := func(app *flexfntest.App) int { return len(created(app, "")) }
	return []several{
		{name: "requeue", path: "callback-and-voicemail/flex/requeue-callback", token: flexfntest.Agent, params: params{"taskSid": "WT" + one},
			left: func(app *flexfntest.App) steps { return steps{"task": newTasks(app)} }},
		{name: "create callback", path: "callback-and-voicemail/studio/create-callback", params: params{"numberToCall": "+15550001111", "numberToCallFrom": "+15550002222"},
			left: func(app *flexfntest.App) steps { return steps{"task": newTasks(app)} }},
		{
			name: "ask for a callback", path: wait, params: callback,
			left: func(app *flexfntest.App) steps {
				return steps{"callback": len(created(app, "pending")), "out of the queue": is(field(app, "tasks", waitingTask, "assignment_status"), "canceled")}
			},
			dispensable: []string{"out of the queue"}, // the task ends with the call
			needs:       map[string][]string{"out of the queue": {"callback"}},
			done:        func(a *flexfntest.Answer) bool { return strings.Contains(string(a.Body), "<Hangup") },
		},
		{
			name: "choose a voicemail", path: wait, params: voicemail,
			left: func(app *flexfntest.App) steps {
				return steps{"at the voicemail": is(field(app, "calls", "CA00000000000000000000000000000003", "_url"), "record-voicemail"), "out of the queue": is(field(app, "tasks", waitingTask, "assignment_status"), "canceled")}
			},
			dispensable: []string{"out of the queue"}, // the task ends with the call
			needs:       map[string][]string{"out of the queue": {"at the voicemail"}},
			done:        func(a *flexfntest.Answer) bool { return !strings.Contains(string(a.Body), "<Redirect") },
		},
		{name: "save a voicemail", path: wait, params: saved,
			left: func(app *flexfntest.App) steps { return steps{"task": newTasks(app)} }},
		{
			name: "room", path: "chat-to-video-escalation/flex/generate-unique-code", token: flexfntest.Agent, params: params{"taskSid": "WT" + one},
			left: func(app *flexfntest.App) steps {
				return steps{"room": openRooms(app) - 1, "marked": len(pick(attributes(app, "tasks", "WT"+one), "videoRoom"))}
			},
			needs: map[string][]string{"marked": {"room"}},
		},
		{name: "close a room", path: "chat-to-video-escalation/flex/complete-room", token: flexfntest.Agent, params: params{"roomSid": "RM" + one}, again: true,
			left: func(app *flexfntest.App) steps { return steps{"closed": 1 - openRooms(app)} }},
		{
			name: "chat transfer", path: "chat-transfer/flex/create-transfer-task", token: flexfntest.Agent,
			params: params{"conversationId": "WT" + one, "jsonAttributes": `{"channelSid":"` + talk + `"}`, "transferTargetSid": "WQ" + one, "ignoreWorkerContactUri": "client:a"},
			left: func(app *flexfntest.App) steps {
				return steps{"task": newTasks(app), "marked": len(attributes(app, "chat_channels", talk)["associatedTasks"].object())}
			},
			dispensable: []string{"marked"},
		},
		{
			name: "complete after a chat transfer", path: "chat-transfer/flex/complete-task-for-transfer", token: flexfntest.Agent, again: true,
			params: params{"taskSid": "WT" + one, "transferType": "COLD", "channelSid": talk},
			before: func(app *flexfntest.App) { change(app, "tasks", "WT"+one, "attributes", `{"channelSid":"`+talk+`"}`) },
			left: func(app *flexfntest.App) steps {
				return steps{
					"marked": len(attributes(app, "chat_channels", talk)["associatedTasks"].object()), "let go": lacks(attributes(app, "tasks", "WT"+one), "channelSid"),
					"completed": is(field(app, "tasks", "WT"+one, "assignment_status"), "completed"),
				}
			},
			stays: []string{"marked", "let go"}, dispensable: []string{"marked"}, needs: map[string][]string{"completed": {"let go"}},
		},
		{name: "mark a channel", path: "chat-transfer/studio/add-task-to-chat-channel-data", params: params{"taskSid": "WT" + one, "channelSid": talk}, again: true,
			left: func(app *flexfntest.App) steps {
				return steps{"marked": len(attributes(app, "chat_channels", talk)["associatedTasks"].object())}
			}},
		{name: "warm transfer", path: "conversation-transfer/flex/invite-participant", token: flexfntest.Agent, params: inviting, left: invited},
		{
			name: "cold transfer", path: "conversation-transfer/flex/invite-participant", token: flexfntest.Agent,
			params: with(inviting, "removeFlexInteractionParticipantSid", "UT"+one),
			left: func(app *flexfntest.App) steps {
				s := invited(app)
				s["left"] = agentLeft(app)
				return s
			},
			needs: map[string][]string{"left": {"invite", "recorded"}},
		},
		{
			name: "leave as the last agent", path: "conversation-transfer/flex/remove-participant", token: flexfntest.Agent, again: true,
			params: params{"flexInteractionSid": interaction, "flexInteractionChannelSid": channel, "flexInteractionParticipantSid": "UT" + one, "conversationSid": talk},
			left: func(app *flexfntest.App) steps {
				return steps{"left": agentLeft(app), "closed": is(field(app, "interaction_channels", channel, "status"), "closed")}
			},
			stays: []string{"left"}, needs: map[string][]string{"closed": {"left"}},
		},
		{
			name: "park", path: "park-interaction/flex/park-interaction", token: flexfntest.Agent, params: parking,
			left: func(app *flexfntest.App) steps {
				return steps{
					"webhook": count(app, "conversation_webhooks"), "item": count(app, "sync_map_items"),
					"marks": len(pick(attributes(app, "conversations", talk), "webhookSid")), "left": agentLeft(app),
				}
			},
			needs: map[string][]string{"left": {"webhook", "item", "marks"}},
		},
		{
			name: "unpark by the agent", path: "park-interaction/flex/unpark-interaction", token: flexfntest.Agent, before: park, cleanUp: true,
			params: params{"ConversationSid": talk}, left: unparked, dispensable: []string{"webhook removed", "item removed", "marks removed"},
			needs: map[string][]string{"webhook removed": {"invite"}, "marks removed": {"invite"}},
		},
		{
			name: "unpark by a message", path: "park-interaction/common/unpark-interaction", before: park, cleanUp: true,
			params: params{"ConversationSid": talk}, left: unparked, dispensable: []string{"webhook removed", "item removed", "marks removed"},
			needs: map[string][]string{"webhook removed": {"invite"}, "marks removed": {"invite"}},
		},
		{
			name: "call a colleague", path: "internal-call/common/call-outbound-join",
			params: params{"FriendlyName": insideTask, "ConferenceSid": insideRoom, "CallSid": insideCall, "StatusCallbackEvent": "participant-join"},
			left: func(app *flexfntest.App) steps {
				return steps{"task": len(created(app, "pending")), "marked": len(pick(attributes(app, "tasks", insideTask)["conference"].object(), "participants"))}
			},
			needs: map[string][]string{"marked": {"task"}},
		},
		{
			name: "end a call to a colleague", apart: true, path: "internal-call/common/call-outbound-join", again: true,
			params: params{"FriendlyName": insideTask, "ConferenceSid": insideRoom, "StatusCallbackEvent": "conference-end"},
			before: func(app *flexfntest.App) {
				change(app, "tasks", insideTask, "attributes", `{"conference":{"participants":{"taskSid":"`+waitingTask+`"}}}`)
			},
			left: func(app *flexfntest.App) steps {
				return steps{"caller": is(field(app, "tasks", insideTask, "assignment_status"), "wrapping"), "called": is(field(app, "tasks", waitingTask, "assignment_status"), "canceled")}
			},
			stays: []string{"caller", "called"},
		},
		{
			name: "reject a call of a colleague", apart: true, path: "internal-call/flex/cleanup-rejected-task", token: flexfntest.Agent, again: true,
			params: params{"taskSid": waitingTask, "conferenceSid": insideRoom},
			left: func(app *flexfntest.App) steps {
				return steps{"task": is(field(app, "tasks", waitingTask, "assignment_status"), "canceled"), "conference": is(field(app, "conferences", insideRoom, "status"), "completed")}
			},
			stays: []string{"task", "conference"},
		},
		{name: "coach", path: "supervisor-barge-coach/flex/participant-mute-and-coach", token: flexfntest.Supervisor, again: true,
			params: params{"conferenceSid": "CF" + one, "participantSid": "CA" + one, "agentSid": insideCall, "muted": "false", "coaching": "true"},
			left: func(app *flexfntest.App) steps {
				return steps{"coaching": is(field(app, "participants", "CA"+one, "coaching"), "true")}
			}},
		{name: "complete a reservation", path: "supervisor-complete-reservation/flex/update-reservation", token: flexfntest.Supervisor, again: true,
			params: params{"taskSid": "WT" + one, "reservationSid": "WR" + one, "status": "completed"},
			left: func(app *flexfntest.App) steps {
				return steps{"completed": is(field(app, "reservations", "WR"+one, "reservation_status"), "completed")}
			}},
		{name: "change the configuration", path: "admin-ui/flex/update-config", token: flexfntest.Admin, again: true,
			params: params{"attributesUpdate": `{"custom_data":{"features":{"added":{}}}}`, "mergeFeature": "true"},
			left: func(app *flexfntest.App) steps {
				return steps{"added": strings.Count(fmt.Sprint(app.Twilio.State().Resources["flex_configuration"]), "added")}
			}},
	}
}

// TestFaultAtEveryCall repeats each function that has several steps, with a
// fault at each of its upstream calls in turn, and checks what is left in
// Twilio.
func TestFaultAtEveryCall(t *testing.T) {
	for _, s := range severals() {
		t.Run(s.name, func(t *testing.T) {
			app := s.app(t)
			got := s.call(app)
			if !s.success(got) {
				t.Fatalf("without a fault: status %d, %s", got.Status, got.Body)
			}
			for step, n := range s.left(app) {
				if n != 1 {
					t.Errorf("without a fault: %q was done %d times", step, n)
				}
			}
			calls := app.Twilio.Requests(twiliofake.Match{})
			for _, fault := range []twiliofake.Fault{
				{Name: "503 once", Status: 503, Times: 1},
				{Name: "503 at every attempt of this call", Status: 503},
				{Name: "503 from here on", Status: 503, Times: 1000},
				{Name: "400 once", Status: 400, Times: 1},
				{Name: "answer lost", Action: twiliofake.Reset, Apply: true, Times: 1},
				{Name: "request lost", Action: twiliofake.Reset, Times: 1},
			} {
				for at, call := range calls {
					t.Run(fmt.Sprint(fault.Name, "/", at), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) { s.survives(t, fault, at, call) })
					})
				}
			}
		})
	}
}

// survives calls the function with a fault at its call number at.
func (s several) survives(t *testing.T, fault twiliofake.Fault, at int, call twiliofake.Request) {
	app := s.app(t)
	fault.Skip = at
	if fault.Times == 0 {
		fault.Skip, fault.Match = 0, twiliofake.Match{Method: call.Method, Path: call.Path}
	}
	if err := app.Twilio.SetFaults(fault); err != nil {
		t.Fatal(err)
	}
	got := s.call(app)
	left := s.left(app)
	unknown := got.Status != 200 && got.Field("outcomeUnknown") == true
	// Twilio keeps failing, so that undoing fails too.
	lasting := fault.Times != 1
	for step, n := range left {
		switch {
		case n > 1:
			t.Errorf("%q was done %d times: status %d, %s", step, n, got.Status, got.Body)
		case s.success(got) && n == 0 && !slices.Contains(s.dispensable, step):
			t.Errorf("a success without %q: %v, %s", step, left, got.Body)
		case !s.success(got) && n > 0 && !unknown && !lasting && !slices.Contains(s.stays, step) && !s.mayHaveHappened(fault, call):
			t.Errorf("a failure left %q: %v, status %d, %s", step, left, got.Status, got.Body)
		}
		for _, need := range s.needs[step] {
			if n > 0 && left[need] == 0 {
				t.Errorf("%q without %q: %v, status %d, %s", step, need, left, got.Status, got.Body)
			}
		}
	}
	if s.apart && !lasting && call.Method != "GET" || s.cleanUp && fault.Times <= 1 && s.success(got) {
		if missing := len(left) - sum(left); missing > 1 {
			t.Errorf("one fault cost %d steps, left %v: status %d, %s", missing, left, got.Status, got.Body)
		}
	}
	if !s.again || s.success(got) {
		return
	}
	_ = app.Twilio.SetFaults() // no fault is always valid
	if got := s.call(app); !s.success(got) {
		t.Errorf("calling again fails: status %d, %s", got.Status, got.Body)
	}
	for step, n := range s.left(app) {
		if n != 1 && !slices.Contains(s.dispensable, step) {
			t.Errorf("after calling again, %q was done %d times", step, n)
		}
	}
}

// mayHaveHappened reports whether a create's answer was lost where the answer,
// TwiML, cannot say so.
func (s several) mayHaveHappened(fault twiliofake.Fault, call twiliofake.Request) bool {
	return s.done != nil && fault.Apply && call.Method == "POST"
}

func (s several) success(a *flexfntest.Answer) bool {
	return a.Status == 200 && (s.done == nil || s.done(a))
}

// app returns an app with the demo state that has already cached the token.
func (s several) app(t *testing.T) *flexfntest.App {
	app := newApp(t, func(c *flexfn.Config) { c.Logger = slog.New(slog.DiscardHandler) })
	if err := dev.AddDemoState(app.Twilio); err != nil {
		t.Fatal(err)
	}
	if s.before != nil {
		s.before(app)
	}
	if s.token != "" {
		app.CallFlex(s.token, "/common/flex/taskrouter/get-queues", nil).OK()
	}
	app.Twilio.ClearRequests()
	return app
}

func (s several) call(app *flexfntest.App) *flexfntest.Answer {
	if s.token == "" {
		return app.CallStudio("/features/"+s.path, s.params)
	}
	return app.CallFlex(s.token, "/features/"+s.path, s.params)
}

// A value is raw JSON.
type value json.RawMessage

func (v value) object() (o map[string]value) {
	_ = json.Unmarshal(v, &o) // anything else has no keys
	return o
}

// UnmarshalJSON implements [json.Unmarshaler].
func (v *value) UnmarshalJSON(raw []byte) error {
	*v = slices.Clone(raw)
	return nil
}

// attributes decodes the attributes of a resource.
func attributes(app *flexfntest.App, kind, sid string) map[string]value {
	return value(field(app, kind, sid, "attributes")).object()
}

func field(app *flexfntest.App, kind, sid, name string) string {
	r, _ := app.Twilio.Resource(kind, sid)
	return fmt.Sprint(r[name])
}

func change(app *flexfntest.App, kind, sid, name, to string) {
	r, _ := app.Twilio.Resource(kind, sid)
	r[name] = to
	if err := app.Twilio.SetResource(kind, r); err != nil {
		panic(err)
	}
}

func count(app *flexfntest.App, kind string) int { return len(app.Twilio.State().Resources[kind]) }

// agentLeft returns 1 if the agent has left the conversation, and 0 otherwise.
func agentLeft(app *flexfntest.App) int {
	if _, there := app.Twilio.Resource("conversation_participants", "MB00000000000000000000000000000002"); there {
		return 0
	}
	return 1
}

// created lists the tasks that are not in the demo state, with this status if
// it is not empty.
func created(app *flexfntest.App, status string) (sids []string) {
	for _, task := range app.Twilio.State().Resources["tasks"] {
		sid := fmt.Sprint(task["sid"])
		if !strings.HasPrefix(sid, "WT0000000000000000000000000000000") && (status == "" || task["assignment_status"] == status) {
			sids = append(sids, sid)
		}
	}
	return sids
}

func openRooms(app *flexfntest.App) (n int) {
	for _, room := range app.Twilio.State().Resources["video_rooms"] {
		if fmt.Sprint(room["status"]) != "completed" {
			n++
		}
	}
	return n
}

func sum(s steps) (n int) {
	for _, each := range s {
		n += each
	}
	return n
}

// is returns 1 if got contains want, and 0 otherwise.
func is(got, want string) int {
	if strings.Contains(got, want) {
		return 1
	}
	return 0
}

func pick(m map[string]value, key string) map[string]value {
	if v, ok := m[key]; ok {
		return map[string]value{key: v}
	}
	return nil
}

// lacks returns 1 if m lacks key, and 0 otherwise.
func lacks(m map[string]value, key string) int { return 1 - len(pick(m, key)) }

func with(p params, key, v string) params {
	p = maps.Clone(p)
	p[key] = v
	return p
}
