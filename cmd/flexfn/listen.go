package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/flexfn/flexfn/host"
)

// serveUntil serves on listener until ctx ends. Running requests then have at
// most drain to finish.
func serveUntil(ctx context.Context, listener net.Listener, handler http.Handler, log *slog.Logger, drain time.Duration) error {
	return host.Serve(ctx, handler, host.Config{Listener: listener, Logger: slog.New(warnings{log.Handler()}), Drain: drain})
}

// warnings drops the info lines of package host: the commands print the address
// themselves. Warnings and errors pass, to standard error.
type warnings struct{ slog.Handler }

func (warnings) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

// listen opens a TCP port before anything else is started, so that a port in
// use is reported before anything else. The error says which flag to change.
func listen(ctx context.Context, addr string) (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w; choose another with --addr", addr, err)
	}
	return listener, nil
}
