// Package twiliofake is an in-memory Twilio for development and tests without an
// account. It can be told to misbehave.
//
// A [Twilio] is an [http.Handler] that answers every operation of twilio-go.
// The Host header of a request selects the product; regional hosts such as
// taskrouter.dublin.ie1.twilio.com work too. It checks credentials, keeps
// state, honours If-Match, pages lists and returns Twilio's error codes. What
// matters to Flex is modelled by hand. The rest is answered by a generic layer,
// from the names and types in twilio-go alone. The response header [Fidelity]
// says which of the two answered, COVERAGE.md counts both, and [Config].Strict
// turns the second off.
//
// The fake does not ring phones or reserve workers. Calls are answered at once,
// a task goes to the queue that its workflow chooses, and reservations come
// from the state.
//
// [Fault] rules make it fail, hang, slow down or drop connections. A log records
// the requests. State and faults are one JSON document that can be loaded, saved
// and, over HTTP, changed at run time; see [ControlPath].
//
// # In a test
//
//	fake, err := twiliofake.New(twiliofake.Config{})
//	…
//	defer fake.Close()
//	config := flexfn.Config{
//		AccountSID: twiliofake.DevelopmentAccountSID,
//		AuthToken:  twiliofake.DevelopmentAuthToken,
//		Transport:  fake.Client().Transport,
//	}
//
// Package flexfntest does this, and adds calls and assertions.
//
// # As a server
//
// "flexfn fake" serves one on a port, and so does any program with
//
//	err := http.ListenAndServe("127.0.0.1:4010", fake)
//
// An app whose FLEXFN_TWILIO_URL is the address of that server uses it. Other
// clients do if they send their requests there and keep the Host header.
//
// Sources of its behaviour: https://www.twilio.com/docs/voice/api,
// https://www.twilio.com/docs/taskrouter/api,
// https://www.twilio.com/docs/conversations/api,
// https://www.twilio.com/docs/lookup/v2-api,
// https://www.twilio.com/docs/usage/requests-to-twilio and
// https://www.twilio.com/docs/api/errors.
package twiliofake
