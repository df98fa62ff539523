package twiliofake

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// e164 matches a telephone number in E.164. The number begins with + and a
// country code, and has 7 to 15 digits
// (https://www.twilio.com/docs/glossary/what-e164).
var e164 = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^\+[1-9]\d{6,14}$`) })

// reachable reports whether an address can be called: a number, a SIP address or
// a client.
func reachable(to string) bool {
	return e164().MatchString(to) || strings.HasPrefix(to, "sip:") || strings.HasPrefix(to, "client:")
}

// mayCallFrom reports whether the account can use an address as the caller ID:
// a client, a SIP address, or a number that it owns or has verified.
// twilio-go's comment on the parameter From says this about phone numbers.
func (c *call) mayCallFrom(from string) bool {
	if !e164().MatchString(from) {
		return reachable(from)
	}
	number := map[string]any{"account_sid": c.account.text("sid"), "phone_number": from}
	return c.one("incoming_phone_numbers", number) != nil || c.one("outgoing_caller_ids", number) != nil
}

// dial makes a call from the account. The call is answered at once. It does not
// check anything; mayDial does that first.
func (c *call) dial(from, to string) *record {
	rec := c.blank("calls", c.account)
	c.dialled(rec, from, to)
	c.store.add(rec)
	return rec
}

// dialled fills in what follows from a call's two addresses. phone_number_sid
// is that of the account's own number, bought or verified; a client or a SIP
// address has none.
func (c *call) dialled(rec *record, from, to string) {
	rec.set("from", from)
	rec.set("to", to)
	rec.set("from_formatted", national(from))
	rec.set("to_formatted", national(to))
	rec.set("direction", "outbound-api")
	rec.set("start_time", c.now.Format(time.RFC1123Z))
	number := map[string]any{"account_sid": c.account.text("sid"), "phone_number": from}
	for _, kind := range []string{"incoming_phone_numbers", "outgoing_caller_ids"} {
		if own := c.one(kind, number); own != nil {
			rec.set("phone_number_sid", own.text("sid"))
		}
	}
}

// national formats a North American number like Twilio does. Other numbers are
// shown as they are.
func national(number string) string {
	if d, ok := strings.CutPrefix(number, "+1"); ok && len(d) == 10 {
		return "(" + d[:3] + ") " + d[3:6] + "-" + d[6:]
	}
	return number
}

// mayDial refuses a call from or to an invalid address; unreachable is the
// error for the latter. The error codes are those of
// https://www.twilio.com/docs/api/errors. Only unreachable differs: for a call
// to an invalid number it is 21211, for a participant 13223.
func (c *call) mayDial(from, to string, unreachable *apiError) *apiError {
	switch {
	case to == "":
		return refuse(http.StatusBadRequest, 21201, "No 'To' number is specified")
	case from == "":
		return refuse(http.StatusBadRequest, 21213, "No 'From' number is specified")
	case !reachable(to):
		return unreachable
	case !reachable(from):
		return refuse(http.StatusBadRequest, 21212, "%s is not a valid phone number or outgoing caller ID.", from)
	case !c.mayCallFrom(from):
		return refuse(http.StatusBadRequest, 21210, "The source phone number provided, %s, is not yet verified for your account.", from)
	}
	return nil
}

// createCall checks a call and places it. A call needs instructions: a URL,
// TwiML or an application (21205).
func createCall(c *call, rec *record) *apiError {
	to, from := c.form.Get("To"), c.form.Get("From")
	err := c.mayDial(from, to, refuse(http.StatusBadRequest, 21211, "The phone number you are attempting to call, %s, is not valid.", to))
	if err != nil {
		return err
	}
	if c.form.Get("Url") == "" && c.form.Get("Twiml") == "" && c.form.Get("ApplicationSid") == "" {
		return refuse(http.StatusBadRequest, 21205, "Url parameter is required.")
	}
	c.dialled(rec, from, to)
	c.redirect(rec)
	return nil
}

// redirect records the TwiML or URL that a call was redirected to, for tests to
// inspect. _twiml and _url hold the latest, in the state and in
// [Twilio.Resource]. If both are given, Url counts: a create ignores Twiml, as
// twilio-go's comment on it says, and an update is refused.
func (c *call) redirect(rec *record) {
	rec.drop("_twiml")
	rec.drop("_url")
	if v := c.form.Get("Twiml"); v != "" && c.form.Get("Url") == "" {
		rec.set("_twiml", v)
	} else {
		rec.set("_url", c.form.Get("Url"))
	}
}

// live reports whether a call with this status can still be changed. The other
// statuses are final.
func live(status string) bool {
	return status == "queued" || status == "ringing" || status == "in-progress"
}

// updateCall redirects a call, completes it or cancels it. It returns 21220,
// which plugins check for: a call that has ended cannot be redirected, and one
// that is not yet answered can only be canceled or completed. Redirecting takes
// the call out of its conference, as new TwiML does.
func updateCall(c *call, rec *record) *apiError {
	status := c.before.text("status")
	if !live(status) {
		return refuse(http.StatusBadRequest, 21220, "Call is not in-progress. Cannot redirect.")
	}
	if c.form.Get("Twiml") != "" && c.form.Get("Url") != "" {
		return invalid("Twiml and Url are mutually exclusive")
	}
	redirected := c.form.Has("Twiml") || c.form.Has("Url")
	if redirected && status != "in-progress" {
		return refuse(http.StatusBadRequest, 21220, "Call is not in-progress. Cannot redirect.")
	}
	switch next := rec.text("status"); next {
	case status:
	case "completed":
		c.hangUp(rec)
	case "canceled":
		if status == "in-progress" {
			return refuse(http.StatusBadRequest, 21220, "Call is in-progress. Cannot cancel.")
		}
		c.hangUp(rec)
		rec.set("status", "canceled")
	default:
		return invalid("Invalid value for parameter Status: %.100q", next)
	}
	if redirected {
		c.redirect(rec)
		c.leave(rec.text("sid")) // new instructions take the call out of its conference
	}
	return nil
}

// removeCall refuses to delete a call that is not over.
func removeCall(_ *call, rec *record) *apiError {
	if live(rec.text("status")) {
		return refuse(http.StatusConflict, 20009, "Call is in progress and cannot be deleted")
	}
	return nil
}

// hangUp ends a call, its recordings and its part in a conference. The duration
// is in whole seconds, as a string.
func (c *call) hangUp(rec *record) {
	rec.set("status", "completed")
	rec.set("end_time", c.now.Format(time.RFC1123Z))
	rec.set("duration", seconds(rec.text("start_time"), c.now))
	for _, r := range c.where("recordings", map[string]any{"call_sid": rec.text("sid")}) {
		c.stopRecording(r)
	}
	c.leave(rec.text("sid"))
}

// leave takes a call out of its conference, if any.
func (c *call) leave(callSID string) {
	for _, p := range c.where("participants", map[string]any{"call_sid": callSID}) {
		c.depart(p)
	}
}

// depart takes a participant out of its conference. That ends the conference if
// the participant was the last one or has endConferenceOnExit set. It does not
// hang up, since the call may have ended already, or go on with new
// instructions. Callers hang up where they must.
func (c *call) depart(p *record) {
	c.store.remove(p)
	conference := c.one("conferences", map[string]any{"sid": p.text("conference_sid"), "status": "in-progress"})
	if conference == nil {
		return
	}
	switch {
	case p.flag("end_conference_on_exit"):
		c.endConference(conference, "participant-with-end-conference-on-exit-left", p.text("call_sid"))
	case c.one("participants", map[string]any{"conference_sid": conference.text("sid")}) == nil:
		c.endConference(conference, "last-participant-left", p.text("call_sid"))
	}
}

// endConference ends a conference and its participants' calls. reason is a
// value of a conference's reason_conference_ended. by is the call that ended
// it, or empty if the API did.
func (c *call) endConference(conference *record, reason, by string) {
	fields := map[string]any{"status": "completed", "reason_conference_ended": reason}
	if by != "" {
		fields["call_sid_ending_conference"] = by
	}
	c.set(conference, fields)
	for _, p := range c.where("participants", map[string]any{"conference_sid": conference.text("sid")}) {
		c.store.remove(p)
		c.endCall(p.text("call_sid"))
	}
	for _, r := range c.where("recordings", map[string]any{"conference_sid": conference.text("sid")}) {
		c.stopRecording(r)
	}
}

// endCall hangs up a call if it is not over. It also updates the call's
// version, which hangUp leaves to its callers.
func (c *call) endCall(sid string) {
	if rec := c.one("calls", map[string]any{"sid": sid}); rec != nil && live(rec.text("status")) {
		c.hangUp(rec)
		c.touch(rec)
	}
}

// updateConference ends a conference. completed is the only status that a
// request may set.
func updateConference(c *call, rec *record) *apiError {
	if !c.form.Has("Status") {
		return nil
	}
	if rec.text("status") != "completed" {
		return invalid("Invalid value for parameter Status: %.100q", rec.text("status"))
	}
	c.endConference(rec, "conference-ended-via-api", "")
	return nil
}

// createParticipant calls a number and adds it to a conference, which the path
// names by its SID or its friendly name. If no conference with that friendly
// name is in progress, it starts one. The conference must be in progress to be
// found, so the same name can be used again for a new one. A SID never starts a
// conference. See
// https://www.twilio.com/docs/voice/api/conference-participant-resource.
func createParticipant(c *call, rec *record) *apiError {
	to, from, name := c.form.Get("To"), c.form.Get("From"), c.vars["conference_sid"]
	conference := c.one("conferences", map[string]any{"sid": name, "status": "in-progress"})
	if conference == nil {
		conference = c.one("conferences", map[string]any{
			"friendly_name": name, "status": "in-progress", "account_sid": c.account.text("sid"),
		})
	}
	if conference == nil && strings.HasPrefix(name, "CF") {
		return notFound(c.path)
	}
	if err := c.mayDial(from, to, refuse(http.StatusBadRequest, 13223, "Dial: Invalid phone number format: %s", to)); err != nil {
		return err
	}
	if err := c.checkCoach(rec); err != nil {
		return err
	}
	if conference == nil {
		conference = c.blank("conferences", c.account)
		conference.set("friendly_name", name)
		c.store.add(conference)
	}
	rec.owner = conference
	c.vars["conference_sid"] = conference.id // the answer's uri has it
	rec.set("call_sid", c.dial(from, to).id)
	return nil
}

// checkCoach refuses coaching without a call to coach. coaching needs the call
// that is coached, and that call must be in a conference.
func (c *call) checkCoach(rec *record) *apiError {
	if !rec.flag("coaching") {
		return nil
	}
	coached := map[string]any{"call_sid": rec.text("call_sid_to_coach")}
	if c.one("participants", coached) == nil {
		return invalid("CallSidToCoach %.40q is not in the conference", rec.text("call_sid_to_coach"))
	}
	return nil
}

// updateParticipant holds a participant or takes it off hold. _hold_url is the
// music on hold, for tests to inspect; taking the participant off hold forgets
// it.
func updateParticipant(c *call, rec *record) *apiError {
	if rec.flag("hold") {
		rec.set("_hold_url", c.form.Get("HoldUrl"))
	} else {
		rec.drop("_hold_url")
	}
	return c.checkCoach(rec)
}

// removeParticipant takes a participant out of its conference and hangs up its
// call.
func removeParticipant(c *call, rec *record) *apiError {
	c.depart(rec)
	c.endCall(rec.text("call_sid"))
	return nil
}

// currentRecording returns the call's recording in progress, which the API calls
// Twilio.CURRENT.
func currentRecording(c *call, id string) *record {
	if id != "Twilio.CURRENT" {
		return nil
	}
	for rec := range c.collection().all() {
		if s := rec.text("status"); s == "in-progress" || s == "paused" {
			return rec
		}
	}
	return nil
}

// createRecording starts to record a call. A call can be recorded only while it
// is in progress. If the call is in a conference, the recording is listed there
// too.
func createRecording(c *call, rec *record) *apiError {
	sid := c.vars["call_sid"]
	if sid == "" {
		return unmodelled("POST on %s: a recording begins on a call", c.path)
	}
	running := c.one("calls", map[string]any{"sid": sid, "status": "in-progress"})
	if running == nil {
		return refuse(http.StatusBadRequest, 21220, "Requested resource is not eligible for recording")
	}
	if p := c.one("participants", map[string]any{"call_sid": sid}); p != nil {
		rec.set("conference_sid", p.text("conference_sid"))
	}
	if c.form.Get("RecordingChannels") == "dual" {
		rec.set("channels", 2)
	}
	rec.set("start_time", c.now.Format(time.RFC1123Z))
	return nil
}

// updateRecording pauses, resumes or stops a recording. A recording can be
// paused, resumed and, for good, stopped. Its duration is known once it has
// stopped.
func updateRecording(c *call, rec *record) *apiError {
	switch was := c.before.text("status"); rec.text("status") {
	case "in-progress", "paused", "stopped":
		if was != "in-progress" && was != "paused" {
			return refuse(http.StatusBadRequest, 21220, "Requested resource is not eligible for recording")
		}
		if rec.text("status") == "stopped" {
			rec.set("duration", seconds(rec.text("start_time"), c.now))
		}
		return nil
	}
	return invalid("Invalid value for parameter Status: %.100q", rec.text("status"))
}

// inProgress refuses a call that is not in progress.
func (c *call) inProgress(call *record) *apiError {
	if call.text("status") != "in-progress" {
		return refuse(http.StatusBadRequest, 21220, "Call is not in-progress")
	}
	return nil
}

// stopRecording ends a recording if it is not over. It is completed at once,
// without processing.
func (c *call) stopRecording(rec *record) {
	if s := rec.text("status"); s == "in-progress" || s == "paused" {
		c.set(rec, map[string]any{
			"status": "completed", "duration": seconds(rec.text("start_time"), c.now),
		})
	}
}

// viewRecording shows a recording as the account's list or as a call does. Only
// the account's list has the URL of the file; below a call there is a track
// instead.
func viewRecording(c *call, rec *record, m map[string]any) {
	if c.parent == c.account {
		m["media_url"] = c.base() + strings.TrimSuffix(c.itemPath(rec), ".json")
		delete(m, "track")
	}
}

// createMessage checks a message. Missing parameters are reported before
// invalid ones. A WhatsApp address is a number with a prefix. A sender that is
// neither a number nor a service, such as an alphanumeric one, is accepted
// unchecked.
func createMessage(c *call, rec *record) *apiError {
	to, from := rec.text("to"), rec.text("from")
	number := strings.TrimPrefix(to, "whatsapp:")
	switch {
	case to == "":
		return refuse(http.StatusBadRequest, 21604, "A 'To' phone number is required.")
	case from == "" && rec.text("messaging_service_sid") == "":
		return refuse(http.StatusBadRequest, 21603, "A 'From' phone number is required.")
	case rec.text("body") == "" && c.form.Get("MediaUrl") == "" && c.form.Get("ContentSid") == "":
		return refuse(http.StatusBadRequest, 21602, "Message body is required.")
	case !e164().MatchString(number):
		return refuse(http.StatusBadRequest, 21211, "Invalid 'To' Phone Number: %s", to)
	case from != "" && e164().MatchString(from) && !c.mayCallFrom(from):
		return refuse(http.StatusBadRequest, 21606, "The 'From' phone number provided (%s) is not a valid message-capable Twilio phone number for this destination.", from)
	case utf8.RuneCountInString(rec.text("body")) > maxMessage:
		return refuse(http.StatusBadRequest, 21617, "The concatenated message body exceeds the %d character limit.", maxMessage)
	case len(c.form["MediaUrl"]) > maxMedia:
		return refuse(http.StatusBadRequest, 21623, "Number of media files exceeds allowed limit.")
	case from == "" && !c.hasSender(rec.text("messaging_service_sid")):
		return refuse(http.StatusBadRequest, 21703, "The Messaging Service does not have a phone number available to send a message")
	}
	if err := c.checkSchedule(rec); err != nil {
		return err
	}
	switch {
	case c.form.Get("ScheduleType") != "":
		rec.set("status", "scheduled")
	case from == "": // the service chooses the sender later
		rec.set("status", "accepted")
	}
	if n := len(c.form["MediaUrl"]); n > 0 {
		rec.set("num_media", strconv.Itoa(n))
		rec.id = c.store.newSID("MM", c.collection())
	}
	rec.set("num_segments", strconv.Itoa(segmentsOf(rec.text("body"))))
	return nil
}

// The limits of a message; see https://www.twilio.com/docs/api/errors/21617 and
// https://www.twilio.com/docs/api/errors/21623.
const (
	maxMessage = 1600
	maxMedia   = 10
)

// checkSchedule checks when a message is to be sent: from five minutes to 35
// days from now, by a messaging service. See
// https://www.twilio.com/docs/messaging/features/message-scheduling. The fake
// never sends it.
func (c *call) checkSchedule(rec *record) *apiError {
	kind, at := c.form.Get("ScheduleType"), c.form.Get("SendAt")
	if kind == "" {
		return nil
	}
	if !strings.EqualFold(kind, "fixed") {
		return invalid("Invalid value for parameter ScheduleType: %.40q", kind)
	}
	if rec.text("messaging_service_sid") == "" {
		return refuse(http.StatusBadRequest, 35118, "MessagingServiceSid is required to schedule a message")
	}
	if at == "" {
		return refuse(http.StatusBadRequest, 35111, "SendAt timestamp is missing")
	}
	t, err := parseTime(at)
	if wait := t.Sub(c.now); err != nil || wait < 5*time.Minute || wait > 35*24*time.Hour {
		return refuse(http.StatusBadRequest, 35114, "SendAt must be from 300 seconds to 35 days in the future, not %.40q", at)
	}
	return nil
}

// segmentsOf returns how many segments a text takes: of 160 characters of GSM-7
// or 70 of UCS-2, a few less if there are more segments than one. See
// https://www.twilio.com/docs/glossary/what-is-gsm-7-character-encoding and
// https://www.twilio.com/docs/glossary/what-is-ucs-2-character-encoding.
func segmentsOf(body string) int {
	const (
		basic = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
		extra = "\f^{}\\[~]|€" // each takes an escape character, too
	)
	n, one, many := 0, 160, 153
	for _, r := range body {
		switch {
		case strings.ContainsRune(basic, r):
			n++
		case strings.ContainsRune(extra, r):
			n += 2
		default:
			one, many = 70, 67
		}
	}
	if one == 70 {
		n = len(utf16.Encode([]rune(body)))
	}
	if n <= one {
		return 1
	}
	return (n + many - 1) / many
}

// updateMessage checks a change of a message. A message can only be canceled,
// or emptied of its body.
func updateMessage(c *call, rec *record) *apiError {
	if c.form.Has("Status") && rec.text("status") != "canceled" {
		return invalid("Invalid value for parameter Status: %.100q", rec.text("status"))
	}
	if c.form.Has("Body") && rec.text("body") != "" {
		return invalid("Body can only be redacted, with an empty value")
	}
	return nil
}

// createAccount makes a sub-account. It needs an account's auth token; a key is
// not enough.
func createAccount(c *call, rec *record) *apiError {
	if c.apiKey {
		return refuse(http.StatusUnauthorized, 20003, "Authenticate")
	}
	rec.set("owner_account_sid", c.account.text("sid"))
	rec.set("auth_token", c.store.hex32(""))
	return nil
}

// viewAccount leaves out the field account_sid. An account's own SID is its
// sid.
func viewAccount(_ *call, _ *record, m map[string]any) { delete(m, "account_sid") }

// createKey makes the secret of an API key. A test can read the secret in the
// state, as _secret.
func createKey(c *call, rec *record) *apiError {
	rec.set("_secret", c.store.hex32(""))
	return nil
}

// viewKey shows the secret only in the answer to the create, as Twilio does.
func viewKey(c *call, rec *record, m map[string]any) {
	delete(m, "account_sid")
	delete(m, "subresource_uris")
	if c.method == http.MethodPost && !c.item {
		m["secret"] = rec.text("_secret")
	}
}

// seconds returns the time since a date of the API of 2010, as a string. A date
// that does not parse counts as zero seconds ago.
func seconds(since string, now time.Time) string {
	t, err := time.Parse(time.RFC1123Z, since)
	if err != nil {
		return "0"
	}
	return strconv.Itoa(int(now.Sub(t) / time.Second))
}
