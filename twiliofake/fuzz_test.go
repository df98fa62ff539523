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

	"github.com/flexfn/flexfn/internal/testing/blind"
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
	// Inputs share the fakes of their product, which are reset after a change:
	// making a fake takes hundreds of times as long as an answer.
	fakes := map[string]*fuzzed{}
	for _, form := range forms {
		product := strings.TrimPrefix(form[:strings.IndexByte(form, '.')], "https://")
		if fakes[product] == nil {
			fakes[product] = newFuzzed(f, product)
		}
	}
	blind.Fuzz(f, func(t *testing.T, place uint8, body string, isJSON bool) {
		header := []string{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}
		if isJSON {
			header[1] = "application/json"
		}
		form := forms[int(place)%len(forms)]
		on := fakes[strings.TrimPrefix(form[:strings.IndexByte(form, '.')], "https://")]
		a := ask(t, on.fake, "POST", form, body, header...)
		if a.body == nil {
			t.Fatalf("the answer is not a JSON object: %s", a.text)
		}
		switch {
		case a.status == 200 || a.status == 201:
			on.check(t)
		case a.status >= 400 && a.status < 500 || a.status == 501 || a.status == 503:
			if on.changed() {
				after := on.fake.State()
				on.reset(t)
				t.Fatalf("a request that was refused with %d changed the state%s", a.status, difference(on.before, after))
			}
		default:
			t.Fatalf("status %d", a.status)
		}
	})
}

// fuzzed is a fake that many inputs share, and a second one that loads what the
// first one saves.
type fuzzed struct {
	fake, again *twiliofake.Twilio
	before      twiliofake.State // of the fake before each input
	print       uint64           // of before
}

// newFuzzed makes a fake with the development state of one product, of which two
// items of each kind are enough.
func newFuzzed(f *testing.F, product string) *fuzzed {
	f.Helper()
	on := &fuzzed{fake: newFake(f), again: newFake(f), before: twiliofake.DevelopmentState()}
	for kind, list := range on.before.Resources {
		if kind == "accounts" || twiliofake.ProductOf(kind) == product {
			on.before.Resources[kind] = list[:min(2, len(list))]
		} else {
			delete(on.before.Resources, kind)
		}
	}
	if err := on.fake.SetState(on.before); err != nil {
		f.Fatal(err)
	}
	on.before = on.fake.State()
	on.reset(f)
	return on
}

func (on *fuzzed) changed() bool { return on.fake.Fingerprint() != on.print }

// check resets the fake if it has changed. Before that, another fake must be
// able to load the change.
func (on *fuzzed) check(t *testing.T) {
	t.Helper()
	if !on.changed() {
		return
	}
	defer on.reset(t)
	checkLoads(t, on.fake, on.again)
}

// checkLoads loads fake's state into another fake and compares the two.
func checkLoads(t *testing.T, fake, again *twiliofake.Twilio) {
	t.Helper()
	state := fake.State()
	saved, err := json.Marshal(state)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Load(bytes.NewReader(saved)); err != nil {
		t.Fatalf("the fake cannot load a state that it saved: %v", err)
	}
	if again.Fingerprint() != fake.Fingerprint() {
		t.Fatalf("the fake loads another state than it saved%s", difference(state, again.State()))
	}
}

// reset gives the fake the state that it had before.
func (on *fuzzed) reset(t testing.TB) {
	t.Helper()
	if err := on.fake.SetState(on.before); err != nil {
		t.Fatal(err)
	}
	print := on.fake.Fingerprint()
	if on.print != 0 && on.print != print {
		t.Fatalf("SetState changed the state%s", difference(on.before, on.fake.State()))
	}
	on.print = print
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
	on := newFuzzed(f, "taskrouter")
	on.before.Faults = []twiliofake.Fault{{Name: "before", Skip: 1 << 30}}
	on.print = 0
	on.reset(f)
	blind.Fuzz(f, func(t *testing.T, method, path, body string) {
		r := httptest.NewRequest("GET", twiliofake.ControlPath, strings.NewReader(body))
		r.Host = "localhost"
		r.Method = method
		path, r.URL.RawQuery, _ = strings.Cut(path, "?")
		r.URL.Path += path
		w := httptest.NewRecorder()
		on.fake.ServeHTTP(w, r)
		if !json.Valid(w.Body.Bytes()) {
			t.Fatalf("the answer is not JSON: %s", w.Body)
		}
		if (w.Code != 200 || method == "GET") && on.changed() {
			on.reset(t)
			t.Fatalf("%s, answered with %d, changed the fake", method, w.Code)
		}
		on.check(t)
	})
}
