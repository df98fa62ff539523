package twilioapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/internal/contract"
	"github.com/flexfn/flexfn/twilioapi"
	"github.com/twilio/twilio-go"
	taskrouter "github.com/twilio/twilio-go/rest/taskrouter/v1"
)

const (
	recordings  = "../testdata/contract/retry.json"
	differences = "../testdata/contract/retry_differences.json"
)

var writeDifferences = flag.Bool("differences", false, "write what differs, with the reasons that are known")

// outcome is what a case comes to: what the reference recorded, or what
// flexfn does.
type outcome struct {
	Runs   int             `json:"runs"`
	Result json.RawMessage `json:"result,omitempty"`
	Config string          `json:"configuration_error,omitempty"` // the variable that New complains of
	Calls  int             `json:"upstream_calls"`
}

// difference is a case in which flexfn differs on purpose.
type difference struct {
	ID     string  `json:"id"`
	Reason string  `json:"reason"`
	Ours   outcome `json:"ours"`
}

// TestRetryContract replays the recordings.
func TestRetryContract(t *testing.T) {
	cases := contract.Load(t, recordings)
	known := make(map[string]difference)
	var list []difference
	if b, err := os.ReadFile(differences); err != nil {
		t.Fatal(err)
	} else if err := json.Unmarshal(b, &list); err != nil {
		t.Fatal(err)
	}
	for _, d := range list {
		known[d.ID] = d
	}
	var found []difference
	for _, c := range cases {
		t.Run(c.ID, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if len(c.ConcurrentRequests) > 0 {
					replayConcurrent(t, c)
					return
				}
				got, surprises := replay(t, c)
				if got.agrees(recorded(t, c)) && len(surprises) == 0 {
					if _, ok := known[c.ID]; ok {
						t.Error("listed as a difference, but there is none")
					}
					return
				}
				d, ok := known[c.ID]
				found = append(found, difference{c.ID, d.Reason, got})
				switch {
				case !ok || d.Reason == "":
					t.Errorf("differs without a reason\ngot  %+v %s\nwant %s\n%s", got, got.Result, c.Response.Body, strings.Join(surprises, "\n"))
				case !got.agrees(d.Ours) || got.Calls != d.Ours.Calls:
					t.Errorf("differs in another way than listed\ngot    %+v %s\nlisted %+v %s", got, got.Result, d.Ours, d.Ours.Result)
				}
			})
		})
	}
	if *writeDifferences {
		var b strings.Builder
		encoder := json.NewEncoder(&b)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", " ")
		if err := errors.Join(encoder.Encode(found), os.WriteFile(differences, []byte(b.String()), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
}

func (o outcome) agrees(with outcome) bool {
	return o.Runs == with.Runs && o.Config == with.Config && sameJSON(o.Result, with.Result)
}

func sameJSON(a, b json.RawMessage) bool {
	if len(a) == 0 || len(b) == 0 {
		return len(a) == len(b)
	}
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

func recorded(t *testing.T, c contract.Case) outcome {
	var o outcome
	if c.Response.Body != "" {
		if err := json.Unmarshal([]byte(c.Response.Body), &o); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

// replay does what the recorded function does, with flexfn.
func replay(t *testing.T, c contract.Case) (outcome, []string) {
	upstream := c.Upstream(t)
	app, variable := contractApp(c, upstream)
	if app == nil {
		return outcome{Config: variable}, nil
	}
	defer app.HTTPClient().CloseIdleConnections()
	runs, result := lab(app.Context(t.Context()), app, mode(t, c.Request))
	return outcome{Runs: runs, Result: result, Calls: upstream.Got()}, upstream.Surprises()
}

func contractApp(c contract.Case, upstream *contract.Upstream) (app *flexfn.App, faulty string) {
	config := flexfn.FromLookup(c.Lookup)
	config.TwilioURL = "http://twilio.test"
	config.Transport = upstream.Transport()
	app, err := flexfn.New(config)
	if err != nil {
		for name := range c.Env {
			if strings.Contains(err.Error(), name) {
				faulty += name + " "
			}
		}
		names := strings.Fields(faulty)
		if len(names) > 1 && names[0] > names[1] {
			names[0], names[1] = names[1], names[0]
		}
		return nil, strings.Join(names, ", ")
	}
	return app, ""
}

func mode(t *testing.T, r contract.Request) url.Values {
	u, err := url.Parse(r.Path)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query()
}

// thrown is an error with a code in words, as Node's errors have.
type thrown struct {
	text string
	err  error
}

func (e thrown) Error() string { return e.text }
func (e thrown) Unwrap() error { return e.err }

// throws are the values that the recorded callbacks throw, as the Go errors
// that come nearest.
var throws = map[string]error{
	"string":                   errors.New("a string"),
	"number":                   errors.New("412"),
	"zero":                     errors.New("0"),
	"false":                    errors.New("false"),
	"object":                   errors.New("map[a:1]"),
	"emptyerror":               errors.New(""),
	"status412":                &flexfn.Error{Status: 412, Message: "m412"},
	"response503":              &flexfn.Error{Status: 503, Message: "m503"},
	"status0-response429":      &flexfn.Error{Status: 429, Message: "m"},
	"status404-response429":    &flexfn.Error{Status: 404, Message: "m", Err: &flexfn.Error{Status: 429}},
	"code-econnreset":          thrown{"reset", syscall.ECONNRESET},
	"code-etimedout":           thrown{"timed out", syscall.ETIMEDOUT},
	"code-econnrefused":        thrown{"refused", syscall.ECONNREFUSED},
	"code-epipe":               thrown{"write EPIPE", syscall.EPIPE},
	"cause-econnreset":         thrown{"fetch failed", syscall.ECONNRESET},
	"statuscode503":            &flexfn.Error{Status: 503, Message: "statusCode only"},
	"full":                     &flexfn.Error{Status: 400, Message: "Bad", TwilioErrorCode: 21211, TwilioDocPage: "https://www.twilio.com/docs/errors/21211"},
	"status-599":               &flexfn.Error{Status: 599, Message: "m"},
	"message-object":           &flexfn.Error{Status: 400, Message: `{"nested":true}`},
	"response-nostatus":        &flexfn.Error{Message: "no status"},
	"status-1000":              &flexfn.Error{Status: 1000, Message: "m"},
	"attempts-given-or-string": &flexfn.Error{Status: 412, Message: "m"},
}

// lab is the recorded function: it runs one call in the wanted way.
func lab(ctx context.Context, app *flexfn.App, query url.Values) (runs int, result json.RawMessage) {
	sid := "WT00000000000000000000000000000001"
	if query.Has("sid") {
		sid = query.Get("sid")
	}
	workspace := app.Config().WorkspaceSID
	address := "https://taskrouter.twilio.com/v1/Workspaces/" + workspace + "/Tasks/" + sid
	type task struct {
		SID string `json:"sid"`
	}
	request := func(ctx context.Context, method, form string) (string, error) {
		runs++
		req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form))
		if err != nil {
			return "", err
		}
		if form != "" {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		req.SetBasicAuth(app.Config().AccountSID, app.Config().AuthToken)
		data, err := flexfn.ReadJSON[task](app.HTTPClient().Do(req))
		return data.SID, err
	}
	withClient := func(callback func(client *twilio.RestClient) (*taskrouter.TaskrouterV1Task, error)) any {
		return twilioapi.ExecuteTwilio(ctx, func(client *twilio.RestClient) (string, error) {
			runs++
			data, err := callback(client)
			if err != nil {
				return "", err
			}
			return *data.Sid, nil
		})
	}
	throw := func(name string) any {
		err, ok := throws[name]
		if !ok {
			panic("unknown mode " + query.Get("mode"))
		}
		return flexfn.ExecuteWithRetry(ctx, func(context.Context) (any, error) { runs++; return nil, err })
	}
	var res any
	switch m := query.Get("mode"); {
	case m == "client-fetch" || m == "client-fetch-named":
		res = withClient(func(client *twilio.RestClient) (*taskrouter.TaskrouterV1Task, error) {
			return client.TaskrouterV1.FetchTask(workspace, sid)
		})
	case m == "client-update":
		res = withClient(func(client *twilio.RestClient) (*taskrouter.TaskrouterV1Task, error) {
			return client.TaskrouterV1.UpdateTask(workspace, sid, &taskrouter.UpdateTaskParams{Attributes: new("{}")})
		})
	case m == "axios-get":
		res = flexfn.ExecuteWithRetry(ctx, func(ctx context.Context) (string, error) { return request(ctx, "GET", "") })
	case m == "axios-post":
		res = flexfn.ExecuteWithRetry(ctx, func(ctx context.Context) (string, error) { return request(ctx, "POST", "Attributes=%7B%7D") })
	case m == "sync-ok":
		res = flexfn.ExecuteWithRetry(ctx, func(context.Context) (int, error) { runs++; return 5, nil })
	case m == "undefined-ok":
		res = flexfn.ExecuteWithRetry(ctx, func(context.Context) (any, error) { runs++; return nil, nil })
	case m == "notfn": // the compiler refuses what is not a function
		res = flexfn.Failed[any](errors.New("callback is not a function"))
	case strings.HasPrefix(m, "attempts-"): // there is no such argument
		res = throw("attempts-given-or-string")
	case strings.HasPrefix(m, "client:throw-"):
		err := throws[strings.TrimPrefix(m, "client:throw-")]
		res = withClient(func(*twilio.RestClient) (*taskrouter.TaskrouterV1Task, error) { return nil, err })
	default:
		res = throw(strings.TrimPrefix(m, "throw-"))
	}
	result, err := json.Marshal(res)
	if err != nil {
		panic(err)
	}
	return runs, result
}

// replayConcurrent checks what holds in any order: each request succeeds, and
// the upstream is asked as often as recorded.
func replayConcurrent(t *testing.T, c contract.Case) {
	upstream := c.Upstream(t)
	app, _ := contractApp(c, upstream)
	defer app.HTTPClient().CloseIdleConnections()
	var wg sync.WaitGroup
	for _, r := range c.ConcurrentRequests {
		wg.Go(func() {
			_, got := lab(app.Context(t.Context()), app, mode(t, r))
			if want := `{"success":true,"status":200,"data":"WT00000000000000000000000000000001"}`; string(got) != want {
				t.Errorf("got %s", got)
			}
		})
	}
	wg.Wait()
	if s := upstream.Surprises(); len(s) > 0 {
		t.Error(strings.Join(s, "\n"))
	}
}

// TestRetryContractGaps checks the waits that the recordings tell of: none
// after 412, and 100 to 300 ms after the rest.
func TestRetryContractGaps(t *testing.T) {
	for _, c := range contract.Load(t, recordings) {
		if len(c.UpstreamCalls) < 2 || len(c.ConcurrentRequests) > 0 || c.Env["TWILIO_SERVICE_MIN_BACKOFF"] != nil || strings.Contains(c.ID, "retry-after") {
			continue
		}
		t.Run(c.ID, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				upstream := c.Upstream(t)
				app, _ := contractApp(c, upstream)
				if app == nil {
					return // TestRetryContract says why
				}
				defer app.HTTPClient().CloseIdleConnections()
				began := time.Now()
				lab(app.Context(t.Context()), app, mode(t, c.Request))
				waits := 0
				for _, call := range c.UpstreamCalls[:len(c.UpstreamCalls)-1] {
					if call.Response.Status != 412 && call.Response.Status != 302 {
						waits++
					}
				}
				took := time.Since(began)
				if least, most := time.Duration(waits)*100*time.Millisecond, time.Duration(waits)*300*time.Millisecond; took < least || took > most {
					t.Errorf("%s for %d waits", took, waits)
				}
			})
		})
	}
}
