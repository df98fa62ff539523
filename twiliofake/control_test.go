package twiliofake_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/flexfn/flexfn/twiliofake"
)

const control = "http://127.0.0.1:4010" + twiliofake.ControlPath

func TestControl(t *testing.T) {
	fake := newFake(t)
	ask(t, fake, "GET", task, "")
	ask(t, fake, "POST", customer, "Hold=true")
	var log []twiliofake.Request
	a := ask(t, fake, "GET", control+"requests?host=api&method=POST&path=/2010-04-01/**", "").want(t, 200)
	if err := json.Unmarshal([]byte(a.text), &log); err != nil || len(log) != 1 || log[0].Form.Get("Hold") != "true" || log[0].Status != 200 {
		t.Errorf("the log is %s, %v", a.text, err)
	}
	ask(t, fake, "GET", control+"requests?path=%5B", "").want(t, 400)
	ask(t, fake, "DELETE", control+"requests", "").want(t, 200)
	if a := ask(t, fake, "GET", control+"requests", "").want(t, 200); a.text != "[]\n" {
		t.Errorf("the log is %s", a.text)
	}

	ask(t, fake, "PUT", control+"faults", `[{"host":"taskrouter","status":503,"times":1}]`).want(t, 200)
	ask(t, fake, "POST", control+"faults", `{"host":"api","action":"html"}`).want(t, 200)
	ask(t, fake, "GET", task, "").want(t, 503)
	ask(t, fake, "GET", task, "").want(t, 200)
	var rules []twiliofake.Fault
	if err := json.Unmarshal([]byte(ask(t, fake, "GET", control+"faults", "").text), &rules); err != nil || len(rules) != 2 {
		t.Errorf("the rules are %v, %v", rules, err)
	}
	ask(t, fake, "PUT", control+"faults", `[{"action":"explode"}]`).want(t, 400, "error", `twiliofake: faults[0]: unknown action "explode"`)
	ask(t, fake, "PUT", control+"faults", `[{"statsu":1}]`).want(t, 400)
	ask(t, fake, "POST", control+"faults", `{} {}`).want(t, 400)
	if len(fake.Faults()) != 2 {
		t.Error("a refused command changed the rules")
	}
	ask(t, fake, "DELETE", control+"faults", "").want(t, 200)
	if len(fake.Faults()) != 0 {
		t.Error("the rules are still there")
	}

	token := ask(t, fake, "POST", control+"tokens", `{"user":"a@example.com","roles":["agent"]}`).want(t, 200).body["token"].(string)
	ask(t, fake, "POST", "https://iam.twilio.com/v1/Accounts/"+account+"/Tokens/validate", `{"token":"`+token+`"}`, "Content-Type", "application/json").
		want(t, 200, "valid", true)
	ask(t, fake, "POST", control+"tokens", `{"rolls":[]}`).want(t, 400)

	state := ask(t, fake, "GET", control+"state", "").want(t, 200).text
	ask(t, fake, "DELETE", task, "").want(t, 204)
	ask(t, fake, "PUT", control+"state", state).want(t, 200)
	ask(t, fake, "GET", task, "").want(t, 200)
	ask(t, fake, "PUT", control+"state", `{"resources":{"taks":[]}}`).want(t, 400)
	ask(t, fake, "GET", task, "").want(t, 200)
	ask(t, fake, "GET", control+"nothing", "").want(t, 404)
	ask(t, fake, "PATCH", control+"state", "").want(t, 404)
}

