// Package twiliofake is a Twilio in memory that behaves, and misbehaves on
// command, for development and tests without an account.
//
// A [Twilio] is an [http.Handler] that plays api, taskrouter, iam,
// conversations, chat, lookups, voice and flex-api .twilio.com by the Host
// header of a request, regional hosts such as taskrouter.dublin.ie1.twilio.com
// included. It checks credentials, keeps state, honours If-Match, pages lists
// and refuses with Twilio's codes. What it does not model it answers with 501
// and a sentence that says so. It rings no phones and reserves no workers:
// calls are answered at once, a task goes to the queue that its workflow
// chooses, and reservations are those of its state.
//
// [Fault] rules make it fail, hang, slow down or lose connections. A log tells
// what it saw. State and faults are one JSON document, to load, to save and,
// over HTTP, to change while it runs; see [ControlPath].
//
// Sources of its behaviour: https://www.twilio.com/docs/voice/api,
// https://www.twilio.com/docs/taskrouter/api,
// https://www.twilio.com/docs/conversations/api,
// https://www.twilio.com/docs/lookup/v2-api,
// https://www.twilio.com/docs/usage/requests-to-twilio and
// https://www.twilio.com/docs/api/errors.
package twiliofake
