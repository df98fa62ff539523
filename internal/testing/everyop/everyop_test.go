//go:build everyop

package everyop

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twilio/twilio-go/client"

	"github.com/flexfn/flexfn/twiliofake"
)

// An operation is a line of internal/twiliogen's listing.
type operation struct {
	host, path, method, class, pkg, name string
	status                               int
}

func (op operation) String() string { return op.pkg + "." + op.name }

// signature is the operation's name on the ApiService of its package.
func (op operation) call() string {
	if name, ok := strings.CutPrefix(op.name, "Page"); ok {
		return "List" + name
	}
	return op.name
}

func operations(t testing.TB) []operation {
	t.Helper()
	b, err := os.ReadFile("../../twiliogen/testdata/operations.txt")
	if err != nil {
		t.Fatal(err)
	}
	var ops []operation
	for line := range strings.Lines(string(b)) {
		w := strings.Split(strings.TrimSpace(line), "\t")
		host, path, _ := strings.Cut(w[0], "/")
		pkg, name, _ := strings.Cut(w[3], ".")
		status, _ := strconv.Atoi(w[4])
		ops = append(ops, operation{host, "/" + path, w[1], w[2], pkg, name, status})
	}
	return ops
}

// required and enums are the facts that sample values need.
func facts(t testing.TB) (required map[string][]string, enums map[string]map[string]string) {
	t.Helper()
	f, err := os.Open("../../twiliogen/facts.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	required, enums = map[string][]string{}, map[string]map[string]string{}
	for s := bufio.NewScanner(f); s.Scan(); {
		w := strings.Fields(s.Text())
		if len(w) < 3 || w[0] == "#" {
			continue
		}
		key := w[0] + " " + w[1]
		enums[key] = map[string]string{}
		for _, fact := range w[2:] {
			name, value, _ := strings.Cut(fact, "=")
			if name == "required" {
				required[key] = strings.Split(value, ",")
			} else {
				enums[key][name], _, _ = strings.Cut(value, "|")
			}
		}
	}
	return required, enums
}

// A run is a fake and twilio-go talking to it.
type run struct {
	t        testing.TB
	fake     *twiliofake.Twilio
	services map[string]reflect.Value
	ops      []operation
	required map[string][]string
	enums    map[string]map[string]string
	n        int    // makes sample values differ
	to       string // is the parameter To; empty makes one

	// The answer to the last request.
	status   int
	fidelity string
	body     []byte
}

func newRun(t testing.TB) *run {
	fake, err := twiliofake.New(twiliofake.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := fake.SetResource("events/v1/Sinks", twiliofake.Resource{"sid": "DG00000000000000000000000000000001"}); err != nil {
		t.Fatal(err)
	}
	if err := fake.SetResource("export_jobs", twiliofake.Resource{"job_sid": "JS00000000000000000000000000000001", "resource_type": "Messages"}); err != nil {
		t.Fatal(err)
	}
	r := &run{t: t, fake: fake, services: map[string]reflect.Value{}, ops: operations(t)}
	r.required, r.enums = facts(t)
	next := fake.Client().Transport
	c := &client.Client{
		Credentials: client.NewCredentials(twiliofake.DevelopmentAccountSID, twiliofake.DevelopmentAuthToken),
		HTTPClient: &http.Client{Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
			// One API uses a bearer token instead of the account's credentials.
			req.SetBasicAuth(twiliofake.DevelopmentAccountSID, twiliofake.DevelopmentAuthToken)
			res, err := next.RoundTrip(req)
			if err != nil {
				return nil, err
			}
			r.status, r.fidelity = res.StatusCode, res.Header.Get(twiliofake.Fidelity)
			r.body, _ = io.ReadAll(res.Body)
			res.Body = io.NopCloser(bytes.NewReader(r.body))
			return res, nil
		})},
	}
	c.SetAccountSid(twiliofake.DevelopmentAccountSID)
	h := client.NewRequestHandler(c)
	for pkg, service := range services {
		r.services[pkg] = reflect.ValueOf(service(h))
	}
	return r
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// at returns the operations of a path, whatever the names of its variables.
func (r *run) at(host, path string, classes ...string) []operation {
	var out []operation
	for _, op := range r.ops {
		if op.host == host && blank(op.path) == blank(path) && (len(classes) == 0 || slices.Contains(classes, op.class)) {
			out = append(out, op)
		}
	}
	return out
}

func blank(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		if strings.HasPrefix(p, "{") {
			parts[i] = "{}"
		}
	}
	return strings.Join(parts, "/")
}

