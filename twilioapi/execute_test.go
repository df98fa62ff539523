package twilioapi_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/internal/testing/memnet"
	"github.com/flexfn/flexfn/twilioapi"
	api "github.com/twilio/twilio-go/rest/api/v2010"
	conversationsv1 "github.com/twilio/twilio-go/rest/conversations/v1"
	conversationsv2 "github.com/twilio/twilio-go/rest/conversations/v2"
	taskrouter "github.com/twilio/twilio-go/rest/taskrouter/v1"
)

// upstream records requests and answers with next, or with {} if that is nil.
type upstream struct {
	mu   sync.Mutex
	seen []string
	last *http.Request
	body string
	next http.HandlerFunc
}

func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	u.mu.Lock()
	u.seen = append(u.seen, r.Method+" "+r.Host+r.URL.RequestURI())
	u.last, u.body = r, string(body)
	next := u.next
	u.mu.Unlock()
	if next != nil {
		next(w, r)
		return
	}
	io.WriteString(w, "{}")
}

// serve is for tests that do not need virtual time.
func serve(t *testing.T, change func(*flexfn.Config)) (*upstream, context.Context) {
	u := &upstream{}
	server := httptest.NewServer(u)
	t.Cleanup(server.Close)
	app := newApp(t, nil, func(c *flexfn.Config) {
		c.TwilioURL = server.URL
		if change != nil {
			change(c)
		}
	})
	return u, app.Context(t.Context())
}

func fetchTask(client *twilioapi.Client) (*taskrouter.TaskrouterV1Task, error) {
	return taskrouter.NewApiService(client).FetchTask(workspaceSID, taskSID)
}

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

func TestRequest(t *testing.T) {
	u, ctx := serve(t, nil)
	res := twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) (*api.ApiV2010Message, error) {
		return api.NewApiService(client).CreateMessage(&api.CreateMessageParams{To: new("+15005550006"), Body: new("a b&c=1.5"), MediaUrl: &[]string{"https://a.test/1", "https://a.test/2"}})
	})
	if !res.Success {
		t.Fatal(res.Err())
	}
	if want := "POST api.twilio.com/2010-04-01/Accounts/" + accountSID + "/Messages.json"; u.seen[0] != want {
		t.Errorf("asked %s", u.seen[0])
	}
	if u.body != "Body=a+b%26c%3D1.5&MediaUrl=https%3A%2F%2Fa.test%2F1&MediaUrl=https%3A%2F%2Fa.test%2F2&To=%2B15005550006" {
		t.Errorf("body %s", u.body)
	}
	for name, want := range map[string]string{
		"Content-Type":  "application/x-www-form-urlencoded",
		"Authorization": basic(accountSID, "0123456789abcdef0123456789abcdef"),
		"Accept":        "application/json",
	} {
		if got := u.last.Header.Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestQueryKeepsItsValues(t *testing.T) {
	u, ctx := serve(t, nil)
	twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) (any, error) {
		return taskrouter.NewApiService(client).PageWorker(workspaceSID, &taskrouter.ListWorkerParams{TargetWorkersExpression: new("score > 1.5"), FriendlyName: new("v.2")}, "", "")
	})
	if !strings.Contains(u.seen[0], "FriendlyName=v.2") || !strings.Contains(u.seen[0], "1.5") {
		t.Errorf("asked %s", u.seen[0])
	}
}

func TestAPIKey(t *testing.T) {
	u, ctx := serve(t, func(c *flexfn.Config) {
		c.APIKeySID, c.APIKeySecret = "SKaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "secret"
	})
	twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) (any, error) { return api.NewApiService(client).FetchBalance(nil) })
	if !strings.Contains(u.seen[0], accountSID) || u.last.Header.Get("Authorization") != basic("SKaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "secret") {
		t.Errorf("asked %s as %s", u.seen[0], u.last.Header.Get("Authorization"))
	}
}

