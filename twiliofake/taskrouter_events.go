package twiliofake

import (
	"cmp"
	"strconv"
	"strings"
	"time"
)

// maxEvents bounds the events kept; the oldest are dropped first. Twilio keeps
// events for thirty days. The bound keeps a fake that runs for days, as flexfn
// fake may, from growing with every request.
const maxEvents = 10000

// taskRouterEvents is TaskRouter's Events resource; see
// https://www.twilio.com/docs/taskrouter/api/event. Lists show the last fifteen
// minutes unless the request says otherwise, as twilio-go's comment on Minutes
// says. An event has event_date instead of the usual dates, which are removed
// from answers.
func taskRouterEvents() resource {
	return resource{
		name: "task_router_events", host: "taskrouter", prefix: "EV", list: "events",
		paths: []string{"/v1/Workspaces/{workspace_sid}/Events/{sid}"},
		can:   readOnly,
		fields: []field{
			{"workspace_sid", text, nil, never},
			{"actor_sid", text, nil, never},
			{"actor_type", text, nil, never},
			{"actor_url", text, nil, never},
			{"description", text, nil, never},
			{"event_data", value, nil, never},
			{"event_date", instant, nil, never},
			{"event_date_ms", integer, nil, never},
			{"event_type", text, nil, never},
			{"resource_sid", text, nil, never},
			{"resource_type", text, nil, never},
			{"resource_url", text, nil, never},
			{"source", text, "twilio", never},
			{"source_ip_address", text, nil, never},
		},
		filters: []string{"event_type"},
		narrow: map[string]func(*call, []string) (func(*record) bool, *apiError){
			"": eventsInTime, "Minutes": everyItem, "StartDate": everyItem, "EndDate": everyItem,
			"Sid":            eventsAbout("sid"),
			"ReservationSid": eventsAbout("reservation_sid"),
			"TaskQueueSid":   eventsAbout("task_queue_sid"),
			"TaskSid":        eventsAbout("task_sid"),
			"WorkerSid":      eventsAbout("worker_sid"),
			"WorkflowSid":    eventsAbout("workflow_sid"),
			"TaskChannel":    eventsAbout("task_channel_sid", "task_channel_unique_name"),
		},
		view: func(_ *call, _ *record, m map[string]any) {
			delete(m, "date_created")
			delete(m, "date_updated")
			delete(m, "links")
		},
	}
}

// event records an event of an item. All of TaskRouter's events are recorded
// here. The description resembles Twilio's, but is not the same. The actor is
// always the account, since the fake does not know who sent the request.
func (c *call) event(eventType string, about *record, data map[string]any) {
	workspace, _ := data["workspace_sid"].(string)
	sid := about.text("sid")
	group, what, _ := strings.Cut(eventType, ".")
	switch { // a queue or workflow that a task enters or leaves
	case group == "task-queue" && data["task_sid"] != nil:
		sid, _ = data["task_queue_sid"].(string)
	case group == "workflow" && data["task_sid"] != nil:
		sid, _ = data["workflow_sid"].(string)
	}
	rec := c.make("task_router_events", map[string]any{
		"workspace_sid": workspace, "event_type": eventType, "event_data": data,
		"event_date": c.now.Format(time.RFC3339), "event_date_ms": int(c.now.UnixMilli()),
		"resource_sid": sid, "resource_type": group, "resource_url": c.base() + resourcePath(workspace, group, sid),
		"actor_sid": c.account.text("sid"), "actor_type": "account",
		"description": strings.ToUpper(group[:1]) + group[1:] + " " + sid + " " + what,
	})
	c.add(rec)
	if all := rec.owner.child("Events"); all.len() > maxEvents {
		for oldest := range all.all() {
			c.drop(oldest)
			break
		}
	}
}

// resourcePath returns the path of what an event is about. A workspace's own
// events have the workspace's path.
func resourcePath(workspace, group, sid string) string {
	path := "/v1/Workspaces/" + workspace
	if collection := map[string]string{
		"activity": "Activities", "reservation": "Reservations", "task": "Tasks", "task-channel": "TaskChannels",
		"task-queue": "TaskQueues", "worker": "Workers", "workflow": "Workflows",
	}[group]; collection != "" {
		path += "/" + collection + "/" + sid
	}
	return path
}

