package twiliofake_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flexfn/flexfn/twiliofake"
)

func TestCredentials(t *testing.T) {
	fake := newFake(t)
	with := func(user, password string) answer {
		t.Helper()
		req := request(t, "GET", task, "")
		req.SetBasicAuth(user, password)
		return ask(t, fake, "GET", task, "", "Authorization", req.Header.Get("Authorization"))
	}
	with(account, authToken).want(t, 200)
	with("SK00000000000000000000000000000001", "development").want(t, 200)
	with(account, "wrong").want(t, 401, "code", 20003, "status", 401)
	with(account, "").want(t, 401, "code", 20003)
	with("", "").want(t, 401, "code", 20003)
	with("SK00000000000000000000000000000001", "").want(t, 401, "code", 20003)
	ask(t, fake, "GET", task, "", "Authorization", "Bearer x").want(t, 401, "code", 20003,
		"more_info", "https://www.twilio.com/docs/errors/20003")
	ask(t, fake, "GET", "https://api.twilio.com/2010-04-01/Accounts/AC00000000000000000000000000000002.json", "").want(t, 404, "code", 20404)
}

func TestSubAccount(t *testing.T) {
	fake := newFake(t)
	sub := ask(t, fake, "POST", "https://api.twilio.com/2010-04-01/Accounts.json", "FriendlyName=Sub").want(t, 201,
		"friendly_name", "Sub", "owner_account_sid", account)
	base := "https://api.twilio.com/2010-04-01/Accounts/" + sub.sid(t)
	ask(t, fake, "POST", base+"/IncomingPhoneNumbers.json", "PhoneNumber=%2B15550009999").want(t, 201, "account_sid", sub.sid(t))
	// Each account only sees its own numbers.
	if n := len(ask(t, fake, "GET", base+"/IncomingPhoneNumbers.json", "").items(t, "incoming_phone_numbers")); n != 1 {
		t.Errorf("the sub-account has %d numbers, want 1", n)
	}
	if n := len(ask(t, fake, "GET", api+"/IncomingPhoneNumbers.json", "").items(t, "incoming_phone_numbers")); n != 2 {
		t.Errorf("the account has %d numbers, want 2", n)
	}
	own := request(t, "GET", "", "")
	own.SetBasicAuth(sub.sid(t), sub.body["auth_token"].(string))
	ask(t, fake, "GET", base+".json", "", "Authorization", own.Header.Get("Authorization")).want(t, 200, "sid", sub.sid(t))
	ask(t, fake, "GET", api+".json", "", "Authorization", own.Header.Get("Authorization")).want(t, 404, "code", 20404)
	ask(t, fake, "POST", base+".json", "Status=suspended").want(t, 200, "status", "suspended")
	ask(t, fake, "GET", base+".json", "", "Authorization", own.Header.Get("Authorization")).want(t, 401, "code", 20005)
}

func TestTokens(t *testing.T) {
	fake := newFake(t)
	validate := func(body string, header ...string) answer {
		t.Helper()
		return ask(t, fake, "POST", "https://iam.ie1.twilio.com/v1/Accounts/"+account+"/Tokens/validate", body,
			append([]string{"Content-Type", "application/json"}, header...)...)
	}
	a := validate(`{"token":"dev-agent"}`).want(t, 200, "valid", true, "code", 0, "message", nil,
		"realm_user_id", "agent@example.com", "identity", "agent_40example_2Ecom", "worker_sid", "WK00000000000000000000000000000001")
	if roles := fmt.Sprint(a.body["roles"]); roles != "[agent]" {
		t.Errorf("roles are %s", roles)
	}
	validate(`{"token":"dev-supervisor"}`).want(t, 200, "valid", true, "worker_sid", "WK00000000000000000000000000000003")
	validate(`{"token":"dev-admin"}`).want(t, 200, "valid", true)
	g := validate(`{"token":"dev-guest"}`).want(t, 200, "valid", true, "worker_sid", nil)
	if roles := fmt.Sprint(g.body["roles"]); roles != "[guest]" {
		t.Errorf("roles are %s", roles)
	}
	for _, refused := range []string{`{"token":"dev-expired"}`, `{"token":"dev-invalid"}`, `{"token":"no such"}`, `{"token":5}`, `{}`} {
		validate(refused).want(t, 200, "valid", false, "code", 40001)
	}
	validate(`{"token":"dev-outage"}`).want(t, 503, "code", 20503)
	for _, bad := range []string{`{"token":"é`, `[]`, ``, `{"token":"a"}{}`} {
		validate(bad).want(t, 400, "code", 20001)
	}
	minted := fake.MintToken(twiliofake.Token{User: "x@example.com", Roles: []string{"agent", "wfo"}})
	validate(`{"token":"`+minted+`"}`).want(t, 200, "valid", true, "realm_user_id", "x@example.com", "identity", "x_40example_2Ecom")
	key := request(t, "GET", "", "")
	key.SetBasicAuth("SK00000000000000000000000000000001", "development")
	validate(`{"token":"dev-agent"}`, "Authorization", key.Header.Get("Authorization")).want(t, 401, "code", 20003)
}

