package function

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"
)

// TestFunction calls the function through Google's framework. It runs with
// ACCOUNT_SID, AUTH_TOKEN and FUNCTION_TARGET=Flexfn set.
func TestFunction(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	_ = l.Close()
	failed := make(chan error, 1)
	go func() { failed <- funcframework.StartHostPort("127.0.0.1", port) }()
	for range 500 {
		resp, err := http.Post("http://127.0.0.1:"+port+"/common/flex/programmable-voice/hold-participant", "application/x-www-form-urlencoded", strings.NewReader("hold=true"))
		if err != nil {
			select {
			case err := <-failed:
				t.Fatal(err)
			case <-time.After(10 * time.Millisecond):
			}
			continue
		}
		text, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != 403 || !strings.Contains(string(text), "Token was not provided") || resp.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s %s", resp.Status, text)
		}
		return
	}
	t.Error("the framework does not answer")
}
