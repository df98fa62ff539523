package dev

import (
	"context"
	"net/http"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/events"
)

// addDemoEvents adds functions for "flexfn trigger": two listeners that log.
// One of them fails on tasks with the attribute "broken". The failing listener
// shows in the console what a dead letter is.
func addDemoEvents(app *flexfn.App) {
	listeners := []flexfn.StudioOption{
		events.On("*", func(ctx context.Context, e events.Event) error {
			flexfn.Logger(ctx).Info("an event", "type", e.Type, "key", e.Key, "try", e.Try)
			return nil
		}, events.Named("log")),
		events.On("task.*,reservation.*", func(_ context.Context, e events.TaskRouterEvent) error {
			if e.Task.Attributes.String("broken") != "" {
				return flexfn.Errorf(http.StatusUnprocessableEntity, "The task is broken")
			}
			return nil
		}, events.Named("warehouse")),
	}
	app.Handle("/demo/events/taskrouter", events.TaskRouter(listeners...))
	app.Handle("/demo/events/stream", events.Stream(listeners...))
	app.Handle("/demo/events/status", events.Status(listeners[0]))
}