func TestETag(t *testing.T) {
	fake := newFake(t)
	for _, item := range []string{task, taskrouter + "/Workers/WK00000000000000000000000000000001"} {
		a := ask(t, fake, "GET", item, "").want(t, 200)
		first := a.header.Get("ETag")
		second := ask(t, fake, "POST", item, "Attributes=%7B%7D", "If-Match", first).want(t, 200, "attributes", "{}").header.Get("ETag")
		if first == "" || second == "" || first == second {
			t.Fatalf("ETags %q, %q", first, second)
		}
		ask(t, fake, "POST", item, "Attributes=%7B%22lost%22%3A1%7D", "If-Match", first).want(t, 412, "code", 20412)
		ask(t, fake, "DELETE", item, "", "If-Match", first).want(t, 412, "code", 20412)
		ask(t, fake, "GET", item, "").want(t, 200, "attributes", "{}")
		ask(t, fake, "POST", item, "Attributes=%7B%22b%22%3A1%7D", "If-Match", "*").want(t, 200)
		bare := strings.Trim(ask(t, fake, "GET", item, "").header.Get("ETag"), `"`)
		ask(t, fake, "POST", item, "Attributes=%7B%22c%22%3A1%7D", "If-Match", bare).want(t, 200)
		ask(t, fake, "POST", item, "Attributes=%7B%22d%22%3A1%7D", "If-Match", bare).want(t, 412)
		ask(t, fake, "POST", item, "Attributes=%7B%22c%22%3A1%7D").want(t, 200, "attributes", `{"c":1}`)
	}
}

// TestConcurrentUpdates has fifty clients increment a number by fetch and
// conditional update. No increment is lost, and only conflicts are refused.
func TestConcurrentUpdates(t *testing.T) {
	fake := newFake(t)
	ask(t, fake, "POST", task, "Attributes="+url.QueryEscape(`{"n":0}`)).want(t, 200)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			for {
				a := ask(t, fake, "GET", task, "")
				var n int
				if _, err := fmt.Sscanf(a.body["attributes"].(string), `{"n":%d}`, &n); err != nil {
					t.Errorf("attributes are %v", a.body["attributes"])
					return
				}
				form := "Attributes=" + url.QueryEscape(fmt.Sprintf(`{"n":%d}`, n+1))
				switch u := ask(t, fake, "POST", task, form, "If-Match", a.header.Get("ETag")); u.status {
				case 200:
					return
				case 412:
				default:
					t.Errorf("status %d", u.status)
					return
				}
			}
		})
	}
	wg.Wait()
	ask(t, fake, "GET", task, "").want(t, 200, "attributes", `{"n":50}`)
	if got, _ := fake.Resource("tasks", "WT00000000000000000000000000000001"); got["_version"] != 51 {
		t.Errorf("version is %v, want 51", got["_version"])
	}
}

func TestTaskStatus(t *testing.T) {
	fake := newFake(t)
	ask(t, fake, "POST", task, "AssignmentStatus=canceled").want(t, 400, "code", 20001)
	ask(t, fake, "POST", task, "AssignmentStatus=nonsense").want(t, 400, "code", 20001)
	ask(t, fake, "POST", task, "AssignmentStatus=completed&Attributes=%7B%7D").want(t, 400, "code", 20001)
	ask(t, fake, "POST", task, "AssignmentStatus=wrapping&Reason=done").want(t, 200, "assignment_status", "wrapping", "reason", "done")
	ask(t, fake, "GET", task+"/Reservations/WR00000000000000000000000000000001", "").want(t, 200, "reservation_status", "wrapping")
	ask(t, fake, "POST", task, "AssignmentStatus=completed").want(t, 200, "assignment_status", "completed")
	ask(t, fake, "POST", task, "AssignmentStatus=completed").want(t, 400, "code", 20001)
	ask(t, fake, "GET", taskrouter+"/Workers/WK00000000000000000000000000000001/Reservations/WR00000000000000000000000000000001", "").
		want(t, 200, "reservation_status", "completed", "task_sid", "WT00000000000000000000000000000001")
	ask(t, fake, "POST", strings.Replace(task, "1", "9", 1), "AssignmentStatus=completed").want(t, 404)
	ask(t, fake, "POST", taskrouter+"/Tasks/WTmissing", "AssignmentStatus=completed").want(t, 404, "code", 20404)
	ask(t, fake, "DELETE", task, "").want(t, 204)
	ask(t, fake, "GET", task, "").want(t, 404, "code", 20404)
}

