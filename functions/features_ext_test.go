package functions_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/flexfntest"
	"github.com/flexfn/flexfn/functions"
	"github.com/flexfn/flexfn/internal/dev"
	"github.com/flexfn/flexfn/twiliofake"
)

// TestFeatureRoles: functions for supervisors and administrators refuse an agent
// before they call Twilio.
func TestFeatureRoles(t *testing.T) {
	app := newApp(t)
	for _, path := range []string{
		"/features/supervisor-barge-coach/flex/participant-mute-and-coach", "/features/supervisor-complete-reservation/flex/update-reservation",
		"/features/admin-ui/flex/fetch-config", "/features/admin-ui/flex/update-config", "/admin/update", "/admin/update-status", "/admin/publish",
	} {
		app.CallFlex(flexfntest.Agent, path, nil).Refused(403, "")
	}
}

// TestFeatureOff: a feature without its settings says so to authorised callers,
// and in the log only once.
func TestFeatureOff(t *testing.T) {
	var log bytes.Buffer
	app := newAppWith(t, functions.Config{}, func(c *flexfn.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	const path = "/features/chat-transfer/flex/create-transfer-task"
	for range 3 {
		app.CallFlex(flexfntest.Agent, path, nil).Refused(501, "TWILIO_FLEX_CHAT_TRANSFER_WORKFLOW_SID")
	}
	app.CallFlex(flexfntest.Guest, path, nil).Refused(403, "guest")
	if n := strings.Count(log.String(), "are off"); n != 1 || !strings.Contains(log.String(), "chat-transfer needs ") {
		t.Errorf("%d lines, want one that lists the features that are off: %s", n, &log)
	}

	err := functions.Config{Features: []string{"chat-transfer"}}.Add(flexfntest.New(t).App)
	if n := strings.Count(log.String(), "park-interaction is limited: the list"); n != 1 {
		t.Errorf("%d lines about what does not work of a feature that is on, want one: %s", n, &log)
	}
	if err == nil || !strings.Contains(err.Error(), "FLEXFN_FEATURES names chat-transfer, which needs TWILIO_FLEX_CHAT_TRANSFER_WORKFLOW_SID") {
		t.Errorf("FLEXFN_FEATURES with a feature that lacks a setting: %v", err)
	}
}

// newInstances returns two instances of an app. They share a Store, and one
// Twilio.
func newInstances(t *testing.T) []*flexfntest.App {
	t.Helper()
	shared := flexfntest.NewStore()
	first := newApp(t, func(c *flexfn.Config) { c.Store = shared })
	second := newAppWith(t, functions.Config{
		ChatServiceSID: twiliofake.DevelopmentChatServiceSID, SyncServiceSID: "IS" + one, CallbackWorkflowSID: "WW" + one,
		ChatTransferWorkflowSID: "WW" + one, InternalCallWorkflowSID: "WW" + one,
	}, func(c *flexfn.Config) {
		config := first.Config()
		c.Store, c.Transport, c.APIKeySID, c.APIKeySecret = shared, config.Transport, config.APIKeySID, config.APIKeySecret
	})
	return []*flexfntest.App{first, second}
}

// TestInstances has two instances change the same things at the same time.
// Nothing is lost, and no report makes a second task.
func TestInstances(t *testing.T) {
	const calling = "/features/internal-call/common/call-outbound-join"
	synctest.Test(t, func(t *testing.T) {
		instances := newInstances(t)
		if err := dev.AddDemoState(instances[0].Twilio); err != nil {
			t.Fatal(err)
		}
		// Answers take time, so that changes would overlap.
		if err := instances[0].Twilio.SetFaults(twiliofake.Fault{Action: twiliofake.Slow, Delay: 20 * time.Millisecond}); err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for i := range 10 {
			app := instances[i%2]
			all.Go(func() {
				update := fmt.Sprintf(`{"custom_data":{"features":{"f%d":{"enabled":true}}}}`, i)
				app.CallFlex(flexfntest.Admin, "/features/admin-ui/flex/update-config", params{"attributesUpdate": update, "mergeFeature": "true"}).OK()
			})
			all.Go(func() {
				app.CallFlex(flexfntest.Agent, "/features/conversation-transfer/flex/invite-participant", inviting).OK()
			})
			all.Go(func() {
				app.CallStudio("/features/chat-transfer/studio/add-task-to-chat-channel-data",
					params{"taskSid": fmt.Sprintf("WT%032d", i), "channelSid": "CH" + one}).OK()
			})
			all.Go(func() {
				app.CallStudio(calling, params{"FriendlyName": insideTask, "ConferenceSid": insideRoom, "CallSid": insideCall, "StatusCallbackEvent": "participant-join"})
			})
		}
		all.Wait()
		app := instances[0]
		if err := app.Twilio.SetFaults(); err != nil {
			t.Fatal(err)
		}
		features, _ := app.CallFlex(flexfntest.Admin, "/features/admin-ui/flex/fetch-config", nil).Field("configuration", "custom_data", "features").(map[string]any)
		if len(features) < 10 {
			t.Errorf("changes of the configuration are lost: %v", features)
		}
		if invites := attributes(app, "conversations", talk)["invites"].object(); len(invites) != 10 {
			t.Errorf("%d of 10 invites are written down", len(invites))
		}
		if marks := attributes(app, "chat_channels", "CH"+one)["associatedTasks"].object(); len(marks) < 10 {
			t.Errorf("%d of 10 marks are written down", len(marks))
		}
		inside := 0
		for _, sid := range created(app, "") {
			inside += len(pick(attributes(app, "tasks", sid), "client_call"))
		}
		if inside != 1 {
			t.Errorf("%d tasks for one internal call", inside)
		}

		// While the Store fails, each instance goes on alone.
		app.Config().Store.(*flexfntest.Store).Break(errors.New("down"))
		app.CallFlex(flexfntest.Admin, "/features/admin-ui/flex/update-config", params{"attributesUpdate": `{"a":1}`}).OK()
	})
}

// TestConcurrentFeatures checks that no concurrent change is lost.
func TestConcurrentFeatures(t *testing.T) {
	app := newApp(t, func(c *flexfn.Config) { c.APIKeySID, c.APIKeySecret = "", "" })
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			update := fmt.Sprintf(`{"custom_data":{"features":{"f%d":{"enabled":true}}}}`, i)
			app.CallFlex(flexfntest.Admin, "/features/admin-ui/flex/update-config", params{"attributesUpdate": update, "mergeFeature": "true"}).OK()
		})
	}
	wg.Wait()
	features, _ := app.CallFlex(flexfntest.Admin, "/features/admin-ui/flex/fetch-config", nil).Field("configuration", "custom_data", "features").(map[string]any)
	for i := range 10 {
		if features[fmt.Sprint("f", i)] == nil {
			t.Errorf("f%d is lost: %v", i, features)
		}
	}
}
