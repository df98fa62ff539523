package twiliofake

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// taskRouterRows are the resources of taskrouter.twilio.com.
func taskRouterRows() []resource {
	return []resource{
		{
			name: "workspaces", host: "taskrouter", ref: "workspace_sid", prefix: "WS",
			paths: []string{"/v1/Workspaces/{sid}"},
			can:   all,
			fields: []field{
				{"default_activity_name", text, nil, never},
				{"default_activity_sid", text, nil, onUpdate},
				{"event_callback_url", text, nil, always},
				{"events_filter", text, nil, always},
				{"friendly_name", text, nil, always | required},
				{"multi_task_enabled", boolean, true, always},
				{"prioritize_queue_order", text, "FIFO", always},
				{"timeout_activity_name", text, nil, never},
				{"timeout_activity_sid", text, nil, onUpdate},
			},
			filters: []string{"friendly_name"},
			create:  createWorkspace,
			update:  updateWorkspace,
			remove:  removeWorkspace,
		},
		{
			name: "activities", host: "taskrouter", prefix: "WA",
			paths: []string{"/v1/Workspaces/{workspace_sid}/Activities/{sid}"},
			can:   all,
			fields: []field{
				{"workspace_sid", text, nil, never},
				{"available", boolean, false, onCreate},
				{"friendly_name", text, nil, always | required},
			},
			filters: []string{"friendly_name", "available"},
			create:  uniqueName,
			update:  uniqueName,
		},
		{
			name: "task_channels", host: "taskrouter", prefix: "TC", alias: []string{"unique_name"}, list: "channels",
			paths: []string{"/v1/Workspaces/{workspace_sid}/TaskChannels/{sid}"},
			can:   all,
			fields: []field{
				{"workspace_sid", text, nil, never},
				{"channel_optimized_routing", boolean, false, always},
				{"friendly_name", text, nil, always | required},
				{"unique_name", text, nil, onCreate | required},
			},
			create: uniqueName,
			update: uniqueName,
		},
		{
			name: "task_queues", host: "taskrouter", prefix: "WQ",
			paths: []string{"/v1/Workspaces/{workspace_sid}/TaskQueues/{sid}"},
			can:   all,
			fields: []field{
				{"workspace_sid", text, nil, never},
				{"assignment_activity_name", text, nil, never},
				{"assignment_activity_sid", text, nil, always},
				{"friendly_name", text, nil, always | required},
				{"max_reserved_workers", integer, 1, always},
				{"reservation_activity_name", text, nil, never},
				{"reservation_activity_sid", text, nil, always},
				{"target_workers", text, "1==1", always},
				{"task_order", text, "FIFO", always},
			},
			filters: []string{"friendly_name"},
			create:  saveTaskQueue,
			update:  saveTaskQueue,
		},
		{
			name: "workflows", host: "taskrouter", prefix: "WW",
			paths: []string{"/v1/Workspaces/{workspace_sid}/Workflows/{sid}"},
			can:   all,
			fields: []field{
				{"workspace_sid", text, nil, never},
				{"assignment_callback_url", text, nil, always},
				{"configuration", document, nil, always | required},
				{"document_content_type", text, "application/json", never},
				{"fallback_assignment_callback_url", text, nil, always},
				{"friendly_name", text, nil, always | required},
				{"task_reservation_timeout", integer, 120, always},
			},
			filters: []string{"friendly_name"},
			create:  uniqueName,
			update:  uniqueName,
		},
		{
			name: "workers", host: "taskrouter", ref: "worker_sid", prefix: "WK", etag: true,
			paths: []string{"/v1/Workspaces/{workspace_sid}/Workers/{sid}"},
			can:   all,
			fields: []field{
				{"workspace_sid", text, nil, never},
				{"activity_name", text, nil, never},
				{"activity_sid", text, nil, always},
				{"attributes", document, "{}", always},
				{"available", boolean, false, never},
				{"date_status_changed", instant, nil, never},
				{"friendly_name", text, nil, always | required},
			},
			filters: []string{"activity_name", "activity_sid", "available", "friendly_name"},
			create:  createWorker,
			update:  updateWorker,
			remove:  removeWorker,
		},
		{
			name: "worker_channels", host: "taskrouter", prefix: "WC", alias: []string{"task_channel_unique_name", "task_channel_sid"},
			paths: []string{"/v1/Workspaces/{workspace_sid}/Workers/{worker_sid}/Channels/{sid}"},
			can:   fetch | update | list,
			fields: []field{
				{"workspace_sid", text, nil, never},
				{"worker_sid", text, nil, never},
				{"assigned_tasks", integer, 0, never},
				{"available", boolean, true, onUpdate},
				{"available_capacity_percentage", integer, 100, never},
				{"configured_capacity", integer, 1, onUpdate},
				{"task_channel_sid", text, nil, never},
				{"task_channel_unique_name", text, nil, never},
			},
			params: map[string]string{"Capacity": "configured_capacity"},
			update: updateWorkerChannel,
		},
		{
			name: "tasks", host: "taskrouter", ref: "task_sid", prefix: "WT", etag: true,
			paths: []string{"/v1/Workspaces/{workspace_sid}/Tasks/{sid}"},
			can:   all,
			fields: []field{
				{"workspace_sid", text, nil, never},
				{"addons", document, "{}", never},
				{"assignment_status", text, "pending", onUpdate},
				{"attributes", document, "{}", always},
				{"ignore_capacity", boolean, false, onCreate},
				{"priority", integer, 0, always},
				{"reason", text, nil, onUpdate},
				{"routing_target", text, nil, onCreate},
				{"task_channel_sid", text, nil, never},
				{"task_channel_unique_name", text, nil, always},
				{"task_queue_entered_date", instant, nil, never},
				{"task_queue_friendly_name", text, nil, never},
				{"task_queue_sid", text, nil, onCreate},
				{"timeout", integer, 86400, onCreate},
				{"virtual_start_time", instant, nil, always},
				{"workflow_friendly_name", text, nil, never},
				{"workflow_sid", text, nil, onCreate},
			},
			params: map[string]string{
				"TaskChannel": "task_channel_unique_name", "TaskQueueName": "task_queue_friendly_name",
				"WorkflowName": "workflow_friendly_name",
			},
			filters: []string{
				"priority", "assignment_status", "workflow_sid", "workflow_friendly_name",
				"task_queue_sid", "task_queue_friendly_name", "routing_target",
			},
			create: createTask,
			update: updateTask,
			remove: removeTask,
			view:   viewTask,
		},
		{
			name: "reservations", host: "taskrouter", prefix: "WR", etag: true,
			paths: []string{
				"/v1/Workspaces/{workspace_sid}/Tasks/{task_sid}/Reservations/{sid}",
				"/v1/Workspaces/{workspace_sid}/Workers/{worker_sid}/Reservations/{sid}",
			},
			can: fetch | update | list,
			fields: []field{
				{"workspace_sid", text, nil, never},
				{"reservation_status", text, "pending", onUpdate},
				{"task_sid", text, nil, never},
				{"worker_name", text, nil, never},
				{"worker_sid", text, nil, never},
			},
			filters: []string{"reservation_status", "worker_sid"},
			update:  updateReservation,
		},
	}
}