func TestCreateTask(t *testing.T) {
	fake := newFake(t)
	tasks := taskrouter + "/Tasks"
	a := ask(t, fake, "POST", tasks, url.Values{
		"WorkflowSid": {"WW00000000000000000000000000000001"}, "TaskChannel": {"voice"}, "Attributes": {`{"a":1}`}, "Priority": {"5"},
	}.Encode()).want(t, 201, "assignment_status", "pending", "attributes", `{"a":1}`, "priority", 5, "timeout", 86400,
		"task_channel_sid", "TC00000000000000000000000000000001", "task_channel_unique_name", "voice",
		"workflow_friendly_name", "Assign to Anyone", "task_queue_friendly_name", "Everyone", "age", 0)
	ask(t, fake, "GET", tasks+"/"+a.sid(t), "").want(t, 200, "attributes", `{"a":1}`)
	ask(t, fake, "POST", tasks, "TaskChannel=TC00000000000000000000000000000002").want(t, 201, "task_channel_unique_name", "chat")
	for _, bad := range []string{"WorkflowSid=WWmissing", "TaskChannel=fax", "Attributes=%5B1%5D", "Attributes=%7B", "Priority=high"} {
		ask(t, fake, "POST", tasks, bad).want(t, 400, "code", 20001)
	}
	if n := len(ask(t, fake, "GET", tasks+"?AssignmentStatus=pending", "").items(t, "tasks")); n != 3 {
		t.Errorf("%d pending tasks, want 3: a refused create leaves nothing", n)
	}
}

func TestReservations(t *testing.T) {
	fake := newFake(t)
	if err := fake.SetResource("reservations", twiliofake.Resource{
		"sid": "WR00000000000000000000000000000002", "workspace_sid": workspace, "task_sid": "WT00000000000000000000000000000002",
		"worker_sid": "WK00000000000000000000000000000001", "worker_name": "agent@example.com",
	}); err != nil {
		t.Fatal(err)
	}
	item := taskrouter + "/Workers/WK00000000000000000000000000000001/Reservations/WR00000000000000000000000000000002"
	ask(t, fake, "POST", item, "ReservationStatus=completed").want(t, 400, "code", 20001)
	ask(t, fake, "POST", item, "Instruction=dance").want(t, 400, "code", 20001)
	etag := ask(t, fake, "GET", item, "").want(t, 200, "reservation_status", "pending").header.Get("ETag")
	ask(t, fake, "POST", item, "ReservationStatus=accepted", "If-Match", etag).want(t, 200, "reservation_status", "accepted")
	ask(t, fake, "POST", item, "ReservationStatus=wrapping", "If-Match", etag).want(t, 412)
	ask(t, fake, "GET", taskrouter+"/Tasks/WT00000000000000000000000000000002", "").want(t, 200, "assignment_status", "assigned")
	if n := len(ask(t, fake, "GET", taskrouter+"/Tasks/WT00000000000000000000000000000002/Reservations?ReservationStatus=accepted", "").items(t, "reservations")); n != 1 {
		t.Errorf("%d accepted reservations of the task, want 1", n)
	}
}

func TestWorkers(t *testing.T) {
	fake := newFake(t)
	workers := taskrouter + "/Workers"
	a := ask(t, fake, "POST", workers, "FriendlyName=new&Attributes=%7B%22a%22%3A1%7D").want(t, 201,
		"activity_name", "Offline", "available", false, "attributes", `{"a":1}`)
	item := workers + "/" + a.sid(t)
	ask(t, fake, "POST", workers, "FriendlyName=NEW").want(t, 400, "code", 20001)
	ask(t, fake, "POST", workers, "").want(t, 400, "code", 20001)
	ask(t, fake, "POST", item, "ActivitySid=WA00000000000000000000000000000002").want(t, 200, "activity_name", "Available", "available", true)
	ask(t, fake, "POST", item, "ActivitySid=WAmissing").want(t, 400, "code", 20001)
	ask(t, fake, "POST", item, "Attributes=nonsense").want(t, 400, "code", 20001)
	if n := len(ask(t, fake, "GET", item+"/Channels", "").items(t, "channels")); n != 4 {
		t.Errorf("a new worker has %d channels, want 4", n)
	}
	channel := item + "/Channels/chat"
	ask(t, fake, "POST", channel, "Capacity=5&Available=false").want(t, 200, "configured_capacity", 5, "available", false)
	ask(t, fake, "GET", channel, "").want(t, 200, "configured_capacity", 5, "available", false)
	for _, bad := range []string{"Capacity=NaN", "Capacity=51", "Capacity=-1", "Available=perhaps"} {
		ask(t, fake, "POST", channel, bad).want(t, 400, "code", 20001)
	}
	ask(t, fake, "GET", taskrouter+"/Workers//Channels/WC1", "").want(t, 404, "code", 20404)
	ask(t, fake, "DELETE", item, "").want(t, 400)
	ask(t, fake, "POST", item, "ActivitySid=WA00000000000000000000000000000001").want(t, 200)
	ask(t, fake, "DELETE", item, "").want(t, 204)
	ask(t, fake, "GET", item+"/Channels", "").want(t, 404)
}