// TestKinds lists the kinds of resources, each once and with its layer, and puts
// an item of a generic one into the state.
func TestKinds(t *testing.T) {
	fake := newFake(t)
	var kinds []struct {
		Name, Product string
		Modelled      bool
	}
	if err := json.Unmarshal([]byte(ask(t, fake, "GET", control+"kinds", "").want(t, 200).text), &kinds); err != nil {
		t.Fatal(err)
	}
	products, names, modelled := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, k := range kinds {
		if names[k.Name] {
			t.Errorf("%s is listed twice", k.Name)
		}
		products[k.Product], names[k.Name], modelled[k.Name] = true, true, k.Modelled
	}
	if len(products) < 35 || !modelled["tasks"] || modelled["trunking/v1/Trunks"] || !names["trunking/v1/Trunks"] {
		t.Errorf("%d products, %d kinds, tasks modelled: %v, trunks: %v", len(products), len(kinds), modelled["tasks"], names["trunking/v1/Trunks"])
	}
	for kind := range fake.State().Resources {
		if !names[kind] {
			t.Errorf("%s is in the state and not listed", kind)
		}
	}
	ask(t, fake, "POST", "https://trunking.twilio.com/v1/Trunks", "FriendlyName=x").want(t, 201)
	if n := len(fake.State().Resources["trunking/v1/Trunks"]); n != 1 {
		t.Errorf("%d trunks in the state, want 1", n)
	}
	log := fake.Requests(twiliofake.Match{Host: "trunking"})
	if len(log) != 1 || log[0].Fidelity != "generic" {
		t.Errorf("the log is %+v", log)
	}
}

// TestControlGuard sends requests that a stranger's web page could send.
func TestControlGuard(t *testing.T) {
	fake := newFake(t)
	for _, c := range []struct {
		host, origin, site string
		want               int
	}{
		{"127.0.0.1:4010", "", "", 200},
		{"[::1]:4010", "", "", 200},
		{"localhost:4010", "", "", 200},
		{"api.twilio.com", "", "", 200},
		{"localhost:4010", "http://localhost:4010", "same-origin", 200},
		{"localhost:4010", "", "none", 200},
		{"localhost:4010", "http://localhost:9999", "same-site", 403},
		{"localhost:4010", "https://example.com", "", 403},
		{"localhost:4010", "null", "", 403},
		{"localhost:4010", "", "cross-site", 403},
		{"rebound.example.com:4010", "http://rebound.example.com:4010", "same-origin", 403},
		{"rebound.example.com", "", "", 403},
		{"twilio.com.example.com", "", "", 403},
	} {
		for _, method := range []string{"GET", "DELETE"} {
			r := httptest.NewRequest(method, twiliofake.ControlPath+"faults", nil)
			r.Host = c.host
			if c.origin != "" {
				r.Header.Set("Origin", c.origin)
			}
			if c.site != "" {
				r.Header.Set("Sec-Fetch-Site", c.site)
			}
			w := httptest.NewRecorder()
			fake.ServeHTTP(w, r)
			if w.Code != c.want {
				t.Errorf("%s %+v: %d", method, c, w.Code)
			}
			if w.Header().Get("Access-Control-Allow-Origin") != "" {
				t.Error("the control API accepts requests from web pages")
			}
		}
	}
}

