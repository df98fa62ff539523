package flexfn_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"strings"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/events"
	"github.com/flexfn/flexfn/flexfntest"
	"github.com/flexfn/flexfn/signature"
	"github.com/flexfn/flexfn/twiliofake"
)

// The caller gets an answer when the time is up. Before the program ends, it
// can wait for a handler that ignored its ctx.
func ExampleDeadline() {
	app := exampleApp()
	done := false
	app.Handle("/report", flexfn.PrepareStudioFunction(func(ctx context.Context, _ struct{}) (map[string]any, error) {
		<-ctx.Done()
		done = true
		return nil, ctx.Err()
	}, flexfn.Deadline(50*time.Millisecond), flexfn.OpenToAnyone()))

	w := httptest.NewRecorder()
	app.ServeHTTP(w, httptest.NewRequest("GET", "/report", nil))
	fmt.Println(w.Code)
	fmt.Println(app.Wait(context.Background()), done)
	// Output:
	// 504
	// <nil> true
}

// The answer depends on the caller.
func ExampleTokenOwner() {
	app := exampleApp()
	app.Handle("/me", flexfn.PrepareFlexFunction(func(ctx context.Context, _ struct{}) (map[string]any, error) {
		var owner flexfn.Owner
		owner, _ = flexfn.TokenOwner(ctx)
		return map[string]any{"guest": owner.Guest(), "leads": owner.HasRole("supervisor", "admin"), "worker": owner.WorkerSID}, nil
	}, flexfn.AdmitGuests()))
	call(app, "/me", "Token=dev-supervisor")
	call(app, "/me", "Token=dev-guest")
	// Output:
	// 200 {"guest":false,"leads":true,"worker":"WK00000000000000000000000000000003","success":true}
	// 200 {"guest":true,"leads":false,"worker":"","success":true}
}

// Log lines have the function and the request's id, and telephone numbers in
// them are masked.
func ExampleLogger() {
	var id string
	config := studioConfig()
	config.Logger = slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			switch {
			case a.Key == slog.TimeKey:
				return slog.Attr{}
			case id != "" && a.Value.String() == id:
				return slog.String(a.Key, "flexfn.RequestID(ctx)")
			}
			return a
		},
	}))
	app, err := flexfn.New(config)
	if err != nil {
		fmt.Println(err)
		return
	}
	app.Handle("/hello", flexfn.PrepareStudioFunction(func(ctx context.Context, event flexfn.Event) (map[string]any, error) {
		id = flexfn.RequestID(ctx)
		flexfn.Logger(ctx).Info("a call", "from", event.String("From"))
		return nil, nil
	}, flexfn.OpenToAnyone()))
	app.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/hello?From=%2B15550001111", nil))
	// Output: level=INFO msg="a call" function=/hello request_id=flexfn.RequestID(ctx) from=(number)
}

// Only pages from the listed origins may call.
func ExampleConfig_allowedOrigins() {
	config := studioConfig()
	config.AllowedOrigins = []string{"https://flex.twilio.com"}
	app, err := flexfn.New(config)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, origin := range []string{"https://flex.twilio.com", "https://example.com"} {
		r := httptest.NewRequest("OPTIONS", "/greet", nil)
		r.Header.Set("Origin", origin)
		r.Header.Set("Access-Control-Request-Method", "POST")
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		fmt.Printf("%s: %q\n", origin, w.Header().Get("Access-Control-Allow-Origin"))
	}
	// Output:
	// https://flex.twilio.com: "https://flex.twilio.com"
	// https://example.com: ""
}

// While the auth token is being rotated, Twilio signs with the old or the new
// one. A sub-account signs with its own token.
func ExampleConfig_authTokens() {
	const subaccount = "AC0000000000000000000000000000000b"
	config := studioConfig()
	config.AuthToken = "thenewone"
	config.PreviousAuthTokens = []string{"theoldone"}
	tokens := map[string][]string{subaccount: {"thesubaccounts"}}
	config.SubaccountAuthTokens = func(ctx context.Context, accountSID string) ([]string, error) {
		return tokens[accountSID], nil // nil: this account may not call
	}
	app, err := flexfn.New(config)
	if err != nil {
		fmt.Println(err)
		return
	}
	app.Handle("/hook", flexfn.PrepareStudioFunction(func(ctx context.Context, _ flexfn.Event) (map[string]any, error) {
		return map[string]any{"of the sub-account": flexfn.SigningAccount(ctx) == subaccount}, nil
	}))

	for _, signed := range []struct{ with, body string }{
		{"thenewone", "AccountSid=" + config.AccountSID},
		{"theoldone", "AccountSid=" + config.AccountSID},
		{"thesubaccounts", "AccountSid=" + subaccount},
		{"thesubaccounts", "AccountSid=" + config.AccountSID},
	} {
		r := httptest.NewRequest("POST", "/hook", strings.NewReader(signed.body))
		r.Header.Set("Content-Type", formType)
		r.Header.Set("X-Twilio-Signature", signature.Sign(signed.with, config.PublicURL+"/hook", formType, []byte(signed.body)))
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		fmt.Println(signed.with, w.Code, w.Body)
	}
	// Output:
	// thenewone 200 {"of the sub-account":false,"success":true}
	// theoldone 200 {"of the sub-account":false,"success":true}
	// thesubaccounts 200 {"of the sub-account":true,"success":true}
	// thesubaccounts 403 {"success":false,"message":"Unauthorized: the request does not carry Twilio's signature"}
}