func TestWorkspace(t *testing.T) {
	fake := newFake(t)
	a := ask(t, fake, "POST", "https://taskrouter.twilio.com/v1/Workspaces", "FriendlyName=Second").want(t, 201, "default_activity_name", "Offline")
	base := "https://taskrouter.twilio.com/v1/Workspaces/" + a.sid(t)
	ask(t, fake, "POST", base+"/TaskQueues", "FriendlyName=Q").want(t, 201, "target_workers", "1==1", "max_reserved_workers", 1)
	ask(t, fake, "POST", base+"/TaskQueues", "FriendlyName=q").want(t, 400, "code", 20001)
	ask(t, fake, "POST", base+"/TaskQueues", "FriendlyName=R&MaxReservedWorkers=51").want(t, 400, "code", 20001)
	ask(t, fake, "POST", base+"/Workflows", "FriendlyName=W&Configuration=%7B%7D").want(t, 201, "task_reservation_timeout", 120)
	ask(t, fake, "POST", base+"/Tasks", "Attributes=%7B%7D").want(t, 201, "task_queue_friendly_name", "Q", "workflow_friendly_name", "W")
	ask(t, fake, "POST", base+"/Activities", "FriendlyName=Lunch&Available=false").want(t, 201, "available", false)
	ask(t, fake, "DELETE", base, "").want(t, 204)
	ask(t, fake, "GET", base+"/TaskQueues", "").want(t, 404, "code", 20404)
}

func TestParticipants(t *testing.T) {
	fake := newFake(t)
	ask(t, fake, "POST", customer, "Hold=true&HoldUrl=https%3A%2F%2Fexample.com%2Fhold.xml").want(t, 200, "hold", true, "muted", false,
		"uri", strings.TrimPrefix(customer, "https://api.twilio.com"))
	ask(t, fake, "GET", customer, "").want(t, 200, "hold", true)
	ask(t, fake, "POST", customer, "Muted=true").want(t, 200, "hold", true, "muted", true)
	ask(t, fake, "POST", customer, "Hold=perhaps").want(t, 400, "code", 20001)
	ask(t, fake, "GET", conference+"/Participants/customer.json", "").want(t, 200, "label", "customer")
	ask(t, fake, "POST", conference+"/Participants/CAmissing.json", "Hold=true").want(t, 404, "code", 20404)
	ask(t, fake, "POST", api+"/Conferences/my%20conf/Participants/CA00000000000000000000000000000001.json", "Hold=true").want(t, 404,
		"message", "The requested resource /2010-04-01/Accounts/"+account+"/Conferences/my conf/Participants/CA00000000000000000000000000000001.json was not found")

	added := ask(t, fake, "POST", conference+"/Participants.json", "From=%2B15550002222&To=%2B15550007777&EndConferenceOnExit=false&Label=third").
		want(t, 201, "label", "third", "hold", false, "conference_sid", "CF00000000000000000000000000000001")
	sid := added.body["call_sid"].(string)
	ask(t, fake, "GET", api+"/Calls/"+sid+".json", "").want(t, 200, "to", "+15550007777", "direction", "outbound-api", "status", "in-progress")
	for form, code := range map[string]int{
		"From=%2B15550002222&To=x": 13223, "From=%2B15559999999&To=%2B15550007777": 21210,
		"To=%2B15550007777": 21213, "From=%2B15550002222": 21201,
	} {
		ask(t, fake, "POST", conference+"/Participants.json", form).want(t, 400, "code", code)
	}
	ask(t, fake, "POST", conference+"/Participants/"+sid+".json", "Coaching=true&CallSidToCoach=CAmissing").want(t, 400)
	ask(t, fake, "POST", conference+"/Participants/"+sid+".json", "Coaching=true&CallSidToCoach=CA00000000000000000000000000000002").
		want(t, 200, "coaching", true)
	if n := len(ask(t, fake, "GET", conference+"/Participants.json?Hold=true", "").items(t, "participants")); n != 1 {
		t.Errorf("%d participants on hold, want 1", n)
	}

	ask(t, fake, "DELETE", conference+"/Participants/"+sid+".json", "").want(t, 204)
	ask(t, fake, "GET", api+"/Calls/"+sid+".json", "").want(t, 200, "status", "completed")
	// When the worker leaves, the conference and the customer's call end.
	ask(t, fake, "DELETE", conference+"/Participants/CA00000000000000000000000000000002.json", "").want(t, 204)
	ask(t, fake, "GET", conference+".json", "").want(t, 200, "status", "completed",
		"reason_conference_ended", "participant-with-end-conference-on-exit-left", "call_sid_ending_conference", "CA00000000000000000000000000000002")
	ask(t, fake, "GET", api+"/Calls/CA00000000000000000000000000000001.json", "").want(t, 200, "status", "completed")
	ask(t, fake, "GET", api+"/Recordings/RE00000000000000000000000000000001.json", "").want(t, 200, "status", "completed")
	ask(t, fake, "POST", customer, "Hold=true").want(t, 404, "code", 20404)
}

