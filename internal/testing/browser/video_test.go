//go:build browser

package browser

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/flexfntest"
	"github.com/flexfn/flexfn/functions"
	"github.com/flexfn/flexfn/internal/dev"
)

// TestVideoPage opens the video page with Twilio's library in the folder of
// assets, and without it.
func TestVideoPage(t *testing.T) {
	library, err := os.ReadFile("node_modules/twilio-video/dist/twilio-video.min.js")
	if err != nil {
		t.Fatal(err)
	}
	assets := t.TempDir()
	folder := filepath.Join(assets, "features", "chat-to-video-escalation")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "twilio-video.min.js"), library, 0o600); err != nil {
		t.Fatal(err)
	}
	serve := func(assets string) string {
		app := flexfntest.New(t, func(c *flexfn.Config) {
			c.APIKeySID, c.APIKeySecret = "SK00000000000000000000000000000001", "development"
		})
		if err := dev.AddDemoState(app.Twilio); err != nil {
			t.Fatal(err)
		}
		if err := (functions.Config{AssetsDir: assets}).Add(app.App); err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(app)
		t.Cleanup(server.Close)
		return server.URL
	}
	cmd := exec.CommandContext(t.Context(), "node", "video.mjs")
	cmd.Env = append(os.Environ(), "BASE="+serve(assets), "BARE="+serve(""), "ROOM=abc1234", "CHROMIUM="+findChromium(t))
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil || !strings.Contains(string(out), "all checks passed") {
		t.Error("the checks did not come to their end: ", err)
	}
}

func findChromium(t *testing.T) string {
	t.Helper()
	chromium, err := exec.LookPath("chromium-headless-shell")
	if err != nil {
		if chromium, err = exec.LookPath("chromium"); err != nil {
			t.Fatal(err)
		}
	}
	return chromium
}
