package twilioapi_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/internal/testing/memnet"
	"github.com/flexfn/flexfn/twilioapi"
	api "github.com/twilio/twilio-go/rest/api/v2010"
	taskrouter "github.com/twilio/twilio-go/rest/taskrouter/v1"
)

const (
	accountSID   = "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	workspaceSID = "WSaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	taskSID      = "WTaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	workerSID    = "WKaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
)

func newApp(t testing.TB, transport http.RoundTripper, change func(*flexfn.Config)) *flexfn.App {
	t.Helper()
	config := flexfn.Config{
		AccountSID:   accountSID,
		AuthToken:    "0123456789abcdef0123456789abcdef",
		WorkspaceSID: workspaceSID,
		TwilioURL:    "http://twilio.test",
		Transport:    transport,
	}
	if change != nil {
		change(&config)
	}
	app, err := flexfn.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(app.HTTPClient().CloseIdleConnections)
	return app
}

// request is one kind of request in the matrix.
type request struct {
	name   string
	create bool
	send   func(*twilioapi.Client) (struct{}, error)
}

var requests = []request{
	{"GET", false, func(c *twilioapi.Client) (_ struct{}, err error) {
		_, err = taskrouter.NewApiService(c).FetchTask(workspaceSID, taskSID)
		return
	}},
	{"update", false, func(c *twilioapi.Client) (_ struct{}, err error) {
		_, err = taskrouter.NewApiService(c).UpdateTask(workspaceSID, taskSID, &taskrouter.UpdateTaskParams{Reason: new("test")})
		return
	}},
	{"create", true, func(c *twilioapi.Client) (_ struct{}, err error) {
		_, err = api.NewApiService(c).CreateMessage(&api.CreateMessageParams{To: new("+15005550006"), Body: new("test")})
		return
	}},
	{"DELETE", false, func(c *twilioapi.Client) (struct{}, error) {
		return struct{}{}, taskrouter.NewApiService(c).DeleteTask(workspaceSID, taskSID, nil)
	}},
}

// repeats says how a failure is retried.
type repeats int

const (
	never repeats = iota
	atOnce
	afterWait
	asAsked         // after Retry-After
	unlessCreated   // after a wait, but a create never
	afterTimeout    // as unlessCreated, and the attempt's timeout comes before
	firstWaitLeast  = 100 * time.Millisecond
	firstWaitMost   = 200 * time.Millisecond
	fiveWaitsLeast  = 700 * time.Millisecond
	fiveWaitsMost   = 1400 * time.Millisecond
	attemptTimeout  = 5 * time.Second
	askedFor        = 2 * time.Second
	far             = time.Minute
	near            = 250 * time.Millisecond // enough for one wait but not for two
	passed          = -time.Second
	mostAttempts    = 6
	firstAttempt    = 1
	twoAttempts     = 2
	createdResource = 201
)

type fault struct {
	name    string
	status  int
	repeats repeats
	answer  http.HandlerFunc // nil: network
	network func(*testing.T) (transport http.RoundTripper, hits func() int)
}

func answers(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

func twilioError(status int) string {
	return fmt.Sprintf(`{"code":20%d,"message":"upstream says %d","more_info":"https://www.twilio.com/docs/errors/20%d","status":%d}`, status, status, status, status)
}

var faults = []fault{
	{"412", 412, atOnce, answers(412, twilioError(412)), nil},
	{"429", 429, afterWait, answers(429, twilioError(429)), nil},
	{"429 with Retry-After", 429, asAsked, answers(429, twilioError(429), "Retry-After", "2"), nil},
	{"503", 503, afterWait, answers(503, twilioError(503)), nil},
	{"500", 500, never, answers(500, twilioError(500)), nil},
	{"400", 400, never, answers(400, twilioError(400)), nil},
	{"reset before write", 503, afterWait, nil, func(t *testing.T) (http.RoundTripper, func() int) {
		n := memnet.NewNetwork(t)
		n.Accepted = func(_ int, c *memnet.Conn) bool { c.Reset(); return false }
		return n.Transport(), n.Dialled
	}},
	{"reset after write", 502, unlessCreated, memnet.Reset, nil},
	{"half a body", 502, unlessCreated, memnet.Cut, nil},
	{"hang", 504, afterTimeout, memnet.Hang, nil},
	{"non-JSON error", 500, never, answers(500, "<html>down</html>"), nil},
	{"redirect", 502, never, answers(302, "", "Location", "https://taskrouter.twilio.com/v1/elsewhere"), nil},
	{"GOAWAY", 503, afterWait, nil, func(t *testing.T) (http.RoundTripper, func() int) {
		n, requests := memnet.GoAway(t)
		return n.HTTP2Transport(), func() int { return int(requests.Load()) }
	}},
}

// TestFaultMatrix combines every failure with every kind of request, with the
// deadline far away, near and passed, in virtual time.
func TestFaultMatrix(t *testing.T) {
	for _, f := range faults {
		for _, r := range requests {
			for _, deadline := range []time.Duration{far, near, passed} {
				t.Run(fmt.Sprintf("%s/%s/%s", f.name, r.name, deadline), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { meet(t, f, r, deadline) })
				})
			}
		}
	}
}

