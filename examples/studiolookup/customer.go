package main

import (
	"context"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/twilioapi"
	lookups "github.com/twilio/twilio-go/rest/lookups/v2"
)

type customerParams struct {
	From string `json:"from" kind:"e164" purpose:"who calls, such as {{trigger.call.From}}"`
}

// customerReply is widgets.NAME.parsed in the flow.
type customerReply struct {
	Country string `json:"country"`
	Known   bool   `json:"known"` // false if the look-up failed
}

// customer fails open, so that a failed look-up does not end a call with an
// error. The flow gets a usable answer in time, and the log says what happened.
var customer = flexfn.PrepareStudioFunction(func(ctx context.Context, in customerParams) (customerReply, error) {
	lookup, cancel := context.WithTimeout(ctx, 2*time.Second) // the caller is waiting
	defer cancel()
	res := twilioapi.ExecuteTwilio(lookup, func(client *twilioapi.Client) (*lookups.LookupResponse, error) {
		return lookups.NewApiService(client).FetchPhoneNumber(in.From, nil)
	}, flexfn.RetryLimit(1))
	if !res.Success || res.Data.CountryCode == nil {
		flexfn.Logger(ctx).Warn("the caller's country is unknown, the default is answered", "status", res.Status, "error", res.Err())
		return customerReply{Country: "US"}, nil
	}
	return customerReply{Country: *res.Data.CountryCode, Known: true}, nil
}, flexfn.Doc("Tells a Studio flow from which country a caller is."))
