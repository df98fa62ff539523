package main

import (
	"context"
	"io"
	"log/slog"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/internal/dev"
	"github.com/flexfn/flexfn/internal/link"
	"github.com/flexfn/flexfn/signature"
)

// TestLiveSignsOnlyForItself checks that requests signed by the console of dev
// --live are accepted by the functions behind it, and refused by any deployment
// of the same account.
func TestLiveSignsOnlyForItself(t *testing.T) {
	const base = "http://127.0.0.1:3001"
	account := map[string]string{"ACCOUNT_SID": "AC11111111111111111111111111111111", "AUTH_TOKEN": "0123456789abcdef0123456789abcdef"}
	outer := func(name string) (string, bool) { v, ok := account[name]; return v, ok }
	v := devVariables{dir: t.TempDir(), outer: outer, base: base, key: dev.NewKey(), signWith: dev.NewKey(), live: true}
	server, _, err := (&devCommand{Live: true}).server(v, dev.NewTerminal(io.Discard, false), nil)
	if err == nil {
		err = serveExamples(server, &v, slog.New(slog.DiscardHandler))
	}
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("POST", base+dev.ConsolePath+"api/call", strings.NewReader(
		`{"path": "/demo/studio/opening-hours", "person": "twilio", "parameters": [{"key": "at", "value": "noon"}], "curl": true}`))
	r.Header.Set("Origin", base)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	server.ServeHTTP(w, r)
	signed := regexp.MustCompile(signature.Header + `: ([\w+/=]+)`).FindStringSubmatch(w.Body.String())
	if signed == nil {
		t.Fatalf("the console answers %d %s", w.Code, w.Body)
	}

	for name, c := range map[string]struct {
		lookup func(string) (string, bool)
		want   int
	}{"the functions of dev --live": {v.lookup, 200}, "a deployment": {outer, 403}} {
		config := flexfn.FromLookup(c.lookup)
		config.Logger, config.PublicURL = slog.New(slog.DiscardHandler), base
		app, err := flexfn.New(config)
		if err != nil {
			t.Fatal(err)
		}
		app.Handle("/demo/studio/opening-hours", flexfn.PrepareStudioFunction(func(context.Context, flexfn.Event) (any, error) { return nil, nil }))
		r := httptest.NewRequest("POST", base+"/demo/studio/opening-hours", strings.NewReader("at=noon"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set(signature.Header, signed[1])
		r.Header.Set(link.KeyHeader, v.key)
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%s: %d %s, want %d", name, w.Code, w.Body, c.want)
		}
	}
}
