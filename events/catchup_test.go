package events

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/internal/link"
	"github.com/flexfn/flexfn/twiliofake"
)

// lists is an Events API with one event for each second.
type lists struct {
	begin       time.Time
	events      int
	newestFirst bool
}

func (l lists) RoundTrip(r *http.Request) (*http.Response, error) {
	q := r.URL.Query()
	date := func(name string, or time.Time) time.Time {
		if t, err := time.Parse(time.RFC3339, q.Get(name)); err == nil {
			return t
		}
		return or
	}
	since, until := date("StartDate", l.begin), date("EndDate", l.begin.Add(time.Hour))
	var items []map[string]any
	for i := range l.events {
		at := l.begin.Add(time.Duration(i) * time.Second)
		if !at.Before(since) && !at.After(until) {
			items = append(items, map[string]any{"sid": fmt.Sprintf("EV%032d", i), "event_type": "task.created", "event_date_ms": at.UnixMilli()})
		}
	}
	if l.newestFirst {
		slices.Reverse(items)
	}
	var size int
	_, _ = fmt.Sscan(q.Get("PageSize"), &size)
	items = items[:min(size, len(items))]
	b, err := json.Marshal(map[string]any{"events": items, "meta": map[string]any{"key": "events"}})
	if err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
		Body: io.NopCloser(strings.NewReader(string(b))),
	}, nil
}

// TestListEvents: the oldest events come first in whatever order Twilio lists
// them, and none is missing where the list is cut short.
func TestListEvents(t *testing.T) {
	begin := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, newestFirst := range []bool{false, true} {
		for _, n := range []int{0, 1, 9, 10, 11, 37} {
			app, err := flexfn.New(flexfn.Config{
				AccountSID: twiliofake.DevelopmentAccountSID, AuthToken: twiliofake.DevelopmentAuthToken,
				Transport: lists{begin, n, newestFirst},
			})
			if err != nil {
				t.Fatal(err)
			}
			list, err := listEvents(app.Context(t.Context()), twiliofake.DevelopmentWorkspaceSID, begin, 10)
			if err != nil {
				t.Fatal(err)
			}
			if n > 0 && (len(list) == 0 || !list[0].Time.Equal(begin)) {
				t.Errorf("newestFirst=%t n=%d: the first of %d events is %v", newestFirst, n, len(list), list)
				continue
			}
			for i, e := range list {
				if !e.Time.Equal(begin.Add(time.Duration(i) * time.Second)) {
					t.Errorf("newestFirst=%t n=%d: the event at index %d is from %s", newestFirst, n, i, e.Time)
				}
			}
		}
	}
}

// TestCatchUpIsCutShort: a call that runs out of time still begins the next one
// at the event that failed.
func TestCatchUpIsCutShort(t *testing.T) {
	begin := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	app, err := flexfn.New(flexfn.Config{
		AccountSID: twiliofake.DevelopmentAccountSID, AuthToken: twiliofake.DevelopmentAuthToken,
		WorkspaceSID: twiliofake.DevelopmentWorkspaceSID, Transport: lists{begin, 9, false},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(app.Context(t.Context()))
	defer cancel()
	app.Handle("/tr", TaskRouter(On("task.created", func(_ context.Context, e TaskRouterEvent) error {
		switch {
		case e.Time.Equal(begin.Add(2 * time.Second)):
			return fmt.Errorf("fails")
		case e.Time.Equal(begin.Add(5 * time.Second)):
			cancel()
		}
		return nil
	})))
	rt := ctx.Value(link.RuntimeKey{}).(*link.Runtime)
	var to []*delivery
	for _, at := range rt.Parts() {
		to = append(to, &delivery{part: at.Part.(*part), rt: rt, path: at.Path})
	}
	until, err := catchUp(ctx, twiliofake.DevelopmentWorkspaceSID, begin, to)
	if err == nil || !until.Equal(begin.Add(2*time.Second)) {
		t.Errorf("caught up to %s, error %v", until, err)
	}
}
