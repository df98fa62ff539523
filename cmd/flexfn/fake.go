package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/flexfn/flexfn/internal/dev"
	"github.com/flexfn/flexfn/twiliofake"
)

// fakeCommand serves a twiliofake.Twilio for programs in any language. The
// first lines of its output can be pasted into a .env file.
type fakeCommand struct {
	Addr  string `default:"127.0.0.1:3002" help:"Address and port to listen on."`
	State string `type:"existingfile" placeholder:"FILE" help:"Initial state, as GET ${control}state returns it; by default a small contact centre."`
	Save  string `type:"path" placeholder:"FILE" help:"Write the state to this file at the end."`
}

// Run serves until ctx ends. The state is saved after the last request has
// ended, even if serving failed. The file is locked from the start, so that an
// unwritable file is reported before an hour of work, not after it.
func (f *fakeCommand) Run(ctx context.Context, env environment) (err error) {
	fake, err := twiliofake.New(twiliofake.Config{})
	if err != nil {
		return err
	}
	if f.State != "" {
		if err := loadState(fake, f.State); err != nil {
			return err
		}
	}
	var save *stateFile
	if f.Save != "" {
		if save, err = openState(f.Save); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, save.close()) }()
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
	if faults := fake.Faults(); len(faults) > 0 {
		fmt.Fprintf(env.stdout, "\nThese faults came with the state:\n")
		dev.NewTerminal(env.stdout, false).Faults(faults)
	}
	if exposed(listener.Addr()) {
		fmt.Fprintf(env.stdout, "\nWARNING: %s can be reached from other machines. Anyone who reaches it can read and change its state and\nsee every request with its contents: there is no password.\n", listener.Addr())
	}
	log := slog.New(slog.NewTextHandler(env.stderr, nil))
	stop := context.AfterFunc(ctx, func() { fake.Close() }) // ends requests that a fault is holding
	defer stop()
	err = serveUntil(ctx, listener, fake, log, time.Second)
	if save != nil {
		err = errors.Join(err, save.save(fake))
	}
	return err
}
