package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/functions"
	"github.com/flexfn/flexfn/internal/dev"
	"github.com/flexfn/flexfn/twiliofake"
)

// devCommand serves functions on the developer's machine; package dev has the
// server.
type devCommand struct {
	Dir   string `arg:"" optional:"" type:"existingdir" help:"Folder of your program (package main), which is rebuilt when a file changes. By default, the program of the module that you are in; outside a module, example functions."`
	Addr  string `default:"127.0.0.1:3001" help:"Address and port to listen on."`
	Env   string `name:"env-dir" type:"existingdir" help:"Folder with .env and .env.local (default: DIR)."`
	State string `type:"path" placeholder:"FILE" help:"Keep the fake Twilio's state in this file from one run to the next."`
	Live  bool   `help:"Use the real Twilio, with your credentials, instead of the fake."`
}

// drainDev is how long running requests may take after ctx ends. It is short,
// because a developer who presses Ctrl-C wants the prompt back.
const drainDev = 2 * time.Second

// Run serves until ctx ends.
//
// Things are opened in the order in which they can fail cheaply: the flags, the
// program, the environment files, the state's lock, the port. They end in the
// reverse order, and the state is saved last, when no request can change it any
// more.
func (d *devCommand) Run(ctx context.Context, env environment) (err error) {
	if d.Live && d.State != "" {
		return usageError{errors.New("--state is for the fake Twilio, which --live does not use")}
	}
	program, why, err := d.program(ctx)
	if err != nil {
		return err
	}
	variables := devVariables{dir: d.envDir(), outer: env.lookup, key: dev.NewKey(), signWith: dev.NewKey(), live: d.Live}
	if err := variables.read(); err != nil {
		return err
	}
	var state *stateFile
	if d.State != "" {
		if state, err = openState(d.State); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, state.close()) }()
	}
	listener, err := listen(ctx, d.Addr)
	if err != nil {
		return err
	}
	variables.base = "http://" + reachable(listener.Addr())
	terminal := dev.NewTerminal(env.stdout, colourful(env))

	// The listener does not accept yet, so it must be closed if anything here
	// fails.
	server, fake, err := d.server(variables, terminal, state)
	if err == nil && program == nil {
		var remove func() error
		if variables.schedules, remove, err = dev.DemoSchedules(); err == nil {
			defer func() { err = errors.Join(err, remove()) }()
			err = serveExamples(server, &variables, slog.New(slog.NewTextHandler(env.stderr, nil)))
		}
	}
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	d.welcome(terminal, listener.Addr(), variables)
	if state != nil && len(fake.Faults()) > 0 {
		terminal.Printf("These faults came back with the state:\n")
		terminal.Faults(fake.Faults())
		terminal.Printf("\n")
	}
	if program == nil {
		terminal.Printf("%s: example functions are served.\n\n", why)
		server.ShowFunctions()
	}

	// The functions outlive ctx until the running requests are answered.
	working, end := context.WithCancel(context.WithoutCancel(ctx))
	var work sync.WaitGroup
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	work.Go(func() { server.Run(ctx) })
	var failed error
	if program != nil {
		program.Output = env.stderr
		program.Env, program.EnvFiles = variables.environ, variables.paths()
		work.Go(func() {
			defer stop()
			if err := server.Develop(working, program); !errors.Is(err, context.Canceled) {
				failed = err
			}
		})
	}
	if fake != nil {
		defer context.AfterFunc(ctx, func() { fake.Close() })() // ends requests that a fault is holding
	}
	keys := keyboard{terminal: terminal, server: server, fake: fake, console: variables.base + dev.ConsolePath, quit: stop}
	defer keys.listen(ctx)()
	err = serveUntil(ctx, listener, server, slog.New(slog.NewTextHandler(env.stderr, nil)), drainDev)
	end()
	stop()
	work.Wait()
	err = errors.Join(err, failed)
	if state != nil {
		err = errors.Join(err, state.save(fake))
	}
	if err == nil {
		terminal.Printf("flexfn dev: ended\n")
	}
	return err
}

// ownModule is flexfn's own module, whose programs are never the user's.
// Without this exception, flexfn dev in a checkout of flexfn would serve flexfn
// itself.
const ownModule = "github.com/flexfn/flexfn"

// program returns the user's program, or nil and the reason why the examples
// are served. Naming a folder that is in no module is an error; without one,
// the examples are served.
func (d *devCommand) program(ctx context.Context) (p *dev.Program, why string, err error) {
	p, err = dev.FindProgram(ctx, cmp.Or(d.Dir, "."))
	switch {
	case d.Dir == "" && p != nil && p.Module == ownModule:
		return nil, "This is flexfn's own source", nil
	case err != nil:
		return nil, "", err
	case d.Dir != "" && p == nil:
		return nil, "", fmt.Errorf("%s is not in a Go module: go mod init makes one", d.Dir)
	case p == nil:
		return nil, "This folder is not in a Go module", nil
	}
	return p, "", nil
}

