//go:build browser

// Package browser opens the console, and a page of another origin that calls
// functions, in Chromium. It needs chromium-headless-shell or chromium, node and
// what npm ci installs here:
//
//	(cd internal/testing/browser && npm ci) && go test -tags browser ./internal/testing/browser
//
// SCREENSHOTS names a folder to keep pictures in.
package browser

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/functions"
	"github.com/flexfn/flexfn/internal/dev"
	"github.com/flexfn/flexfn/internal/link"
	"github.com/flexfn/flexfn/twiliofake"
)

func TestBrowser(t *testing.T) {
	fake, err := twiliofake.New(twiliofake.Config{})
	if err != nil {
		t.Fatal(err)
	}
	var server *dev.Server
	var once sync.Once
	asked := make(chan struct{}) // closed when the console has asked for what there is
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		server.ServeHTTP(w, r)
		if r.URL.Path == dev.ConsolePath+"api/state" {
			once.Do(func() { close(asked) })
		}
	}))
	defer front.Close()
	defer fake.Close()
	key := dev.NewKey()
	server = dev.New(dev.Options{
		Base: front.URL, Key: key, Fake: fake, SignWith: twiliofake.DevelopmentAuthToken,
		Terminal: dev.NewTerminal(io.Discard, false),
	})
	env := map[string]string{
		"ACCOUNT_SID": twiliofake.DevelopmentAccountSID, "AUTH_TOKEN": twiliofake.DevelopmentAuthToken,
		"TWILIO_FLEX_WORKSPACE_SID": twiliofake.DevelopmentWorkspaceSID, "FLEXFN_TWILIO_URL": front.URL,
		"FLEXFN_MAX_BODY_BYTES": "2000", link.KeyVariable: key,
	}
	config := flexfn.FromLookup(func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	config.Logger = slog.New(slog.DiscardHandler)
	app, err := flexfn.New(config)
	if err != nil {
		t.Fatal(err)
	}
	dev.AddDemo(app)
	if err := functions.Add(app); err != nil {
		t.Fatal(err)
	}
	app.Handle("/test/fail", flexfn.PrepareFlexFunction(func(context.Context, flexfn.Event) (map[string]any, error) {
		return nil, errors.New("the test wants it so")
	}))
	app.Handle("/test/hostless", flexfn.PrepareFlexFunction(func(ctx context.Context, _ flexfn.Event) (any, error) {
		client := flexfn.FromContext(ctx).HTTPClient()
		return flexfn.ExecuteWithRetry(ctx, func(context.Context) (any, error) { return flexfn.ReadJSON[any](client.Get("/contacts")) }).Get()
	}))
	ctx, end := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { server.Run(ctx) })
	running.Go(func() {
		// Open the console before there is a build.
		select {
		case <-asked:
			if err := server.Serve(app); err != nil {
				t.Error(err)
			}
		case <-ctx.Done():
		}
	})
	defer func() { end(); running.Wait() }()

	// A different port is a different origin.
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, `<!doctype html><html lang="en"><title>a plugin</title><link rel="icon" href="data:,">`)
	}))
	defer other.Close()

	cmd := exec.CommandContext(t.Context(), "node", "check.mjs")
	cmd.Env = append(os.Environ(), "BASE="+front.URL, "OTHER="+other.URL, "CHROMIUM="+findChromium(t))
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(out), "all checks passed") {
		t.Error("the checks did not come to their end")
	}
}
