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
// Twilio's deliveries can be late, repeated and out of order. Each listener
// succeeds or fails independently of the others, and runs until it has
// succeeded once, on any instance: a redelivery runs only the listeners that
// have not succeeded. The app remembers for a day what it has done, in its
// [flexfn.Store].
//
// A listener may still run twice for an event: if its instance dies after the
// effect and before it is recorded, or if it outlives its function's deadline by
// more than 2 s. [Event].Key is the same each time, for systems that can refuse
// duplicates themselves.
//
// # Sources
//
// Each source has a function of this package, whose URL is set in Twilio:
// [TaskRouter], [Stream], [Status], [Conversations] and [Interactions] take
// listeners. [Assignment] and [Before] answer with a decision instead, since
// Twilio waits for one. [Job] and [Later] are for work that outlasts an
// answer.
//
// # Failures
//
// A listener that returns nil has succeeded. One that returns an error is tried
// again, unless the error is a [flexfn.Error] with a status such as 404, which
// is final. After a final error, or 10 failures, the event becomes a dead
// letter: see [DeadLetters] and [OnDeadLetter].
//
// # Stores and queues
//
// A single instance can keep its records in memory, where they are lost when it
// ends. Several instances need a shared Store. Without a Queue, a failed
// listener runs again when Twilio delivers the event again. Most sources, such
// as TaskRouter, never do; for these the app tries again for 15 minutes in its
// own process.
//
// docs/events.md lists the guarantees, and has recipes.
package events
