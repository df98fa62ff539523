package twiliofake_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twilio/twilio-go/client"
	tr "github.com/twilio/twilio-go/rest/taskrouter/v1"

	"github.com/flexfn/flexfn/twiliofake"
)

const (
	workerOne  = "WK00000000000000000000000000000001"
	workerTwo  = "WK00000000000000000000000000000002"
	everyone   = "WQ00000000000000000000000000000001"
	support    = "WQ00000000000000000000000000000002"
	sales      = "WQ00000000000000000000000000000003"
	anyone     = "WW00000000000000000000000000000001"
	offline    = "WA00000000000000000000000000000001"
	available  = "WA00000000000000000000000000000002"
	onBreak    = "WA00000000000000000000000000000004"
	openTask   = "WT00000000000000000000000000000002"
	closedTask = "WT00000000000000000000000000000001"
)

// refused fails the test unless the error is Twilio's 20001 with this message.
func refused(t *testing.T, err error, says string) {
	t.Helper()
	var refusal *client.TwilioRestError
	if !errors.As(err, &refusal) || refusal.Code != 20001 || refusal.Status != 400 || !strings.Contains(refusal.Message, says) {
		t.Errorf("the error is %v, want 400 with code 20001 that says %q", err, says)
	}
}

func must[T any](t *testing.T) func(T, error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// reserve adds pending reservations of a task to the state, and sets the task's
// status to match.
func reserve(t *testing.T, fake *twiliofake.Twilio, task string, workers ...string) []string {
	t.Helper()
	r, ok := fake.Resource("tasks", task)
	if !ok {
		t.Fatalf("no task %s", task)
	}
	if r["assignment_status"] == "pending" {
		r["assignment_status"] = "reserved"
	}
	if err := fake.SetResource("tasks", r); err != nil {
		t.Fatal(err)
	}
	var sids []string
	for i, w := range workers {
		sid := fmt.Sprintf("WR%s%06x", task[2:28], 0xf0+i)
		if err := fake.SetResource("reservations", twiliofake.Resource{
			"sid": sid, "workspace_sid": workspace, "task_sid": task, "worker_sid": w, "reservation_status": "pending",
		}); err != nil {
			t.Fatal(err)
		}
		sids = append(sids, sid)
	}
	return sids
}

// TestReservationsMoveTheirTask updates reservations in every order that
// matters, and checks the status of the task and of the other reservations.
func TestReservationsMoveTheirTask(t *testing.T) {
	for _, c := range []struct {
		name  string
		moves string // reservation=status
		want  string // the task, then the reservations
	}{
		{"accept", "0=accepted", "assigned accepted rescinded"},
		{"reject one of two", "0=rejected", "reserved rejected pending"},
		{"reject both", "0=rejected 1=rejected", "pending rejected rejected"},
		{"time out and reject", "0=timeout 1=rejected", "pending timeout rejected"},
		{"reject, then accept the other", "0=rejected 1=accepted", "assigned rejected accepted"},
		{"wrap up", "0=accepted 0=wrapping", "wrapping wrapping rescinded"},
		{"complete", "0=accepted 0=wrapping 0=completed", "completed completed rescinded"},
		{"complete at once", "0=accepted 0=completed", "completed completed rescinded"},
		{"cancel the task", "task=canceled", "canceled canceled canceled"},
		{"accept, then wrap up the task", "0=accepted task=wrapping", "wrapping wrapping rescinded"},
		{"accept, then complete the task", "0=accepted task=completed", "completed completed rescinded"},
	} {
		t.Run(c.name, func(t *testing.T) {
			fake := newFake(t)
			api := tr.NewApiService(newClient(fake))
			sids := reserve(t, fake, openTask, workerOne, workerTwo)
			for m := range strings.FieldsSeq(c.moves) {
				who, status, _ := strings.Cut(m, "=")
				var err error
				if who == "task" {
					_, err = api.UpdateTask(workspace, openTask, new(tr.UpdateTaskParams).SetAssignmentStatus(status))
				} else {
					_, err = api.UpdateTaskReservation(workspace, openTask, sids[who[0]-'0'], new(tr.UpdateTaskReservationParams).SetReservationStatus(status))
				}
				if err != nil {
					t.Fatalf("%s: %v", m, err)
				}
			}
			task := must[*tr.TaskrouterV1Task](t)(api.FetchTask(workspace, openTask))
			got := *task.AssignmentStatus
			for _, sid := range sids {
				r := must[*tr.TaskrouterV1TaskReservation](t)(api.FetchTaskReservation(workspace, openTask, sid))
				got += " " + *r.ReservationStatus
			}
			if got != c.want {
				t.Errorf("after %s: %s, want %s", c.moves, got, c.want)
			}
		})
	}
}

// TestTransfers gives an assigned task a second reservation, as a transfer
// does. Whatever happens to that reservation, the task stays assigned while a
// worker has it.
func TestTransfers(t *testing.T) {
	for _, status := range []string{"accepted", "rejected", "timeout", "canceled"} {
		fake := newFake(t)
		api := tr.NewApiService(newClient(fake))
		sid := reserve(t, fake, closedTask, workerTwo)[0]
		must[*tr.TaskrouterV1TaskReservation](t)(api.UpdateTaskReservation(workspace, closedTask, sid, new(tr.UpdateTaskReservationParams).SetReservationStatus(status)))
		if task := must[*tr.TaskrouterV1Task](t)(api.FetchTask(workspace, closedTask)); *task.AssignmentStatus != "assigned" {
			t.Errorf("%s: the task is %s, want assigned", status, *task.AssignmentStatus)
		}
		first := must[*tr.TaskrouterV1TaskReservation](t)(api.FetchTaskReservation(workspace, closedTask, "WR00000000000000000000000000000001"))
		if *first.ReservationStatus != "accepted" {
			t.Errorf("%s: the first reservation is %s, want accepted", status, *first.ReservationStatus)
		}
		if status != "accepted" {
			continue
		}
		done := new(tr.UpdateTaskReservationParams).SetReservationStatus("completed")
		must[*tr.TaskrouterV1TaskReservation](t)(api.UpdateTaskReservation(workspace, closedTask, *first.Sid, done))
		if task := must[*tr.TaskrouterV1Task](t)(api.FetchTask(workspace, closedTask)); *task.AssignmentStatus != "assigned" {
			t.Errorf("one of two completed: the task is %s, want assigned", *task.AssignmentStatus)
		}
		must[*tr.TaskrouterV1TaskReservation](t)(api.UpdateTaskReservation(workspace, closedTask, sid, done))
		if task := must[*tr.TaskrouterV1Task](t)(api.FetchTask(workspace, closedTask)); *task.AssignmentStatus != "completed" {
			t.Errorf("both completed: the task is %s, want completed", *task.AssignmentStatus)
		}
	}
}

func TestReservationRefusals(t *testing.T) {
	fake := newFake(t)
	api := tr.NewApiService(newClient(fake))
	sids := reserve(t, fake, openTask, workerOne, workerTwo)
	move := func(sid, status string) error {
		_, err := api.UpdateTaskReservation(workspace, openTask, sid, new(tr.UpdateTaskReservationParams).SetReservationStatus(status))
		return err
	}
	refused(t, move(sids[0], "wrapping"), "not accepted")
	refused(t, move(sids[0], "completed"), "not accepted or wrapping")
	refused(t, move(sids[0], "pending"), "Invalid value for parameter ReservationStatus")
	if err := move(sids[0], "accepted"); err != nil {
		t.Fatal(err)
	}
	refused(t, move(sids[0], "rejected"), "not pending")
	refused(t, move(sids[1], "accepted"), "rescinded")
	refused(t, func() error {
		_, err := api.UpdateTask(workspace, openTask, new(tr.UpdateTaskParams).SetAssignmentStatus("canceled"))
		return err
	}(), "not pending or reserved")
	// A refused update changes nothing.
	if w, _ := fake.Resource("workers", workerTwo); w["activity_sid"] != offline {
		t.Errorf("the worker is in %v", w["activity_sid"])
	}
}

// TestReservationInstructions accepts reservations by instruction, and checks
// the workers' activities.
func TestReservationInstructions(t *testing.T) {
	for instruction, want := range map[string]string{
		"accept": "accepted", "reject": "rejected", "conference": "accepted", "dequeue": "accepted", "call": "pending", "redirect": "pending", "supervise": "pending",
	} {
		fake := newFake(t)
		api := tr.NewApiService(newClient(fake))
		sid := reserve(t, fake, openTask, workerOne)[0]
		r := must[*tr.TaskrouterV1WorkerReservation](t)(api.UpdateWorkerReservation(workspace, workerOne, sid, new(tr.UpdateWorkerReservationParams).SetInstruction(instruction)))
		if *r.ReservationStatus != want {
			t.Errorf("%s: the reservation is %s, want %s", instruction, *r.ReservationStatus, want)
		}
	}
	fake := newFake(t)
	api := tr.NewApiService(newClient(fake))
	sids := reserve(t, fake, openTask, workerOne, "WK00000000000000000000000000000003")
	must[*tr.TaskrouterV1WorkerReservation](t)(api.UpdateWorkerReservation(workspace, workerOne, sids[0],
		new(tr.UpdateWorkerReservationParams).SetReservationStatus("rejected").SetWorkerActivitySid(onBreak)))
	if w := must[*tr.TaskrouterV1Worker](t)(api.FetchWorker(workspace, workerOne)); *w.ActivityName != "Break" || *w.Available {
		t.Errorf("the worker that rejected is in %s, available %v", *w.ActivityName, *w.Available)
	}
	must[*tr.TaskrouterV1TaskReservation](t)(api.UpdateTaskReservation(workspace, openTask, sids[1], new(tr.UpdateTaskReservationParams).SetReservationStatus("timeout")))
	if w := must[*tr.TaskrouterV1Worker](t)(api.FetchWorker(workspace, "WK00000000000000000000000000000003")); *w.ActivityName != "Offline" {
		t.Errorf("the worker that did not answer is in %s, want the timeout activity", *w.ActivityName)
	}
}

// TestTaskBounds checks the limits of a task's numbers, dates and text.
func TestTaskBounds(t *testing.T) {
	fake := newFake(t)
	tasks := taskrouter + "/Tasks"
	for _, form := range []string{
		"Priority=-3", "Timeout=-5", "Timeout=1209601", "Priority=2147483648", "VirtualStartTime=2999-01-01T00:00:00Z",
		"VirtualStartTime=1899-12-31T00:00:00Z", "RoutingTarget=WKnone", "RoutingTarget=XX", "IgnoreCapacity=true",
		"Attributes=%7B%22a%22%3A%22" + strings.Repeat("x", 4096) + "%22%7D",
	} {
		ask(t, fake, "POST", tasks, form).want(t, 400, "code", 20001)
	}
	for _, form := range []string{"Priority=-1", "VirtualStartTime=2999-01-01T00:00:00Z"} {
		ask(t, fake, "POST", task, form).want(t, 400, "code", 20001)
	}
	ask(t, fake, "POST", tasks, "Timeout=1209600&Priority=2147483647&VirtualStartTime=2020-01-01T00:00:00Z&RoutingTarget="+workerOne+"&IgnoreCapacity=true").
		want(t, 201, "timeout", 1209600, "virtual_start_time", "2020-01-01T00:00:00Z")
	ask(t, fake, "POST", tasks, "RoutingTarget="+sales).want(t, 201, "task_queue_sid", sales)
	ask(t, fake, "POST", taskrouter+"/Workflows/"+anyone, "TaskReservationTimeout=86401").want(t, 400, "code", 20001)
}

// TestWorkflowChoosesQueue creates tasks with attributes for each filter.
func TestWorkflowChoosesQueue(t *testing.T) {
	fake := newFake(t)
	api := tr.NewApiService(newClient(fake))
	configuration := `{"task_routing":{"filters":[
		{"filter_friendly_name":"sales","expression":"task.type == 'sales' AND level > 1","targets":[{"queue":"` + sales + `","priority":"7","timeout":30},{"queue":"` + everyone + `"}]},
		{"expression":"type IN ['support','sales']","targets":[{"queue":"` + support + `","expression":"worker.languages HAS task.language","order_by":"worker.level DESC","skip_if":"workers.available == 0"}]}
	],"default_filter":{"queue":"` + everyone + `"}}}`
	w := must[*tr.TaskrouterV1Workflow](t)(api.CreateWorkflow(workspace, new(tr.CreateWorkflowParams).SetFriendlyName("By type").SetConfiguration(configuration)))
	create := func(attributes string) *tr.TaskrouterV1Task {
		t.Helper()
		return must[*tr.TaskrouterV1Task](t)(api.CreateTask(workspace, new(tr.CreateTaskParams).SetWorkflowSid(*w.Sid).SetAttributes(attributes)))
	}
	for attributes, want := range map[string]string{
		`{"type":"sales","level":2}`: "Sales", `{"type":"sales"}`: "Support", `{"type":"support","level":9}`: "Support", `{}`: "Everyone",
	} {
		task := create(attributes)
		if *task.TaskQueueFriendlyName != want || *task.WorkflowFriendlyName != "By type" {
			t.Errorf("%s goes to %s of %s, want %s", attributes, *task.TaskQueueFriendlyName, *task.WorkflowFriendlyName, want)
		}
		if want == "Sales" && task.Priority != 7 {
			t.Errorf("the priority is %d, want the target's 7", task.Priority)
		}
	}
	_, err := api.UpdateWorkflow(workspace, *w.Sid, new(tr.UpdateWorkflowParams).SetConfiguration(strings.Replace(configuration, `,"default_filter":{"queue":"`+everyone+`"}`, "", 1)))
	if err != nil {
		t.Fatal(err)
	}
	if task := create(`{}`); *task.AssignmentStatus != "canceled" {
		t.Errorf("a task that no filter takes is %s, want canceled", *task.AssignmentStatus)
	}
	for broken, says := range map[string]string{
		`{"task_routing":{"filters":[{"expression":"my-type == 1","targets":[{"queue":"WQ1"}]}]}}`:         "extraneous input '-'",
		`{"task_routing":{"filters":[{"expression":"1==1","targets":[{"expression":"1==1"}]}]}}`:           "no queue",
		`{"task_routing":{"filters":[{"targets":[{"queue":"WQ1","expression":"worker.a HAS"}]}]}}`:         "not an expression",
		`{"task_routing":{"filters":[{"targets":[{"queue":"WQ1","order_by":"worker.a SIDEWAYS"}]}]}}`:      "ASC or DESC",
		`{"task_routing":{"filters":[{"targets":[{"queue":"WQ1","skip_if":"workers.available === 0"}]}]}}`: "skip_if",
		`{"task_routing":{"filters":{}}}`: "not one of a workflow",
	} {
		_, err := api.UpdateWorkflow(workspace, *w.Sid, new(tr.UpdateWorkflowParams).SetConfiguration(broken))
		refused(t, err, says)
	}
	_, err = api.CreateTaskQueue(workspace, new(tr.CreateTaskQueueParams).SetFriendlyName("broken").SetTargetWorkers("skills HAS"))
	refused(t, err, "TargetWorkers")
}

// TestTaskRouterLists filters and orders lists by more than the values of
// fields.
func TestTaskRouterLists(t *testing.T) {
	fake := newFake(t)
	api := tr.NewApiService(newClient(fake))
	for i, attributes := range []string{`{"call_sid":"CA7","n":1}`, `{"call_sid":"CA8","n":2,"addons":1}`} {
		must[*tr.TaskrouterV1Task](t)(api.CreateTask(workspace, new(tr.CreateTaskParams).SetAttributes(attributes).SetPriority(i+1).SetWorkflowSid(anyone)))
	}
	tasks := func(p *tr.ListTaskParams) string {
		t.Helper()
		var got []string
		for _, task := range must[[]tr.TaskrouterV1Task](t)(api.ListTask(workspace, p)) {
			got = append(got, *task.AssignmentStatus+fmt.Sprint(task.Priority))
		}
		return strings.Join(got, " ")
	}
	list := func() *tr.ListTaskParams { return new(tr.ListTaskParams) }
	for what, c := range map[string][2]string{
		"one status":           {tasks(list().SetAssignmentStatus([]string{"assigned"})), "assigned0"},
		"two statuses":         {tasks(list().SetAssignmentStatus([]string{"assigned", "pending"})), "assigned0 pending0 pending1 pending2"},
		"a list of statuses":   {tasks(list().SetAssignmentStatus([]string{"assigned,pending"})), "assigned0 pending0 pending1 pending2"},
		"attributes":           {tasks(list().SetEvaluateTaskAttributes("call_sid = 'CA8'")), "pending2"},
		"a nested attribute":   {tasks(list().SetEvaluateTaskAttributes("conference.sid == 'CF00000000000000000000000000000001'")), "assigned0"},
		"ordered":              {tasks(list().SetOrdering("Priority:desc,DateCreated:asc").SetAssignmentStatus([]string{"pending"})), "pending2 pending1 pending0"},
		"without addons":       {tasks(list().SetHasAddons(false).SetPriority(2)), "pending2"},
		"with addons":          {tasks(list().SetHasAddons(true)), ""},
		"of a workflow's name": {tasks(list().SetWorkflowName("Assign to Anyone").SetPriority(1)), "pending1"},
		"over pages":           {tasks(list().SetPageSize(1).SetOrdering("Priority:desc")), "pending2 pending1 assigned0 pending0"},
	} {
		if c[0] != c[1] {
			t.Errorf("tasks %s: %q, want %q", what, c[0], c[1])
		}
	}
	workers := func(p *tr.ListWorkerParams) string {
		t.Helper()
		var got []string
		for _, w := range must[[]tr.TaskrouterV1Worker](t)(api.ListWorker(workspace, p)) {
			name, _, _ := strings.Cut(*w.FriendlyName, "@")
			got = append(got, name)
		}
		return strings.Join(got, " ")
	}
	from := func() *tr.ListWorkerParams { return new(tr.ListWorkerParams) }
	for what, c := range map[string][2]string{
		"by attribute":  {workers(from().SetTargetWorkersExpression("routing.skills HAS 'sales' AND email != 'admin@example.com'")), "agent2"},
		"by name":       {workers(from().SetTargetWorkersExpression("friendly_name IN ['agent@example.com'] AND activity_name == 'Available'")), "agent"},
		"by channel":    {workers(from().SetTargetWorkersExpression("worker.channel.chat.configured_capacity > 2 AND worker.channel.voice.assigned_tasks > 0")), "agent"},
		"of a queue":    {workers(from().SetTaskQueueSid(support)), "agent supervisor"},
		"of its name":   {workers(from().SetTaskQueueName("Sales")), "agent2 admin"},
		"of no queue":   {workers(from().SetTaskQueueName("None")), ""},
		"not available": {workers(from().SetAvailable("whatever")), "agent2 admin"},
		"ordered":       {workers(from().SetOrdering("FriendlyName:desc")), "supervisor agent agent2 admin"},
	} {
		if c[0] != c[1] {
			t.Errorf("workers %s: %q, want %q", what, c[0], c[1])
		}
	}
	queues := func(p *tr.ListTaskQueueParams) string {
		t.Helper()
		var got []string
		for _, q := range must[[]tr.TaskrouterV1TaskQueue](t)(api.ListTaskQueue(workspace, p)) {
			got = append(got, *q.FriendlyName)
		}
		return strings.Join(got, " ")
	}
	of := func() *tr.ListTaskQueueParams { return new(tr.ListTaskQueueParams) }
	for what, c := range map[string][2]string{
		"of a worker":     {queues(of().SetWorkerSid(workerTwo)), "Everyone Sales"},
		"of no worker":    {queues(of().SetWorkerSid("WKnone")), ""},
		"of attributes":   {queues(of().SetEvaluateWorkerAttributes(`{"routing":{"skills":["support","sales"]}}`)), "Everyone Support Sales"},
		"of an attribute": {queues(of().SetEvaluateWorkerAttributes("email == 'agent@example.com'")), "Everyone Support"},
		"ordered":         {queues(of().SetOrdering("FriendlyName:desc")), "Support Sales Everyone"},
	} {
		if c[0] != c[1] {
			t.Errorf("queues %s: %q, want %q", what, c[0], c[1])
		}
	}
	for _, query := range []string{
		"/Tasks?EvaluateTaskAttributes=a-b", "/Tasks?Ordering=Color:asc", "/Tasks?Ordering=Priority:up", "/Tasks?HasAddons=perhaps", "/Tasks?AssignmentStatus=gone",
		"/Workers?TargetWorkersExpression=x", "/TaskQueues?EvaluateWorkerAttributes=x",
	} {
		ask(t, fake, "GET", taskrouter+query, "").want(t, 400, "code", 20001)
	}
}

// TestRenames renames resources whose names are stored in other items.
func TestRenames(t *testing.T) {
	fake := newFake(t)
	api := tr.NewApiService(newClient(fake))
	must[*tr.TaskrouterV1TaskQueue](t)(api.UpdateTaskQueue(workspace, everyone, new(tr.UpdateTaskQueueParams).SetFriendlyName("All").SetAssignmentActivitySid(available)))
	must[*tr.TaskrouterV1Workflow](t)(api.UpdateWorkflow(workspace, anyone, new(tr.UpdateWorkflowParams).SetFriendlyName("W")))
	must[*tr.TaskrouterV1Activity](t)(api.UpdateActivity(workspace, available, new(tr.UpdateActivityParams).SetFriendlyName("Ready")))
	must[*tr.TaskrouterV1Activity](t)(api.UpdateActivity(workspace, offline, new(tr.UpdateActivityParams).SetFriendlyName("Away")))
	must[*tr.TaskrouterV1Worker](t)(api.UpdateWorker(workspace, workerOne, new(tr.UpdateWorkerParams).SetFriendlyName("one")))
	for url, want := range map[string][2]string{
		taskrouter:                                                {"default_activity_name", "Away"},
		taskrouter + "/TaskQueues/" + everyone:                    {"assignment_activity_name", "Ready"},
		taskrouter + "/Workers/" + workerOne:                      {"activity_name", "Ready"},
		taskrouter + "/Workers/" + workerTwo:                      {"activity_name", "Away"},
		task + "/Reservations/WR00000000000000000000000000000001": {"worker_name", "one"},
	} {
		ask(t, fake, "GET", url, "").want(t, 200, want[0], want[1])
	}
	ask(t, fake, "GET", task, "").want(t, 200, "task_queue_friendly_name", "All", "workflow_friendly_name", "W")
	if n := len(ask(t, fake, "GET", taskrouter+"/Workers?ActivityName=Ready", "").items(t, "workers")); n != 2 {
		t.Errorf("%d workers are Ready, want 2", n)
	}
}

func TestActivities(t *testing.T) {
	fake := newFake(t)
	api := tr.NewApiService(newClient(fake))
	refused(t, api.DeleteActivity(workspace, available), "is in it")
	must[*tr.TaskrouterV1Worker](t)(api.UpdateWorker(workspace, workerTwo, new(tr.UpdateWorkerParams).SetActivitySid(onBreak)))
	must[*tr.TaskrouterV1Worker](t)(api.UpdateWorker(workspace, "WK00000000000000000000000000000004", new(tr.UpdateWorkerParams).SetActivitySid(onBreak)))
	refused(t, api.DeleteActivity(workspace, offline), "default or timeout")
	ask(t, fake, "POST", taskrouter+"/Activities/"+onBreak, "Available=true&FriendlyName=Rest").want(t, 200, "available", false, "friendly_name", "Rest")

	// A worker who moves to an unavailable activity can reject pending
	// reservations.
	sid := reserve(t, fake, openTask, workerOne)[0]
	_, err := api.UpdateWorker(workspace, workerOne, new(tr.UpdateWorkerParams).SetRejectPendingReservations(true))
	refused(t, err, "not available")
	must[*tr.TaskrouterV1Worker](t)(api.UpdateWorker(workspace, workerOne, new(tr.UpdateWorkerParams).SetActivitySid(onBreak)))
	ask(t, fake, "GET", taskrouter+"/Workers/"+workerOne+"/Reservations/"+sid, "").want(t, 200, "reservation_status", "pending")
	must[*tr.TaskrouterV1Worker](t)(api.UpdateWorker(workspace, workerOne, new(tr.UpdateWorkerParams).SetActivitySid(onBreak).SetRejectPendingReservations(true)))
	ask(t, fake, "GET", taskrouter+"/Workers/"+workerOne+"/Reservations/"+sid, "").want(t, 200, "reservation_status", "rejected")
	ask(t, fake, "GET", taskrouter+"/Tasks/"+openTask, "").want(t, 200, "assignment_status", "pending")
}

// TestTaskChannels adds a channel to a workspace that has workers, and removes
// it.
func TestTaskChannels(t *testing.T) {
	fake := newFake(t)
	api := tr.NewApiService(newClient(fake))
	mail := must[*tr.TaskrouterV1TaskChannel](t)(api.CreateTaskChannel(workspace, new(tr.CreateTaskChannelParams).SetFriendlyName("Mail").SetUniqueName("mail")))
	wc := must[*tr.TaskrouterV1WorkerChannel](t)(api.UpdateWorkerChannel(workspace, workerTwo, "mail", new(tr.UpdateWorkerChannelParams).SetCapacity(3)))
	if wc.ConfiguredCapacity != 3 || wc.AvailableCapacityPercentage != 100 {
		t.Errorf("the channel is %+v", wc)
	}
	made := must[*tr.TaskrouterV1Task](t)(api.CreateTask(workspace, new(tr.CreateTaskParams).SetTaskChannel("mail").SetWorkflowSid(anyone)))
	for _, c := range []struct {
		status               string
		assigned, percentage int
	}{{"pending", 0, 66}, {"accepted", 1, 66}, {"wrapping", 0, 66}, {"completed", 0, 100}} {
		if c.status == "pending" {
			reserve(t, fake, *made.Sid, workerTwo)
		} else {
			r := must[[]tr.TaskrouterV1TaskReservation](t)(api.ListTaskReservation(workspace, *made.Sid, nil))[0]
			must[*tr.TaskrouterV1TaskReservation](t)(api.UpdateTaskReservation(workspace, *made.Sid, *r.Sid, new(tr.UpdateTaskReservationParams).SetReservationStatus(c.status)))
		}
		wc := must[*tr.TaskrouterV1WorkerChannel](t)(api.FetchWorkerChannel(workspace, workerTwo, "mail"))
		if wc.AssignedTasks != c.assigned || wc.AvailableCapacityPercentage != c.percentage {
			t.Errorf("%s: %d assigned, %d %% left, want %d and %d", c.status, wc.AssignedTasks, wc.AvailableCapacityPercentage, c.assigned, c.percentage)
		}
	}
	if err := api.DeleteTaskChannel(workspace, *mail.Sid); err != nil {
		t.Fatal(err)
	}
	if _, err := api.FetchWorkerChannel(workspace, workerTwo, "mail"); err == nil {
		t.Error("the worker still has the channel")
	}
}

// TestTaskRouterEvents follows one task from creation to deletion and reads the
// events that the Events API reports.
func TestTaskRouterEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t)
		api := tr.NewApiService(newClient(fake))
		start := time.Now()
		task := must[*tr.TaskrouterV1Task](t)(api.CreateTask(workspace, new(tr.CreateTaskParams).SetWorkflowSid(anyone).SetAttributes(`{"a":1}`)))
		sids := reserve(t, fake, *task.Sid, workerOne, workerTwo)
		time.Sleep(20 * time.Second)
		move := func(status string) {
			t.Helper()
			must[*tr.TaskrouterV1TaskReservation](t)(api.UpdateTaskReservation(workspace, *task.Sid, sids[0], new(tr.UpdateTaskReservationParams).SetReservationStatus(status)))
		}
		move("accepted")
		must[*tr.TaskrouterV1Task](t)(api.UpdateTask(workspace, *task.Sid, new(tr.UpdateTaskParams).SetAttributes(`{"a":2}`)))
		move("wrapping")
		time.Sleep(time.Minute)
		must[*tr.TaskrouterV1Task](t)(api.UpdateTask(workspace, *task.Sid, new(tr.UpdateTaskParams).SetAssignmentStatus("completed").SetReason("done")))
		must[*tr.TaskrouterV1Worker](t)(api.UpdateWorker(workspace, workerOne, new(tr.UpdateWorkerParams).SetActivitySid(onBreak)))
		must[*tr.TaskrouterV1WorkerChannel](t)(api.UpdateWorkerChannel(workspace, workerOne, "chat", new(tr.UpdateWorkerChannelParams).SetCapacity(9).SetAvailable(false)))
		if err := api.DeleteTask(workspace, *task.Sid, nil); err != nil {
			t.Fatal(err)
		}

		types := func(p *tr.ListEventParams) (got []string) {
			t.Helper()
			for _, e := range must[[]tr.TaskrouterV1Event](t)(api.ListEvent(workspace, p)) {
				got = append(got, *e.EventType)
			}
			return got
		}
		all := []string{
			"task.created", "workflow.entered", "task-queue.entered", "workflow.target-matched", "reservation.accepted", "reservation.rescinded",
			"task.updated", "reservation.wrapup", "task.wrapup", "task.completed", "reservation.completed",
			"worker.activity.update", "worker.capacity.update", "worker.channel.availability.update", "task.deleted",
		}
		list := func() *tr.ListEventParams { return new(tr.ListEventParams) }
		if got := types(list()); !slices.Equal(got, all) {
			t.Errorf("the events are %v, want %v", got, all)
		}
		if got := types(list().SetPageSize(4)); !slices.Equal(got, all) {
			t.Errorf("over pages the events are %v", got)
		}
		for what, c := range map[string]struct {
			p    *tr.ListEventParams
			want int
		}{
			"of the task": {list().SetTaskSid(*task.Sid), 12}, "of a reservation": {list().SetReservationSid(sids[1]), 1},
			"of a worker": {list().SetWorkerSid(workerOne), 6}, "of the queue": {list().SetTaskQueueSid(everyone), 12},
			"of the workflow": {list().SetWorkflowSid(anyone), 12}, "of a channel": {list().SetTaskChannel("chat"), 2},
			"of a type": {list().SetEventType("task.completed"), 1}, "of the last minute": {list().SetMinutes(1), 11},
			"before": {list().SetEndDate(start.Add(-time.Minute)).SetStartDate(start.Add(-time.Hour)), 0},
			"first":  {list().SetStartDate(start).SetEndDate(start.Add(10 * time.Second)), 4},
		} {
			if got := types(c.p); len(got) != c.want {
				t.Errorf("%s: %d events, want %d: %v", what, len(got), c.want, got)
			}
		}
		e := must[[]tr.TaskrouterV1Event](t)(api.ListEvent(workspace, list().SetEventType("reservation.accepted")))[0]
		data := (*e.EventData).(map[string]any)
		for k, want := range map[string]string{
			"task_sid": *task.Sid, "task_attributes": `{"a":1}`, "task_age": "20", "worker_sid": workerOne, "reservation_sid": sids[0],
			"workspace_name": "Flex Task Assignment", "task_queue_name": "Everyone", "worker_activity_name": "Available",
		} {
			if data[k] != want {
				t.Errorf("%s of the event is %v, want %s", k, data[k], want)
			}
		}
		one := must[*tr.TaskrouterV1Event](t)(api.FetchEvent(workspace, *e.Sid))
		if !strings.HasPrefix(*one.Sid, "EV") || *one.ResourceSid != sids[0] || *one.ResourceType != "reservation" ||
			*one.EventDateMs != start.Add(20*time.Second).UnixMilli() || !strings.HasSuffix(*one.Url, "/Events/"+*one.Sid) {
			t.Errorf("the event is %+v", one)
		}
		if got := must[[]tr.TaskrouterV1Event](t)(api.ListEvent(workspace, list().SetSid(*one.Sid))); len(got) != 1 {
			t.Errorf("%d events with the SID", len(got))
		}
		time.Sleep(15*time.Minute + time.Second)
		if got := types(list()); len(got) != 0 {
			t.Errorf("after a quarter of an hour the list still shows %v", got)
		}
		_, err := api.ListEvent(workspace, list().SetMinutes(5).SetStartDate(start))
		refused(t, err, "Minutes")
		// Events are part of the state.
		state := fake.State()
		if err := fake.SetState(state); err != nil {
			t.Fatal(err)
		}
		if got := types(list().SetMinutes(60)); !slices.Equal(got, all) {
			t.Errorf("after save and load the events are %v", got)
		}
	})
}