// in is what a record must have to stand in the request's workspace, with
// more fields given in pairs.
func (c *call) in(pairs ...string) map[string]any {
	want := map[string]any{"workspace_sid": c.vars["workspace_sid"]}
	for i := 0; i+1 < len(pairs); i += 2 {
		want[pairs[i]] = pairs[i+1]
	}
	return want
}

// uniqueName refuses a friendly or unique name that another item has.
func uniqueName(c *call, rec *record) *apiError {
	for _, name := range []string{"friendly_name", "unique_name"} {
		if rec.fields[name] == nil {
			continue
		}
		for _, o := range c.store.where(c.name, c.in()) {
			if o.text("sid") != rec.text("sid") && strings.EqualFold(o.text(name), rec.text(name)) {
				return invalid("%s must be unique: another one has %q", pascal(name), rec.text(name))
			}
		}
	}
	return nil
}

func createWorkspace(c *call, rec *record) *apiError {
	c.vars["workspace_sid"] = rec.text("sid")
	for _, a := range []string{"Offline", "Available", "Unavailable"} {
		activity := c.blank(c.kinds["activities"])
		maps.Copy(activity.fields, c.in("friendly_name", a))
		activity.fields["available"] = a == "Available"
		c.store.add(c.kinds["activities"], activity)
		if a == "Offline" {
			rec.fields["default_activity_sid"] = activity.text("sid")
			rec.fields["timeout_activity_sid"] = activity.text("sid")
		}
	}
	channel := c.blank(c.kinds["task_channels"])
	maps.Copy(channel.fields, c.in("friendly_name", "Default", "unique_name", "default"))
	c.store.add(c.kinds["task_channels"], channel)
	return c.nameActivities(rec, "default", "timeout")
}

