package main

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"golang.org/x/term"

	"github.com/flexfn/flexfn/internal/dev"
	"github.com/flexfn/flexfn/twiliofake"
)

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

const keysHelp = "Keys, each with Enter: o opens the console, f lists the faults, l lists the functions, c clears, q ends\n"

// listenToKeys reads the keys of a developer at a terminal. It reads until
// the program ends: nothing can take a read of the terminal back.
func listenToKeys(t *dev.Terminal, server *dev.Server, fake *twiliofake.Twilio, base string, quit context.CancelFunc) {
	if !isTerminal(os.Stdin) {
		return
	}
	t.Printf(keysHelp)
	go func() {
		lines := bufio.NewScanner(os.Stdin)
		for lines.Scan() {
			switch strings.ToLower(strings.TrimSpace(lines.Text())) {
			case "":
			case "o":
				if err := openBrowser(base + dev.ConsolePath); err != nil {
					t.Printf("No browser could be opened: %v. The console is at %s%s\n", err, base, dev.ConsolePath)
				}
			case "f":
				if fake == nil {
					t.Printf("Twilio is real: there are no faults to switch\n")
					continue
				}
				t.Faults(fake.Faults())
			case "l":
				server.ShowFunctions()
			case "c":
				t.Clear()
				server.Clear()
			case "q":
				quit()
				return
			default:
				t.Printf(keysHelp)
			}
		}
	}()
}

// openBrowser opens a page in the developer's browser.
func openBrowser(url string) error {
	name, args := "xdg-open", []string{url}
	switch runtime.GOOS {
	case "darwin":
		name = "open"
	case "windows":
		name, args = "rundll32", []string{"url.dll,FileProtocolHandler", url}
	}
	cmd := exec.Command(name, args...)
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() { _ = cmd.Wait() }()
	return nil
}