// do calls an operation with the values of its path's variables, in order, and
// only the required parameters.
func (r *run) do(op operation, vars []string) (result any, err error) {
	m := r.services[op.pkg].MethodByName(op.call())
	if !m.IsValid() {
		return nil, fmt.Errorf("twilio-go has no %s", op)
	}
	args := make([]reflect.Value, m.Type().NumIn())
	if n := pathArguments(m.Type()); n < len(vars) {
		vars = vars[len(vars)-n:] // the account is implied
	} else if n > len(vars) {
		return nil, fmt.Errorf("%s wants %d arguments, the path has %d", op, n, len(vars))
	}
	if strings.Contains(op.path, "/PhoneNumbers/{PhoneNumber}/Overrides/") || strings.Contains(op.path, "/RateLimits/Fields/") {
		vars = slices.Clone(vars) // their arguments are in another order
		slices.Reverse(vars)
	}
	for i := range args {
		typ := m.Type().In(i)
		switch {
		case typ.Kind() == reflect.String:
			args[i] = reflect.ValueOf(vars[i])
		case typ.Kind() == reflect.Int:
			n, _ := strconv.Atoi(vars[i])
			args[i] = reflect.ValueOf(n)
		default:
			args[i] = reflect.New(typ.Elem())
			r.fill(op, args[i].Elem())
		}
	}
	out := m.Call(args)
	if e := out[len(out)-1]; !e.IsNil() {
		err = e.Interface().(error)
	}
	if len(out) > 1 {
		result = out[0].Interface()
	}
	return result, err
}

func pathArguments(m reflect.Type) (n int) {
	for i := range m.NumIn() {
		if m.In(i).Kind() != reflect.Pointer {
			n++
		}
	}
	return n
}

// fill sets the required parameters and, if there is one, the JSON body.
func (r *run) fill(op operation, params reflect.Value) {
	key := op.method + " " + op.host + blank(op.path)
	for i := range params.NumField() {
		f := params.Type().Field(i)
		tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		typ := f.Type.Elem()
		required := slices.ContainsFunc(r.required[key], func(n string) bool {
			return n == tag || strings.ReplaceAll(n, ".", "") == f.Name
		}) || slices.Contains(alsoSent[op.String()], f.Name)
		body := typ.Kind() == reflect.Struct && typ != reflect.TypeFor[time.Time]()
		if !required && !body || tag == "limit" {
			continue
		}
		v := r.sample(cmp.Or(sampledAs[op.String()+" "+f.Name], f.Name), typ, 0)
		if v.Kind() == reflect.Interface && strings.HasPrefix(r.text(f.Name), "{\"") {
			var object any
			if err := json.Unmarshal([]byte(r.text(f.Name)), &object); err != nil {
				r.t.Fatal(err)
			}
			v.Set(reflect.ValueOf(object))
		}
		if body := bodies[op.String()]; body != nil && f.Name == "Body" {
			v = reflect.ValueOf(body)
		}
		if enum := r.enums[key][tag]; enum != "" && typ.Kind() == reflect.String && sampledAs[op.String()+" "+f.Name] == "" {
			v = reflect.ValueOf(enum).Convert(typ)
		}
		params.Field(i).Set(reflect.New(typ))
		params.Field(i).Elem().Set(v)
	}
}

// alsoSent are parameters that rows require although Twilio's descriptions do
// not.
var alsoSent = map[string][]string{
	"api/v2010.CreateCall":                                    {"Url"},
	"api/v2010.CreateMessage":                                 {"From", "Body"},
	"api/v2010.CreateIncomingPhoneNumber":                     {"PhoneNumber"},
	"conversations/v1.CreateConversationParticipant":          {"Identity"},
	"conversations/v1.CreateServiceConversationParticipant":   {"Identity"},
	"conversations/v1.CreateConversationScopedWebhook":        {"ConfigurationUrl"},
	"conversations/v1.CreateServiceConversationScopedWebhook": {"ConfigurationUrl"},
	"conversations/v1.PageParticipantConversation":            {"Identity"},
	"conversations/v1.PageServiceParticipantConversation":     {"Identity"},
	"verify/v2.CreateVerificationCheck":                       {"To", "Code"},
	"taskrouter/v1.CreateTask":                                {"WorkflowSid"},
	"taskrouter/v1.CreateTaskQueueBulkRealTimeStatistics":     {"Body"},
	"flex/v1.UpdateConfiguration":                             {"Body"},
	"flex/v1.CreateInteractionTransfer":                       {"Body"},
	"flex/v1.UpdateInteractionTransfer":                       {"Body"},
	"voice/v1.CreateDialingPermissionsCountryBulkUpdate":      {"UpdateRequest"},
}

