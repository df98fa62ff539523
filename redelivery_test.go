package flexfn

import (
	"context"
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/flexfn/flexfn/internal/testing/blind"
)

// TestRedeliveriesAreOfOneSignature sends Twilio's idempotency token, which is
// not signed, with another signed request.
func TestRedeliveriesAreOfOneSignature(t *testing.T) {
	for _, option := range []Option{Once(time.Minute), Deduplicate(time.Minute)} {
		runs := 0
		post := studioApp(t, "/studio/x", PrepareStudioFunction(func(_ context.Context, in Event) (map[string]any, error) {
			runs++
			return map[string]any{"from": in["From"]}, nil
		}, option))
		const token = "5e5c31d4-7b9a-4c38-b3f2-0a1d3a5e8f77"
		first := post("From=one", twilioKey, token)
		other := post("From=two", twilioKey, token)
		again := post("From=one", twilioKey, token)
		if first.Body.String() != `{"from":"one","success":true}` || again.Body.String() != first.Body.String() {
			t.Errorf("first %s, again %s", first.Body, again.Body)
		}
		if other.Body.String() != `{"from":"two","success":true}` || runs != 2 {
			t.Errorf("another request with the token got %s; %d runs", other.Body, runs)
		}
	}
}

// FuzzKeptAnswer: decoding any bytes gives a valid answer or an error, and
// decoding an encoded answer gives the same answer.
func FuzzKeptAnswer(f *testing.F) {
	f.Add([]byte{}, 200, "X-A", "v", "application/json", []byte(`{"success":true}`))
	f.Add(answer{status: 404, header: http.Header{"X-A": {"1", "2"}}, body: []byte("b")}.encode(), 204, "", "", "", []byte(nil))
	f.Add(answer{status: 200, contentType: "text/xml; charset=utf-8", header: http.Header{"A": {""}, "B-C": {"é", ",", "\r\n"}}, body: []byte("<Response/>")}.encode(), 599, "x", "", "text/xml", []byte{0, 255})
	f.Add(answer{status: 503}.encode(), 503, "Retry-After", "1", "a", []byte("{}"))
	blind.Fuzz(f, func(t *testing.T, kept []byte, status int, name, value, contentType string, body []byte) {
		if a, err := decodeAnswer(kept); err == nil && (a.status < 200 || a.status > 599) {
			t.Errorf("%q is read as %+v", kept, a)
		}
		sent := answer{status: status, contentType: contentType, body: body}
		if name != "" {
			sent.header = http.Header{name: {value, value}}
		}
		if status < 200 || status > 599 {
			return
		}
		text := sent.encode()
		if text == nil {
			return // too long
		}
		read, err := decodeAnswer(text)
		if err != nil || read.status != status || read.contentType != contentType || string(read.body) != string(body) || !reflect.DeepEqual(read.header, sent.header) {
			t.Errorf("%+v is read as %+v, %v", sent, read, err)
		}
	})
}
