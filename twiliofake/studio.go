package twiliofake

import (
	"net/http"
	"slices"
	"strconv"
)

// studioRows are Studio's flows and their executions. The fake runs no widgets:
// an execution stays active until a request ends it. Versions 1 and 2 of the
// API show the same flows. See
// https://www.twilio.com/docs/studio/rest-api/flow. A definition is stored
// unchecked, so every flow is valid.
func studioRows() []resource {
	const flow = "/v2/Flows/{flow_sid}"
	return []resource{
		{
			name: "studio_flows", host: "studio", prefix: "FW", table: true, can: all,
			paths: []string{"/v2/Flows/{sid}"},
			fields: []field{
				{"errors", value, []any{}, never},
				{"revision", integer, 0, never},
				{"valid", boolean, true, never},
				{"warnings", value, []any{}, never},
			},
			create: saveFlow,
			update: saveFlow,
		},
		{
			name: "studio_executions", host: "studio", prefix: "FN", table: true, can: all,
			paths: []string{flow + "/Executions/{sid}"},
			fields: []field{
				{"_from", text, nil, never},
				{"context", value, map[string]any{}, never},
				{"initiated_by", text, "api", never},
				{"status", text, "active", never},
			},
			filters: []string{"status"},
			create:  createExecution,
			update:  updateExecution,
		},
		{
			// A revision is a copy of the flow as it was, with the number as
			// its identity. It cannot be changed.
			name: "studio_revisions", host: "studio", table: true, can: readOnly,
			paths: []string{flow + "/Revisions/{revision}"},
			find: func(c *call, name string) *record {
				switch name { // see https://www.twilio.com/docs/api/errors/81021
				case "LatestRevision":
					return c.collection().last()
				case "LatestPublished":
					return published(c.parent)
				}
				return nil
			},
		},
	}
}

// saveFlow stores a new revision of a flow. The first revision is 1. Every
// update makes one.
func saveFlow(c *call, rec *record) *apiError {
	if c.form.Has("Definition") {
		if _, ok := rec.get("definition").(map[string]any); !ok {
			return invalid("Definition must be a JSON object")
		}
	}
	rec.set("revision", rec.number("revision")+1)
	owner := rec
	if c.before != nil {
		owner = c.before
	}
	k := c.rows.byName["studio_revisions"]
	revision := c.store.record(k, owner, strconv.Itoa(rec.number("revision")))
	for _, name := range []string{
		"friendly_name", "definition", "status", "commit_message", "author_sid", "valid", "errors", "date_created", "date_updated",
	} {
		revision.set(name, rec.get(name))
	}
	revision.set("sid", rec.id)
	c.add(revision)
	return nil
}

// published returns the latest published revision of a flow, or nil.
func published(flow *record) *record {
	var latest *record
	for revision := range flow.child("Revisions").all() {
		if revision.text("status") == "published" {
			latest = revision
		}
	}
	return latest
}

// runnable returns the revision of a flow that an execution for a contact runs:
// the latest published one or, for the flow's test users, the latest one, as
// https://www.twilio.com/docs/studio/rest-api/v2/test-user says. It is 0 if the
// flow was never published. A flow of a state document has no revisions and
// counts as published unless it is a draft.
func runnable(flow *record, contact string) int {
	if users := flow.child("TestUsers").find("", nil); users != nil {
		if list, _ := users.get("test_users").([]any); slices.Contains(list, any(contact)) {
			return flow.number("revision")
		}
	}
	if flow.text("status") != "draft" {
		return flow.number("revision")
	}
	if revision := published(flow); revision != nil {
		n, _ := strconv.Atoi(revision.id)
		return n
	}
	return 0
}

// createExecution starts a flow, unless it is a draft that was never published,
// or the pair of To and From has an active execution of it. Twilio does not
// document its answer for a draft; the fake's is 404. The context has what widgets would see: {{contact.channel.address}},
// {{flow.data.…}} and {{flow.channel.address}} are documented with the
// parameters To, Parameters and From in twilio-go.
func createExecution(c *call, rec *record) *apiError {
	to, from := c.form.Get("To"), c.form.Get("From")
	revision := runnable(c.parent, to)
	if revision == 0 && c.parent.text("status") == "draft" {
		return refuse(http.StatusNotFound, 20404, "The requested resource %s was not found: flow %s was never published, and %.40q is not one of its test users", c.path, c.parent.id, to)
	}
	for other := range c.parent.child("Executions").all() {
		if other.text("status") == "active" && other.text("contact_channel_address") == to && other.text("_from") == from {
			return refuse(http.StatusConflict, 20409, "Execution %s is already active for this contact", other.id)
		}
	}
	data, _ := rec.get("parameters").(map[string]any)
	if data == nil {
		data = map[string]any{}
	}
	rec.set("contact_channel_address", to)
	rec.set("contact_sid", c.store.hex32("FC"))
	rec.set("_from", from)
	rec.set("flow_version", revision)
	rec.set("context", map[string]any{
		"contact": map[string]any{"channel": map[string]any{"address": to}},
		"flow": map[string]any{
			"sid": rec.id, "flow_sid": c.parent.id, "data": data, "variables": map[string]any{},
			"channel": map[string]any{"address": from},
		},
		"trigger": map[string]any{"request": map[string]any{"to": to, "from": from, "parameters": data}},
		"widgets": map[string]any{},
	})
	return nil
}

// updateExecution refuses to start an ended execution again, since ended is
// final.
func updateExecution(c *call, rec *record) *apiError {
	if c.before.text("status") == "ended" && rec.text("status") != "ended" {
		return invalid("Execution %s has ended", rec.id)
	}
	return nil
}
