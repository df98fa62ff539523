package functions_test

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/flexfntest"
	"github.com/flexfn/flexfn/functions"
	"github.com/flexfn/flexfn/internal/dev"
	"github.com/flexfn/flexfn/internal/testing/blind"
	"github.com/flexfn/flexfn/twiliofake"
)

const (
	one     = "00000000000000000000000000000001"
	missing = "000000000000000000000000deadbeef"
	flex    = "/common/flex/"
	// paths, as patterns
	participants = "/2010-04-01/Accounts/*/Conferences/CF" + one + "/Participants/CA" + one + ".json"
	calls        = "/2010-04-01/Accounts/*/Calls/CA" + one + ".json"
	workspace    = "/v1/Workspaces/*"
)

// newApp returns an app with all ready-made functions and a fake Twilio.
func newApp(t *testing.T, change ...func(*flexfn.Config)) *flexfntest.App {
	t.Helper()
	config := functions.Config{
		ChatServiceSID: twiliofake.DevelopmentChatServiceSID, SyncServiceSID: "IS" + one,
		CallbackWorkflowSID: "WW" + one, ChatTransferWorkflowSID: "WW" + one, InternalCallWorkflowSID: "WW" + one,
		SchedulesFile: filepath.Join(t.TempDir(), "schedules.json"),
	}
	key := func(c *flexfn.Config) { makeKey(t, c) }
	return newAppWith(t, config, append([]func(*flexfn.Config){key}, change...)...)
}

// makeKey makes an API key in the fake and gives it to the app.
func makeKey(t *testing.T, c *flexfn.Config) {
	t.Helper()
	r := httptest.NewRequest("POST", "https://api.twilio.com/2010-04-01/Accounts/"+c.AccountSID+"/Keys.json", nil)
	r.RequestURI = ""
	r.SetBasicAuth(c.AccountSID, c.AuthToken)
	key, err := flexfn.ReadJSON[struct{ SID, Secret string }]((&http.Client{Transport: c.Transport}).Do(r))
	if err != nil {
		t.Fatal(err)
	}
	c.APIKeySID, c.APIKeySecret = key.SID, key.Secret
}

func newAppWith(t *testing.T, config functions.Config, change ...func(*flexfn.Config)) *flexfntest.App {
	t.Helper()
	app := flexfntest.New(t, change...)
	if err := config.Add(app.App); err != nil {
		t.Fatal(err)
	}
	app.Twilio.ClearRequests()
	return app
}

type params = flexfntest.Params