func TestStateDocument(t *testing.T) {
	fake := newFake(t)
	ask(t, fake, "POST", task, "Attributes=%7B%22a%22%3A1%7D").want(t, 200)
	ask(t, fake, "POST", "https://flex-api.twilio.com/v1/Configuration", `{"ui_attributes":{"n":12345678901234567890}}`, "Content-Type", "application/json").want(t, 200)
	setFaults(t, fake, twiliofake.Fault{Name: "later", Skip: 1000})
	var first, second bytes.Buffer
	if err := fake.Save(&first); err != nil {
		t.Fatal(err)
	}
	other := newFake(t)
	if err := other.Load(bytes.NewReader(first.Bytes())); err != nil {
		t.Fatal(err)
	}
	if err := other.Save(&second); err != nil {
		t.Fatal(err)
	}
	if first.String() != second.String() {
		t.Error("saved, loaded and saved again, the document differs")
	}
	if etag := ask(t, other, "GET", task, "").want(t, 200, "attributes", `{"a":1}`).header.Get("ETag"); etag != `"1"` {
		t.Errorf("the ETag is %s after loading", etag)
	}
	if !strings.Contains(first.String(), "12345678901234567890") {
		t.Error("a big number was rounded")
	}

	for doc, want := range map[string]string{
		`{`: "EOF", `{"a":1}`: "unknown field", `{"resources":{}} 1`: "more than one", `{"resources":{}}`: "accounts",
		`{"resources":{"accounts":[{"sid":"AC1"}],"x":[]}}`:                                       `unknown kind "x"`,
		`{"resources":{"accounts":[{"sid":"AC1","auth":"x"}]}}`:                                   `unknown field "auth"`,
		`{"resources":{"accounts":[{}]}}`:                                                         `"sid" is missing`,
		`{"resources":{"accounts":[{"sid":"AC1"}],"tasks":[{"sid":"WT1"}]}}`:                      `"workspace_sid" is missing`,
		`{"resources":{"accounts":[{"sid":"AC1"}],"workers":[{"available":"yes"}]}}`:              `"available" cannot be yes`,
		`{"resources":{"accounts":[{"sid":"AC1"}],"tasks":[{"priority":1.5}]}}`:                   `"priority" cannot be 1.5`,
		`{"resources":{"accounts":[{"sid":"AC1"}],"tasks":[{"attributes":"{"}]}}`:                 `"attributes" cannot be {`,
		`{"resources":{"accounts":[{"sid":"AC1"}],"tasks":[{"_version":"x"}]}}`:                   `_version`,
		`{"resources":{"accounts":[{"sid":"AC1"}]},"tokens":{"":{"roles":[]}}}`:                   `a token is empty`,
		`{"resources":{"accounts":[{"sid":"AC1"}]},"faults":[{"action":"x"}]}`:                    `unknown action "x"`,
		`{"resources":{"accounts":[{"sid":"AC1"}],"chat_services":[{"webhook_filters":[1]}]}}`:    `"webhook_filters"`,
		`{"resources":{"accounts":[{"sid":"AC1"}],"tasks":[{"virtual_start_time":"yesterday"}]}}`: `"virtual_start_time"`,
	} {
		if err := other.Load(strings.NewReader(doc)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", doc, err, want)
		}
	}
	var third bytes.Buffer
	if err := other.Save(&third); err != nil || third.String() != first.String() {
		t.Error("a refused document changed the state")
	}
}

// TestCopies changes values that the fake returned, and checks that the fake's
// own stay the same.
func TestCopies(t *testing.T) {
	fake := newFake(t)
	before := ask(t, fake, "GET", api+"/IncomingPhoneNumbers.json", "").text
	got, _ := fake.Resource("incoming_phone_numbers", "PN00000000000000000000000000000001")
	got["capabilities"].(map[string]any)["voice"] = "no"
	got["phone_number"] = "no"
	s := fake.State()
	s.Resources["incoming_phone_numbers"][0]["capabilities"].(map[string]any)["voice"] = "no"
	s.Tokens["dev-agent"].Roles[0] = "admin"
	if after := ask(t, fake, "GET", api+"/IncomingPhoneNumbers.json", "").text; after != before {
		t.Error("the fake shares its roles with the caller")
	}
	a := ask(t, fake, "POST", "https://iam.twilio.com/v1/Accounts/"+account+"/Tokens/validate", `{"token":"dev-agent"}`, "Content-Type", "application/json")
	if roles := fmt.Sprint(a.body["roles"]); roles != "[agent]" {
		t.Errorf("roles are %s", roles)
	}
}

func TestResources(t *testing.T) {
	fake := newFake(t)
	if err := fake.SetResource("nonsense", nil); err == nil {
		t.Error("an unknown kind was set")
	}
	if err := fake.SetResource("tasks", twiliofake.Resource{"sid": "WT1"}); err == nil {
		t.Error("a task without a workspace was set")
	}
	if err := fake.SetResource("tasks", twiliofake.Resource{"sid": "WT1", "workspace_sid": workspace, "priority": 4, "_note": "x"}); err != nil {
		t.Fatal(err)
	}
	ask(t, fake, "GET", taskrouter+"/Tasks/WT1", "").want(t, 200, "priority", 4, "timeout", 86400)
	if err := fake.SetResource("tasks", twiliofake.Resource{"sid": "WT1", "workspace_sid": workspace, "priority": 5}); err != nil {
		t.Fatal(err)
	}
	ask(t, fake, "GET", taskrouter+"/Tasks/WT1", "").want(t, 200, "priority", 5)
	if !fake.RemoveResource("tasks", "WT1") || fake.RemoveResource("tasks", "WT1") {
		t.Error("RemoveResource did not remove the task exactly once")
	}
	ask(t, fake, "GET", taskrouter+"/Tasks/WT1", "").want(t, 404)
	if _, ok := fake.Resource("tasks", "WT1"); ok {
		t.Error("a removed task still exists")
	}
}

