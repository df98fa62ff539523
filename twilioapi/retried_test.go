package twilioapi_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/twilioapi"
	taskrouter "github.com/twilio/twilio-go/rest/taskrouter/v1"
)

type roundTrip func(*http.Request) *http.Response

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r), nil }

// TestRetriedStatuses lists every status: retrying another one by accident
// would repeat changes that were already made.
func TestRetriedStatuses(t *testing.T) {
	retried := map[int]bool{412: true, 429: true, 503: true}
	calls := map[string]func(*taskrouter.ApiService) error{
		"read": func(api *taskrouter.ApiService) error {
			_, err := api.FetchTask(workspaceSID, taskSID)
			return err
		},
		"create": func(api *taskrouter.ApiService) error {
			_, err := api.CreateTask(workspaceSID, &taskrouter.CreateTaskParams{})
			return err
		},
		"update": func(api *taskrouter.ApiService) error {
			_, err := api.UpdateTask(workspaceSID, taskSID, &taskrouter.UpdateTaskParams{})
			return err
		},
	}
	for status := 400; status <= 599; status++ {
		want := 1
		if retried[status] {
			want = 2
		}
		for name, call := range calls {
			sent := 0
			app := newApp(t, roundTrip(func(r *http.Request) *http.Response {
				sent++
				return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}},
					Body: io.NopCloser(strings.NewReader(twilioError(status))), Request: r}
			}), nil)
			res := twilioapi.ExecuteTwilio(app.Context(t.Context()), func(client *twilioapi.Client) (struct{}, error) {
				return struct{}{}, call(taskrouter.NewApiService(client))
			}, flexfn.RetryLimit(1), flexfn.Backoff(0, 0))
			if res.Success || res.Status != status || sent != want {
				t.Errorf("a %s that is answered %d is sent %d times, want %d: %v", name, status, sent, want, res.Err())
			}
		}
	}
}

// TestAnswerWithoutABody: a transport of the user, such as a test's, may leave
// out the body of an answer that has none.
func TestAnswerWithoutABody(t *testing.T) {
	app := newApp(t, roundTrip(func(*http.Request) *http.Response { return &http.Response{StatusCode: http.StatusNoContent} }), nil)
	res := twilioapi.ExecuteTwilio(app.Context(t.Context()), func(client *twilioapi.Client) (struct{}, error) {
		return struct{}{}, taskrouter.NewApiService(client).DeleteTask(workspaceSID, taskSID, nil)
	})
	if !res.Success {
		t.Error(res.Err())
	}
}
