package twiliofake_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flexfn/flexfn/twiliofake"
)

func setFaults(t testing.TB, fake *twiliofake.Twilio, rules ...twiliofake.Fault) {
	t.Helper()
	if err := fake.SetFaults(rules...); err != nil {
		t.Fatal(err)
	}
}

func TestStatusFault(t *testing.T) {
	fake := newFake(t)
	setFaults(t, fake, twiliofake.Fault{
		Name: "busy", Match: twiliofake.Match{Method: "POST", Host: "taskrouter", Path: "/v1/Workspaces/*/Tasks/*"},
		Skip: 1, Times: 2, Status: 429, RetryAfter: "2",
	})
	form := "Attributes=%7B%7D"
	ask(t, fake, "POST", task, form).want(t, 200)
	ask(t, fake, "GET", task, "").want(t, 200)
	for range 2 {
		a := ask(t, fake, "POST", task, form).want(t, 429, "code", 20429, "message", "Too Many Requests")
		if got := a.header.Get("Retry-After"); got != "2" {
			t.Errorf("Retry-After is %q", got)
		}
	}
	ask(t, fake, "POST", task, form).want(t, 200)
	if got, _ := fake.Resource("tasks", "WT00000000000000000000000000000001"); got["_version"] != 2 {
		t.Errorf("version %v: a refused update took effect", got["_version"])
	}
	var struck int
	for _, r := range fake.Requests(twiliofake.Match{Method: "POST"}) {
		if len(r.Faults) > 0 {
			struck++
			if r.Faults[0] != "busy" || r.Status != 429 {
				t.Errorf("struck by %v with %d", r.Faults, r.Status)
			}
		}
	}
	if struck != 2 {
		t.Errorf("%d requests were struck, want 2", struck)
	}
	if rule := fake.Faults()[0]; rule.Struck != 2 || !rule.Spent() {
		t.Errorf("the rule is listed as %+v", rule)
	}
	// A rule that Faults returned continues where it was when it is set again.
	again := fake.Faults()[0]
	setFaults(t, fake, again)
	ask(t, fake, "POST", task, form).want(t, 200)
	again.Struck = 1
	setFaults(t, fake, again)
	ask(t, fake, "POST", task, form).want(t, 429)
	ask(t, fake, "POST", task, form).want(t, 200)
	setFaults(t, fake, twiliofake.Fault{Status: 500, Code: 31000, Message: "odd", Apply: true})
	ask(t, fake, "POST", task, "Priority=9").want(t, 500, "code", 31000, "message", "odd")
	setFaults(t, fake)
	ask(t, fake, "GET", task, "").want(t, 200, "priority", 9)
	setFaults(t, fake, twiliofake.Fault{Action: twiliofake.HTML})
	if a := ask(t, fake, "GET", task, "").want(t, 503); a.body != nil || a.header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("the answer is not a page: %s %s", a.header.Get("Content-Type"), a.text)
	}
}

// TestProbability checks that a rule strikes the same requests for the same
// seed, and about as many as its probability says.
func TestProbability(t *testing.T) {
	run := func(seed uint64) (pattern string, struck int) {
		state := twiliofake.DevelopmentState()
		state.FaultSeed = seed
		state.Faults = []twiliofake.Fault{{Probability: 0.3}}
		fake, err := twiliofake.New(twiliofake.Config{State: &state})
		if err != nil {
			t.Fatal(err)
		}
		for range 300 {
			if ask(t, fake, "GET", task, "").status == 503 {
				struck++
				pattern += "x"
			} else {
				pattern += "."
			}
		}
		return pattern, struck
	}
	a, n := run(1)
	if b, _ := run(1); a != b {
		t.Error("the same seed strikes other requests")
	}
	if b, _ := run(2); a == b {
		t.Error("another seed strikes the same requests")
	}
	if n < 60 || n > 120 {
		t.Errorf("struck %d of 300 at 0.3", n)
	}
}

