package twilioapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/internal/testing/contract"
	"github.com/flexfn/flexfn/twilioapi"
	taskrouter "github.com/twilio/twilio-go/rest/taskrouter/v1"
)

// TestReplayRetry sends the recorded requests of topic retry to a function that
// does with flexfn what the recorded one did with executeWithRetry and
// twilioExecute. Any difference must be in the list of deliberate differences.
func TestReplayRetry(t *testing.T) {
	cases, err := contract.Load("retry")
	if err != nil {
		t.Fatal(err)
	}
	differences, err := contract.Differences("retry")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.ID, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if len(c.ConcurrentRequests) > 0 {
					replayTogether(t, c)
					return
				}
				began := time.Now()
				got, fault := replay(c)
				contract.Check(t, c, got, fault, differences[c.ID])
				if fault == "" && !strings.Contains(c.ID, "retry-after") {
					checkWaits(t, c, time.Since(began))
				}
			})
		})
		delete(differences, c.ID)
	}
	for id := range differences {
		t.Errorf("differences.json lists %s, which is not a case of topic retry", id)
	}
}

func replay(c contract.Case) (got []contract.Response, fault string) {
	player := contract.NewPlayer(c)
	app, err := replayApp(c, player)
	if err != nil {
		return nil, "the configuration is refused: " + err.Error()
	}
	got, err = answersTo(app, c)
	if err != nil {
		return nil, err.Error()
	}
	return got, contract.Compare(c, got, player.Seen())
}