// TestAgainstTheFake calls every function successfully, checks the answer and
// the calls to Twilio, and then calls it again with an error from Twilio.
func TestAgainstTheFake(t *testing.T) {
	participant := params{"conference": "CF" + one, "participant": "CA" + one}
	with := func(p params, name string, value any) params {
		p = maps.Clone(p)
		p[name] = value
		return p
	}
	for _, tt := range []struct {
		path  string
		token string
		params
		field        []string // of the answer, dotted
		method, call string   // that Twilio saw
		sent         params
		fails        params // instead of params
		status       int    // then
		code         string // Twilio's
	}{
		{"programmable-voice/hold-participant", flexfntest.Agent, with(with(participant, "hold", true), "holdUrl", "https://example.com/hold.xml"),
			[]string{"participantsResponse.hold=true", "participantsResponse.callSid=CA" + one},
			"POST", participants, params{"Hold": true, "HoldUrl": "https://example.com/hold.xml"},
			params{"conference": "CF" + one, "participant": "CA" + missing, "hold": true}, 404, "20404"},
		{"programmable-voice/mute-participant", flexfntest.Agent, with(participant, "muted", true),
			[]string{"participantsResponse.muted=true"}, "POST", participants, params{"Muted": true},
			params{"conference": "CF" + missing, "participant": "CA" + one, "muted": true}, 404, "20404"},
		{"programmable-voice/update-participant", flexfntest.Agent, with(participant, "endConferenceOnExit", true),
			[]string{"participantsResponse.endConferenceOnExit=true"}, "POST", participants, params{"EndConferenceOnExit": true},
			params{"conference": "CF" + one, "participant": "CA" + missing, "endConferenceOnExit": true}, 404, "20404"},
		{"programmable-voice/add-participant", flexfntest.Agent, params{"taskSid": "CF" + one, "to": "+15550007777", "from": "+15550002222"},
			[]string{"participantsResponse.conferenceSid=CF" + one, "participantsResponse.endConferenceOnExit=false"},
			"POST", "/2010-04-01/Accounts/*/Conferences/CF" + one + "/Participants.json", params{"To": "+15550007777", "EarlyMedia": true},
			params{"taskSid": "CF" + one, "to": "x", "from": "+15550002222"}, 400, "13223"},
		{"programmable-voice/remove-participant", flexfntest.Agent, participant,
			[]string{"participantsResponse=true"}, "DELETE", participants, nil,
			params{"conference": "CF" + one, "participant": "CA" + missing}, 404, "20404"},
		{"programmable-voice/get-call-properties", flexfntest.Agent, params{"callSid": "CA" + one},
			[]string{"callProperties.status=in-progress", "callProperties.to=+15550002222", "callProperties.startTime=2024-01-02T03:04:05.000Z"}, "GET", calls, nil,
			params{"callSid": "CA" + missing}, 404, "20404"},
		{"programmable-voice/cold-transfer", flexfntest.Agent, params{"callSid": "CA" + one, "to": "<Hangup/>", "from": `"><Hangup/>`},
			nil, "POST", calls, params{"Twiml": `<?xml version="1.0" encoding="UTF-8"?><Response><Dial callerId="&quot;&gt;&lt;Hangup/&gt;">&lt;Hangup/&gt;</Dial></Response>`},
			params{"callSid": "CA" + missing, "to": "+15550003333"}, 404, "20404"},
		{"taskrouter/get-queues", flexfntest.Agent, nil,
			[]string{"queues=[map[friendlyName:Everyone sid:WQ" + one + " targetWorkers:1==1] map[friendlyName:Support sid:WQ00000000000000000000000000000002 targetWorkers:routing.skills HAS \"support\"] map[friendlyName:Sales sid:WQ00000000000000000000000000000003 targetWorkers:routing.skills HAS \"sales\"]]"},
			"GET", workspace + "/TaskQueues", nil, nil, 500, ""},
		{"taskrouter/get-worker-channels", flexfntest.Agent, params{"workerSid": "WK" + one},
			nil, "GET", workspace + "/Workers/WK" + one + "/Channels", nil,
			params{"workerSid": "WK" + missing}, 404, "20404"},
		{"taskrouter/update-task-attributes", flexfntest.Agent, params{"taskSid": "WT" + one, "attributesUpdate": map[string]any{"note": "a"}},
			nil, "POST", workspace + "/Tasks/WT" + one, nil,
			params{"taskSid": "WT" + missing, "attributesUpdate": `{}`}, 404, "20404"},
		{"taskrouter/update-task-assignment-status", flexfntest.Agent, params{"taskSid": "WT" + one, "assignmentStatus": "wrapping"},
			nil, "POST", workspace + "/Tasks/WT" + one, params{"AssignmentStatus": "wrapping"}, nil, 500, ""},
		{"taskrouter/update-worker-attributes", flexfntest.Supervisor, params{"workerSid": "WK" + one, "attributesUpdate": `{"routing":{"skills":["x"]}}`},
			[]string{"worker.sid=WK" + one, "worker.activityName=Available"}, "POST", workspace + "/Workers/WK" + one, nil,
			params{"workerSid": "WK" + missing, "attributesUpdate": `{}`}, 404, "20404"},
		{"taskrouter/update-worker-channel", flexfntest.Agent, params{"workerChannelSid": "WC" + one, "capacity": 3, "available": true},
			[]string{"workerChannelCapacity.configuredCapacity=3", "workerChannelCapacity.workerSid=WK" + one}, "POST", workspace + "/Workers/WK" + one + "/Channels/WC" + one, params{"Capacity": 3, "Available": true},
			params{"workerChannelSid": "WC" + missing, "capacity": 3, "available": true}, 404, "20404"},
		{"conversations/update-attributes", flexfntest.Agent, params{"conversationSid": "CH" + one, "attributes": map[string]any{"a": 1}},
			nil, "POST", "/v1/Conversations/CH" + one, params{"Attributes": `{"a":1}`},
			params{"conversationSid": "CH" + missing, "attributes": `{}`}, 404, "20404"},
		{"programmable-chat/update-channel-attributes", flexfntest.Agent, params{"channelSid": "CH" + one, "attributes": `{"a":1}`},
			nil, "POST", "/v2/Services/IS" + one + "/Channels/CH" + one, params{"Attributes": `{"a":1}`},
			params{"channelSid": "CH" + missing, "attributes": `{}`}, 404, ""},
		{"phone-numbers/list-phone-numbers", flexfntest.Agent, params{"IncludeOutgoing": true},
			nil, "GET", "/2010-04-01/Accounts/*/OutgoingCallerIds.json", nil, nil, 500, ""},
		{"phone-numbers/validate-phone-number", flexfntest.Agent, params{"phoneNumber": "+15550001111"},
			[]string{"valid=true", "invalidReason=<nil>"}, "GET", "/v2/PhoneNumbers/+15550001111", nil, nil, 500, ""},
	} {
		t.Run(tt.path, func(t *testing.T) {
			app := newApp(t)
			got := app.CallFlex(tt.token, flex+tt.path, tt.params).OK()
			for _, f := range tt.field {
				name, want, _ := strings.Cut(f, "=")
				if v := fmt.Sprint(got.Field(strings.Split(name, ".")...)); v != want {
					t.Errorf("%s is %s, want %s", name, v, want)
				}
			}
			app.Saw(tt.method, tt.call, tt.sent)

			if tt.fails == nil { // nothing that the caller sends makes it fail
				tt.fails = tt.params
				if err := app.Twilio.SetFaults(twiliofake.Fault{Match: twiliofake.Match{Path: tt.call}, Action: twiliofake.Status, Status: tt.status}); err != nil {
					t.Fatal(err)
				}
			}
			failed := app.CallFlex(tt.token, flex+tt.path, tt.fails).Refused(tt.status, "")
			if code := fmt.Sprint(failed.Field("twilioErrorCode")); tt.code != "" && code != tt.code {
				t.Errorf("twilioErrorCode %s in %s", code, failed.Body)
			}

			app.Twilio.ClearRequests()
			app.CallFlex(flexfntest.Guest, flex+tt.path, tt.params).Refused(403, "guest")
			app.CallFlex(flexfntest.Expired, flex+tt.path, tt.params).Refused(403, "")
			for _, r := range app.Twilio.Requests(twiliofake.Match{}) {
				if !strings.HasPrefix(r.Host, "iam.") {
					t.Errorf("without a credential Twilio was asked %s %s%s", r.Method, r.Host, r.Path)
				}
			}
		})
	}
}

