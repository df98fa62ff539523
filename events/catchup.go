package events

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/flexfn/flexfn/internal/claim"
	"github.com/flexfn/flexfn/twilioapi"
	taskrouter "github.com/twilio/twilio-go/rest/taskrouter/v1"
)

const (
	firstLook   = 15 * time.Minute // how far back the first call looks
	overlap     = 2 * time.Minute  // how far calls overlap, for events that TaskRouter lists late
	longestLook = 23 * time.Hour   // how far back any call looks; records last a day
	maxCaughtUp = 10_000           // the most events of one call
	catchUpTime = time.Minute
	cursorsKept = 30 * 24 * time.Hour
)

// CatchUp fetches from TaskRouter's Events API what has happened since its last
// call, or in the last 15 minutes the first time, and delivers it to the app's
// [TaskRouter] functions. Listeners that have succeeded for an event do not run
// again. CatchUp returns the number of events for which a listener ran.
//
// Call it every minute on every instance, with a ctx from [flexfn.App.Context].
// Only one instance works at a time; on the others, CatchUp returns at once. It
// works for at most a minute, and the next call continues where it stopped.
// Events older than 23 hours are not fetched.
//
//	for range time.Tick(time.Minute) {
//		if n, err := events.CatchUp(app.Context(ctx)); err != nil {
//			log.Print(err)
//		} else if n > 0 {
//			log.Printf("%d events were fetched", n)
//		}
//	}
//
// It needs flexfn.Config.WorkspaceSID, and fails if the app has no [TaskRouter]
// function. One call delivers at most 10,000 events. The Store remembers how
// far the last call got; without one, every instance begins 15 minutes back
// after each start.
//
// The error joins the failures to list and to deliver; newEvents counts the
// events that ran in spite of them. CatchUp is safe for concurrent use: a
// second call in the process returns 0 at once.
func CatchUp(ctx context.Context) (newEvents int, err error) {
	rt, err := runtimeOf(ctx)
	if err != nil {
		return 0, err
	}
	var to []*delivery
	ran := new(atomic.Int64)
	for _, at := range rt.Parts() {
		if p, ok := at.Part.(*part); ok && p.source.name == "TaskRouter" {
			to = append(to, &delivery{part: p, rt: rt, path: at.Path, ran: ran})
		}
	}
	switch {
	case len(to) == 0:
		return 0, errors.New("events.CatchUp: the app has no events.TaskRouter")
	case rt.Workspace == "":
		return 0, errors.New("events.CatchUp needs Config.WorkspaceSID")
	}
	ctx, cancel := context.WithTimeout(ctx, catchUpTime)
	defer cancel()
	mine, _, err := rt.Claims.Take(ctx, claim.Request{
		Key: rt.Claims.Entries().Key("catchup", rt.Workspace), Keep: cursorsKept, Lease: lease(ctx), Wait: -1,
	})
	if errors.Is(err, claim.ErrBusy) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	now := time.Now()
	cursor := now.Add(-firstLook)
	// The cursor, in milliseconds since 1970, is the claim's data, so that only
	// the holder of the claim reads it.
	if b := mine.Data(); len(b) >= 8 {
		cursor = time.UnixMilli(int64(binary.BigEndian.Uint64(b)))
	}
	// Records of older events have expired, so listeners would run a second
	// time.
	if oldest := now.Add(-longestLook); cursor.Before(oldest) {
		cursor = oldest
	}
	next, err := catchUp(ctx, rt.Workspace, cursor.Add(-overlap), to)
	// After a failed listing, next is zero; the cursor never goes back.
	if next.Before(cursor) {
		next = cursor
	}
	freeErr := mine.Free(context.WithoutCancel(ctx), func([]byte) []byte {
		return binary.BigEndian.AppendUint64(nil, uint64(next.UnixMilli()))
	})
	return int(ran.Load()), errors.Join(err, freeErr)
}

