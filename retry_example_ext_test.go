package flexfn_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/flexfn/flexfn"
)

// busyTwice answers 503 twice, and then sends JSON.
func busyTwice() *httptest.Server {
	n := 0
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n++; n <= 2 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, `{"name":"Ann"}`)
	}))
}

// Customer is what the web service in the examples returns.
type Customer struct {
	Name string `json:"name"`
}

func ExampleExecuteWithRetry() {
	service := busyTwice()
	defer service.Close()

	lookup := func(ctx context.Context) (Customer, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, service.URL, nil)
		if err != nil {
			return Customer{}, err
		}
		return flexfn.ReadJSON[Customer](http.DefaultClient.Do(req))
	}
	res := flexfn.ExecuteWithRetry(context.Background(), lookup, flexfn.Backoff(time.Millisecond, 5*time.Millisecond))
	fmt.Println(res.Success, res.Data.Name, res.Attempts)

	customer, err := res.Get()
	fmt.Println(customer.Name, err)
	// Output:
	// true Ann 3
	// Ann <nil>
}

// A callback may turn some failures into a success, and return the others,
// which are then retried as usual.
func ExampleExecuteWithRetry_customErrorHandling() {
	fetch := func(context.Context) (string, error) {
		return "", &flexfn.Error{Status: 404, TwilioErrorCode: 20404}
	}
	res := flexfn.ExecuteWithRetry(context.Background(), func(ctx context.Context) (string, error) {
		data, err := fetch(ctx)
		if e, ok := errors.AsType[*flexfn.Error](err); ok && e.Status == 404 {
			return "already gone", nil
		}
		return data, err
	})
	fmt.Println(res.Success, res.Data)
	// Output: true already gone
}

func ExampleResult() {
	refuse := func(context.Context) (int, error) {
		return 0, &flexfn.Error{Status: 400, Message: "Invalid 'To' number", TwilioErrorCode: 21211, TwilioDocPage: "https://www.twilio.com/docs/errors/21211"}
	}
	res := flexfn.ExecuteWithRetry(context.Background(), refuse)
	text, _ := json.Marshal(res)
	fmt.Println(string(text))

	text, _ = json.Marshal(flexfn.ExecuteWithRetry(context.Background(), func(context.Context) (int, error) { return 5, nil }))
	fmt.Println(string(text))
	// Output:
	// {"success":false,"status":400,"message":"Invalid 'To' number","twilioErrorCode":21211,"twilioDocPage":"https://www.twilio.com/docs/errors/21211"}
	// {"success":true,"status":200,"data":5}
}

func ExampleRetryLimit() {
	conflict := func(context.Context) (int, error) { return 0, &flexfn.Error{Status: 412} }
	fmt.Println(flexfn.ExecuteWithRetry(context.Background(), conflict).Attempts)
	fmt.Println(flexfn.ExecuteWithRetry(context.Background(), conflict, flexfn.RetryLimit(1)).Attempts)
	// Output:
	// 6
	// 2
}

func ExampleAttemptTimeout() {
	slow := func(ctx context.Context) (int, error) {
		<-ctx.Done() // as an HTTP request does
		return 0, ctx.Err()
	}
	res := flexfn.ExecuteWithRetry(context.Background(), slow, flexfn.AttemptTimeout(time.Millisecond), flexfn.RetryLimit(0))
	fmt.Println(res.Status, res.Message)
	// Output: 504 the service did not answer in time
}

// A POST that got no answer is not sent again unless the call is Repeatable.
func ExampleRepeatable() {
	lost := func(context.Context) (int, error) {
		return 0, &flexfn.Error{Status: 502, OutcomeUnknown: true, Err: errors.New("connection reset")}
	}
	res := flexfn.ExecuteWithRetry(context.Background(), lost)
	fmt.Println(res.Attempts, res.OutcomeUnknown)

	res = flexfn.ExecuteWithRetry(context.Background(), lost, flexfn.Repeatable(), flexfn.Backoff(0, 0))
	fmt.Println(res.Attempts)
	// Output:
	// 1 true
	// 6
}

func ExampleErrRetryBudget() {
	app, err := flexfn.New(flexfn.Config{
		AccountSID:  "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		AuthToken:   "0123456789abcdef0123456789abcdef",
		Retry:       []flexfn.RetryOption{flexfn.Backoff(0, 0)},
		RetryBudget: 10,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := app.Context(context.Background())
	down := func(context.Context) (int, error) { return 0, &flexfn.Error{Status: 503, Message: "down"} }
	for range 5 {
		res := flexfn.ExecuteWithRetry(ctx, down)
		fmt.Println(res.Attempts, errors.Is(res.Err(), flexfn.ErrRetryBudget))
	}
	// Output:
	// 6 false
	// 6 false
	// 1 true
	// 1 true
	// 1 true
}

func ExampleReadJSON() {
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "30")
		http.Error(w, "too many requests from 10.0.0.7", http.StatusTooManyRequests)
	}))
	defer service.Close()

	_, err := flexfn.ReadJSON[Customer](http.Get(service.URL))
	e, _ := errors.AsType[*flexfn.Error](err)
	fmt.Println(e.Status, e.RetryAfter)
	fmt.Println(e.Message) // for the caller
	fmt.Println(e)         // for the log
	// Output:
	// 429 30s
	// 127.0.0.1 answered with HTTP status 429
	// 429 127.0.0.1 answered with HTTP status 429: body "too many requests from 10.0.0.7\n"
}

func ExampleCheckResponse() {
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "plain text")
	}))
	defer service.Close()

	resp, err := flexfn.CheckResponse(http.Get(service.URL))
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := flexfn.ReadBody(resp)
	fmt.Println(string(text), err)
	// Output: plain text <nil>
}

func ExampleAttempt() {
	service := busyTwice()
	defer service.Close()

	app, err := flexfn.New(flexfn.Config{
		AccountSID: "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		AuthToken:  "0123456789abcdef0123456789abcdef",
		Retry:      []flexfn.RetryOption{flexfn.Backoff(0, 0)},
		OnAttempt: func(_ context.Context, a flexfn.Attempt) {
			fmt.Println(a.Number, a.Method, a.Host, a.Path, a.Status, a.Retried)
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	flexfn.ExecuteWithRetry(app.Context(context.Background()), func(ctx context.Context) (Customer, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, service.URL+"/customers/7", nil)
		if err != nil {
			return Customer{}, err
		}
		return flexfn.ReadJSON[Customer](app.HTTPClient().Do(req))
	})
	// Output:
	// 1 GET 127.0.0.1 /customers/{…} 503 true
	// 2 GET 127.0.0.1 /customers/{…} 503 true
	// 3 GET 127.0.0.1 /customers/{…} 200 false
}

// A POST that is sent through the app's client and gets no answer is not sent
// again, and the result says that it may have happened.
func ExampleApp_HTTPClient() {
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		panic(http.ErrAbortHandler) // closes the connection
	}))
	defer service.Close()

	app, err := flexfn.New(flexfn.Config{
		AccountSID: "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		AuthToken:  "0123456789abcdef0123456789abcdef",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	res := flexfn.ExecuteWithRetry(app.Context(context.Background()), func(ctx context.Context) (Customer, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, service.URL+"/orders", nil)
		if err != nil {
			return Customer{}, err
		}
		return flexfn.ReadJSON[Customer](app.HTTPClient().Do(req))
	})
	fmt.Println(res.Attempts, res.Status, res.OutcomeUnknown)
	fmt.Println(res.Message)
	// Output:
	// 1 502 true
	// 127.0.0.1 closed the connection without an answer; the request was sent, so what it asked for may have happened: check before you try again
}
