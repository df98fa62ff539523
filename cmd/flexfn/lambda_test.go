package main

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/flexfn/flexfn/internal/lambdatest"
)

// TestServeOnLambda runs flexfn serve as a Lambda function behind a function
// URL: the ready-made functions answer there as anywhere.
func TestServeOnLambda(t *testing.T) {
	api, err := lambdatest.New()
	if err != nil {
		t.Fatal(err)
	}
	defer api.Close()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(t.TempDir(), "flexfn") // the name makes the test's binary the command
	if err := os.Symlink(self, binary); err != nil {
		t.Fatal(err)
	}
	serve := exec.Command(binary, "serve")
	serve.Env = append(api.Environ(), "ACCOUNT_SID=AC00000000000000000000000000000001", "AUTH_TOKEN=0123456789abcdef0123456789abcdef")
	var log strings.Builder
	serve.Stderr = &log
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	defer serve.Process.Kill()
	if err := api.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &lambdatest.Transport{API: api, Kind: lambdatest.FunctionURL}}
	for path, want := range map[string]struct {
		status  int
		message string
	}{
		"/common/flex/programmable-voice/hold-participant": {403, "Unauthorized: Token was not provided"},
		"/nowhere": {404, "There is no function at this path"},
	} {
		resp, err := client.Post("https://flexfn.test"+path, "application/x-www-form-urlencoded", strings.NewReader("hold=true"))
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if cors := resp.Header.Get("Access-Control-Allow-Origin"); resp.StatusCode != want.status || !strings.Contains(string(text), want.message) || cors != "*" {
			t.Errorf("%s: %d %s, CORS %q", path, resp.StatusCode, text, cors)
		}
	}
	if err := serve.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := serve.Wait(); err != nil || !strings.Contains(log.String(), `"platform":"aws-lambda"`) || !strings.Contains(log.String(), `"msg":"ended"`) {
		t.Errorf("it ended with %v and said %s", err, log.String())
	}
}
