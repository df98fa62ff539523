package main

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestClock(t *testing.T) {
	now := time.Date(2026, 1, 31, 15, 4, 5, 0, time.UTC)
	for off, want := range map[time.Duration]string{
		0: "ok", 4 * time.Second: "ok", 6 * time.Second: "warn", -6 * time.Second: "warn", 2 * time.Minute: "FAIL", -time.Hour: "FAIL",
	} {
		var out bytes.Buffer
		r := &report{out: &out}
		r.clock(now.Add(off).Format(http.TimeFormat), now)
		if !strings.HasPrefix(out.String(), want) {
			t.Errorf("%s off: %s, want %s", off, out.String(), want)
		}
	}
	var out bytes.Buffer
	(&report{out: &out}).clock("nonsense", now)
	if !strings.HasPrefix(out.String(), "skip") {
		t.Errorf("no time: %s", out.String())
	}
}

func TestReadable(t *testing.T) {
	const origin = "https://flex.twilio.com"
	full := http.Header{"Access-Control-Allow-Origin": {"*"}, "Access-Control-Allow-Headers": {"Authorization, Content-Type"}}
	with := func(name string, values ...string) http.Header {
		h := full.Clone()
		h[name] = values
		return h
	}
	for _, test := range []struct {
		method string
		status int
		header http.Header
		want   string
	}{
		{"OPTIONS", 204, full, ""},
		{"POST", 404, full, ""},
		{"POST", 500, with("Access-Control-Allow-Origin", origin), ""},
		{"POST", 200, http.Header{}, "no Access-Control-Allow-Origin"},
		{"POST", 200, with("Access-Control-Allow-Origin", "*", "*"), "twice"},
		{"POST", 200, with("Access-Control-Allow-Origin", "https://example.com"), "for https://example.com"},
		{"OPTIONS", 405, full, "status 405"},
		{"OPTIONS", 204, with("Access-Control-Allow-Headers", "content-type"), "authorization"},
	} {
		got := readable(test.method, &http.Response{StatusCode: test.status, Header: test.header}, origin)
		if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s %d %v: %q, want %q", test.method, test.status, test.header, got, test.want)
		}
	}
}
