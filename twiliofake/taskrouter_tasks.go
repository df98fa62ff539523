package twiliofake

import (
	"slices"
	"strings"
	"time"
)

// Limits of a task; see https://www.twilio.com/docs/taskrouter/api/task. They
// are in seconds: a day, and two weeks.
const (
	defaultTaskTimeout = 86400
	maxTaskTimeout     = 1209600
)

// createTask makes a pending task and puts it in the queue that its workflow
// chooses. The fake does not reserve workers: reservations come from the state.
// Attributes are checked first, since the workflow sees them. The queue may
// come from the workflow, from RoutingTarget or from TaskQueueSid. A task that
// its workflow cancels is still created, as canceled.
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
	if rec.number("timeout") == 0 {
		rec.set("timeout", defaultTaskTimeout)
	}
	now := c.now.Format(time.RFC3339)
	rec.set("task_queue_entered_date", now)
	if rec.get("virtual_start_time") == nil {
		rec.set("virtual_start_time", now)
	}
	return c.checkTask(rec)
}

// checkTask refuses numbers and times outside Twilio's limits. The limits are
// those in twilio-go's comments on the parameters.
func (c *call) checkTask(rec *record) *apiError {
	if n := rec.number("priority"); n < 0 || n > 1<<31-1 {
		return invalid("Priority must be from 0 to 2147483647, not %d", n)
	}
	if n := rec.number("timeout"); n < 1 || n > maxTaskTimeout {
		return invalid("Timeout must be from 1 to %d seconds, not %d", maxTaskTimeout, n)
	}
	if !c.form.Has("VirtualStartTime") {
		return nil
	}
	if t, err := time.Parse(time.RFC3339, rec.text("virtual_start_time")); err != nil || t.After(c.now) || t.Year() < 1900 {
		return invalid("VirtualStartTime must not be in the future or before 1900: %.40q", c.form.Get("VirtualStartTime"))
	}
	return nil
}

// chooseWorkflow sets the workflow and the queue of a new task from
// WorkflowSid, RoutingTarget or, if neither is given, the only workflow.
// RoutingTarget names a workflow, a queue or a worker by its SID.
// IgnoreCapacity is only valid for a worker.
func (c *call) chooseWorkflow(rec *record) *apiError {
	sid, target := rec.text("workflow_sid"), rec.text("routing_target")
	switch {
	case target == "":
		if rec.flag("ignore_capacity") {
			return invalid("IgnoreCapacity needs a worker as RoutingTarget")
		}
	case strings.HasPrefix(target, "WW"):
		sid = target
	case strings.HasPrefix(target, "WQ") && c.one("task_queues", c.in("sid", target)) != nil:
		rec.set("task_queue_sid", target)
	case strings.HasPrefix(target, "WK") && c.one("workers", c.in("sid", target)) != nil:
	default:
		return invalid("RoutingTarget %.40s is not valid", target)
	}
	var workflow *record
	if sid != "" {
		workflow = c.one("workflows", c.in("sid", sid))
	} else if all := c.where("workflows", c.in()); len(all) == 1 {
		workflow = all[0] // Twilio also defaults to the only workflow
	}
	if workflow == nil && sid == "" && target == "" && rec.text("task_queue_sid") == "" {
		return invalid("Missing required parameter WorkflowSid in the post body")
	}
	if workflow == nil && sid != "" {
		return invalid("WorkflowSid %.40s is not valid", sid)
	}
	if workflow != nil {
		rec.set("workflow_sid", workflow.text("sid"))
		rec.set("workflow_friendly_name", workflow.text("friendly_name"))
		if rec.text("task_queue_sid") == "" {
			return c.follow(workflow, rec)
		}
	}
	return nil
}

