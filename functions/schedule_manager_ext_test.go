package functions_test

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/flexfn/flexfn/flexfntest"
	"github.com/flexfn/flexfn/functions"
)

const officeHours = `{
	"rules": [
		{"id": "week", "name": "weekdays", "isOpen": true, "dateRRule": "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", "startTime": "08:30", "endTime": "17:00"},
		{"id": "night", "name": "nights", "isOpen": true, "dateRRule": "FREQ=WEEKLY;BYDAY=SA", "startTime": "22:00", "endTime": "03:00"},
		{"id": "xmas", "name": "Christmas", "isOpen": false, "closedReason": "holiday", "dateRRule": "FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=25"},
		{"id": "other", "name": "every second Monday", "isOpen": true, "startDate": "2026-01-05", "dateRRule": "FREQ=WEEKLY;INTERVAL=2"}
	],
	"schedules": [
		{"name": "Support", "timeZone": "Europe/Berlin", "rules": ["week", "night", "xmas"]},
		{"name": "New York", "timeZone": "America/New_York", "rules": ["week"]},
		{"name": "Biweekly", "timeZone": "UTC", "rules": ["other"]},
		{"name": "Closed", "timeZone": "UTC", "manualClose": true, "rules": ["week"]}
	]
}`

func newScheduleApp(t *testing.T) *flexfntest.App {
	t.Helper()
	app := newAppWith(t, functions.Config{SchedulesFile: filepath.Join(t.TempDir(), "schedules.json")})
	app.CallFlex(flexfntest.Admin, "/admin/update", params{"data": officeHours, "version": "0"}).OK()
	return app
}

// TestSchedules evaluates recurrences and time zones. Berlin's clocks go
// forward on 2026-03-29 at 01:00 UTC and back on 2026-10-25 at 01:00 UTC, New
// York's on 2026-03-08 at 07:00 UTC and 2026-11-01 at 06:00 UTC.
func TestSchedules(t *testing.T) {
	app := newScheduleApp(t)
	for _, c := range []struct {
		name, at, reason string // open without a reason
	}{
		{"Support", "2026-11-24T08:29", "closed"},
		{"Support", "2026-11-24T08:30", ""},
		{"Support", "2026-11-24T16:59", ""},
		{"Support", "2026-11-24T17:00", "closed"},
		{"Support", "2026-11-22T12:00", "closed"}, // a Sunday
		{"Support", "2026-12-25T12:00", "holiday"},

		// The same time of day, an hour apart in UTC.
		{"Support", "2026-03-27T07:30:00Z", ""},
		{"Support", "2026-03-27T07:29:00Z", "closed"},
		{"Support", "2026-03-30T06:30:00Z", ""},
		{"Support", "2026-03-30T06:29:00Z", "closed"},
		{"New York", "2026-03-06T13:30:00Z", ""},
		{"New York", "2026-03-09T12:30:00Z", ""},
		{"New York", "2026-03-09T12:29:00Z", "closed"},
		{"New York", "2026-11-02T13:30:00Z", ""},
		{"New York", "2026-11-02T13:29:00Z", "closed"},

		// Nights that are an hour shorter and an hour longer.
		{"Support", "2026-03-29T00:59:00Z", ""},       // 01:59
		{"Support", "2026-03-29T01:00:00Z", "closed"}, // 03:00: 02:00 does not exist
		{"Support", "2026-10-25T00:30:00Z", ""},       // 02:30, the first time
		{"Support", "2026-10-25T01:30:00Z", ""},       // 02:30, the second time
		{"Support", "2026-10-25T02:00:00Z", "closed"}, // 03:00
		{"Support", "2026-11-21T23:00", ""},
		{"Support", "2026-11-22T23:00", "closed"},

		{"Biweekly", "2026-01-05T12:00", ""},
		{"Biweekly", "2026-01-12T12:00", "closed"},
		{"Biweekly", "2026-01-19T12:00", ""},
		{"Closed", "2026-11-24T12:00", "manual"},
	} {
		answer := app.CallStudio("/check-schedule", params{"name": c.name, "simulate": c.at}).OK()
		if open, reason := answer.Field("isOpen"), answer.Field("closedReason"); open != (c.reason == "") || reason != c.reason {
			t.Errorf("%s at %s: open %v for the reason %q, want %q", c.name, c.at, open, reason, c.reason)
		}
	}

	unknown := app.CallStudio("/check-schedule", params{"name": "Sales"})
	if unknown.Status != 404 || unknown.Field("isOpen") != true || unknown.Field("closedReason") != "error" {
		t.Errorf("an unknown schedule: %d %s", unknown.Status, unknown.Body)
	}
	app.CallStudio("/check-schedule", params{"name": "Support", "simulate": "noon"}).Refused(400, "simulate is not a time")
}

