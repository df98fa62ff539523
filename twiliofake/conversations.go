package twiliofake

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// conversationRows are the resources of conversations.twilio.com. Most have two
// paths: below /v1/Services/{chat_service_sid}, and without it for the account's
// default service. See https://www.twilio.com/docs/conversations/api.
//
// Modelled: who may take part where (services, identities, addresses, kinds of
// roles), states and timers, the user that a participant implies, the SMS and
// the receipt for each participant outside of the chat, and the documented
// limits. Not modelled: permissions are stored, not enforced, and nothing is
// sent, so webhooks are never called and receipts stay "sent".
//
// The rows are in one file each for services, settings, users, participants,
// messages and media. All use the table of operations, so parameters and fields
// follow twilio-go. The default service's items are also at the short paths;
// see inDefaultService.
func conversationRows() []resource {
	return slices.Concat(conversationServiceRows(), conversationSettingRows(), conversationUserRows(), conversationParticipantRows(), conversationMessageRows(), mediaRows(), []resource{
		{
			// timers has the dates that answers show, at which a conversation
			// changes state. _timers has the durations, from which activity
			// restarts them.
			name: "conversations", host: "conversations", prefix: "CH", table: true, alias: []string{"unique_name"},
			paths: []string{"/v1/Conversations/{sid}", "/v1/Services/{chat_service_sid}/Conversations/{sid}"},
			can:   all,
			fields: []field{
				{"chat_service_sid", text, nil, never},
				{"attributes", document, "{}", never},
				{"bindings", value, map[string]any{}, never},
				{"friendly_name", text, nil, never},
				{"messaging_service_sid", text, nil, never},
				{"state", text, "active", never},
				{"timers", value, map[string]any{}, never},
				{"unique_name", text, nil, never},
			},
			filters: []string{"state"},
			narrow: map[string]func(*call, []string) (func(*record) bool, *apiError){
				"StartDate": createdSince, "EndDate": createdUntil,
			},
			unique: []unique{{field: "unique_name", code: 50353, in: "chat_service_sid"}},
			scope:  inDefaultService("Conversations"),
			load:   loadIntoService,
			due:    conversationDue,
			lapse:  lapseConversation,
			create: createConversation,
			update: updateConversation,
			remove: removeConversation,
		},
		{
			// They are stored and never called; see
			// https://www.twilio.com/docs/conversations/api/conversation-scoped-webhook-resource.
			name: "conversation_webhooks", host: "conversations", prefix: "WH", table: true, list: "webhooks",
			paths: []string{
				"/v1/Conversations/{conversation_sid}/Webhooks/{sid}",
				"/v1/Services/{chat_service_sid}/Conversations/{conversation_sid}/Webhooks/{sid}",
			},
			can: all,
			fields: []field{
				{"configuration", value, map[string]any{}, never},
				{"target", text, nil, never},
			},
			create: createConversationWebhook,
			update: checkConversationWebhook,
			view:   viewInService,
		},
	})
}

// servicesPath is the path of an account's conversation services.
const servicesPath = "conversations/v1/Services"

// service returns the conversation service that the path names, or the default
// one: the one that the configuration names, or else the account's first. It is
// nil if there is none. Hooks of a path without a service use it, so that both
// forms of a path behave the same.
func (c *call) service() *record {
	if sid, ok := c.vars["chat_service_sid"]; ok {
		return c.account.child(servicesPath).find(sid, nil)
	}
	return defaultService(c.account)
}

// defaultService returns the account's default service, or nil; see service. It
// does not make one; see needService.
func defaultService(account *record) *record {
	services := account.child(servicesPath)
	if conf := account.child("conversations/v1/Configuration").find("", nil); conf != nil {
		if s := services.find(conf.text("default_chat_service_sid"), nil); s != nil {
			return s
		}
	}
	for s := range services.all() {
		return s
	}
	return nil
}

// needService returns the path's service. An account without services gets a
// default one, which takes in items without a service. It is made when it is
// first needed, so a state without conversations does not have one.
func (c *call) needService() *record {
	s := c.service()
	if s != nil {
		return s
	}
	s = c.make("conversation_services", map[string]any{"friendly_name": "Default Conversations Service"})
	c.add(s)
	for _, kind := range []string{"conversations", "conversation_users", "conversation_roles"} {
		for rec := range c.account.child(c.rows.byName[kind].home()).all() {
			if rec.text("chat_service_sid") == "" {
				c.set(rec, map[string]any{"chat_service_sid": s.id})
			}
		}
	}
	return s
}

