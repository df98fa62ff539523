package twilioapi

import (
	"net/http"

	"github.com/flexfn/flexfn"
	"github.com/twilio/twilio-go/twiml"
)

// TwiML makes the answer of a voice or messaging webhook: verbs of twilio-go's
// package twiml, such as [twiml.VoiceSay] or [twiml.MessagingMessage], in a
// Response element. Texts and attributes are escaped, so that what a caller
// wrote cannot become a verb; characters that XML does not have are replaced.
// No verb at all is a valid answer, which does nothing.
//
// It suits a handler's return: make its Out *[flexfn.Response], and the function
// with [flexfn.PrepareStudioFunction], which lets only Twilio call. A webhook
// has 15 s.
func TwiML(verbs ...twiml.Element) (*flexfn.Response, error) {
	text, err := twiml.Voice(verbs) // the document is the same for messaging
	if err != nil {
		return nil, err
	}
	return &flexfn.Response{Header: http.Header{"Content-Type": {"text/xml; charset=utf-8"}}, Body: text}, nil
}
