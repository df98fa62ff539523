package twiliofake_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/flexfn/flexfn/twiliofake"
)

// forms are paths that accept a form, each with different semantics.
var forms = []string{
	task, taskrouter + "/Tasks", taskrouter + "/TaskQueues", taskrouter + "/Workers", taskrouter + "/Workers/WK00000000000000000000000000000001",
	taskrouter + "/Workers/WK00000000000000000000000000000001/Channels/voice",
	task + "/Reservations/WR00000000000000000000000000000001", "https://taskrouter.twilio.com/v1/Workspaces",
	customer, conference + ".json", conference + "/Participants.json", api + "/Calls.json", api + "/Calls/CA00000000000000000000000000000001.json",
	api + "/Calls/CA00000000000000000000000000000001/Recordings/Twilio.CURRENT.json", api + "/Messages.json", api + "/IncomingPhoneNumbers.json",
	"https://conversations.twilio.com/v1/Conversations", "https://conversations.twilio.com/v1/Conversations/customer/Participants",
	"https://chat.twilio.com/v2/Services/IS00000000000000000000000000000001/Channels",
	"https://voice.twilio.com/v1/DialingPermissions/BulkCountryUpdates", "https://flex-api.twilio.com/v1/Configuration",
	"https://iam.twilio.com/v1/Accounts/" + account + "/Tokens/validate",
}

// FuzzForm posts any body to any path that accepts a form. The answer is JSON,
// an error changes nothing, and the resulting state can be saved and loaded.
func FuzzForm(f *testing.F) {
	for i, body := range []string{
		"Attributes=%7B%22a%22%3A1%7D", "AssignmentStatus=completed&Reason=x", "FriendlyName=q&MaxReservedWorkers=3", "Capacity=3&Available=true",
		"ReservationStatus=wrapping", "Hold=true&HoldUrl=u", "From=%2B15550002222&To=%2B15550007777&Twiml=x", "Status=completed", "Status=paused",
		"Identity=a&MessagingBinding.Address=b", `{"token":"dev-agent"}`, `{"ui_attributes":{"a":[1,2e400]}}`, `UpdateRequest=[{"iso_code":"GB","low_risk_numbers_enabled":false}]`,
		"%zz", "a=1&a=2", "VirtualStartTime=2024-01-02T03:04:05%2B01:00", "=", ";", "WebhookFilters=a&WebhookFilters=b",
	} {
		f.Add(uint8(i), body, i%2 == 0)
	}
	// One fake serves all inputs and is reset after a change, since making a
	// fake takes a hundred times as long as an answer. Two items of each kind
	// are enough.
	fake, again := newFake(f), newFake(f)
	before := fake.State()
	for kind, list := range before.Resources {
		before.Resources[kind] = list[:min(2, len(list))]
	}
	if err := fake.SetState(before); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, place uint8, body string, isJSON bool) {
		header := []string{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}
		if isJSON {
			header[1] = "application/json"
		}
		a := ask(t, fake, "POST", forms[int(place)%len(forms)], body, header...)
		if a.body == nil {
			t.Fatalf("the answer is not a JSON object: %s", a.text)
		}
		switch {
		case a.status == 200 || a.status == 201:
			defer reset(t, fake, before)
			checkLoads(t, fake, again)
		case a.status >= 400 && a.status < 500 || a.status == 501 || a.status == 503:
			if after := fake.State(); !reflect.DeepEqual(after, before) {
				reset(t, fake, before)
				t.Fatalf("a request that was refused with %d changed the state%s", a.status, difference(before, after))
			}
		default:
			t.Fatalf("status %d", a.status)
		}
	})
}

// checkLoads loads fake's state into another fake and compares the two.
func checkLoads(t *testing.T, fake, again *twiliofake.Twilio) {
	t.Helper()
	saved, err := json.Marshal(fake.State())
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Load(bytes.NewReader(saved)); err != nil {
		t.Fatalf("the fake cannot load a state that it saved: %v", err)
	}
	if loaded, err := json.Marshal(again.State()); err != nil || !bytes.Equal(loaded, saved) {
		t.Fatalf("the fake saved %s, and loaded it as %s, %v", saved, loaded, err)
	}
}

// reset replaces fake's state.
func reset(t *testing.T, fake *twiliofake.Twilio, state twiliofake.State) {
	t.Helper()
	if err := fake.SetState(state); err != nil {
		t.Fatal(err)
	}
	if have := fake.State(); !reflect.DeepEqual(have, state) {
		t.Fatalf("SetState changed the state%s", difference(state, have))
	}
}

// difference returns the kinds of resources that differ between two states.
func difference(a, b twiliofake.State) string {
	var s strings.Builder
	for _, kind := range slices.Sorted(maps.Keys(a.Resources)) {
		if !reflect.DeepEqual(a.Resources[kind], b.Resources[kind]) {
			fmt.Fprintf(&s, "\n%s: %v\n%s: %v", kind, a.Resources[kind], kind, b.Resources[kind])
		}
	}
	if len(a.Resources) != len(b.Resources) {
		fmt.Fprintf(&s, "\n%d kinds, %d kinds", len(a.Resources), len(b.Resources))
	}
	return s.String()
}

// FuzzControl sends arbitrary requests to the control API. It answers JSON, and
// an error changes nothing.
func FuzzControl(f *testing.F) {
	for _, c := range [][3]string{
		{"PUT", "state", `{"resources":{"accounts":[{"sid":"AC1"}]},"tokens":{"a":{"roles":["x"],"expires":"2024-01-02T03:04:05Z"}}}`},
		{"PUT", "state", `{"resources":{"tasks":[{"sid":"WT1","_version":1e3}]}}`},
		{"PUT", "faults", `[{"method":"GET","path":"/v1/**","probability":0.5,"delay":"1s","from":"2024-01-02T03:04:05Z"}]`},
		{"POST", "faults", `{"action":"rate-limit","per_second":5}`},
		{"DELETE", "faults", ``},
		{"GET", "requests?path=/a/*&host=api", ``},
		{"POST", "tokens", `{"user":"a","roles":null}`},
		{"GET", "state", ``},
	} {
		f.Add(c[0], c[1], c[2])
	}
	fake, again := newFake(f), newFake(f)
	if err := fake.SetFaults(twiliofake.Fault{Name: "before", Skip: 1 << 30}); err != nil {
		f.Fatal(err)
	}
	before := fake.State()
	f.Fuzz(func(t *testing.T, method, path, body string) {
		r := httptest.NewRequest("GET", twiliofake.ControlPath, strings.NewReader(body))
		r.Host = "localhost"
		r.Method = method
		path, r.URL.RawQuery, _ = strings.Cut(path, "?")
		r.URL.Path += path
		w := httptest.NewRecorder()
		fake.ServeHTTP(w, r)
		if !json.Valid(w.Body.Bytes()) {
			t.Fatalf("the answer is not JSON: %s", w.Body)
		}
		changed := !reflect.DeepEqual(fake.State(), before)
		if changed {
			defer reset(t, fake, before)
		}
		if changed && (w.Code != 200 || method == "GET") {
			t.Fatalf("%s, answered with %d, changed the fake", method, w.Code)
		}
		if changed {
			checkLoads(t, fake, again)
		}
	})
}
