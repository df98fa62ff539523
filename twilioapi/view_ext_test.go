package twilioapi_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/flexfn/flexfn/twilioapi"
	api "github.com/twilio/twilio-go/rest/api/v2010"
	taskrouter "github.com/twilio/twilio-go/rest/taskrouter/v1"
)

func TestView(t *testing.T) {
	for _, tt := range []struct {
		name  string
		model any
		want  string
	}{
		{"nil", nil, `null`},
		{"nil model", (*api.ApiV2010Call)(nil), `null`},
		{"times as text", &struct {
			A string  `json:"date_created"`
			B *string `json:"end_time"`
			C string  `json:"message_date,omitempty"`
			D string  `json:"queue_time"`
			E string  `json:"friendly_name"`
			F string  `json:"update_time"`
		}{
			"Tue, 02 Jan 2024 05:04:05 +0200", nil, "Tue, 02 Jan 2024 03:04:05 +0000", "0",
			"Tue, 02 Jan 2024 03:04:05 +0000", "2024-01-02",
		}, `{"dateCreated":"2024-01-02T03:04:05.000Z","endTime":null,"friendlyName":"Tue, 02 Jan 2024 03:04:05 +0000","messageDate":"2024-01-02T03:04:05.000Z","queueTime":"0","updateTime":"2024-01-02"}`},
		{"times", struct {
			A *time.Time `json:"date_updated"`
			B time.Time  `json:"valid_until"`
		}{new(time.Date(2024, 1, 2, 3, 4, 5, 6_000_000, time.FixedZone("", 3600))), time.Unix(0, 0)},
			`{"dateUpdated":"2024-01-02T02:04:05.006Z","validUntil":"1970-01-01T00:00:00.000Z"}`},
		{"zero values and what is inside", struct {
			N      int             `json:"n,omitempty"`
			B      *bool           `json:"is_b,omitempty"`
			Links  *map[string]any `json:"links,omitempty"`
			Any    any             `json:"any"`
			List   []string        `json:"some_list"`
			Hidden string          `json:"-"`
			None   string
			inside int
		}{B: new(false), Links: &map[string]any{"task_queues": "u"}}, `{"any":null,"isB":false,"links":{"task_queues":"u"},"n":0,"someList":null}`},
		{"not an address", struct {
			A string `json:"a"`
			B string `json:"b"`
		}{"x:y@z", "https://a b@c"}, `{"a":"x:y@z","b":"https://a b@c"}`},
		{"credentials", struct {
			Account api.ApiV2010Account `json:"account"`
			Hooks   []map[string]any    `json:"hooks"`
			Token   string              `json:"auth_token"`
			Secret  *string             `json:"secret"`
			SID     string              `json:"credential_sid"`
			Pass    string              `json:"sip_auth_password"`
			Plain   string              `json:"token"`
			URL     string              `json:"voice_url"`
			Text    string              `json:"text"`
		}{
			Account: api.ApiV2010Account{AuthToken: new("0123456789abcdef"), Sid: new("AC1")},
			Hooks:   []map[string]any{{"url": "https://u:p@example.com/", "secret": "x", "n": 12345678901234}}, SID: "CR1", URL: "https://user:pass@example.com/voice?a=b@c", Text: "see http://x and mail@example.com",
		}, `{"account":{"sid":"AC1"},"credentialSid":"CR1","hooks":[{"n":12345678901234,"url":"https://example.com/"}],"text":"see http://x and mail@example.com","voiceUrl":"https://example.com/voice?a=b@c"}`},
	} {
		got, err := json.Marshal(twilioapi.View(tt.model))
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: %s, %v; want\n%s", tt.name, got, err, tt.want)
		}
	}
	if got, err := json.Marshal(twilioapi.Views([]taskrouter.TaskrouterV1Task(nil))); err != nil || string(got) != "[]" {
		t.Errorf("%s, %v", got, err)
	}
}

// TestViewOfAnAccount checks the View of a model with a secret.
func TestViewOfAnAccount(t *testing.T) {
	view := twilioapi.View(&api.ApiV2010Account{AuthToken: new("0123456789abcdef0123456789abcdef"), FriendlyName: new("x")})
	if _, told := view["authToken"]; told || view["friendlyName"] != "x" {
		t.Errorf("%v", view)
	}
}
