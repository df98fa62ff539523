package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/flexfn/flexfn/internal/dev"
	"github.com/flexfn/flexfn/twiliofake"
)

func TestKeys(t *testing.T) {
	fake, err := twiliofake.New(twiliofake.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := fake.SetFaults(twiliofake.Fault{Name: "busy", Times: 3, Status: 429}); err != nil {
		t.Fatal(err)
	}
	var shown bytes.Buffer
	terminal := dev.NewTerminal(&shown, false)
	ended := 0
	k := keyboard{terminal: terminal, server: dev.New(dev.Options{Terminal: terminal, Fake: fake}), fake: fake, quit: func() { ended++ }}
	for keys, want := range map[string]string{
		"h":      "Keys: o opens the console",
		"?":      "Keys: o opens the console",
		"F":      `on, struck 0 of 3: {"name":"busy"`,
		"l":      "No functions yet.",
		"\r":     "\n",
		"\x1b[A": "", // an arrow
		"c":      "", // without colours the screen cannot be cleared
	} {
		shown.Reset()
		k.pressed([]byte(keys))
		if got := shown.String(); !strings.HasPrefix(got, want) || (want == "" || want == "\n") && got != want {
			t.Errorf("%q shows %q, want %q", keys, got, want)
		}
	}
	shown.Reset()
	k.enter = ", each with Enter"
	k.pressed([]byte("h\nq\nl\n"))
	if got := shown.String(); strings.Count(got, "each with Enter") != 1 || strings.Contains(got, "No functions") || ended != 1 {
		t.Errorf("lines show %q and end it %d times", got, ended)
	}
	k.fake = nil
	k.pressed([]byte("f"))
	if got := shown.String(); !strings.Contains(got, "Twilio is real") {
		t.Errorf("with the real Twilio faults are %q", got)
	}
}
