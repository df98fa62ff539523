//go:build node

package tsclient

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	taskrouter "github.com/twilio/twilio-go/rest/taskrouter/v1"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/flexfntest"
	"github.com/flexfn/flexfn/twilioapi"
	"github.com/flexfn/flexfn/twiliofake"
)

// instance is one of several that serve an app. Once it is killed, it reaches
// nothing and its answers are lost.
type instance struct {
	flexfn.Store
	http.Handler
	twilio http.RoundTripper
	dead   atomic.Bool
}

var errDead = errors.New("this instance is dead")

func (i *instance) Get(ctx context.Context, key string) ([]byte, time.Duration, error) {
	if i.dead.Load() {
		return nil, 0, errDead
	}
	return i.Store.Get(ctx, key)
}

func (i *instance) Swap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
	if i.dead.Load() {
		return false, errDead
	}
	return i.Store.Swap(ctx, key, old, new, ttl)
}

func (i *instance) RoundTrip(r *http.Request) (*http.Response, error) {
	if i.dead.Load() {
		return nil, errDead
	}
	return i.twilio.RoundTrip(r)
}

type newTask struct {
	Customer string `json:"customer" purpose:"the customer that the task is about"`
}

type madeTask struct {
	SID string `json:"sid"`
}

// createTask returns the plugin's function; before runs before the task is
// created.
func createTask(before func()) *flexfn.Function {
	return flexfn.PrepareFlexFunction(func(ctx context.Context, in newTask) (madeTask, error) {
		before()
		attributes, err := json.Marshal(in)
		if err != nil {
			return madeTask{}, err
		}
		res := twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) (*taskrouter.TaskrouterV1Task, error) {
			return taskrouter.NewApiService(client).CreateTask(flexfn.FromContext(ctx).Config().WorkspaceSID, new(taskrouter.CreateTaskParams).SetAttributes(string(attributes)))
		})
		if err := res.Err(); err != nil {
			return madeTask{}, err
		}
		return madeTask{*res.Data.Sid}, nil
	}, flexfn.Once(10*time.Minute))
}

// TestClick makes the generated client click twice at once, and again after
// each failure. One task is created, on either of two instances, even if an
// answer is lost or an instance is killed during the call.
func TestClick(t *testing.T) {
	dir := t.TempDir()
	generated := filepath.Join(dir, "functions.ts")
	generate(t, generated, []flexfn.Route{{Path: "/flex/create-task", Function: createTask(func() {})}}, false)
	command(t, "node_modules/.bin/esbuild", generated, "--format=esm", "--outfile="+filepath.Join(dir, "functions.mjs"))

	for _, c := range []struct {
		name string
		// first answers the first request; all others go to the second instance.
		first func(i *instance, w http.ResponseWriter, r *http.Request)
		kill  bool // kills the first instance once its handler has started
	}{
		{name: "all is well", first: func(i *instance, w http.ResponseWriter, r *http.Request) { i.ServeHTTP(w, r) }},
		{name: "the answer is lost", first: func(i *instance, _ http.ResponseWriter, r *http.Request) {
			i.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		}},
		{name: "the instance is killed", kill: true, first: func(i *instance, _ http.ResponseWriter, r *http.Request) {
			i.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			fake, err := twiliofake.New(twiliofake.Config{})
			if err != nil {
				t.Fatal(err)
			}
			defer fake.Close()
			before := len(fake.State().Resources["tasks"])
			shared := flexfntest.NewStore()
			var both [2]*instance
			for n := range both {
				i := &instance{Store: shared, twilio: fake.Client().Transport}
				app, err := flexfn.New(flexfn.Config{
					AccountSID: twiliofake.DevelopmentAccountSID, AuthToken: twiliofake.DevelopmentAuthToken, WorkspaceSID: twiliofake.DevelopmentWorkspaceSID,
					Transport: i, Store: i, FlexDeadline: time.Second, Logger: slog.New(slog.DiscardHandler),
				})
				if err != nil {
					t.Fatal(err)
				}
				app.Handle("/flex/create-task", createTask(func() {
					if n == 0 && c.kill {
						i.dead.Store(true)
					}
				}))
				i.Handler = app
				both[n] = i
			}
			var requests atomic.Int64
			front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPost && requests.Add(1) == 1 {
					c.first(both[0], w, r)
					return
				}
				both[1].ServeHTTP(w, r)
			}))
			defer front.Close()
			cmd := exec.CommandContext(t.Context(), "node", "click.mjs", filepath.Join(dir, "functions.mjs"), front.URL)
			cmd.Stderr = os.Stderr
			out, err := cmd.Output()
			var sids []string
			if err != nil || json.Unmarshal(out, &sids) != nil || len(sids) != 2 || sids[0] != sids[1] || !strings.HasPrefix(sids[0], "WT") {
				t.Errorf("the clicks were answered %q: %v", out, err)
			}
			if made := len(fake.State().Resources["tasks"]) - before; made != 1 {
				t.Errorf("%d tasks were made", made)
			}
			if requests.Load() < 2 {
				t.Errorf("%d requests came", requests.Load())
			}
		})
	}
}
