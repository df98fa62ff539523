package twiliofake

import (
	"encoding/json"
	"strings"
	"time"
)

// taskRouterRows are the resources of taskrouter.twilio.com. See
// https://www.twilio.com/docs/taskrouter/api.
//
// The hooks of tasks and reservations are in taskrouter_tasks.go. Most rows
// have a changed hook in taskrouter_events.go that records TaskRouter's events;
// the hooks of tasks and reservations also keep the two consistent. Names of
// other items, such as a worker's activity_name, are stored with the item, and
// change when those are renamed.
//
// Modelled: workflows choose a queue, statuses move as Twilio allows, capacity
// and eligibility are counted, If-Match is honoured. Not modelled: the fake
// does not reserve workers, let anything time out, go beyond a workflow's first
// target, or make callbacks.
func taskRouterRows() []resource {
	return append(taskRouterStatistics(), []resource{
		{
			// default_activity_sid is the activity of new workers,
			// timeout_activity_sid that of workers who let a reservation time
			// out.
			name: "workspaces", host: "taskrouter", prefix: "WS",
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
			changed: workspaceChanged,
		},
		{
			// available can only be set by the create.
			name: "activities", host: "taskrouter", prefix: "WA",
			paths: []string{"/v1/Workspaces/{workspace_sid}/Activities/{sid}"},
			can:   all,
			fields: []field{
				{"workspace_sid", text, nil, never},
				{"available", boolean, false, onCreate},
				{"friendly_name", text, nil, always | required},
			},
			filters: []string{"friendly_name", "available"},
			unique:  []unique{{field: "friendly_name", code: 20001, fold: true}},
			update:  updateActivity,
			remove:  removeActivity,
			changed: activityChanged,
		},
		{
			// Every worker has a worker channel for each of them; see
			// giveChannel.
			name: "task_channels", host: "taskrouter", prefix: "TC", alias: []string{"unique_name"}, list: "channels",
			paths: []string{"/v1/Workspaces/{workspace_sid}/TaskChannels/{sid}"},
			can:   all,
			fields: []field{
				{"workspace_sid", text, nil, never},
				{"channel_optimized_routing", boolean, false, always},
				{"friendly_name", text, nil, always | required},
				{"unique_name", text, nil, onCreate | required},
			},
			create:  createTaskChannel,
			unique:  []unique{{field: "friendly_name", code: 20001, fold: true}, {field: "unique_name", code: 20001, fold: true}},
			remove:  removeTaskChannel,
			changed: taskChannelChanged,
		},
		{
			// A worker belongs to a queue if its attributes match
			// target_workers. An empty expression matches no worker, according
			// to twilio-go's comment on TargetWorkers.
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
			narrow: map[string]func(*call, []string) (func(*record) bool, *apiError){
				"EvaluateWorkerAttributes": queuesOfWorkers,
				"WorkerSid":                queuesOfWorker,
			},
			orders:  []string{"date_created", "date_updated", "friendly_name"},
			unique:  []unique{{field: "friendly_name", code: 20001, fold: true}},
			create:  saveTaskQueue,
			update:  updateTaskQueue,
			changed: taskQueueChanged,
		},
		{
			// configuration is JSON in a string; see workflow. The timeout is
			// in seconds.
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
			unique:  []unique{{field: "friendly_name", code: 20001, fold: true}},
			create:  saveWorkflow,
			update:  updateWorkflow,
			changed: workflowChanged,
		},
		{
			// available and the name of the activity follow from activity_sid.
			// date_status_changed is when activity_sid last changed.
			name: "workers", host: "taskrouter", prefix: "WK", etag: true,
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
			filters: []string{"activity_name", "activity_sid", "friendly_name"},
			narrow: map[string]func(*call, []string) (func(*record) bool, *apiError){
				"Available":               workersAvailable,
				"TargetWorkersExpression": workersMatching,
				"TaskQueueName":           workersOfQueue("friendly_name"),
				"TaskQueueSid":            workersOfQueue("sid"),
			},
			orders:  []string{"date_created", "date_updated", "date_status_changed", "friendly_name", "activity_name"},
			unique:  []unique{{field: "friendly_name", code: 20001, fold: true}},
			create:  createWorker,
			update:  updateWorker,
			remove:  removeWorker,
			changed: workerChanged,
		},
		{
			// They are created and deleted with workers and task channels; only
			// capacity and availability can be set.
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
			params:  map[string]string{"Capacity": "configured_capacity"},
			update:  updateWorkerChannel,
			view:    viewWorkerChannel,
			changed: workerChannelChanged,
		},
		{
			// timeout is in seconds. A queue would sort by virtual_start_time,
			// which defaults to the date of the create.
			name: "tasks", host: "taskrouter", prefix: "WT", etag: true,
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
				"priority", "workflow_sid", "workflow_friendly_name",
				"task_queue_sid", "task_queue_friendly_name", "routing_target",
			},
			narrow: map[string]func(*call, []string) (func(*record) bool, *apiError){
				"AssignmentStatus":       tasksWithStatus,
				"EvaluateTaskAttributes": tasksMatching,
				"HasAddons":              tasksWithAddons,
			},
			orders:  []string{"date_created", "priority", "virtual_start_time"},
			create:  createTask,
			update:  updateTask,
			view:    viewTask,
			changed: taskChanged,
		},
		{
			// They come from the state, since the fake makes none. The same
			// reservation is below its task and its worker.
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
			changed: reservationChanged,
		},
		taskRouterEvents(),
	}...)
}