// TestSameSeed makes the same SIDs for the same requests.
func TestSameSeed(t *testing.T) {
	sids := func(seed uint64) []string {
		fake, err := twiliofake.New(twiliofake.Config{Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for range 3 {
			out = append(out, ask(t, fake, "POST", taskrouter+"/Tasks", "Attributes=%7B%7D").want(t, 201).sid(t))
		}
		return append(out, fake.MintToken(twiliofake.Token{}))
	}
	a, b, c := sids(1), sids(1), sids(2)
	if !reflect.DeepEqual(a, b) || reflect.DeepEqual(a, c) {
		t.Errorf("seed 1 made %v and %v, seed 2 %v", a, b, c)
	}
}

// TestRequestLog checks that the log keeps the newest requests and no secrets.
func TestRequestLog(t *testing.T) {
	fake, err := twiliofake.New(twiliofake.Config{MaxRequests: 3})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		ask(t, fake, "GET", fmt.Sprintf("%s?n=%d", task, i), "")
	}
	got := fake.Requests(twiliofake.Match{})
	if len(got) != 3 || got[0].Query.Get("n") != "7" || got[2].Query.Get("n") != "9" {
		t.Errorf("the log is %v", got)
	}
	fake.ClearRequests()

	minted := fake.MintToken(twiliofake.Token{Roles: []string{"agent"}})
	json := []string{"Content-Type", "application/json"}
	iam := "https://iam.twilio.com/v1/Accounts/" + account + "/Tokens/validate"
	ask(t, fake, "POST", iam, `{"token":"`+minted+`"}`, json...)
	ask(t, fake, "POST", iam, `{"token":"`+minted+`"`, json...)
	ask(t, fake, "POST", iam+"?Token="+minted, "Token="+minted+"&a=b")
	if n := len(fake.Requests(twiliofake.Match{Host: "iam"})); n != 3 {
		t.Fatalf("%d requests in the log", n)
	}
	fake2 := newFake(t)
	ask(t, fake2, "GET", api+".json", "").want(t, 200)
	key := ask(t, fake2, "POST", api+"/Keys.json", "FriendlyName=k").want(t, 201)
	key2 := request(t, "GET", task, "")
	key2.SetBasicAuth(key.sid(t), key.body["secret"].(string))
	ask(t, fake2, "GET", task, "", "Authorization", key2.Header.Get("Authorization"), "Cookie", "session=abc").want(t, 200)
	ask(t, fake2, "GET", api+"/Keys/"+key.sid(t)+".json", "").want(t, 200)
	text := fmt.Sprintf("%+v %+v", fake.Requests(twiliofake.Match{}), fake2.Requests(twiliofake.Match{}))
	for _, secret := range []string{minted, authToken, key.body["secret"].(string), "session=abc", strings.TrimPrefix(key2.Header.Get("Authorization"), "Basic ")} {
		if strings.Contains(text, secret) {
			t.Errorf("the log holds the secret %.6s…", secret)
		}
	}
	if !strings.Contains(text, "Basic "+account+":***") {
		t.Error("the log does not say who asked")
	}
	big := strings.Repeat("x", 5<<20)
	ask(t, fake2, "POST", task, "Attributes="+big).want(t, http.StatusRequestEntityTooLarge)
	ask(t, fake2, "POST", task, "Attributes="+big[:100<<10]).want(t, 400)
	for _, r := range fake2.Requests(twiliofake.Match{Method: "POST", Host: "taskrouter"}) {
		if len(r.Body) > 20<<10 {
			t.Errorf("the log holds a body of %d bytes", len(r.Body))
		}
	}
}