// follow puts a task in the queue of the first filter of a workflow that
// matches its attributes, or of the default filter. If there is neither, the
// task is canceled, as
// https://www.twilio.com/docs/taskrouter/workflow-configuration says. Only the
// first target of the filter counts: later ones are for tasks that are not
// accepted in time, and nothing times out here. A target's priority wins over
// the request's, as twilio-go's comment on Priority says.
func (c *call) follow(workflow, task *record) *apiError {
	w, err := readWorkflow(workflow.text("configuration"))
	if err != nil || w.Routing == nil {
		return err
	}
	s := c.taskScope(task)
	target := w.Routing.Default
	for _, f := range w.Routing.Filters {
		e, err := parseExpression(f.Expression)
		if err == nil && e.matches(s) && len(f.Targets) > 0 {
			target = &f.Targets[0]
			break
		}
	}
	if target == nil || target.Queue == "" {
		task.set("assignment_status", "canceled")
		task.set("reason", "Task canceled: no filter of the workflow matches it")
		return nil
	}
	if c.one("task_queues", c.in("sid", target.Queue)) == nil {
		return nil // the queue in the configuration does not exist
	}
	task.set("task_queue_sid", target.Queue)
	if n, err := target.Priority.Int64(); err == nil && n >= 0 {
		task.set("priority", int(n))
	}
	return nil
}

// taskScope returns what a workflow's filters see of a task. An attribute can
// be named with or without "task.".
func (c *call) taskScope(task *record) scope {
	attributes := objectOf(task.text("attributes"))
	return scope{attributes, map[string]any{"task": attributes, "taskrouter": clock(c.now)}}
}

// workerScope returns what a queue's expression sees of a worker: its
// attributes and some of its fields. Attributes win over fields with the same
// name. worker.channel has the worker's channels by their unique names, for
// expressions about capacity.
func (c *call) workerScope(worker *record) scope {
	fields := map[string]any{}
	for _, name := range []string{"sid", "friendly_name", "activity_sid", "activity_name"} {
		fields[name] = worker.get(name)
	}
	channels := map[string]any{}
	for _, wc := range c.where("worker_channels", c.in("worker_sid", worker.text("sid"))) {
		assigned, percentage := c.load(wc)
		channels[wc.text("task_channel_unique_name")] = map[string]any{
			"configured_capacity": wc.number("configured_capacity"), "assigned_tasks": assigned,
			"available_capacity_percentage": percentage,
		}
	}
	attributes := objectOf(worker.text("attributes"))
	whole := map[string]any{"channel": channels}
	for _, from := range []map[string]any{fields, attributes} {
		for k, v := range from {
			whole[k] = v
		}
	}
	fields["worker"], fields["taskrouter"] = whole, clock(c.now)
	return scope{attributes, fields}
}

// objectOf parses a JSON object; anything else gives an empty object.
// Attributes in a state document may be any JSON.
func objectOf(document string) map[string]any {
	m, err := decodeObject([]byte(document))
	if err != nil {
		return map[string]any{}
	}
	return m
}

// chooseChannel resolves TaskChannel, a SID or a unique name, and sets both. A
// create without TaskChannel gets "default", as Twilio does; an update has no
// default.
func (c *call) chooseChannel(rec *record, otherwise string) *apiError {
	name := rec.text("task_channel_unique_name")
	if name == "" {
		name = otherwise
	}
	channel := c.one("task_channels", c.in("unique_name", name))
	if channel == nil {
		channel = c.one("task_channels", c.in("sid", name))
	}
	if channel == nil {
		return invalid("TaskChannel %.40s is not valid", name)
	}
	rec.set("task_channel_sid", channel.text("sid"))
	rec.set("task_channel_unique_name", channel.text("unique_name"))
	return nil
}

// chooseQueue puts a task in the queue it asks for, or else in the first one.
// In a state document a workspace may have no queues; then the task is not in
// one.
func (c *call) chooseQueue(rec *record) *apiError {
	want := c.in()
	sid := rec.text("task_queue_sid")
	if sid != "" {
		want = c.in("sid", sid)
	}
	if q := c.one("task_queues", want); q != nil {
		rec.set("task_queue_sid", q.text("sid"))
		rec.set("task_queue_friendly_name", q.text("friendly_name"))
		return nil
	}
	if sid != "" {
		return invalid("TaskQueueSid %.40s is not valid", sid)
	}
	return nil
}

// A move lists the statuses from which a request may change an item to a given
// status, and the start of the message that refuses any other.
type move struct {
	from    []string
	refusal string
}

