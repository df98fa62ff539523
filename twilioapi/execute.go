// Package twilioapi calls Twilio's REST API through twilio-go. It adds what that
// library lacks: ctx and its deadline on every request, response headers, typed
// errors, retries that do not repeat a create by accident, concurrent updates
// of attributes, and resources with the names that plugins expect.
//
// A handler passes on its ctx, which carries the app's account, client and
// retry policy:
//
//	res := twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) (*api.ApiV2010Participant, error) {
//		params := new(api.UpdateParticipantParams).SetHold(true)
//		return api.NewApiService(client).UpdateParticipant(in.Conference, in.Participant, params)
//	})
//
// The most common calls to TaskRouter have functions of their own: [FetchTask],
// [ListTasks], [CreateTask], [UpdateTask], [SetTaskStatus],
// [SetReservationStatus], [UpdateTaskAttributes] and [UpdateWorkerAttributes].
// They work in the Flex workspace of flexfn.Config.WorkspaceSID, and fail if it
// is not set. They check SIDs and statuses before anything is sent.
//
// Everything except a [Client] is safe for concurrent use.
package twilioapi

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"

	"github.com/flexfn/flexfn"
	"github.com/twilio/twilio-go/client"
)

// Client sends the requests of twilio-go's APIs; taskrouter.NewApiService(client),
// for example, is TaskRouter's. Use it on one goroutine, and only until the
// callback that got it returns.
//
// twilio.RestClient contains all of Twilio's APIs. That costs the Go compiler
// seconds in each package that names it, and can add twenty megabytes to a
// program. If you need one nevertheless, make it with
// twilio.NewRestClientWithParams(twilio.ClientParams{Client: client.Client}),
// and copy *client to its *RequestHandler, for the region and the edge.
type Client = client.RequestHandler

// ExecuteTwilio is [flexfn.ExecuteWithRetry] for calls to Twilio. callback gets a
// client that is made for this attempt, with the account, region and edge of the
// app that ctx carries, and with ctx's deadline. Without an app in ctx the call
// fails; outside a function, [flexfn.App.Context] makes such a ctx.
//
// Each request that callback makes is sent once. A failure is an
// [*flexfn.Error] with Twilio's status, message, code and page; its status is
// 502 if Twilio's answer is cut short, is not JSON, or redirects. A create (a
// POST to a list of resources) that was sent and got no answer is not repeated,
// unless the call is [flexfn.Repeatable]; Result.OutcomeUnknown is then true.
//
// If a parameter changes the address of a request, such as a SID that contains
// "../", the request is refused with status 400 and never sent.
//
// callback may send several requests; all of them are repeated if one fails,
// so do not put a create and a request that is likely to fail into the same
// callback. Its data becomes the Result's Data. twilio-go's models have nil for
// absent values; [View] gives them the names that plugins expect. opts are
// applied after those of the app.
func ExecuteTwilio[T any](ctx context.Context, callback func(client *Client) (T, error), opts ...flexfn.RetryOption) flexfn.Result[T] {
	return flexfn.ExecuteWithRetry(ctx, func(ctx context.Context) (T, error) {
		client, err := newClient(ctx)
		if err != nil {
			var zero T
			return zero, err
		}
		data, err := callback(client)
		if e, ok := errors.AsType[*url.Error](err); ok && e.Op == "parse" {
			err = bentAddress(err) // twilio-go found it before sending
		}
		if _, ok := errors.AsType[*json.UnmarshalTypeError](err); ok || err == io.EOF { // nothing or a list instead of a resource
			err = noResource(err)
		}
		return data, err
	}, opts...)
}

// ResponseHeader returns the headers of the last answer that client received,
// such as ETag and Twilio-Request-Id. It is empty before the first answer, and
// for a client that does not come from [ExecuteTwilio]. Do not change them.
//
//	header := twilioapi.ResponseHeader(client)
//	etag := header.Get("ETag")
func ResponseHeader(client *Client) http.Header {
	if s, ok := client.Client.(*sender); ok && s.header != nil {
		return s.header
	}
	return http.Header{}
}

// failed returns the Result of a call that could not be made because of err.
func failed[T any](err error) flexfn.Result[T] {
	// The ctx has no app here, so the call is neither counted nor reported as
	// an attempt.
	res := flexfn.ExecuteWithRetry(context.Background(), func(context.Context) (data T, _ error) { return data, err }, flexfn.RetryLimit(0))
	res.Attempts = 0
	return res
}

func noApp() error {
	return &flexfn.Error{
		Status:  http.StatusInternalServerError,
		Message: "no Twilio account in ctx: call Twilio with the ctx of a handler, or with one from App.Context",
	}
}

func newClient(ctx context.Context) (*Client, error) {
	app := flexfn.FromContext(ctx)
	if app == nil {
		return nil, noApp()
	}
	config := app.Config()
	user, password := config.AccountSID, config.AuthToken
	if config.APIKeySID != "" {
		user, password = config.APIKeySID, config.APIKeySecret
	}
	return &Client{
		Client: &sender{ctx: ctx, client: app.HTTPClient(), account: config.AccountSID, user: user, password: password},
		Region: config.Region,
		Edge:   config.Edge,
	}, nil
}
