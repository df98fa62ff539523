package twilioapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/twilioapi"
	api "github.com/twilio/twilio-go/rest/api/v2010"
	taskrouter "github.com/twilio/twilio-go/rest/taskrouter/v1"
)

// exampleApp returns an app whose Twilio is a small fake. In a function, use
// the handler's ctx.
func exampleApp() (ctx context.Context, stop func()) {
	task := `{"name":"Ann"}`
	standIn := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"0"`)
		switch {
		case strings.HasSuffix(r.URL.Path, ".mp3"):
			w.Header().Set("Content-Type", "audio/mpeg")
			fmt.Fprint(w, "ID3")
			return
		case r.Host == "api.twilio.com":
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"code":21211,"message":"Invalid 'To' Phone Number","more_info":"https://www.twilio.com/docs/errors/21211","status":400}`)
			return
		case r.Method == http.MethodPost:
			task = r.PostFormValue("Attributes")
		}
		attributes, _ := json.Marshal(task)
		fmt.Fprintf(w, `{"sid":"WTaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","attributes":%s}`, attributes)
	}))
	app, err := flexfn.New(flexfn.Config{
		AccountSID:   "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		AuthToken:    "0123456789abcdef0123456789abcdef",
		WorkspaceSID: "WSaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		TwilioURL:    standIn.URL,
	})
	if err != nil {
		panic(err)
	}
	return app.Context(context.Background()), standIn.Close
}

func ExampleExecuteTwilio() {
	ctx, stop := exampleApp()
	defer stop()

	res := twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) (*taskrouter.TaskrouterV1Task, error) {
		return taskrouter.NewApiService(client).FetchTask("WSaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "WTaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")
	})
	fmt.Println(res.Success, *res.Data.Sid)
	// Output: true WTaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
}

// An error has Twilio's message. A handler that returns it passes the message on
// to the plugin.
func ExampleExecuteTwilio_refused() {
	ctx, stop := exampleApp()
	defer stop()

	res := twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) (*api.ApiV2010Message, error) {
		return api.NewApiService(client).CreateMessage(&api.CreateMessageParams{To: new("nonsense"), Body: new("Hello")})
	})
	fmt.Println(res.Status, res.Message, res.TwilioErrorCode)
	// Output: 400 Invalid 'To' Phone Number 21211
}

func ExampleResponseHeader() {
	ctx, stop := exampleApp()
	defer stop()

	res := twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) (string, error) {
		_, err := taskrouter.NewApiService(client).FetchTask("WSaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "WTaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")
		return twilioapi.ResponseHeader(client).Get("ETag"), err
	})
	fmt.Println(res.Data)
	// Output: "0"
}

func ExampleUpdateTaskAttributes() {
	ctx, stop := exampleApp()
	defer stop()

	res := twilioapi.UpdateTaskAttributes(ctx, "WTaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", json.RawMessage(`{"orders":[7]}`))
	fmt.Println(string(res.Data), res.Err())
	// Output: {"name":"Ann","orders":[7]} <nil>
}

func ExampleUpdateWorkerAttributes() {
	ctx, stop := exampleApp()
	defer stop()

	res := twilioapi.UpdateWorkerAttributes(ctx, "WKaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", json.RawMessage(`{"team":null}`))
	fmt.Println(*res.Data.Attributes, res.Err())
	// Output: {"name":"Ann","team":null} <nil>
}

func ExampleView() {
	task := &taskrouter.TaskrouterV1Task{
		Sid: new("WTaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), Priority: 5, DateCreated: new(time.Unix(1704164645, 0)),
	}
	view := twilioapi.View(task)
	fmt.Println(view["sid"], view["priority"], view["dateCreated"], view["taskQueueSid"])
	// Output: WTaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 5 2024-01-02T03:04:05.000Z <nil>
}

func ExampleViews() {
	channels := []taskrouter.TaskrouterV1WorkerChannel{{TaskChannelUniqueName: new("voice"), ConfiguredCapacity: 1}}
	fmt.Println(twilioapi.Views(channels)[0]["taskChannelUniqueName"])
	// Output: voice
}
