package flexfn_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/signature"
	"github.com/flexfn/flexfn/twiliofake"
)

// exampleApp returns an app whose Twilio is the fake.
func exampleApp() *flexfn.App {
	fake, err := twiliofake.New(twiliofake.Config{})
	if err != nil {
		panic(err)
	}
	app, err := flexfn.New(flexfn.Config{
		AccountSID: twiliofake.DevelopmentAccountSID,
		AuthToken:  twiliofake.DevelopmentAuthToken,
		Transport:  fake.Client().Transport,
	})
	if err != nil {
		panic(err)
	}
	return app
}

// call posts a form and prints the answer.
func call(handler http.Handler, path, form string) {
	req := httptest.NewRequest("POST", path, strings.NewReader(form))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, req)
	fmt.Println(w.Code, w.Body)
}

type greetParams struct {
	Name  string `json:"name" purpose:"who to greet"`
	Times int    `json:"times" doc:"how often"`
}

type greetReply struct {
	Greeting string `json:"greeting"`
}

func greet(_ context.Context, in greetParams) (greetReply, error) {
	return greetReply{strings.Repeat("Hello "+in.Name+"! ", max(in.Times, 1))}, nil
}

func ExamplePrepareFlexFunction() {
	app := exampleApp()
	app.Handle("/greet", flexfn.PrepareFlexFunction(greet))

	call(app, "/greet", "Token=dev-agent&name=Ada&times=2")
	call(app, "/greet", "name=Ada")
	call(app, "/greet", "Token=dev-agent&times=often")
	// Output:
	// 200 {"greeting":"Hello Ada! Hello Ada! ","success":true}
	// 403 {"success":false,"message":"Unauthorized: Token was not provided"}
	// 400 {"success":false,"data":null,"message":"(/greet) Missing name: who to greet; (/greet) Invalid times: expected a whole number, not \"often\"","missing":[{"key":"name","purpose":"who to greet"}],"invalid":[{"key":"times","purpose":"","expected":"a whole number, not \"often\""}]}
}

func ExamplePrepareStudioFunction() {
	app := exampleApp()
	app.Handle("/opening-hours", flexfn.PrepareStudioFunction(func(context.Context, struct{}) (map[string]any, error) {
		return map[string]any{"open": true}, nil
	}))
	// Twilio signs its requests; unsigned ones are refused.
	req := httptest.NewRequest("POST", "https://functions.example.com/opening-hours", nil)
	w := httptest.NewRecorder()
	app.ServeHTTP(w, req)
	fmt.Println(w.Code)

	req.Header.Set("X-Twilio-Signature", signature.Sign(app.Config().AuthToken, "https://functions.example.com/opening-hours", "", nil))
	w = httptest.NewRecorder()
	app.ServeHTTP(w, req)
	fmt.Println(w.Code, w.Body)
	// Output:
	// 403
	// 200 {"open":true,"success":true}
}

func ExampleEvent() {
	app := exampleApp()
	app.Handle("/echo", flexfn.PrepareFlexFunction(
		func(_ context.Context, event flexfn.Event) (map[string]any, error) {
			return map[string]any{"you": event.String("said")}, nil
		},
		flexfn.Require("said", "what to say back"),
	))
	call(app, "/echo", "Token=dev-agent&said=hello")
	call(app, "/echo", "Token=dev-agent")
	// Output:
	// 200 {"you":"hello","success":true}
	// 400 {"success":false,"data":null,"message":"(/echo) Missing said: what to say back","missing":[{"key":"said","purpose":"what to say back"}]}
}

func ExampleRoles() {
	app := exampleApp()
	app.Handle("/team", flexfn.PrepareFlexFunction(func(ctx context.Context, _ struct{}) (map[string]any, error) {
		owner, _ := flexfn.TokenOwner(ctx)
		return map[string]any{"led by": owner.Identity}, nil
	}, flexfn.Roles("supervisor", "admin")))
	call(app, "/team", "Token=dev-agent")
	call(app, "/team", "Token=dev-supervisor")
	// Output:
	// 403 {"success":false,"message":"This function is for the role supervisor or admin"}
	// 200 {"led by":"supervisor_40example_2Ecom","success":true}
}

func ExampleError() {
	app := exampleApp()
	app.Handle("/transfer", flexfn.PrepareFlexFunction(func(_ context.Context, in struct {
		To string `json:"to" purpose:"who to transfer to"`
	}) (any, error) {
		switch in.To {
		case "nobody":
			return nil, flexfn.Errorf(409, "all agents are busy")
		case "crm":
			// The caller and the log get different texts.
			return nil, &flexfn.Error{Status: 502, Message: "the CRM is down", RetryAfter: 5 * time.Second, Err: errors.New("dial tcp 10.0.0.5: refused")}
		}
		return nil, nil
	}))
	call(app, "/transfer", "Token=dev-agent&to=nobody")
	// Output:
	// 409 {"success":false,"message":"all agents are busy"}
}