// taskMoves are the changes of a task's status, by the new status. They are the
// arrows of https://www.twilio.com/docs/taskrouter/lifecycle-task-state that a
// request can follow. Only reservations make a task pending, reserved or
// assigned. Each message begins like Twilio's.
var taskMoves = map[string]move{
	"canceled":  {[]string{"pending", "reserved"}, "Cannot cancel task %s because it is not pending or reserved"},
	"wrapping":  {[]string{"assigned"}, "Cannot wrap up task %s because it is not currently assigned"},
	"completed": {[]string{"assigned", "wrapping"}, "Cannot complete task %s because it is not currently assigned"},
}

// reservationMoves are the changes of a reservation's status, by the new
// status. See https://www.twilio.com/docs/taskrouter/api/reservations. timeout,
// canceled and rescinded normally come from TaskRouter; here a test can set
// them.
var reservationMoves = map[string]move{
	"accepted":  {[]string{"pending"}, "Cannot accept reservation %s because it is not pending"},
	"rejected":  {[]string{"pending"}, "Cannot reject reservation %s because it is not pending"},
	"timeout":   {[]string{"pending"}, "Cannot time out reservation %s because it is not pending"},
	"canceled":  {[]string{"pending"}, "Cannot cancel reservation %s because it is not pending"},
	"rescinded": {[]string{"pending"}, "Cannot rescind reservation %s because it is not pending"},
	"wrapping":  {[]string{"accepted"}, "Cannot wrap up reservation %s because it is not accepted"},
	"completed": {[]string{"accepted", "wrapping"}, "Cannot complete reservation %s because it is not accepted or wrapping"},
}

// check refuses a change to a status that cannot follow the current one.
func (c *call) check(moves map[string]move, param, sid, was, next string) *apiError {
	m, ok := moves[next]
	if !ok {
		return invalid("Invalid value for parameter %s: %.100q", param, next)
	}
	if !slices.Contains(m.from, was) {
		return invalid(m.refusal+": it is %s", sid, was)
	}
	return nil
}

// updateTask checks an update of a task: its change of status and its
// attributes. TaskRouter does not change a task's status and its attributes in
// one request, so that is refused.
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
	if err := c.checkTask(rec); err != nil {
		return err
	}
	if !c.form.Has("AssignmentStatus") {
		return nil
	}
	next := rec.text("assignment_status")
	if err := c.check(taskMoves, "AssignmentStatus", rec.text("sid"), c.before.text("assignment_status"), next); err != nil {
		return err
	}
	return nil
}

func viewTask(c *call, rec *record, m map[string]any) { m["age"] = c.age(rec) }

// age returns how many seconds ago an item was created. It is zero if the date
// is in the future, as it can be in a state document.
func (c *call) age(rec *record) int {
	t, err := time.Parse(time.RFC3339, rec.text("date_created"))
	if err != nil {
		return 0
	}
	return max(int(c.now.Sub(t)/time.Second), 0)
}

// instructions maps an instruction for a reservation to the status that
// results. The fake assumes that the called party answers at once. An empty
// status leaves the reservation as it is: a supervisor joins without taking it.
var instructions = map[string]string{
	"accept": "accepted", "reject": "rejected", "dequeue": "accepted", "call": "accepted",
	"conference": "accepted", "redirect": "accepted", "supervise": "",
}

// updateReservation checks an update of a reservation and moves the worker to
// the activity that results, if any. call and redirect accept the reservation
// only with CallAccept or RedirectAccept, according to twilio-go. The
// instruction is kept in _instruction, for tests to inspect. An explicit
// ReservationStatus wins over what the instruction implies.
func updateReservation(c *call, rec *record) *apiError {
	next := ""
	if c.form.Has("ReservationStatus") {
		next = rec.text("reservation_status")
	}
	if instruction := c.form.Get("Instruction"); instruction != "" {
		status, ok := instructions[strings.ToLower(instruction)]
		if !ok {
			return invalid("Invalid value for parameter Instruction: %.100q", instruction)
		}
		if param := map[string]string{"call": "CallAccept", "redirect": "RedirectAccept"}[strings.ToLower(instruction)]; param != "" && !strings.EqualFold(c.form.Get(param), "true") {
			status = ""
		}
		if next == "" {
			next = status
		}
		rec.set("_instruction", instruction)
	}
	if next == "" {
		return nil
	}
	if err := c.check(reservationMoves, "ReservationStatus", rec.text("sid"), c.before.text("reservation_status"), next); err != nil {
		return err
	}
	task := c.one("tasks", c.in("sid", rec.text("task_sid")))
	if s := task.status(); next == "accepted" && (s == "completed" || s == "canceled") {
		return invalid("Cannot accept reservation %s because its task is %s", rec.text("sid"), s)
	}
	if err := c.moveWorker(rec, next); err != nil {
		return err
	}
	rec.set("reservation_status", next)
	return nil
}