// inDefaultService makes a path without a service show what is below the
// default one. It is a scope hook; see resource.scope. A path with a service
// shows that service's collection.
func inDefaultService(path string) func(*call) *collection {
	return func(c *call) *collection {
		if _, ok := c.vars["chat_service_sid"]; ok {
			return nil
		}
		if s := defaultService(c.account); s != nil {
			return s.makeChild(path)
		}
		return nil
	}
}

// loadIntoService puts an item of a state document that names no service into
// the default one. So a state document need not repeat the service in every
// item.
func loadIntoService(_ *store, account, rec *record) {
	if rec.text("chat_service_sid") == "" {
		if s := defaultService(account); s != nil {
			rec.set("chat_service_sid", s.id)
		}
	}
}

// viewInService adds the service to an item below a conversation, if the answer
// has a field for it. Such items do not store it, since they follow their
// conversation.
func viewInService(_ *call, rec *record, m map[string]any) {
	if _, ok := m["chat_service_sid"]; ok {
		for o := rec.owner; o != nil; o = o.owner {
			if o.kind != nil && o.kind.name == "conversations" {
				m["chat_service_sid"] = o.get("chat_service_sid")
			}
		}
	}
}

// Limits of the API; see
// https://www.twilio.com/docs/conversations/conversations-limits. Lengths are
// checked in bytes.
const (
	maxConversationName       = 256
	maxConversationAttributes = 16 << 10
	maxAttributes             = 4 << 10 // of a participant, a message or a user
	maxIdentity               = 256
	maxParticipants           = 1000
	maxNonChat                = 50
	maxParticipantsAtOnce     = 10
	maxWebhooks               = 5
)

// checkText refuses a field that is too long, and attributes that are not JSON.
// Empty attributes become "{}", which Twilio returns if they are not set,
// according to twilio-go.
func checkText(rec *record, attributes int, fields ...string) *apiError {
	for _, f := range fields {
		if len(rec.text(f)) > maxConversationName {
			return invalid("%s must have at most %d characters", pascal(f), maxConversationName)
		}
	}
	s := rec.text("attributes")
	if s == "" {
		rec.set("attributes", "{}")
		return nil
	}
	if !json.Valid([]byte(s)) {
		return invalid("Invalid value for parameter Attributes: %.100q is not JSON", s)
	}
	if len(s) > attributes {
		return invalid("Attributes must have at most %d bytes", attributes)
	}
	return nil
}

// open refuses changes to a closed conversation with code 50377. Nothing opens
// it again (https://www.twilio.com/docs/conversations/states-timers).
func open(conversation *record) *apiError {
	if conversation.text("state") == "closed" {
		return refuse(http.StatusBadRequest, 50377, "Conversation %s is in the final state closed", conversation.id)
	}
	return nil
}

// createConversation puts a conversation in its service and fills in the
// account's defaults. Timers that the request names win over the account's
// default ones.
func createConversation(c *call, rec *record) *apiError {
	rec.set("chat_service_sid", c.needService().id)
	conf := c.account.child("conversations/v1/Configuration").find("", nil)
	if conf != nil {
		if rec.text("messaging_service_sid") == "" {
			rec.set("messaging_service_sid", conf.get("default_messaging_service_sid"))
		}
		timers, _ := rec.get("timers").(map[string]any)
		defaults := map[string]any{"inactive": conf.text("default_inactive_timer"), "closed": conf.text("default_closed_timer")}
		for name, v := range timers {
			defaults[name] = v
		}
		rec.set("timers", defaults)
	}
	return saveConversation(c, rec)
}

// updateConversation refuses any change of a closed conversation. It looks at
// the conversation as it was before the update, so a request can close it.
func updateConversation(c *call, rec *record) *apiError {
	if err := open(c.before); err != nil {
		return err
	}
	return saveConversation(c, rec)
}

// newConversation opens a conversation for another product. It runs no checks,
// since the caller chose the fields.
func (c *call) newConversation(fields map[string]any) *record {
	rec := c.make("conversations", fields)
	rec.set("chat_service_sid", c.needService().id)
	c.add(rec)
	return rec
}

