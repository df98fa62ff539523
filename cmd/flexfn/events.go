package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/flexfn/flexfn/internal/dev"
	"github.com/flexfn/flexfn/internal/link"
	"github.com/flexfn/flexfn/internal/twilioevent"
)

// triggerCommand sends events through a running flexfn dev, which knows the
// functions, signs the requests and records them.
type triggerCommand struct {
	Events     []string      `arg:"" optional:"" help:"The events, such as reservation.accepted, and fields that replace the samples', each as Name=value."`
	To         string        `placeholder:"PATH" help:"Path of the function; by default, the one that takes such events."`
	Stream     bool          `help:"Send TaskRouter's events as one batch of Event Streams."`
	Times      int           `default:"1" help:"Send each delivery this many times; Twilio, too, sends some more than once."`
	OutOfOrder bool          `name:"out-of-order" help:"Send the latest event first."`
	Delay      time.Duration `placeholder:"TIME" help:"Wait this long before each delivery, at most 1m."`
	Cut        time.Duration `placeholder:"TIME" help:"Hang up this long after sending, whether or not the function has answered."`
	List       bool          `help:"List the events that can be sent."`
	URL        string        `name:"url" default:"http://127.0.0.1:3001" help:"Address of flexfn dev."`
}

// Help returns the text that --help prints after the flags.
func (c *triggerCommand) Help() string {
	return "All events of one command are about the same task, worker, call and so on, and later ones have later times and versions. Exit codes are those of flexfn call: 4 when a delivery was refused, 5 when one failed or was cut."
}

// Run sends the events. It prints a line for each delivery. A delivery that was
// cut counts as failed (exit code 5), since Twilio would have got no answer.
func (c *triggerCommand) Run(ctx context.Context, env environment) error {
	if c.List {
		for source, types := range twilioevent.Types {
			fmt.Fprintf(env.stdout, "%s:\n  %s\n", source, strings.Join(types, "\n  "))
		}
		return nil
	}
	order := dev.Trigger{Fields: map[string]string{}, Stream: c.Stream, Times: c.Times, OutOfOrder: c.OutOfOrder, Delay: c.Delay, Cut: c.Cut}
	if c.To != "" {
		order.To = "/" + strings.TrimPrefix(c.To, "/")
	}
	for _, word := range c.Events {
		if name, value, ok := strings.Cut(word, "="); ok {
			order.Fields[name] = value
		} else {
			order.Types = append(order.Types, word)
		}
	}
	if len(order.Types) == 0 {
		return usageError{errors.New("name the events to send; --list says which there are")}
	}
	var sent []dev.Triggered
	if err := askDev(ctx, c.URL, http.MethodPost, "trigger", order, &sent); err != nil {
		return err
	}
	worst := 0
	for _, d := range sent {
		fmt.Fprintf(env.stdout, "%d  %s → %s  %.0f ms  %s\n", d.Status, strings.Join(d.Types, ", "), d.Path, d.Duration, strings.Join(d.Keys, ", "))
		if d.Body != "" {
			fmt.Fprintf(env.stdout, "     %s\n", d.Body)
		}
		if len(d.Unheard) > 0 {
			fmt.Fprintf(env.stdout, "     no listener takes %s\n", strings.Join(d.Unheard, ", "))
		}
		// A cut counts as worse than any status that a function can choose.
		if d.Status == 499 { // cut
			d.Status = 599
		}
		worst = max(worst, d.Status)
	}
	switch {
	case worst >= 500:
		return exitFailed
	case worst >= 300:
		return exitRefused
	}
	return nil
}

// eventsCommand works on the ledger of a program's events, through flexfn dev.
type eventsCommand struct {
	Deliveries eventsDeliveries `cmd:"" help:"List the latest deliveries: the event's key, the listener, its tries and the outcome."`
	List       eventsList       `cmd:"" default:"withargs" help:"List the dead letters: events that a listener could not handle."`
	Replay     eventsReplay     `cmd:"" help:"Run the listeners of dead letters again; letters that succeed are deleted."`
	Delete     eventsDelete     `cmd:"" help:"Delete dead letters. Their events are not run again."`
}

// Help returns the text that --help prints after the flags.
func (c *eventsCommand) Help() string {
	return "It asks flexfn dev, which asks your program. With flexfn dev --live and the Store of production, the dead letters are those of production, and your program on this machine runs them again."
}

// devAddress is the flag that all of these commands share.
type devAddress struct {
	URL string `name:"url" default:"http://127.0.0.1:3001" help:"Address of flexfn dev."`
}

// ledger asks flexfn dev for the deliveries and dead letters of the program.
func (a devAddress) ledger(ctx context.Context) (l link.Ledger, err error) {
	err = askDev(ctx, a.URL, http.MethodGet, "deliveries", nil, &l)
	return l, err
}

type eventsDeliveries struct{ devAddress }

