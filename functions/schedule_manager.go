package functions

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/internal/conflict"
)

// scheduleManager keeps schedules in the file in FLEXFN_SCHEDULES_FILE.
// Administrators edit them in the plugin, and flows ask for their status.
//
// The version of the file is a hash of its bytes. An update names the version
// that it is based on, and is refused with 409 if the file has changed since.
// It replaces the whole file and takes effect at once, so the plugin's build
// and publish steps have nothing left to do. Instances that write the
// file need a common Store, in which they take turns; any number may read it.
// The paths are the template's, which lie outside /features/. Anyone with a
// worker's token can list the schedules; changing them takes the role admin.
//
// The template's add-on has a sixth function, admin/fetch-config. Its
// deployment script alone calls it, with the account's API key and secret in
// the address, to save the schedules from being overwritten by the next build.
// There is no build here, so it is not served.
func scheduleManager(c *Config) []flexfn.Route {
	return []flexfn.Route{
		{Path: "/check-schedule", Function: flexfn.PrepareStudioFunction(c.checkSchedule, flexfn.Doc("Checks whether a schedule is open."))},
		{Path: "/admin/list", Function: flexfn.PrepareFlexFunction(c.listSchedules, flexfn.Doc("Lists the schedules and whether they are open."))},
		{Path: "/admin/update", Function: flexfn.PrepareFlexFunction(c.updateSchedules, flexfn.Roles("admin"), flexfn.Doc("Replaces the schedules."))},
		{Path: "/admin/update-status", Function: flexfn.PrepareFlexFunction(c.schedulesBuilt, flexfn.Roles("admin"), flexfn.Doc("Checks whether an update of the schedules is complete."))},
		{Path: "/admin/publish", Function: flexfn.PrepareFlexFunction(c.publishSchedules, flexfn.Roles("admin"), flexfn.Doc("Confirms an update of the schedules; 409 if they have changed since."))},
	}
}

