package host

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// fnTransport imitates Fn's agent and its HTTP trigger.
type fnTransport struct{ socket http.RoundTripper }

const fnTestLimit = 2 * time.Second

func (f fnTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	outer, err := http.NewRequestWithContext(r.Context(), http.MethodPost, "http://localhost/call", r.Body)
	if err != nil {
		return nil, err
	}
	outer.ContentLength = r.ContentLength
	for name, values := range r.Header {
		outer.Header["Fn-Http-H-"+name] = values
	}
	outer.Header.Set("Content-Type", r.Header.Get("Content-Type"))
	outer.Header.Set("Fn-Http-H-Host", r.URL.Host)
	outer.Header.Set("Fn-Http-Method", r.Method)
	outer.Header.Set("Fn-Http-Request-Url", r.URL.String())
	outer.Header.Set("Fn-Intent", "httprequest")
	outer.Header.Set("Fn-Call-Id", "01D0CHBC0KNG8G00GZJ0000001")
	outer.Header.Set("Fn-Deadline", time.Now().Add(fnTestLimit).Format(time.RFC3339Nano))
	resp, err := f.socket.RoundTrip(outer)
	if err != nil {
		return nil, err
	}
	status, err := strconv.Atoi(resp.Header.Get("Fn-Http-Status"))
	if err != nil || resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the answer to Fn is %s with status %q", resp.Status, resp.Header.Get("Fn-Http-Status"))
	}
	inner := *resp
	inner.StatusCode, inner.Header = status, http.Header{}
	for name, values := range resp.Header {
		if rest, ok := strings.CutPrefix(name, "Fn-Http-H-"); ok {
			inner.Header[rest] = values
		}
	}
	return &inner, nil
}

func startFn(t *testing.T, handler http.Handler) *served {
	t.Helper()
	return start(t, handler, FromLookup(lookup(map[string]string{
		"FN_LISTENER": "unix:" + filepath.Join(t.TempDir(), "lsnr.sock"), "FN_FORMAT": "http-stream",
	})))
}

func TestFnConformance(t *testing.T) {
	s := startFn(t, conformanceHandler())
	conformance(t, target{transport: fnTransport{s.transport()}, limit: fnTestLimit, streams: true, leaves: true})

	info, err := os.Stat(s.address) // follows the link
	if err != nil || info.Mode().Perm() != 0o666 {
		t.Errorf("the socket's mode is %v, %v; Fn's agent must be able to write", info.Mode(), err)
	}
	// A call that is not an HTTP request, as from "fn invoke".
	req, err := http.NewRequest("POST", "http://localhost/echo/", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.transport().RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if resp.StatusCode != 200 || !bytes.Contains(text, []byte(`"Path":"/echo/"`)) {
		t.Errorf("a direct call: %s, %s", resp.Status, text)
	}
	s.end()
	s.ended <- <-s.ended
	if _, err := os.Lstat(s.address); !os.IsNotExist(err) {
		t.Errorf("the socket stays behind: %v", err)
	}
}