func updateWorkspace(c *call, rec *record) *apiError {
	c.vars["workspace_sid"] = rec.text("sid")
	return c.nameActivities(rec, "default", "timeout")
}

func removeWorkspace(c *call, rec *record) *apiError {
	for name, r := range c.kinds {
		for _, o := range c.store.where(name, map[string]any{"workspace_sid": rec.text("sid")}) {
			c.store.remove(r, o)
		}
	}
	return nil
}

// nameActivities puts the names beside the SIDs of activities.
func (c *call) nameActivities(rec *record, roles ...string) *apiError {
	for _, role := range roles {
		sid := rec.text(role + "_activity_sid")
		rec.fields[role+"_activity_name"] = nil
		if sid == "" {
			continue
		}
		activity := c.store.one("activities", c.in("sid", sid))
		if activity == nil {
			return invalid("%sActivitySid %.40s is not valid", pascal(role), sid)
		}
		rec.fields[role+"_activity_name"] = activity.text("friendly_name")
	}
	return nil
}

func saveTaskQueue(c *call, rec *record) *apiError {
	if n, _ := rec.fields["max_reserved_workers"].(int); n < 1 || n > 50 {
		return invalid("MaxReservedWorkers must be from 1 to 50, not %d", n)
	}
	if err := uniqueName(c, rec); err != nil {
		return err
	}
	return c.nameActivities(rec, "assignment", "reservation")
}

// attributesObject refuses attributes that are not a JSON object.
func attributesObject(rec *record) *apiError {
	if _, err := decodeObject([]byte(rec.text("attributes"))); err != nil {
		return invalid("Attributes must be a JSON object: %v", err)
	}
	return nil
}

func createWorker(c *call, rec *record) *apiError {
	if rec.text("activity_sid") == "" {
		if ws := c.store.one("workspaces", map[string]any{"sid": c.vars["workspace_sid"]}); ws != nil {
			rec.fields["activity_sid"] = ws.text("default_activity_sid")
		}
	}
	if err := c.saveWorker(rec); err != nil {
		return err
	}
	for _, channel := range c.store.where("task_channels", c.in()) {
		wc := c.blank(c.kinds["worker_channels"])
		maps.Copy(wc.fields, c.in("worker_sid", rec.text("sid"),
			"task_channel_sid", channel.text("sid"), "task_channel_unique_name", channel.text("unique_name")))
		c.store.add(c.kinds["worker_channels"], wc)
	}
	return nil
}

func updateWorker(c *call, rec *record) *apiError {
	if rec.text("activity_sid") == c.before.text("activity_sid") {
		if err := uniqueName(c, rec); err != nil {
			return err
		}
		return attributesObject(rec)
	}
	return c.saveWorker(rec)
}

