package twiliofake_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	video "github.com/twilio/twilio-go/rest/video/v1"

	"github.com/flexfn/flexfn/twiliofake"
)

func TestVideoRooms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t)
		api := video.NewApiService(newClient(fake))
		room := must[*video.VideoV1Room](t)(api.CreateRoom(new(video.CreateRoomParams).SetUniqueName("abc1234").SetType("group")))
		if *room.Status != "in-progress" || *room.Type != "group" || room.MaxParticipants != 50 || room.EndTime != nil {
			t.Errorf("the room is %+v", room)
		}
		_, err := api.CreateRoom(new(video.CreateRoomParams).SetUniqueName("abc1234"))
		if got := code(t, err); got != "409 53113" {
			t.Errorf("a second room of that name: %s", got)
		}
		unnamed := must[*video.VideoV1Room](t)(api.CreateRoom(nil))
		if *unnamed.UniqueName != *unnamed.Sid {
			t.Errorf("a room without a name is called %s", *unnamed.UniqueName)
		}
		for i, p := range []twiliofake.Resource{{"identity": "ada"}, {"identity": "bob", "status": "disconnected"}} {
			p["sid"], p["room_sid"] = fmt.Sprintf("PA%032x", i+1), *room.Sid
			p["start_time"] = time.Now().UTC().Format(time.RFC3339)
			if err := fake.SetResource("video_participants", p); err != nil {
				t.Fatal(err)
			}
		}
		if err := fake.SetResource("video_recordings", twiliofake.Resource{"sid": "RT00000000000000000000000000000001", "room_sid": *room.Sid, "type": "video"}); err != nil {
			t.Fatal(err)
		}
		list := func(p *video.ListRoomParams) int {
			t.Helper()
			return len(must[[]video.VideoV1Room](t)(api.ListRoom(p)))
		}
		if n := list(new(video.ListRoomParams).SetUniqueName("abc1234")); n != 1 {
			t.Errorf("%d rooms of that name, want 1", n)
		}
		there := func(p *video.ListRoomParticipantParams, want int) {
			t.Helper()
			if n := len(must[[]video.VideoV1RoomParticipant](t)(api.ListRoomParticipant(*room.Sid, p))); n != want {
				t.Errorf("%d participants, want %d", n, want)
			}
		}
		connected := new(video.ListRoomParticipantParams).SetStatus("connected")
		there(nil, 1)
		there(connected, 1)
		there(new(video.ListRoomParticipantParams).SetStatus("disconnected"), 1)
		time.Sleep(90 * time.Second)
		done := new(video.UpdateRoomParams).SetStatus("completed")
		room = must[*video.VideoV1Room](t)(api.UpdateRoom("abc1234", done))
		if *room.Status != "completed" || *room.Duration != 90 || room.EndTime == nil || *room.UniqueName != "abc1234" {
			t.Errorf("the room that ended is %+v", room)
		}
		_, err = api.UpdateRoom(*room.Sid, done)
		if got := code(t, err); got != "400 53112" {
			t.Errorf("a room ended twice: %s", got)
		}
		if _, err := api.FetchRoom("abc1234"); code(t, err) != "404 20404" {
			t.Errorf("a room that ended is found by its name: %v", err)
		}
		if p := must[*video.VideoV1RoomParticipant](t)(api.FetchRoomParticipant(*room.Sid, "PA00000000000000000000000000000001")); *p.Status != "disconnected" || *p.Duration != 90 {
			t.Errorf("the participant is %s after %v", *p.Status, p.Duration)
		}
		there(nil, 2)
		there(connected, 2) // of a completed room, all are listed as disconnected
		must[*video.VideoV1Room](t)(api.CreateRoom(new(video.CreateRoomParams).SetUniqueName("abc1234")))
		if n := list(new(video.ListRoomParams).SetUniqueName("abc1234")); n != 1 {
			t.Errorf("%d rooms in progress of that name, want 1", n)
		}
		if n := list(new(video.ListRoomParams).SetStatus("completed")); n != 1 {
			t.Errorf("%d completed rooms, want 1", n)
		}
		if r := must[[]video.VideoV1RoomRecording](t)(api.ListRoomRecording(*room.Sid, nil)); len(r) != 1 || *r[0].RoomSid != *room.Sid {
			t.Errorf("the recordings of the room are %+v", r)
		}
		must[*video.VideoV1Recording](t)(api.FetchRecording("RT00000000000000000000000000000001"))
		if err := api.DeleteRoomRecording(*room.Sid, "RT00000000000000000000000000000001"); err != nil {
			t.Error(err)
		}
		if r := must[[]video.VideoV1Recording](t)(api.ListRecording(nil)); len(r) != 0 {
			t.Errorf("%d recordings are left", len(r))
		}
	})
}