func TestRegionAndEdge(t *testing.T) {
	t.Setenv("TWILIO_REGION", "au1") // not the app's
	for _, tt := range []struct{ region, edge, host string }{
		{"", "", "taskrouter.twilio.com"},
		{"ie1", "", "taskrouter.ie1.twilio.com"},
		{"ie1", "dublin", "taskrouter.dublin.ie1.twilio.com"},
		{"", "dublin", "taskrouter.dublin.us1.twilio.com"},
		{"stage-us1", "", "taskrouter.stage-us1.twilio.com"},
	} {
		u, ctx := serve(t, func(c *flexfn.Config) { c.Region, c.Edge = tt.region, tt.edge })
		if res := twilioapi.ExecuteTwilio(ctx, fetchTask); !res.Success || u.last.Host != tt.host {
			t.Errorf("%+v: %v, asked %s", tt, res.Err(), u.seen)
		}
		u.last = nil
		twilioapi.UpdateTaskAttributes(ctx, taskSID, []byte("{}")) // fails, since the answer has no version
		if u.last == nil || u.last.Host != tt.host {
			t.Errorf("%+v: an update asked %v", tt, u.last)
		}
	}
}

func TestResponseHeader(t *testing.T) {
	u, ctx := serve(t, nil)
	u.next = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"7"`)
		io.WriteString(w, "{}")
	}
	res := twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) (string, error) {
		if n := len(twilioapi.ResponseHeader(client)); n != 0 {
			t.Errorf("%d headers before the first answer", n)
		}
		_, err := fetchTask(client)
		return twilioapi.ResponseHeader(client).Get("ETag"), err
	})
	if res.Data != `"7"` {
		t.Errorf("%+v", res)
	}
}

func TestWithoutApp(t *testing.T) {
	res := twilioapi.ExecuteTwilio(t.Context(), fetchTask)
	if res.Success || res.Status != 500 || !strings.Contains(res.Message, "App.Context") {
		t.Errorf("%+v", res)
	}
}

// TestNewerAPIsSendOnce calls an API for which twilio-go's own client resends a
// request if it cannot read the error.
func TestNewerAPIsSendOnce(t *testing.T) {
	for _, body := range []string{"<html>", "", `{"code":20500,"message":"sorry","httpStatusCode":500,"userError":false}`} {
		u, ctx := serve(t, nil)
		u.next = func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(500)
			io.WriteString(w, body)
		}
		res := twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) (any, error) {
			return conversationsv2.NewApiService(client).CreateConfiguration(&conversationsv2.CreateConfigurationParams{})
		})
		if res.Status != 500 || len(u.seen) != 1 {
			t.Errorf("%q: %+v, asked %q", body, res, u.seen)
		}
	}
}

func TestAnswersThatAreNoJSON(t *testing.T) {
	for name, tt := range map[string]struct {
		status int
		body   string
	}{"text": {200, "<html>"}, "nothing": {200, ""}, "created nothing": {201, ""}, "half": {200, `{"sid":`}} {
		u, ctx := serve(t, nil)
		u.next = func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(tt.status)
			io.WriteString(w, tt.body)
		}
		res := twilioapi.ExecuteTwilio(ctx, fetchTask)
		if res.Status != 502 || res.Message != "taskrouter.twilio.com sent an answer that is not JSON" || len(u.seen) != 1 {
			t.Errorf("%s: %+v, asked %q", name, res, u.seen)
		}
	}
}

func TestCallbackMayTurnAFailureIntoASuccess(t *testing.T) {
	u, ctx := serve(t, nil)
	u.next = answers(404, twilioError(404))
	res := twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) (string, error) {
		_, err := fetchTask(client)
		if e, ok := errors.AsType[*flexfn.Error](err); ok && e.TwilioErrorCode == 20404 {
			return "gone already", nil
		}
		return "", err
	})
	if !res.Success || res.Data != "gone already" {
		t.Errorf("%+v", res)
	}
}

func TestRepeatableCreate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{}
		u.next = func(w http.ResponseWriter, r *http.Request) {
			if len(u.seen) == 1 {
				memnet.Reset(w, r)
				return
			}
			io.WriteString(w, "{}")
		}
		app := newApp(t, memnet.Serve(t, u).Transport(), nil)
		res := twilioapi.ExecuteTwilio(app.Context(t.Context()), requests[2].send, flexfn.Repeatable())
		if !res.Success || res.Attempts != 2 || len(u.seen) != 2 {
			t.Errorf("%+v, asked %q", res, u.seen)
		}
	})
}

func TestUnknownOutcomeIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := newApp(t, memnet.Serve(t, http.HandlerFunc(memnet.Reset)).Transport(), nil)
		res := twilioapi.ExecuteTwilio(app.Context(t.Context()), requests[2].send)
		if !res.OutcomeUnknown || !strings.Contains(res.Message, "may have happened") {
			t.Errorf("%+v", res)
		}
	})
}

// TestConnectionsAreReused counts connections over successes, errors with bodies
// and retries.
func TestConnectionsAreReused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		network := memnet.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch n++; n % 4 {
			case 0:
				answers(404, twilioError(404))(w, r)
			case 1:
				answers(503, strings.Repeat("x", 100_000))(w, r)
			case 2:
				answers(302, "elsewhere")(w, r)
			default:
				answers(200, "{}")(w, r)
			}
		}))
		ctx := newApp(t, network.Transport(), nil).Context(t.Context())
		for range 20 {
			twilioapi.ExecuteTwilio(ctx, fetchTask)
		}
		if network.Dialled() != 1 {
			t.Errorf("%d connections for %d requests", network.Dialled(), n)
		}
	})
}

func TestSetTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := newApp(t, memnet.Serve(t, http.HandlerFunc(memnet.Hang)).Transport(), nil).Context(t.Context())
		began := time.Now()
		res := twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) (any, error) {
			client.Client.SetTimeout(time.Second)
			return fetchTask(client)
		}, flexfn.RetryLimit(0))
		if took := time.Since(began); took != time.Second || res.Status != 504 {
			t.Errorf("took %s: %+v", took, res)
		}
	})
}

// A plain slash is not in the list: with "WT…/Reservations" as a SID the path
// is that of another resource. SIDs are checked where they enter the program.
func TestBentAddressesAreNotSent(t *testing.T) {
	for _, sid := range []string{
		"", ".", "..", "../Workers/" + workerSID, `..\Workers\` + workerSID, "a//b", "/", "%2e%2e", "%2E%2E%2fWorkers",
		"%252e%252e", "..%2fWorkers", "..%5cWorkers", taskSID + "?x=y", taskSID + "?", taskSID + "#x",
		taskSID + "/", "%", "%zz", "a\nb", "a\r\nHost: evil.test", "a\x00", ".json", "..;/x", "\xff",
	} {
		u, ctx := serve(t, nil)
		for name, send := range map[string]func(*twilioapi.Client) (any, error){
			"GET": func(c *twilioapi.Client) (any, error) {
				return taskrouter.NewApiService(c).FetchTask(workspaceSID, sid)
			},
			"POST": func(c *twilioapi.Client) (any, error) {
				return taskrouter.NewApiService(c).UpdateTask(workspaceSID, sid, nil)
			},
			"DELETE": func(c *twilioapi.Client) (any, error) {
				return nil, taskrouter.NewApiService(c).DeleteTask(workspaceSID, sid, nil)
			},
			"middle": func(c *twilioapi.Client) (any, error) {
				return taskrouter.NewApiService(c).PageTaskReservation(workspaceSID, sid, nil, "", "")
			},
		} {
			res := twilioapi.ExecuteTwilio(ctx, send)
			if res.Status != 400 || res.Success || len(u.seen) != 0 {
				t.Errorf("%s %q: %+v, asked %q (%v)", name, sid, res, u.seen, res.Err())
				u.seen = nil
			}
		}
	}
}

func TestOrdinaryNamesAreSent(t *testing.T) {
	for name, path := range map[string]string{
		"agent@example.com": "agent@example.com",
		"Ann Lee":           "Ann%20Lee",
		"+15005550006":      "+15005550006",
		"é":                 "%C3%A9",
		"a.b-c_d~e":         "a.b-c_d~e",
	} {
		u, ctx := serve(t, nil)
		res := twilioapi.ExecuteTwilio(ctx, func(c *twilioapi.Client) (any, error) { return conversationsv1.NewApiService(c).FetchUser(name) })
		if !res.Success || u.seen[0] != "GET conversations.twilio.com/v1/Users/"+path {
			t.Errorf("%q: %v, asked %q", name, res.Err(), u.seen)
		}
	}
}

func TestPaging(t *testing.T) {
	u, ctx := serve(t, nil)
	u.next = func(w http.ResponseWriter, r *http.Request) {
		next := "null"
		if len(u.seen) == 1 {
			next = fmt.Sprintf("%q", "https://taskrouter.twilio.com/v1/Workspaces/"+workspaceSID+"/Tasks?PageSize=1&Page=1&PageToken=x")
		}
		fmt.Fprintf(w, `{"tasks":[{"sid":"WT%d"}],"meta":{"key":"tasks","next_page_url":%s}}`, len(u.seen), next)
	}
	res := twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) ([]taskrouter.TaskrouterV1Task, error) {
		return taskrouter.NewApiService(client).ListTask(workspaceSID, &taskrouter.ListTaskParams{PageSize: new(1)})
	})
	if !res.Success || len(res.Data) != 2 || len(u.seen) != 2 {
		t.Errorf("%v: %d tasks, asked %q", res.Err(), len(res.Data), u.seen)
	}
}

// TestOddAnswers: an answer without the resource is reported as Twilio's
// failure. A next page is followed if only the port differs; a next page
// elsewhere is not reported as the caller's fault.
func TestOddAnswers(t *testing.T) {
	u, ctx := serve(t, nil)
	for _, answer := range []string{"[]", "", "null", " null\n"} {
		u.next = func(w http.ResponseWriter, r *http.Request) {
			if answer == "" {
				w.WriteHeader(http.StatusNoContent)
			}
			io.WriteString(w, answer)
		}
		res := twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) (*api.ApiV2010Message, error) {
			return api.NewApiService(client).CreateMessage(&api.CreateMessageParams{To: new("+15005550006")})
		})
		if res.Status != 502 || !strings.Contains(res.Message, "without the resource") {
			t.Errorf("%q: %d %s %v", answer, res.Status, res.Message, res.Err())
		}
	}
	for next, want := range map[string]int{
		"https://taskrouter.twilio.com:443/v1/TaskQueues?Page=1": 200, "https://taskrouter.example.com/v1/TaskQueues?Page=1": 502,
		"https://taskrouter.example.com/v1/TaskQueues": 502, "http://taskrouter.twilio.com/v1/TaskQueues": 502, "/v1/TaskQueues": 502, "x": 502,
		"https://taskrouter.twilio.com/v1/../TaskQueues?Page=1": 502, "https://taskrouter.twilio.com/v1/../TaskQueues": 400,
	} {
		u.next = func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("Page") == "1" {
				io.WriteString(w, `{"task_queues":[{"sid":"WQ2"}],"meta":{"key":"task_queues","next_page_url":null}}`)
				return
			}
			fmt.Fprintf(w, `{"task_queues":[{"sid":"WQ1"}],"meta":{"key":"task_queues","next_page_url":"%s"}}`, next)
		}
		res := twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) ([]taskrouter.TaskrouterV1TaskQueue, error) {
			return taskrouter.NewApiService(client).ListTaskQueue(workspaceSID, nil)
		})
		if res.Status != want || want == 200 && len(res.Data) != 2 {
			t.Errorf("%s: %d %d items %v", next, res.Status, len(res.Data), res.Err())
		}
	}
}