// TestStaleSchedules: if two people edit the same version, the second one to
// save gets 409.
func TestStaleSchedules(t *testing.T) {
	app := newScheduleApp(t)
	version := app.CallFlex(flexfntest.Agent, "/admin/list", nil).OK().Field("version")
	app.CallFlex(flexfntest.Admin, "/admin/update", params{"data": officeHours, "version": "0"}).Refused(409, "load them again")

	var changed map[string]any
	if err := json.Unmarshal([]byte(officeHours), &changed); err != nil {
		t.Fatal(err)
	}
	changed["schedules"] = []any{}
	text, err := json.Marshal(changed)
	if err != nil {
		t.Fatal(err)
	}
	build := app.CallFlex(flexfntest.Admin, "/admin/update", params{"data": string(text), "version": version}).OK().Field("buildSid")
	if status := app.CallFlex(flexfntest.Admin, "/admin/update-status", params{"buildSid": build}).OK().Field("buildStatus"); status != "completed" {
		t.Errorf("the update is %v", status)
	}
	app.CallFlex(flexfntest.Admin, "/admin/publish", params{"buildSid": build}).OK()
	app.CallFlex(flexfntest.Admin, "/admin/publish", params{"buildSid": version}).Refused(409, "")
	app.CallFlex(flexfntest.Admin, "/admin/update", params{"data": officeHours, "version": version}).Refused(409, "load them again")
}

// TestFaultySchedules: an update that could not be evaluated is refused as a
// whole, and the answer names every fault.
func TestFaultySchedules(t *testing.T) {
	app := newScheduleApp(t)
	version := app.CallFlex(flexfntest.Agent, "/admin/list", nil).OK().Field("version")
	for data, want := range map[string]string{
		`{"rules":[{"id":"a","dateRRule":"FREQ=SOMETIMES"}]}`:               "dateRRule",
		`{"rules":[{"id":"a","dateRRule":"FREQ=HOURLY"}]}`:                  "startTime and endTime",
		`{"rules":[{"id":"a","dateRRule":"FREQ=WEEKLY"}]}`:                  "give the rule a startDate",
		`{"rules":[{"id":"a","dateRRule":"FREQ=DAILY;COUNT=3"}]}`:           "give the rule a startDate",
		`{"rules":[{"id":"a","startTime":"8:30"}]}`:                         "is not a time of day",
		`{"rules":[{"id":"a","startDate":"24.12.2026"}]}`:                   "is not a date",
		`{"schedules":[{"name":"S","timeZone":"Mars/Olympus","rules":[]}]}`: "is not a time zone",
		`{"schedules":[{"name":"S","timeZone":"UTC","rules":["none"]}]}`:    "does not exist",
		`{"rules":[]}`: "data needs both lists",
		`null`:         "data needs both lists",
		`{"rules":[{"id":"a"},{"id":"a"}],"schedules":[{"timeZone":"UTC"}]}`: "has no name",
	} {
		app.CallFlex(flexfntest.Admin, "/admin/update", params{"data": data, "version": version}).Refused(400, want)
	}
}