// in returns fields for a search in the request's workspace: workspace_sid, and
// more given as pairs of name and value. The workspace names the parent, which
// makes the search fast; see store.where.
func (c *call) in(pairs ...string) map[string]any {
	want := map[string]any{"workspace_sid": c.vars["workspace_sid"]}
	for i := 0; i+1 < len(pairs); i += 2 {
		want[pairs[i]] = pairs[i+1]
	}
	return want
}

// beside returns fields for a search in rec's workspace.
func beside(rec *record, field, value string) map[string]any {
	return map[string]any{"workspace_sid": rec.text("workspace_sid"), field: value}
}

// createWorkspace fills a new workspace. It gets the three activities and the
// five task channels of a new workspace, with Offline as its default and
// timeout activity. Template=FIFO adds a queue with a workflow, as twilio-go's
// comment on the parameter describes.
func createWorkspace(c *call, rec *record) *apiError {
	c.vars["workspace_sid"] = rec.text("sid")
	c.store.add(rec) // added first: the items below need it
	for _, a := range []string{"Offline", "Available", "Unavailable"} {
		activity := c.inWorkspace("activities", map[string]any{"friendly_name": a, "available": a == "Available"})
		if a == "Offline" {
			rec.set("default_activity_sid", activity.text("sid"))
			rec.set("timeout_activity_sid", activity.text("sid"))
		}
	}
	for _, name := range []string{"default", "voice", "sms", "chat", "video"} {
		c.inWorkspace("task_channels", map[string]any{"friendly_name": pascal(name), "unique_name": name})
	}
	if c.form.Get("Template") == "FIFO" {
		queue := c.inWorkspace("task_queues", map[string]any{"friendly_name": "Sample Queue"})
		c.inWorkspace("workflows", map[string]any{
			"friendly_name": "Default Fifo Workflow",
			"configuration": `{"task_routing":{"filters":[],"default_filter":{"queue":"` + queue.text("sid") + `"}}}`,
		})
	}
	return c.nameActivities(rec, "default", "timeout")
}

// inWorkspace adds an item to the request's workspace.
func (c *call) inWorkspace(kind string, fields map[string]any) *record {
	rec := c.make(kind, fields)
	c.add(rec)
	return rec
}

func updateWorkspace(c *call, rec *record) *apiError {
	c.vars["workspace_sid"] = rec.text("sid")
	return c.nameActivities(rec, "default", "timeout")
}

// nameActivities sets the names that accompany the SIDs of activities. A SID
// that names no activity of the workspace is refused; an empty one clears the
// name.
func (c *call) nameActivities(rec *record, roles ...string) *apiError {
	for _, role := range roles {
		sid := rec.text(role + "_activity_sid")
		rec.set(role+"_activity_name", nil)
		if sid == "" {
			continue
		}
		activity := c.one("activities", c.in("sid", sid))
		if activity == nil {
			return invalid("%sActivitySid %.40s is not valid", pascal(role), sid)
		}
		rec.set(role+"_activity_name", activity.text("friendly_name"))
	}
	return nil
}

