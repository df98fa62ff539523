package dev

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/flexfn/flexfn"
)

// AddDemo adds example functions to app, one of each kind. "flexfn dev" shows
// them in addition to the ready-made functions. Their handlers call no API, so
// they show what flexfn itself does.
func AddDemo(app *flexfn.App) {
	app.Handle("/demo/greet", flexfn.PrepareFlexFunction(greet,
		flexfn.Doc("Greets someone on behalf of the calling worker.")))
	app.Handle("/demo/announce", flexfn.PrepareFlexFunction(announce,
		flexfn.Roles("supervisor", "admin"),
		flexfn.Doc("Announces something to a team; for supervisors.")))
	app.Handle("/demo/echo", flexfn.PrepareFlexFunction(echo,
		flexfn.Require("message", "what to echo"),
		flexfn.Doc("Sends back every parameter that it gets.")))
	app.Handle("/demo/studio/opening-hours", flexfn.PrepareStudioFunction(openingHours,
		flexfn.Doc("Tells a Studio flow whether the office is open.")))
	addDemoEvents(app)
}

type greetParams struct {
	Name  string `json:"name" purpose:"who to greet" example:"Ada"`
	Times int    `json:"times" doc:"how often; once when absent" example:"2"`
}

// Validate checks what the struct tags cannot express.
func (p greetParams) Validate() error {
	if p.Times < 0 || p.Times > 10 {
		return errors.New("times must be from 0 to 10")
	}
	return nil
}

type greetReply struct {
	Greeting string `json:"greeting"`
	From     string `json:"from"`
}

// greet has a typed input.
func greet(ctx context.Context, in greetParams) (greetReply, error) {
	owner, _ := flexfn.TokenOwner(ctx)
	hello := strings.Repeat("Hello "+in.Name+"! ", max(in.Times, 1))
	return greetReply{Greeting: strings.TrimSpace(hello), From: owner.Identity}, nil
}

type announceParams struct {
	Text string   `json:"text" purpose:"what to announce" example:"Lunch at noon"`
	Team []string `json:"team" doc:"the members; everyone when absent"`
}

type announceReply struct {
	Announced string   `json:"announced"`
	To        []string `json:"to"`
}

// announce is for supervisors and administrators only.
func announce(_ context.Context, in announceParams) (announceReply, error) {
	to := in.Team
	if len(to) == 0 {
		to = []string{"everyone"}
	}
	return announceReply{in.Text, to}, nil
}

// echo is untyped.
func echo(_ context.Context, event flexfn.Event) (map[string]any, error) {
	return map[string]any{"event": event}, nil
}

type openingHoursParams struct {
	At time.Time `json:"at" purpose:"the time of the call, such as {{flow.data.now}}" example:"2026-11-24T10:30:00Z"`
}

type openingHoursReply struct {
	Open    bool   `json:"open"`
	Weekday string `json:"weekday"`
}

// openingHours is called by a Studio flow, which branches on the answer.
func openingHours(_ context.Context, in openingHoursParams) (openingHoursReply, error) {
	day, hour := in.At.Weekday(), in.At.Hour()
	open := day != time.Saturday && day != time.Sunday && hour >= 9 && hour < 17
	return openingHoursReply{Open: open, Weekday: day.String()}, nil
}
