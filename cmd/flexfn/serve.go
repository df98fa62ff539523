package main

import (
	"context"
	"errors"
	"log/slog"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/functions"
)

type serveCommand struct {
	Addr string `default:":3001" help:"Address and port to listen on (default: ${default}, or the port in $$PORT)."`
}

// Run serves until ctx ends.
func (s *serveCommand) Run(ctx context.Context, env environment) error {
	log := slog.New(slog.NewJSONHandler(env.stderr, nil))
	config := flexfn.FromLookup(env.lookup)
	config.Logger = log
	app, err := flexfn.New(config)
	if err != nil {
		return err
	}
	if err := functions.Add(app); err != nil {
		return err
	}
	for _, r := range app.Routes() {
		level := slog.LevelInfo
		if r.Function.Open() {
			level = slog.LevelWarn
		}
		log.Log(ctx, level, "function", "path", r.Path, "for", r.Function.Access())
	}
	addr := s.Addr
	if port, ok := env.lookup("PORT"); ok && port != "" && addr == ":3001" {
		addr = ":" + port
	}
	listener, err := listen(ctx, addr)
	if err != nil {
		return err
	}
	log.Info("serving", "address", listener.Addr().String())
	err = serveUntil(ctx, listener, app, log, drainTime)
	wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	err = errors.Join(err, app.Wait(wait))
	if err == nil {
		log.Info("ended")
	}
	return err
}