// rename updates the stored name of rec wherever an item refers to it. Each ref
// gives a kind, its field with the SID, and its field with the name. The other
// items keep their version, since they have not changed themselves.
func (c *call) rename(rec *record, refs ...[3]string) {
	name := rec.text("friendly_name")
	if name == c.before.text("friendly_name") {
		return
	}
	for _, ref := range refs {
		want := c.in(ref[1], rec.text("sid"))
		if ref[0] == "workspaces" {
			want = map[string]any{"sid": c.vars["workspace_sid"], ref[1]: rec.text("sid")}
		}
		for _, o := range c.where(ref[0], want) {
			o.set(ref[2], name)
		}
	}
}

// updateActivity renames an activity everywhere.
func updateActivity(c *call, rec *record) *apiError {
	c.rename(rec,
		[3]string{"workers", "activity_sid", "activity_name"},
		[3]string{"task_queues", "assignment_activity_sid", "assignment_activity_name"},
		[3]string{"task_queues", "reservation_activity_sid", "reservation_activity_name"},
		[3]string{"workspaces", "default_activity_sid", "default_activity_name"},
		[3]string{"workspaces", "timeout_activity_sid", "timeout_activity_name"})
	return nil
}

// removeActivity refuses to delete an activity that is in use. A worker must
// always have an activity, and a workspace its default and timeout activities.
func removeActivity(c *call, rec *record) *apiError {
	sid := rec.text("sid")
	if w := c.one("workers", c.in("activity_sid", sid)); w != nil {
		return invalid("Activity %s cannot be deleted: worker %s is in it", sid, w.text("sid"))
	}
	ws := c.workspace()
	if ws != nil && (ws.text("default_activity_sid") == sid || ws.text("timeout_activity_sid") == sid) {
		return invalid("Activity %s cannot be deleted: it is the workspace's default or timeout activity", sid)
	}
	return nil
}

// workspace returns the request's workspace, or nil.
func (c *call) workspace() *record {
	return c.one("workspaces", map[string]any{"sid": c.vars["workspace_sid"]})
}

// createTaskChannel adds the channel to all existing workers.
func createTaskChannel(c *call, rec *record) *apiError {
	for _, w := range c.where("workers", c.in()) {
		c.giveChannel(w, rec)
	}
	return nil
}

// removeTaskChannel takes the channel from all workers.
func removeTaskChannel(c *call, rec *record) *apiError {
	for _, wc := range c.where("worker_channels", c.in("task_channel_sid", rec.text("sid"))) {
		c.drop(wc)
	}
	return nil
}

// giveChannel adds a task channel to a worker. Its capacity is 1, the row's
// initial value.
func (c *call) giveChannel(worker, channel *record) {
	c.inWorkspace("worker_channels", map[string]any{
		"worker_sid": worker.text("sid"), "task_channel_sid": channel.text("sid"),
		"task_channel_unique_name": channel.text("unique_name"),
	})
}

// saveTaskQueue checks a queue. The bounds of MaxReservedWorkers are from
// twilio-go's comment. A queue whose expression does not parse could never
// match, so it is refused here.
func saveTaskQueue(c *call, rec *record) *apiError {
	if n := rec.number("max_reserved_workers"); n < 1 || n > 50 {
		return invalid("MaxReservedWorkers must be from 1 to 50, not %d", n)
	}
	if expression := rec.text("target_workers"); expression != "" {
		if _, err := parseExpression(expression); err != nil {
			return invalid("TargetWorkers %.100q is not an expression: %v", expression, err)
		}
	}
	if o := rec.text("task_order"); o != "FIFO" && o != "LIFO" {
		return invalid("Invalid value for parameter TaskOrder: %.100q", o)
	}
	return c.nameActivities(rec, "assignment", "reservation")
}

