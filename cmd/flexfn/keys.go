package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"

	"golang.org/x/term"

	"github.com/flexfn/flexfn/internal/dev"
	"github.com/flexfn/flexfn/twiliofake"
)

// isTerminal reports whether f is a terminal rather than a file, a pipe or a CI
// log.
func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// keysHelp is printed at the start and for every key that does nothing.
const keysHelp = "Keys%s: o opens the console, f lists the faults, l the functions, c clears, h helps, q ends\n"

// errNotInFront means that flexfn dev runs in the background of a shell, as
// with "&".
var errNotInFront = errors.New("another program has the terminal")

// keyboard runs the actions of keys that the developer presses in the terminal.
type keyboard struct {
	terminal *dev.Terminal
	server   *dev.Server
	fake     *twiliofake.Twilio // nil if the real Twilio is used
	console  string
	quit     context.CancelFunc
	enter    string // what to add when each key needs Enter
}

// listen reads keys until ctx ends. The terminal is restored when ctx ends or
// restore is called, whichever comes first. Without a terminal, listen does
// nothing. Its goroutine lives as long as the program, since a read from a
// terminal cannot be cancelled. If the terminal cannot be switched to single
// keys, the same keys work with Enter.
func (k *keyboard) listen(ctx context.Context) (restore func()) {
	restore = func() {}
	if !isTerminal(os.Stdin) {
		return restore
	}
	back, err := singleKeys(os.Stdin)
	switch {
	case errors.Is(err, errNotInFront):
		return restore
	case err != nil:
		k.enter = ", each with Enter"
	default:
		// Restore the terminal as soon as ctx ends, so that a second Ctrl-C
		// ends the program at once.
		stop := context.AfterFunc(ctx, back)
		restore = func() { stop(); back() }
	}
	k.terminal.Printf(keysHelp, k.enter)
	go func() {
		chunk := make([]byte, 64)
		for {
			n, err := os.Stdin.Read(chunk)
			if err != nil {
				return
			}
			k.pressed(chunk[:n])
		}
	}()
	return restore
}

// pressed runs the actions of keys. It ignores arrows and the like, which
// arrive as several bytes that begin with Escape. Case does not matter.
func (k *keyboard) pressed(keys []byte) {
	if bytes.HasPrefix(keys, []byte{0x1b}) {
		return
	}
	for _, key := range bytes.ToLower(keys) {
		switch key {
		case '\r', '\n':
			if k.enter == "" {
				k.terminal.Printf("\n") // an empty line, as Enter gives in a shell
			}
		case 'o':
			k.terminal.Printf("Opening %s\n", k.console)
			openBrowser(k.console, func(err error) { k.terminal.Printf("Cannot open a browser: %v\n", err) })
		case 'f':
			if k.fake == nil {
				k.terminal.Printf("Twilio is real, so there are no faults to switch\n")
				continue
			}
			k.terminal.Faults(k.fake.Faults())
		case 'l':
			k.server.ShowFunctions()
		case 'c':
			k.terminal.Clear()
			k.server.Clear()
		case 'q':
			k.quit()
			return
		default:
			k.terminal.Printf(keysHelp, k.enter)
		}
	}
}

// openBrowser opens url in the developer's browser, without waiting for it.
// failed may be called later, on another goroutine. It runs the system's own
// opener, which knows the browser that is set.
func openBrowser(url string, failed func(error)) {
	name, args := "xdg-open", []string{url}
	switch runtime.GOOS {
	case "darwin":
		name = "open"
	case "windows":
		name, args = "rundll32", []string{"url.dll,FileProtocolHandler", url}
	}
	go func() {
		if err := exec.Command(name, args...).Run(); err != nil {
			failed(err)
		}
	}()
}
