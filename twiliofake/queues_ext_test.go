package twiliofake_test

import (
	"bytes"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	openapi "github.com/twilio/twilio-go/rest/api/v2010"

	"github.com/flexfn/flexfn/twiliofake"
)

func TestQueues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t)
		api := openapi.NewApiService(newClient(fake))
		q := must[*openapi.ApiV2010Queue](t)(api.CreateQueue(new(openapi.CreateQueueParams).SetFriendlyName("waiting")))
		if q.MaxSize != 1000 || q.CurrentSize != 0 || (*q.Sid)[:2] != "QU" {
			t.Errorf("the queue is %+v", q)
		}
		_, err := api.CreateQueue(new(openapi.CreateQueueParams).SetFriendlyName("waiting"))
		if got := code(t, err); got != "409 22003" && got != "400 22003" {
			t.Errorf("a second queue of that name: %s", got)
		}
		_, err = api.CreateQueue(new(openapi.CreateQueueParams).SetFriendlyName("huge").SetMaxSize(5001))
		refused(t, err, "MaxSize")
		for _, sid := range []string{"CA00000000000000000000000000000002", "CA00000000000000000000000000000001"} {
			if err := fake.SetResource("queue_members", twiliofake.Resource{"call_sid": sid, "queue_sid": *q.Sid}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(20 * time.Second)
		}
		q = must[*openapi.ApiV2010Queue](t)(api.FetchQueue(*q.Sid, nil))
		if q.CurrentSize != 2 || q.AverageWaitTime != 30 {
			t.Errorf("%d calls wait, %d s on average, want 2 and 30", q.CurrentSize, q.AverageWaitTime)
		}
		front := must[*openapi.ApiV2010Member](t)(api.FetchMember(*q.Sid, "Front", nil))
		if *front.CallSid != "CA00000000000000000000000000000002" || front.Position != 1 || front.WaitTime != 40 || *front.QueueSid != *q.Sid {
			t.Errorf("the front member is %+v", front)
		}
		if err := api.DeleteQueue(*q.Sid, nil); code(t, err) != "400 22002" {
			t.Errorf("a queue with members was removed: %v", err)
		}
		for range 2 {
			must[*openapi.ApiV2010Member](t)(api.UpdateMember(*q.Sid, "Front", new(openapi.UpdateMemberParams).SetUrl("https://example.com/agent")))
		}
		if _, err := api.FetchMember(*q.Sid, "Front", nil); code(t, err) != "404 20404" {
			t.Errorf("an empty queue has a front: %v", err)
		}
		if err := api.DeleteQueue(*q.Sid, nil); err != nil {
			t.Error(err)
		}
	})
}

// TestRecordingMedia asks for the sound of a recording.
func TestRecordingMedia(t *testing.T) {
	fake := newFake(t)
	if err := fake.SetResource("recordings", twiliofake.Resource{"sid": "RE00000000000000000000000000000009", "status": "completed", "call_sid": "CA00000000000000000000000000000001"}); err != nil {
		t.Fatal(err)
	}
	for ext, want := range map[string]struct {
		kind  string
		magic []byte
	}{".mp3": {"audio/mpeg", []byte{0xff, 0xfb}}, ".wav": {"audio/x-wav", []byte("RIFF")}, "": {"audio/x-wav", []byte("RIFF")}} {
		a := ask(t, fake, "GET", api+"/Recordings/RE00000000000000000000000000000009"+ext, "")
		if a.status != http.StatusOK || a.header.Get("Content-Type") != want.kind || !bytes.HasPrefix([]byte(a.text), want.magic) {
			t.Errorf("%q: %d, %s, %.4x", ext, a.status, a.header.Get("Content-Type"), a.text)
		}
	}
	ask(t, fake, "GET", api+"/Recordings/RE00000000000000000000000000000009.json", "").want(t, 200, "status", "completed")
	ask(t, fake, "GET", api+"/Recordings/REnone.mp3", "").want(t, 404, "code", 20404)
	ask(t, fake, "GET", api+"/Recordings/RE00000000000000000000000000000009.exe", "").want(t, 404, "code", 20404)
	ask(t, fake, "GET", api+"/Calls/CA00000000000000000000000000000001.mp3", "").want(t, 501)
	ask(t, fake, "GET", "https://api.twilio.com/2010-04-01/Accounts/AC00000000000000000000000000000002/Recordings/RE00000000000000000000000000000009.mp3", "").want(t, 404)
}

// TestDualChannels records each side of a call on its own channel.
func TestDualChannels(t *testing.T) {
	fake := newFake(t)
	api := openapi.NewApiService(newClient(fake))
	for channels, want := range map[string]int{"dual": 2, "mono": 1} {
		r := must[*openapi.ApiV2010CallRecording](t)(api.CreateCallRecording("CA00000000000000000000000000000001", new(openapi.CreateCallRecordingParams).SetRecordingChannels(channels)))
		if r.Channels != want {
			t.Errorf("%s: %d channels, want %d", channels, r.Channels, want)
		}
	}
}
