package functions

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/internal/conflict"
	"github.com/flexfn/flexfn/internal/sid"
	"github.com/flexfn/flexfn/twilioapi"
)

// feature is a feature of the plugin: the functions below /features/NAME/ and
// the settings that they need.
type feature struct {
	name   string
	needs  []need
	routes func(*Config) []flexfn.Route
	// voice are the routes that answer telephone calls. They are served even
	// while settings are missing, and always answer with TwiML.
	voice func(*Config) []flexfn.Route
	// limited says what does not work while the feature is on, "" if all does;
	// nil if nothing can be limited.
	limited func(*Config) string
}

// need is a setting that a feature needs, from the app's configuration or this
// package's. name is its environment variable; of returns its value, "" if it
// is not set.
type need struct {
	name string
	of   func(flexfn.Config, *Config) string
}

var (
	needWorkspace = need{"TWILIO_FLEX_WORKSPACE_SID", func(app flexfn.Config, _ *Config) string { return app.WorkspaceSID }}
	needPublicURL = need{"PUBLIC_URL", func(app flexfn.Config, _ *Config) string { return app.PublicURL }}
	needAPIKey    = need{"TWILIO_API_KEY and TWILIO_API_SECRET", func(app flexfn.Config, _ *Config) string { return app.APIKeySecret }}
	needCallback  = need{"TWILIO_FLEX_CALLBACK_WORKFLOW_SID", func(_ flexfn.Config, c *Config) string { return c.CallbackWorkflowSID }}
	needTransfer  = need{"TWILIO_FLEX_CHAT_TRANSFER_WORKFLOW_SID", func(_ flexfn.Config, c *Config) string { return c.ChatTransferWorkflowSID }}
	needInternal  = need{"TWILIO_FLEX_INTERNAL_CALL_WORKFLOW_SID", func(_ flexfn.Config, c *Config) string { return c.InternalCallWorkflowSID }}
	needChat      = need{"TWILIO_FLEX_CHAT_SERVICE_SID", func(_ flexfn.Config, c *Config) string { return c.ChatServiceSID }}
	needSchedules = need{"FLEXFN_SCHEDULES_FILE", func(_ flexfn.Config, c *Config) string { return c.SchedulesFile }}
)

// features lists the template's features that have functions, by name. needs
// lists the settings that all of a feature's functions need; a setting that
// only one of them needs is checked in that function.
func features() []feature {
	return []feature{
		{name: "admin-ui", routes: adminUI},
		{name: "callback-and-voicemail", needs: []need{needWorkspace, needCallback, needPublicURL}, routes: callbacks, voice: waitExperience},
		{name: "canned-responses", routes: cannedResponses},
		{name: "chat-to-video-escalation", needs: []need{needWorkspace, needAPIKey}, routes: chatToVideo, limited: (*Config).withoutVideoPage},
		{name: "chat-transfer", needs: []need{needWorkspace, needTransfer, needChat}, routes: chatTransfer},
		{name: "conversation-transfer", needs: []need{needWorkspace, needTransfer}, routes: conversationTransfer},
		{name: "dual-channel-recording", routes: dualChannelRecording},
		{name: "hang-up-by", routes: hangUpBy},
		{name: "internal-call", needs: []need{needWorkspace, needInternal}, routes: internalCall, voice: internalCallVoice},
		{name: "park-interaction", needs: []need{needWorkspace, needPublicURL}, routes: parkInteraction, limited: (*Config).withoutList},
		{name: "pause-recording", routes: pauseRecording},
		{name: "schedule-manager", needs: []need{needSchedules}, routes: scheduleManager},
		{name: "supervisor-barge-coach", routes: supervisorBargeCoach},
		{name: "supervisor-complete-reservation", needs: []need{needWorkspace}, routes: supervisorCompleteReservation},
	}
}

// missing lists the settings that the feature lacks. It does not ask Twilio, so
// the SID of something that does not exist passes.
func (f feature) missing(app flexfn.Config, c *Config) (names []string) {
	for _, n := range f.needs {
		if n.of(app, c) == "" {
			names = append(names, n.name)
		}
	}
	return names
}

// limit returns what does not work while the feature is on, "" if all does.
func (f feature) limit(c *Config) string {
	if f.limited == nil {
		return ""
	}
	return f.limited(c)
}

// disabled lists the paths of the feature's functions that c disables.
func (f feature) disabled(c *Config) (paths []string) {
	if len(c.Disabled) == 0 {
		return nil
	}
	for _, r := range f.all(c) {
		if slices.Contains(c.Disabled, r.Path) {
			paths = append(paths, r.Path)
		}
	}
	return paths
}

// all lists the feature's functions.
func (f feature) all(c *Config) []flexfn.Route {
	list := f.routes(c)
	if f.voice != nil {
		list = append(list, f.voice(c)...)
	}
	return list
}