// sampledAs are parameters whose values rows check more closely than the name
// tells: the operation and the parameter, and the name that text knows.
var sampledAs = map[string]string{
	"api/v2010.CreateIncomingPhoneNumberMobile PhoneNumber":   "Mobile",
	"api/v2010.CreateIncomingPhoneNumberTollFree PhoneNumber": "TollFree",
	"flex/v1.CreateFlexFlow ChatServiceSid":                   "ChatService",
	"studio/v2.CreateFlow Status":                             "Published",
	"verify/v2.CreateVerification Channel":                    "Verification",
	"video/v1.UpdateRoom Status":                              "Status",
}

// bodies are JSON bodies whose values rows check.
var bodies = map[string]map[string]any{
	"flex/v1.CreateInteractionTransfer": {"type": "warm"},
	"flex/v1.UpdateInteractionTransfer": {"status": "completed"},
}

// sample returns a value of a type that suits a parameter's name.
func (r *run) sample(name string, typ reflect.Type, depth int) reflect.Value {
	r.n++
	v := reflect.New(typ).Elem()
	switch typ.Kind() {
	case reflect.String:
		v.SetString(r.text(name))
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(1)
	case reflect.Float32, reflect.Float64:
		v.SetFloat(1)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Interface:
		v.Set(reflect.ValueOf(map[string]any{"a": 1, "type": "com.twilio.messaging.message.sent"}))
	case reflect.Map:
		v.Set(reflect.MakeMap(typ))
	case reflect.Slice:
		if depth < 9 {
			v.Set(reflect.Append(v, r.sample(name, typ.Elem(), depth+1)))
		}
	case reflect.Pointer:
		if depth < 9 {
			v.Set(reflect.New(typ.Elem()))
			v.Elem().Set(r.sample(name, typ.Elem(), depth+1))
		}
	case reflect.Struct:
		if typ == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)))
			break
		}
		for i := range typ.NumField() {
			f := typ.Field(i)
			_, opts, _ := strings.Cut(f.Tag.Get("json"), ",")
			if f.Type.Kind() == reflect.Struct || opts != "omitempty" && f.Type.Kind() != reflect.Pointer {
				v.Field(i).Set(r.sample(f.Name, f.Type, depth+1))
			}
		}
	}
	return v
}

func (r *run) text(name string) string {
	switch name {
	case "To":
		if r.to != "" {
			return r.to
		}
		return fmt.Sprintf("+1555001%04d", r.n%10000)
	case "From":
		return "+15550002222"
	case "PhoneNumber":
		return fmt.Sprintf("+1212555%04d", r.n%10000)
	case "TollFree":
		return fmt.Sprintf("+1800555%04d", r.n%10000)
	case "Mobile":
		return fmt.Sprintf("+447005%06d", r.n)
	case "ChatService":
		return twiliofake.DevelopmentChatServiceSID
	case "PluginUrl":
		return "https://example.com/bundle.js"
	case "FlexFlowSid":
		return r.made("FO", "flex_flows", twiliofake.Resource{
			"friendly_name": "f", "chat_service_sid": twiliofake.DevelopmentChatServiceSID, "channel_type": "web",
		})
	case "ConfigurationId":
		return r.made("FJ", "flex_plugin_configurations", twiliofake.Resource{"name": "c"})
	case "SchemaVersion", "version", "Version":
		return "1"
	case "Status":
		return "completed"
	case "Published":
		return "published"
	case "Verification":
		return "sms"
	case "Channel":
		return `{"type":"web","initiated_by":"agent"}`
	case "Routing":
		return `{"properties":{"workspace_sid":"WS00000000000000000000000000000001","workflow_sid":"WW00000000000000000000000000000001"}}`
	case "Configuration":
		return "{}"
	case "UpdateRequest":
		return "[]"
	case "ConfigurationUrl":
		return "https://example.com/hook"
	case "Permission":
		return "editOwnMessage"
	case "AlphaSender":
		return fmt.Sprintf("Sender%d", r.n)
	case "PhoneNumberSid": // the account must have it
		return r.made("PN", "incoming_phone_numbers", twiliofake.Resource{"phone_number": fmt.Sprintf("+1212556%04d", r.n%10000)})
	case "ShortCodeSid":
		return r.made("SC", "api/SMS/ShortCodes", twiliofake.Resource{"short_code": fmt.Sprint(10000 + r.n%10000)})
	case "AddressSid":
		return "IG00000000000000000000000000000001"
	case "SinkSid":
		return "DG00000000000000000000000000000001"
	case "WorkflowSid":
		return "WW00000000000000000000000000000001"
	}
	return fmt.Sprintf("%s%d", strings.ToLower(name), r.n)
}

