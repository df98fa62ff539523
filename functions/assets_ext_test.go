package functions_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flexfn/flexfn/flexfntest"
	"github.com/flexfn/flexfn/functions"
)

// Assets that the plugin opens in a pane, or plays.
const (
	videoPage = "/features/chat-to-video-escalation/index.html"
	crmPage   = "/features/enhanced-crm-container/index.html"
	ringTone  = "/features/ring-notification/phone_ringing.mp3"
)

func get(app *flexfntest.App, path string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("Accept", "text/html,*/*;q=0.8")
	w := httptest.NewRecorder()
	app.ServeHTTP(w, r)
	return w
}

// TestAssets: a pane of the plugin shows a page of ours, or the user's own, but
// never JSON.
func TestAssets(t *testing.T) {
	app := newAppWith(t, functions.Config{})
	for path, kind := range map[string]string{videoPage + "?identity=a&roomName=b": "text/html", crmPage: "text/html", ringTone: "audio/"} {
		if w := get(app, path); w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), kind) || w.Body.Len() < 500 {
			t.Errorf("%s: %d %s, %d bytes", path, w.Code, w.Header().Get("Content-Type"), w.Body.Len())
		}
	}
	if w := get(app, "/features/nothing/index.html"); w.Code != 404 || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
		t.Errorf("a missing page: %d %s", w.Code, w.Header().Get("Content-Type"))
	}
	if body := get(app, ringTone).Body.String(); !strings.HasPrefix(body, "RIFF") || body[8:12] != "WAVE" {
		t.Errorf("the ring tone begins with %q", body[:12])
	}

	dir := t.TempDir()
	page := filepath.Join(dir, filepath.FromSlash(crmPage))
	if err := os.MkdirAll(filepath.Dir(page), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(page, []byte("my CRM"), 0o600); err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(t.TempDir(), "secret.html")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, filepath.Join(filepath.Dir(page), "out.html")); err != nil {
		t.Fatal(err)
	}
	app = newAppWith(t, functions.Config{AssetsDir: dir})
	if got := get(app, crmPage).Body.String(); got != "my CRM" {
		t.Errorf("the user's page is %q", got)
	}
	if got := get(app, videoPage).Body.String(); !strings.Contains(got, "<!doctype html>") {
		t.Errorf("the page that the user's folder lacks is %q", got)
	}
	if w := get(app, filepath.Dir(crmPage)+"/out.html"); w.Code != 404 || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("a link that leads out of the folder: %d %s", w.Code, w.Body)
	}
	err := functions.Config{AssetsDir: filepath.Join(dir, "missing")}.Add(flexfntest.New(t).App)
	if err == nil || !strings.Contains(err.Error(), "FLEXFN_ASSETS_DIR") {
		t.Errorf("a missing folder: %v", err)
	}
}
