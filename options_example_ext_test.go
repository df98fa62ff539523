package flexfn_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/signature"
	"github.com/flexfn/flexfn/twiliofake"
)

// The caller has an answer when the time is up; what does not heed its ctx can
// be waited for before the program ends.
func ExampleDeadline() {
	app := exampleApp()
	done := false
	app.Handle("/report", flexfn.PrepareFlexFunction(func(ctx context.Context, _ struct{}) (map[string]any, error) {
		<-ctx.Done()
		done = true
		return nil, ctx.Err()
	}, flexfn.Deadline(10*time.Millisecond)))

	w := httptest.NewRecorder()
	app.ServeHTTP(w, httptest.NewRequest("GET", "/report?Token=dev-agent", nil))
	fmt.Println(w.Code)
	fmt.Println(app.Wait(context.Background()), done)
	// Output:
	// 504
	// <nil> true
}

// Who calls decides what is answered.
func ExampleTokenOwner() {
	app := exampleApp()
	app.Handle("/me", flexfn.PrepareFlexFunction(func(ctx context.Context, _ struct{}) (map[string]any, error) {
		owner, _ := flexfn.TokenOwner(ctx)
		return map[string]any{"guest": owner.Guest(), "leads": owner.HasRole("supervisor", "admin"), "worker": owner.WorkerSID}, nil
	}, flexfn.AdmitGuests()))
	call(app, "/me", "Token=dev-supervisor")
	call(app, "/me", "Token=dev-guest")
	// Output:
	// 200 {"guest":false,"leads":true,"worker":"WK00000000000000000000000000000003","success":true}
	// 200 {"guest":true,"leads":false,"worker":"","success":true}
}

// What the logger writes has the function, the request's id, and no telephone
// number.
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

// Deliveries of one webhook have the same token: with it a handler can see
// that it did the work already.
func ExampleIdempotencyToken() {
	app := exampleApp()
	seen := map[string]bool{}
	app.Handle("/hook", flexfn.PrepareStudioFunction(func(ctx context.Context, _ flexfn.Event) (map[string]any, error) {
		token := flexfn.IdempotencyToken(ctx)
		again := seen[token]
		seen[token] = true
		return map[string]any{"again": again}, nil
	}, flexfn.OpenToAnyone()))
	for range 2 {
		r := httptest.NewRequest("POST", "/hook", nil)
		r.Header.Set("I-Twilio-Idempotency-Token", "5e5c31d4-7b9a-4c38-b3f2-0a1d3a5e8f77")
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		fmt.Println(w.Body)
	}
	// Output:
	// {"again":false,"success":true}
	// {"again":true,"success":true}
}

// Only pages of the listed origins may call.
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

// While the auth token is being rotated Twilio signs with the old one or with
// the new one, and a sub-account with its own.
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
	app.Handle("/hook", flexfn.PrepareStudioFunction(func(context.Context, flexfn.Event) (map[string]any, error) { return nil, nil }))

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
		fmt.Println(signed.with, w.Code)
	}
	// Output:
	// thenewone 200
	// theoldone 200
	// thesubaccounts 200
	// thesubaccounts 403
}

// store is a store that two instances of an app share; redisflexfn has a real
// one.
type store struct {
	mu     sync.Mutex
	values map[string][]byte
}

func (s *store) Get(_ context.Context, key string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.values[key], nil
}

func (s *store) Set(_ context.Context, key string, value []byte, _ time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values[key] = value
	return nil
}

func ExampleSharedTokens() {
	fake, err := twiliofake.New(twiliofake.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	shared := &store{values: map[string][]byte{}}
	for range 2 { // instances
		app, err := flexfn.New(flexfn.Config{
			AccountSID:   twiliofake.DevelopmentAccountSID,
			AuthToken:    twiliofake.DevelopmentAuthToken,
			Transport:    fake.Client().Transport,
			SharedTokens: shared,
		})
		if err != nil {
			fmt.Println(err)
			return
		}
		app.Handle("/greet", flexfn.PrepareFlexFunction(greet))
		call(app, "/greet", "Token=dev-agent&name=Ada")
	}
	fmt.Println("Twilio was asked about the token:", len(fake.Requests(twiliofake.Match{Host: "iam"})))
	// Output:
	// 200 {"greeting":"Hello Ada! ","success":true}
	// 200 {"greeting":"Hello Ada! ","success":true}
	// Twilio was asked about the token: 1
}

// A helper that answers with a Result says so when it cannot even begin.
func ExampleFailed() {
	res := flexfn.Failed[string](flexfn.Errorf(409, "the list is closed"))
	fmt.Println(res.Success, res.Status, res.Message)
	res = flexfn.Failed[string](errors.New("no such file"))
	fmt.Println(res.Success, res.Status)
	// Output:
	// false 409 the list is closed
	// false 500
}
