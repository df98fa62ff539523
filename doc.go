// Package flexfn is a toolkit for the backend functions that Twilio Flex
// plugins and Studio flows call.
//
// A handler is a plain function of a ctx and a typed input:
//
//	type HoldParams struct {
//		Conference  string `json:"conference"  kind:"CF" purpose:"unique ID of conference to update"`
//		Participant string `json:"participant" kind:"CA" purpose:"unique ID of participant to update"`
//		Hold        bool   `json:"hold"        purpose:"whether to hold or unhold the participant"`
//	}
//
//	func hold(ctx context.Context, in HoldParams) (HoldReply, error)
//
// [PrepareFlexFunction] and [PrepareStudioFunction] wrap it: they check who
// calls, read and check the parameters, keep the deadline, and put whatever
// comes of it into one JSON envelope with the headers that browsers ask for.
// An [App] runs the functions; it is a [net/http.Handler].
//
// Calls from a handler to web services go through [ExecuteWithRetry], and to
// Twilio through ExecuteTwilio of package twilioapi: they are tried again when
// that is safe and useful, and never beyond the caller's deadline.
//
// # Options
//
// There are four kinds, told apart by type and by what they are given to:
//   - [Option], to any function: [Deadline], [Doc], [Require];
//   - [FlexOption], to [PrepareFlexFunction]: [AdmitGuests], [Roles];
//   - [StudioOption], to [PrepareStudioFunction]: [Deduplicate], [OpenToAnyone];
//   - [RetryOption], to a call of a web service or, for every call of an app,
//     to [Config].Retry: [AttemptTimeout], [Backoff], [Repeatable], [RetryLimit].
//
// Package twiliofake is a Twilio in memory; with it everything runs and is
// tested without an account.
package flexfn
