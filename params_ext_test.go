package flexfn_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/flexfn/flexfn"
)

type kinds struct {
	S     string            `json:"s"`
	B     bool              `json:"b"`
	I     int               `json:"i"`
	I8    int8              `json:"i8"`
	U     uint              `json:"u"`
	F     float64           `json:"f"`
	T     time.Time         `json:"t"`
	D     time.Duration     `json:"d"`
	P     *int              `json:"p"`
	SS    []string          `json:"ss"`
	IS    []int             `json:"is"`
	N     json.Number       `json:"n"`
	O     nested            `json:"o"`
	OS    []nested          `json:"os"`
	M     map[string]any    `json:"m"`
	Raw   json.RawMessage   `json:"raw"`
	Any   any               `json:"any"`
	Call  string            `json:"call" kind:"CA"`
	Place string            `json:"place" kind:"CF|WT"`
	Phone string            `json:"phone" kind:"e164"`
	SIDs  []string          `json:"sids" kind:"WK"`
	Level level             `json:"level"`
	Text  map[string]string `json:"text"`
	embedded
}

type embedded struct {
	Inner string `json:"inner"`
}

type nested struct {
	A int    `json:"a"`
	B string `json:"b"`
}

type level int

func (l *level) UnmarshalText(b []byte) error {
	switch string(b) {
	case "low":
		*l = 1
	case "high":
		*l = 2
	default:
		return errors.New("low or high")
	}
	return nil
}

// bindOne sends one request to a function that has every kind of parameter.
func bindOne(t *testing.T, contentType, target, body string) (got kinds, status int, message string) {
	t.Helper()
	app := newApp(t, testConfig(nil))
	app.Handle("/f", flexfn.PrepareStudioFunction(func(_ context.Context, in kinds) (any, error) {
		got = in
		return nil, nil
	}, flexfn.OpenToAnyone()))
	req := httptest.NewRequest("POST", target, strings.NewReader(body))
	req.Header.Set("Content-Type", contentType)
	status, answer := send(t, app, req)
	message, _ = answer["message"].(string)
	return got, status, message
}

const (
	jsonType = "application/json"
	callSID  = "CA00000000000000000000000000000001"
)

func TestParametersBind(t *testing.T) {
	seven := 7
	for _, c := range []struct{ contentType, target, body, want string }{
		{formType, "/f", "s=a+b%2Bc&b=true&i=-5&i8=127&u=5&f=1.5e3&n=12345678901234567890&inner=x", `{"S":"a b+c","B":true,"I":-5,"I8":127,"U":5,"F":1500,"N":"12345678901234567890","Inner":"x"}`},
		{jsonType, "/f", `{"s":"a","b":true,"i":-5,"i8":127,"u":5,"f":1.5e3,"n":12345678901234567890,"inner":"x"}`, `{"S":"a","B":true,"I":-5,"I8":127,"U":5,"F":1500,"N":"12345678901234567890","Inner":"x"}`},
		{jsonType, "/f", `{"b":"true","i":"-5","f":"0.1","s":5,"p":"7"}`, `{"B":true,"I":-5,"F":0.1,"S":"5","P":7}`},
		{formType, "/f?s=query&i=1", "s=body", `{"S":"body","I":1}`},
		{formType, "/f?s=query", "s=", `{}`},
		{formType, "/f?s=a&s=a&b=true&b=true&i=", "", `{"S":"a","B":true}`},
		{formType, "/f?call=" + callSID + "&ss=a&ss=a&call=" + callSID, "", `{"Call":"` + callSID + `","SS":["a","a"]}`},
		{jsonType, "/f?s=query&i=3", `{"s":null}`, `{"I":3}`},
		{formType, "/f", "t=2026-01-31T15%3A04%3A05Z&d=1m30s", `{"T":"2026-01-31T15:04:05Z","D":90000000000}`},
		{formType, "/f", "d=90", `{"D":90000000000}`},
		{jsonType, "/f", `{"d":1.5}`, `{"D":1500000000}`},
		{formType, "/f", "ss=a&ss=b&is=1&is=2", `{"SS":["a","b"],"IS":[1,2]}`},
		{formType, "/f", "ss=a&is=%5B1%2C2%5D", `{"SS":["a"],"IS":[1,2]}`},
		{jsonType, "/f", `{"ss":["a","b"],"is":["1",2],"os":[{"a":1},{"b":"x"}]}`, `{"SS":["a","b"],"IS":[1,2],"OS":[{"a":1,"b":""},{"a":0,"b":"x"}]}`},
		{formType, "/f", `o={"a":1,"b":"x"}&m={"k":12345678901234567890}&raw={"z":1,"a":2}&any=[1]`, `{"O":{"a":1,"b":"x"},"M":{"k":12345678901234567890},"Raw":{"z":1,"a":2},"Any":[1]}`},
		{jsonType, "/f", `{"o":{"a":1,"b":"x"},"m":{"k":[{}]},"raw":{"z":1},"any":1e400}`, `{"O":{"a":1,"b":"x"},"M":{"k":[{}]},"Raw":{"z":1},"Any":1e400}`},
		{formType, "/f", "any=plain", `{"Any":"plain"}`},
		{formType, "/f", "any=5", `{"Any":"5"}`},
		{formType, "/f", "call=" + callSID + "&place=WT0000000000000000000000000000000a&phone=%2B15550100&sids=WK00000000000000000000000000000001&sids=WK00000000000000000000000000000002", `{"Call":"` + callSID + `","Place":"WT0000000000000000000000000000000a","Phone":"+15550100","SIDs":["WK00000000000000000000000000000001","WK00000000000000000000000000000002"]}`},
		{formType, "/f", "level=high&unknown=1&=x&s", `{"Level":2}`},
		{formType + ";charset=UTF-8", "/f", "s=%C3%A9", `{"S":"é"}`},
		{"Application/JSON; charset=utf-8", "/f", "\xef\xbb\xbf {\"s\":\"é\"}", `{"S":"é"}`},
		{formType, "/f", "s=%zz+100%", `{"S":"%zz 100%"}`},
		{formType, "/f", "s=%ff", `{"S":"�"}`},
		{formType, "/f", "s=Zo%C3%AB+100%", `{"S":"Zoë 100%"}`},
		{formType, "/f", "s=\xff", `{"S":"�"}`},
		{formType, "/f", "s=1;i=2", `{"S":"1;i=2"}`},
		{"text/plain", "/f?i=1", "s=ignored", `{"I":1}`},
		{jsonType, "/f", "", `{}`},
		{jsonType, "/f", `{"s":"a","s":"b"}`, `{"S":"b"}`},
	} {
		got, status, message := bindOne(t, c.contentType, c.target, c.body)
		var want kinds
		if err := json.Unmarshal([]byte(strings.ReplaceAll(c.want, `"P":7`, `"P":null`)), (*plainKinds)(&want)); err != nil {
			t.Fatalf("%s: %v", c.want, err)
		}
		if strings.Contains(c.want, `"P":7`) {
			want.P = &seven
		}
		if status != 200 || fmt.Sprintf("%+v", jsonOf(got)) != fmt.Sprintf("%+v", jsonOf(want)) {
			t.Errorf("%s %s %s\n got %d %s %s\nwant %s", c.contentType, c.target, c.body, status, message, jsonOf(got), jsonOf(want))
		}
	}
}

