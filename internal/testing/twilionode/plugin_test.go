//go:build node

package twilionode

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/functions"
	"github.com/flexfn/flexfn/internal/dev"
	"github.com/flexfn/flexfn/twiliofake"
)

const one = "00000000000000000000000000000001"

// TestPlugin serves the ready-made functions over the fake, and lets plugin.mjs
// call them as a Flex plugin does.
func TestPlugin(t *testing.T) {
	twilio := startFake(t, dev.AddDemoState)
	var handler atomic.Pointer[flexfn.App]
	var lost atomic.Int32
	var once sync.Map
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Paths below /flaky lose two connections before they answer.
		if path, ok := strings.CutPrefix(r.URL.Path, "/flaky"); ok {
			if lost.Add(1) <= 2 {
				panic(http.ErrAbortHandler)
			}
			r.URL.Path = path
		}
		// Each path below /lost loses its first connection.
		if path, ok := strings.CutPrefix(r.URL.Path, "/lost"); ok {
			if _, again := once.LoadOrStore(path, true); !again {
				panic(http.ErrAbortHandler)
			}
			r.URL.Path = path
		}
		handler.Load().ServeHTTP(w, r)
	}))
	defer server.Close()

	app, err := flexfn.New(flexfn.Config{
		AccountSID: twiliofake.DevelopmentAccountSID, AuthToken: twiliofake.DevelopmentAuthToken,
		WorkspaceSID: twiliofake.DevelopmentWorkspaceSID,
		APIKeySID:    "SK" + one, APIKeySecret: "development",
		TwilioURL: twilio, PublicURL: server.URL,
		Retry:  []flexfn.RetryOption{flexfn.RetryLimit(0)}, // so that the plugin's own show
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	config := functions.Config{
		ChatServiceSID: twiliofake.DevelopmentChatServiceSID, SyncServiceSID: "IS" + one,
		CallbackWorkflowSID: "WW" + one, ChatTransferWorkflowSID: "WW" + one, InternalCallWorkflowSID: "WW" + one,
		SchedulesFile: filepath.Join(t.TempDir(), "schedules.json"),
	}
	if err := config.Add(app); err != nil {
		t.Fatal(err)
	}
	handler.Store(app)
	var paths []string
	for _, r := range app.Routes() {
		paths = append(paths, r.Path)
	}
	list, err := json.Marshal(paths)
	if err != nil {
		t.Fatal(err)
	}
	run(t, "plugin.mjs", "APP_URL="+server.URL, "FAKE_URL="+twilio, "PATHS="+string(list))
}
