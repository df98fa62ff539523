package flexfn_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/twiliofake"
)

type address struct {
	Street string `json:"street"`
	City   string `json:"city"`
}

// origin is embedded: its fields are parameters like any others.
type origin struct {
	Source string `json:"source" doc:"where the customer came from"`
}

type customerParams struct {
	Name     string         `json:"name"     purpose:"the customer's name" example:"Ada"`
	Phone    string         `json:"phone"    purpose:"number to call back" kind:"e164"`
	Tasks    []string       `json:"tasks"    doc:"open tasks" kind:"WT"`
	Priority *int           `json:"priority" doc:"unchanged when absent"`
	Since    time.Time      `json:"since"    doc:"first contact"`
	Wait     time.Duration  `json:"wait"     doc:"in seconds, or such as 1m30s"`
	Home     address        `json:"home"     doc:"postal address"`
	Extra    map[string]any `json:"extra"    doc:"whatever the CRM knows"`
	origin
}

func saveCustomer(_ context.Context, in customerParams) (map[string]any, error) {
	priority := "unchanged"
	if in.Priority != nil {
		priority = fmt.Sprint(*in.Priority)
	}
	return map[string]any{
		"name": in.Name, "tasks": len(in.Tasks), "priority": priority, "year": in.Since.Year(), "wait": in.Wait.String(),
		"city": in.Home.City, "score": in.Extra["score"], "source": in.Source,
	}, nil
}

// A form and a JSON body give the same parameters.
func ExamplePrepareFlexFunction_types() {
	app := exampleApp()
	app.Handle("/customer", flexfn.PrepareFlexFunction(saveCustomer))

	call(app, "/customer", "Token=dev-agent&name=Ada&phone=%2B15550100001"+
		"&tasks=WT00000000000000000000000000000001&tasks=WT00000000000000000000000000000002"+
		"&priority=0&since=2026-01-31T15:04:05Z&wait=90&home={\"city\":\"Berlin\"}&extra={\"score\":7}&source=web")

	req := httptest.NewRequest("POST", "/customer", strings.NewReader(`{
		"Token": "dev-agent", "name": "Ada", "phone": "+15550100001",
		"tasks": ["WT00000000000000000000000000000001", "WT00000000000000000000000000000002"],
		"priority": 0, "since": "2026-01-31T15:04:05Z", "wait": 90, "home": {"city": "Berlin"}, "extra": {"score": 7}, "source": "web"
	}`))
	req.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	app.ServeHTTP(w, req)
	fmt.Println(w.Code, w.Body)

	call(app, "/customer", "Token=dev-agent&name=&phone=5550100")
	// Output:
	// 200 {"city":"Berlin","name":"Ada","priority":"0","score":7,"source":"web","tasks":2,"wait":"1m30s","year":2026,"success":true}
	// 200 {"city":"Berlin","name":"Ada","priority":"0","score":7,"source":"web","tasks":2,"wait":"1m30s","year":2026,"success":true}
	// 400 {"success":false,"data":null,"message":"(/customer) Missing name: the customer's name; (/customer) Invalid phone: expected a telephone number in E.164 form, such as +15550100001","missing":[{"key":"name","purpose":"the customer's name"}],"invalid":[{"key":"phone","purpose":"number to call back","expected":"a telephone number in E.164 form, such as +15550100001"}]}
}

type priority int

func (p *priority) UnmarshalText(text []byte) error {
	switch string(text) {
	case "low":
		*p = 1
	case "high":
		*p = 10
	default:
		return errors.New("low or high")
	}
	return nil
}

func ExamplePrepareFlexFunction_unmarshalText() {
	app := exampleApp()
	app.Handle("/raise", flexfn.PrepareFlexFunction(func(_ context.Context, in struct {
		Priority priority        `json:"priority" purpose:"how urgent it is"`
		Note     json.RawMessage `json:"note" doc:"any JSON"`
	}) (map[string]any, error) {
		return map[string]any{"priority": in.Priority, "note": in.Note}, nil
	}))
	call(app, "/raise", "Token=dev-agent&priority=high&note=[1,2]")
	call(app, "/raise", "Token=dev-agent&priority=5")
	// Output:
	// 200 {"note":[1,2],"priority":10,"success":true}
	// 400 {"success":false,"data":null,"message":"(/raise) Invalid priority: expected another value: low or high","invalid":[{"key":"priority","purpose":"how urgent it is","expected":"another value: low or high"}]}
}

// The log is JSON on standard output. Each line of a handler has the function's
// path and the request's id.
func ExampleConfig_logger() {
	fake, err := twiliofake.New(twiliofake.Config{})
	if err != nil {
		panic(err)
	}
	config := flexfn.Config{
		AccountSID: twiliofake.DevelopmentAccountSID, AuthToken: twiliofake.DevelopmentAuthToken, Transport: fake.Client().Transport,
	}
	config.Logger = slog.New(slog.NewJSONHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: dropTimeAndID}))
	app, err := flexfn.New(config)
	if err != nil {
		panic(err)
	}
	app.Handle("/call", flexfn.PrepareFlexFunction(func(ctx context.Context, in struct {
		To string `json:"to" purpose:"number to call"`
	}) (map[string]any, error) {
		flexfn.Logger(ctx).Info("calling", "to", in.To)
		return nil, nil
	}))
	call(app, "/call", "Token=dev-agent&to=%2B15550100001")
	// Output:
	// {"level":"INFO","msg":"calling","function":"/call","to":"(number)"}
	// 200 {"success":true}
}

// dropTimeAndID leaves out what differs from run to run.
func dropTimeAndID(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey || a.Key == "request_id" {
		return slog.Attr{}
	}
	return a
}

// accessLog writes a line for each request. It embeds the app so that package
// host finds the methods Wait and Ready.
type accessLog struct {
	*flexfn.App
	log *slog.Logger
}

func (a accessLog) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status := &statusWriter{ResponseWriter: w, status: http.StatusOK}
	a.App.ServeHTTP(status, r)
	a.log.Info("request", "method", r.Method, "path", r.URL.Path, "status", status.status) // not the query: it can hold a token
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController find the original writer.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func ExampleApp_accessLog() {
	app := exampleApp()
	app.Handle("/greet", flexfn.PrepareFlexFunction(greet))
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: dropTimeAndID}))

	handler := accessLog{app, logger} // for host.Main or http.Serve
	call(handler, "/greet", "Token=dev-agent&name=Ada")
	// Output:
	// level=INFO msg=request method=POST path=/greet status=200
	// 200 {"greeting":"Hello Ada! ","success":true}
}
