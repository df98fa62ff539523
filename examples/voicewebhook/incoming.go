package main

import (
	"context"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/twilioapi"
	"github.com/twilio/twilio-go/twiml"
)

type incomingParams struct {
	From   string `json:"From" purpose:"who calls"`
	Digits string `json:"Digits" doc:"what the caller pressed, when there was a menu"`
}

// incoming is the webhook "A call comes in" of a telephone number.
var incoming = flexfn.PrepareStudioFunction(func(_ context.Context, in incomingParams) (*flexfn.Response, error) {
	switch in.Digits {
	case "":
		return twilioapi.TwiML(&twiml.VoiceGather{NumDigits: "1", InnerElements: []twiml.Element{
			&twiml.VoiceSay{Message: "Press 1 for sales & support, 2 to hear your number."},
		}})
	case "2":
		return twilioapi.TwiML(&twiml.VoiceSay{Message: "You call from " + in.From}, &twiml.VoiceHangup{})
	}
	return twilioapi.TwiML(&twiml.VoiceDial{Number: "+15550100"})
}, flexfn.Doc("Answers incoming calls."), flexfn.Deduplicate(10*time.Minute))
