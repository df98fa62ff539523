package functions_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/flexfntest"
	"github.com/flexfn/flexfn/functions"
)

// TestVideoTokensPerAddress: an address that asks for many tokens has to wait
// until the minute is over. Others do not, unless they share a peer that makes
// up addresses.
func TestVideoTokensPerAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := newAppWith(t, functions.Config{VideoAllowCreate: true}, func(c *flexfn.Config) { makeKey(t, c) })
		ask := func(from string) *flexfntest.Answer {
			return app.CallStudio("/features/chat-to-video-escalation/common/client-get-token",
				params{"identity": "Customer", "roomName": "a room"}, flexfntest.Header("X-Forwarded-For", from))
		}
		for range 20 {
			ask("192.0.2.1").OK()
		}
		time.Sleep(20 * time.Second)
		if wait := ask("192.0.2.1").Refused(429, "Too many tokens").Header.Get("Retry-After"); wait != "40" {
			t.Errorf("Retry-After %q, want the rest of the minute", wait)
		}
		ask("198.51.100.9, 192.0.2.1").Refused(429, "") // the first entry is the caller's, the second the proxy's
		ask("192.0.2.2").OK()
		time.Sleep(40 * time.Second)
		ask("192.0.2.1").OK()

		time.Sleep(time.Minute)
		given := 0
		for i := range 1100 {
			if ask(fmt.Sprint("10.0.", i/250, ".", i%250)).Status == 200 {
				given++
			}
		}
		if given != 1000 {
			t.Errorf("one peer got %d tokens in a minute with addresses that it made up, want 1000", given)
		}
	})
}