// TestConferenceByName starts a conference by calling someone into it, as the
// plugin does with a task's SID as the name.
func TestConferenceByName(t *testing.T) {
	fake := newFake(t)
	by := func(name string) string {
		a := ask(t, fake, "POST", api+"/Conferences/"+name+"/Participants.json", "From=%2B15550002222&To=client%3Asomebody").want(t, 201)
		return a.body["conference_sid"].(string)
	}
	if sid := by("WT00000000000000000000000000000001"); sid != "CF00000000000000000000000000000001" {
		t.Errorf("joined %s, want the conference of that name", sid)
	}
	sid := by("room")
	if again := by("room"); again != sid {
		t.Errorf("joined %s, want %s", again, sid)
	}
	ask(t, fake, "POST", api+"/Conferences/CFmissing/Participants.json", "From=%2B15550002222&To=client%3Asomebody").want(t, 404)
	ask(t, fake, "POST", api+"/Conferences/"+sid+".json", "Status=completed").want(t, 200, "status", "completed", "reason_conference_ended", "conference-ended-via-api")
	ask(t, fake, "POST", api+"/Conferences/"+sid+".json", "Status=paused").want(t, 400)
	if n := len(ask(t, fake, "GET", api+"/Conferences.json?Status=in-progress", "").items(t, "conferences")); n != 1 {
		t.Errorf("%d conferences in progress, want 1", n)
	}
}

func TestCalls(t *testing.T) {
	fake := newFake(t)
	item := api + "/Calls/CA00000000000000000000000000000001.json"
	ask(t, fake, "DELETE", item, "").want(t, 409)
	twiml := "<Response><Dial>+15550003333</Dial></Response>"
	ask(t, fake, "POST", item, "Twiml="+url.QueryEscape(twiml)).want(t, 200, "status", "in-progress", "sid", "CA00000000000000000000000000000001")
	if got, _ := fake.Resource("calls", "CA00000000000000000000000000000001"); got["_twiml"] != twiml {
		t.Errorf("the fake keeps %v, want the TwiML", got["_twiml"])
	}
	both := "Url=https%3A%2F%2Fexample.com%2Fa&Twiml=%3CResponse%2F%3E"
	ask(t, fake, "POST", api+"/Calls/CA00000000000000000000000000000001.json", both).want(t, 400, "code", 20001)
	dialled := ask(t, fake, "POST", api+"/Calls.json", "To=%2B15550001111&From=%2B15550002222&"+both).want(t, 201)
	if got, _ := fake.Resource("calls", dialled.sid(t)); got["_twiml"] != nil || got["_url"] != "https://example.com/a" {
		t.Errorf("of URL and TwiML the fake keeps %v and %v, want the URL", got["_url"], got["_twiml"])
	}
	ask(t, fake, "GET", customer, "").want(t, 404) // it left the conference
	ask(t, fake, "POST", item, "Status=canceled").want(t, 400, "code", 21220)
	ask(t, fake, "POST", item, "Status=completed").want(t, 200, "status", "completed")
	ask(t, fake, "POST", item, "Twiml=x").want(t, 400, "code", 21220)
	ask(t, fake, "DELETE", item, "").want(t, 204)
	ask(t, fake, "GET", item, "").want(t, 404)
	for form, code := range map[string]int{
		"From=%2B15550002222&Url=u": 21201, "To=%2B15550007777&Url=u": 21213, "From=%2B15550002222&To=x&Url=u": 21211,
		"From=%2B15550002222&To=%2B15550007777": 21205, "From=x&To=%2B15550007777&Url=u": 21212,
	} {
		ask(t, fake, "POST", api+"/Calls.json", form).want(t, 400, "code", code)
	}
	ask(t, fake, "POST", api+"/Calls.json", "From=%2B15550002222&To=%2B12125551234&Url=u").want(t, 201,
		"to_formatted", "(212) 555-1234", "phone_number_sid", "PN00000000000000000000000000000001")
}

func TestRecordings(t *testing.T) {
	fake := newFake(t)
	ofCall := api + "/Calls/CA00000000000000000000000000000001/Recordings"
	ask(t, fake, "POST", ofCall+"/Twilio.CURRENT.json", "Status=paused&PauseBehavior=skip").want(t, 200, "status", "paused", "sid", "RE00000000000000000000000000000001")
	ask(t, fake, "POST", ofCall+"/Twilio.CURRENT.json", "Status=in-progress").want(t, 200, "status", "in-progress")
	ask(t, fake, "POST", ofCall+"/Twilio.CURRENT.json", "Status=stopped").want(t, 200, "status", "stopped")
	ask(t, fake, "POST", ofCall+"/RE00000000000000000000000000000001.json", "Status=paused").want(t, 400, "code", 21220)
	ask(t, fake, "POST", ofCall+"/Twilio.CURRENT.json", "Status=paused").want(t, 404)
	a := ask(t, fake, "POST", ofCall+".json", "RecordingTrack=inbound").want(t, 201, "status", "in-progress", "track", "inbound", "conference_sid", "CF00000000000000000000000000000001")
	ask(t, fake, "GET", conference+"/Recordings/"+a.sid(t)+".json", "").want(t, 200, "status", "in-progress")
	ask(t, fake, "GET", api+"/Recordings/"+a.sid(t)+".json", "").want(t, 200, "media_url", api+"/Recordings/"+a.sid(t))
	ask(t, fake, "DELETE", api+"/Recordings/"+a.sid(t)+".json", "").want(t, 204)
	ask(t, fake, "GET", ofCall+"/"+a.sid(t)+".json", "").want(t, 404)
}

