package dev

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/flexfn/flexfn/internal/link"
	"github.com/flexfn/flexfn/internal/testing/blind"
)

// TestLogIsBounded records a million requests, some with long bodies and many
// attempts, and checks that memory does not grow with them.
func TestLogIsBounded(t *testing.T) {
	var l requestLog
	var m metrics
	long := strings.Repeat("x", maxBodyShown)
	heap := func() uint64 {
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return s.HeapAlloc
	}
	n := 1_000_000
	if testing.Short() {
		n = 100_000
	}
	before := heap()
	for i := range n {
		e := &Entry{Summary: Summary{Method: "POST", Path: "/f", Status: 200}}
		if i%100 == 0 {
			// Real requests do not share their bodies' memory.
			e.Request.Body, e.Answer.Body = strings.Clone(long), strings.Clone(long)
			e.raw = &rawRequest{body: []byte(long)}
			e.Request.Header = http.Header{"X-Long": {strings.Clone(long)}}
			e.Trace = &link.Trace{Attempts: make([]link.Attempt, link.MaxAttempts)}
		}
		l.end(l.begin(e), e)
		m.add(time.Unix(int64(i/1000), 0), 200, 1, time.Duration(i))
	}
	if got := len(l.list()); got == 0 || got > maxEntries {
		t.Errorf("the log has %d entries", got)
	}
	if l.bytes > maxLogBytes {
		t.Errorf("the log counts %d bytes, above %d", l.bytes, maxLogBytes)
	}
	if first := l.list()[0].ID; first != fmt.Sprint(n) {
		t.Errorf("the newest is %s", first)
	}
	if grown := int64(heap()) - int64(before); grown > 2*maxLogBytes {
		t.Errorf("memory grew by %d bytes over %d requests", grown, n)
	} else {
		t.Logf("memory grew by %d KiB over %d requests", grown>>10, n)
	}
	runtime.KeepAlive(&l)
	runtime.KeepAlive(&m)
}

// TestLogDropsTheOldest checks both bounds, by number and by bytes. An entry
// that is too big on its own stays until the next one.
func TestLogDropsTheOldest(t *testing.T) {
	var l requestLog
	add := func(e *Entry) { l.end(l.begin(e), e) }
	for range maxEntries + 3 {
		add(&Entry{})
	}
	if l.find("3") != nil || l.find("4") == nil {
		t.Error("the entry dropped was not the oldest")
	}
	add(&Entry{Answer: Message{Body: strings.Repeat("x", maxLogBytes)}})
	if got := len(l.list()); got != 1 {
		t.Errorf("%d entries stay with one that fills the log", got)
	}
	l.clear()
	add(&Entry{})
	if l.find(fmt.Sprint(maxEntries+5)) == nil || l.bytes > 2000 {
		t.Errorf("after clearing: %v, %d bytes", l.list(), l.bytes)
	}
}

// TestLogShowsRunningRequests checks that running requests are listed in their
// place, and that their result is listed even if newer requests have pushed
// them out.
func TestLogShowsRunningRequests(t *testing.T) {
	var l requestLog
	slow := &Entry{Summary: Summary{Path: "/slow"}}
	soFar := l.begin(slow)
	quick := &Entry{Summary: Summary{Path: "/quick"}}
	begun := l.begin(quick)
	quick.Status = 200
	l.end(begun, quick)
	if list := l.list(); len(list) != 2 || list[0].Status != 200 || list[1].Path != "/slow" || list[1].Status != 0 {
		t.Errorf("%+v", list)
	}
	slow.Status = 504
	if l.find("1").Status != 0 {
		t.Error("the listed entry changed before the request ended")
	}
	l.end(soFar, slow)
	if list := l.list(); len(list) != 2 || list[1].Status != 504 {
		t.Errorf("%+v", list)
	}
	late := &Entry{}
	soFar = l.begin(late)
	for range maxEntries {
		e := &Entry{}
		l.end(l.begin(e), e)
	}
	if l.find(late.ID) != nil {
		t.Error("it was not pushed out")
	}
	l.end(soFar, late)
	if l.list()[0].ID != late.ID || len(l.list()) != maxEntries {
		t.Error("it is not the newest line")
	}
}

