// Command eventbus passes TaskRouter's events to a CRM, a wallboard and a data
// warehouse, answers assignment callbacks, and calls customers back a day
// later. Run it with flexfn dev, which has a Queue in memory; in production
// give its Config a Store and a Queue.
package main

import (
	"context"
	"log"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/host"
)

func main() {
	config := flexfn.FromEnv()
	app, err := flexfn.New(config)
	if err != nil {
		log.Fatal(err)
	}
	say := func(where string) func(context.Context, string, string) error {
		return func(ctx context.Context, key, what string) error {
			flexfn.Logger(ctx).Info(where, "key", key, "what", what)
			return nil
		}
	}
	s := systems{say("crm"), say("wallboard"), say("warehouse"), func(ctx context.Context, _ string) error { return say("call")(ctx, "", "") }}
	app.Handle("/events/taskrouter", bus(s))
	app.Handle("/events/assignment", assign)
	app.Handle("/flex/call-me-tomorrow", callMeTomorrow)
	app.Handle("/jobs/remind", remind(s))
	if config.WorkspaceSID != "" {
		ctx, stop := context.WithCancel(context.Background())
		defer stop()
		go keepUp(ctx, app)
	}
	host.Main(app)
}