// data returns the data of an event: the keys that every event has, and pairs
// of further keys and values. All values are strings. Callers pass numbers and
// booleans as they are. A nil value leaves its key out.
func (c *call) data(workspace string, pairs ...any) map[string]any {
	data := map[string]any{"account_sid": c.account.text("sid"), "workspace_sid": workspace}
	if ws := c.one("workspaces", map[string]any{"sid": workspace}); ws != nil {
		data["workspace_name"] = ws.text("friendly_name")
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		switch v := pairs[i+1].(type) {
		case nil:
		case string:
			data[pairs[i].(string)] = v
		case int:
			data[pairs[i].(string)] = strconv.Itoa(v)
		case bool:
			data[pairs[i].(string)] = strconv.FormatBool(v)
		}
	}
	return data
}

// epoch converts the date of an item to seconds since 1970. For a date that is
// missing or does not parse it returns nil, so the key is left out of the data.
func epoch(date string) any {
	t, err := time.Parse(time.RFC3339, date)
	if err != nil {
		return nil
	}
	return strconv.FormatInt(t.Unix(), 10)
}

// revision returns an item's version as events show it: the ETag without
// quotes.
func revision(rec *record) string { return strings.Trim(rec.etag(), `"`) }

// taskData returns what an event says about a task. The keys are those of the
// events' EventData; see
// https://www.twilio.com/docs/taskrouter/api/event/reference.
func (c *call) taskData(task *record) map[string]any {
	status := task.status()
	reason := map[string]any{"reason": task.get("reason")}
	if status == "canceled" || status == "completed" {
		reason["task_"+status+"_reason"] = task.get("reason")
	}
	return c.data(task.text("workspace_sid"),
		"task_sid", task.text("sid"), "task_attributes", task.text("attributes"), "task_age", c.age(task),
		"task_priority", task.number("priority"), "task_assignment_status", status, "task_version", revision(task),
		"task_date_created", epoch(task.text("date_created")), "task_virtual_start_time", epoch(task.text("virtual_start_time")),
		"task_queue_entered_date", epoch(task.text("task_queue_entered_date")),
		"task_queue_sid", task.get("task_queue_sid"), "task_queue_name", task.get("task_queue_friendly_name"),
		"task_channel_sid", task.get("task_channel_sid"), "task_channel_unique_name", task.get("task_channel_unique_name"),
		"workflow_sid", task.get("workflow_sid"), "workflow_name", task.get("workflow_friendly_name"),
		"reason", reason["reason"], "task_canceled_reason", reason["task_canceled_reason"],
		"task_completed_reason", reason["task_completed_reason"])
}

// workerData returns what an event says about a worker. more adds pairs for one
// type of event.
func (c *call) workerData(worker *record, more ...any) map[string]any {
	return c.data(worker.text("workspace_sid"), append([]any{
		"worker_sid", worker.text("sid"), "worker_name", worker.text("friendly_name"), "worker_version", revision(worker),
		"worker_attributes", worker.text("attributes"), "worker_activity_sid", worker.get("activity_sid"),
		"worker_activity_name", worker.get("activity_name"),
	}, more...)...)
}

// lifecycle records that an item was created, updated or deleted.
func (c *call) lifecycle(group string, before, after *record, data func(*record) map[string]any) {
	switch {
	case before == nil:
		c.event(group+".created", after, data(after))
	case after == nil:
		c.event(group+".deleted", before, data(before))
	default:
		c.event(group+".updated", after, data(after))
	}
}

// workspaceChanged records that a workspace was created or updated. The events
// of a new workspace's first items come before its own, since the create hook
// adds those items first.
func workspaceChanged(c *call, before, after *record) {
	if after != nil { // a deleted workspace takes its events with it
		c.lifecycle("workspace", before, after, func(ws *record) map[string]any { return c.data(ws.text("sid")) })
	}
}

func activityChanged(c *call, before, after *record) {
	c.lifecycle("activity", before, after, func(a *record) map[string]any {
		return c.data(a.text("workspace_sid"), "activity_sid", a.text("sid"), "activity_name", a.text("friendly_name"),
			"activity_available", a.flag("available"))
	})
}

