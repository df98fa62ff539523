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
// calls, read and check the parameters, enforce the deadline, and answer in one
// JSON envelope with the headers that browsers need. An [App] runs the
// functions; it is a [net/http.Handler].
//
// A handler calls web services through [ExecuteWithRetry], and Twilio through
// ExecuteTwilio of package twilioapi. Both try again when that is safe and
// useful, and never beyond the caller's deadline.
//
// A program makes an app, registers its functions and serves them, here with
// package host, which detects the platform it runs on:
//
//	app, err := flexfn.New(flexfn.FromEnv())
//	if err != nil {
//		log.Fatal(err)
//	}
//	app.Handle("/flex/hold", flexfn.PrepareFlexFunction(hold))
//	host.Main(app)
//
// # Requests
//
// A function is called with GET or POST at its exact path. Its parameters come
// from the query and from a body of type application/x-www-form-urlencoded or
// application/json; the body wins over the query. A body of any other type is
// not read as parameters. The caller is checked before anything is decoded: a
// Flex function asks Twilio about the Flex token, a Studio function checks
// Twilio's signature over the URL and the body.
//
// # Answers
//
// The HTTP status is the outcome. The body is a JSON object with a boolean key
// "success": the fields that the handler returned, or for a failure a "message"
// that the plugin can show. Requests that are refused before a handler runs are
// answered in the same form and with the same CORS headers, so that a plugin can
// read them. A handler that answers something else, such as TwiML, returns a
// [*Response].
//
// # Errors
//
// An [*Error] has fields for the caller and a cause for the log; [Errorf] makes
// one in a line. Any other error is answered as 500 with a generic message and
// a request id, by which the error's text can be found in the log.
//
// # Deadlines
//
// A request has a deadline: 10 s for a Flex function and 8 s for a Studio
// function, unless [Config] or [Deadline] says otherwise. At the deadline the
// handler's ctx ends, and a tenth of a second later the caller is answered 504
// even if the handler goes on. A handler must honour its ctx, as library calls
// that take one do.
//
// # Duplicates
//
// Plugins, browsers and Twilio repeat requests. A handler that must not run
// twice is prepared with [Once] or [Deduplicate]. The instances of an app share
// the record of what was done in a [Store].
//
// # Concurrency
//
// An [App] and a [Function] are safe for concurrent use; so are all package
// functions. A handler is called concurrently and must guard what it shares
// between calls. The input belongs to one call and may be changed.
//
// # Options
//
// There are four kinds, each with its own type:
//   - [Option], to any function: [Deadline], [Deduplicate], [Doc], [Once],
//     [Require];
//   - [FlexOption], to [PrepareFlexFunction]: [AdmitGuests], [Roles];
//   - [StudioOption], to [PrepareStudioFunction]: [OpenToAnyone];
//   - [RetryOption], to a call of a web service or, for every call of an app,
//     to [Config].Retry: [AttemptTimeout], [Backoff], [Repeatable], [RetryLimit].
//
// # Other packages
//
// Package twilioapi calls Twilio, events receives its events, functions has the
// ready-made functions of Twilio's template, and host serves an app on any
// platform. Package twiliofake is an in-memory Twilio; with it and flexfntest,
// programs run and are tested without an account.
package flexfn