// made adds an item that another one names, and returns its SID.
func (r *run) made(prefix, kind string, item twiliofake.Resource) string {
	sid := fmt.Sprintf("%s%032d", prefix, r.n)
	item["sid"] = sid
	if err := r.fake.SetResource(kind, item); err != nil {
		r.t.Fatal(err)
	}
	return sid
}

// identity returns an item's identity from a body: the field named like the
// variable, or else sid or id.
func identity(body []byte, variable string) string {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var m map[string]any
	if d.Decode(&m) != nil {
		return ""
	}
	norm := func(s string) string {
		return strings.ToLower(strings.NewReplacer("_", "", ".", "", "-", "").Replace(s))
	}
	for _, want := range []string{norm(variable), "sid", "id"} {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if norm(k) == want && m[k] != nil {
				return fmt.Sprint(m[k])
			}
		}
	}
	return ""
}

// reach makes or finds an item for every variable of a path. With fresh it makes
// new ones; otherwise it may use the development state's.
func (r *run) reach(op operation, fresh bool) ([]string, error) {
	parts := strings.Split(op.path, "/")
	var vars []string
	for i, p := range parts {
		if !strings.HasPrefix(p, "{") {
			continue
		}
		name := strings.Trim(p, "{}")
		collection := strings.Join(parts[:i], "/")
		if op.host == "api.twilio.com" && i == 3 && len(parts) > 4 {
			vars = append(vars, twiliofake.DevelopmentAccountSID)
			continue
		}
		if name == "CountryCode" && strings.HasSuffix(op.path, "/Mobile") {
			vars = append(vars, "GB") // North America has no mobile numbers to sell
			continue
		}
		last := i == len(parts)-1
		if last && slices.Contains([]string{"create-at", "upsert", "oracle"}, op.class) {
			vars = append(vars, cmp.Or(development[op.host+blank(collection)], r.text(name)))
			continue
		}
		id, err := r.item(op.host, collection, name, vars, fresh && last)
		if err != nil {
			return nil, fmt.Errorf("%s below %s: %w", name, collection, err)
		}
		vars = append(vars, id)
	}
	return vars, nil
}

// item returns an item of a collection.
func (r *run) item(host, collection, variable string, vars []string, fresh bool) (string, error) {
	if !fresh {
		if id := r.first(host, collection, variable, vars); id != "" {
			return id, nil
		}
	}
	var why error
	for _, op := range r.at(host, collection, "create", "create-parent") {
		if _, err := r.do(op, vars); err != nil {
			why = err
			continue
		}
		if id := identity(r.body, variable); id != "" {
			return id, nil
		}
		if id := r.first(host, collection, variable, vars); id != "" {
			return id, nil
		}
		why = fmt.Errorf("%s answers no identity: %s", op, r.body)
	}
	if fresh {
		if id := r.first(host, collection, variable, vars); id != "" {
			return id, nil
		}
	}
	if id := development[host+blank(collection)]; id != "" {
		return id, nil
	}
	id := r.text(variable)
	made := slices.Concat(r.at(host, collection, "create", "create-parent", "list", "list-only"), r.at(host, collection+"/{}", "fetch", "update", "delete"))
	if len(made) == 0 { // an item below it makes it
		return id, nil
	}
	for _, op := range r.at(host, collection+"/{}", "create-at", "upsert") {
		if _, err := r.do(op, append(slices.Clone(vars), id)); err != nil {
			why = err
			continue
		}
		return id, nil
	}
	if err := r.seed(host, collection, vars, id); err != nil {
		return "", fmt.Errorf("%w, and no seed: %w", why, err)
	}
	return id, nil
}

