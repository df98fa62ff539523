package twiliofake

import "net/http"

// eventStreamRows are the sinks and subscriptions of events.twilio.com. The
// fake never delivers events to them. Apps test their handlers with package
// flexfntest or with flexfn trigger, which make the events that Twilio would
// send.
func eventStreamRows() []resource {
	return []resource{
		{
			// A sink is active from the start: it no longer needs to be
			// validated, says
			// https://www.twilio.com/docs/events/event-streams/sink-resource/validate.
			name: "event_sinks", host: "events", prefix: "DG", table: true, can: all,
			paths: []string{"/v1/Sinks/{sid}"},
			fields: []field{
				{"sink_configuration", value, map[string]any{}, never},
				{"status", text, "active", never},
			},
			filters: []string{"status"},
			narrow:  map[string]func(*call, []string) (func(*record) bool, *apiError){"InUse": sinksInUse},
			remove:  removeSink,
		},
		{
			name: "event_sink_validations", host: "events", can: update, special: validateSink,
			paths: []string{"/v1/Sinks/{sink_sid}/Validate"},
		},
		{
			name: "event_subscriptions", host: "events", prefix: "DF", table: true, can: all,
			paths:  []string{"/v1/Subscriptions/{sid}"},
			create: createSubscription,
		},
		{
			// An event is identified by its type.
			name: "subscribed_events", host: "events", table: true, can: all, list: "types",
			paths:  []string{"/v1/Subscriptions/{subscription_sid}/SubscribedEvents/{type}"},
			fields: []field{{"schema_version", integer, 1, never}},
		},
	}
}

// subscribed reports whether a subscription uses a sink.
func (c *call) subscribed(sink string) bool {
	return c.one("event_subscriptions", map[string]any{"sink_sid": sink}) != nil
}

// sinksInUse implements the parameter InUse. A sink is in use while a
// subscription names it.
func sinksInUse(c *call, values []string) (func(*record) bool, *apiError) {
	want, ok := boolean.parse(values)
	if !ok {
		return nil, invalid("Invalid value for parameter InUse: %.100q", values[0])
	}
	return func(rec *record) bool { return c.subscribed(rec.id) == want }, nil
}

func removeSink(c *call, rec *record) *apiError {
	if c.subscribed(rec.id) {
		return invalid("Sink %s is in use by a subscription", rec.id)
	}
	return nil
}

// validateSink activates a sink that a state document has with another status.
// Any test ID is accepted, and the answer is always valid.
func validateSink(c *call) (*response, *apiError) {
	if _, err := c.parameters(); err != nil {
		return nil, err
	}
	c.set(c.parent, map[string]any{"status": "active"})
	return jsonResponse(http.StatusCreated, map[string]any{"result": "valid"}), nil
}

// createSubscription adds the event types of a subscription to an active sink;
// 91100 is for any other (https://www.twilio.com/docs/api/errors/91100). Each
// type becomes an item below it, with version 1 of the schema unless the type
// says otherwise.
func createSubscription(c *call, rec *record) *apiError {
	sid := rec.text("sink_sid")
	sink := c.one("event_sinks", map[string]any{"sid": sid})
	if sink == nil {
		return invalid("SinkSid %.40s is not valid", sid)
	}
	if s := sink.text("status"); s != "active" {
		return refuse(http.StatusBadRequest, 91100, "Subscription could not be created: sink %s is %s, not active", sid, s)
	}
	types, _ := rec.get("types").([]any)
	kind := c.rows.byName["subscribed_events"]
	for _, t := range types {
		m, _ := t.(map[string]any)
		name := textOf(m["type"])
		if name == "" {
			return invalid("Types must be JSON objects with a type")
		}
		event := c.store.record(kind, rec, name)
		if n, ok := integer.fits(m["schema_version"]); ok && n != nil {
			event.set("schema_version", n)
		}
		c.add(event)
	}
	return nil
}
