package functions_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/flexfntest"
	"github.com/flexfn/flexfn/functions"
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
	if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), "chat-transfer needs ") {
		t.Errorf("%d lines, want one that lists the features that are off: %s", n, &log)
	}

	err := functions.Config{Features: []string{"chat-transfer"}}.Add(flexfntest.New(t).App)
	if err == nil || !strings.Contains(err.Error(), "FLEXFN_FEATURES names chat-transfer, which needs TWILIO_FLEX_CHAT_TRANSFER_WORKFLOW_SID") {
		t.Errorf("FLEXFN_FEATURES with a feature that lacks a setting: %v", err)
	}
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
