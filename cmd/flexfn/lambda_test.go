//go:build unix

package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flexfn/flexfn/internal/lambdatest"
	"github.com/flexfn/flexfn/twiliofake"
)

// serveOnLambda starts flexfn serve as a Lambda function.
func serveOnLambda(t *testing.T, environ ...string) (*lambdatest.API, *exec.Cmd, *strings.Builder) {
	t.Helper()
	api, err := lambdatest.New()
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(t.TempDir(), "flexfn") // the name makes the test's binary the command
	if err := os.Symlink(self, binary); err != nil {
		t.Fatal(err)
	}
	serve := exec.Command(binary, "serve")
	serve.Env = append(append(api.Environ(), environ...), "ACCOUNT_SID="+twiliofake.DevelopmentAccountSID, "AUTH_TOKEN="+twiliofake.DevelopmentAuthToken)
	log := new(strings.Builder)
	serve.Stderr = log
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = serve.Process.Kill()
		_ = serve.Wait()
		_ = api.Close()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	if err := api.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	return api, serve, log
}

// TestServeOnLambda runs flexfn serve as a Lambda function behind a function
// URL: the ready-made functions answer there as anywhere.
func TestServeOnLambda(t *testing.T) {
	api, serve, log := serveOnLambda(t)
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

// TestFreezeAndThaw freezes an instance between requests, as Lambda does.
// Meanwhile Twilio closes the connections; every request must go through.
func TestFreezeAndThaw(t *testing.T) {
	fake, err := twiliofake.New(twiliofake.Config{})
	if err != nil {
		t.Fatal(err)
	}
	twilio := httptest.NewServer(fake)
	defer twilio.Close()
	defer fake.Close()
	api, serve, _ := serveOnLambda(t, "FLEXFN_TWILIO_URL="+twilio.URL, "FLEXFN_TOKEN_TTL=1s")
	client := &http.Client{Transport: &lambdatest.Transport{API: api, Kind: lambdatest.FunctionURL}}
	form := url.Values{
		"Token": {"dev-agent"}, "conference": {"CF00000000000000000000000000000001"}, "participant": {"CA00000000000000000000000000000001"}, "hold": {"true"},
	}
	for i := range 6 {
		for range 3 {
			resp, err := client.PostForm("https://flexfn.test/common/flex/programmable-voice/hold-participant", form)
			if err != nil {
				t.Fatal(err)
			}
			text, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if resp.StatusCode != 200 {
				t.Errorf("thaw %d: %d %s", i, resp.StatusCode, text)
			}
		}
		if err := serve.Process.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		twilio.CloseClientConnections()
		time.Sleep(200 * time.Millisecond)
		if err := serve.Process.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
	}
}