// saveWorker checks a worker and lets it enter its activity.
func (c *call) saveWorker(rec *record) *apiError {
	if err := uniqueName(c, rec); err != nil {
		return err
	}
	if err := attributesObject(rec); err != nil {
		return err
	}
	activity := c.store.one("activities", c.in("sid", rec.text("activity_sid")))
	if activity == nil && rec.text("activity_sid") != "" {
		return invalid("ActivitySid %.40s is not valid", rec.text("activity_sid"))
	}
	if activity != nil {
		rec.fields["activity_name"], rec.fields["available"] = activity.text("friendly_name"), activity.flag("available")
	}
	rec.fields["date_status_changed"] = c.now.Format(time.RFC3339)
	return nil
}

func removeWorker(c *call, rec *record) *apiError {
	if rec.flag("available") {
		return invalid("Worker %s cannot be deleted while it is available", rec.text("sid"))
	}
	for _, wc := range c.store.where("worker_channels", c.in("worker_sid", rec.text("sid"))) {
		c.store.remove(c.kinds["worker_channels"], wc)
	}
	return nil
}

func updateWorkerChannel(_ *call, rec *record) *apiError {
	if n, _ := rec.fields["configured_capacity"].(int); n < 0 || n > 50 {
		return invalid("Capacity must be from 0 to 50, not %d", n)
	}
	return nil
}

// createTask makes a pending task. The fake routes nothing: reservations are
// those of its state.
func createTask(c *call, rec *record) *apiError {
	if err := attributesObject(rec); err != nil {
		return err
	}
	if err := c.chooseWorkflow(rec); err != nil {
		return err
	}
	if err := c.chooseChannel(rec, "default"); err != nil {
		return err
	}
	if err := c.chooseQueue(rec); err != nil {
		return err
	}
	if rec.fields["timeout"] == 0 {
		rec.fields["timeout"] = 86400
	}
	now := c.now.Format(time.RFC3339)
	rec.fields["task_queue_entered_date"] = now
	if rec.fields["virtual_start_time"] == nil {
		rec.fields["virtual_start_time"] = now
	}
	return nil
}

func (c *call) chooseWorkflow(rec *record) *apiError {
	sid := rec.text("workflow_sid")
	var workflow *record
	if sid != "" {
		workflow = c.store.one("workflows", c.in("sid", sid))
	} else if all := c.store.where("workflows", c.in()); len(all) == 1 {
		workflow = all[0] // Twilio too takes the only one
	}
	if workflow == nil && sid == "" && rec.text("routing_target") == "" && rec.text("task_queue_sid") == "" {
		return invalid("Missing required parameter WorkflowSid in the post body")
	}
	if workflow == nil && sid != "" {
		return invalid("WorkflowSid %.40s is not valid", sid)
	}
	if workflow != nil {
		rec.fields["workflow_sid"], rec.fields["workflow_friendly_name"] = workflow.text("sid"), workflow.text("friendly_name")
	}
	return nil
}

// chooseChannel turns what TaskChannel named, a SID or a unique name, into both.
func (c *call) chooseChannel(rec *record, otherwise string) *apiError {
	name := rec.text("task_channel_unique_name")
	if name == "" {
		name = otherwise
	}
	channel := c.store.one("task_channels", c.in("unique_name", name))
	if channel == nil {
		channel = c.store.one("task_channels", c.in("sid", name))
	}
	if channel == nil {
		return invalid("TaskChannel %.40s is not valid", name)
	}
	rec.fields["task_channel_sid"], rec.fields["task_channel_unique_name"] = channel.text("sid"), channel.text("unique_name")
	return nil
}