func replayApp(c contract.Case, player http.RoundTripper) (*flexfn.App, error) {
	env := contract.Environment(c)
	config := flexfn.FromLookup(func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	config.Transport = player
	config.Logger = slog.New(slog.DiscardHandler)
	config.StudioDeadline = time.Hour // the reference has none
	app, err := flexfn.New(config)
	if err != nil {
		return nil, err
	}
	app.Handle(c.Function.Path, flexfn.PrepareStudioFunction(lab, flexfn.OpenToAnyone(), flexfn.Require("mode", "")))
	return app, nil
}

func answersTo(app *flexfn.App, c contract.Case) ([]contract.Response, error) {
	requests := c.Requests()
	got := make([]contract.Response, len(requests))
	errs := make([]error, len(requests))
	var wg sync.WaitGroup
	for i, r := range requests {
		wg.Go(func() {
			req, err := r.HTTP("http://127.0.0.1")
			if err != nil {
				errs[i] = err
				return
			}
			w := httptest.NewRecorder()
			app.ServeHTTP(w, req)
			got[i] = contract.Response{Status: w.Code, Body: contract.Text(w.Body.String())}
			for k, vs := range w.Result().Header {
				got[i].Headers = append(got[i].Headers, [2]string{strings.ToLower(k), vs[0]})
			}
		})
	}
	wg.Wait()
	return got, errors.Join(errs...)
}

// replayTogether checks what holds in any order of the requests: each succeeds,
// and the upstream gets as many calls as recorded.
func replayTogether(t *testing.T, c contract.Case) {
	player := contract.NewPlayer(c)
	app, err := replayApp(c, player)
	if err != nil {
		t.Fatal(err)
	}
	got, err := answersTo(app, c)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range got {
		if r.Status != 200 || !strings.Contains(string(r.Body), `"data":"WT00000000000000000000000000000001"`) {
			t.Errorf("status %d, %s", r.Status, r.Body)
		}
	}
	if n := len(player.Seen()); n != len(c.UpstreamCalls) {
		t.Errorf("%d upstream calls, recorded %d", n, len(c.UpstreamCalls))
	}
}

// checkWaits compares the virtual time of a case with the rule: no wait after a
// 412, and a wait within the bounds after other failures.
func checkWaits(t *testing.T, c contract.Case, took time.Duration) {
	waits := 0
	for i, call := range c.UpstreamCalls {
		if i < len(c.UpstreamCalls)-1 && call.Response.Status != http.StatusPreconditionFailed {
			waits++
		}
	}
	for _, fault := range c.ConnectFaults {
		waits += fault.Times
	}
	if strings.Contains(string(c.Request.Path), "response503") || strings.Contains(string(c.Request.Path), "response429") {
		return // the callback threw it; it did not come from upstream
	}
	if least, most := time.Duration(waits)*100*time.Millisecond, time.Duration(waits)*300*time.Millisecond; took < least || took > most {
		t.Errorf("%s for %d waits", took, waits)
	}
}

// thrown is an error with a string as its code, like Node's errors.
type thrown struct {
	text string
	err  error
}

func (e thrown) Error() string { return e.text }
func (e thrown) Unwrap() error { return e.err }

// throws maps the values that the recorded callbacks throw to the closest Go
// errors.
var throws = map[string]error{
	"string":                errors.New("a string"),
	"number":                errors.New("412"),
	"zero":                  errors.New("0"),
	"false":                 errors.New("false"),
	"object":                errors.New("map[a:1]"),
	"emptyerror":            errors.New(""),
	"status412":             &flexfn.Error{Status: 412, Message: "m412"},
	"response503":           &flexfn.Error{Status: 503, Message: "m503"},
	"status0-response429":   &flexfn.Error{Status: 429, Message: "m"},
	"status404-response429": &flexfn.Error{Status: 404, Message: "m", Err: &flexfn.Error{Status: 429}},
	"code-econnreset":       thrown{"reset", syscall.ECONNRESET},
	"code-etimedout":        thrown{"timed out", syscall.ETIMEDOUT},
	"code-econnrefused":     thrown{"refused", syscall.ECONNREFUSED},
	"code-epipe":            thrown{"write EPIPE", syscall.EPIPE},
	"cause-econnreset":      thrown{"fetch failed", syscall.ECONNRESET},
	"statuscode503":         &flexfn.Error{Status: 503, Message: "statusCode only"},
	"full":                  &flexfn.Error{Status: 400, Message: "Bad", TwilioErrorCode: 21211, TwilioDocPage: "https://www.twilio.com/docs/errors/21211"},
	"status-599":            &flexfn.Error{Status: 599, Message: "m"},
	"message-object":        &flexfn.Error{Status: 400, Message: `{"nested":true}`},
	"response-nostatus":     &flexfn.Error{Message: "no status"},
	"status-1000":           &flexfn.Error{Status: 1000, Message: "m"},
}

// labReply is the answer of the recorded function: how often the callback ran,
// and the result, whole and in parts.
type labReply struct {
	Runs     int             `json:"runs"`
	Result   json.RawMessage `json:"result"`
	Keys     []string        `json:"keys"`
	Standard map[string]any  `json:"standard"`
}

// lab does what the recorded function does in one of its modes.
func lab(ctx context.Context, e flexfn.Event) (*flexfn.Response, error) {
	config := flexfn.FromContext(ctx).Config()
	sid := "WT00000000000000000000000000000001"
	if s := e.String("sid"); s != "" {
		sid = s
	}
	runs := 0
	request := func(method, form string) (*flexfn.Response, error) {
		res := flexfn.ExecuteWithRetry(ctx, func(ctx context.Context) (string, error) {
			runs++
			req, err := http.NewRequestWithContext(ctx, method, "https://taskrouter.twilio.com/v1/Workspaces/"+config.WorkspaceSID+"/Tasks/"+sid, strings.NewReader(form))
			if err != nil {
				return "", err
			}
			if form != "" {
				req.Header.Set("Content-Type", "application/x-www-form-urlencoded;charset=utf-8")
			}
			req.SetBasicAuth(config.AccountSID, config.AuthToken)
			task, err := flexfn.ReadJSON[struct{ SID string }](flexfn.FromContext(ctx).HTTPClient().Do(req))
			return task.SID, err
		})
		return labResponse(e, runs, res)
	}
	withClient := func(callback func(client *twilioapi.Client) (*taskrouter.TaskrouterV1Task, error)) (*flexfn.Response, error) {
		res := twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) (string, error) {
			runs++
			task, err := callback(client)
			if err != nil {
				return "", err
			}
			return *task.Sid, nil
		})
		return labResponse(e, runs, res)
	}
	plain := func(data any, err error) (*flexfn.Response, error) {
		res := flexfn.ExecuteWithRetry(ctx, func(context.Context) (any, error) {
			runs++
			return data, err
		})
		return labResponse(e, runs, res)
	}
	switch mode := e.String("mode"); mode {
	case "client-fetch", "client-fetch-named":
		return withClient(func(client *twilioapi.Client) (*taskrouter.TaskrouterV1Task, error) {
			return taskrouter.NewApiService(client).FetchTask(config.WorkspaceSID, sid)
		})
	case "client-update":
		return withClient(func(client *twilioapi.Client) (*taskrouter.TaskrouterV1Task, error) {
			return taskrouter.NewApiService(client).UpdateTask(config.WorkspaceSID, sid, &taskrouter.UpdateTaskParams{Attributes: new("{}")})
		})
	case "client:throw-status412":
		return withClient(func(*twilioapi.Client) (*taskrouter.TaskrouterV1Task, error) { return nil, throws["status412"] })
	case "axios-get":
		return request("GET", "")
	case "axios-post":
		return request("POST", "Attributes=%7B%7D")
	case "sync-ok":
		return plain(5, nil)
	case "undefined-ok":
		return plain(nil, nil)
	case "notfn", "attempts-given", "attempts-string":
		return nil, flexfn.Errorf(500, "no such argument: it would not compile")
	default:
		err, ok := throws[strings.TrimPrefix(mode, "throw-")]
		if !ok {
			return nil, fmt.Errorf("unknown mode %s", mode)
		}
		return plain(nil, err)
	}
}

func labResponse[T any](e flexfn.Event, runs int, res flexfn.Result[T]) (*flexfn.Response, error) {
	raw, err := json.Marshal(res)
	if err != nil {
		return nil, err
	}
	reply := labReply{Runs: runs, Result: raw, Keys: []string{"success", "data", "status"}}
	if !res.Success {
		reply.Keys = []string{"success", "message", "status", "twilioErrorCode", "twilioDocPage"}
	}
	if err := json.Unmarshal(raw, &reply.Standard); err != nil {
		return nil, err
	}
	delete(reply.Standard, "data")
	delete(reply.Standard, "status")
	status := res.Status
	if e.String("setstatus") == "no" {
		status = 200
	}
	return &flexfn.Response{Status: status, Body: reply}, nil
}
