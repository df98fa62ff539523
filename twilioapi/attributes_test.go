package twilioapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/internal/conflict"
	"github.com/flexfn/flexfn/internal/testing/memnet"
	"github.com/flexfn/flexfn/twilioapi"
)

// etagServer stores the attributes of one resource by version, like TaskRouter,
// and takes a while for each request.
type etagServer struct {
	mu         sync.Mutex
	attributes string
	version    int
	conflicts  int
	delay      time.Duration
	lose       func(stored int) bool // whether the answer to this store is lost
	seen       []string
}

func (s *etagServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	time.Sleep(s.delay)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, r.Method+" "+r.URL.Path+" "+r.Header.Get("If-Match"))
	if r.Method == http.MethodPost {
		if r.Header.Get("If-Match") != fmt.Sprint(s.version) {
			s.conflicts++
			w.WriteHeader(412)
			fmt.Fprint(w, `{"code":20412,"message":"Precondition Failed","status":412}`)
			return
		}
		s.attributes = r.PostFormValue("Attributes")
		s.version++
		if s.lose != nil && s.lose(s.version) {
			memnet.Reset(w, r)
			return
		}
	}
	w.Header().Set("ETag", fmt.Sprintf("%q", fmt.Sprint(s.version)))
	attributes, _ := json.Marshal(s.attributes)
	fmt.Fprintf(w, `{"sid":%q,"attributes":%s}`, taskSID, attributes)
}

func TestUpdateTaskAttributes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &etagServer{attributes: `{"id":12345678901234567890,"old":1,"nested":{"x":1}}`}
		ctx := newApp(t, memnet.Serve(t, s).Transport(), nil).Context(t.Context())
		res := twilioapi.UpdateTaskAttributes(ctx, taskSID, json.RawMessage(`{"old":null,"nested":{"y":null}}`))
		const want = `{"id":12345678901234567890,"nested":{"x":1,"y":null}}`
		if !res.Success || string(res.Data) != want || s.attributes != want || res.Attempts != 1 {
			t.Errorf("%+v %v, stored %s", res, res.Err(), s.attributes)
		}
		path := "/v1/Workspaces/" + workspaceSID + "/Tasks/" + taskSID
		if want := []string{"GET " + path + " ", "POST " + path + " 0"}; fmt.Sprint(s.seen) != fmt.Sprint(want) {
			t.Errorf("asked %q", s.seen)
		}
	})
}

func TestUpdateWorkerAttributes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &etagServer{attributes: `{"keep":true,"skills":["a","b"],"nested":{"x":1,"y":2},"id":12345678901234567890}`}
		ctx := newApp(t, memnet.Serve(t, s).Transport(), nil).Context(t.Context())
		res := twilioapi.UpdateWorkerAttributes(ctx, workerSID, json.RawMessage(`{"keep":null,"skills":["x"],"nested":{"x":3}}`))
		const want = `{"keep":null,"skills":["x"],"nested":{"x":3},"id":12345678901234567890}`
		if !res.Success || s.attributes != want || *res.Data.Attributes != want || !strings.Contains(s.seen[0], "/Workers/"+workerSID) || !strings.HasSuffix(s.seen[1], " 0") {
			t.Errorf("%v, stored %s, asked %q", res.Err(), s.attributes, s.seen)
		}
		if res = twilioapi.UpdateWorkerAttributes(ctx, workerSID, json.RawMessage(`[1]`)); res.Status != 400 || res.Data != nil || res.Attempts != 1 {
			t.Errorf("%+v", res)
		}
	})
}

// TestConcurrentUpdates: two processes with 25 writers each update one task at
// once.
func TestConcurrentUpdates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &etagServer{attributes: `{"first":0}`, delay: 20 * time.Millisecond}
		network := memnet.Serve(t, s)
		var wg sync.WaitGroup
		for process := range 2 {
			app := newApp(t, network.Transport(), nil)
			ctx, cancel := context.WithTimeout(app.Context(t.Context()), 10*time.Second)
			defer cancel()
			for writer := range 25 {
				wg.Go(func() {
					update := fmt.Sprintf(`{"p%dw%d":1}`, process, writer)
					if res := twilioapi.UpdateTaskAttributes(ctx, taskSID, json.RawMessage(update)); !res.Success {
						t.Errorf("%s: %v", update, res.Err())
					}
				})
			}
		}
		began := time.Now()
		wg.Wait()
		var stored map[string]int
		if err := json.Unmarshal([]byte(s.attributes), &stored); err != nil || len(stored) != 51 || s.version != 50 {
			t.Errorf("%d of 51 attributes after %d versions: %v", len(stored), s.version, err)
		}
		t.Logf("50 updates in %s with %d conflicts", time.Since(began), s.conflicts)
	})
}

func TestUpdateAfterALostAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &etagServer{attributes: `{}`, lose: func(version int) bool { return version == 1 }}
		ctx := newApp(t, memnet.Serve(t, s).Transport(), nil).Context(t.Context())
		res := twilioapi.UpdateTaskAttributes(ctx, taskSID, json.RawMessage(`{"a":1}`))
		if !res.Success || s.attributes != `{"a":1}` || res.Attempts != 2 || res.OutcomeUnknown {
			t.Errorf("%+v %v, stored %s", res, res.Err(), s.attributes)
		}
	})
}

func TestUpdateGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		always412 := answers(412, twilioError(412))
		network := memnet.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				always412(w, r)
				return
			}
			answers(200, `{"attributes":"{}"}`, "ETag", `W/"3"`)(w, r)
		}))
		conflicts := 0
		ctx := newApp(t, network.Transport(), func(c *flexfn.Config) {
			c.OnAttempt = func(_ context.Context, a flexfn.Attempt) {
				if a.Retried && a.Status == 412 && a.Err != nil {
					conflicts++
				}
			}
		}).Context(t.Context())
		res := twilioapi.UpdateTaskAttributes(ctx, taskSID, json.RawMessage(`{}`))
		if res.Status != 412 || res.Attempts != 61 || conflicts != 60 {
			t.Errorf("%+v, and %d attempts were reported as followed by another", res, conflicts)
		}
		short, cancel := context.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		began := time.Now()
		res = twilioapi.UpdateTaskAttributes(short, taskSID, json.RawMessage(`{}`))
		if res.Status != 412 || !errors.Is(res.Err(), context.DeadlineExceeded) || time.Since(began) > time.Millisecond {
			t.Errorf("%+v after %s", res, time.Since(began))
		}
	})
}

func TestUpdateRefuses(t *testing.T) {
	u, ctx := serve(t, nil)
	for _, tt := range []struct {
		sid, update string
		answer      http.HandlerFunc
		status      int
		message     string
	}{
		{"WTmissing", `{}`, nil, 400, "this is not the SID of a task"},
		{workerSID, `{}`, nil, 400, "this is not the SID of a task"},
		{taskSID, `[7]`, answers(200, `{"attributes":"{}"}`, "ETag", `"1"`), 400, "the update of attributes is not a JSON object"},
		{taskSID, `{}`, answers(200, `{"attributes":"not json"}`, "ETag", `"1"`), 502, "the attributes that Twilio has are not a JSON object"},
		{taskSID, `{}`, answers(200, `{"attributes":"{}"}`), 502, "Twilio sent the task without a version (ETag), so that it cannot be updated safely"},
		{taskSID, `{}`, answers(404, twilioError(404)), 404, "upstream says 404"},
	} {
		u.next = tt.answer
		res := twilioapi.UpdateTaskAttributes(ctx, tt.sid, json.RawMessage(tt.update))
		if res.Success || res.Status != tt.status || res.Message != tt.message {
			t.Errorf("%s %s: %+v", tt.sid, tt.update, res)
		}
	}
	if res := twilioapi.UpdateTaskAttributes(t.Context(), taskSID, json.RawMessage(`{}`)); res.Success || !strings.Contains(res.Message, "App.Context") {
		t.Errorf("without an app: %+v", res)
	}
}

// TestUpdateOfWhatTwilioHas: the result is what Twilio stored, or what was sent if
// the answer does not say.
func TestUpdateOfWhatTwilioHas(t *testing.T) {
	for _, tt := range []struct{ has, answers, want string }{
		{`{"attributes":null}`, `{"attributes":"{\"stored\":1}"}`, `{"stored":1}`},
		{`{"attributes":""}`, `{"attributes":null}`, `{"a":1}`},
		{`{}`, `{}`, `{"a":1}`},
	} {
		u, ctx := serve(t, nil)
		u.next = func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				answers(200, tt.answers)(w, r)
				return
			}
			answers(200, tt.has, "ETag", `"1"`)(w, r)
		}
		res := twilioapi.UpdateTaskAttributes(ctx, taskSID, json.RawMessage(`{"a":1}`))
		if string(res.Data) != tt.want || u.body != "Attributes=%7B%22a%22%3A1%7D" {
			t.Errorf("%s, then %s: %s, %v, sent %s", tt.has, tt.answers, res.Data, res.Err(), u.body)
		}
	}
}

func TestUpdateOfAWorkerFails(t *testing.T) {
	u, ctx := serve(t, nil)
	u.next = func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			answers(500, twilioError(500))(w, r)
			return
		}
		answers(200, `{"attributes":"{}"}`, "ETag", `"1"`)(w, r)
	}
	if res := twilioapi.UpdateWorkerAttributes(ctx, workerSID, json.RawMessage(`{}`)); res.Status != 500 || res.Data != nil || res.Attempts != 1 {
		t.Errorf("%+v", res)
	}
}

func TestUpdateWaitsItsTurnNoLongerThanItMay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &etagServer{attributes: `{}`, delay: time.Minute}
		app := newApp(t, memnet.Serve(t, s).Transport(), func(c *flexfn.Config) {
			c.Retry = []flexfn.RetryOption{flexfn.AttemptTimeout(0)}
		})
		ctx, cancel := context.WithTimeout(app.Context(t.Context()), 10*time.Second)
		defer cancel()
		done, err := conflict.Take(ctx, taskSID)
		if err != nil {
			t.Fatal(err)
		}
		defer done()
		res := twilioapi.UpdateTaskAttributes(ctx, taskSID, json.RawMessage(`{}`))
		if res.Status != 503 || res.Attempts != 0 || !errors.Is(res.Err(), context.DeadlineExceeded) {
			t.Errorf("%+v, %v", res, res.Err())
		}
	})
}