func updateTaskQueue(c *call, rec *record) *apiError {
	if err := saveTaskQueue(c, rec); err != nil {
		return err
	}
	c.rename(rec, [3]string{"tasks", "task_queue_sid", "task_queue_friendly_name"})
	return nil
}

// A workflow is the parsed configuration of a workflow; see
// https://www.twilio.com/docs/taskrouter/workflow-configuration.
type workflow struct {
	Routing *struct {
		Filters []workflowFilter `json:"filters"`
		Default *workflowTarget  `json:"default_filter"`
	} `json:"task_routing"`
}

type workflowFilter struct {
	Expression string           `json:"expression"`
	Targets    []workflowTarget `json:"targets"`
}

// A workflowTarget is one step of a filter: the queue that a task goes to, and
// who may take it there. Only Queue and Priority have an effect. The
// expressions are still parsed, so that a mistake in one is found when the
// workflow is stored.
type workflowTarget struct {
	Queue      string      `json:"queue"`
	Expression string      `json:"expression"`
	OrderBy    string      `json:"order_by"`
	SkipIf     string      `json:"skip_if"`
	Priority   json.Number `json:"priority"`
	Timeout    json.Number `json:"timeout"`
}

// readWorkflow parses a configuration, including its expressions. A
// configuration without task_routing routes nothing and is allowed.
func readWorkflow(configuration string) (workflow, *apiError) {
	var w workflow
	if configuration == "" {
		return w, nil
	}
	if err := json.Unmarshal([]byte(configuration), &w); err != nil {
		return w, invalid("Configuration is not one of a workflow: %v", err)
	}
	if w.Routing == nil {
		return w, nil
	}
	parse := func(what, expression string) *apiError {
		if expression == "" {
			return nil
		}
		if _, err := parseExpression(expression); err != nil {
			return invalid("The %s %.100q in Configuration is not an expression: %v", what, expression, err)
		}
		return nil
	}
	for _, f := range w.Routing.Filters {
		if err := parse("filter", f.Expression); err != nil {
			return w, err
		}
		if len(f.Targets) > 0 && f.Targets[0].Queue == "" {
			return w, invalid("The first target of a filter in Configuration names no queue")
		}
		for _, t := range f.Targets {
			if err := parse("target", t.Expression); err != nil {
				return w, err
			}
			if err := parse("skip_if", t.SkipIf); err != nil {
				return w, err
			}
			if t.OrderBy == "" {
				continue
			}
			if _, err := parseOrdering(t.OrderBy); err != nil {
				return w, invalid("The order_by %.100q in Configuration does not parse: %v", t.OrderBy, err)
			}
		}
	}
	return w, nil
}

// saveWorkflow checks a workflow's timeout and configuration. The timeout's
// upper bound, 24 hours, is from twilio-go's comment.
func saveWorkflow(_ *call, rec *record) *apiError {
	if n := rec.number("task_reservation_timeout"); n < 1 || n > 86400 {
		return invalid("TaskReservationTimeout must be from 1 to 86400, not %d", n)
	}
	_, err := readWorkflow(rec.text("configuration"))
	return err
}

func updateWorkflow(c *call, rec *record) *apiError {
	if err := saveWorkflow(c, rec); err != nil {
		return err
	}
	c.rename(rec, [3]string{"tasks", "workflow_sid", "workflow_friendly_name"})
	return nil
}

// attributesObject refuses attributes that are too long or not a JSON object.
// The limit is in bytes of the JSON text.
func attributesObject(rec *record) *apiError {
	attributes := rec.text("attributes")
	if len(attributes) > 4096 {
		return invalid("Attributes must not be longer than 4096 characters, not %d", len(attributes))
	}
	if _, err := decodeObject([]byte(attributes)); err != nil {
		return invalid("Attributes must be a JSON object: %v", err)
	}
	return nil
}

// createWorker puts a worker in an activity and gives it all task channels.
// Without ActivitySid the worker is in the workspace's default activity, as
// twilio-go's comment says. In a state document the workspace may lack one;
// then so does the worker.
func createWorker(c *call, rec *record) *apiError {
	if rec.text("activity_sid") == "" {
		if ws := c.workspace(); ws != nil {
			rec.set("activity_sid", ws.text("default_activity_sid"))
		}
	}
	if err := c.saveWorker(rec); err != nil {
		return err
	}
	c.store.add(rec) // added first: its channels go below it
	for _, channel := range c.where("task_channels", c.in()) {
		c.giveChannel(rec, channel)
	}
	return nil
}

