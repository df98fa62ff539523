package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"

	"github.com/flexfn/flexfn"
)

type callbackParams struct {
	Number string `json:"number" kind:"e164" purpose:"the customer's telephone number"`
	Reason string `json:"reason" doc:"what the customer wants to talk about"`
}

type callbackReply struct {
	Ticket string `json:"ticket"`
}

// requestCallback makes the function that puts a callback into the CRM at
// crmURL.
func requestCallback(crmURL string) *flexfn.Function {
	return flexfn.PrepareFlexFunction(func(ctx context.Context, in callbackParams) (callbackReply, error) {
		body, err := json.Marshal(in)
		if err != nil {
			return callbackReply{}, err
		}
		client := flexfn.FromContext(ctx).HTTPClient()
		return flexfn.ExecuteWithRetry(ctx, func(ctx context.Context) (callbackReply, error) {
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, crmURL+"/callbacks", bytes.NewReader(body))
			if err != nil {
				return callbackReply{}, err
			}
			req.Header.Set("Content-Type", "application/json")
			// The CRM makes one ticket per key, however often the key is sent,
			// so the call may be repeated even after a lost answer.
			req.Header.Set("Idempotency-Key", flexfn.RequestID(ctx))
			return flexfn.ReadJSON[callbackReply](client.Do(req))
		}, flexfn.Repeatable()).Get()
	}, flexfn.Doc("Asks for a callback to a customer."))
}