const createTask = "/common/studio/taskrouter/create-task"

func TestCreateTask(t *testing.T) {
	app := newApp(t)
	task := params{"workflowSid": "WW" + one, "taskChannel": "voice", "attributes": `{"id":12345678901234567890}`}
	got := app.CallStudio(createTask, task).OK()
	if sid, _ := got.Field("taskSid").(string); !flexfn.ValidSID(sid, "WT") || got.Field("task", "sid") != sid ||
		got.Field("task", "attributes", "id") != json.Number("12345678901234567890") || fmt.Sprint(got.Field("task", "timeout")) != "86400" {
		t.Errorf("%s", got.Body)
	}
	app.CallStudioJSON(createTask, params{
		"workflowSid": "WW" + one, "taskChannel": "voice", "attributes": map[string]any{"a": 1}, "priority": 5, "timeout": 60,
	}).OK()
	app.Saw("POST", workspace+"/Tasks", params{"Priority": 5, "Timeout": 60, "Attributes": `{"a":1}`})

	app.CallStudio(createTask, params{"workflowSid": "WW" + missing, "taskChannel": "voice", "attributes": "{}"}).Refused(400, "")
	app.CallStudio(createTask, params{"workflowSid": "WW" + one, "taskChannel": "voice", "attributes": "[]"}).Refused(400, "attributes: expected a JSON object")
	app.Twilio.ClearRequests()
	app.CallFlex(flexfntest.Admin, createTask, task).Refused(403, "") // no signature
	app.SawNo("", "")
}

