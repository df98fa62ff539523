package twiliofake

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// taskRouterStatistics are the paths of TaskRouter's statistics; see
// https://www.twilio.com/docs/taskrouter/api/workspace-statistics. Real-time
// figures are counted from the state, cumulative ones from the events.
//
// They are special rows, since their paths do not have items. "realtime"
// describes the present, whatever the period; "cumulative" counts what happened
// in the period, by default the last fifteen minutes.
func taskRouterStatistics() []resource {
	const workspace = "/v1/Workspaces/{workspace_sid}"
	kinds := func(above string) []string {
		return []string{above + "/Statistics", above + "/RealTimeStatistics", above + "/CumulativeStatistics"}
	}
	return []resource{
		{name: "workspace_statistics", host: "taskrouter", can: fetch, special: statistics, paths: kinds(workspace)},
		{name: "workers_statistics", host: "taskrouter", can: fetch, special: statistics, paths: kinds(workspace + "/Workers")},
		{name: "worker_statistics", host: "taskrouter", can: fetch, special: statistics, paths: []string{workspace + "/Workers/{worker_sid}/Statistics"}},
		{name: "workflow_statistics", host: "taskrouter", can: fetch, special: statistics, paths: kinds(workspace + "/Workflows/{workflow_sid}")},
		{name: "task_queue_statistics", host: "taskrouter", can: fetch, special: statistics, paths: kinds(workspace + "/TaskQueues/{task_queue_sid}")},
		{name: "task_queues_statistics", host: "taskrouter", can: fetch, special: queuesStatistics, paths: []string{workspace + "/TaskQueues/Statistics"}},
		{name: "task_queues_bulk_statistics", host: "taskrouter", can: update, json: true, special: bulkStatistics, paths: []string{workspace + "/TaskQueues/RealTimeStatistics"}},
	}
}

// A tally computes the statistics of a workspace or, depending on the path, of
// a queue, a workflow, a worker or all workers. splits are the thresholds of
// SplitByWaitTime, in seconds.
type tally struct {
	*call
	about string // the last collection in the path
	by    string // the field of tasks, and key of events, that must equal sid
	sid   string
	tasks []*record
	// from and to are the period of the cumulative statistics.
	from, to time.Time
	channel  string
	splits   []int
}

// tally reads the parameters of a request for statistics and collects the tasks
// that they are about. TaskChannel can be a SID or a unique name.
func (c *call) tally(about, by, sid string) (*tally, *apiError) {
	t := &tally{call: c, about: about, by: by, sid: sid}
	var err *apiError
	if t.from, t.to, err = c.period(); err != nil {
		return nil, err
	}
	if name := c.query.Get("TaskChannel"); name != "" {
		channel := cmp.Or(c.one("task_channels", c.in("unique_name", name)), c.one("task_channels", c.in("sid", name)))
		if channel == nil {
			return nil, invalid("TaskChannel %.40s is not valid", name)
		}
		t.channel = channel.text("sid")
	}
	for s := range strings.SplitSeq(c.query.Get("SplitByWaitTime"), ",") {
		if s == "" {
			continue
		}
		n, err := strconv.Atoi(strings.TrimSpace(s))
		if err != nil || n < 0 {
			return nil, invalid("Invalid value for parameter SplitByWaitTime: %.100q", c.query.Get("SplitByWaitTime"))
		}
		t.splits = append(t.splits, n)
	}
	want := c.in()
	if by == "task_queue_sid" || by == "workflow_sid" {
		want[by] = sid
	}
	if t.channel != "" {
		want["task_channel_sid"] = t.channel
	}
	t.tasks = c.where("tasks", want)
	return t, nil
}

// statistics answers with both parts, or with the real-time or the cumulative
// part alone, as the path asks. The literal segments of the path say which
// parts, and what about, so that these rows share one function. A single worker
// does not have a real-time part.
func statistics(c *call) (*response, *apiError) {
	about, by := "workspace", ""
	parts := segments(c.node.path())
	for _, s := range parts[3:] {
		if _, isVar := variable(s); !isVar && !strings.HasSuffix(s, "Statistics") {
			about = s
		}
	}
	if vars := c.node.vars; len(vars) > 1 {
		by = vars[1]
	}
	t, err := c.tally(about, by, c.vars[by])
	if err != nil {
		return nil, err
	}
	whole := map[string]any{"account_sid": c.account.text("sid"), "workspace_sid": c.vars["workspace_sid"], "url": c.base() + c.path}
	if by != "" {
		whole[by] = t.sid
	}
	part := map[string]any{}
	switch parts[len(parts)-1] {
	case "RealTimeStatistics":
		part = t.now()
	case "CumulativeStatistics":
		part = t.past()
	default:
		whole["cumulative"] = t.past()
		if by != "worker_sid" {
			whole["realtime"] = t.now()
		}
	}
	for k, v := range part {
		whole[k] = v
	}
	return jsonResponse(http.StatusOK, whole), nil
}

