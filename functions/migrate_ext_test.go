package functions_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"strings"
	"testing"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/flexfntest"
	"github.com/flexfn/flexfn/functions"
	"github.com/flexfn/flexfn/internal/testing/exampletb"
	"github.com/flexfn/flexfn/twilioapi"
	taskrouter "github.com/twilio/twilio-go/rest/taskrouter/v1"
)

// The code of docs/migrate.md begins here.

type priorityParams struct {
	Task string `json:"taskSid" purpose:"task to look at" kind:"WT"`
}

type priorityReply struct {
	Priority int `json:"priority"`
}

func taskPriority(ctx context.Context, in priorityParams) (priorityReply, error) {
	workspace := flexfn.FromContext(ctx).Config().WorkspaceSID
	res := twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) (*taskrouter.TaskrouterV1Task, error) {
		return taskrouter.NewApiService(client).FetchTask(workspace, in.Task)
	})
	if err := res.Err(); err != nil {
		return priorityReply{}, err
	}
	return priorityReply{Priority: res.Data.Priority}, nil
}

func newMigratedApp(config flexfn.Config) *flexfn.App {
	app, err := flexfn.New(config)
	if err != nil {
		log.Fatal(err)
	}
	if err := functions.Add(app); err != nil {
		log.Fatal(err)
	}
	app.Handle("/features/my-feature/task-priority", flexfn.PrepareFlexFunction(taskPriority))
	return app
}

func TestTaskPriority(t *testing.T) {
	app := flexfntest.New(t)
	app.Handle("/priority", flexfn.PrepareFlexFunction(taskPriority))
	app.CallFlex(flexfntest.Agent, "/priority", flexfntest.Params{"taskSid": "WT00000000000000000000000000000001"}).OK()
	app.CallFlex(flexfntest.Guest, "/priority", nil).Refused(403, "guest")
	app.Saw("GET", "/v1/Workspaces/*/Tasks/*", nil)
}

// The code of docs/migrate.md ends here.

func Example() {
	app := newMigratedApp(flexfntest.New(exampletb.T{}).Config()) // in production: flexfn.FromEnv()
	fmt.Println(len(app.Routes()), "functions")
	// Output: 54 functions
}

// TestMigrateDocument checks that the code in docs/migrate.md is compiled and
// run here.
func TestMigrateDocument(t *testing.T) {
	doc, err := os.ReadFile("../docs/migrate.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("migrate_ext_test.go")
	if err != nil {
		t.Fatal(err)
	}
	blocks := 0
	for _, block := range strings.Split(string(doc), "```go\n")[1:] {
		code, _, _ := strings.Cut(block, "```")
		if !strings.Contains(string(source), code) {
			t.Errorf("docs/migrate.md has code that is not compiled:\n%s", code)
		}
		blocks++
	}
	if blocks == 0 {
		t.Error("docs/migrate.md has no code")
	}
	for _, r := range functions.Routes() {
		if !strings.Contains(string(doc), "`"+strings.TrimPrefix(strings.TrimPrefix(r.Path, "/common/"), "/features/")+"`") {
			t.Errorf("docs/migrate.md lacks %s", r.Path)
		}
	}
}
