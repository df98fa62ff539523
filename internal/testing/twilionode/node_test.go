//go:build node

// Package twilionode checks the fake Twilio with Twilio's own library for
// Node.js, and the ready-made functions as a Flex plugin calls them. It needs
// node and what npm ci installs here:
//
//	(cd internal/testing/twilionode && npm ci) && go test -tags node ./internal/testing/twilionode
package twilionode

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"testing"

	"github.com/flexfn/flexfn/twiliofake"
)

func TestNode(t *testing.T) {
	run(t, "check.mjs", "FAKE_URL="+startFake(t))
}

// TestOperations takes items through the operations of many products.
func TestOperations(t *testing.T) {
	run(t, "operations.mjs", "FAKE_URL="+startFake(t))
}

// startFake serves a fake until the test ends, and returns its URL.
func startFake(t *testing.T, change ...func(*twiliofake.Twilio) error) string {
	t.Helper()
	fake, err := twiliofake.New(twiliofake.Config{})
	for _, c := range change {
		if err == nil {
			err = c(fake)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(fake)
	t.Cleanup(func() {
		fake.Close()
		server.Close()
	})
	return server.URL
}

// run runs a script here with the fake's account in its environment.
func run(t *testing.T, script string, env ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "node", script)
	cmd.Env = append(append(os.Environ(), env...),
		"ACCOUNT_SID="+twiliofake.DevelopmentAccountSID,
		"AUTH_TOKEN="+twiliofake.DevelopmentAuthToken,
		"WORKSPACE_SID="+twiliofake.DevelopmentWorkspaceSID,
	)
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatalf("node %s (after npm ci): %v", script, err)
	}
}