// TestStatistics compares the statistics with the requests that were made.
func TestStatistics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t)
		api := tr.NewApiService(newClient(fake))
		before := must[*tr.TaskrouterV1WorkspaceRealTimeStatistics](t)(api.FetchWorkspaceRealTimeStatistics(workspace, nil))
		var tasks []string
		for range 3 {
			task := must[*tr.TaskrouterV1Task](t)(api.CreateTask(workspace, new(tr.CreateTaskParams).SetWorkflowSid(anyone).SetTaskChannel("sms").SetPriority(4)))
			tasks = append(tasks, *task.Sid)
		}
		sid := reserve(t, fake, tasks[0], workerOne)[0]
		time.Sleep(30 * time.Second)
		for _, status := range []string{"accepted", "completed"} {
			must[*tr.TaskrouterV1TaskReservation](t)(api.UpdateTaskReservation(workspace, tasks[0], sid, new(tr.UpdateTaskReservationParams).SetReservationStatus(status)))
		}
		must[*tr.TaskrouterV1Task](t)(api.UpdateTask(workspace, tasks[1], new(tr.UpdateTaskParams).SetAssignmentStatus("canceled")))
		must[*tr.TaskrouterV1Worker](t)(api.UpdateWorker(workspace, workerOne, new(tr.UpdateWorkerParams).SetActivitySid(onBreak)))

		now := must[*tr.TaskrouterV1WorkspaceRealTimeStatistics](t)(api.FetchWorkspaceRealTimeStatistics(workspace, nil))
		if now.TotalTasks != before.TotalTasks+1 || now.TotalWorkers != 4 {
			t.Errorf("%d tasks and %d workers, want %d and 4", now.TotalTasks, now.TotalWorkers, before.TotalTasks+1)
		}
		if got := fmt.Sprint(*now.TasksByPriority); got != "map[0:2 4:1]" {
			t.Errorf("tasks by priority: %s", got)
		}
		sms := must[*tr.TaskrouterV1WorkspaceRealTimeStatistics](t)(api.FetchWorkspaceRealTimeStatistics(workspace, new(tr.FetchWorkspaceRealTimeStatisticsParams).SetTaskChannel("sms")))
		if got := fmt.Sprint(*sms.TasksByStatus); got != "map[assigned:0 canceled:1 completed:1 pending:1 reserved:0 wrapping:0]" {
			t.Errorf("tasks by status: %s", got)
		}
		if *sms.LongestTaskWaitingSid != tasks[2] || sms.LongestTaskWaitingAge != 30 {
			t.Errorf("the longest waits %s, %d s", *sms.LongestTaskWaitingSid, sms.LongestTaskWaitingAge)
		}
		past := must[*tr.TaskrouterV1WorkspaceCumulativeStatistics](t)(api.FetchWorkspaceCumulativeStatistics(workspace, new(tr.FetchWorkspaceCumulativeStatisticsParams).SetSplitByWaitTime("10,60")))
		if past.TasksCreated != 3 || past.TasksCanceled != 1 || past.TasksCompleted != 1 || past.ReservationsAccepted != 1 || past.AvgTaskAcceptanceTime != 30 {
			t.Errorf("the workspace's past is %+v", past)
		}
		if got := fmt.Sprint((*past.SplitByWaitTime).(map[string]any)["10"].(map[string]any)["above"]); got != "map[reservations_accepted:1 tasks_canceled:1]" {
			t.Errorf("split: %s", got)
		}
		queue := must[*tr.TaskrouterV1TaskQueueRealTimeStatistics](t)(api.FetchTaskQueueRealTimeStatistics(workspace, support, nil))
		if queue.TotalEligibleWorkers != 2 || queue.TotalAvailableWorkers != 1 || queue.TotalTasks != 0 {
			t.Errorf("the queue is %+v", queue)
		}
		queuePast := must[*tr.TaskrouterV1TaskQueueCumulativeStatistics](t)(api.FetchTaskQueueCumulativeStatistics(workspace, everyone, nil))
		if queuePast.TasksEntered != 3 || queuePast.TasksCanceled != 1 || fmt.Sprint(*queuePast.WaitDurationInQueueUntilAccepted) != "map[avg:30 max:30 min:30 total:30]" {
			t.Errorf("the queue's past is %+v", queuePast)
		}
		flow := must[*tr.TaskrouterV1WorkflowCumulativeStatistics](t)(api.FetchWorkflowCumulativeStatistics(workspace, anyone, nil))
		if flow.TasksEntered != 3 || flow.TasksCompleted != 1 {
			t.Errorf("the workflow's past is %+v", flow)
		}
		workers := must[*tr.TaskrouterV1WorkersCumulativeStatistics](t)(api.FetchWorkersCumulativeStatistics(workspace, nil))
		if workers.ReservationsAccepted != 1 || len(*workers.ActivityDurations) != 4 {
			t.Errorf("the workers' past is %+v", workers)
		}
		if got := must[*tr.TaskrouterV1WorkersRealTimeStatistics](t)(api.FetchWorkersRealTimeStatistics(workspace, nil)); got.TotalWorkers != 4 || len(*got.ActivityStatistics) != 4 {
			t.Errorf("the workers are %+v", got)
		}
		one := must[*tr.TaskrouterV1WorkerInstanceStatistics](t)(api.FetchWorkerInstanceStatistics(workspace, workerTwo, nil))
		if got := (*one.Cumulative).(map[string]any)["reservations_accepted"]; fmt.Sprint(got) != "0" || *one.WorkerSid != workerTwo {
			t.Errorf("worker %s accepted %v", *one.WorkerSid, got)
		}
		must[*tr.TaskrouterV1WorkspaceStatistics](t)(api.FetchWorkspaceStatistics(workspace, nil))
		must[*tr.TaskrouterV1WorkerStatistics](t)(api.FetchWorkerStatistics(workspace, nil))
		must[*tr.TaskrouterV1WorkflowRealTimeStatistics](t)(api.FetchWorkflowRealTimeStatistics(workspace, anyone, nil))
		must[*tr.TaskrouterV1WorkflowStatistics](t)(api.FetchWorkflowStatistics(workspace, anyone, nil))
		must[*tr.TaskrouterV1TaskQueueStatistics](t)(api.FetchTaskQueueStatistics(workspace, everyone, nil))
		if all := must[[]tr.TaskrouterV1TaskQueuesStatistics](t)(api.ListTaskQueuesStatistics(workspace, nil)); len(all) != 3 {
			t.Errorf("statistics of %d queues, want 3", len(all))
		}
		if some := must[[]tr.TaskrouterV1TaskQueuesStatistics](t)(api.ListTaskQueuesStatistics(workspace, new(tr.ListTaskQueuesStatisticsParams).SetFriendlyName("Sales"))); len(some) != 1 {
			t.Errorf("statistics of %d queues, want 1", len(some))
		}
		bulk := must[*tr.TaskrouterV1TaskQueueBulkRealTimeStatistics](t)(api.CreateTaskQueueBulkRealTimeStatistics(workspace,
			new(tr.CreateTaskQueueBulkRealTimeStatisticsParams).SetBody(map[string]any{"TaskQueueSids": []string{sales, support}})))
		if bulk.TaskQueueResponseCount != 2 || len(*bulk.TaskQueueData) != 2 {
			t.Errorf("the bulk answer is %+v", bulk)
		}
		time.Sleep(time.Hour)
		past = must[*tr.TaskrouterV1WorkspaceCumulativeStatistics](t)(api.FetchWorkspaceCumulativeStatistics(workspace, nil))
		if past.TasksCreated != 0 {
			t.Errorf("an hour later %d tasks were created in the last quarter", past.TasksCreated)
		}
		past = must[*tr.TaskrouterV1WorkspaceCumulativeStatistics](t)(api.FetchWorkspaceCumulativeStatistics(workspace, new(tr.FetchWorkspaceCumulativeStatisticsParams).SetMinutes(90)))
		if past.TasksCreated != 3 {
			t.Errorf("%d tasks were created in 90 minutes, want 3", past.TasksCreated)
		}
	})
	fake := newFake(t)
	ask(t, fake, "GET", taskrouter+"/Statistics?TaskChannel=none", "").want(t, 400, "code", 20001)
	ask(t, fake, "GET", taskrouter+"/Workers/WKnone/Statistics", "").want(t, 404, "code", 20404)
	ask(t, fake, "GET", taskrouter+"/CumulativeStatistics?SplitByWaitTime=soon", "").want(t, 400, "code", 20001)
}