// updateWorker moves a worker, renames it in its reservations and, on request,
// rejects its pending ones. Moving to another activity sets the date; naming
// the current one does not. RejectPendingReservations is only valid with an
// activity that is not available, as twilio-go's comment says.
func updateWorker(c *call, rec *record) *apiError {
	if rec.text("activity_sid") == c.before.text("activity_sid") {
		if err := attributesObject(rec); err != nil {
			return err
		}
	} else if err := c.saveWorker(rec); err != nil {
		return err
	}
	for _, r := range c.where("reservations", c.in("worker_sid", rec.text("sid"))) {
		r.set("worker_name", rec.text("friendly_name"))
	}
	if reject := c.form.Get("RejectPendingReservations"); !strings.EqualFold(reject, "true") {
		return nil
	}
	if rec.flag("available") {
		return invalid("RejectPendingReservations needs an activity that is not available")
	}
	for _, r := range c.where("reservations", c.in("worker_sid", rec.text("sid"), "reservation_status", "pending")) {
		c.set(r, map[string]any{"reservation_status": "rejected"})
	}
	return nil
}

// saveWorker validates a worker and moves it to its activity.
func (c *call) saveWorker(rec *record) *apiError {
	if err := attributesObject(rec); err != nil {
		return err
	}
	return c.enterActivity(rec, "ActivitySid")
}

// enterActivity moves a worker to the activity in its activity_sid. param is
// the parameter to blame if there is no such activity.
func (c *call) enterActivity(rec *record, param string) *apiError {
	sid := rec.text("activity_sid")
	activity := c.one("activities", c.in("sid", sid))
	if activity == nil && sid != "" {
		return invalid("%s %.40s is not valid", param, sid)
	}
	if activity != nil {
		rec.set("activity_name", activity.text("friendly_name"))
		rec.set("available", activity.flag("available"))
	}
	rec.set("date_status_changed", c.now.Format(time.RFC3339))
	return nil
}

// removeWorker refuses to delete a worker who is available, since such a worker
// could be reserved meanwhile.
func removeWorker(_ *call, rec *record) *apiError {
	if rec.flag("available") {
		return invalid("Worker %s cannot be deleted while it is available", rec.text("sid"))
	}
	return nil
}

// updateWorkerChannel checks the capacity. According to twilio-go's comment, a
// channel with capacity 0 would not get reservations.
func updateWorkerChannel(_ *call, rec *record) *apiError {
	if n := rec.number("configured_capacity"); n < 0 || n > 50 {
		return invalid("Capacity must be from 0 to 50, not %d", n)
	}
	return nil
}

// load returns a worker's load on a channel: the number of accepted tasks, and
// the percentage of capacity left. As in TaskRouter, pending and wrapping
// reservations take up capacity too; see
// https://www.twilio.com/docs/taskrouter/multitasking. The percentage is
// rounded down, and never negative.
func (c *call) load(wc *record) (assigned, percentage int) {
	held := 0
	for _, r := range c.where("reservations", c.in("worker_sid", wc.text("worker_sid"))) {
		s := r.text("reservation_status")
		if s != "pending" && s != "accepted" && s != "wrapping" {
			continue
		}
		if c.one("tasks", c.in("sid", r.text("task_sid"), "task_channel_sid", wc.text("task_channel_sid"))) == nil {
			continue
		}
		held++
		if s == "accepted" {
			assigned++
		}
	}
	capacity := wc.number("configured_capacity")
	if capacity <= 0 || held >= capacity {
		return assigned, 0
	}
	return assigned, (capacity - held) * 100 / capacity
}

// viewWorkerChannel adds the load. Both figures are computed for each answer,
// so changes of reservations need not update them.
func viewWorkerChannel(c *call, rec *record, m map[string]any) {
	m["assigned_tasks"], m["available_capacity_percentage"] = c.load(rec)
}