func TestNumbersAndMessages(t *testing.T) {
	fake := newFake(t)
	a := ask(t, fake, "POST", api+"/IncomingPhoneNumbers.json", "PhoneNumber=%2B12125550000").want(t, 201, "friendly_name", "(212) 555-0000")
	ask(t, fake, "POST", api+"/IncomingPhoneNumbers.json", "PhoneNumber=%2B12125550000").want(t, 400, "code", 21422)
	ask(t, fake, "POST", api+"/IncomingPhoneNumbers.json", "PhoneNumber=12").want(t, 400, "code", 21421)
	ask(t, fake, "POST", api+"/IncomingPhoneNumbers/"+a.sid(t)+".json", "FriendlyName=New&VoiceUrl=u").want(t, 200, "friendly_name", "New", "voice_url", "u")
	if n := len(ask(t, fake, "GET", api+"/IncomingPhoneNumbers.json?PhoneNumber=%2B12125550000", "").items(t, "incoming_phone_numbers")); n != 1 {
		t.Errorf("the number was bought %d times, want once", n)
	}
	ask(t, fake, "POST", api+"/OutgoingCallerIds/PN00000000000000000000000000000003.json", "FriendlyName=Mine").want(t, 200, "friendly_name", "Mine")

	m := ask(t, fake, "POST", api+"/Messages.json", "From=%2B15550002222&To=%2B12125550001&Body=hi").want(t, 201, "status", "queued", "body", "hi")
	ask(t, fake, "POST", api+"/Messages/"+m.sid(t)+".json", "Body=").want(t, 200, "body", "")
	const message = "From=%2B15550002222&To=%2B12125550001"
	for body, segments := range map[string]string{
		strings.Repeat("x", 160): "1", strings.Repeat("x", 161): "2", strings.Repeat("x", 307): "3",
		strings.Repeat("€", 80): "1", strings.Repeat("€", 81): "2", // an escape and a character
		strings.Repeat("ł", 70): "1", strings.Repeat("ł", 71): "2", strings.Repeat("😀", 36): "2",
	} {
		ask(t, fake, "POST", api+"/Messages.json", message+"&Body="+url.QueryEscape(body)).want(t, 201, "num_segments", segments)
	}
	if a := ask(t, fake, "POST", api+"/Messages.json", message+"&MediaUrl=u").want(t, 201); !strings.HasPrefix(a.sid(t), "MM") {
		t.Errorf("a message with media is %s", a.sid(t))
	}
	at := func(d time.Duration) string {
		return "&ScheduleType=fixed&SendAt=" + time.Now().UTC().Add(d).Format(time.RFC3339)
	}
	const service = "&MessagingServiceSid=MG00000000000000000000000000000001"
	later := ask(t, fake, "POST", api+"/Messages.json", "Body=hi&To=%2B12125550001"+service+at(time.Hour)).want(t, 201, "status", "scheduled")
	ask(t, fake, "POST", api+"/Messages/"+later.sid(t)+".json", "Status=canceled").want(t, 200, "status", "canceled")
	for form, code := range map[string]int{
		"&Body=" + strings.Repeat("x", 1601): 21617, strings.Repeat("&MediaUrl=u", 11): 21623, "&Body=hi" + at(time.Hour): 35118,
		"&Body=hi&ScheduleType=fixed" + service: 35111, "&Body=hi" + service + at(time.Minute): 35114, "&Body=hi" + service + at(36*24*time.Hour): 35114,
	} {
		ask(t, fake, "POST", api+"/Messages.json", message+form).want(t, 400, "code", code)
	}
	for form, code := range map[string]int{
		"Body=hi&From=%2B15550002222": 21604, "Body=hi&To=%2B12125550001": 21603, "From=%2B15550002222&To=%2B12125550001": 21602,
		"Body=hi&From=%2B15559999999&To=%2B12125550001": 21606, "Body=hi&From=%2B15550002222&To=x": 21211,
	} {
		ask(t, fake, "POST", api+"/Messages.json", form).want(t, 400, "code", code)
	}
}