// removeConversation deletes the media of all messages with a conversation.
// Media is kept below the service, so it would stay.
func removeConversation(c *call, rec *record) *apiError {
	for message := range rec.child("Messages").all() {
		c.detach(message)
	}
	return nil
}

// saveConversation checks the texts and the state, and sets the timers. A
// request may set any of the three states.
func saveConversation(c *call, rec *record) *apiError {
	if err := checkText(rec, maxConversationAttributes, "friendly_name", "unique_name"); err != nil {
		return err
	}
	switch s := rec.text("state"); s {
	case "active", "inactive", "closed":
	default:
		return invalid("Invalid value for parameter State: %.100q", s)
	}
	return c.setTimers(rec)
}

// timerParameters are the timers of a conversation with their shortest times.
// twilio-go's comments on the parameters give them: a minute and ten minutes.
var timerParameters = map[string]time.Duration{"inactive": time.Minute, "closed": 10 * time.Minute}

// setTimers reads the timers that a request sets and restarts them. _timers
// holds their durations, timers the dates that answers show. An empty value
// removes a timer. They also restart when the state changes, since a
// conversation that becomes active again starts afresh.
func (c *call) setTimers(rec *record) *apiError {
	timers, _ := rec.get("timers").(map[string]any)
	durations := map[string]any{}
	if was, ok := rec.get("_timers").(map[string]any); ok {
		for name, v := range was {
			durations[name] = v
		}
	}
	for name, least := range timerParameters {
		v, given := timers[name]
		if !given {
			continue
		}
		if v == "" {
			delete(durations, name)
			continue
		}
		if err := checkTimer(textOf(v), pascal("timers")+"."+pascal(name), least); err != nil {
			return err
		}
		durations[name] = v
	}
	_, inactive := timers["inactive"]
	_, closed := timers["closed"]
	if c.before == nil || inactive || closed || rec.text("state") != c.before.text("state") {
		rec.set("_timers", durations)
		restartTimers(rec, c.now)
	}
	return nil
}

// checkTimer refuses a timer that is not an ISO 8601 duration, or is too short.
// param is the name to blame.
func checkTimer(s, param string, least time.Duration) *apiError {
	if d, ok := parseISODuration(s); !ok || d < least {
		return invalid("%s must be an ISO 8601 duration of at least %s, not %.40q", param, least, s)
	}
	return nil
}

// restartTimers computes when a conversation becomes inactive, counted from the
// last activity, and when it closes, counted from then. A new message restarts
// them too; see createConversationMessage. Dates have no fraction.
func restartTimers(rec *record, now time.Time) {
	durations, _ := rec.get("_timers").(map[string]any)
	dates := map[string]any{}
	if d, ok := parseISODuration(textOf(durations["inactive"])); ok && rec.text("state") == "active" {
		now = now.Add(d)
		dates["date_inactive"] = now.Format(time.RFC3339)
	}
	if d, ok := parseISODuration(textOf(durations["closed"])); ok && rec.text("state") != "closed" {
		dates["date_closed"] = now.Add(d).Format(time.RFC3339)
	}
	rec.set("timers", dates)
}

// conversationDue returns when the next timer of a conversation ends. The
// engine calls it after each change; see resource.due.
func conversationDue(rec *record) string {
	timers, _ := rec.get("timers").(map[string]any)
	if s := textOf(timers["date_inactive"]); s != "" && rec.text("state") == "active" {
		return s
	}
	if rec.text("state") == "closed" {
		return ""
	}
	return textOf(timers["date_closed"])
}

// lapseConversation makes a conversation inactive or, later, closes it. The
// closing date was counted from the date of becoming inactive, so it stays. The
// change is dated when it was due, even if the request that triggers it comes
// later.
func lapseConversation(next *record, at string) {
	timers, _ := next.get("timers").(map[string]any)
	if next.text("state") == "active" && timers["date_inactive"] == at {
		next.set("state", "inactive")
		dates := map[string]any{}
		if closed, ok := timers["date_closed"]; ok {
			dates["date_closed"] = closed
		}
		next.set("timers", dates)
	} else {
		next.set("state", "closed")
		next.set("timers", map[string]any{})
	}
	next.set("date_updated", at)
}

