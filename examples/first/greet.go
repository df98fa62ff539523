package main

import (
	"context"
	"strings"

	"github.com/flexfn/flexfn"
)

type greetParams struct {
	Name  string `json:"name" purpose:"who to greet"`
	Times int    `json:"times" doc:"how often; once when absent"`
}

type greetReply struct {
	Greeting string `json:"greeting"`
	From     string `json:"from"`
}

var greet = flexfn.PrepareFlexFunction(func(ctx context.Context, in greetParams) (greetReply, error) {
	owner, _ := flexfn.TokenOwner(ctx)
	hello := strings.Repeat("Hello "+in.Name+"! ", max(in.Times, 1))
	return greetReply{Greeting: strings.TrimSpace(hello), From: owner.Identity}, nil
}, flexfn.Doc("Greets someone on behalf of the calling worker."))