// plainKinds decodes expected values by the names of the fields.
type plainKinds kinds

func (p *plainKinds) UnmarshalJSON(b []byte) error {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(b, &raw); err != nil {
		return err
	}
	v := reflect.ValueOf((*kinds)(p)).Elem()
	for k, text := range raw {
		f := v.FieldByName(k)
		if f.Type() == reflect.TypeFor[level]() {
			f.SetInt(int64(text[0] - '0'))
			continue
		}
		d := json.NewDecoder(strings.NewReader(string(text)))
		d.UseNumber()
		if err := d.Decode(f.Addr().Interface()); err != nil {
			return fmt.Errorf("%s: %w", k, err)
		}
	}
	return nil
}

func jsonOf(k kinds) string {
	b, err := json.Marshal(k)
	return fmt.Sprint(string(b), err)
}

func TestParametersThatDoNotFit(t *testing.T) {
	for _, c := range []struct{ contentType, body, want string }{
		{formType, "b=yes", `Invalid b: expected true or false, not "yes"`},
		{formType, "b=TRUE", `Invalid b: expected true or false, not "TRUE"`},
		{jsonType, `{"b":1}`, `Invalid b: expected true or false, not "1"`},
		{jsonType, `{"b":{}}`, `Invalid b: expected true or false, not an object`},
		{formType, "s=a&s=a&s=b", `Invalid s: expected a string; it was given 3 times`},
		{formType, "b=true&b=false", `Invalid b: expected true or false; it was given 2 times`},
		{formType, "i=1.5", `Invalid i: expected a whole number, not "1.5"`},
		{formType, "i=0x10", `Invalid i: expected a whole number`},
		{formType, "i=undefined", `Invalid i: expected a whole number, not "undefined"`},
		{formType, "i8=128", `Invalid i8: expected a whole number of at most 8 bits, not "128"`},
		{formType, "u=-1", `Invalid u: expected a whole number, zero or more`},
		{formType, "f=NaN", `Invalid f: expected a number, not "NaN"`},
		{formType, "f=Infinity", `Invalid f: expected a number`},
		{formType, "f=0x1p-2", `Invalid f: expected a number`},
		{jsonType, `{"f":1e400}`, `Invalid f: expected a number`},
		{formType, "n=12abc", `Invalid n: expected a number`},
		{formType, "t=tomorrow", `Invalid t: expected a time such as 2026-01-31T15:04:05Z, not "tomorrow"`},
		{jsonType, `{"t":5}`, `Invalid t: expected a time`},
		{formType, "d=soon", `Invalid d: expected a time span`},
		{formType, "is=1&is=x", `Invalid is: expected a whole number, not "x" (item 2 of the list)`},
		{formType, "is=[1,", `Invalid is: expected a JSON list`},
		{jsonType, `{"s":{}}`, `Invalid s: expected a string, not an object`},
		{jsonType, `{"s":["a"]}`, `Invalid s: expected a string, not a list`},
		{formType, "o=[]", `Invalid o: expected a JSON object`},
		{formType, `o={"a":"x"}`, `Invalid o: expected a JSON object whose a is a number that fits`},
		{formType, "raw=not json", `Invalid raw: expected JSON`},
		{formType, "m=5", `Invalid m: expected a JSON object`},
		{formType, "call=CA1", `Invalid call: expected a SID: CA and 32 hex digits`},
		{formType, "call=../Workers/WK00000000000000000000001", `Invalid call: expected a SID`},
		{formType, "call=ca00000000000000000000000000000001", `Invalid call: expected a SID`},
		{formType, "call=CA0000000000000000000000000000000%2F", `Invalid call: expected a SID`},
		{formType, "place=CA00000000000000000000000000000001", `Invalid place: expected a SID: CF or WT and 32 hex digits`},
		{formType, "sids=WK00000000000000000000000000000001&sids=x", `Invalid sids: expected a SID: WK and 32 hex digits (item 2 of the list)`},
		{formType, "phone=5550100", `Invalid phone: expected a telephone number in E.164 form`},
		{formType, "phone=%2B0155501000", `Invalid phone`},
		{formType, "level=middle", `Invalid level: expected another value: low or high`},
		{jsonType, `[]`, `The request body is JSON but not an object`},
		{jsonType, `{`, `The request body is not valid JSON`},
		{jsonType, `{"raw":` + strings.Repeat("[", 101) + strings.Repeat("]", 101) + `}`, `nested more than 100 levels deep`},
		{formType, "m=" + strings.Repeat(`{"a":`, 101) + "1" + strings.Repeat("}", 101), `Invalid m: expected a JSON object`},
	} {
		_, status, message := bindOne(t, c.contentType, "/f", c.body)
		if status != 400 || !strings.Contains(message, c.want) {
			t.Errorf("%s\n got %d %s\nwant %s", c.body, status, message, c.want)
		}
	}
	// Text that may be personal is not repeated.
	if _, _, message := bindOne(t, formType, "/f", "phone=12025550100"); strings.Contains(message, "2025550100") {
		t.Errorf("a telephone number is repeated: %s", message)
	}
}

