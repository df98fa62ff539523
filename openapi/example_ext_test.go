package openapi_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/openapi"
)

type greetParams struct {
	Name string `json:"name" purpose:"whom to greet"`
}

type greetReply struct {
	Greeting string `json:"greeting"`
}

func Example() {
	greet := flexfn.PrepareFlexFunction(func(_ context.Context, in greetParams) (greetReply, error) {
		return greetReply{"Hello " + in.Name}, nil
	})
	document, err := openapi.Document([]flexfn.Route{{Path: "/flex/greet", Function: greet}}, openapi.Info{Title: "Greetings"})
	if err != nil {
		log.Fatal(err)
	}
	for line := range strings.Lines(string(document)) {
		if strings.Contains(line, "operationId") || strings.Contains(line, "whom") {
			fmt.Print(strings.TrimSpace(line), "\n")
		}
	}
	// Output:
	// "operationId": "flexGreet",
	// "description": "whom to greet",
}
