// Package twiliofake is a Twilio in memory that behaves, and misbehaves on
// command, for development and tests without an account.
//
// A [Twilio] is an [http.Handler] that plays every operation that twilio-go has,
// of the product that the Host header of a request names; regional hosts such as
// taskrouter.dublin.ie1.twilio.com are included. It checks credentials, keeps
// state, honours If-Match, pages lists and refuses with Twilio's codes. What
// matters to Flex is modelled by hand; the rest is played by names and types
// alone. The header [Fidelity] of an answer says which, COVERAGE.md counts, and
// [Config].Strict turns the latter off. It rings no phones and reserves no workers:
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
