package dev

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/flexfn/flexfn/twiliofake"
)

// demoState is added to the fake's development state. It is not part of that
// state, since users' tests begin with that one.
//
//go:embed demo.json
var demoState []byte

// AddDemoState adds to fake what the plugin's features work on: a conversation
// with an agent, a caller who waits, a callback, a call to a colleague, a video
// room and a Sync service. With it, every ready-made function succeeds with the
// values that the console suggests. docs/features.md says how to try each. An
// item that is there already is replaced. It fails if an item refers to one
// that is missing; the fake is then unchanged.
func AddDemoState(fake *twiliofake.Twilio) error {
	var more twiliofake.State
	if err := json.Unmarshal(demoState, &more); err != nil {
		return fmt.Errorf("demo.json: %w", err)
	}
	state := fake.State()
	for kind, items := range more.Resources {
		state.Resources[kind] = append(state.Resources[kind], items...)
	}
	return fake.SetState(state)
}

// demoSchedules are the opening hours of the example functions. They stand in
// for the file that schedule-manager reads in production.
const demoSchedules = `{
  "rules": [{"id": "weekdays", "name": "Weekdays", "isOpen": true, "startTime": "09:00", "endTime": "17:00", "dateRRule": "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"}],
  "schedules": [{"name": "Support", "timeZone": "Europe/Berlin", "rules": ["weekdays"]}]
}
`

// DemoSchedules writes schedules to a file of their own, for schedule-manager.
// remove removes it. The function writes its file when a schedule is edited, so
// it must not be one that ships with flexfn.
func DemoSchedules() (path string, remove func() error, err error) {
	dir, err := os.MkdirTemp("", "flexfn-dev-")
	if err != nil {
		return "", nil, err
	}
	path = filepath.Join(dir, "schedules.json")
	if err := os.WriteFile(path, []byte(demoSchedules), 0o600); err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(dir))
	}
	return path, func() error { return os.RemoveAll(dir) }, nil
}