// loadSchedules rereads the file, since another program may have written it. A
// file that does not exist is an empty one with the version "0". Any other
// failure is an error, and never "closed" or "open". The hash is cut to 64
// bits: it tells versions apart, and guards nothing.
func (c *Config) loadSchedules() (s schedules, version string, err error) {
	text, err := os.ReadFile(c.SchedulesFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return schedules{}, "0", nil // before the first update
	case err != nil:
		return schedules{}, "", fmt.Errorf("the schedules: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&s); err != nil {
		return schedules{}, "", fmt.Errorf("the schedules in %s: %w", c.SchedulesFile, err)
	}
	sum := sha256.Sum256(text)
	return s, hex.EncodeToString(sum[:8]), each("the schedules in "+c.SchedulesFile, s.check())
}

type checkScheduleParams struct {
	Name     string   `json:"name" purpose:"name of the schedule to check" example:"Support"`
	Simulate optional `json:"simulate" doc:"the time to ask for, such as 2026-12-24T12:00, in the schedule's time zone unless it has one; now when left out" example:"2026-12-24T12:00"`
}

// checkSchedule answers 404 for an unknown name, with a body that says open,
// since a flow that ignores the status must not turn callers away. It fails
// only if the file cannot be read (500), or simulate is not a time (400).
func (c *Config) checkSchedule(_ context.Context, in checkScheduleParams) (*flexfn.Response, error) {
	all, _, err := c.loadSchedules()
	if err != nil {
		return nil, err
	}
	now := time.Now()
	if in.Simulate != "" {
		if now, err = all.simulated(in.Name, string(in.Simulate)); err != nil {
			return nil, err
		}
	}
	status, found := all.at(in.Name, now)
	if !found {
		return &flexfn.Response{Status: http.StatusNotFound, Body: struct {
			scheduleStatus
			Message string `json:"message"`
		}{scheduleStatus{IsOpen: true, ClosedReason: "error"}, "There is no schedule of this name"}}, nil
	}
	return &flexfn.Response{Body: status}, nil
}

// simulated parses a time. A time without a zone is in the schedule's, or in
// UTC if the schedule is unknown, which the caller answers with 404 anyway.
func (s schedules) simulated(name, text string) (time.Time, error) {
	zone := time.UTC
	for _, each := range s.Schedules {
		if each.Name == name {
			if z, err := time.LoadLocation(each.TimeZone); err == nil {
				zone = z
			}
		}
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04"} {
		if t, err := time.ParseInLocation(layout, text, zone); err == nil {
			return t, nil
		}
	}
	return time.Time{}, flexfn.Errorf(http.StatusBadRequest, "simulate is not a time: write one such as 2026-12-24T12:00")
}

type listedSchedule struct {
	schedule
	Status scheduleStatus `json:"status"`
}

// schedulesReply has the plugin's fields. Deployed is always true, since the
// file is always in effect.
type schedulesReply struct {
	Data struct {
		Rules     []scheduleRule   `json:"rules"`
		Schedules []listedSchedule `json:"schedules"`
	} `json:"data"`
	Version  string `json:"version"`
	Deployed bool   `json:"versionIsDeployed"`
}

// listSchedules copies the rules, so that a file without any is [] and not null
// in JSON.
func (c *Config) listSchedules(context.Context, struct{}) (schedulesReply, error) {
	all, version, err := c.loadSchedules()
	if err != nil {
		return schedulesReply{}, err
	}
	reply := schedulesReply{Version: version, Deployed: true}
	reply.Data.Rules, reply.Data.Schedules = append([]scheduleRule{}, all.Rules...), []listedSchedule{}
	for _, s := range all.Schedules {
		reply.Data.Schedules = append(reply.Data.Schedules, listedSchedule{s, all.status(s, time.Now())})
	}
	return reply, nil
}

type updateSchedulesParams struct {
	Data    schedules `json:"data" purpose:"the rules and schedules" example:"{\"rules\":[],\"schedules\":[]}"`
	Version string    `json:"version" purpose:"the version that they were made from" example:"0"`
}

// Validate implements [flexfn.Validator]. If there is a fault, nothing is
// written, and the answer is a 400 that lists every fault.
func (p updateSchedulesParams) Validate() error {
	err := p.Data.check()
	if p.Data.Rules == nil || p.Data.Schedules == nil {
		// What is left out would be deleted, and that is hardly meant.
		return errors.Join(errors.New("data needs both lists, rules and schedules: send an empty one to delete all"), err)
	}
	return err
}

// buildReply gives the file's version as the build that the plugin then asks
// about.
type buildReply struct {
	Build string `json:"buildSid"`
}

// updateSchedules replaces the schedules, if the file still has the version
// that the update is based on. It reads the file again after writing, since the
// version is of the bytes as they are stored.
func (c *Config) updateSchedules(ctx context.Context, in updateSchedulesParams) (buildReply, error) {
	done, err := conflict.TakeShared(ctx, "the schedules")
	if err != nil {
		return buildReply{}, err
	}
	defer done()
	_, version, err := c.loadSchedules()
	if err != nil {
		return buildReply{}, err
	}
	if version != in.Version {
		return buildReply{}, flexfn.Errorf(http.StatusConflict, "Someone else has changed the schedules: load them again")
	}
	if err := c.storeSchedules(in.Data); err != nil {
		return buildReply{}, err
	}
	_, version, err = c.loadSchedules()
	return buildReply{version}, err
}

// storeSchedules replaces the file atomically, so that readers see either the
// old or the new one. The new file is written in the same folder, and so on the
// same file system, and is synced before it is renamed. After a crash one of
// the two is there, complete. Like any temporary file, only the program's user
// can read it.
func (c *Config) storeSchedules(s schedules) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(c.SchedulesFile), ".schedules-*")
	if err != nil {
		return fmt.Errorf("the schedules cannot be stored: %w", err)
	}
	_, err = file.Write(append(text, '\n'))
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), c.SchedulesFile)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("the schedules cannot be stored: %w", err), os.Remove(file.Name()))
	}
	return nil
}

type buildParams struct {
	Build string `json:"buildSid" purpose:"the update to ask for" example:"0"`
}

type buildStatusReply struct {
	Status string `json:"buildStatus"` // completed, or failed when another update came after it
}

// schedulesBuilt answers the plugin, which waits for a build. There are no
// builds here: an update is complete, or another one has replaced it.
func (c *Config) schedulesBuilt(_ context.Context, in buildParams) (buildStatusReply, error) {
	_, version, err := c.loadSchedules()
	if err != nil {
		return buildStatusReply{}, err
	}
	if version != in.Build {
		return buildStatusReply{"failed"}, nil
	}
	return buildStatusReply{"completed"}, nil
}

type publishReply struct {
	Deployment string `json:"deploymentSid"`
}

// publishSchedules answers the plugin's last step, which changes nothing here.
// It fails with 409 if another update has come in between, so that users learn
// that their version is not in effect.
func (c *Config) publishSchedules(_ context.Context, in buildParams) (publishReply, error) {
	_, version, err := c.loadSchedules()
	if err != nil {
		return publishReply{}, err
	}
	if version != in.Build {
		return publishReply{}, flexfn.Errorf(http.StatusConflict, "Someone else has changed the schedules: load them again")
	}
	return publishReply{version}, nil
}
