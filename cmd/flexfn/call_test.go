package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
)

// TestCallExitCodes checks the exit codes, which scripts rely on.
func TestCallExitCodes(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, _ := strconv.Atoi(r.FormValue("status"))
		if status == 0 {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]int{"status": status})
	}))
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	defer server.Close()
	at := "--url=" + server.URL
	for _, c := range []struct {
		args   []string
		want   int
		stdout string
		stderr string
	}{
		{[]string{at, "/f", "status=200"}, 0, "{\n  \"status\": 200\n}\n", "200 OK\n"},
		{[]string{at, "/f", "status=202"}, 0, "{\n  \"status\": 202\n}\n", "202 Accepted\n"},
		{[]string{at, "/f", "status=302"}, 4, "302", "302 Found"},
		{[]string{at, "/f", "status=400"}, 4, "400", "400 Bad Request"},
		{[]string{at, "/f", "status=403"}, 4, "403", "403 Forbidden"},
		{[]string{at, "/f", "status=429"}, 4, "429", "429 Too Many Requests"},
		{[]string{at, "/f", "status=500"}, 5, "500", "500 Internal Server Error"},
		{[]string{at, "/f", "status=504"}, 5, "504", "504 Gateway Timeout"},
		{[]string{at, "/f", "status=0"}, 1, "", "no answer from"},
		{[]string{"--url=" + gone.URL, "/f"}, 1, "", "is it running?"},
		{[]string{at, "/f", "nonsense"}, 2, "", "key=value"},
		{[]string{"--url=://x", "/f"}, 2, "", "is not an address"},
		{[]string{at}, 2, "", "expected"},
		{[]string{at, "/f", "--as=agent", "--twilio"}, 2, "", "can't be used together"},
		{[]string{"--help"}, 0, "Exit codes: 0 for a success, 4 when the function refused", ""},
	} {
		var stdout, stderr bytes.Buffer
		nothing := func(string) (string, bool) { return "", false }
		code := run(t.Context(), append([]string{"call"}, c.args...), environment{nothing, &stdout, &stderr})
		if code != c.want {
			t.Errorf("flexfn call %q: exit code %d, want %d", c.args, code, c.want)
		}
		for what, got := range map[string][2]string{"stdout": {stdout.String(), c.stdout}, "stderr": {stderr.String(), c.stderr}} {
			if !strings.Contains(strings.Join(strings.Fields(got[0]), " "), strings.Join(strings.Fields(got[1]), " ")) {
				t.Errorf("flexfn call %q: %s is %q, want %q", c.args, what, got[0], got[1])
			}
		}
	}
}