// off returns the functions to serve while settings are missing. They check
// their callers as usual, so strangers do not learn what is missing. The paths
// are registered all the same, so that the plugin learns what is wrong from a
// 501 instead of a 404, which could be a typo.
func (f feature) off(c *Config, missing []string) []flexfn.Route {
	answer := func(context.Context, struct{}) (done, error) {
		return done{}, flexfn.Errorf(http.StatusNotImplemented, "The feature %s is off: the server lacks %s", f.name, strings.Join(missing, ", "))
	}
	list := f.routes(c)
	for i, r := range list {
		doc := flexfn.Doc("Answers 501: the feature " + f.name + " is off.")
		switch {
		case r.Function.Describe().Open:
			list[i].Function = flexfn.PrepareStudioFunction(answer, flexfn.OpenToAnyone(), doc)
		case r.Function.Describe().Studio:
			list[i].Function = flexfn.PrepareStudioFunction(answer, doc)
		default:
			list[i].Function = flexfn.PrepareFlexFunction(answer, doc)
		}
	}
	if f.voice != nil {
		list = append(list, f.voice(c)...)
	}
	return list
}

// optional is a parameter that may be missing. The plugin builds its forms from
// JavaScript values, so it may send the words undefined or null for a missing
// one.
type optional string

// UnmarshalText implements [encoding.TextUnmarshaler].
func (o *optional) UnmarshalText(text []byte) error {
	*o = optional(text)
	if *o == "undefined" || *o == "null" {
		*o = ""
	}
	return nil
}

// or returns o, or standIn if it is missing.
func (o optional) or(standIn string) string { return cmp.Or(string(o), standIn) }

// given is a required parameter that may not be one of the words undefined and
// null, which the plugin sends for a value that it does not have. They are
// refused with 400.
type given string

// UnmarshalText implements [encoding.TextUnmarshaler].
func (g *given) UnmarshalText(text []byte) error {
	*g = given(text)
	if *g == "undefined" || *g == "null" {
		return fmt.Errorf("%s is what JavaScript writes for a missing value", text)
	}
	return nil
}

// optionalInt is a whole number that may be missing, as an optional may. A
// value that is not a whole number is refused with 400. Twilio checks the
// range.
type optionalInt struct{ n *int }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (o *optionalInt) UnmarshalText(text []byte) error {
	var written optional
	if _ = written.UnmarshalText(text); written == "" { // never fails
		*o = optionalInt{}
		return nil
	}
	n, err := strconv.Atoi(string(written))
	if err != nil {
		return errors.New("write a whole number")
	}
	o.n = &n
	return nil
}

// or returns the number, or standIn if it is missing.
func (o optionalInt) or(standIn int) *int {
	if o.n == nil {
		return &standIn
	}
	return o.n
}

// optionalBool is true or false. It may be missing, as an optional may, which
// means false. Any other word is refused with 400, since a typo must not count
// as false.
type optionalBool bool

// UnmarshalText implements [encoding.TextUnmarshaler].
func (o *optionalBool) UnmarshalText(text []byte) error {
	var written optional
	_ = written.UnmarshalText(text) // never fails
	if written != "true" && written != "false" && written != "" {
		return errors.New("write true or false")
	}
	*o = written == "true"
	return nil
}

// checkSIDs refuses values that are neither empty nor SIDs. Each value follows
// its parameter's name and the prefix of its SIDs. It stops at the first fault.
// The error does not repeat the value, which may come from anyone.
func checkSIDs(parameters ...string) error {
	for ; len(parameters) >= 3; parameters = parameters[3:] {
		if name, prefix, value := parameters[0], parameters[1], parameters[2]; value != "" && !sid.Valid(value, prefix) {
			return flexfn.Errorf(http.StatusBadRequest, "%s is not a SID: expected %s", name, sid.Words(prefix))
		}
	}
	return nil
}

// object encodes a value whose encoding cannot fail.
func object(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // a mistake in the program: v is made of texts and raw JSON that was decoded
	}
	return b
}

// attributesOf decodes a resource's attributes, and returns nil for anything
// but an object. Attributes that someone broke in Twilio's console must not
// stop a function that can do without them; one that cannot checks for nil.
func attributesOf(text *string) map[string]json.RawMessage {
	if text == nil {
		return nil
	}
	var attributes map[string]json.RawMessage
	if json.Unmarshal([]byte(*text), &attributes) != nil {
		return nil
	}
	return attributes
}

// textOf decodes a JSON string; anything else is "".
func textOf(raw json.RawMessage) (s string) {
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// value returns *s, or "" if s is nil. twilio-go uses nil for a field that
// Twilio left out.
func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// rewriteAttributes changes attributes that Twilio does not version. Changes
// take turns among all instances that share a Store, and each reads the
// attributes right before it writes them. A repeated attempt begins with
// reading, so change may run more than once. key is the resource's SID. A change
// that anyone else makes in between is lost.
func rewriteAttributes(ctx context.Context, key string, change func(json.RawMessage) (json.RawMessage, error),
	read func(*twilioapi.Client) (*string, error), write func(client *twilioapi.Client, attributes string) error,
) error {
	done, err := conflict.TakeShared(ctx, key)
	if err != nil {
		return &flexfn.Error{Status: http.StatusServiceUnavailable, Message: "other changes took too long", Err: err}
	}
	defer done()
	return twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) (struct{}, error) {
		old, err := read(client)
		if err != nil {
			return struct{}{}, err
		}
		if value(old) == "" {
			old = new("{}")
		}
		changed, err := change(json.RawMessage(*old))
		if err != nil {
			return struct{}{}, err
		}
		return struct{}{}, write(client, string(changed))
	}).Err()
}
