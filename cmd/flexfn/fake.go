package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/flexfn/flexfn/twiliofake"
)

type fakeCommand struct {
	Addr  string `default:"127.0.0.1:3002" help:"Address and port to listen on (default: ${default})."`
	State string `type:"existingfile" placeholder:"FILE" help:"State to begin with, as GET ${control}state gives it; a small contact centre when absent."`
	Save  string `type:"path" placeholder:"FILE" help:"Where to write the state at the end."`
}

// Run serves until ctx ends.
func (f *fakeCommand) Run(ctx context.Context, env environment) error {
	fake, err := twiliofake.New(twiliofake.Config{})
	if err != nil {
		return err
	}
	if f.State != "" {
		file, err := os.Open(f.State)
		if err != nil {
			return err
		}
		if err = errors.Join(fake.Load(file), file.Close()); err != nil {
			return fmt.Errorf("%s: %w", f.State, err)
		}
	}
	listener, err := listen(ctx, f.Addr)
	if err != nil {
		return err
	}
	base := "http://" + reachable(listener.Addr())
	fmt.Fprintf(env.stdout, `flexfn fake: a fake Twilio on %[1]s; Ctrl-C ends it

FLEXFN_TWILIO_URL=%[1]s
ACCOUNT_SID=%[2]s
AUTH_TOKEN=%[3]s
TWILIO_FLEX_WORKSPACE_SID=%[4]s

Its state, faults and request log are under %[1]s%[5]s
`, base, twiliofake.DevelopmentAccountSID, twiliofake.DevelopmentAuthToken, twiliofake.DevelopmentWorkspaceSID, twiliofake.ControlPath)
	log := slog.New(slog.NewTextHandler(env.stderr, nil))
	stop := context.AfterFunc(ctx, func() { fake.Close() }) // ends requests that a fault holds
	defer stop()
	err = serveUntil(ctx, listener, fake, log, time.Second)
	if f.Save != "" {
		err = errors.Join(err, saveState(fake, f.Save))
	}
	return err
}

func saveState(fake *twiliofake.Twilio, path string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(fake.Save(file), file.Close())
}