func ExampleResponse() {
	app := exampleApp()
	app.Handle("/ticket", flexfn.PrepareFlexFunction(func(ctx context.Context, _ struct{}) (*flexfn.Response, error) {
		return &flexfn.Response{
			Status: http.StatusCreated,
			Header: http.Header{"Location": {"/ticket/17"}},
			Body:   map[string]any{"ticket": 17, "for": flexfn.RequestHeader(ctx).Get("User-Agent")},
		}, nil
	}))
	call(app, "/ticket", "Token=dev-agent")
	// Output:
	// 201 {"for":"","ticket":17,"success":true}
}

// Go code checks limits that tags cannot express.
type callbackParams struct {
	Phone string        `json:"phone" kind:"e164" purpose:"number to call back" example:"+15550100"`
	In    time.Duration `json:"in" purpose:"how long to wait, in seconds"`
}

func (p callbackParams) Validate() error {
	if p.In > 24*time.Hour {
		return errors.New("a callback is made within a day")
	}
	return nil
}

func ExamplePrepareFlexFunction_validate() {
	app := exampleApp()
	app.Handle("/callback", flexfn.PrepareFlexFunction(func(_ context.Context, in callbackParams) (map[string]any, error) {
		return map[string]any{"in": in.In.String()}, nil
	}))
	call(app, "/callback", "Token=dev-agent&phone=%2B15550100&in=90")
	call(app, "/callback", "Token=dev-agent&phone=%2B15550100&in=100h")
	// Output:
	// 200 {"in":"1m30s","success":true}
	// 400 {"success":false,"message":"a callback is made within a day"}
}

func ExampleNew() {
	// All faults are reported at once.
	_, err := flexfn.New(flexfn.FromLookup(func(name string) (string, bool) {
		env := map[string]string{"ACCOUNT_SID": "AC123", "TWILIO_SERVICE_RETRY_LIMIT": "many"}
		v, ok := env[name]
		return v, ok
	}))
	fmt.Println(err)
	// Output:
	// TWILIO_SERVICE_RETRY_LIMIT: "many" is not a number of retries: write a whole number from 0 to 86400000, or unset it
	// ACCOUNT_SID is not an account SID: it must be AC and 32 hex digits
	// AUTH_TOKEN is not set: give the auth token of your Twilio account (shown on the console's first page)
}

func ExampleApp_Routes() {
	app := exampleApp()
	app.Handle("/greet", flexfn.PrepareFlexFunction(greet, flexfn.Doc("Greets someone.")))
	app.Handle("/hook", flexfn.PrepareStudioFunction(greet, flexfn.OpenToAnyone(), flexfn.Doc("Greets too.")))
	for _, r := range app.Routes() {
		d := r.Describe()
		fmt.Printf("%s: %s %s\n", d.Path, d.Access, d.Doc)
		for _, p := range d.Parameters {
			fmt.Printf("  %s, required %v\n", p.Name, p.Required)
		}
	}
	// Output:
	// /greet: workers Greets someone.
	//   name, required true
	//   times, required false
	// /hook: ANYONE (no signature asked for) Greets too.
	//   name, required true
	//   times, required false
}

func ExampleFunction_Describe() {
	var f *flexfn.Function = flexfn.PrepareFlexFunction(greet, flexfn.AdmitGuests())
	d := f.Describe()
	fmt.Println(d.Input, d.Output, d.Guests, d.Studio, d.Open)
	first := d.Parameters[0]
	fmt.Println(first.Name, first.Required, first.Type)
	// Output:
	// flexfn_test.greetParams flexfn_test.greetReply true false false
	// name true string
}

func ExampleValidSID() {
	fmt.Println(flexfn.ValidSID("CA00000000000000000000000000000001", "CA", "CF"))
	fmt.Println(flexfn.ValidSID("../Workers/WK0000000000000000000001", "CA"))
	// Output:
	// true
	// false
}

func ExampleApp_Context() {
	app := exampleApp()
	ctx := app.Context(context.Background()) // for calls outside a function
	fmt.Println(flexfn.FromContext(ctx) == app)
	// Output:
	// true
}

func Example() {
	// In production: app, err := flexfn.New(flexfn.FromEnv())
	app := exampleApp()
	app.Handle("/greet", flexfn.PrepareFlexFunction(greet))
	server := httptest.NewServer(app) // an App is an http.Handler
	defer server.Close()

	resp, err := http.PostForm(server.URL+"/greet", map[string][]string{"Token": {"dev-agent"}, "name": {"Ada"}})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	reply, err := flexfn.ReadJSON[greetReply](resp, nil)
	fmt.Println(reply.Greeting, err)
	// Output:
	// Hello Ada!  <nil>
}
