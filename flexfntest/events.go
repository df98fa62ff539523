package flexfntest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/flexfn/flexfn"
)

// TaskRouterEvent sends an event to the function at path as TaskRouter does:
// as a form signed by Twilio, with EventType and fields. Sid, AccountSid,
// WorkspaceSid and Timestamp get values unless they are in fields. To send an
// event twice, give both the same Sid.
//
//	app.TaskRouterEvent("/events/taskrouter", "reservation.accepted", flexfntest.Params{
//		"TaskSid": "WT00000000000000000000000000000001",
//		"TaskAttributes": map[string]any{"customer": "Ada"},
//	}).OK()
//
// The fake's state is not touched: the event may be about a task that it does
// not have.
func (a *App) TaskRouterEvent(path, eventType string, fields Params) *Answer {
	a.t.Helper()
	all := a.eventFields(eventType, fields)
	return a.CallStudio(path, all)
}

// eventFields adds what each of TaskRouter's events has to fields, which win.
func (a *App) eventFields(eventType string, fields Params) Params {
	now := time.Now()
	all := Params{
		"EventType": eventType, "Sid": "EV" + randomHex(), "AccountSid": a.Config().AccountSID, "WorkspaceSid": a.Config().WorkspaceSID,
		"Timestamp": text(a.t, now.Unix()), "TimestampMs": text(a.t, now.UnixMilli()),
	}
	for k, v := range fields {
		all[k] = v
	}
	return all
}

// StreamEvent sends one event to the function at path as Event Streams does:
// as a JSON array with one CloudEvent, signed by Twilio. data is its data. To
// send an event twice, use [App.StreamEvents].
func (a *App) StreamEvent(path, eventType string, data any) *Answer {
	a.t.Helper()
	return a.StreamEvents(path, CloudEvent("EZ"+randomHex(), eventType, data))
}

// StreamEvents sends a batch of [CloudEvent]s to the function at path, signed
// by Twilio.
func (a *App) StreamEvents(path string, batch ...map[string]any) *Answer {
	a.t.Helper()
	return a.CallStudioJSON(path, batch)
}

// CloudEvent is an event as Event Streams sends it, with the present time.
// Give it the same id twice to have it delivered twice.
func CloudEvent(id, eventType string, data any) map[string]any {
	return map[string]any{
		"specversion": "1.0", "id": id, "type": eventType, "source": "/v1/" + url.PathEscape(eventType),
		"datacontenttype": "application/json", "time": time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), "data": data,
	}
}

// Job is a job that the app has added to its Queue; see [App.Jobs].
type Job struct {
	// Key is the same for jobs that are the same.
	Key string
	// Due is the earliest time at which [App.RunJobs] runs it.
	Due time.Time
	// Body is the job's JSON.
	Body json.RawMessage
}

// jobs is the Queue of an app under test. It runs nothing by itself, so that a
// test can look at what was stored first.
type jobs struct {
	mu   sync.Mutex
	list []Job
}

// Add implements [flexfn.Queue]. A job whose key is there already is dropped,
// as engines may do.
func (q *jobs) Add(_ context.Context, key string, job []byte, due time.Time) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !slices.ContainsFunc(q.list, func(j Job) bool { return j.Key == key }) {
		q.list = append(q.list, Job{key, due, slices.Clone(job)})
	}
	return nil
}

// UseQueue is a change for [New] that gives the app a Queue in memory. Jobs
// run only when the test calls [App.RunJobs].
//
//	app := flexfntest.New(t, flexfntest.UseQueue)
func UseQueue(c *flexfn.Config) { c.Queue = new(jobs) }

// queue returns the Queue of [UseQueue], or stops the test.
func (a *App) queue() *jobs {
	a.t.Helper()
	q, ok := a.Config().Queue.(*jobs)
	if !ok {
		a.t.Fatalf("flexfntest: make the app with flexfntest.UseQueue")
	}
	return q
}

// Jobs lists the jobs in the Queue, in the order in which they were added, the
// failed ones included. It stops the test if the app has no [UseQueue].
func (a *App) Jobs() []Job {
	a.t.Helper()
	q := a.queue()
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Clone(q.list)
}

// RunJobs runs the jobs that are due, including those added in the meantime,
// each once. A job that fails stays in the Queue. It returns how many
// succeeded. In a bubble of testing/synctest, sleep until a job is due.
func (a *App) RunJobs() (done int) {
	a.t.Helper()
	q := a.queue()
	tried := map[string]bool{}
	for {
		q.mu.Lock()
		i := slices.IndexFunc(q.list, func(j Job) bool { return !tried[j.Key] && !j.Due.After(time.Now()) })
		var next Job
		if i >= 0 {
			next = q.list[i]
		}
		q.mu.Unlock()
		if i < 0 {
			return done
		}
		tried[next.Key] = true
		if a.RunJob(a.t.Context(), next.Body) != nil {
			continue
		}
		done++
		q.mu.Lock()
		q.list = slices.DeleteFunc(q.list, func(j Job) bool { return j.Key == next.Key })
		q.mu.Unlock()
	}
}

func randomHex() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