// chooseQueue puts a task into the queue it asks for, or the first.
func (c *call) chooseQueue(rec *record) *apiError {
	sid := rec.text("task_queue_sid")
	queues := c.store.where("task_queues", c.in())
	for _, q := range queues {
		if sid == "" || q.text("sid") == sid {
			rec.fields["task_queue_sid"], rec.fields["task_queue_friendly_name"] = q.text("sid"), q.text("friendly_name")
			return nil
		}
	}
	if sid != "" {
		return invalid("TaskQueueSid %.40s is not valid", sid)
	}
	return nil
}

// assignment lists from which statuses a request may move a task to a status.
var assignment = map[string][]string{
	"canceled":  {"pending", "reserved"},
	"wrapping":  {"assigned"},
	"completed": {"assigned", "wrapping"},
}

func updateTask(c *call, rec *record) *apiError {
	if c.form.Has("Attributes") {
		if c.form.Has("AssignmentStatus") {
			return invalid("Attributes and AssignmentStatus cannot be changed in one request")
		}
		if err := attributesObject(rec); err != nil {
			return err
		}
	}
	if c.form.Has("TaskChannel") {
		if err := c.chooseChannel(rec, ""); err != nil {
			return err
		}
	}
	if !c.form.Has("AssignmentStatus") {
		return nil
	}
	next := rec.text("assignment_status")
	if err := c.follows(rec, "assignment_status", assignment[next]); err != nil {
		return err
	}
	c.reservations(rec, next)
	return nil
}

// follows refuses a status that is none or that does not follow the one before.
func (c *call) follows(rec *record, status string, from []string) *apiError {
	was, next := c.before.text(status), rec.text(status)
	if len(from) == 0 {
		return invalid("Invalid value for parameter %s: %.100q", pascal(status), next)
	}
	if !slices.Contains(from, was) {
		return invalid("Cannot move %s to %s: it is %s", rec.text("sid"), next, was)
	}
	return nil
}

// reservations lets a task's reservations follow its status.
func (c *call) reservations(task *record, status string) {
	for _, r := range c.store.where("reservations", c.in("task_sid", task.text("sid"))) {
		switch s := r.text("reservation_status"); {
		case status == "canceled" && s == "pending", status == "wrapping" && s == "accepted",
			status == "completed" && (s == "accepted" || s == "wrapping"):
			c.set("reservations", r, map[string]any{"reservation_status": status})
		}
	}
}

func removeTask(c *call, rec *record) *apiError {
	for _, r := range c.store.where("reservations", c.in("task_sid", rec.text("sid"))) {
		c.store.remove(c.kinds["reservations"], r)
	}
	return nil
}

func viewTask(c *call, rec *record, m map[string]any) {
	if t, err := time.Parse(time.RFC3339, rec.text("date_created")); err == nil {
		m["age"] = max(int(c.now.Sub(t)/time.Second), 0)
	}
}

// reserved lists from which statuses a request may move a reservation to a
// status, and what the task then becomes.
var reserved = map[string]struct {
	from []string
	task string
}{
	"accepted":  {[]string{"pending"}, "assigned"},
	"rejected":  {[]string{"pending"}, "pending"},
	"timeout":   {[]string{"pending"}, "pending"},
	"canceled":  {[]string{"pending"}, "pending"},
	"rescinded": {[]string{"pending"}, "pending"},
	"wrapping":  {[]string{"accepted"}, "wrapping"},
	"completed": {[]string{"accepted", "wrapping"}, "completed"},
}

func updateReservation(c *call, rec *record) *apiError {
	if c.form.Has("Instruction") {
		return unmodelled("the Instruction %q of a reservation", c.form.Get("Instruction"))
	}
	if !c.form.Has("ReservationStatus") {
		return nil
	}
	move := reserved[rec.text("reservation_status")]
	if err := c.follows(rec, "reservation_status", move.from); err != nil {
		return err
	}
	if task := c.store.one("tasks", c.in("sid", rec.text("task_sid"))); task != nil {
		c.set("tasks", task, map[string]any{"assignment_status": move.task})
	}
	return nil
}
