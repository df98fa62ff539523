package openapi_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/openapi"
	"github.com/flexfn/flexfn/twiliofake"
)

type greetParams struct {
	Name string `json:"name" purpose:"who to greet"`
}

type greetReply struct {
	Greeting string `json:"greeting"`
}

func Example() {
	greet := flexfn.PrepareFlexFunction(func(_ context.Context, in greetParams) (greetReply, error) {
		return greetReply{"Hello " + in.Name}, nil
	})
	document, err := openapi.Document([]openapi.Function{flexfn.Route{Path: "/flex/greet", Function: greet}.Describe()}, openapi.Info{Title: "Greetings"})
	if err != nil {
		log.Fatal(err)
	}
	for line := range strings.Lines(string(document)) {
		if strings.Contains(line, "operationId") || strings.Contains(line, "who to") {
			fmt.Print(strings.TrimSpace(line), "\n")
		}
	}
	// Output:
	// "operationId": "flexGreet",
	// "description": "who to greet",
}

// In development an app can serve its document. In production that would tell
// strangers what the app can do.
func ExampleHandler() {
	app, err := flexfn.New(flexfn.Config{AccountSID: twiliofake.DevelopmentAccountSID, AuthToken: twiliofake.DevelopmentAuthToken})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", app)
	mux.Handle("GET /openapi.json", openapi.Handler(app, openapi.Info{}))

	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest("GET", "/openapi.json", nil))
	fmt.Println(w.Code, w.Header().Get("Content-Type"))
	// Output: 200 application/json
}
