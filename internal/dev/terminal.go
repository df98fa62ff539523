package dev

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/flexfn/flexfn/internal/link"
	"github.com/flexfn/flexfn/twiliofake"
)

// A Terminal prints what happens for the developer. It is safe for concurrent
// use; each method writes whole lines. Requests, builds and keys print at the
// same time, and their lines must not mix.
type Terminal struct {
	mu     sync.Mutex
	out    io.Writer
	colour bool
}

// NewTerminal returns a terminal that writes to out, in colour if colour is
// true.
func NewTerminal(out io.Writer, colour bool) *Terminal { return &Terminal{out: out, colour: colour} }

type colour string

const (
	red    colour = "31"
	green  colour = "32"
	yellow colour = "33"
	grey   colour = "90"
	bold   colour = "1"
)

// paint colours s, if the terminal shows colours.
func (t *Terminal) paint(c colour, s string) string {
	if !t.colour {
		return s
	}
	return "\x1b[" + string(c) + "m" + s + "\x1b[0m"
}

// Printf prints as fmt.Printf does; format should end with a line break.
func (t *Terminal) Printf(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintf(t.out, format, args...)
}

// Clear clears the screen, if the terminal has colours. It clears what can be
// scrolled back to, too.
func (t *Terminal) Clear() {
	if t.colour {
		t.Printf("\x1b[H\x1b[2J\x1b[3J")
	}
}

// functions prints the table of functions, with who may call each and a command
// that does. Functions that anyone may call are marked. With the real Twilio
// there is no command for a call, since a token would be in it.
func (t *Terminal) functions(list []Function, base string, fake bool) {
	var b strings.Builder
	if len(list) == 0 {
		b.WriteString("No functions yet.\n")
	}
	for _, f := range list {
		access := f.Access
		if f.Open {
			access = t.paint(yellow, access)
		}
		fmt.Fprintf(&b, "%s\n    for %s\n", t.paint(bold, f.Path), access)
		if f.Doc != "" {
			fmt.Fprintf(&b, "    %s\n", f.Doc)
		}
		switch {
		case f.Source == link.JobSource:
		case f.Source != "": // Twilio sends more than the parameters
			fmt.Fprintf(&b, "    %s\n", t.paint(grey, triggerCommand(f, base)))
		case fake:
			fmt.Fprintf(&b, "    %s\n", t.paint(grey, Sample(f, base).Curl()))
		}
		b.WriteString("\n")
	}
	t.Printf("%s", b.String())
}

// request prints a line for a request and, below it, what went wrong. It leaves
// out the query, which can hold a token. Attempts are listed only if something
// went wrong or was retried, so a success is one line.
func (t *Terminal) request(e *Entry) {
	var b strings.Builder
	c := green
	switch {
	case e.Status >= 500:
		c = red
	case e.Status >= 400:
		c = yellow
	}
	fmt.Fprintf(&b, "%s %-7s %s %s %s", t.paint(grey, e.Time.Format(time.TimeOnly)), printable(e.Method), printable(e.Path),
		t.paint(c, fmt.Sprint(e.Status)), rounded(time.Duration(e.Duration*float64(time.Millisecond))))
	switch e.Attempts {
	case 0:
	case 1:
		b.WriteString(" 1 attempt")
	default:
		fmt.Fprintf(&b, " %d attempts", e.Attempts)
	}
	switch e.Retries {
	case 0:
	case 1:
		b.WriteString(", " + t.paint(yellow, "1 retry"))
	default:
		b.WriteString(", " + t.paint(yellow, fmt.Sprintf("%d retries", e.Retries)))
	}
	for _, s := range []string{readable(e.Caller), e.RequestID} {
		if s != "" {
			b.WriteString(" " + t.paint(grey, printable(s)))
		}
	}
	b.WriteString("\n")
	if e.Status >= 400 {
		var said struct{ Message string }
		_ = json.Unmarshal([]byte(e.Answer.Body), &said)
		why := said.Message
		if e.Status >= 500 && e.Trace != nil && e.Trace.Error != "" {
			why = e.Trace.Error // more than the caller was told
		}
		t.detail(&b, why)
	}
	if e.Trace != nil && (e.Status >= 400 || e.Retries > 0) {
		for _, a := range e.Trace.Attempts {
			t.detail(&b, attemptLine(a))
		}
	}
	t.Printf("%s", b.String())
}

// detail adds lines that are indented below the request's.
func (t *Terminal) detail(b *strings.Builder, s string) {
	for line := range strings.Lines(printable(s)) {
		fmt.Fprintf(b, "         %s\n", t.paint(grey, strings.TrimRight(line, "\n")))
	}
}

// readable decodes a Twilio identity: _40 is @. What only looks like an escape
// is decoded as well; this is for reading.
func readable(identity string) string {
	return escaped().ReplaceAllStringFunc(identity, func(s string) string {
		b, _ := hex.DecodeString(s[1:]) // two hex digits
		return string(b)
	})
}

var escaped = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile("_[0-9A-F]{2}") })

// printable removes control characters, which could move the cursor: strangers
// choose some of the text. A caller could otherwise forge lines of the log or
// hide some.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '?'
		}
		return r
	}, s)
}

// attemptLine describes an attempt in one line. Times are those of the attempt
// itself, then of the wait after it.
func attemptLine(a link.Attempt) string {
	s := fmt.Sprintf("attempt %d:", a.Number)
	if a.Method != "" {
		s += fmt.Sprintf(" %s %s%s", a.Method, a.Host, a.Path)
	}
	switch {
	case a.Status != 0:
		s += fmt.Sprintf(" %d", a.Status)
	case a.Error != "":
		s += " " + a.Error
	}
	s += " " + rounded(a.End-a.Start).String()
	switch {
	case a.Wait > 0:
		s += ", then waited " + rounded(a.Wait).String()
	case a.Retried:
		s += ", then again at once"
	}
	return s
}

// rounded rounds a time to what is worth reading: milliseconds, or hundredths
// of one if it is short.
func rounded(d time.Duration) time.Duration {
	if d > 100*time.Millisecond {
		return d.Round(time.Millisecond)
	}
	return d.Round(10 * time.Microsecond)
}

// Faults prints the rules in force. Each is shown as the JSON that the control
// API takes, so that it can be copied.
func (t *Terminal) Faults(rules []twiliofake.Fault) {
	if len(rules) == 0 {
		t.Printf("No faults: Twilio behaves.\n")
	}
	for _, f := range rules {
		on, struck := t.paint(yellow, "on"), fmt.Sprintf("struck %d", f.Struck)
		if f.Times > 0 {
			struck += fmt.Sprintf(" of %d", f.Times)
		}
		if f.Spent() {
			on = t.paint(grey, "spent")
		}
		text, _ := json.Marshal(f)
		t.Printf("%s, %s: %s\n", on, struck, t.paint(grey, string(text)))
	}
}
