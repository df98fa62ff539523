package flexfn

import (
	"context"
	"testing"
	"time"
)

// TestRedeliveriesAreOfOneSignature sends Twilio's token, which is not signed,
// along with another request that is.
func TestRedeliveriesAreOfOneSignature(t *testing.T) {
	for _, option := range []Option{Once(time.Minute), Deduplicate(time.Minute)} {
		runs := 0
		post := studioApp(t, "/studio/x", PrepareStudioFunction(func(_ context.Context, in Event) (map[string]any, error) {
			runs++
			return map[string]any{"from": in["From"]}, nil
		}, option))
		const token = "5e5c31d4-7b9a-4c38-b3f2-0a1d3a5e8f77"
		first := post("From=one", twilioKey, token)
		other := post("From=two", twilioKey, token)
		again := post("From=one", twilioKey, token)
		if first.Body.String() != `{"from":"one","success":true}` || again.Body.String() != first.Body.String() {
			t.Errorf("first %s, again %s", first.Body, again.Body)
		}
		if other.Body.String() != `{"from":"two","success":true}` || runs != 2 {
			t.Errorf("another request with the token got %s; %d runs", other.Body, runs)
		}
	}
}