// TestCreatesAreNotRepeated loses the answer to a create that succeeded.
func TestCreatesAreNotRepeated(t *testing.T) {
	app := newApp(t)
	if err := app.Twilio.SetFaults(twiliofake.Fault{Match: twiliofake.Match{Method: "POST"}, Action: twiliofake.Reset, Apply: true, Skip: 1}); err != nil {
		t.Fatal(err)
	}
	added := app.CallFlex(flexfntest.Agent, flex+"programmable-voice/add-participant", params{"taskSid": "CF" + one, "to": "+15550007777", "from": "+15550002222"})
	added.Refused(502, "")
	created := app.CallStudio(createTask, params{"workflowSid": "WW" + one, "taskChannel": "voice", "attributes": "{}"}).Refused(502, "")
	if added.Field("outcomeUnknown") != true || created.Field("outcomeUnknown") != true {
		t.Errorf("%s, %s", added.Body, created.Body)
	}
	for _, path := range []string{"/*/Accounts/*/Conferences/*/Participants.json", workspace + "/Tasks"} {
		if n := len(app.Twilio.Requests(twiliofake.Match{Method: "POST", Path: path})); n != 1 {
			t.Errorf("%d requests to %s", n, path)
		}
	}
}

// TestSIDsAreChecked sends values that would reach other resources with the
// account's credentials.
func TestSIDsAreChecked(t *testing.T) {
	app := newApp(t)
	for _, sid := range []string{"../Workers/WK" + one, "%2e%2e", `\..\`, "WK" + one + "?x", "WT" + one + "#", "CA" + one, "WT1", " WT" + one} {
		for _, r := range functions.Routes() {
			form := params{}
			kinds := 0
			for _, p := range r.Function.Describe().Parameters {
				switch {
				case p.Kind != "" && !(sid == "CA"+one && p.Kind == "CA"):
					form[p.Name] = sid
					kinds++
				case p.Kind != "":
					form[p.Name] = sid
				case p.Required:
					form[p.Name] = "1"
				}
			}
			if kinds == 0 {
				continue
			}
			if r.Function.Describe().Studio {
				app.CallStudio(r.Path, form).Refused(400, "expected a SID")
			} else {
				app.CallFlex(flexfntest.Admin, r.Path, form).Refused(400, "expected a SID")
			}
		}
	}
	for _, r := range app.Twilio.Requests(twiliofake.Match{}) {
		if !strings.HasPrefix(r.Host, "iam.") {
			t.Errorf("Twilio was asked %s %s%s", r.Method, r.Host, r.Path)
		}
	}
}

func TestColdTransfer(t *testing.T) {
	const head = `<?xml version="1.0" encoding="UTF-8"?><Response><Dial>`
	app := newApp(t)
	for to, want := range map[string]string{
		"sip:bob@example.com?a=b&c=d":     `<Sip>sip:bob@example.com?a=b&amp;c=d</Sip>`,
		"SIPS:bob@example.com":            `<Sip>SIPS:bob@example.com</Sip>`,
		"+15550003333":                    `+15550003333`,
		"app:AP" + one:                    `<Application><ApplicationSid>AP` + one + `</ApplicationSid></Application>`,
		"App:AP1?<>=%3C%26&=x&b=%zz":      `<Application><ApplicationSid>AP1</ApplicationSid><Parameter name="&lt;&gt;" value="&lt;&amp;"/><Parameter name="b" value="%zz"/></Application>`,
		"app:AP1?callback=+15550004444":   `<Application><ApplicationSid>AP1</ApplicationSid><Parameter name="callback" value="+15550004444"/></Application>`,
		"app:AP1?callback=%2B15550004444": `<Application><ApplicationSid>AP1</ApplicationSid><Parameter name="callback" value="+15550004444"/></Application>`,
	} {
		app.Twilio.ClearRequests()
		app.CallFlex(flexfntest.Agent, flex+"programmable-voice/cold-transfer", params{"callSid": "CA" + one, "to": to}).OK()
		if got := app.Saw("POST", calls, nil).Form.Get("Twiml"); got != head+want+`</Dial></Response>` {
			t.Errorf("%s became %s", to, got)
		}
	}
}

// TestNames: functions accept a name instead of a SID where Twilio does, but
// only if it is a single path segment.
func TestNames(t *testing.T) {
	app := newApp(t)
	for _, tt := range []struct {
		path, parameter, name, want string
		form                        params
	}{
		{"programmable-voice/hold-participant", "participant", "Müller & Co", "/Participants/Müller & Co.json", params{"conference": "CF" + one, "hold": true}},
		{"programmable-voice/mute-participant", "conference", "room 7", "/Conferences/room 7/Participants/", params{"participant": "CA" + one, "muted": true}},
		{"programmable-voice/update-participant", "conference", "room+7", "/Conferences/room+7/Participants/", params{"participant": "CA" + one, "endConferenceOnExit": true}},
		{"programmable-voice/remove-participant", "participant", "agent:1", "/Participants/agent:1.json", params{"conference": "CF" + one}},
		{"programmable-voice/add-participant", "taskSid", "room.7", "/Conferences/room.7/Participants.json", params{"to": "+15550001111", "from": "+15550002222"}},
		{"conversations/update-attributes", "conversationSid", "ticket-7", "/Conversations/ticket-7", params{"attributes": "{}"}},
		{"programmable-chat/update-channel-attributes", "channelSid", "ticket-7", "/Channels/ticket-7", params{"attributes": "{}"}},
		{"taskrouter/update-worker-channel", "workerChannelSid", "voice", "/Channels/voice", params{"capacity": 1, "available": true}},
	} {
		app.Twilio.ClearRequests()
		tt.form[tt.parameter] = tt.name
		app.CallFlex(flexfntest.Agent, flex+tt.path, tt.form)
		asked := app.Twilio.Requests(twiliofake.Match{})
		if last := asked[len(asked)-1]; !strings.Contains(last.Path, tt.want) {
			t.Errorf("%s: asked %s %s", tt.path, last.Method, last.Path)
		}
		for _, bent := range []string{"..", "a/b", `a\b`, "a?b", "a#b", "a%2fb", "a;b", "a\x00b", "{CallSid}", strings.Repeat("a", 513)} {
			app.Twilio.ClearRequests()
			tt.form[tt.parameter] = bent
			app.CallFlex(flexfntest.Agent, flex+tt.path, tt.form).Refused(400, tt.parameter+" is not a name that a URL can contain")
			for _, r := range app.Twilio.Requests(twiliofake.Match{}) {
				if !strings.HasPrefix(r.Host, "iam.") {
					t.Errorf("%s with %q: asked %s", tt.path, bent, r.Path)
				}
			}
		}
	}
}

func TestCreateTaskAttributes(t *testing.T) {
	app := newApp(t)
	for _, attributes := range []string{"null", "[]", "1", "{"} {
		app.CallStudio("/common/studio/taskrouter/create-task", params{"workflowSid": "WW" + one, "taskChannel": "voice", "attributes": attributes}).Refused(400, "attributes")
	}
}

func TestTaskStatus(t *testing.T) {
	app := newApp(t)
	if err := dev.AddDemoState(app.Twilio); err != nil {
		t.Fatal(err)
	}
	const path = flex + "taskrouter/update-task-assignment-status"
	app.CallFlex(flexfntest.Agent, path, params{"taskSid": "WT" + missing, "assignmentStatus": "completed"}).OK() // 20404
	app.CallFlex(flexfntest.Agent, path, params{"taskSid": "WT" + one, "assignmentStatus": "wrapping"}).OK()
	app.CallFlex(flexfntest.Agent, path, params{"taskSid": "WT" + one, "assignmentStatus": "canceled"}).OK() // 20001
	app.CallFlex(flexfntest.Agent, path, params{"taskSid": "WT" + one, "assignmentStatus": "complete"}).Refused(400, "must be one of pending")
	if requests := app.Twilio.Requests(twiliofake.Match{Host: "taskrouter", Method: "POST"}); len(requests) != 3 || !strings.Contains(requests[0].Answer, "20404") || requests[1].Status != 200 || !strings.Contains(requests[2].Answer, "20001") {
		t.Errorf("%+v", requests)
	}
	app.CallFlex(flexfntest.Agent, path, params{"taskSid": "WT" + one, "assignmentStatus": "completed", "reason": "sold"}).OK()
	app.CallFlex(flexfntest.Agent, path, params{"taskSid": waitingTask, "assignmentStatus": "canceled", "reason": "undefined"}).OK()
	for sid, want := range map[string]string{"WT" + one: "sold", waitingTask: "Set to canceled by the Flex plugin"} {
		if got := field(app, "tasks", sid, "reason"); got != want {
			t.Errorf("the task %s has the reason %q, want %q", sid, got, want)
		}
	}
}

func TestWorkerChannels(t *testing.T) {
	app := newApp(t)
	const path = flex + "taskrouter/update-worker-channel"
	change := params{"workerChannelSid": "WC" + one, "capacity": 2, "available": true, "workerSid": "WK" + one}
	app.CallFlex(flexfntest.Agent, path, change).OK() // the agent's own
	app.CallFlex(flexfntest.Supervisor, path, change).OK()
	app.CallFlex(flexfntest.Admin, path, change).OK()
	app.Twilio.ClearRequests()
	other := maps.Clone(change)
	other["workerSid"] = "WK00000000000000000000000000000002"
	app.CallFlex(flexfntest.Agent, path, other).Refused(403, "Only a supervisor or admin")
	other["capacity"] = -1
	app.CallFlex(flexfntest.Supervisor, path, other).Refused(400, "capacity")
	app.CallFlex(flexfntest.Agent, flex+"taskrouter/update-worker-attributes", params{"workerSid": "WK" + one, "attributesUpdate": "{}"}).Refused(403, "supervisor or admin")
	app.SawNo("", workspace+"/**")
}

// TestWholeLists reads lists that are longer than a page.
func TestWholeLists(t *testing.T) {
	app := newApp(t)
	for i := range 1050 {
		id := fmt.Sprintf("%032x", 0x1000+i)
		for kind, item := range map[string]twiliofake.Resource{
			"task_queues":            {"sid": "WQ" + id, "workspace_sid": twiliofake.DevelopmentWorkspaceSID, "friendly_name": id},
			"incoming_phone_numbers": {"sid": "PN" + id, "phone_number": fmt.Sprintf("+1555%07d", i)},
			"outgoing_caller_ids":    {"sid": "PN" + id, "phone_number": fmt.Sprintf("+1666%07d", i)},
		} {
			if err := app.Twilio.SetResource(kind, item); err != nil {
				t.Fatal(err)
			}
		}
	}
	var reply struct {
		Queues       []map[string]any
		PhoneNumbers []map[string]any
	}
	app.CallFlex(flexfntest.Agent, flex+"taskrouter/get-queues", nil).OK().Decode(&reply)
	app.CallFlex(flexfntest.Agent, flex+"phone-numbers/list-phone-numbers", params{"IncludeOutgoing": true}).OK().Decode(&reply)
	if len(reply.Queues) != 1053 || len(reply.PhoneNumbers) < 2100 {
		t.Errorf("%d queues, %d numbers", len(reply.Queues), len(reply.PhoneNumbers))
	}
	// If the second page fails, the whole list fails.
	if err := app.Twilio.SetFaults(twiliofake.Fault{Match: twiliofake.Match{Method: "GET"}, Action: twiliofake.Status, Status: 500, Skip: 1}); err != nil {
		t.Fatal(err)
	}
	got := app.CallFlex(flexfntest.Agent, flex+"taskrouter/get-queues", nil).Refused(500, "")
	if got.Field("queues") != nil {
		t.Errorf("%.200s", got.Body)
	}
}

func TestValidatePhoneNumber(t *testing.T) {
	app := newApp(t)
	const path = flex + "phone-numbers/validate-phone-number"
	check := func(number, reason string) {
		t.Helper()
		got := app.CallFlex(flexfntest.Agent, path, params{"phoneNumber": number}).OK()
		if got.Field("valid") != (reason == "<nil>") || fmt.Sprint(got.Field("invalidReason")) != reason {
			t.Errorf("%s: %s", number, got.Body)
		}
	}
	country := func(iso, code string, enabled, special bool) {
		t.Helper()
		if err := app.Twilio.SetResource("dialing_permissions_countries", twiliofake.Resource{
			"iso_code": iso, "name": iso, "country_codes": []any{code},
			"low_risk_numbers_enabled": enabled, "high_risk_special_numbers_enabled": special,
		}); err != nil {
			t.Fatal(err)
		}
	}
	check("+15550001111", "<nil>")
	check("+1555bad", "NOT_A_NUMBER")
	country("US", "1", false, true)
	check("+15550001111", "COUNTRY_DISABLED")
	check("sip:bob@example.com", "NOT_A_NUMBER")
	for _, number := range []string{"a/b", "?x", "..", "1;2", strings.Repeat("1", 513)} {
		app.CallFlex(flexfntest.Agent, path, params{"phoneNumber": number}).Refused(400, "phoneNumber is not a name that a URL can contain")
	}
	// If Twilio does not know, the number is not valid.
	country("US", "1", true, false)
	if err := app.Twilio.SetFaults(twiliofake.Fault{Match: twiliofake.Match{Path: "/v1/DialingPermissions/Countries/*/HighRiskSpecialPrefixes"}, Action: twiliofake.Status, Status: 500}); err != nil {
		t.Fatal(err)
	}
	app.CallFlex(flexfntest.Agent, path, params{"phoneNumber": "+15550001111"}).Refused(500, "")
}

// TestConcurrentWorkerUpdates checks that no concurrent update is lost.
func TestConcurrentWorkerUpdates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := newApp(t)
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				app.CallFlex(flexfntest.Admin, flex+"taskrouter/update-worker-attributes", params{
					"workerSid": "WK" + one, "attributesUpdate": map[string]any{fmt.Sprint("k", i): i},
				}).OK()
			})
		}
		wg.Wait()
		worker, _ := app.Twilio.Resource("workers", "WK"+one)
		var stored map[string]any
		if err := json.Unmarshal([]byte(worker["attributes"].(string)), &stored); err != nil || stored["k0"] == nil || stored["k19"] == nil || stored["routing"] == nil || len(stored) < 21 {
			t.Errorf("%v", worker["attributes"])
		}
	})
}

func TestMissingSettings(t *testing.T) {
	app := newAppWith(t, functions.Config{}, func(c *flexfn.Config) { c.WorkspaceSID = "" })
	for _, r := range functions.Routes() {
		if !strings.HasPrefix(r.Path, "/common/") {
			continue // off, as TestFeatureOff shows
		}
		form := params{"channelSid": "CH" + one, "conversationSid": "CH" + one, "workerChannelSid": "WC" + one, "attributes": "{}", "assignmentStatus": "pending", "attributesUpdate": "{}", "capacity": 1, "available": true, "taskChannel": "voice"}
		for _, p := range r.Function.Describe().Parameters {
			if p.Kind != "" {
				form[p.Name] = p.Kind[:2] + one
			}
		}
		switch {
		case strings.Contains(r.Path, "studio"):
			app.CallStudio(r.Path, form).Refused(500, "TWILIO_FLEX_WORKSPACE_SID is not set")
		case strings.Contains(r.Path, "taskrouter"):
			app.CallFlex(flexfntest.Admin, r.Path, form).Refused(500, "TWILIO_FLEX_WORKSPACE_SID is not set")
		case strings.Contains(r.Path, "chat"):
			app.CallFlex(flexfntest.Admin, r.Path, form).Refused(500, "TWILIO_FLEX_CHAT_SERVICE_SID is not set")
		}
	}
}

func FuzzColdTransfer(f *testing.F) {
	for _, to := range []string{"+15550003333", "sip:bob@example.com", "app:AP1?x=1&y=two", "app:?=&", `"><Hangup/>`, "app:<Hangup/>?<=>", "\x00\xff"} {
		f.Add(to, "+15550004444")
	}
	app := flexfntest.New(f, func(c *flexfn.Config) { c.Logger = slog.New(slog.DiscardHandler) })
	app.Handle("/transfer", functions.ColdTransfer)
	blind.Fuzz(f, func(t *testing.T, to, from string) {
		form := url.Values{"Token": {flexfntest.Agent}, "callSid": {"CA" + one}, "to": {to}, "from": {from}}
		r := httptest.NewRequest("POST", "/transfer", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		app.Twilio.ClearRequests()
		app.ServeHTTP(w, r)
		if w.Code != 200 {
			if to != "" {
				t.Fatalf("%q: %s", to, w.Body)
			}
			return
		}
		requests := app.Twilio.Requests(twiliofake.Match{Method: "POST", Path: calls})
		if len(requests) != 1 {
			t.Fatalf("%q: %d requests", to, len(requests))
		}
		if verbs := elements(t, requests[0].Form); verbs[0] != "Response" || verbs[1] != "Dial" || strings.Contains(strings.Join(verbs, " "), "Hangup") {
			t.Fatalf("%q became %v", to, verbs)
		}
	})
}

// elements lists the names of the elements in a form's TwiML.
func elements(t *testing.T, form url.Values) (names []string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(form.Get("Twiml")))
	for {
		token, err := d.Token()
		if err == io.EOF {
			return names
		}
		if err != nil {
			t.Fatalf("%q: %v", form.Get("Twiml"), err)
		}
		if e, ok := token.(xml.StartElement); ok {
			names = append(names, e.Name.Local)
		}
	}
}
