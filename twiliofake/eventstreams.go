package twiliofake

import (
	"net/http"
	"strconv"

	"github.com/flexfn/flexfn/internal/twilioevent"
)

// eventStreamRows are the sinks and subscriptions of events.twilio.com, and the
// types of events that there are. The fake never delivers events to them. Apps
// test their handlers with package flexfntest or with flexfn trigger, which
// make the events that Twilio would send; /v1/Types lists the same types.
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
			fields: []field{{"schema_version", integer, nil, never}},
			create: func(_ *call, rec *record) *apiError { latestSchema(rec); return nil },
		},
		{
			name: "event_types", host: "events", table: true, can: readOnly,
			paths: []string{"/v1/Types/{type}"},
			fields: []field{
				{"schema_id", text, nil, never},
				{"status", text, "available", never},
			},
			scope: eventTypes,
			view: func(c *call, rec *record, m map[string]any) {
				m["links"] = map[string]any{"schema": c.base() + "/v1/Schemas/" + rec.text("schema_id")}
			},
		},
		{
			name: "event_schemas", host: "events", table: true, can: fetch,
			paths:  []string{"/v1/Schemas/{id}"},
			fields: []field{{"latest_version", integer, 1, never}},
			scope:  eventSchemas,
		},
		{
			name: "event_schema_versions", host: "events", table: true, can: readOnly,
			paths:  []string{"/v1/Schemas/{schema_id}/Versions/{schema_version}"},
			fields: []field{{"id", text, nil, never}, {"raw", text, nil, never}},
			scope:  schemaVersions,
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
// type becomes an item below it, with the latest version of its schema unless
// the type says otherwise. A type that the fake does not know is accepted, since
// Twilio has more.
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
		latestSchema(event)
		c.add(event)
	}
	return nil
}

// latestSchema gives a subscribed event without a version the latest one, or
// the first if the fake does not know the type.
func latestSchema(event *record) {
	if event.get("schema_version") == nil {
		event.set("schema_version", max(twilioevent.SchemaOf(event.id).Latest, 1))
	}
}

// computed returns a collection that is not part of the state, but made for each
// request.
func (c *call) computed(kind string, owner *record, ids []string, fields func(id string) map[string]any) *collection {
	in := &collection{}
	k := c.rows.byName[kind]
	for i, id := range ids {
		rec := c.store.record(k, owner, id)
		rec.setAll(fields(id))
		rec.seq = i + 1
		in.put(rec)
	}
	return in
}

func eventTypes(c *call) *collection {
	return c.computed("event_types", c.account, twilioevent.StreamTypes(), func(t string) map[string]any {
		return map[string]any{"schema_id": twilioevent.SchemaOf(t).ID}
	})
}

// eventSchemas returns the schemas of all types.
func eventSchemas(c *call) *collection {
	latest := map[string]any{}
	var ids []string
	for _, t := range twilioevent.StreamTypes() {
		if s := twilioevent.SchemaOf(t); latest[s.ID] == nil {
			ids, latest[s.ID] = append(ids, s.ID), s.Latest
		}
	}
	return c.computed("event_schemas", c.account, ids, func(id string) map[string]any {
		return map[string]any{"latest_version": latest[id]}
	})
}

func schemaVersions(c *call) *collection {
	if c.parent == nil || c.parent.kind.name != "event_schemas" {
		return nil
	}
	var numbers []string
	for n := range c.parent.number("latest_version") {
		numbers = append(numbers, strconv.Itoa(n+1))
	}
	schema := twilioevent.Schema{ID: c.parent.id}
	return c.computed("event_schema_versions", c.parent, numbers, func(number string) map[string]any {
		n, _ := strconv.Atoi(number)
		return map[string]any{"id": schema.ID, "raw": schema.URL(n)}
	})
}