// development are items of the development state that no list of the same
// version shows, or that are computed.
var development = map[string]string{
	"chat.twilio.com/v3/Services":             twiliofake.DevelopmentChatServiceSID,
	"chat.twilio.com/v3/Services/{}/Channels": "CH00000000000000000000000000000001",
	"events.twilio.com/v1/Schemas":            "TaskRouter.WDSEvent",
	"bulkexports.twilio.com/v1/Exports/Jobs":  "JS00000000000000000000000000000001",
}

// first returns the identity of the first item of a list.
func (r *run) first(host, collection, variable string, vars []string) string {
	for _, op := range r.at(host, collection, "list", "list-only") {
		list, err := r.do(op, vars)
		if v := reflect.ValueOf(list); err == nil && v.Kind() == reflect.Slice && v.Len() > 0 {
			b, _ := json.Marshal(v.Index(0).Interface())
			return identity(b, variable)
		}
	}
	return ""
}

// seed adds an item to the state that no operation makes.
func (r *run) seed(host, collection string, vars []string, id string) error {
	kind := strings.TrimSuffix(host, ".twilio.com")
	names := []string{}
	parts := strings.Split(collection, "/")
	for i, p := range parts[1:] {
		if strings.HasPrefix(p, "{") {
			names = append(names, strings.Trim(p, "{}"))
		} else if !(kind == "api" && i < 2) {
			kind += "/" + p
		}
	}
	kind = strings.ReplaceAll(kind, "//", "/")
	for k := range shared {
		if rest, ok := strings.CutPrefix(kind, k+"/"); ok {
			_, rest, _ = strings.Cut(rest, "/")
			kind = shared[k] + "/" + rest
			break
		}
	}
	item := twiliofake.Resource{"_seed": true}
	for i, name := range names {
		item[snake(name)] = vars[len(vars)-len(names)+i]
	}
	if strings.HasSuffix(kind, "/Reservations") {
		item["worker_sid"], item["task_sid"] = "WK00000000000000000000000000000001", "WT00000000000000000000000000000001"
	}
	// The state document has the names of the parents and the identity.
	values := append(slices.Clone(vars), id)
	if strings.HasPrefix(kind, "api/") {
		values = values[1:]
	}
	if len(names) == 0 || snake(names[len(names)-1]) != "sid" {
		values = values[len(values)-1:]
	}
	var err error
	for range 2 * len(parts) {
		if err = r.fake.SetResource(kind, item); err == nil {
			return nil
		}
		what, rest, ok := strings.Cut(err.Error(), `field "`)
		name, _, _ := strings.Cut(rest, `"`)
		switch {
		case !ok:
			return err
		case strings.HasSuffix(what, "no "):
			delete(item, name)
		case len(values) > 1 && strings.HasSuffix(name, "_sid") && item["sid"] == values[0]:
			delete(item, "sid") // a row names the parent in full
			item[name] = values[0]
			values = values[1:]
		case len(values) > 0:
			for _, v := range item { // a parent that has its name already
				if v == values[0] && len(values) > 1 {
					values = values[1:]
				}
			}
			item[name] = values[0]
			values = values[1:]
		}
	}
	return err
}

var shared = map[string]string{"chat": "chat", "ip-messaging": "chat", "studio": "studio", "content": "content", "serverless": "serverless"}

// snake writes ServiceSid as service_sid.
func snake(name string) string {
	var b strings.Builder
	for i, c := range name {
		if 'A' <= c && c <= 'Z' {
			if i > 0 {
				b.WriteByte('_')
			}
			c += 'a' - 'A'
		}
		b.WriteRune(c)
	}
	return b.String()
}

