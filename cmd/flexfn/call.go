package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/flexfn/flexfn/internal/dev"
)

// callCommand makes one request to a function. It is also for scripts, so the
// answer's body alone goes to standard output, and the exit code tells a
// refusal from a failure.
type callCommand struct {
	Path       string   `arg:"" help:"The function's path, such as /demo/greet."`
	Parameters []string `arg:"" optional:"" help:"Parameters, each as key=value."`
	URL        string   `name:"url" default:"http://127.0.0.1:3001" help:"Base URL of the functions."`
	As         string   `xor:"who" placeholder:"PERSON" help:"Call as this development person: ${people}. By default, as someone who may call the function, or as Twilio if it is for Twilio; flexfn dev knows which."`
	Token      string   `xor:"who" help:"Call with this Flex token; by default $$FLEX_TOKEN, if no other flag says who calls."`
	Twilio     bool     `xor:"who" help:"Call as Twilio does for Studio: sign the request."`
	AuthToken  string   `name:"auth-token" default:"${authtoken}" help:"With --twilio, the auth token to sign with; by default flexfn dev's."`
	PublicURL  string   `name:"public-url" help:"With --twilio, the base URL that Twilio would call, if it differs from --url."`
	JSON       bool     `name:"json" help:"Send JSON instead of a form."`
}

// Help returns the text that --help prints after the flags.
func (c *callCommand) Help() string {
	return "The answer's body goes to standard output, its status to standard error. Exit codes: 0 for a success, 4 when the function refused the request (an answer of 300 to 499), 5 when it failed (500 and above), 1 when no answer came, 2 for a mistake on the command line."
}

// Exit codes of a call that was answered, but without success: the function
// refused the request (an answer from 300 to 499), or it failed. They are apart
// so that a script can tell its own mistake from a broken function.
const (
	exitRefused exitCode = 4
	exitFailed  exitCode = 5
)

// Run calls once. It fails unless the answer is a success. It waits 30 seconds
// at most and reads at most 32 MiB. JSON is indented for the reader.
func (c *callCommand) Run(ctx context.Context, env environment) error {
	base := strings.TrimSuffix(c.URL, "/")
	c.Path = "/" + strings.TrimPrefix(c.Path, "/")
	call := dev.Call{Address: base + c.Path, JSON: c.JSON}
	for _, p := range c.Parameters {
		key, value, ok := strings.Cut(p, "=")
		if !ok || key == "" {
			return usageError{fmt.Errorf("the parameter %q is not of the form key=value", p)}
		}
		call.Parameters = append(call.Parameters, dev.Pair{Key: key, Value: value})
	}
	if err := c.identify(ctx, env, base, &call); err != nil {
		return err
	}
	req, err := call.Request(ctx)
	if err != nil {
		return usageError{fmt.Errorf("%q is not an address: %w", call.Address, err)}
	}
	client := &http.Client{Timeout: 30 * time.Second}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("no answer from %s: %w; is it running? flexfn dev starts it", c.URL, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 32<<20))
	if err != nil {
		return fmt.Errorf("the answer broke off: %w", err)
	}
	var pretty bytes.Buffer
	if json.Indent(&pretty, text, "", "  ") == nil {
		text = pretty.Bytes()
	}
	fmt.Fprintln(env.stderr, resp.Status)
	fmt.Fprintf(env.stdout, "%s\n", bytes.TrimRight(text, "\n"))
	switch {
	case resp.StatusCode >= 500:
		return exitFailed
	case resp.StatusCode >= 300:
		return exitRefused
	}
	return nil
}

// identify decides who makes the call. If the command line does not say, it
// asks the server at base, since flexfn dev knows who may call the function.
//
// Flags decide first. FLEX_TOKEN is not used for a function that Twilio calls,
// or that anyone may call.
func (c *callCommand) identify(ctx context.Context, env environment, base string, call *dev.Call) error {
	person, token := c.As, c.Token
	if c.Twilio {
		person = dev.Twilio
	}
	// Only flexfn dev answers this; another server gives "".
	if person == "" && token == "" {
		person = dev.Suitable(ctx, base, c.Path)
		if person != dev.Twilio && person != dev.Nobody {
			token, _ = env.lookup("FLEX_TOKEN")
			person = cmp.Or(person, "agent")
		}
	}
	switch {
	case token != "":
		call.Token = token
	case person == dev.Twilio:
		call.SignWith = c.AuthToken
		if c.PublicURL != "" {
			call.Public = strings.TrimSuffix(c.PublicURL, "/") + c.Path
		}
	case person == dev.Nobody:
	default:
		known := dev.People()
		i := slices.IndexFunc(known, func(p dev.Person) bool { return p.Name == person })
		if i < 0 {
			return usageError{fmt.Errorf("unknown person %q: choose one of %s, or give a --token", person, people())}
		}
		call.Token = known[i].Token
	}
	return nil
}

// people lists the persons other than Twilio that --as can name. It comes from
// package dev, so the help cannot name a person who does not exist.
func people() string {
	var names []string
	for _, p := range dev.People() {
		names = append(names, p.Name)
	}
	return strings.Join(append(names, dev.Nobody), ", ")
}
