package twiliofake

import (
	"net/http"
	"strconv"
	"time"
)

// queueRows are the queues in which calls wait. The fake does not enqueue
// calls: members come from the state, and "Front" is the one that joined first.
// The rows use the table, so their parameters and types follow twilio-go.
// recording_transcriptions are here because they, too, come only from the
// state.
func queueRows() []resource {
	const account = "/2010-04-01/Accounts/{account_sid}"
	return []resource{
		{
			name: "queues", host: "api", prefix: "QU", table: true,
			paths: []string{account + "/Queues/{sid}.json"}, can: all,
			unique: []unique{{field: "friendly_name", code: 22003}},
			fields: []field{
				{"average_wait_time", integer, 0, never},
				{"current_size", integer, 0, never},
				{"friendly_name", text, nil, always},
				{"max_size", integer, 1000, always},
			},
			create: saveQueue,
			update: saveQueue,
			remove: removeQueue,
			view:   viewQueue,
		},
		{
			name: "queue_members", host: "api", table: true, list: "queue_members",
			paths: []string{account + "/Queues/{queue_sid}/Members/{call_sid}.json"}, can: fetch | update | list,
			fields: []field{
				{"date_enqueued", text, nil, never},
				{"position", integer, 1, never},
				{"wait_time", integer, 0, never},
			},
			find:   frontMember,
			update: dequeue,
			view:   viewMember,
		},
		{
			name: "recording_transcriptions", host: "api", prefix: "TR", table: true, list: "transcriptions",
			paths: []string{account + "/Transcriptions/{sid}.json", account + "/Recordings/{recording_sid}/Transcriptions/{sid}.json"},
			can:   fetch | remove | list,
			fields: []field{
				{"api_version", text, "2010-04-01", never},
				{"duration", text, "0", never},
				{"price_unit", text, "USD", never},
				{"recording_sid", text, nil, never},
				{"status", text, "completed", never},
				{"transcription_text", text, "", never},
				{"type", text, "fast", never},
			},
		},
	}
}

// saveQueue checks the size of a queue. The upper bound and the default, 1000,
// are those of https://www.twilio.com/docs/voice/api/queue-resource.
func saveQueue(_ *call, rec *record) *apiError {
	if n := rec.number("max_size"); n < 1 || n > 5000 {
		return refuse(http.StatusBadRequest, 20001, "MaxSize must be from 1 to 5000, not %d", n)
	}
	return nil
}

// removeQueue refuses to delete a queue in which calls wait.
func removeQueue(c *call, rec *record) *apiError {
	if n := rec.child("Members").len(); n > 0 {
		return refuse(http.StatusBadRequest, 22002, "Queue %s is not empty: %d calls wait in it", rec.id, n)
	}
	return nil
}

// viewQueue adds the current size and the average wait. Both are computed for
// each answer, so they are right whatever the state document says. The wait is
// in seconds.
func viewQueue(c *call, rec *record, m map[string]any) {
	members := rec.child("Members")
	m["current_size"] = members.len()
	total := 0
	for member := range members.all() {
		total += c.waited(member)
	}
	if members.len() > 0 {
		m["average_wait_time"] = total / members.len()
	}
}

// waited returns how many seconds a member of a queue has waited.
func (c *call) waited(member *record) int {
	t, err := time.Parse(time.RFC1123Z, member.text("date_enqueued"))
	if err != nil {
		t, err = time.Parse(time.RFC1123Z, member.text("date_created"))
	}
	if err != nil {
		return 0
	}
	return max(int(c.now.Sub(t)/time.Second), 0)
}

// viewMember adds the position of a call in its queue, and how long it has
// waited. Positions start at 1.
func viewMember(c *call, rec *record, m map[string]any) {
	m["wait_time"] = c.waited(rec)
	if rec.get("date_enqueued") == nil {
		m["date_enqueued"] = rec.get("date_created")
	}
	position, n := 0, 0 // position 0: the member has left
	for member := range rec.owner.child("Members").all() {
		if n++; member.id == rec.id {
			position = n
		}
	}
	m["position"] = position
}

// frontMember returns the call that has waited longest. It is the find hook for
// the name "Front", with which a client need not list the queue first.
func frontMember(c *call, id string) *record {
	if id == "Front" {
		for member := range c.collection().all() {
			return member
		}
	}
	return nil
}

// dequeue takes a call out of its queue and redirects it. At Twilio, updating a
// member takes the call out of the queue; it continues with the TwiML at Url.
func dequeue(c *call, rec *record) *apiError {
	if call := c.one("calls", map[string]any{"sid": rec.id}); call != nil {
		c.set(call, map[string]any{"_url": c.form.Get("Url")})
	}
	c.drop(c.before)
	return nil
}

// silence returns a silent MPEG-1 layer III frame: 128 kbit/s, 44.1 kHz, mono.
// Its length is 144 × 128000 / 44100 bytes, rounded down.
func silence() []byte {
	frame := make([]byte, 417)
	copy(frame, []byte{0xff, 0xfb, 0x90, 0xc4})
	return frame
}

// recordingMedia answers with the sound of a recording: one second of silence.
// A recording that is not finished does not have a file yet, nor does one under
// another extension. WAV is 16-bit mono at 8 kHz.
func recordingMedia(_ *call, rec *record, extension string) (*response, *apiError) {
	if s := rec.text("status"); s == "in-progress" || s == "paused" || s == "processing" {
		return nil, notFound("Recordings/" + rec.id + extension)
	}
	var body []byte
	kind := "audio/mpeg"
	switch extension {
	case ".mp3":
		for range 38 {
			body = append(body, silence()...)
		}
	case ".wav", "":
		const rate = 8000
		kind, body = "audio/x-wav", []byte("RIFF\x24\x3e\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00data\x80\x3e\x00\x00")
		body = append(body, make([]byte, 2*rate)...)
	default:
		return nil, notFound("Recordings/" + rec.id + extension)
	}
	return &response{http.StatusOK, headers{"Content-Type", kind, "Content-Length", strconv.Itoa(len(body))}, body}, nil
}