// TestEveryOperation calls every operation once, with its required parameters,
// below items that were made through the API if possible.
func TestEveryOperation(t *testing.T) {
	done, modelled, compared := 0, 0, 0
	ops := operations(t)
	for _, op := range ops {
		r := newRun(t)
		if op.String() == "preview_iam/organization.FetchOrganizationAccount" {
			continue // nothing makes an account below an organization
		}
		vars, err := r.reach(op, op.method == http.MethodDelete || strings.HasPrefix(op.name, "Update"))
		if err != nil {
			t.Errorf("%s: %v", op, err)
			continue
		}
		if len(vars) > 0 {
			r.prepare(op, vars[len(vars)-1])
		}
		if op.class == "singleton-fetch" || op.class == "singleton-delete" || op.class == "singleton-update" {
			for _, make := range r.at(op.host, op.path, "singleton-create", "singleton-update") {
				if _, err := r.do(make, vars); err != nil {
					t.Errorf("%s: %s: %v", op, make, err)
				}
			}
		}
		result, err := r.do(op, vars)
		switch {
		case err != nil:
			t.Errorf("%s %v: %v", op, vars, err)
		case r.status != op.status && r.fidelity == "generic":
			t.Errorf("%s: status %d, want %d", op, r.status, op.status)
		case r.status/100 != 2:
			t.Errorf("%s: status %d", op, r.status)
		default:
			done++
		}
		if r.fidelity == "modelled" {
			modelled++
		} else if err == nil && len(r.body) > 0 && result != nil {
			compared++
			fits(t, op.String(), r.body, reflect.TypeOf(result))
		}
	}
	if done < 1514 {
		t.Errorf("%d operations succeeded, want 1514", done)
	}
	if compared < 700 {
		t.Errorf("%d generic answers were compared with their models, want at least 700", compared)
	}
	t.Logf("%d of %d operations succeeded, %d of them modelled; %d generic answers have exactly their models' fields", done, len(ops), modelled, compared)
}

// prepare adds an item to the state that a row's operation needs.
func (r *run) prepare(op operation, id string) {
	if op.String() == "verify/v2.CreateVerificationCheck" {
		r.to = "+15550019999"
		for _, start := range r.at(op.host, "/v2/Services/{}/Verifications", "create") {
			if _, err := r.do(start, []string{id}); err != nil {
				r.t.Error(err)
			}
		}
	}
	if !slices.Contains([]string{"api/v2010.DeleteCall", "api/v2010.CreateCall"}, op.String()) {
		return
	}
	if err := r.fake.SetResource("calls", twiliofake.Resource{"sid": id, "status": "completed"}); err != nil {
		r.t.Error(err)
	}
}

// fits compares an answer with twilio-go's model, which may be a list of items:
// exactly its fields, each of its kind, those of objects below it too.
func fits(t *testing.T, what string, body []byte, model reflect.Type) {
	t.Helper()
	var got any
	if err := json.Unmarshal(body, &got); err != nil {
		t.Errorf("%s: %v", what, err)
	}
	page, isPage := got.(map[string]any)
	if model.Kind() == reflect.Slice && isPage {
		for key, v := range page {
			if list, ok := v.([]any); ok {
				got, what = list, what+" "+key
			}
		}
	}
	if bad := misfit(got, model); bad != "" {
		t.Errorf("%s%s", what, bad)
	}
}

// misfit returns where a JSON value differs from a Go type; "" if it does not.
func misfit(got any, typ reflect.Type) string {
	if typ.Kind() == reflect.Pointer {
		if got == nil {
			return ""
		}
		return misfit(got, typ.Elem())
	}
	wrong := fmt.Sprintf(" is %.60v, not %s", got, typ)
	switch v := got.(type) {
	case string:
		if typ == reflect.TypeFor[time.Time]() {
			if _, err := time.Parse(time.RFC3339, v); err != nil {
				return wrong
			}
			return ""
		}
		if typ.Kind() == reflect.String || typ.Kind() == reflect.Interface {
			return ""
		}
	case float64:
		switch typ.Kind() {
		case reflect.Interface, reflect.Float32, reflect.Float64:
			return ""
		case reflect.Int, reflect.Int32, reflect.Int64:
			if v == float64(int64(v)) {
				return ""
			}
		}
	case bool:
		if typ.Kind() == reflect.Bool || typ.Kind() == reflect.Interface {
			return ""
		}
	case []any:
		switch typ.Kind() {
		case reflect.Interface:
			return ""
		case reflect.Slice:
			for i, e := range v {
				if bad := misfit(e, typ.Elem()); bad != "" {
					return fmt.Sprintf("[%d]%s", i, bad)
				}
			}
			return ""
		}
	case map[string]any:
		switch typ.Kind() {
		case reflect.Interface:
			return ""
		case reflect.Map:
			for k, e := range v {
				if bad := misfit(e, typ.Elem()); bad != "" {
					return "." + k + bad
				}
			}
			return ""
		case reflect.Struct:
			return misfitStruct(v, typ)
		}
	case nil:
		if typ.Kind() == reflect.Interface {
			return ""
		}
	}
	return wrong
}

func misfitStruct(got map[string]any, typ reflect.Type) string {
	want := map[string]bool{}
	for i := range typ.NumField() {
		name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
		want[name] = true
		v, ok := got[name]
		if !ok {
			return fmt.Sprintf(" lacks %s", name)
		}
		if bad := misfit(v, typ.Field(i).Type); bad != "" {
			return "." + name + bad
		}
	}
	for name := range got {
		if !want[name] {
			return fmt.Sprintf(" has %s, which %s lacks", name, typ)
		}
	}
	return ""
}

