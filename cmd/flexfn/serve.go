package main

import (
	"context"
	"log/slog"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/functions"
	"github.com/flexfn/flexfn/host"
)

// serveCommand serves the ready-made functions in production. A user's own
// program does the same with package host; it is short on purpose.
type serveCommand struct {
	Addr        string `placeholder:"ADDRESS" help:"Address and port, or unix:PATH, to listen on, instead of what the platform or $$FLEXFN_LISTEN says, or :3001."`
	Healthcheck bool   `help:"Serve nothing: check the health of the server on this machine, and fail if it is not healthy."`
}

// Run serves until ctx ends. At the start it logs each function and who may
// call it. A function that anyone may call is logged as a warning, so that it
// is never open by surprise.
func (s *serveCommand) Run(ctx context.Context, env environment) error {
	// The flag takes precedence over the platform's variable.
	serving := host.FromLookup(env.lookup)
	if s.Addr != "" {
		serving.Listen = s.Addr
	} else if serving.Listen == "" {
		serving.Listen = ":3001"
	}
	if s.Healthcheck {
		return host.Healthcheck(ctx, serving)
	}
	log := slog.New(slog.NewJSONHandler(env.stderr, nil))
	config := flexfn.FromLookup(env.lookup)
	config.Logger = log
	app, err := flexfn.New(config)
	if err != nil {
		return err
	}
	if err := functions.FromLookup(env.lookup).Add(app); err != nil {
		return err
	}
	for _, r := range app.Routes() {
		level := slog.LevelInfo
		if r.Function.Describe().Open {
			level = slog.LevelWarn
		}
		log.Log(ctx, level, "function", "path", r.Path, "for", r.Function.Describe().Access)
	}
	serving.Logger = log
	return host.Serve(ctx, app, serving)
}