func meet(t *testing.T, f fault, r request, deadline time.Duration) {
	var transport http.RoundTripper
	var hits func() int
	if f.network != nil {
		transport, hits = f.network(t)
	} else {
		var n atomic.Int64
		hits = func() int { return int(n.Load()) }
		transport = memnet.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			n.Add(1)
			f.answer(w, req)
		})).Transport()
	}
	app := newApp(t, transport, nil)
	ctx, cancel := context.WithTimeout(app.Context(t.Context()), deadline)
	defer cancel()

	began := time.Now()
	res := twilioapi.ExecuteTwilio(ctx, r.send)
	took := time.Since(began)

	// Work out what should have happened.
	tries, least, most := firstAttempt, time.Duration(0), time.Duration(0)
	status, unknown, late := f.status, false, false
	how := f.repeats
	lost := how == unlessCreated || how == afterTimeout
	if lost && r.create {
		unknown = true
		if how == afterTimeout {
			least, most = min(attemptTimeout, deadline), min(attemptTimeout, deadline)
		}
		how = never
	}
	switch {
	case deadline == passed:
		tries, least, most, status, unknown, late = 0, 0, 0, http.StatusGatewayTimeout, false, true
	case how == never:
		late = unknown && f.repeats == afterTimeout // the timeout is in the error
	case how == atOnce:
		tries = mostAttempts
	case how == asAsked && deadline == far:
		tries, least, most = mostAttempts, 5*askedFor, 5*askedFor
	case how == asAsked:
		late = true
	case how == afterTimeout && deadline == far:
		tries, least, most, late = mostAttempts, mostAttempts*attemptTimeout+fiveWaitsLeast, mostAttempts*attemptTimeout+fiveWaitsMost, true
	case how == afterTimeout:
		least, most, late = near, near, true
	case deadline == far:
		tries, least, most = mostAttempts, fiveWaitsLeast, fiveWaitsMost
	default: // one wait fits, the next does not
		tries, least, most, late = twoAttempts, firstWaitLeast, firstWaitMost, true
	}

	if hits() != tries || res.Attempts != tries {
		t.Errorf("Twilio was asked %d times in %d attempts, want %d", hits(), res.Attempts, tries)
	}
	if took < least || took > most {
		t.Errorf("took %s, want %s to %s", took, least, most)
	}
	if res.Success || res.Status != status || res.OutcomeUnknown != unknown {
		t.Errorf("success %t, status %d, outcome unknown %t; want false, %d, %t (%v)", res.Success, res.Status, res.OutcomeUnknown, status, unknown, res.Err())
	}
	if got := errors.Is(res.Err(), context.DeadlineExceeded); got != late {
		t.Errorf("Is DeadlineExceeded: %t, want %t: %v", got, late, res.Err())
	}
	if _, ok := errors.AsType[*flexfn.Error](res.Err()); !ok {
		t.Errorf("no *flexfn.Error: %v", res.Err())
	}
	if f.status == 429 && deadline != passed && (res.TwilioErrorCode != 20429 || res.Message != "upstream says 429") {
		t.Errorf("Twilio's words are lost: %+v", res)
	}
}
