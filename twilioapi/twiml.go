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
// Attributes come in alphabetical order. No verb at all is a valid answer,
// which does nothing. The answer's Body is the text, a string, for an update
// of a call.
//
// It suits a handler's return: make its Out *[flexfn.Response], and the function
// with [flexfn.PrepareStudioFunction], which lets only Twilio call. A webhook
// has 15 s.
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
