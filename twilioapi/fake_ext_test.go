package twilioapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/internal/testing/memnet"
	"github.com/flexfn/flexfn/twilioapi"
	"github.com/flexfn/flexfn/twiliofake"
)

const fakeTask = "WT00000000000000000000000000000001"

// TestFiftyUpdates: two processes with 25 writers each update one task of the
// fake at once, while the fake is slow and sometimes fails in ways that must be
// retried.
func TestFiftyUpdates(t *testing.T) {
	for name, faults := range map[string][]twiliofake.Fault{
		"slow": nil,
		"failing": {
			{Name: "busy", Probability: 0.05, Action: twiliofake.Status, Status: 503},
			{Name: "limited", Probability: 0.05, Action: twiliofake.Status, Status: 429, RetryAfter: "0"},
			{Name: "lost", Match: twiliofake.Match{Method: http.MethodPost}, Probability: 0.05, Action: twiliofake.ResetAfter, Apply: true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				state := twiliofake.DevelopmentState()
				state.FaultSeed = 7
				state.Faults = append([]twiliofake.Fault{{Name: "slow", Action: twiliofake.Slow, Delay: 20 * time.Millisecond}}, faults...)
				fake, err := twiliofake.New(twiliofake.Config{State: &state})
				if err != nil {
					t.Fatal(err)
				}
				network := memnet.Serve(t, fake)
				var writers sync.WaitGroup
				for process := range 2 {
					app := newApp(t, network.Transport(), func(c *flexfn.Config) {
						c.AccountSID, c.AuthToken, c.WorkspaceSID = twiliofake.DevelopmentAccountSID, twiliofake.DevelopmentAuthToken, twiliofake.DevelopmentWorkspaceSID
					})
					ctx, cancel := context.WithTimeout(app.Context(t.Context()), 30*time.Second)
					defer cancel()
					for writer := range 25 {
						writers.Go(func() {
							update := fmt.Sprintf(`{"p%dw%d":{"n":12345678901234567890}}`, process, writer)
							if res := twilioapi.UpdateTaskAttributes(ctx, fakeTask, json.RawMessage(update)); !res.Success {
								t.Errorf("%s: %v", update, res.Err())
							}
						})
					}
				}
				writers.Wait()
				stored := fakeAttributes(t, fake)
				for process := range 2 {
					for writer := range 25 {
						if want := fmt.Sprintf(`"p%dw%d":{"n":12345678901234567890}`, process, writer); !strings.Contains(stored, want) {
							t.Errorf("lost %s", want)
						}
					}
				}
			})
		})
	}
}

func fakeAttributes(t *testing.T, fake *twiliofake.Twilio) string {
	t.Helper()
	for _, task := range fake.State().Resources["tasks"] {
		if task["sid"] == fakeTask {
			attributes, _ := task["attributes"].(string)
			return attributes
		}
	}
	t.Fatal("the task is gone")
	return ""
}
