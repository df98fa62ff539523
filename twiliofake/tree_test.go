package twiliofake

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/flexfn/flexfn/internal/testing/blind"
)

// call sends a request to a fake and returns status, fidelity and body.
func callFake(t testing.TB, fake *Twilio, method, path, form string) (int, http.Header, map[string]any) {
	t.Helper()
	u := path
	if !strings.HasPrefix(path, "https://") {
		u = "https://" + path
	}
	r, err := http.NewRequest(method, u, strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth(DevelopmentAccountSID, DevelopmentAuthToken)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := fake.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var body map[string]any
	if len(b) > 0 {
		if err := json.Unmarshal(b, &body); err != nil {
			t.Fatalf("%s %s: %v: %s", method, path, err, b)
		}
	}
	return res.StatusCode, res.Header, body
}

func freshFake(t testing.TB) *Twilio {
	t.Helper()
	fake, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	return fake
}

// TestRowsDoNotCollide refuses a row with the name or place of another row.
func TestRowsDoNotCollide(t *testing.T) {
	for want, row := range map[string]*resource{
		"two rows are named tasks": {name: "tasks", host: "sync", paths: []string{"/v1/Tasks/{sid}"}},
		"takes the place of":       {name: "others", host: "taskrouter", paths: []string{"/v1/Workspaces/{id}/Tasks/{name}"}},
	} {
		rows := []*resource{row}
		for _, r := range table() {
			rows = append(rows, &r)
		}
		if _, err := indexRows(rows); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// TestSubtreeGoes checks that deleting a parent deletes its children in both
// layers.
func TestSubtreeGoes(t *testing.T) {
	fake := freshFake(t)
	const chat = "chat.twilio.com/v2/Services/" + DevelopmentChatServiceSID
	_, _, channel := callFake(t, fake, "POST", chat+"/Channels", "FriendlyName=c")
	path := chat + "/Channels/" + channel["sid"].(string)
	if status, h, _ := callFake(t, fake, "POST", path+"/Members", "Identity=a"); status != 201 || h.Get(Fidelity) != "modelled" {
		t.Fatalf("a member: %d, %s", status, h.Get(Fidelity))
	}
	if status, h, body := callFake(t, fake, "POST", path+"/Webhooks", "Type=webhook&Configuration.Url=https://a.example"); status != 201 || h.Get(Fidelity) != "generic" {
		t.Fatalf("a webhook: %d, %s: %v", status, h.Get(Fidelity), body)
	}
	if status, _, _ := callFake(t, fake, "DELETE", path, ""); status != 204 {
		t.Fatalf("status %d", status)
	}
	for _, below := range []string{"/Members", "/Webhooks"} {
		if status, _, _ := callFake(t, fake, "GET", path+below, ""); status != 404 {
			t.Errorf("%s answers %d below a channel that is gone", below, status)
		}
	}
	b, err := json.Marshal(fake.State())
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(b), channel["sid"].(string)) {
		t.Error("something below the channel is still in the state")
	}
}

// TestRefusals sends three bad requests to every operation of the generic layer:
// without a required parameter, with an unknown parameter, and with an invalid
// integer.
func TestRefusals(t *testing.T) {
	fake := freshFake(t)
	missing, unknown, illTyped := 0, 0, 0
	for _, op := range operations() {
		n := theWorld().node(op.product, op.path)
		if op.method == "GET" || op.method == "DELETE" || !op.body.none() || n.rowVerb(op.method) != 0 && !n.kind.row.table {
			continue
		}
		c := &call{Twilio: fake, node: n, op: op, method: op.method}
		refused := func(form url.Values) string {
			c.form = form
			_, err := c.parameters()
			if err == nil {
				return ""
			}
			if err.status != 400 || err.code != 20001 {
				t.Errorf("%s: %v", op.name, err)
			}
			return err.message
		}
		required := slices.IndexFunc(op.params, func(p param) bool { return p.required && !p.header })
		if required >= 0 {
			missing++
			if got := refused(url.Values{}); !strings.HasPrefix(got, "Missing required parameter "+op.params[required].name) {
				t.Errorf("%s %s: without %s: %q", op.apiPackage.name, op.name, op.params[required].name, got)
			}
		}
		unknown++
		if got := refused(url.Values{"NoSuchThing": {"1"}}); !strings.HasPrefix(got, "Unknown parameter") {
			t.Errorf("%s: an unknown parameter: %q", op.name, got)
		}
		for _, p := range op.params {
			if p.shape.code == "i" && !p.header {
				illTyped++
				if got := refused(url.Values{p.name: {"one"}}); !strings.HasPrefix(got, "Invalid value for parameter "+p.name) {
					t.Errorf("%s: %s=one: %q", op.name, p.name, got)
				}
				break
			}
		}
	}
	if missing < 150 || unknown < 200 || illTyped < 35 {
		t.Errorf("only %d, %d and %d operations were tested", missing, unknown, illTyped)
	}
}

// TestInitialStatuses finds creates of the generic layer whose items would lack
// a status, and initial values that no create needs.
func TestInitialStatuses(t *testing.T) {
	// No public source documents their initial values.
	undocumented := map[string]bool{
		"iam/v1/Account/OAuthApps status":                                                      true,
		"messaging/v1/a2p/BrandRegistrations identity_status":                                  true,
		"messaging/v1/a2p/BrandRegistrations tax_exempt_status":                                true,
		"numbers/v2/ShortCodes/Applications state":                                             true,
		"proxy/v1/Services/Sessions/Participants/MessageInteractions inbound_resource_status":  true,
		"proxy/v1/Services/Sessions/Participants/MessageInteractions outbound_resource_status": true,
	}
	needed := map[string]bool{}
	for _, op := range operations() {
		n := theWorld().node(op.product, op.path)
		model := op.model.model()
		if !strings.Contains(op.class, "create") || model == nil || n.rowVerb(op.method) != 0 || n.kind.row != nil {
			continue
		}
		for _, f := range model.fields {
			if i := slices.IndexFunc(op.params, func(p param) bool { return p.key == f.key }); i >= 0 {
				if op.params[i].required {
					continue
				}
				needed[n.kind.name+" "+f.name] = true
			}
			if !strings.HasSuffix(f.key, "status") && f.key != "state" {
				continue
			}
			known := slices.ContainsFunc(initialFields()[n.kind.name], func(v fieldValue) bool { return v.name == f.name })
			if !known && !undocumented[n.kind.name+" "+f.name] && op.product != "flex-api" {
				t.Errorf("%s: %s has no initial value", n.kind.name, f.name)
			}
			needed[n.kind.name+" "+f.name] = true
		}
	}
	for kind, fields := range initialFields() {
		for _, f := range fields {
			if k := theWorld().kinds[kind]; k == nil || k.row == nil && !needed[kind+" "+f.name] {
				t.Errorf("%s: no create needs %s", kind, f.name)
			}
		}
	}
	fake := freshFake(t)
	if _, _, sim := callFake(t, fake, "POST", "supersim.twilio.com/v1/Sims", "Iccid=1&RegistrationCode=x"); sim["status"] != "new" {
		t.Errorf("the SIM is %v", sim)
	}
	_, _, service := callFake(t, fake, "POST", "proxy.twilio.com/v1/Services", "UniqueName=p")
	sessions := fmt.Sprint("proxy.twilio.com/v1/Services/", service["sid"], "/Sessions")
	if _, _, session := callFake(t, fake, "POST", sessions, ""); session["status"] != "open" || session["mode"] != "voice-and-message" {
		t.Errorf("the session is %v", session)
	}
	if _, _, session := callFake(t, fake, "POST", sessions, "Status=in-progress&Mode=voice-only"); session["status"] != "in-progress" || session["mode"] != "voice-only" {
		t.Errorf("the session is %v", session)
	}
	if _, _, record := callFake(t, fake, "POST", "voice.twilio.com/v1/IpRecords", "IpAddress=192.0.2.1"); record["cidr_prefix_length"] != 32.0 {
		t.Errorf("the record is %v", record)
	}
}

// TestIdentities finds creates whose answers do not show what the new item is
// called.
func TestIdentities(t *testing.T) {
	without := map[string]bool{ // twilio-go's models have no such field
		"outgoing_caller_ids":                                         true, // the answer is a validation
		"conversations/v2/ControlPlane/Configurations":                true, // has a statusUrl, as those below
		"knowledge/v2/ControlPlane/KnowledgeBases":                    true,
		"memory/v1/ControlPlane/Stores":                               true,
		"memory/v1/ControlPlane/Stores/DataMappings":                  true,
		"memory/v1/ControlPlane/Stores/TraitGroups":                   true,
		"memory/v1/Stores/Profiles/ConversationSummaries":             true,
		"memory/v1/Stores/Profiles/Identifiers":                       true,
		"memory/v1/Stores/Profiles/Observations":                      true,
		"voice/v3/Transcriptions":                                     true,
		"lookups/v2/PhoneNumbers/Overrides":                           true,
		"numbers/v1/Porting/Configuration/Webhook":                    true,
		"numbers/v1/SigningRequest/Configuration":                     true,
		"flex-api/v1/Insights/QualityManagement/Assessments/Comments": true,
		"voice/v2/AccountDefaultConfiguration":                        true,
		"voice/v2/Configurations":                                     true,
		"voice/v2/Configurations/Recording":                           true,
		"voice/v2/Configurations/Transcription":                       true,
	}
	for _, op := range operations() {
		n := theWorld().node(op.product, op.path)
		if !strings.Contains(op.class, "create") || op.model.model() == nil || n.kind.singleton {
			continue
		}
		if op.identity == "" && !without[n.kind.name] {
			t.Errorf("%s %s: the answer has no identity", op.method, op.path)
		}
		if op.identity != "" && without[n.kind.name] {
			t.Errorf("%s: the answer has %s", n.kind.name, op.identity)
		}
	}
}

// TestExportJobs creates an export below its type of resource, and finds it by
// its SID alone.
func TestExportJobs(t *testing.T) {
	fake := freshFake(t)
	const exports = "bulkexports.twilio.com/v1/Exports/"
	status, _, job := callFake(t, fake, "POST", exports+"Messages/Jobs", "StartDay=2026-01-01&EndDay=2026-01-02&FriendlyName=x")
	sid, _ := job["job_sid"].(string)
	if status != 201 || !strings.HasPrefix(sid, "JS") || job["resource_type"] != "Messages" || job["job_queue_position"] != "1" {
		t.Fatalf("the job is %d %v", status, job)
	}
	if status, _, got := callFake(t, fake, "GET", exports+"Jobs/"+sid, ""); status != 200 || got["job_sid"] != sid || got["url"] != "https://"+exports+"Jobs/"+sid {
		t.Errorf("by its SID it is %d %v", status, got)
	}
	if _, _, page := callFake(t, fake, "GET", exports+"Messages/Jobs", ""); len(page["jobs"].([]any)) != 1 {
		t.Errorf("the jobs are %v", page)
	}
	if status, _, _ := callFake(t, fake, "DELETE", exports+"Jobs/"+sid, ""); status != 204 {
		t.Errorf("DELETE is %d", status)
	}
	if status, _, _ := callFake(t, fake, "GET", exports+"Jobs/"+sid, ""); status != 404 {
		t.Errorf("a deleted job is %d", status)
	}
}

// TestPutAndPatch changes part of an item. PUT replaces every field that its
// body can set; PATCH merges, even nested objects.
func TestPutAndPatch(t *testing.T) {
	fake := freshFake(t)
	send := func(method, path, body string) map[string]any {
		t.Helper()
		r, err := http.NewRequest(method, "https://"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.SetBasicAuth(DevelopmentAccountSID, DevelopmentAuthToken)
		r.Header.Set("Content-Type", "application/json")
		res, err := fake.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode >= 300 {
			t.Fatalf("%s %s: %d %s", method, path, res.StatusCode, b)
		}
		var m map[string]any
		if err := json.Unmarshal(b, &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	const operators = "intelligence.twilio.com/v3/ControlPlane/Operators"
	made := send("POST", operators, `{"displayName":"a","description":"d","prompt":"p","outputFormat":"TEXT"}`)
	item := operators + "/" + made["id"].(string)
	if put := send("PUT", item, `{"displayName":"b","prompt":"p","outputFormat":"TEXT"}`); put["displayName"] != "b" || put["description"] == "d" || put["id"] != made["id"] {
		t.Errorf("after PUT: %v", put)
	}
	if got := send("GET", item, ""); got["description"] == "d" {
		t.Errorf("PUT kept %v", got)
	}

	if err := fake.SetResource("memory/v1/ControlPlane/Stores", Resource{"store_id": "s"}); err != nil {
		t.Fatal(err)
	}
	if err := fake.SetResource("memory/v1/Stores/Profiles", Resource{
		"store_id": "s", "profile_id": "p", "traits": map[string]any{"Contact": map[string]any{"a": "1", "b": "2", "c": "3"}, "Other": map[string]any{"d": "4"}},
	}); err != nil {
		t.Fatal(err)
	}
	send("PATCH", "memory.twilio.com/v1/Stores/s/Profiles/p", `{"traits":{"Contact":{"a":"9","b":null}}}`)
	kept, _ := fake.Resource("memory/v1/Stores/Profiles", "p")
	if got := fmt.Sprint(kept["traits"]); got != "map[Contact:map[a:9 c:3] Other:map[d:4]]" {
		t.Errorf("after PATCH the traits are %s", got)
	}
}

// TestUnknown requests paths that Twilio does not have.
func TestUnknown(t *testing.T) {
	fake := freshFake(t)
	for _, c := range []struct {
		method, path string
		status, code int
	}{
		{"GET", "sync.twilio.com/v1/Nothing", 404, 20404},
		{"PATCH", "sync.twilio.com/v1/Services", 405, 20004},
		{"GET", "verify.twilio.com/v2/Services/VA404", 404, 20404},
		{"GET", "verify.twilio.com/v2/Services?NoSuchThing=1", 400, 20001},
	} {
		status, _, body := callFake(t, fake, c.method, c.path, "")
		if status != c.status || body["code"] != float64(c.code) {
			t.Errorf("%s %s: %d %v", c.method, c.path, status, body)
		}
	}
}

// TestNullOutlives saves and loads a state in which a field was set to null.
func TestNullOutlives(t *testing.T) {
	fake := freshFake(t)
	if err := fake.SetResource("flex_configuration", Resource{"ui_language": nil}); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := fake.Save(&b); err != nil {
		t.Fatal(err)
	}
	if err := fake.Load(strings.NewReader(b.String())); err != nil {
		t.Fatal(err)
	}
	_, _, body := callFake(t, fake, "GET", "flex-api.twilio.com/v1/Configuration", "")
	if v, ok := body["ui_language"]; v != nil || !ok {
		t.Errorf("ui_language is %v", v)
	}
}

// TestCountersOutlive saves and loads a list. The next item gets the next index
// and a new SID, although the generator of SIDs starts again.
func TestCountersOutlive(t *testing.T) {
	fake := freshFake(t)
	create := func(path, form string) map[string]any {
		t.Helper()
		status, _, body := callFake(t, fake, "POST", "sync.twilio.com/v1/Services"+path, form)
		if status != 201 {
			t.Fatal(status, body)
		}
		return body
	}
	service := create("", "FriendlyName=s")["sid"].(string)
	create("/"+service+"/Lists", "UniqueName=l")
	create("/"+service+"/Lists/l/Items", "Data={}")
	if err := fake.SetState(fake.State()); err != nil {
		t.Fatal(err)
	}
	if second := create("/"+service+"/Lists/l/Items", "Data={}"); second["index"] != 1.0 {
		t.Errorf("the second item has index %v", second["index"])
	}
	if other := create("", "FriendlyName=s")["sid"]; other == service {
		t.Errorf("a second service has the SID %s of the first", other)
	}
}

// TestGenericState saves and loads items of the generic layer, including a
// parameter that has no field.
func TestGenericState(t *testing.T) {
	fake := freshFake(t)
	_, _, service := callFake(t, fake, "POST", "verify.twilio.com/v2/Services", "FriendlyName=x")
	sid := service["sid"].(string)
	if status, _, body := callFake(t, fake, "POST", "verify.twilio.com/v2/Services/"+sid+"/RateLimits", "UniqueName=u&Description=d"); status != 201 {
		t.Fatal(status, body)
	}
	// A field has its name on the wire, a parameter without a field its own.
	if status, _, body := callFake(t, fake, "POST", "api.twilio.com/2010-04-01/Accounts/"+DevelopmentAccountSID+"/Addresses.json",
		"CustomerName=c&Street=s&City=c&Region=r&PostalCode=1&IsoCountry=US&AutoCorrectAddress=true"); status != 201 && status != 200 {
		t.Fatal(status, body)
	} else if item, _ := fake.Resource("api/Addresses", body["sid"].(string)); item["customer_name"] != "c" || item["CustomerName"] != nil || item["AutoCorrectAddress"] != true {
		t.Errorf("the address is %v", item)
	}
	var first, second strings.Builder
	if err := fake.Save(&first); err != nil {
		t.Fatal(err)
	}
	if err := fake.Load(strings.NewReader(first.String())); err != nil {
		t.Fatal(err)
	}
	if err := fake.Save(&second); err != nil {
		t.Fatal(err)
	}
	if first.String() != second.String() {
		t.Error("the state changes by save and load")
	}
	if _, _, body := callFake(t, fake, "POST", "verify.twilio.com/v2/Services/"+sid+"/RateLimits", "UniqueName=u"); body["message"] != `UniqueName "u" is already in use` {
		t.Errorf("a second rate limit of that name: %v", body)
	}
	_, _, body := callFake(t, fake, "GET", "verify.twilio.com/v2/Services/"+sid+"/RateLimits/u", "")
	if body["unique_name"] != "u" || body["service_sid"] != sid {
		t.Errorf("the rate limit is %v", body)
	}
	if item, ok := fake.Resource("verify/v2/Services", sid); !ok || item["friendly_name"] != "x" {
		t.Errorf("the service is %v", item)
	}
}

func FuzzOperations(f *testing.F) {
	for _, op := range operations()[:200] {
		f.Add(op.method, op.product, op.path, "FriendlyName=x&Identity=y")
	}
	f.Add("POST", "intelligence", "/v3/ControlPlane/Configurations", `{"rules":[{}]}`)
	f.Add("GET", "api", "/2010-04-01/Accounts/.json", "")
	fake := freshFake(f)
	state, inputs := fake.State(), 0
	blind.Fuzz(f, func(t *testing.T, method, product, path, body string) {
		if inputs++; inputs%1000 == 0 { // what they create would fill the memory
			if err := fake.SetState(state); err != nil {
				t.Fatal(err)
			}
		}
		r, err := http.NewRequest(method, "https://"+product+".twilio.com"+path, strings.NewReader(body))
		if err != nil || product == "" {
			return
		}
		r.SetBasicAuth(DevelopmentAccountSID, DevelopmentAuthToken)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if strings.HasPrefix(body, "{") {
			r.Header.Set("Content-Type", "application/json")
		}
		res, err := fake.Client().Do(r)
		if err != nil {
			return
		}
		res.Body.Close() //nolint:errcheck // in memory
		if res.StatusCode >= 500 && res.StatusCode != http.StatusNotImplemented {
			t.Errorf("%s %s%s: status %d", method, product, path, res.StatusCode)
		}
	})
}
