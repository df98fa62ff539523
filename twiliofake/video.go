package twiliofake

import (
	"cmp"
	"net/http"
	"time"
)

// videoRows are the resources of video.twilio.com. Rooms cannot be joined:
// participants and recordings come from the state. A room stays in progress
// until a request ends it: empty_room_timeout and unused_room_timeout, in
// minutes, are stored but have no effect.
func videoRows() []resource {
	const room = "/v1/Rooms/{room_sid}"
	recording := []field{
		{"codec", text, "opus", never},
		{"container_format", text, "mka", never},
		{"duration", integer, 0, never},
		{"grouping_sids", value, map[string]any{}, never},
		{"offset", integer, 0, never},
		{"room_sid", text, nil, never},
		{"size", integer, 0, never},
		{"status", text, "completed", never},
		{"type", text, "audio", never},
	}
	return []resource{
		{
			name: "video_rooms", host: "video", prefix: "RM", table: true,
			paths: []string{"/v1/Rooms/{sid}"}, can: create | fetch | update | list,
			// _name holds the unique name while the room is in progress. Twilio
			// finds a room by name, and refuses a second one with it, only
			// during that time.
			alias: []string{"_name"}, unique: []unique{{field: "_name", code: 53113}},
			fields: []field{
				{"_name", text, nil, never},
				{"audio_only", boolean, false, never},
				{"empty_room_timeout", integer, 5, never},
				{"enable_turn", boolean, true, never},
				{"large_room", boolean, false, never},
				{"max_concurrent_published_tracks", integer, 170, never},
				{"max_participant_duration", integer, 14400, never},
				{"max_participants", integer, 50, never},
				{"media_region", text, "us1", never},
				{"record_participants_on_connect", boolean, false, never},
				{"status", text, "in-progress", never},
				{"status_callback_method", text, "POST", never},
				{"type", text, "group", never},
				{"unique_name", text, nil, onCreate},
				{"unused_room_timeout", integer, 5, never},
				{"video_codecs", many, nil, never},
			},
			filters: []string{"unique_name", "status"},
			narrow:  map[string]func(*call, []string) (func(*record) bool, *apiError){"": byDefault("Status", "in-progress")},
			create:  createRoom,
			update:  updateRoom,
		},
		{
			name: "video_participants", host: "video", prefix: "PA", table: true, alias: []string{"identity"},
			paths: []string{room + "/Participants/{sid}"}, can: fetch | update | list,
			fields: []field{
				{"identity", text, nil, never},
				{"start_time", instant, nil, never},
				{"end_time", instant, nil, never},
				{"duration", integer, nil, never},
				{"status", text, "connected", never},
			},
			filters: []string{"identity"},
			narrow:  map[string]func(*call, []string) (func(*record) bool, *apiError){"": participantsOfRoom, "Status": everyItem},
			update:  updateRoomParticipant,
		},
		{
			name: "video_recordings", host: "video", prefix: "RT", table: true,
			paths: []string{"/v1/Recordings/{sid}", room + "/Recordings/{sid}"}, can: fetch | remove | list,
			fields: recording,
			view: func(c *call, _ *record, m map[string]any) {
				if len(c.keys) == 1 {
					delete(m, "room_sid")
				}
			},
		},
	}
}

// participantsOfRoom keeps those who are connected to a room in progress unless
// Status says otherwise. In a completed room all of them are disconnected,
// whatever Status says.
func participantsOfRoom(c *call, _ []string) (func(*record) bool, *apiError) {
	want := cmp.Or(c.query.Get("Status"), "connected")
	if c.parent.text("status") != "in-progress" {
		want = "disconnected"
	}
	return func(rec *record) bool { return rec.text("status") == want }, nil
}

// createRoom gives a room the name by which it is found. A room without a name
// gets its SID as one.
func createRoom(_ *call, rec *record) *apiError {
	if rec.text("unique_name") == "" {
		rec.set("unique_name", rec.id)
	}
	rec.set("_name", rec.text("unique_name"))
	return nil
}

// updateRoom ends a room, the only change that the API allows. Everyone in the
// room is disconnected. 53112 is the code for any other status, and for a room
// that is not in progress (https://www.twilio.com/docs/api/errors/53112).
func updateRoom(c *call, rec *record) *apiError {
	if c.before.text("status") != "in-progress" || rec.text("status") != "completed" {
		return refuse(http.StatusBadRequest, 53112, "Status is invalid")
	}
	rec.set("_name", nil)
	c.end(rec)
	for _, p := range c.where("video_participants", map[string]any{"room_sid": rec.id, "status": "connected"}) {
		next := p.clone()
		next.set("status", "disconnected")
		c.end(next)
		c.commit(p, next)
	}
	return nil
}

// end records when something ended and its duration. Without a start_time, it
// began when it was created.
func (c *call) end(rec *record) {
	rec.set("end_time", c.now.Format(time.RFC3339))
	began := rec.text("start_time")
	if began == "" {
		began = rec.text("date_created")
	}
	if t, err := time.Parse(time.RFC3339, began); err == nil {
		rec.set("duration", max(int(c.now.Sub(t)/time.Second), 0))
	}
}

// updateRoomParticipant disconnects a participant, the only change that the API
// allows. Doing so twice is allowed, and keeps the first date.
func updateRoomParticipant(c *call, rec *record) *apiError {
	if !c.form.Has("Status") {
		return nil
	}
	if rec.text("status") != "disconnected" {
		return refuse(http.StatusBadRequest, 53112, "Status is invalid")
	}
	if c.before.text("status") != "disconnected" {
		c.end(rec)
	}
	return nil
}
