// Command flexfn develops, serves and calls flexfn functions.
//
//	flexfn dev            serves the functions of a module with a fake Twilio, rebuilt at each change
//	flexfn serve          serves the ready-made functions in production
//	flexfn call PATH      calls a function, as a Flex user or as Twilio
//	flexfn trigger EVENT  sends an event to the functions of flexfn dev, as Twilio does
//	flexfn events         lists, replays and deletes events that could not be handled
//	flexfn fake           runs the fake Twilio alone
//	flexfn new app        starts a project; new function adds to one
//	flexfn gen ts         writes a TypeScript client; gen openapi an OpenAPI document
//	flexfn doctor         checks the settings as a server would have them, and
//	                      with --migrate the features of a Flex plugin that they serve
//	flexfn version        prints the version
//
// Run any of them with --help for its flags. The exit code is 0 for success, 1
// for a failure (for doctor: something to fix; for gen --check: a stale file)
// and 2 for a mistake on the command line; "flexfn call" has more.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/flexfn/flexfn/host"
	"github.com/flexfn/flexfn/twiliofake"
)

// main runs the command until it ends or a signal asks it to. The first signal
// ends the context, and every command then finishes what it has begun; a second
// one ends the process. SIGHUP counts too, since closing a terminal should not
// leave a server behind.
func main() {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // under nohup it is ignored
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	context.AfterFunc(ctx, stop) // a second signal ends it at once
	os.Exit(run(ctx, os.Args[1:], environment{os.LookupEnv, os.Stdout, os.Stderr}))
}

// environment holds what the commands use of the outside world, so that tests
// can replace it. It leaves out standard input, which only flexfn dev reads,
// for keys; tests have no terminal.
type environment struct {
	lookup         func(name string) (string, bool)
	stdout, stderr io.Writer
}

// commands is the command line, as kong reads it from the tags. A command has a
// Run method that gets what it needs by type; see the bindings in run.
type commands struct {
	Dev     devCommand `cmd:"" help:"Serve the functions on this machine, with a fake Twilio: no account needed."`
	serving `embed:""`
	Call    callCommand    `cmd:"" help:"Call a function, as a Flex user or as Twilio."`
	Trigger triggerCommand `cmd:"" help:"Send events to the functions of flexfn dev as Twilio does: signed; twice, late, out of order or cut on request."`
	Events  eventsCommand  `cmd:"" help:"List, replay and delete the events that could not be handled, and list the latest deliveries."`
	Fake    fakeCommand    `cmd:"" help:"Run the fake Twilio alone."`
	New     newCommand     `cmd:"" help:"Start a project, or add a function to one. Nothing is ever overwritten."`
	Doctor  doctorCommand  `cmd:"" help:"Check the settings as a server would see them, and say what to fix."`
	Gen     genCommand     `cmd:"" help:"Generate an OpenAPI document or a TypeScript client from the functions' Go types."`

	Version     versionCommand   `cmd:"" help:"Print the version."`
	VersionFlag kong.VersionFlag `name:"version" help:"Print the version."`
}

// serving is the part of the command line that flexfn serve needs: reading all
// of it takes several times as long, at each start.
type serving struct {
	Serve serveCommand `cmd:"" help:"Serve the functions in production, configured by the environment."`
}

// grammar returns the part of the command line that args need.
func grammar(args []string) any {
	if len(args) > 0 && args[0] == "serve" {
		return &struct {
			serving     `embed:""`
			VersionFlag kong.VersionFlag `name:"version" help:"Print the version."`
		}{}
	}
	return new(commands)
}

type versionCommand struct{}

func (versionCommand) Run(env environment) error {
	_, err := fmt.Fprintln(env.stdout, version())
	return err
}

// version returns the module's version, as go install and go tool record it. A
// build from a working copy has the pseudo-version or (devel) that the go
// command gave it.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "flexfn (unknown version)"
	}
	return "flexfn " + cmp.Or(info.Main.Version, "(devel)")
}

// Exit codes other than 0: usage for mistakes on the command line,
// [host.ExitCutOff] for requests cut off at the end, and failure for everything
// else. They are part of the interface: scripts and CI branch on them, so a
// code that exists never changes its meaning.
const (
	exitFailure = host.ExitFailed
	exitUsage   = 2
)

// run is the whole program. It returns the exit code.
//
// It can be called more than once in a process, as tests do: it changes no
// global state and does not exit. Messages go to env.stderr and begin with
// "flexfn:".
func run(ctx context.Context, args []string, env environment) (code int) {
	// kong calls os.Exit unless told otherwise, which would end a test.
	type exit int // what kong asks for after printing help
	defer func() {
		switch e := recover().(type) {
		case nil:
		case exit:
			code = int(e)
		default:
			panic(e)
		}
	}()
	parser, err := kong.New(grammar(args),
		kong.Name("flexfn"),
		kong.Description("Backend functions for Twilio Flex plugins and Studio flows."),
		kong.UsageOnError(),
		kong.Writers(env.stdout, env.stderr),
		kong.Exit(func(code int) { panic(exit(code)) }),
		kong.Vars{"control": twiliofake.ControlPath, "authtoken": twiliofake.DevelopmentAuthToken, "people": people(), "version": version()},
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(env),
	)
	if err != nil {
		fmt.Fprintln(env.stderr, "flexfn:", err)
		return exitFailure
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	command, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(env.stderr, "flexfn: %v\nTry: flexfn --help\n", err)
		return exitUsage
	}
	err = command.Run()
	if code, ok := errors.AsType[exitCode](err); ok {
		return int(code)
	}
	if err != nil {
		fmt.Fprintln(env.stderr, "flexfn:", err)
		if _, ok := errors.AsType[usageError](err); ok {
			return exitUsage
		}
		return host.ExitCode(err)
	}
	return 0
}

// usageError is a mistake on the command line that the parser cannot see but
// the command can. Its exit code is that of usage. A message of this type tells
// the user what to type instead.
type usageError struct{ error }

// exitCode makes the command exit with this code, without a message. The
// command has already printed its own.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }
