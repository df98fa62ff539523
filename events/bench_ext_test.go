package events_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/flexfn/flexfn/events"
	"github.com/flexfn/flexfn/flexfntest"
)

// BenchmarkTaskRouter delivers events that are all new, to one listener.
func BenchmarkTaskRouter(b *testing.B) {
	app := flexfntest.New(b, quiet)
	app.Handle("/tr", events.TaskRouter(events.On("*", func(context.Context, events.Event) error { return nil })))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if a := app.TaskRouterEvent("/tr", "task.created", flexfntest.Params{"Sid": fmt.Sprint("EV", i)}); a.Status != 204 {
			b.Fatalf("%d %s", a.Status, a.Body)
		}
	}
}
