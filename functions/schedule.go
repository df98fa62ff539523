package functions

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/teambition/rrule-go"
)

// schedules says when a contact centre is open. The names are those of the
// template's schedule-manager, so that the plugin can edit the file. Call at
// only after check has passed.
type schedules struct {
	Rules     []scheduleRule `json:"rules"`
	Schedules []schedule     `json:"schedules"`
}

// scheduleRule opens or closes at certain times of certain days, in its
// schedule's time zone.
type scheduleRule struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	IsOpen bool   `json:"isOpen"`
	// ClosedReason is the reason that a flow gets, such as "holiday".
	ClosedReason string `json:"closedReason,omitempty"`
	// DateRRule is a recurrence of days (RFC 5545, section 3.3.10), such as
	// "FREQ=WEEKLY;BYDAY=MO,TU". Empty means every day.
	DateRRule string `json:"dateRRule,omitempty"`
	// StartDate and EndDate are the first and last day, such as 2026-12-24. A
	// recurrence counts from StartDate.
	StartDate string `json:"startDate,omitempty"`
	EndDate   string `json:"endDate,omitempty"`
	// StartTime and EndTime bound the time of day, such as 08:30; EndTime is
	// exclusive. If it is not after StartTime, it is on the next day.
	StartTime string `json:"startTime,omitempty"`
	EndTime   string `json:"endTime,omitempty"`
}

// schedule is one schedule, which flows look up by name.
type schedule struct {
	ID          string   `json:"id,omitempty"`
	Name        string   `json:"name"`
	TimeZone    string   `json:"timeZone"` // IANA, such as Europe/Berlin
	ManualClose bool     `json:"manualClose"`
	Rules       []string `json:"rules"` // their ids
}

// scheduleStatus says whether a schedule is open at a time and, if not, why.
type scheduleStatus struct {
	IsOpen       bool   `json:"isOpen"`
	ClosedReason string `json:"closedReason"`
}

// at returns the status of the schedule with this name; false if there is none.
func (s schedules) at(name string, now time.Time) (scheduleStatus, bool) {
	i := slices.IndexFunc(s.Schedules, func(s schedule) bool { return s.Name == name })
	if i < 0 {
		return scheduleStatus{}, false
	}
	return s.status(s.Schedules[i], now), true
}

// status checks a manual close first, then the rules that close, then those
// that open. The default is closed. So a holiday wins over opening hours,
// whatever the order of the rules. If several rules close, the first one in the
// file gives the reason.
func (s schedules) status(of schedule, now time.Time) scheduleStatus {
	if of.ManualClose {
		return scheduleStatus{ClosedReason: "manual"}
	}
	zone, err := time.LoadLocation(of.TimeZone)
	if err != nil {
		return scheduleStatus{ClosedReason: "error"} // check refuses it
	}
	local := now.In(zone)
	open := false
	for _, rule := range s.Rules {
		if !slices.Contains(of.Rules, rule.ID) || !rule.holds(local) {
			continue
		}
		if !rule.IsOpen {
			return scheduleStatus{ClosedReason: cmp.Or(rule.ClosedReason, "closed")}
		}
		open = true
	}
	if !open {
		return scheduleStatus{ClosedReason: "closed"}
	}
	return scheduleStatus{IsOpen: true}
}

// holds compares wall-clock times, so an hour that daylight saving skips or
// repeats needs no special case. Texts such as 08:30 sort as their times do. A
// rule that runs through midnight belongs to the day on which it begins, so the
// day before decides about the hours after midnight.
func (r scheduleRule) holds(local time.Time) bool {
	today := time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, time.UTC)
	clock := local.Format("15:04")
	if r.EndTime == "" || r.StartTime < r.EndTime {
		return r.StartTime <= clock && (r.EndTime == "" || clock < r.EndTime) && r.on(today)
	}
	// Through midnight.
	return r.StartTime <= clock && r.on(today) || clock < r.EndTime && r.on(today.AddDate(0, 0, -1))
}

