package events

import (
	"context"
	"encoding/json"
	"net/url"
	"testing"

	"github.com/flexfn/flexfn/internal/form"
	"github.com/flexfn/flexfn/internal/testing/blind"
)

// FuzzEvent has every source read any body. Only a malformed batch may be an
// error: no event of Twilio's may be lost because of a wrong guess about its
// fields.
func FuzzEvent(f *testing.F) {
	f.Add(`[{"specversion":"1.0","id":"EZ1","type":"com.twilio.taskrouter.task.created","time":"2023-11-14T22:13:20.000Z","data":{"payload":{"sid":"EV1","task_attributes":"{\"a\":1}"}}}]`)
	f.Add(`[{"id":"1","type":"x","data":"{\"payload\":\"[]\"}"}]`)
	f.Add("EventType=reservation.accepted&TaskAttributes=%7B%7D&TaskAge=x&TimestampMs=1700000000123")
	f.Add("CallSid=CA1&CallStatus=completed&SequenceNumber=99999999999999999999")
	blind.Fuzz(f, func(t *testing.T, body string) {
		list, err := streamEvents(context.Background(), []byte(body))
		text := form.TrimBOM(body)
		if err == nil && !json.Valid([]byte(text)) && !json.Valid([]byte("["+text+"]")) {
			t.Error("a malformed batch was accepted")
		}
		if form, err := url.ParseQuery(body); err == nil {
			values := map[string]any{}
			for name, v := range form {
				values[name] = v[0]
			}
			for _, s := range sources {
				if !s.batch {
					list = append(list, s.event(formFields(values), ""))
				}
			}
		}
		for _, e := range list {
			for _, s := range sources {
				s.order(e)
			}
			for _, read := range []func(Event) error{
				func(e Event) error { _, err := decodeInto[TaskRouterEvent](e); return err },
				func(e Event) error { _, err := decodeInto[CallStatus](e); return err },
				func(e Event) error { _, err := decodeInto[ConferenceStatus](e); return err },
				func(e Event) error { _, err := decodeInto[RecordingStatus](e); return err },
				func(e Event) error { _, err := decodeInto[MessageStatus](e); return err },
				func(e Event) error { _, err := decodeInto[ConversationEvent](e); return err },
				func(e Event) error { _, err := decodeInto[InteractionEvent](e); return err },
			} {
				if err := read(e); err != nil {
					t.Error(err)
				}
			}
			b, err := json.Marshal(job{Key: e.Key, Fields: e.fields})
			if err != nil {
				t.Fatal(err)
			}
			var again job
			if err := json.Unmarshal(b, &again); err != nil || len(again.Fields) != len(e.fields) {
				t.Errorf("%v: %s", err, b)
			}
		}
	})
}

func FuzzProgress(f *testing.F) {
	f.Add(progress{"crm": {succeeded, 3}}.encode())
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	blind.Fuzz(f, func(t *testing.T, b []byte) {
		p := readProgress(b)
		again := readProgress(p.encode())
		for name, s := range p {
			if again[name] != s {
				t.Errorf("%s: %v, then %v", name, s, again[name])
			}
		}
		readOrder(b)
	})
}