// envDir returns the folder of .env and .env.local: --env-dir, the program's
// folder or the current one.
func (d *devCommand) envDir() string {
	switch {
	case d.Env != "":
		return d.Env
	case d.Dir != "":
		return d.Dir
	}
	return "."
}

// server returns the dev server and, unless the real Twilio is used, the fake.
//
// With --live the console signs with a token that is made for this run, and the
// functions accept it in addition to the account's: a signature that is shown
// or logged is worthless elsewhere.
func (d *devCommand) server(v devVariables, terminal *dev.Terminal, state *stateFile) (*dev.Server, *twiliofake.Twilio, error) {
	o := dev.Options{Base: v.base, Key: v.key, Terminal: terminal}
	o.PublicURL, _ = v.plain("PUBLIC_URL")
	if origins, _ := v.plain("FLEXFN_ALLOWED_ORIGINS"); origins != "" {
		for origin := range strings.SplitSeq(origins, ",") {
			o.Origins = append(o.Origins, strings.TrimSpace(origin))
		}
	}
	if d.Live {
		config := flexfn.FromLookup(v.lookup)
		if _, err := flexfn.New(config); err != nil {
			return nil, nil, fmt.Errorf("--live needs your account: %w", err)
		}
		// The real auth token must not sign: the signature would be valid in
		// production too.
		o.Account, o.SignWith = config.AccountSID, v.signWith
		o.FlexToken, _ = v.plain("FLEX_TOKEN")
		o.Secrets = append([]string{config.AuthToken, config.APIKeySecret}, config.PreviousAuthTokens...)
		o.Secrets = slices.AppendSeq(o.Secrets, maps.Values(config.SharedKeys))
		return dev.New(o), nil, nil
	}
	fake, err := twiliofake.New(twiliofake.Config{})
	if err != nil {
		return nil, nil, err
	}
	if err := dev.AddDemoState(fake); err != nil {
		return nil, nil, err
	}
	if state != nil {
		if err := state.load(fake); err != nil {
			return nil, nil, err
		}
	}
	o.Fake, o.SignWith = fake, twiliofake.DevelopmentAuthToken
	return dev.New(o), fake, nil
}

// serveExamples serves the example functions and the ready-made ones, in this
// process. What a ready-made function needs comes from the demo state or from
// the developer's environment; without it, the function is left out.
func serveExamples(server *dev.Server, v *devVariables, log *slog.Logger) error {
	config := flexfn.FromLookup(v.lookup)
	config.Logger = log
	app, err := flexfn.New(config)
	if err != nil {
		return err
	}
	dev.AddDemo(app)
	if err := functions.FromLookup(v.lookup).Add(app); err != nil {
		return err
	}
	return server.Serve(app)
}

// welcome prints the address, and who can reach it. --live and an address
// beyond this machine are each warned of in a paragraph of its own, since each
// has consequences that cannot be undone.
func (d *devCommand) welcome(t *dev.Terminal, addr net.Addr, v devVariables) {
	with := "a fake Twilio"
	if d.Live {
		with = "THE REAL TWILIO"
	}
	t.Printf("flexfn dev: serving on %[1]s with %[2]s; Ctrl-C ends it\nConsole: %[1]s%[3]s\nOpenAPI: %[1]s%[3]sopenapi.json\n\n", v.base, with, dev.ConsolePath)
	if d.Live {
		sid, _ := v.plain("ACCOUNT_SID")
		if sid == "" {
			sid, _ = v.plain("TWILIO_ACCOUNT_SID")
		}
		t.Printf("WARNING: --live: the functions call the real Twilio as account %s. Calls are placed, messages sent\nand paid for, tasks and workers of your contact centre changed.\n", sid)
		if to, ok := v.plain("FLEXFN_TWILIO_URL"); ok && to != "" {
			t.Printf("FLEXFN_TWILIO_URL is set: everything meant for Twilio goes to %s.\n", to)
		}
		t.Printf("\n")
	}
	if exposed(addr) {
		t.Printf("WARNING: %s can be reached from other machines. Anyone who reaches it can call every function with the\ndevelopment tokens, see every request in the console, and change Twilio's state: there is no password.\n\n", addr)
	}
}

// exposed reports whether other machines may reach a listener. An address that
// is not TCP counts as private.
func exposed(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && !tcp.IP.IsLoopback()
}

// reachable returns the address at which this machine reaches a listener. A
// listener on all addresses has none of its own, so the loopback address stands
// for it.
func reachable(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return addr.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// colourful reports whether the terminal shows colours. See
// https://no-color.org for NO_COLOR.
func colourful(env environment) bool {
	no, _ := env.lookup("NO_COLOR")
	file, ok := env.stdout.(*os.File)
	return ok && no == "" && isTerminal(file) && !strings.EqualFold(os.Getenv("TERM"), "dumb")
}
