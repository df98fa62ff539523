package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/flexfn/flexfn/internal/link"
	"github.com/flexfn/flexfn/twiliofake"
)

// devVariables are the environment variables that the functions see in
// development. The environment wins over .env.local, which wins over .env.
// Unless the real Twilio is used, the fake's account and public address replace
// any that are set there.
//
// The fake's account replaces the real one so that a developer whose .env has
// production's credentials cannot reach production by leaving out a flag. Only
// --live does that.
type devVariables struct {
	dir   string // the folder of .env and .env.local
	outer func(string) (string, bool)
	base  string // the dev server's URL
	key   string // see package link
	live  bool
	// describe, if not empty, makes the program describe its functions and do
	// nothing else. Variables that are set nowhere else then come from
	// .env.example.
	describe string
	// schedules is the file of the example functions' schedules, if it is not
	// empty.
	schedules string
	// signWith is an auth token made for this run. The console signs with it if
	// the real Twilio is used.
	signWith string

	files map[string]string
}

// read reads the files again. A missing file counts as an empty one. If there
// is an error, the values that were read before stay.
func (v *devVariables) read() error {
	files := map[string]string{}
	for _, path := range v.paths() {
		vars, err := readEnvFile(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return err
		}
		for key, value := range vars {
			files[key] = value
		}
	}
	v.files = files
	return nil
}

// paths returns the files; later ones win. They are absolute, since the watcher
// follows them whatever the current folder is.
func (v *devVariables) paths() []string {
	dir, err := filepath.Abs(v.dir)
	if err != nil {
		dir = v.dir
	}
	paths := []string{filepath.Join(dir, ".env"), filepath.Join(dir, ".env.local")}
	if v.describe != "" {
		paths = append([]string{filepath.Join(dir, ".env.example")}, paths...)
	}
	return paths
}

// plain looks up a variable without the fake's values. It is for settings of
// flexfn dev itself, such as the address of a tunnel.
func (v *devVariables) plain(name string) (string, bool) {
	if value, ok := v.outer(name); ok {
		return value, true
	}
	value, ok := v.files[name]
	return value, ok
}

// hidden lists the variables that are ignored when the fake is used. Each would
// contradict the fake's account: other credentials, keys that other instances
// share, or an address that the console's signatures are not made for.
var hidden = []string{
	"TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "FLEXFN_PREVIOUS_AUTH_TOKENS", "FLEXFN_SHARED_KEYS", "PUBLIC_URL",
	"FLEXFN_ADDED_PATH_PREFIX", "FLEXFN_TRUSTED_PROXIES",
}

// set returns the variables that override the environment. With --live they add
// to the user's settings; with the fake they replace them.
func (v *devVariables) set() map[string]string {
	if v.live {
		previous, _ := v.plain("FLEXFN_PREVIOUS_AUTH_TOKENS")
		return map[string]string{
			link.KeyVariable:              v.key,
			"FLEXFN_PREVIOUS_AUTH_TOKENS": strings.TrimPrefix(previous+","+v.signWith, ","),
		}
	}
	set := map[string]string{
		"ACCOUNT_SID":                  twiliofake.DevelopmentAccountSID,
		"AUTH_TOKEN":                   twiliofake.DevelopmentAuthToken,
		"TWILIO_FLEX_WORKSPACE_SID":    twiliofake.DevelopmentWorkspaceSID,
		"TWILIO_FLEX_CHAT_SERVICE_SID": twiliofake.DevelopmentChatServiceSID,
		"FLEXFN_TWILIO_URL":            v.base,
		link.KeyVariable:               v.key,

		// The settings that the plugin's features need; dev.AddDemoState adds
		// what they refer to.
		"TWILIO_API_KEY":                         "SK00000000000000000000000000000001",
		"TWILIO_API_SECRET":                      "development",
		"TWILIO_FLEX_SYNC_SID":                   "IS00000000000000000000000000000001",
		"TWILIO_FLEX_CALLBACK_WORKFLOW_SID":      "WW00000000000000000000000000000001",
		"TWILIO_FLEX_CHAT_TRANSFER_WORKFLOW_SID": "WW00000000000000000000000000000001",
		"TWILIO_FLEX_INTERNAL_CALL_WORKFLOW_SID": "WW00000000000000000000000000000001",
	}
	// A description names no server but the one in its query.
	if v.describe == "" {
		set["PUBLIC_URL"] = v.base
	}
	if _, users := v.plain("FLEXFN_SCHEDULES_FILE"); !users && v.schedules != "" {
		set["FLEXFN_SCHEDULES_FILE"] = v.schedules
	}
	if v.describe != "" {
		set[link.DescribeVariable] = v.describe
	}
	return set
}

// lookup looks up a variable for flexfn.FromLookup. It is the same environment
// as that of environ, for an app in this process.
func (v *devVariables) lookup(name string) (string, bool) {
	if value, ok := v.set()[name]; ok {
		return value, true
	}
	if !v.live && slices.Contains(hidden, name) {
		return "", false
	}
	return v.plain(name)
}

// environ reads the files again and returns the whole environment of a program.
//
// PORT is left out, because the dev server chooses it; see package dev. The
// list is sorted, so equal settings give an equal environment.
func (v *devVariables) environ() ([]string, error) {
	if err := v.read(); err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		names[name] = true
	}
	for name := range v.files {
		names[name] = true
	}
	for name := range v.set() {
		names[name] = true
	}
	delete(names, "PORT")
	var list []string
	for name := range names {
		if value, ok := v.lookup(name); ok {
			list = append(list, name+"="+value)
		}
	}
	slices.Sort(list)
	return list, nil
}