// status returns the status of a task, or "" if r is nil, so that callers need
// not check the result of a search.
func (r *record) status() string {
	if r == nil {
		return ""
	}
	return r.text("assignment_status")
}

// reservationsFollow updates a task's reservations to match its new status. It
// only moves those that may move to that status; taskFollows then finds the
// task already there, so the two do not call each other endlessly.
func (c *call) reservationsFollow(task *record) {
	next := task.status()
	for _, r := range c.where("reservations", beside(task, "task_sid", task.text("sid"))) {
		if taskMoves[next].from != nil && slices.Contains(reservationMoves[next].from, r.text("reservation_status")) {
			c.set(r, map[string]any{"reservation_status": next})
		}
	}
}

// moveWorker moves a reservation's worker after a rejection, to the activity
// that the request names, or after a timeout, to the workspace's timeout
// activity. It runs before the reservation changes, so that an unknown activity
// refuses the whole request.
func (c *call) moveWorker(rec *record, next string) *apiError {
	sid := ""
	switch next {
	case "rejected":
		sid = c.form.Get("WorkerActivitySid")
	case "timeout":
		if ws := c.workspace(); ws != nil {
			sid = ws.text("timeout_activity_sid")
		}
	}
	worker := c.one("workers", c.in("sid", rec.text("worker_sid")))
	if worker == nil || sid == "" || worker.text("activity_sid") == sid {
		return nil
	}
	moved := worker.clone()
	moved.set("activity_sid", sid)
	if err := c.enterActivity(moved, "WorkerActivitySid"); err != nil {
		return err
	}
	fields := map[string]any{}
	for _, name := range []string{"activity_sid", "activity_name", "available", "date_status_changed"} {
		fields[name] = moved.get(name)
	}
	c.set(worker, fields)
	return nil
}

// taskFollows updates the task of a reservation, and the task's other
// reservations, to match the reservation's new status.
//
// An accepted reservation assigns the task and rescinds the other pending ones.
// The task is wrapping or completed once no other reservation is still at work.
// When the last pending reservation ends without being accepted, the task is
// pending again (https://www.twilio.com/docs/taskrouter/lifecycle-task-state).
func (c *call) taskFollows(rec *record) {
	next := rec.text("reservation_status")
	task := c.one("tasks", beside(rec, "sid", rec.text("task_sid")))
	if task == nil {
		return
	}
	was := task.status()
	others := slices.DeleteFunc(c.where("reservations", beside(rec, "task_sid", task.text("sid"))), func(o *record) bool {
		return o.text("sid") == rec.text("sid")
	})
	still := func(statuses ...string) bool {
		return slices.ContainsFunc(others, func(o *record) bool { return slices.Contains(statuses, o.text("reservation_status")) })
	}
	to := was
	switch next {
	case "pending":
		return
	case "accepted":
		if was != "pending" && was != "reserved" {
			return // a transfer: the task is already assigned
		}
		to = "assigned"
	case "wrapping":
		if was == "assigned" && !still("accepted") {
			to = "wrapping"
		}
	case "completed":
		if (was == "assigned" || was == "wrapping") && !still("accepted", "wrapping") {
			to = "completed"
		}
	default:
		if was == "reserved" && !still("pending") {
			to = "pending"
		}
	}
	if to != was {
		c.set(task, map[string]any{"assignment_status": to})
	}
	for _, o := range others {
		if next == "accepted" && o.text("reservation_status") == "pending" {
			c.set(o, map[string]any{"reservation_status": "rescinded"})
		}
	}
}

// List parameters that look at more than one field.

// parseParam parses an expression in a list parameter. The values of a repeated
// parameter are joined.
func parseParam(param string, values []string) (expression, *apiError) {
	src := strings.Join(values, "")
	e, err := parseExpression(src)
	if err != nil {
		return e, invalid("%s %.100q is not an expression: %v", param, src, err)
	}
	return e, nil
}

