package functions

import (
	"context"

	"github.com/flexfn/flexfn"
)

// cannedResponses are messages that agents send often. They come from the file
// in FLEXFN_CANNED_RESPONSES_FILE. The file is read when the program starts, so
// a change takes effect at the next start. All agents get the same list.
func cannedResponses(c *Config) []flexfn.Route {
	return []flexfn.Route{{
		Path: "/features/canned-responses/flex/chat-responses",
		Function: flexfn.PrepareFlexFunction(func(context.Context, struct{}) (cannedReply, error) {
			return cannedReply{c.canned}, nil
		}, flexfn.Doc("Lists texts that agents can send.")),
	}}
}

type cannedReply struct {
	Data canned `json:"data"`
}

// canned is the file of canned responses. Its names are those of the template's
// own file, and of the answer. An unknown one is an error at the start.
type canned struct {
	Categories []cannedCategory `json:"categories"`
}

type cannedCategory struct {
	Section   string           `json:"section"`
	Responses []cannedResponse `json:"responses"`
}

type cannedResponse struct {
	Label string `json:"label"`
	Text  string `json:"text"`
}
