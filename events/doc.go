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
// What a listener returns decides what happens: nil is success, an error is
// tried again, and an [flexfn.Error] with a status such as 404 is final. What
// failed for good, or 10 times, is a dead letter: see [DeadLetters] and
// [OnDeadLetter].
//
// # Stores and queues
//
// With one instance, memory will do, until it ends. Several instances need a
// Store that they share. Without a Queue a failed listener depends on Twilio's
// delivering again, which TaskRouter does not; the app then tries again for 15
// minutes in its own process.
//
// docs/events.md says what is guaranteed, and has recipes.
package events
