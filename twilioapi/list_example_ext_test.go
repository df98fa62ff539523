package twilioapi_test

import (
	"context"
	"fmt"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/flexfntest"
	"github.com/flexfn/flexfn/internal/testing/exampletb"
	"github.com/flexfn/flexfn/twilioapi"
	taskrouter "github.com/twilio/twilio-go/rest/taskrouter/v1"
)

// twilio-go's List functions read page after page to the end, or up to Limit.
func ExampleExecuteTwilio_list() {
	app := flexfntest.New(exampletb.T{}) // in a test: flexfntest.New(t)

	queues, err := listQueues(app.Context(context.Background())).Get()
	for _, queue := range queues {
		fmt.Println(*queue.FriendlyName)
	}
	fmt.Println(err)
	// Output:
	// Everyone
	// Support
	// Sales
	// <nil>
}

func listQueues(ctx context.Context) flexfn.Result[[]taskrouter.TaskrouterV1TaskQueue] {
	workspace := flexfn.FromContext(ctx).Config().WorkspaceSID
	return twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) ([]taskrouter.TaskrouterV1TaskQueue, error) {
		return taskrouter.NewApiService(client).ListTaskQueue(workspace, new(taskrouter.ListTaskQueueParams).SetPageSize(1000))
	})
}