// tasksWithStatus accepts a repeated parameter and also, since some callers send
// it, a comma-separated list.
func tasksWithStatus(_ *call, values []string) (func(*record) bool, *apiError) {
	want := strings.Split(strings.Join(values, ","), ",")
	for i, s := range want {
		want[i] = strings.TrimSpace(s)
		if _, ok := taskMoves[want[i]]; !ok && !slices.Contains([]string{"pending", "reserved", "assigned"}, want[i]) {
			return nil, invalid("Invalid value for parameter AssignmentStatus: %.100q", s)
		}
	}
	return func(rec *record) bool { return slices.Contains(want, rec.status()) }, nil
}

// tasksMatching implements the parameter EvaluateTaskAttributes. The expression
// sees the same scope as a workflow's filters.
func tasksMatching(c *call, values []string) (func(*record) bool, *apiError) {
	e, err := parseParam("EvaluateTaskAttributes", values)
	return func(rec *record) bool { return e.matches(c.taskScope(rec)) }, err
}

// tasksWithAddons implements the parameter HasAddons. Add-ons do nothing here;
// the field addons comes from the state.
func tasksWithAddons(_ *call, values []string) (func(*record) bool, *apiError) {
	want, ok := boolean.parse(values)
	if !ok {
		return nil, invalid("Invalid value for parameter HasAddons: %.100q", values[0])
	}
	return func(rec *record) bool {
		addons := rec.text("addons")
		return (addons != "" && addons != "{}") == want
	}, nil
}

// workersAvailable treats true, 1 and yes as true and everything else as false,
// as Twilio does.
func workersAvailable(_ *call, values []string) (func(*record) bool, *apiError) {
	want, _ := boolean.parse(values)
	return func(rec *record) bool { return rec.flag("available") == (want == true) }, nil
}

// workersMatching implements the parameter TargetWorkersExpression. twilio-go's
// comment on the parameter lists the fields that it can use besides attributes;
// workerScope has them.
func workersMatching(c *call, values []string) (func(*record) bool, *apiError) {
	e, err := parseParam("TargetWorkersExpression", values)
	return func(rec *record) bool { return e.matches(c.workerScope(rec)) }, err
}

// workersOfQueue keeps the workers who belong to a queue; field is the queue
// field that the parameter holds. A queue that does not exist gives an empty
// list, not an error.
func workersOfQueue(field string) func(*call, []string) (func(*record) bool, *apiError) {
	return func(c *call, values []string) (func(*record) bool, *apiError) {
		queue := c.one("task_queues", c.in(field, values[0]))
		return func(rec *record) bool { return queue != nil && eligible(queue, c.workerScope(rec)) }, nil
	}
}

// eligible reports whether a worker belongs to a queue. A queue without an
// expression has no workers.
func eligible(queue *record, worker scope) bool {
	e, err := parseExpression(queue.text("target_workers"))
	return err == nil && e.matches(worker)
}

// queuesOfWorker keeps the queues to which a worker belongs. A worker that does
// not exist belongs to no queue.
func queuesOfWorker(c *call, values []string) (func(*record) bool, *apiError) {
	worker := c.one("workers", c.in("sid", values[0]))
	if worker == nil {
		return func(*record) bool { return false }, nil
	}
	s := c.workerScope(worker)
	return func(rec *record) bool { return eligible(rec, s) }, nil
}

// queuesOfWorkers keeps the queues to which a worker with the given attributes
// would belong. The parameter can also be an expression that selects workers. A
// JSON object and an expression cannot be confused, since no expression begins
// with a brace.
func queuesOfWorkers(c *call, values []string) (func(*record) bool, *apiError) {
	if attributes, err := decodeObject([]byte(values[0])); err == nil {
		s := scope{attributes, map[string]any{"worker": attributes, "taskrouter": clock(c.now)}}
		return func(rec *record) bool { return eligible(rec, s) }, nil
	}
	e, err := parseParam("EvaluateWorkerAttributes", values)
	if err != nil {
		return nil, err
	}
	var workers []scope
	for _, w := range c.where("workers", c.in()) {
		if s := c.workerScope(w); e.matches(s) {
			workers = append(workers, s)
		}
	}
	return func(rec *record) bool {
		return slices.ContainsFunc(workers, func(s scope) bool { return eligible(rec, s) })
	}, nil
}