// parseISODuration parses an ISO 8601 duration without years and months, such
// as PT15M or P1DT12H. Years and months have no fixed length, so they are
// refused. Numbers may have a fraction.
func parseISODuration(s string) (time.Duration, bool) {
	rest, ok := strings.CutPrefix(s, "P")
	date, clock, timed := strings.Cut(rest, "T")
	if !ok || rest == "" || timed && clock == "" {
		return 0, false
	}
	var total time.Duration
	for _, part := range []struct {
		text, units string
		size        []time.Duration
	}{
		{date, "WD", []time.Duration{7 * 24 * time.Hour, 24 * time.Hour}},
		{clock, "HMS", []time.Duration{time.Hour, time.Minute, time.Second}},
	} {
		for i := range part.units {
			number, more, found := strings.Cut(part.text, part.units[i:i+1])
			if !found {
				continue
			}
			n, err := strconv.ParseFloat(number, 64)
			if err != nil || n < 0 || n > 1e6 {
				return 0, false
			}
			total += time.Duration(n * float64(part.size[i]))
			part.text = more
		}
		if part.text != "" {
			return 0, false
		}
	}
	return total, true
}

// createdSince keeps what was created at StartDate or later. Dates of records
// are in UTC and of one length, so comparing them as text is comparing times.
func createdSince(_ *call, values []string) (func(*record) bool, *apiError) {
	at, err := parseTime(values[0])
	if err != nil {
		return nil, invalid("Invalid value for parameter StartDate: %.100q", values[0])
	}
	from := at.Format(time.RFC3339)
	return func(rec *record) bool { return rec.text("date_created") >= from }, nil
}

// createdUntil keeps what was created before the end of EndDate. A date alone
// includes its whole day, as twilio-go's comment on EndDate asks.
func createdUntil(_ *call, values []string) (func(*record) bool, *apiError) {
	at, err := parseTime(values[0])
	if err != nil {
		return nil, invalid("Invalid value for parameter EndDate: %.100q", values[0])
	}
	if len(values[0]) == len(time.DateOnly) {
		at = at.AddDate(0, 0, 1)
	}
	until := at.Format(time.RFC3339)
	return func(rec *record) bool { return rec.text("date_created") < until }, nil
}

// countIn returns the number of items of a kind below a parent.
func (c *call) countIn(kind, parent, sid string) int {
	return len(c.where(kind, map[string]any{parent: sid}))
}

// nextIndex returns one more than the highest index among a parent's messages.
// It is 0 for the first message.
func (c *call) nextIndex(kind, parent, sid string) int {
	next := 0
	for _, m := range c.where(kind, map[string]any{parent: sid}) {
		if n, ok := m.get("index").(int); ok {
			next = max(next, n+1)
		}
	}
	return next
}

// webhookNeeds maps a webhook's target to the setting that it requires. The
// keys are in lower case.
var webhookNeeds = map[string]string{"webhook": "Url", "studio": "FlowSid", "trigger": "Url"}

// createConversationWebhook checks the number of webhooks and the settings that
// the target needs. A sixth webhook is refused with 50388, which the Flex
// project template handles, and one without a URL with 50369.
func createConversationWebhook(c *call, rec *record) *apiError {
	if c.parent.child("Webhooks").len() >= maxWebhooks {
		return refuse(http.StatusBadRequest, 50388, "Conversation webhooks limit exceeded")
	}
	if param := "Configuration." + webhookNeeds[strings.ToLower(rec.text("target"))]; c.form.Get(param) == "" {
		err := invalid("Missing required parameter %s in the post body", param)
		if param == "Configuration.Url" {
			err.code = 50369
		}
		return err
	}
	return checkConversationWebhook(c, rec)
}

// checkConversationWebhook checks the settings that an update can change. An
// unknown event in the filters is 50365. Events before a change are only for
// the account's and a service's webhooks.
func checkConversationWebhook(c *call, rec *record) *apiError {
	for _, f := range c.form["Configuration.Filters"] {
		if !slices.Contains(postEvents, f) {
			return refuse(http.StatusBadRequest, 50365, "Invalid conversation webhook filter %.40q", f)
		}
	}
	configuration, _ := rec.get("configuration").(map[string]any)
	return checkURL("Configuration.Url", textOf(configuration["url"]))
}

// checkURL refuses a webhook's URL that Twilio could not call. An empty URL
// means none, and is allowed.
func checkURL(param, s string) *apiError {
	if s != "" && !strings.HasPrefix(s, "http://") && !strings.HasPrefix(s, "https://") {
		return invalid("Invalid value for parameter %s: %.100q is not a URL", param, s)
	}
	return nil
}