// TestTimedFaults runs in a synctest bubble, so delays, rate limits and outages
// take no real time.
func TestTimedFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t)
		setFaults(t, fake,
			twiliofake.Fault{Action: twiliofake.Slow, Delay: 3 * time.Second},
			twiliofake.Fault{Match: twiliofake.Match{Method: "POST"}, Delay: time.Second},
		)
		start := time.Now()
		ask(t, fake, "GET", task, "").want(t, 200)
		if d := time.Since(start); d != 3*time.Second {
			t.Errorf("slow took %v", d)
		}
		start = time.Now()
		ask(t, fake, "POST", task, "Priority=1").want(t, 503)
		if d := time.Since(start); d != 4*time.Second {
			t.Errorf("slow and delayed took %v", d)
		}

		setFaults(t, fake, twiliofake.Fault{Action: twiliofake.RateLimit, PerSecond: 5})
		count := func(n int) (passed int) {
			for range n {
				switch a := ask(t, fake, "GET", task, ""); a.status {
				case 200:
					passed++
				case 429:
					a.want(t, 429, "code", 20429)
					if a.header.Get("Retry-After") != "1" {
						t.Error("no Retry-After")
					}
				default:
					t.Errorf("status %d", a.status)
				}
			}
			return passed
		}
		if n := count(20); n != 5 {
			t.Errorf("%d of 20 passed at 5 a second", n)
		}
		time.Sleep(time.Second)
		if n := count(20); n != 5 {
			t.Errorf("%d of 20 passed in the next second", n)
		}

		setFaults(t, fake, twiliofake.Fault{From: time.Now().Add(time.Minute), Until: time.Now().Add(2 * time.Minute)})
		ask(t, fake, "GET", task, "").want(t, 200)
		time.Sleep(time.Minute)
		ask(t, fake, "GET", task, "").want(t, 503)
		time.Sleep(time.Minute)
		ask(t, fake, "GET", task, "").want(t, 200)
	})
}

// TestLostAnswers tries each fault that drops all or part of an answer, in
// memory and over a socket. The client sees the same kind of error on both.
func TestLostAnswers(t *testing.T) {
	fake := newFake(t)
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	t.Cleanup(fake.Close)
	socket := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", server.Listener.Addr().String())
		},
		DisableKeepAlives: true, // net/http repeats some requests on a used connection
	}}
	plain := func(url string) string { return strings.Replace(url, "https:", "http:", 1) }
	for name, client := range map[string]*http.Client{"memory": fake.Client(), "socket": socket} {
		t.Run(name, func(t *testing.T) {
			for _, action := range []twiliofake.Action{twiliofake.Reset, twiliofake.ResetAfter} {
				for _, apply := range []bool{false, true} {
					before, _ := fake.Resource("tasks", "WT00000000000000000000000000000001")
					setFaults(t, fake, twiliofake.Fault{Action: action, Apply: apply})
					_, err := client.Do(request(t, "POST", plain(task), "Attributes=%7B%7D"))
					// Writing a request that the server does not read may fail
					// first.
					unread := action == twiliofake.Reset && !apply && errors.Is(err, syscall.EPIPE)
					if !errors.Is(err, syscall.ECONNRESET) && !unread {
						t.Errorf("%s: %v, want a reset", action, err)
					}
					after, _ := fake.Resource("tasks", "WT00000000000000000000000000000001")
					if changed := !reflect.DeepEqual(before["_version"], after["_version"]); changed != apply {
						t.Errorf("%s, apply %v: changed %v", action, apply, changed)
					}
				}
			}

			setFaults(t, fake, twiliofake.Fault{Action: twiliofake.Cut})
			res, err := client.Do(request(t, "GET", plain(task), ""))
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(res.Body)
			res.Body.Close()
			if !errors.Is(err, io.ErrUnexpectedEOF) || res.StatusCode != 200 || len(b) == 0 || res.ContentLength <= int64(len(b)) {
				t.Errorf("cut: %d, %d of %d bytes, %v", res.StatusCode, len(b), res.ContentLength, err)
			}
			if _, err := client.Do(request(t, "DELETE", plain(conference)[:len(plain(conference))-34]+"CF00000000000000000000000000000001/Participants/CA00000000000000000000000000000009.json", "")); err != nil {
				t.Errorf("cut of a 404: %v", err) // it has a body, so the header arrives
			}

			setFaults(t, fake, twiliofake.Fault{Action: twiliofake.Hang})
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			_, err = client.Do(request(t, "GET", plain(task), "").WithContext(ctx))
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("hang: %v, want the deadline", err)
			}
			setFaults(t, fake)
			res, err = client.Do(request(t, "GET", plain(task), ""))
			if err != nil || res.StatusCode != 200 {
				t.Fatalf("after the faults: %v", err)
			}
			res.Body.Close()
		})
	}
	for _, r := range fake.Requests(twiliofake.Match{}) {
		if len(r.Faults) == 1 && r.Faults[0] == "hang" && r.Status != 0 {
			t.Errorf("a hanging request has status %d in the log", r.Status)
		}
	}
}

func TestCutWithoutBody(t *testing.T) {
	fake := newFake(t)
	setFaults(t, fake, twiliofake.Fault{Action: twiliofake.Cut})
	_, err := fake.Client().Do(request(t, "DELETE", task, ""))
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("%v, want a reset", err)
	}
	if _, ok := fake.Resource("tasks", "WT00000000000000000000000000000001"); ok {
		t.Error("the task is still there, although cut carries the request out")
	}
}