// TestCycles makes an item in every collection that has a create, and fetches,
// updates, lists and deletes it as far as the API can.
func TestCycles(t *testing.T) {
	whole, part := 0, 0
	cut := map[string]bool{} // could go through the whole cycle and did not
	for _, op := range operations(t) {
		if op.class != "create" {
			continue
		}
		r := newRun(t)
		vars, err := r.reach(op, false)
		if err != nil {
			t.Errorf("%s: %v", op, err)
			continue
		}
		if _, err := r.do(op, vars); err != nil {
			t.Errorf("%s: %v", op, err)
			continue
		}
		items := r.at(op.host, op.path+"/{}")
		can := map[string]bool{"list": len(r.at(op.host, op.path, "list")) > 0}
		for _, item := range items {
			can[item.class] = can[item.class] || item.pkg == op.pkg
		}
		if can["list"] && can["fetch"] && can["update"] && can["delete"] {
			cut[op.String()] = true
		}
		if len(items) == 0 {
			continue
		}
		variable := items[0].path[strings.LastIndexByte(items[0].path, '{')+1 : len(items[0].path)-1]
		id := identity(r.body, variable)
		if id == "" {
			id = r.last(op, variable, vars)
		}
		if id == "" {
			if !noIdentity[op.String()] {
				t.Errorf("%s: no identity in %s", op, r.body)
			}
			continue
		}
		at := append(slices.Clone(vars), id)
		did := map[string]bool{}
		listed := func() (bool, bool) {
			for _, l := range r.at(op.host, op.path, "list") {
				if l.pkg != op.pkg {
					continue
				}
				list, err := r.do(l, vars)
				if err != nil {
					if !brokenPaging[l.String()] {
						t.Errorf("%s: %v", l, err)
					}
					return false, false
				}
				b, _ := json.Marshal(list)
				return bytes.Contains(b, []byte(strconv.Quote(id))) || id == "0" && len(b) > 2 || bytes.Contains(b, []byte(":"+id+",")), true
			}
			return false, false
		}
		for _, verb := range []string{"fetch", "update", "list", "delete", "gone"} {
			if verb == "delete" {
				r.prepare(op, id)
			}
			if verb == "list" {
				if in, ok := listed(); ok {
					did[verb] = true
					if !in && op.String() != "video/v1.CreateRoom" { // a room that has ended is not listed
						t.Errorf("%s: %s is not listed", op, id)
					}
				}
				continue
			}
			for _, item := range items {
				if item.class != verb && !(verb == "gone" && item.class == "fetch" && did["delete"]) || item.pkg != op.pkg {
					continue
				}
				_, err := r.do(item, at)
				if verb == "gone" {
					if err == nil || r.status != http.StatusNotFound {
						t.Errorf("%s: status %d after the item was deleted", item, r.status)
					}
				} else if err != nil {
					t.Errorf("%s %v: %v", item, at, err)
				}
				did[verb] = true
			}
		}
		if in, ok := listed(); ok && in && did["delete"] && id != "0" {
			t.Errorf("%s: %s is still listed", op, id)
		}
		if did["fetch"] && did["update"] && did["list"] && did["delete"] {
			whole++
			delete(cut, op.String())
		} else {
			part++
		}
	}
	if !maps.Equal(cut, noCycle) {
		t.Errorf("the collections that did not go through the whole cycle are %v, want %v", cut, noCycle)
	}
	t.Logf("%d collections went through the whole cycle, %d through a part", whole, part)
}

// noCycle are collections with all five operations whose creates answer with the
// status of work under way, as Twilio does, and not with the item's identity; the
// lists are of other identities too.
var noCycle = map[string]bool{"memory/v1.CreateStore": true, "memory/v1.CreateTraitGroup": true}

// last returns the identity of the last item of a create's collection.
func (r *run) last(op operation, variable string, vars []string) string {
	id := ""
	for _, l := range r.at(op.host, op.path, "list") {
		if list, err := r.do(l, vars); err == nil {
			if v := reflect.ValueOf(list); v.Len() > 0 {
				b, _ := json.Marshal(v.Index(v.Len() - 1).Interface())
				id = identity(b, variable)
			}
		}
	}
	return id
}

