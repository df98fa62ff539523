package twilioapi

import (
	"net/http"

	"github.com/flexfn/flexfn"
	"github.com/twilio/twilio-go/twiml"
)

// TwiML makes the answer of a voice or messaging webhook from verbs of twilio-go's
// package twiml, such as [twiml.VoiceSay] or [twiml.MessagingMessage]. Text and
// attributes are escaped, so text from a caller cannot become a verb;
// characters that XML does not allow are replaced. Attributes are sorted. An
// answer without verbs is valid and does nothing. The Body is the TwiML as a
// string, so it can also be used to update a call.
//
// A handler can return the result directly if its Out is *[flexfn.Response].
// Prepare it with [flexfn.PrepareStudioFunction], which admits only Twilio.
// Twilio waits 15 s for a webhook.
//
//	return twilioapi.TwiML(
//		&twiml.VoiceSay{Message: "Please hold."},
//		&twiml.VoiceEnqueue{WorkflowSid: workflow},
//	)
func TwiML(verbs ...twiml.Element) (*flexfn.Response, error) {
	document, root := twiml.CreateDocument() // the same for voice and messaging
	twiml.AddAllVerbs(root, verbs)
	for _, element := range document.FindElements("//*") {
		element.SortAttrs() // twilio-go keeps them in a map
	}
	text, err := twiml.ToXML(document)
	if err != nil {
		return nil, err
	}
	return &flexfn.Response{Header: http.Header{"Content-Type": {"text/xml; charset=utf-8"}}, Body: text}, nil
}