// queuesStatistics answers with the statistics of every queue, or of those with
// a name. The page holds all queues, whatever PageSize says.
func queuesStatistics(c *call) (*response, *apiError) {
	list := []any{}
	for _, q := range c.where("task_queues", c.in()) {
		if name := c.query.Get("FriendlyName"); name != "" && q.text("friendly_name") != name {
			continue
		}
		t, err := c.tally("TaskQueues", "task_queue_sid", q.text("sid"))
		if err != nil {
			return nil, err
		}
		list = append(list, map[string]any{
			"account_sid": c.account.text("sid"), "workspace_sid": c.vars["workspace_sid"], "task_queue_sid": t.sid,
			"realtime": t.now(), "cumulative": t.past(),
		})
	}
	url := c.base() + c.path
	return jsonResponse(http.StatusOK, map[string]any{
		"task_queues_statistics": list,
		"meta": map[string]any{
			"key": "task_queues_statistics", "page": 0, "page_size": max(len(list), defaultPageSize), "url": url,
			"first_page_url": url, "next_page_url": nil, "previous_page_url": nil,
		},
	}), nil
}

// bulkStatistics answers for the queues listed in a JSON body. SIDs that name
// no queue are left out of the answer.
func bulkStatistics(c *call) (*response, *apiError) {
	var body struct {
		Queues []string `json:"TaskQueueSids"`
	}
	if len(c.body) > 0 {
		if err := json.Unmarshal(c.body, &body); err != nil {
			return nil, invalid("The body is not usable: %v", err)
		}
	}
	list := []any{}
	for _, q := range c.where("task_queues", c.in()) {
		if !slices.Contains(body.Queues, q.text("sid")) {
			continue
		}
		t, err := c.tally("TaskQueues", "task_queue_sid", q.text("sid"))
		if err != nil {
			return nil, err
		}
		data := t.now()
		data["task_queue_sid"] = t.sid
		list = append(list, data)
	}
	return jsonResponse(http.StatusOK, map[string]any{
		"account_sid": c.account.text("sid"), "workspace_sid": c.vars["workspace_sid"], "url": c.base() + c.path,
		"task_queue_data": list, "task_queue_response_count": len(list),
	}), nil
}

// now returns the real-time statistics. A workflow has tasks, but not workers.
func (t *tally) now() map[string]any {
	m := map[string]any{}
	if t.about != "Workers" {
		t.countTasks(m)
	}
	if t.about == "Workflows" {
		return m
	}
	workers := t.where("workers", t.in())
	if t.about == "TaskQueues" {
		queue := t.one("task_queues", t.in("sid", t.sid))
		workers = slices.DeleteFunc(workers, func(w *record) bool { return !eligible(queue, t.workerScope(w)) })
		available := 0
		for _, w := range workers {
			if w.flag("available") {
				available++
			}
		}
		m["total_eligible_workers"], m["total_available_workers"] = len(workers), available
	} else {
		m["total_workers"] = len(workers)
	}
	activities := []any{}
	for _, a := range t.where("activities", t.in()) {
		n := 0
		for _, w := range workers {
			if w.text("activity_sid") == a.text("sid") {
				n++
			}
		}
		activities = append(activities, map[string]any{"friendly_name": a.text("friendly_name"), "sid": a.text("sid"), "workers": n})
	}
	m["activity_statistics"] = activities
	return m
}

// countTasks counts the tasks by status and priority, and finds the one that
// has waited longest. Canceled and completed tasks count by status only. Ages
// are in seconds: since the create and, for a queue, since the task entered it.
func (t *tally) countTasks(m map[string]any) {
	statuses := map[string]any{"pending": 0, "reserved": 0, "assigned": 0, "wrapping": 0, "completed": 0, "canceled": 0}
	priorities, total := map[string]any{}, 0
	var longest, relative *record
	var age, inQueue int
	for _, task := range t.tasks {
		status := task.status()
		n, _ := statuses[status].(int)
		statuses[status] = n + 1
		if status != "canceled" && status != "completed" {
			p := strconv.Itoa(task.number("priority"))
			n, _ := priorities[p].(int)
			priorities[p] = n + 1
			total++
		}
		if status != "pending" && status != "reserved" {
			continue
		}
		if a := t.age(task); longest == nil || a > age {
			longest, age = task, a
		}
		entered, err := time.Parse(time.RFC3339, task.text("task_queue_entered_date"))
		if a := int(t.call.now.Sub(entered) / time.Second); err == nil && (relative == nil || a > inQueue) {
			relative, inQueue = task, a
		}
	}
	m["tasks_by_status"], m["tasks_by_priority"], m["total_tasks"] = statuses, priorities, total
	m["longest_task_waiting_age"], m["longest_task_waiting_sid"] = age, sidOf(longest)
	if t.about == "TaskQueues" {
		m["longest_relative_task_age_in_queue"], m["longest_relative_task_sid_in_queue"] = inQueue, sidOf(relative)
	}
}

func sidOf(rec *record) any {
	if rec == nil {
		return nil
	}
	return rec.text("sid")
}

// past returns the cumulative statistics. It is counted from the event log, so
// events that the log has dropped are missing. All durations are in seconds.
func (t *tally) past() map[string]any {
	n := map[string]int{}
	var accepted, canceled, queued durations
	spent := map[string]*durations{}
	for _, e := range t.where("task_router_events", t.in()) {
		data, _ := e.get("event_data").(map[string]any)
		if !within(e, t.from, t.to) || t.by != "" && data[t.by] != t.sid || t.channel != "" && data["task_channel_sid"] != t.channel {
			continue
		}
		kind := e.text("event_type")
		n[kind]++
		age := number(data["task_age"])
		switch kind {
		case "reservation.accepted":
			accepted.add(age)
			queued.add(int(e.number("event_date_ms")/1000) - number(data["task_queue_entered_date"]))
		case "task.canceled":
			canceled.add(age)
		case "worker.activity.update":
			sid, _ := data["worker_previous_activity_sid"].(string)
			if spent[sid] == nil {
				spent[sid] = &durations{}
			}
			spent[sid].add(number(data["worker_time_in_previous_activity"]))
		}
	}
	m := map[string]any{
		"start_time": t.from.Format(time.RFC3339), "end_time": t.to.Format(time.RFC3339),
		"reservations_created": n["reservation.created"], "reservations_accepted": n["reservation.accepted"],
		"reservations_rejected": n["reservation.rejected"], "reservations_timed_out": n["reservation.timeout"],
		"reservations_canceled": n["reservation.canceled"], "reservations_rescinded": n["reservation.rescinded"],
	}
	if t.about == "Workers" {
		activities := []any{}
		for _, a := range t.where("activities", t.in()) {
			d := spent[a.text("sid")]
			if d == nil {
				d = &durations{}
			}
			activity := d.summary()
			activity["sid"], activity["friendly_name"] = a.text("sid"), a.text("friendly_name")
			activities = append(activities, activity)
		}
		m["activity_durations"] = activities
		return m
	}
	m["avg_task_acceptance_time"] = accepted.summary()["avg"]
	m["wait_duration_until_accepted"], m["wait_duration_until_canceled"] = accepted.summary(), canceled.summary()
	m["tasks_canceled"], m["tasks_completed"], m["tasks_deleted"] = n["task.canceled"], n["task.completed"], n["task.deleted"]
	m["tasks_moved"] = n["task-queue.moved"]
	switch t.about {
	case "TaskQueues":
		m["tasks_entered"], m["wait_duration_in_queue_until_accepted"] = n["task-queue.entered"], queued.summary()
	case "Workflows":
		m["tasks_entered"], m["tasks_timed_out_in_workflow"] = n["workflow.entered"], n["workflow.timeout"]
	default:
		m["tasks_created"], m["tasks_timed_out_in_workflow"] = n["task.created"], n["workflow.timeout"]
	}
	splits := map[string]any{}
	for _, s := range t.splits {
		above, below := map[string]any{}, map[string]any{}
		below["reservations_accepted"], above["reservations_accepted"] = accepted.split(s)
		below["tasks_canceled"], above["tasks_canceled"] = canceled.split(s)
		splits[strconv.Itoa(s)] = map[string]any{"above": above, "below": below}
	}
	m["split_by_wait_time"] = splits
	return m
}

// number returns a number from an event's data. All values in an event's data
// are strings.
func number(v any) int {
	s, _ := v.(string)
	n, _ := strconv.Atoi(s)
	return n
}

// durations are times in seconds.
type durations []int

func (d *durations) add(seconds int) { *d = append(*d, seconds) }

// summary returns average, shortest, longest and sum. The average is rounded
// down. Without any durations all figures are zero.
func (d durations) summary() map[string]any {
	if len(d) == 0 {
		return map[string]any{"avg": 0, "min": 0, "max": 0, "total": 0}
	}
	total := 0
	for _, n := range d {
		total += n
	}
	return map[string]any{"avg": total / len(d), "min": slices.Min(d), "max": slices.Max(d), "total": total}
}

// split counts the durations up to a threshold and those above it.
func (d durations) split(threshold int) (below, above int) {
	for _, n := range d {
		if n <= threshold {
			below++
		}
	}
	return below, len(d) - below
}