func TestMetrics(t *testing.T) {
	var m metrics
	now := time.Unix(1_000_000, 0)
	for i := range 100 {
		status := 200
		switch {
		case i < 5:
			status = 503
		case i < 15:
			status = 404
		}
		took := 10 * time.Millisecond
		if i >= 90 {
			took = time.Second
		}
		m.add(now, status, i%2, took)
	}
	m.add(now.Add(2*time.Second), 200, 0, 0)
	m.add(now.Add(2*time.Second), 200, 0, time.Hour)
	list := m.list(now.Add(2 * time.Second))
	if len(list) != 2 {
		t.Fatalf("%+v", list)
	}
	s := list[0]
	if s.Requests != 100 || s.Errors != 5 || s.Refused != 10 || s.Retries != 50 {
		t.Errorf("%+v", s)
	}
	within := func(got, want float64) bool { return got > want*0.75 && got < want*1.33 }
	if !within(s.Median, 10) || !within(s.P95, 1000) {
		t.Errorf("median %v ms, 95th percentile %v ms; want about 10 and 1000", s.Median, s.P95)
	}
	if got := m.list(now.Add(metricsSeconds * time.Second)); len(got) != 1 {
		t.Errorf("after five minutes: %+v", got)
	}
}

func TestMask(t *testing.T) {
	m := masker{secrets: []string{"s3cret", ""}}
	for _, c := range []struct{ kind, body, want string }{
		{formType, "Token=abc&name=A%20b&token=x&to%6ben=y", "Token=(masked)&name=A%20b&token=(masked)&to%6ben=(masked)"},
		{formType + "; charset=utf-8", "a=s3cret", "a=(masked)"},
		{jsonType, `{"Token":"abc","n":12345678901234567890}`, `{"Token":"(masked)","n":12345678901234567890}`},
		{jsonType, `{"b": 1,  "a": [1]}`, `{"b": 1,  "a": [1]}`},
		{jsonType, `{"a":[{"password":"p"}],"x":"s3cret"}`, `{"a":[{"password":"(masked)"}],"x":"(masked)"}`},
		{jsonType, `{"Token":"abc`, `{"Token":"(masked)"`},
		{jsonType, `{"token":["a","b"],"secret":7,"password":null}`, `{"password":null,"secret":"(masked)","token":"(masked)"}`},
		{formType, "token[0]=abc&token%5B%5D=d", "token[0]=(masked)&token%5B%5D=(masked)"},
		{"text/plain; charset=utf-8", "Token=abc\npassword: p\nname=Ada", "Token=(masked)\npassword: (masked)\nname=Ada"},
		{"", "callback?auth_token=abc&n=1", "callback?auth_token=(masked)&n=1"},
		{"multipart/form-data; boundary=xx", "--xx\r\nContent-Disposition: form-data; name=\"Token\"\r\n\r\nabc\r\n--xx\r\nContent-Disposition: form-data; name=name\r\n\r\nAda s3cret\r\n--xx\r\nContent-Disposition: form-data; name=\"secret\"\r\n\r\ncut",
			"--xx\r\nContent-Disposition: form-data; name=\"Token\"\r\n\r\n(masked)\r\n--xx\r\nContent-Disposition: form-data; name=name\r\n\r\nAda (masked)\r\n--xx\r\nContent-Disposition: form-data; name=\"secret\"\r\n\r\n(masked)\r\n"},
		{jsonType, `{"name":"abc`, `{"name":"abc`},
		{"application/problem+json", `{"secret":"p"}`, `{"secret":"(masked)"}`},
		{"text/plain", "it is s3cret", "it is (masked)"},
		{"", "", ""},
	} {
		if got := m.body([]byte(c.body), c.kind); got != c.want {
			t.Errorf("%s %s: %s, want %s", c.kind, c.body, got, c.want)
		}
	}
	h := m.header(http.Header{"Authorization": {"Bearer x"}, "X-Twilio-Signature": {"x"}, "Accept": {"s3cret"}, link.KeyHeader: {"x"},
		"Referer": {"https://flex.example/?Token=abc&n=1"}, "X-Auth-Token": {"x"}})
	if len(h) != 5 || h.Get("Referer") != "https://flex.example/?Token=(masked)&n=1" || h.Get("X-Auth-Token") != masked || h.Get("Authorization") != masked || h.Get("X-Twilio-Signature") != masked || h.Get("Accept") != masked {
		t.Errorf("headers: %v", h)
	}
}

// FuzzMask checks that masking never panics, and that no token in a form stays
// visible.
func FuzzMask(f *testing.F) {
	f.Add("Token=abc&x=1", formType)
	f.Add(`{"Token":"abc"}`, jsonType)
	f.Add(`{"Token":["abc"]}`, jsonType)
	m := masker{}
	blind.Fuzz(f, func(t *testing.T, body, kind string) {
		m.body([]byte(body), kind)
		m.body([]byte(body), jsonType)
		if got := m.form("Token=zzsecretzz&" + body); strings.Contains(got, "zzsecretzz") && !strings.Contains(body, "zzsecretzz") {
			t.Errorf("%q shows the token", got)
		}
	})
}