// on reports whether the rule applies on day. Both ends are included. A
// recurrence that cannot be evaluated does not apply; check has refused such
// rules.
func (r scheduleRule) on(day time.Time) bool {
	date := day.Format(time.DateOnly)
	if r.StartDate != "" && date < r.StartDate || r.EndDate != "" && date > r.EndDate {
		return false
	}
	if r.DateRRule == "" {
		return true
	}
	recurrence, err := r.recurrence(day)
	return err == nil && len(recurrence.Between(day, day, true)) > 0
}

// recurrence returns the rule's recurrence, in days of UTC. Without a StartDate
// it starts on January 1 shortly before day, unless an interval needs an
// anchor. Starting close to day keeps the search short: the library would go
// through a daily rule from years ago day by day.
func (r scheduleRule) recurrence(day time.Time) (*rrule.RRule, error) {
	option, err := rrule.StrToROption(strings.TrimPrefix(r.DateRRule, "RRULE:"))
	if err != nil {
		return nil, err
	}
	// The library numbers frequencies from yearly to secondly.
	if option.Freq > rrule.DAILY || len(option.Byhour)+len(option.Byminute)+len(option.Bysecond) > 0 {
		return nil, errors.New("it recurs within a day: use startTime and endTime")
	}
	switch {
	case r.StartDate != "":
		option.Dtstart, err = time.Parse(time.DateOnly, r.StartDate)
	// "Every second Monday" means nothing without a Monday to begin with.
	case option.Count > 0 || option.Interval > 1:
		return nil, errors.New("COUNT and INTERVAL count from a day: give the rule a startDate")
	// The library would take the day of the month, or of the week, from a start
	// that the user did not choose.
	case option.Freq != rrule.DAILY && len(option.Byweekday)+len(option.Bymonthday)+len(option.Byyearday)+len(option.Byeaster) == 0:
		return nil, errors.New("it does not say on which days: add BYDAY or the like, or give the rule a startDate")
	default:
		option.Dtstart = time.Date(day.Year(), 1, 1, 0, 0, 0, 0, time.UTC)
	}
	if err != nil {
		return nil, err
	}
	return rrule.NewRRule(*option)
}

// check returns an error for schedules that could not be evaluated. It runs
// when the program starts, on every update, and on every reading of the file,
// which a person may have edited.
func (s schedules) check() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	ids := map[string]bool{}
	for i, r := range s.Rules {
		what := fmt.Sprintf("rule %q", cmp.Or(r.Name, r.ID))
		switch {
		case r.ID == "":
			fault("rule %d has no id", i+1)
		case ids[r.ID]:
			fault("%s: another rule has the id %q", what, r.ID)
		}
		ids[r.ID] = true
		for _, date := range []string{r.StartDate, r.EndDate} {
			if _, err := time.Parse(time.DateOnly, date); date != "" && err != nil {
				fault("%s: %q is not a date: write one such as 2026-12-24", what, date)
			}
		}
		for _, clock := range []string{r.StartTime, r.EndTime} {
			if _, err := time.Parse("15:04", clock); clock != "" && (err != nil || len(clock) != 5) {
				fault("%s: %q is not a time of day: write one such as 08:30", what, clock)
			}
		}
		if r.DateRRule != "" {
			if _, err := r.recurrence(time.Now()); err != nil {
				fault("%s: dateRRule: %w", what, err)
			}
		}
	}
	names := map[string]bool{}
	for i, s := range s.Schedules {
		if s.Name == "" {
			fault("schedule %d has no name", i+1)
		} else if names[s.Name] {
			fault("two schedules have the name %q", s.Name)
		}
		names[s.Name] = true
		if _, err := time.LoadLocation(s.TimeZone); err != nil || s.TimeZone == "" || s.TimeZone == "Local" {
			fault("schedule %q: %q is not a time zone: write one such as Europe/Berlin", s.Name, s.TimeZone)
		}
		for _, id := range s.Rules {
			if !ids[id] {
				fault("schedule %q has the rule %q, which does not exist", s.Name, id)
			}
		}
	}
	return errors.Join(faults...)
}
