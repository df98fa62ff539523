//go:build node

// Package twilionode checks the fake Twilio with Twilio's own library for
// Node.js, and the ready-made functions as a Flex plugin calls them. It needs node and what npm ci installs here:
//
//	(cd internal/twilionode && npm ci) && go test -tags node ./internal/twilionode
package twilionode

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"testing"

	"github.com/flexfn/flexfn/twiliofake"
)

func TestNode(t *testing.T) {
	fake, err := twiliofake.New(twiliofake.Config{})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(fake)
	defer server.Close()
	defer fake.Close()
	cmd := exec.CommandContext(t.Context(), "node", "check.mjs")
	cmd.Env = append(os.Environ(),
		"FAKE_URL="+server.URL,
		"ACCOUNT_SID="+twiliofake.DevelopmentAccountSID,
		"AUTH_TOKEN="+twiliofake.DevelopmentAuthToken,
		"WORKSPACE_SID="+twiliofake.DevelopmentWorkspaceSID,
	)
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
}
