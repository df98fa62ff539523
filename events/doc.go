// Package events handles what Twilio calls: TaskRouter's event callbacks, Event
// Streams, status callbacks, the webhooks of Conversations and of Flex
// interactions, assignment callbacks; and work that outlasts an answer.
//
//	app.Handle("/events/taskrouter", events.TaskRouter(
//		events.On("reservation.accepted", func(ctx context.Context, e events.TaskRouterEvent) error {
//			return crm(ctx, e.Key, e.Worker.Name+" took "+e.Task.Attributes.String("customer"))
//		}, events.Named("crm")),
//		events.On("*", toWarehouse, events.Named("warehouse"), events.AfterAnswer()),
//	))
//
// Twilio delivers events late, twice and out of order. Each listener runs until
// it has succeeded once, on whichever instance, and succeeds or fails by
// itself: what is delivered again runs only where it did not succeed. What the
// app has done is remembered for a day, in its [flexfn.Store].
//
// A listener may still run twice for an event: if its instance dies after the
// effect and before the record, or if it outlives its function's deadline by
// more than 2 s. [Event].Key is the same each time, for a system that can
// refuse duplicates itself.
package events
