package flexfntest

import (
	"encoding/json"
	"mime"
	"net/http"
	"strings"
	"testing"
)

// Answer is the answer of a function. Its methods fail the test that the call
// belongs to, and return the Answer, so that assertions follow the call:
//
//	sid := app.CallFlex(flexfntest.Agent, "/flex/callback", params).OK().Field("taskSid")
//
// An Answer never changes. Status, Header and Body are as they were sent; Body
// is the whole body and may be empty.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte

	t     testing.TB
	again func() *Answer
}

// Redeliver sends the same request once more, byte for byte and with the same
// headers, as Twilio does when it got no answer in time and a plugin does after
// a lost answer. It returns the new answer. The options of the first call are
// part of the request.
func (a *Answer) Redeliver() *Answer {
	a.t.Helper()
	return a.again()
}

// OK fails the test unless the function succeeded: its status is from 200 to
// 299, and an answer that is JSON says "success": true. For TwiML and answers
// without a body the status alone decides. The test goes on.
func (a *Answer) OK() *Answer {
	a.t.Helper()
	kind, _, _ := mime.ParseMediaType(a.Header.Get("Content-Type"))
	success, _ := a.Field("success").(bool)
	if a.Status < 200 || a.Status > 299 || kind == "application/json" && len(a.Body) > 0 && !success {
		a.t.Errorf("the function failed with status %d: %s", a.Status, a.Body)
	}
	return a
}

// Refused fails the test unless the function answered with this status, 400 or
// above, and a message that contains part. An empty part is contained in every
// message.
func (a *Answer) Refused(status int, part string) *Answer {
	a.t.Helper()
	message, _ := a.Field("message").(string)
	if success, _ := a.Field("success").(bool); success || a.Status != status || !strings.Contains(message, part) {
		a.t.Errorf("the function answered status %d, %s; want %d with %q in the message", a.Status, a.Body, status, part)
	}
	return a
}

// Field returns the value at keys of the JSON answer; nil if there is none.
// Field("task", "sid") is the sid in task. Numbers are [json.Number]. Without
// keys it is the whole answer.
func (a *Answer) Field(keys ...string) any {
	var v any
	d := json.NewDecoder(strings.NewReader(string(a.Body)))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return nil
	}
	for _, k := range keys {
		object, _ := v.(map[string]any)
		v = object[k]
	}
	return v
}

// Decode decodes the JSON answer into v, a pointer, or fails the test and
// stops it. Fields that v lacks are ignored.
func (a *Answer) Decode(v any) {
	a.t.Helper()
	if err := json.Unmarshal(a.Body, v); err != nil {
		a.t.Fatalf("the function's answer cannot be read: %v: %s", err, a.Body)
	}
}