func TestLookupAndDialingPermissions(t *testing.T) {
	fake := newFake(t)
	look := func(number string) answer {
		return ask(t, fake, "GET", "https://lookups.twilio.com/v2/PhoneNumbers/"+number, "")
	}
	look("+15550001111").want(t, 200, "valid", true, "country_code", "US", "calling_country_code", "1", "national_format", "(555) 000-1111")
	look("+353871234567").want(t, 200, "valid", true, "country_code", "IE")
	look("(555)%20000-1111").want(t, 200, "valid", true, "country_code", "US", "phone_number", "+15550001111")
	look("0871234567?CountryCode=ie").want(t, 200, "valid", true, "country_code", "IE", "phone_number", "+353871234567")
	look("0871234567?CountryCode=ZZ").want(t, 200, "valid", false, "phone_number", "0871234567")
	for number, want := range map[string]string{
		"+1555bad": "[NOT_A_NUMBER]", "+1555": "[TOO_SHORT]", "+99912345678": "[INVALID_COUNTRY_CODE]", "%2015550001111": "[NOT_A_NUMBER]", "+155500011112": "[TOO_LONG]",
	} {
		a := look(number).want(t, 200, "valid", false)
		if got := fmt.Sprint(a.body["validation_errors"]); got != want {
			t.Errorf("%s: %s, want %s", number, got, want)
		}
	}
	if err := fake.SetResource("lookups", twiliofake.Resource{
		"phone_number": "+15550001111", "valid": false, "validation_errors": []string{"INVALID_LENGTH"},
		"line_type_intelligence": map[string]any{"type": "mobile"},
	}); err != nil {
		t.Fatal(err)
	}
	look("+15550001111").want(t, 200, "valid", false)
	const fields = "https://lookups.twilio.com/v2/PhoneNumbers/+15550001111?Fields="
	packages := ask(t, fake, "GET", fields+"sim_swap,pre_fill,line_type_intelligence", "").want(t, 200, "caller_name", nil).body
	for name, want := range map[string]string{
		"line_type_intelligence": "map[type:mobile]", "pre_fill": "map[error_code:60606]",
		"sim_swap": "map[carrier_name:<nil> error_code:60606 last_sim_swap:<nil>",
	} {
		if got := fmt.Sprint(packages[name]); !strings.HasPrefix(got, want) {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	for _, name := range []string{"nonsense", "valid", "country_code", "sim_swap,x"} {
		ask(t, fake, "GET", fields+name, "").want(t, 400, "code", 20001)
	}

	voice := "https://voice.twilio.com/v1/DialingPermissions/"
	if got := ask(t, fake, "GET", voice+"Countries?CountryCode=44", "").items(t, "content"); len(got) != 1 || got[0]["iso_code"] != "GB" || got[0]["high_risk_special_numbers_enabled"] != false {
		t.Errorf("country 44 is %v", got)
	}
	if got := ask(t, fake, "GET", voice+"Countries?CountryCode=999", "").items(t, "content"); len(got) != 0 {
		t.Errorf("country 999 is %v", got)
	}
	if got := ask(t, fake, "GET", voice+"Countries/GB/HighRiskSpecialPrefixes", "").items(t, "content"); len(got) != 2 || got[0]["prefix"] != "+44870" {
		t.Errorf("prefixes are %v", got)
	}
	ask(t, fake, "GET", voice+"Countries/ZZ/HighRiskSpecialPrefixes", "").want(t, 404)
	ask(t, fake, "POST", voice+"BulkCountryUpdates", "UpdateRequest="+url.QueryEscape(`[{"iso_code":"GB","low_risk_numbers_enabled":"false"}]`)).want(t, 201, "update_count", 1)
	ask(t, fake, "GET", voice+"Countries/GB", "").want(t, 200, "low_risk_numbers_enabled", false)
	ask(t, fake, "POST", voice+"BulkCountryUpdates", "UpdateRequest=x").want(t, 400)
}

func TestConversations(t *testing.T) {
	fake := newFake(t)
	base := "https://conversations.twilio.com/v1/Conversations"
	ask(t, fake, "POST", base+"/CH00000000000000000000000000000001", "Attributes=%7B%22a%22%3A1%7D").want(t, 200, "attributes", `{"a":1}`)
	ask(t, fake, "GET", base+"/customer", "").want(t, 200, "attributes", `{"a":1}`, "sid", "CH00000000000000000000000000000001")
	ask(t, fake, "GET", "https://conversations.twilio.com/v1/Services/IS00000000000000000000000000000001/Conversations/customer", "").
		want(t, 200, "url", "https://conversations.twilio.com/v1/Services/IS00000000000000000000000000000001/Conversations/CH00000000000000000000000000000001")
	a := ask(t, fake, "POST", base, "UniqueName=new").want(t, 201, "state", "active", "attributes", "{}")
	ask(t, fake, "POST", base, "UniqueName=new").want(t, 409, "code", 50353)
	item := base + "/" + a.sid(t)
	ask(t, fake, "POST", base+"/new/Participants", "Identity=bob").want(t, 201, "conversation_sid", a.sid(t))
	ask(t, fake, "POST", item+"/Participants", "Identity=bob").want(t, 409, "code", 50433)
	ask(t, fake, "POST", item+"/Messages", "Author=bob&Body=one").want(t, 201, "index", 0)
	ask(t, fake, "POST", item+"/Messages", "Author=bob&Body=two").want(t, 201, "index", 1)
	ask(t, fake, "POST", item, "State=closed").want(t, 200, "state", "closed")
	ask(t, fake, "POST", item+"/Messages", "Body=three").want(t, 400)
	ask(t, fake, "POST", item, "State=odd").want(t, 400)
	ask(t, fake, "DELETE", item, "").want(t, 204)
	ask(t, fake, "GET", item+"/Messages", "").want(t, 404)
	ask(t, fake, "GET", "https://conversations.twilio.com/v2/Anything", "").want(t, 404)
}

func TestChat(t *testing.T) {
	fake := newFake(t)
	base := "https://chat.twilio.com/v2/Services/IS00000000000000000000000000000001/Channels"
	item := base + "/CH00000000000000000000000000000001"
	ask(t, fake, "POST", item, "Attributes=%7B%22status%22%3A%22INACTIVE%22%7D").want(t, 200, "attributes", `{"status":"INACTIVE"}`, "members_count", 1)
	ask(t, fake, "POST", base, "UniqueName=a&Type=private").want(t, 201, "type", "private")
	for query, want := range map[string]int{"": 0, "?Type=public": 0, "?Type=private": 2, "?Type=private&Type=public": 2} { // public is the default
		if n := len(ask(t, fake, "GET", base+query, "").want(t, 200).items(t, "channels")); n != want {
			t.Errorf("%d channels for %q, want %d", n, query, want)
		}
	}
	ask(t, fake, "POST", base, "UniqueName=a").want(t, 409, "code", 50307)
	ask(t, fake, "POST", base, "Type=odd").want(t, 400)
	ask(t, fake, "POST", base+"/a/Members", "Identity=bob").want(t, 201)
	m := ask(t, fake, "POST", base+"/a/Messages", "From=bob&Body=hi").want(t, 201, "index", 0, "was_edited", false)
	ask(t, fake, "POST", base+"/a/Messages/"+m.sid(t), "Body=ho").want(t, 200, "was_edited", true)
	ask(t, fake, "GET", base+"/a", "").want(t, 200, "members_count", 1, "messages_count", 1)
	ask(t, fake, "GET", strings.Replace(base, "1/", "2/", 1), "").want(t, 404)
}

func TestFlexConfiguration(t *testing.T) {
	fake := newFake(t)
	u := "https://flex-api.twilio.com/v1/Configuration"
	ask(t, fake, "GET", u, "").want(t, 200, "account_sid", account, "taskrouter_workspace_sid", workspace)
	a := ask(t, fake, "POST", u, `{"account_sid":"`+account+`","ui_attributes":{"custom_data":{"n":12345678901234567890}}}`, "Content-Type", "application/json").want(t, 200, "account_sid", account)
	if !strings.Contains(a.text, "12345678901234567890") {
		t.Errorf("a big number was rounded: %s", a.text)
	}
	ask(t, fake, "POST", u, `{"call_recording_enabled":"yes"}`, "Content-Type", "application/json").want(t, 400)
	ask(t, fake, "POST", u, `[`, "Content-Type", "application/json").want(t, 400)
}

// TestUnmodelled calls operations without a row while the generic layer is off.
func TestUnmodelled(t *testing.T) {
	fake, err := twiliofake.New(twiliofake.Config{Strict: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]string{
		{"GET", "https://pricing.twilio.com/v1/Voice/Countries"},
		{"GET", "https://example.com/"},
		{"GET", "https://taskrouter.a.b.c.twilio.com/v1/Workspaces"},
		{"PUT", task},
		{"DELETE", conference + ".json"},
		{"GET", taskrouter + "/Workers?Sid=x"},
		{"POST", api + "/Recordings.json"},
	} {
		a := ask(t, fake, c[0], c[1], "").want(t, http.StatusNotImplemented, "code", 20501)
		if m := a.body["message"].(string); !strings.HasPrefix(m, "twiliofake does not model ") {
			t.Errorf("%v: %s", c, m)
		}
	}
}

// TestConcurrentUse makes all kinds of calls at once, for the race detector.
func TestConcurrentUse(t *testing.T) {
	fake := newFake(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 20 {
				switch i {
				case 0:
					if err := fake.SetState(twiliofake.DevelopmentState()); err != nil {
						t.Error(err)
					}
				case 1:
					if err := fake.SetFaults(twiliofake.Fault{Match: twiliofake.Match{Host: "chat"}, Probability: .5}); err != nil {
						t.Error(err)
					}
				case 2:
					fake.Requests(twiliofake.Match{Method: "GET"})
					fake.ClearRequests()
				case 3:
					fake.MintToken(twiliofake.Token{User: "x"})
					fake.State()
				case 4:
					ask(t, fake, "POST", customer, "Hold=true")
				case 5:
					ask(t, fake, "POST", conference+"/Participants.json", "From=%2B15550002222&To=%2B15550007777")
				default:
					ask(t, fake, "GET", taskrouter+"/Workers", "").want(t, 200)
					ask(t, fake, "GET", "https://chat.twilio.com/v2/Services", "")
				}
			}
		})
	}
	wg.Wait()
}