// catchUp delivers the events after since, the oldest first, and returns the
// time up to which every event succeeded. It goes on after a failure. An event
// that fails for good becomes a dead letter, which does not count as a failure
// here, so one event cannot hold the cursor back forever.
func catchUp(ctx context.Context, workspace string, since time.Time, to []*delivery) (until time.Time, err error) {
	list, err := listEvents(ctx, workspace, since, maxCaughtUp)
	if err != nil {
		return until, fmt.Errorf("listing TaskRouter's events: %w", err)
	}
	var failedAt time.Time
	for _, e := range list {
		if ctx.Err() != nil {
			err = errors.Join(err, ctx.Err())
			break
		}
		for _, d := range to {
			// As long as a callback would have.
			one, cancel := context.WithTimeout(ctx, d.part.source.deadline)
			deliverErr := d.deliver(one, e)
			cancel()
			if deliverErr != nil {
				err = errors.Join(err, deliverErr)
				if failedAt.IsZero() {
					failedAt = e.Time
				}
			}
		}
		until = e.Time
	}
	if !failedAt.IsZero() {
		until = failedAt
	}
	return until, err
}

// listEvents returns the oldest events after since, at most most of them,
// oldest first. Twilio does not document the order of its list. If the list is
// cut short at its newer end, the next call of CatchUp continues there. If it
// is cut short at its older end, listEvents lists the time before it, until
// nothing is missing.
func listEvents(ctx context.Context, workspace string, since time.Time, most int) ([]Event, error) {
	var list []Event
	for end := (time.Time{}); ; {
		params := new(taskrouter.ListEventParams).SetStartDate(since.UTC()).SetPageSize(min(most, 1000)).SetLimit(most)
		if !end.IsZero() {
			params.SetEndDate(end.UTC())
		}
		res := twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) ([]taskrouter.TaskrouterV1Event, error) {
			return taskrouter.NewApiService(client).ListEvent(workspace, params)
		})
		if err := res.Err(); err != nil {
			return nil, err
		}
		page := make([]Event, 0, len(res.Data))
		for _, listed := range res.Data {
			if e, ok := listedEvent(listed); ok {
				page = append(page, e)
			}
		}
		newestFirst := len(page) > 0 && page[len(page)-1].Time.Before(page[0].Time)
		slices.SortStableFunc(page, func(a, b Event) int { return a.Time.Compare(b.Time) })
		if len(page) > 0 {
			list = page
		}
		if len(res.Data) < most || !newestFirst || !end.IsZero() && !page[0].Time.Before(end) {
			return list, nil
		}
		end = page[0].Time
	}
}

// listedEvent reads an event of the Events API: its own fields, and those in
// event_data, which are named as in callbacks or in snake case. The result has
// the key, type and time that the callback of the event had, so that the two
// count as one.
func listedEvent(listed taskrouter.TaskrouterV1Event) (Event, bool) {
	b, err := json.Marshal(listed)
	if err != nil || listed.Sid == nil {
		return Event{}, false
	}
	f := objectFields(b)
	// event_data has what the callback carried, so it wins, except for the
	// three names below, by which the event is identified.
	for name, v := range objectFields(f["eventdata"]) {
		f[name] = v
	}
	delete(f, "eventdata")
	for name, text := range map[string]*string{"sid": listed.Sid, "eventtype": listed.EventType, "resourcesid": listed.ResourceSid} {
		if text != nil {
			f[name], _ = json.Marshal(*text)
		}
	}
	// EventDate has whole seconds, and would put events of one second out of
	// order.
	if listed.EventDateMs != nil {
		f["timestampms"], _ = json.Marshal(*listed.EventDateMs)
	} else if listed.EventDate != nil {
		f["timestamp"], _ = json.Marshal(listed.EventDate.Unix())
	}
	if _, ok := f["eventdescription"]; !ok {
		f["eventdescription"] = f["description"]
	}
	return taskRouterEvent(f, ""), true
}