// TestClose ends requests that hang.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t)
		setFaults(t, fake, twiliofake.Fault{Action: twiliofake.Hang, Delay: time.Hour})
		done := make(chan error)
		go func() {
			_, err := fake.Client().Do(request(t, "GET", task, ""))
			done <- err
		}()
		synctest.Wait()
		fake.Close()
		if err := <-done; !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%v, want a reset", err)
		}
		fake.Close()
	})
}

func TestFaultRules(t *testing.T) {
	fake := newFake(t)
	good := twiliofake.Fault{Name: "x", Status: 500}
	setFaults(t, fake, good)
	for _, bad := range []twiliofake.Fault{
		{Action: "explode"}, {Action: twiliofake.Slow}, {Action: twiliofake.RateLimit}, {Probability: 2}, {Probability: -1},
		{Skip: -1}, {Times: -1}, {Delay: -1}, {Status: 99}, {Status: 600}, {Match: twiliofake.Match{Path: "/[a"}}, {Match: twiliofake.Match{Path: "v1"}},
	} {
		if err := fake.SetFaults(good, bad); err == nil || !strings.Contains(err.Error(), "faults[1]") {
			t.Errorf("%+v: %v", bad, err)
		}
		if err := fake.AddFault(bad); err == nil {
			t.Errorf("%+v was added", bad)
		}
	}
	if got := fake.Faults(); len(got) != 1 || got[0] != good {
		t.Errorf("the rules are %v", got)
	}
	rule := twiliofake.Fault{
		Name: "all", Match: twiliofake.Match{Method: "GET", Host: "api", Path: "/2010-04-01/**"}, Skip: 1, Times: 2, Probability: .5,
		From: time.Unix(0, 0).UTC(), Until: time.Unix(9, 0).UTC(), Action: twiliofake.HTML, Apply: true, Delay: 250 * time.Millisecond,
		Status: 502, Code: 1, Message: "m", RetryAfter: "soon", PerSecond: 3,
	}
	b, err := json.Marshal(rule)
	if err != nil {
		t.Fatal(err)
	}
	var back twiliofake.Fault
	if err := json.Unmarshal(b, &back); err != nil || back != rule {
		t.Errorf("%s became %+v, %v", b, back, err)
	}
	if !strings.Contains(string(b), `"delay":"250ms"`) {
		t.Errorf("the delay is not a readable string in %s", b)
	}
	for _, bad := range []string{`{"delay":"soon"}`, `{"dealy":"1s"}`, `{"delay":5}`, `[]`} {
		if err := json.Unmarshal([]byte(bad), &back); err == nil {
			t.Errorf("%s was read", bad)
		}
	}
}

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		match twiliofake.Match
		url   string
		want  bool
	}{
		{match: twiliofake.Match{}, url: task, want: true},
		{match: twiliofake.Match{Host: "taskrouter"}, url: "https://taskrouter.dublin.ie1.twilio.com/", want: true},
		{match: twiliofake.Match{Host: "taskrouter.twilio.com"}, url: "https://taskrouter.ie1.twilio.com/", want: false},
		{match: twiliofake.Match{Host: "api"}, url: task, want: false},
		{match: twiliofake.Match{Method: "post"}, url: task, want: false},
		{match: twiliofake.Match{Method: "get"}, url: task, want: true},
		{match: twiliofake.Match{Path: "/v1/Workspaces/*/Tasks/*"}, url: task, want: true},
		{match: twiliofake.Match{Path: "/v1/Workspaces/*/Tasks/*"}, url: task + "/Reservations", want: false},
		{match: twiliofake.Match{Path: "/v1/Workspaces/*/Tasks"}, url: task, want: false},
		{match: twiliofake.Match{Path: "/v1/Workspaces/**"}, url: task, want: true},
		{match: twiliofake.Match{Path: "/v1/Workspaces/*/Tasks/**"}, url: task + "/Reservations/x", want: true},
		{match: twiliofake.Match{Path: "/v2/**"}, url: task, want: false},
		{match: twiliofake.Match{Path: "**"}, url: task, want: true},
		{match: twiliofake.Match{Path: "/v1/**"}, url: "https://iam.twilio.com/", want: false},
	} {
		fake := newFake(t)
		ask(t, fake, "GET", c.url, "")
		if got := len(fake.Requests(c.match)) == 1; got != c.want {
			t.Errorf("%+v matches %s: %v", c.match, c.url, got)
		}
	}
}