type validated struct {
	Low  int `json:"low"`
	High int `json:"high"`
}

func (v *validated) Validate() error {
	if v.Low > v.High {
		return errors.New("low must not be above high")
	}
	if v.High > 100 {
		return flexfn.Errorf(422, "high is beyond what we do")
	}
	return nil
}

func TestValidate(t *testing.T) {
	app := newApp(t, testConfig(nil))
	app.Handle("/f", flexfn.PrepareStudioFunction(func(context.Context, validated) (any, error) { return nil, nil }, flexfn.OpenToAnyone()))
	for query, want := range map[string]struct {
		status  int
		message any
	}{
		"low=1&high=2":   {200, nil},
		"low=3&high=2":   {400, "low must not be above high"},
		"low=3&high=200": {422, "high is beyond what we do"},
		"low=x&high=2":   {400, `(/f) Invalid low: expected a whole number, not "x"`},
	} {
		if status, body := send(t, app, httptest.NewRequest("GET", "/f?"+query, nil)); status != want.status || body["message"] != want.message {
			t.Errorf("%s: %d %v", query, status, body)
		}
	}
}

func TestParametersAreListed(t *testing.T) {
	f := flexfn.PrepareFlexFunction(hold)
	list := f.Describe().Parameters
	if len(list) != 4 || list[0].Name != "conference" || !list[0].Required || list[0].Kind != "CF" ||
		list[3].Name != "holdUrl" || list[3].Required || list[3].Doc != "what the participant hears" || list[2].Type.Kind() != reflect.Bool {
		t.Errorf("got %+v", list)
	}
}

func TestEventString(t *testing.T) {
	e := flexfn.Event{"s": "x", "n": json.Number("5"), "b": true, "f": false, "l": []any{"a"}, "z": nil}
	for key, want := range map[string]string{"s": "x", "n": "5", "b": "true", "f": "false", "l": "", "z": "", "absent": ""} {
		if got := e.String(key); got != want {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
}
