// Package events has typed handlers for what Twilio calls: TaskRouter's event
// callbacks, Event Streams, status callbacks, the webhooks of Conversations and
// of Flex interactions, and assignment callbacks. It also runs work that
// outlasts an answer.
//
//	app.Handle("/events/taskrouter", events.TaskRouter(
//		events.On("reservation.accepted", func(ctx context.Context, e events.TaskRouterEvent) error {
//			return crm(ctx, e.Key, e.Worker.Name+" took "+e.Task.Attributes.String("customer"))
//		}, events.Named("crm")),
//		events.On("*", toWarehouse, events.Named("warehouse"), events.AfterAnswer()),
//	))
//
// Twilio delivers events late, twice and out of order. Each listener succeeds or
// fails by itself, and runs until it has succeeded once, on any instance: a
// redelivery runs only the listeners that have not succeeded. The app remembers
// for a day what it has done, in its [flexfn.Store].
//
// A listener may still run twice for an event: if its instance dies after the
// effect and before it is recorded, or if it outlives its function's deadline by
// more than 2 s. [Event].Key is the same each time, for systems that can refuse
// duplicates themselves.
package events