// Run lists the deliveries, the newest first. Times are in the local time zone.
func (c *eventsDeliveries) Run(ctx context.Context, env environment) error {
	l, err := c.ledger(ctx)
	if err != nil {
		return err
	}
	if len(l.Deliveries) == 0 {
		fmt.Fprintln(env.stderr, "No deliveries yet. Rebuilding the program discards them.")
	}
	w := tabwriter.NewWriter(env.stdout, 0, 0, 2, ' ', 0)
	for _, d := range l.Deliveries {
		try := "" // the listener did not run
		if d.Try > 0 {
			try = fmt.Sprint("try ", d.Try)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", d.Time.Local().Format(time.TimeOnly), d.Outcome, d.Type, d.Listener, try, d.Key, d.Error)
	}
	return w.Flush()
}

type eventsList struct{ devAddress }

// Run lists the dead letters. If the Store could not be read to its end, the
// letters that were found are printed and the command fails.
func (c *eventsList) Run(ctx context.Context, env environment) error {
	l, err := c.ledger(ctx)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(env.stdout, 0, 0, 2, ' ', 0)
	for _, d := range l.Letters {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", d.ID, d.Time.Local().Format(time.DateTime), d.Type, d.Listener, counted(d.Tries), d.Key, d.Error)
	}
	if len(l.Letters) == 0 && l.Error == "" {
		fmt.Fprintln(env.stderr, "No dead letters.")
	}
	if err := w.Flush(); err != nil || l.Error == "" {
		return err
	}
	return fmt.Errorf("the list is not complete: %s", l.Error)
}

// counted says how often a listener was run.
func counted(tries int) string {
	if tries == 1 {
		return "1 try"
	}
	return fmt.Sprint(tries, " tries")
}

// letters selects the dead letters that a command works on. Neither ids nor
// --all is a mistake, so that replaying everything takes a deliberate word.
type letters struct {
	devAddress
	IDs []string `arg:"" optional:"" name:"id" help:"Ids of the dead letters, or unique prefixes of them; flexfn events lists them."`
	All bool     `help:"All dead letters."`
}

// each sends a request with method for each letter. After a failure, which it
// prints, it continues with the next letter. All ids are looked up before the
// first request, so that a wrong one changes nothing. A prefix must fit exactly
// one letter.
func (c *letters) each(ctx context.Context, env environment, method, done string) error {
	if c.All == (len(c.IDs) > 0) {
		return usageError{errors.New("give the ids of dead letters, or --all")}
	}
	l, err := c.ledger(ctx)
	if err != nil {
		return err
	}
	var chosen []string
	for _, d := range l.Letters {
		if c.All {
			chosen = append(chosen, d.ID)
		}
	}
	for _, id := range c.IDs {
		n := len(chosen)
		for _, d := range l.Letters {
			if strings.HasPrefix(d.ID, id) && !slices.Contains(chosen, d.ID) {
				chosen = append(chosen, d.ID)
			}
		}
		if len(chosen) != n+1 {
			return usageError{fmt.Errorf("%d dead letters begin with %q", len(chosen)-n, id)}
		}
	}
	if len(chosen) == 0 {
		fmt.Fprintln(env.stderr, "No dead letters.")
	}
	failed := 0
	for _, id := range chosen {
		if err := askDev(ctx, c.URL, method, "letters/"+url.PathEscape(id), nil, nil); err != nil {
			failed++
			fmt.Fprintf(env.stderr, "%s: %v\n", id, err)
			continue
		}
		fmt.Fprintf(env.stdout, "%s: %s\n", id, done)
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d failed", failed, len(chosen))
	}
	return nil
}

type eventsReplay struct{ letters }

// Run replays the letters. A listener that fails again keeps its letter.
func (c *eventsReplay) Run(ctx context.Context, env environment) error {
	return c.each(ctx, env, http.MethodPost, "done")
}

type eventsDelete struct{ letters }

// Run deletes the letters, for good.
func (c *eventsDelete) Run(ctx context.Context, env environment) error {
	return c.each(ctx, env, http.MethodDelete, "deleted")
}

// askDev calls the console API of the flexfn dev at base. It sends order as
// JSON, unless that is nil, and decodes the answer into answer. An error has
// the message of flexfn dev or, if something else answers at base, says so.
func askDev(ctx context.Context, base, method, path string, order, answer any) error {
	var body io.Reader
	if order != nil {
		text, err := json.Marshal(order)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(base, "/")+dev.ConsolePath+"api/"+path, body)
	if err != nil {
		return usageError{fmt.Errorf("%q is not an address: %w", base, err)}
	}
	if order != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("no answer from %s: %w; is flexfn dev running?", base, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 32<<20))
	if err != nil {
		return fmt.Errorf("the answer broke off: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		var told struct{ Error string }
		_ = json.Unmarshal(text, &told)
		return errors.New(cmp.Or(told.Error, resp.Status+" from "+base+": is it flexfn dev?"))
	}
	if answer == nil {
		return nil
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("%s does not answer as flexfn dev does: %w", base, err)
	}
	return nil
}