func taskChannelChanged(c *call, before, after *record) {
	c.lifecycle("task-channel", before, after, func(tc *record) map[string]any {
		return c.data(tc.text("workspace_sid"), "task_channel_sid", tc.text("sid"), "task_channel_name", tc.text("friendly_name"),
			"task_channel_unique_name", tc.text("unique_name"),
			"task_channel_optimized_routing", tc.flag("channel_optimized_routing"))
	})
}

// taskQueueChanged records that a queue was created, changed or deleted. The
// only update that is an event is a new expression.
func taskQueueChanged(c *call, before, after *record) {
	data := func(q *record) map[string]any {
		return c.data(q.text("workspace_sid"), "task_queue_sid", q.text("sid"), "task_queue_name", q.text("friendly_name"),
			"task_queue_target_expression", q.text("target_workers"))
	}
	switch {
	case before == nil || after == nil:
		c.lifecycle("task-queue", before, after, data)
	case before.text("target_workers") != after.text("target_workers"):
		c.event("task-queue.expression.updated", after, data(after))
	}
}

func workflowChanged(c *call, before, after *record) {
	c.lifecycle("workflow", before, after, func(w *record) map[string]any {
		return c.data(w.text("workspace_sid"), "workflow_sid", w.text("sid"), "workflow_name", w.text("friendly_name"))
	})
}

// workerChanged records what happened to a worker. One update can be two
// events: a new activity, and new attributes. The time in the previous activity
// counts from date_status_changed, in whole seconds.
func workerChanged(c *call, before, after *record) {
	if before == nil || after == nil {
		c.lifecycle("worker", before, after, func(w *record) map[string]any { return c.workerData(w) })
		return
	}
	if before.text("activity_sid") != after.text("activity_sid") {
		seconds := 0
		if t, err := time.Parse(time.RFC3339, before.text("date_status_changed")); err == nil {
			seconds = max(int(c.now.Sub(t)/time.Second), 0)
		}
		c.event("worker.activity.update", after, c.workerData(after,
			"worker_time_in_previous_activity", seconds, "worker_time_in_previous_activity_ms", seconds*1000,
			"worker_previous_activity_sid", before.get("activity_sid"), "worker_previous_activity_name", before.get("activity_name")))
	}
	if before.text("attributes") != after.text("attributes") {
		c.event("worker.attributes.update", after, c.workerData(after))
	}
}

// workerChannelChanged records a new capacity or availability of a worker's
// channel. Creates and deletes come with a worker or a task channel, which has
// its own events.
func workerChannelChanged(c *call, before, after *record) {
	if before == nil || after == nil {
		return
	}
	worker := c.one("workers", map[string]any{"workspace_sid": after.text("workspace_sid"), "sid": after.text("worker_sid")})
	if worker == nil {
		return
	}
	assigned, _ := c.load(after)
	data := c.workerData(worker,
		"task_channel_sid", after.text("task_channel_sid"), "task_channel_unique_name", after.text("task_channel_unique_name"),
		"worker_channel_available", after.flag("available"), "worker_channel_task_count", assigned,
		"worker_channel_available_capacity", after.number("configured_capacity"),
		"worker_channel_previous_capacity", before.number("configured_capacity"))
	if before.number("configured_capacity") != after.number("configured_capacity") {
		c.event("worker.capacity.update", worker, data)
	}
	if before.flag("available") != after.flag("available") {
		c.event("worker.channel.availability.update", worker, data)
	}
}

// taskChanged records the events of a changed task and updates its reservations.
//
// A task that its workflow routes has several events at once, in the order in
// which it passes the workflow. A change of status has its own event, which
// replaces the event of other changes.
func taskChanged(c *call, before, after *record) {
	if after == nil {
		c.event("task.deleted", before, c.taskData(before))
		return
	}
	data := c.taskData(after)
	if before == nil {
		c.event("task.created", after, data)
		routed := after.text("workflow_sid") != ""
		if routed {
			c.event("workflow.entered", after, data)
		}
		if after.status() == "canceled" {
			c.event("task.canceled", after, data)
			return
		}
		if after.text("task_queue_sid") != "" {
			c.event("task-queue.entered", after, data)
		}
		if routed {
			c.event("workflow.target-matched", after, data)
		}
		return
	}
	if was, is := before.status(), after.status(); was != is {
		switch is {
		case "canceled", "completed":
			c.event("task."+is, after, data)
		case "wrapping":
			c.event("task.wrapup", after, data)
		}
		c.reservationsFollow(after)
	} else if before.text("attributes") != after.text("attributes") || before.number("priority") != after.number("priority") ||
		before.text("task_channel_sid") != after.text("task_channel_sid") {
		c.event("task.updated", after, data)
	}
}

// reservationChanged records the events of a changed reservation and updates
// its task. Only a new status is an event. Its data includes the task's and the
// worker's.
func reservationChanged(c *call, before, after *record) {
	if after == nil || before != nil && before.text("reservation_status") == after.text("reservation_status") {
		return
	}
	data := c.data(after.text("workspace_sid"))
	in := func(sid string) map[string]any {
		return map[string]any{"workspace_sid": after.text("workspace_sid"), "sid": sid}
	}
	if task := c.one("tasks", in(after.text("task_sid"))); task != nil {
		data = c.taskData(task)
	}
	if worker := c.one("workers", in(after.text("worker_sid"))); worker != nil {
		for k, v := range c.workerData(worker) {
			data[k] = v
		}
	}
	data["reservation_sid"], data["reservation_version"] = after.text("sid"), revision(after)
	status := after.text("reservation_status")
	c.event("reservation."+cmp.Or(map[string]string{"pending": "created", "wrapping": "wrapup"}[status], status), after, data)
	c.taskFollows(after)
}

// everyItem accepts a parameter that another filter reads, and keeps every item.
func everyItem(*call, []string) (func(*record) bool, *apiError) {
	return func(*record) bool { return true }, nil
}

// period returns the period that Minutes, or StartDate and EndDate, ask for.
// The default is the last fifteen minutes. A StartDate without an EndDate lasts
// until now. A date alone means its midnight, in UTC.
func (c *call) period() (from, to time.Time, err *apiError) {
	minutes, err := c.count("Minutes", 15)
	if err != nil {
		return from, to, err
	}
	from, to = c.now.Add(-time.Duration(minutes)*time.Minute), c.now
	for param, at := range map[string]*time.Time{"StartDate": &from, "EndDate": &to} {
		s := c.query.Get(param)
		if s == "" {
			continue
		}
		if c.query.Has("Minutes") {
			return from, to, invalid("Minutes cannot be used with StartDate and EndDate")
		}
		t, err := time.Parse(time.RFC3339, s)
		if err != nil {
			if t, err = time.Parse(time.DateOnly, s); err != nil {
				return from, to, invalid("Invalid value for parameter %s: %.100q", param, s)
			}
		}
		*at = t
	}
	return from, to, nil
}

// eventsInTime keeps the events of the period that the request names. It runs
// for every list, since the period has a default.
func eventsInTime(c *call, _ []string) (func(*record) bool, *apiError) {
	from, to, err := c.period()
	return func(rec *record) bool { return within(rec, from, to) }, err
}

// within reports whether an event happened in a period. Dates have no fraction,
// so the last second counts in full.
func within(event *record, from, to time.Time) bool {
	at := time.UnixMilli(int64(event.number("event_date_ms")))
	return !at.Before(from.Truncate(time.Second)) && at.Before(to.Truncate(time.Second).Add(time.Second))
}

// eventsAbout keeps the events that have a value as their SID or under one of
// the keys of their data. If a parameter is repeated, only the first value
// counts.
func eventsAbout(keys ...string) func(*call, []string) (func(*record) bool, *apiError) {
	return func(_ *call, values []string) (func(*record) bool, *apiError) {
		return func(rec *record) bool {
			data, _ := rec.get("event_data").(map[string]any)
			for _, k := range keys {
				if data[k] == values[0] || k == "sid" && rec.text("sid") == values[0] {
					return true
				}
			}
			return false
		}, nil
	}
}
