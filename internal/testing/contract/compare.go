package contract

import (
	_ "embed"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Environment returns the variables under which c was recorded.
func Environment(c Case) map[string]string {
	env := map[string]string{
		"ACCOUNT_SID":                "AC" + strings.Repeat("a", 32),
		"AUTH_TOKEN":                 "0123456789abcdef0123456789abcdef",
		"TWILIO_FLEX_WORKSPACE_SID":  "WS" + strings.Repeat("a", 32),
		"TWILIO_SERVICE_RETRY_LIMIT": "5",
		"TWILIO_SERVICE_MIN_BACKOFF": "100",
		"TWILIO_SERVICE_MAX_BACKOFF": "300",
	}
	return override(env, c)
}

// FeatureEnvironment is Environment for topic features, whose cases were
// recorded with more variables.
func FeatureEnvironment(c Case) map[string]string {
	env := Environment(Case{})
	maps.Copy(env, map[string]string{
		"TWILIO_FLEX_SYNC_SID":                   "IS" + strings.Repeat("b", 32),
		"TWILIO_FLEX_CHAT_SERVICE_SID":           "IS" + strings.Repeat("a", 32),
		"TWILIO_API_KEY":                         "SK" + strings.Repeat("a", 32),
		"TWILIO_API_SECRET":                      "test-api-secret-0123456789abcdef",
		"VIDEO_CODE_LENGTH":                      "7",
		"VIDEO_CODE_TTL":                         "60",
		"VIDEO_ROOM_TYPE":                        "group",
		"VIDEO_ROOM_ALLOW_CREATE":                "false",
		"VIDEO_RECORD_BY_DEFAULT":                "false",
		"TWILIO_FLEX_CALLBACK_WORKFLOW_SID":      "WW" + strings.Repeat("0", 31) + "2",
		"TWILIO_FLEX_CHAT_TRANSFER_WORKFLOW_SID": "WW" + strings.Repeat("0", 31) + "3",
		"TWILIO_FLEX_INTERNAL_CALL_WORKFLOW_SID": "WW" + strings.Repeat("0", 31) + "4",
		"PUBLIC_URL":                             "https://flexfn-1234.twil.io",
	})
	// The clock was stopped during the recording: no time may pass here.
	env["TWILIO_SERVICE_MIN_BACKOFF"], env["TWILIO_SERVICE_MAX_BACKOFF"] = "0", "0"
	return override(env, c)
}

func override(env map[string]string, c Case) map[string]string {
	for k, v := range c.Env {
		delete(env, k)
		if v != nil {
			env[k] = *v
		}
	}
	return env
}

// Difference is a deliberate difference: what flexfn does instead.
type Difference struct {
	// Group is the heading in docs/differences.md that gives the reason.
	Group string
	// Status is the status of the last answer; 0 if the request cannot even be
	// made, because the program does not start or compile.
	Status int
	// Contains is part of the last answer's body or, if Status is 0, of the
	// reason.
	Contains string
}

//go:embed differences.json
var differences []byte

// group → topic → case → status, contains
type differenceGroups map[string]map[string]map[string][2]any

// Differences returns the deliberate differences of a topic by case id.
func Differences(topic string) (map[string]*Difference, error) {
	var groups differenceGroups
	if err := json.Unmarshal(differences, &groups); err != nil {
		return nil, err
	}
	byID := map[string]*Difference{}
	for name, topics := range groups {
		for id, want := range topics[topic] {
			if byID[id] != nil {
				return nil, fmt.Errorf("%s is in two groups", id)
			}
			status, ok1 := want[0].(float64)
			contains, ok2 := want[1].(string)
			if !ok1 || !ok2 || contains == "" && status != 204 {
				return nil, fmt.Errorf("%s: want [status, text]", id)
			}
			byID[id] = &Difference{name, int(status), contains}
		}
	}
	return byID, nil
}

// Groups lists the headings of the differences.
func Groups() ([]string, error) {
	var groups differenceGroups
	err := json.Unmarshal(differences, &groups)
	return slices.Sorted(maps.Keys(groups)), err
}

// Check fails t unless the answers match the recording, or differ from it
// exactly as d says. fault is the result of Compare, or why answers are missing.
func Check(t testing.TB, c Case, got []Response, fault string, d *Difference) {
	t.Helper()
	for _, r := range got {
		if err := readable(c, r); err != nil {
			t.Errorf("a plugin cannot read the answer: %v", err)
		}
	}
	switch {
	case d == nil && fault != "":
		t.Errorf("differs from the recording: %s", fault)
	case d == nil:
	case fault == "":
		t.Errorf("agrees with the recording, and yet is listed as different under %q", d.Group)
	case d.Status == 0:
		if len(got) > 0 || !strings.Contains(fault, d.Contains) {
			t.Errorf("got %d answers, %s; want none, and %q", len(got), fault, d.Contains)
		}
	case len(got) == 0:
		t.Errorf("no answer: %s; want status %d", fault, d.Status)
	default:
		last := got[len(got)-1]
		if last.Status != d.Status || !strings.Contains(string(last.Body), d.Contains) {
			t.Errorf("got status %d, %.300s; want %d with %q", last.Status, last.Body, d.Status, d.Contains)
		}
	}
}

// readable checks what the plugin needs in every answer.
func readable(c Case, r Response) error {
	if r.Header("access-control-allow-origin") != "*" {
		return fmt.Errorf("no CORS headers with status %d", r.Status)
	}
	if r.Status == 204 || r.Header("content-type") != "application/json" {
		return nil // chosen by the handler, which the comparison looks at
	}
	if c.Request != nil && c.Request.Method == "HEAD" {
		return nil
	}
	v, err := decode(string(r.Body))
	if object, ok := v.(map[string]any); err != nil || !ok || len(object) == 0 {
		return fmt.Errorf("no JSON object with status %d: %.100s", r.Status, r.Body)
	}
	return nil
}

// Compare describes the first difference between the recording and the answers
// and upstream calls, in their order; empty if there is none. Keys that the envelope adds to an
// object do not count.
func Compare(c Case, got []Response, seen []Seen) string {
	want := c.Answers()
	if len(got) != len(want) {
		return fmt.Sprintf("%d answers, recorded %d", len(got), len(want))
	}
	for i := range want {
		if d := compareResponse(want[i], got[i]); d != "" {
			return d
		}
	}
	if len(seen) != len(c.UpstreamCalls) {
		return fmt.Sprintf("%d upstream calls, recorded %d", len(seen), len(c.UpstreamCalls))
	}
	for i, s := range seen {
		if s.Recorded < 0 {
			return fmt.Sprintf("upstream call %d, %s %s%s, was not recorded", i, s.Method, s.Host, s.Path)
		}
		if i > 0 && s.Recorded < seen[i-1].Recorded {
			return fmt.Sprintf("upstream call %d, %s %s%s, was recorded before the one that it follows", i, s.Method, s.Host, s.Path)
		}
		call := c.UpstreamCalls[s.Recorded]
		if !sameBody(string(call.Body), s.Body) {
			return fmt.Sprintf("upstream call %d sent %s, recorded %s", i, s.Body, call.Body)
		}
		for _, h := range []string{"authorization", "content-type", "if-match"} {
			if s.Header.Get(h) != call.Header(h) {
				return fmt.Sprintf("upstream call %d has %s %q, recorded %q", i, h, s.Header.Get(h), call.Header(h))
			}
		}
	}
	return ""
}

func compareResponse(want, got Response) string {
	if got.Status != want.Status {
		return fmt.Sprintf("status %d, recorded %d", got.Status, want.Status)
	}
	if want.Header("access-control-allow-origin") != got.Header("access-control-allow-origin") {
		return "other CORS headers"
	}
	if silent(want) && silent(got) {
		return ""
	}
	media := func(r Response) string { m, _, _ := strings.Cut(r.Header("content-type"), ";"); return m }
	if got.Status != 204 && media(want) != media(got) {
		return fmt.Sprintf("content type %q, recorded %q", media(got), media(want))
	}
	if media(want) != "application/json" {
		if want.Body != got.Body && (media(want) != "text/xml" || spoken(string(want.Body)) != spoken(string(got.Body))) {
			return fmt.Sprintf("body %.200q, recorded %.200q", got.Body, want.Body)
		}
		return ""
	}
	return compareJSON(string(want.Body), string(got.Body))
}

// envelopeKeys are the keys that flexfn may add.
var envelopeKeys = map[string]bool{"success": true, "missing": true, "invalid": true, "requestId": true, "outcomeUnknown": true}

func compareJSON(want, got string) string {
	if want == "" && got == "" { // HEAD
		return ""
	}
	if head, cut := strings.CutSuffix(want, " …(cut)"); cut {
		if !strings.HasPrefix(got, head) {
			return fmt.Sprintf("body begins otherwise: %.100s", got)
		}
		return ""
	}
	w, err := decode(want)
	if err != nil {
		return fmt.Sprintf("recorded body is not JSON: %.100q", want)
	}
	g, err := decode(got)
	if err != nil {
		return fmt.Sprintf("body is not JSON: %.100q", got)
	}
	wo, ok1 := w.(map[string]any)
	gobj, ok2 := g.(map[string]any)
	if !ok1 || !ok2 {
		return fmt.Sprintf("body %.100s, recorded %.100s", got, want)
	}
	// The token and Twilio's verdict on it are not parameters here; functions
	// that echo their parameters check the owner themselves.
	if event, ok := wo["event"].(map[string]any); ok {
		if result, ok := event["TokenResult"].(map[string]any); ok && result["valid"] == true {
			delete(event, "Token")
			delete(event, "TokenResult")
		}
	}
	for k, v := range wo {
		if !reflect.DeepEqual(v, gobj[k]) {
			return fmt.Sprintf("%s is %.300v, recorded %.300v", k, gobj[k], v)
		}
	}
	for k := range gobj {
		if _, ok := wo[k]; !ok && !envelopeKeys[k] {
			return fmt.Sprintf("key %s was not recorded", k)
		}
	}
	return ""
}

// sameBody compares JSON, XML and forms by their meaning.
func sameBody(want, got string) bool {
	if want == got {
		return true
	}
	w, err1 := decode(want)
	g, err2 := decode(got)
	if err1 == nil && err2 == nil {
		return reflect.DeepEqual(w, g)
	}
	if strings.HasPrefix(want, "<") {
		return element(want) == element(got)
	}
	wf, err1 := url.ParseQuery(want)
	gf, err2 := url.ParseQuery(got)
	if err1 != nil || err2 != nil || !strings.Contains(want, "=") || len(wf) != len(gf) {
		return false
	}
	for k := range wf {
		if len(wf[k]) != 1 || len(gf[k]) != 1 || !sameBody(wf.Get(k), gf.Get(k)) {
			return false
		}
	}
	return true
}

// silent reports whether r tells Twilio nothing: no body, or TwiML without a
// verb.
func silent(r Response) bool {
	return r.Body == "" || strings.HasPrefix(string(r.Body), "<?xml") && element(string(r.Body)) == element("<Response/>")
}

// spoken is a TwiML element whose text may differ, since the prompts are not
// part of the contract. The queries of its links are sorted.
func spoken(text string) string {
	text = words.ReplaceAllString(text, "$1(text)$3")
	return link.ReplaceAllStringFunc(element(text), func(u string) string {
		path, query, _ := strings.Cut(u, "?")
		values, err := url.ParseQuery(query)
		if err != nil {
			return u
		}
		return path + "?" + values.Encode()
	})
}

var (
	words = regexp.MustCompile(`(<Say[^>]*>)([^<]*)(<)`)
	link  = regexp.MustCompile(`https?://[^"\\ ]*\?[^"\\ ]*`)
)

// element writes XML with sorted attributes and without its declaration.
func element(text string) string {
	var b strings.Builder
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		switch token, err := d.Token(); token := token.(type) {
		case xml.StartElement:
			slices.SortFunc(token.Attr, func(a, b xml.Attr) int { return strings.Compare(a.Name.Local, b.Name.Local) })
			fmt.Fprintf(&b, "<%s%q>", token.Name.Local, token.Attr)
		case xml.EndElement:
			b.WriteString("</>")
		case xml.CharData:
			fmt.Fprintf(&b, "%q", token)
		case nil:
			if err != io.EOF {
				return "not XML: " + text
			}
			return b.String()
		}
	}
}

func decode(s string) (v any, err error) {
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	err = d.Decode(&v)
	return v, err
}