// noIdentity are creates whose answers and lists do not contain the item's
// identity.
var noIdentity = map[string]bool{
	"memory/v1.CreateStore": true, "memory/v1.CreateTraitGroup": true,
	"numbers/v1.CreatePortingWebhookConfiguration": true,
	"voice/v2.CreateConfiguration":                 true,
	"voice/v2.CreateRecordingConfiguration":        true,
	"voice/v2.CreateTranscriptionConfiguration":    true,
}

// brokenPaging are lists for which twilio-go requests the next page at a path
// with unreplaced variables, or without a path.
var brokenPaging = map[string]bool{
	"conversations/v2.PageCommunicationByConversation": true,
	"conversations/v2.PageParticipantByConversation":   true,
	"intelligence/v3.PageOperatorVersions":             true,
	"knowledge/v2.PageKnowledge":                       true,
	"knowledge/v2.PageKnowledgeChunks":                 true,
	"memory/v1.PageDataMappings":                       true,
	"memory/v1.PageTraitGroups":                        true,
	"memory/v1.PageProfiles":                           true,
	"memory/v1.PageProfileImportsV2":                   true,
	"memory/v1.PageProfileConversationSummaries":       true,
	"memory/v1.PageProfileObservations":                true,
	"memory/v1.PageObservationRevisions":               true,
	"memory/v1.PageProfileTraits":                      true,
	"numbers/v1.PagePortInRequests":                    true,
}

// computed are lists that a row computes.
var computed = map[string]bool{"taskrouter/v1.PageTaskQueuesStatistics": true, "events/v1.PageEventType": true, "events/v1.PageSchemaVersion": true}

// TestPages reads every list over three pages.
func TestPages(t *testing.T) {
	read := 0
	for _, op := range operations(t) {
		if op.class != "list" && op.class != "list-only" || computed[op.String()] {
			continue
		}
		r := newRun(t)
		vars, err := r.reach(op, false)
		if err != nil {
			t.Errorf("%s: %v", op, err)
			continue
		}
		for range 5 {
			made := false
			for _, create := range r.at(op.host, op.path, "create") {
				if _, err := r.do(create, vars); err == nil {
					made = true
				}
			}
			if !made {
				r.n++
				if err := r.seed(op.host, op.path, vars, fmt.Sprintf("seed%04d", r.n)); err != nil {
					t.Errorf("%s: %v", op, err)
					break
				}
			}
		}
		all, err := r.list(op, vars, 1000)
		if err != nil {
			t.Errorf("%s: %v", op, err)
			continue
		}
		paged, err := r.list(op, vars, max(len(all)/2-1, 1))
		if brokenPaging[op.String()] {
			if err == nil && len(paged) == len(all) {
				t.Errorf("%s can be read now", op)
			}
			continue
		}
		if err != nil || len(paged) != len(all) {
			t.Errorf("%s: %d items over pages of %d, %d in one: %v", op, len(paged), max(len(all)/2-1, 1), len(all), err)
			continue
		}
		seen := map[string]bool{}
		for _, item := range paged {
			if seen[item] && identity([]byte(item), "identity") != "" {
				t.Errorf("%s: repeats %s", op, item)
			}
			seen[item] = true
		}
		read++
	}
	t.Logf("%d lists were read over three pages", read)
}

func (r *run) list(op operation, vars []string, size int) ([]string, error) {
	m := r.services[op.pkg].MethodByName(op.call())
	if n := pathArguments(m.Type()); n < len(vars) {
		vars = vars[len(vars)-n:]
	}
	args := make([]reflect.Value, m.Type().NumIn())
	for i := range args {
		if typ := m.Type().In(i); typ.Kind() != reflect.Pointer {
			args[i] = reflect.ValueOf(vars[i])
			continue
		}
		args[i] = reflect.New(m.Type().In(i).Elem())
		r.fill(op, args[i].Elem())
		if f := args[i].Elem().FieldByName("PageSize"); f.IsValid() {
			f.Set(reflect.New(f.Type().Elem()))
			f.Elem().SetInt(int64(size))
		}
	}
	out := m.Call(args)
	if e := out[len(out)-1]; !e.IsNil() {
		return nil, e.Interface().(error)
	}
	var items []string
	for i := range out[0].Len() {
		b, err := json.Marshal(out[0].Index(i).Interface())
		if err != nil {
			return nil, err
		}
		items = append(items, string(b))
	}
	return items, nil
}