// Of all instances that share a Store, one runs the handler, and one asks
// Twilio about a Flex token.
func ExampleStore() {
	fake, err := twiliofake.New(twiliofake.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	shared := flexfntest.NewStore() // in production redisflexfn.New or pgflexfn.New
	greet := flexfn.PrepareFlexFunction(greet, flexfn.Once(time.Minute))
	for range 2 { // instances
		app, err := flexfn.New(flexfn.Config{
			AccountSID: twiliofake.DevelopmentAccountSID,
			AuthToken:  twiliofake.DevelopmentAuthToken,
			Transport:  fake.Client().Transport,
			Store:      shared,
		})
		if err != nil {
			fmt.Println(err)
			return
		}
		app.Handle("/greet", greet)
		call(app, "/greet", "Token=dev-agent&name=Ada")
	}
	fmt.Println("Twilio was asked about the token:", len(fake.Requests(twiliofake.Match{Host: "iam"})))
	// Output:
	// 200 {"greeting":"Hello Ada! ","success":true}
	// 200 {"greeting":"Hello Ada! ","success":true}
	// Twilio was asked about the token: 1
}

// Clicking a button twice creates one task.
func ExampleOnce() {
	app := exampleApp()
	tasks := 0
	type newTask struct {
		Click string `json:"click" purpose:"a fresh id for each click of the button"`
	}
	app.Handle("/flex/create-task", flexfn.PrepareFlexFunction(func(_ context.Context, in newTask) (map[string]int, error) {
		tasks++
		return map[string]int{"task": tasks}, nil
	}, flexfn.Once(10*time.Minute, "click")))
	call(app, "/flex/create-task", "Token=dev-agent&click=7f3a")
	call(app, "/flex/create-task", "Token=dev-agent&click=7f3a")
	call(app, "/flex/create-task", "Token=dev-agent&click=81c0")
	// Output:
	// 200 {"task":1,"success":true}
	// 200 {"task":1,"success":true}
	// 200 {"task":2,"success":true}
}

// Options are values, so a program can reuse a set of them. Some options fit
// both kinds of functions, others only one.
func Example_options() {
	common := []flexfn.Option{flexfn.Doc("Greets someone."), flexfn.Deadline(2 * time.Second)}
	forFlex := []flexfn.FlexOption{flexfn.Roles("admin")}
	forStudio := []flexfn.StudioOption{flexfn.OpenToAnyone()}
	for _, o := range common {
		forFlex, forStudio = append(forFlex, o), append(forStudio, o)
	}
	for _, r := range []flexfn.Route{
		{Path: "/flex/greet", Function: flexfn.PrepareFlexFunction(greet, forFlex...)},
		{Path: "/studio/greet", Function: flexfn.PrepareStudioFunction(greet, forStudio...)},
	} {
		fmt.Println(r.Path, "is for", r.Function.Describe().Access)
	}
	// Output:
	// /flex/greet is for workers who are admin
	// /studio/greet is for ANYONE (no signature asked for)
}

// engine is a Queue in this process; riverflexfn and others have durable
// Queues.
type engine struct{ jobs [][]byte }

func (e *engine) Add(_ context.Context, key string, job []byte, due time.Time) error {
	e.jobs = append(e.jobs, job)
	return nil
}

// An engine stores jobs and runs each with App.RunJob when it is due.
func ExampleQueue() {
	queue := new(engine)
	var _ flexfn.Queue = queue
	app, err := flexfn.New(flexfn.Config{
		AccountSID: twiliofake.DevelopmentAccountSID,
		AuthToken:  twiliofake.DevelopmentAuthToken,
		Queue:      queue,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	type report struct{ Month string }
	app.Handle("/jobs/report", events.Job(func(_ context.Context, r report) error {
		fmt.Println("a report of", r.Month)
		return nil
	}))
	if err := events.Later(app.Context(context.Background()), report{"May"}, 0); err != nil {
		fmt.Println(err)
	}
	for _, job := range queue.jobs {
		fmt.Println(app.RunJob(context.Background(), job))
	}
	// Output:
	// a report of May
	// <nil>
}
