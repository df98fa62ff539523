package functions

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/internal/link"
	"github.com/flexfn/flexfn/internal/setting"
	"github.com/flexfn/flexfn/internal/sid"
)

// Config configures the ready-made functions, in addition to the app's own
// configuration. [FromEnv] reads one from the environment. The zero value
// serves every function that does not need a setting of its own. [Config.Add]
// checks it.
//
// # Features
//
// The functions below /features/ are grouped into features, named as in the
// plugin's configuration, with dashes. A feature whose settings are missing is
// off: its functions answer 501 and name what is missing, and [Config.Add] logs
// it once. If Features names such a feature, Add fails instead.
type Config struct {
	_ [0]func()

	// Features selects features by name, such as "park-interaction". Nil turns
	// on every feature that has its settings; an empty list turns off all.
	Features []string
	// Disabled lists the paths of functions that are not served, such as
	// "/common/flex/taskrouter/get-queues". [Config.Add] leaves those paths free
	// for functions of your own.
	Disabled []string

	// ChatServiceSID is Flex's Programmable Chat service, IS and 32 hex
	// digits.
	ChatServiceSID string
	// SyncServiceSID is the Twilio Sync service that holds the agents' lists
	// of parked interactions, IS and 32 hex digits. Without it, interactions
	// can be parked but not listed.
	SyncServiceSID string
	// CallbackWorkflowSID, ChatTransferWorkflowSID and InternalCallWorkflowSID
	// are workflows, WW and 32 hex digits each, for the tasks of callbacks and
	// voicemails, of transfers of chats and conversations, and of calls among
	// agents.
	CallbackWorkflowSID, ChatTransferWorkflowSID, InternalCallWorkflowSID string

	// VideoCodeLength is the length of the names of video rooms, from 7 to
	// 128. Zero is 32.
	VideoCodeLength int
	// VideoCodeTTL is how many minutes an empty video room is kept, from 1 to
	// 60, also before the first participant enters. Zero means 60.
	VideoCodeTTL int
	// VideoRoomType is Twilio's type of video rooms, such as "group"; empty
	// means the account's default.
	VideoRoomType string
	// VideoAllowCreate also gives out tokens for rooms that do not exist: anyone
	// who enters one creates it, at your cost. Leave it off.
	VideoAllowCreate bool
	// VideoRecord records video rooms from the start.
	VideoRecord bool

	// TimeZone is the time zone of the contact centre, which callbacks show to
	// agents: an IANA name such as "Europe/Berlin". Empty is UTC.
	TimeZone string
	// PromptsFile, CannedResponsesFile and SchedulesFile are paths of JSON
	// files: what callers hear in the queue, responses for agents, and opening
	// hours; see docs/features.md. The first two have defaults; the plugin
	// writes the third. All are read at the start; schedules are read again on
	// every request.
	PromptsFile, CannedResponsesFile, SchedulesFile string

	// AssetsDir is a folder with the plugin's pages, pictures and sounds, such
	// as the template's folder assets. Files below its features/ are served to
	// anyone at /features/. flexfn has its own pages for those that the folder
	// lacks. It is read on each request.
	AssetsDir string

	// describing is set while "flexfn gen" describes the functions, which needs
	// no settings.
	describing bool

	faults     []error  // found by FromLookup, reported by Add
	assetsRoot *os.Root // of AssetsDir

	words  prompts
	canned canned
}

func (c *Config) videoCodeLength() int { return cmp.Or(c.VideoCodeLength, 32) }
func (c *Config) videoCodeTTL() int    { return cmp.Or(c.VideoCodeTTL, 60) }
func (c *Config) timeZone() string     { return cmp.Or(c.TimeZone, "UTC") }

// FromEnv reads a Config from the process's environment; see [FromLookup].
func FromEnv() Config { return FromLookup(os.LookupEnv) }

// FromLookup reads a Config from the variables that lookup returns, as
// [os.LookupEnv] does; docs/configuration.md lists them. It never fails:
// [Config.Add] reports every fault in one error.
func FromLookup(lookup func(name string) (string, bool)) Config {
	var c Config
	if v, _ := lookup(link.DescribeVariable); v != "" {
		c.describing = true
	}
	for _, s := range settings {
		if v, ok := lookup(s.name); ok && v != "" {
			if err := s.set(&c, v); err != nil {
				c.faults = append(c.faults, fmt.Errorf("%s: %w", s.name, err))
			}
		}
	}
	return c
}

// Settings lists the variables that [FromEnv] reads. "flexfn doctor" and the
// documentation use it.
func Settings() []setting.Setting {
	list := make([]setting.Setting, len(settings))
	for i, s := range settings {
		list[i] = setting.Setting{Names: []string{s.name}, Doc: s.doc}
	}
	return list
}

// variable is an environment variable: set parses its value, and check checks
// the field even if the program set it.
type variable struct {
	name, doc string
	set       func(*Config, string) error
	check     func(*Config) error
}

// settings is the one list of environment variables.
var settings = []variable{
	{"FLEXFN_FEATURES", "the features of the plugin that are on, such as park-interaction, separated by commas; every one that has its settings when unset, none for none",
		func(c *Config, v string) error { c.Features = splitList(v); return nil }, (*Config).checkFeatures},
	{"FLEXFN_DISABLED_FUNCTIONS", "the paths of ready-made functions that are switched off, separated by commas; none when unset",
		func(c *Config, v string) error { c.Disabled = splitList(v); return nil }, (*Config).checkDisabled},
	sidSetting("TWILIO_FLEX_CHAT_SERVICE_SID", "IS", "the SID of Flex's Programmable Chat service; needed by functions that use Programmable Chat",
		func(c *Config) *string { return &c.ChatServiceSID }),
	sidSetting("TWILIO_FLEX_SYNC_SID", "IS", "the SID of a Twilio Sync service; needed by the lists of parked interactions",
		func(c *Config) *string { return &c.SyncServiceSID }),
	sidSetting("TWILIO_FLEX_CALLBACK_WORKFLOW_SID", "WW", "the SID of the workflow of callbacks and voicemails; needed by callback-and-voicemail",
		func(c *Config) *string { return &c.CallbackWorkflowSID }),
	sidSetting("TWILIO_FLEX_CHAT_TRANSFER_WORKFLOW_SID", "WW", "the SID of the workflow of transferred chats and conversations; needed by chat-transfer and conversation-transfer",
		func(c *Config) *string { return &c.ChatTransferWorkflowSID }),
	sidSetting("TWILIO_FLEX_INTERNAL_CALL_WORKFLOW_SID", "WW", "the SID of the workflow of calls among agents; needed by internal-call",
		func(c *Config) *string { return &c.InternalCallWorkflowSID }),
	wholeNumber("VIDEO_CODE_LENGTH", "letters and digits", 7, 128, "how many letters and digits the name of a video room has, from 7 to 128; 32 when unset",
		func(c *Config) *int { return &c.VideoCodeLength }),
	wholeNumber("VIDEO_CODE_TTL", "minutes", 1, 60, "how many minutes an empty video room stays, from 1 to 60; 60 when unset",
		func(c *Config) *int { return &c.VideoCodeTTL }),
	{"VIDEO_ROOM_TYPE", "the type of video rooms, such as group; the account's default when unset",
		func(c *Config, v string) error { c.VideoRoomType = v; return nil }, nil},
	onOff("VIDEO_ROOM_ALLOW_CREATE", "true gives anyone a token for any video room, which is made at your cost; false when unset",
		func(c *Config) *bool { return &c.VideoAllowCreate }),
	onOff("VIDEO_RECORD_BY_DEFAULT", "true records video rooms from the beginning; false when unset",
		func(c *Config) *bool { return &c.VideoRecord }),
	{"FLEXFN_TIME_ZONE", "the time zone of the contact centre that callbacks tell agents, such as Europe/Berlin; UTC when unset",
		func(c *Config, v string) error { c.TimeZone = v; return nil }, (*Config).checkTimeZone},
	{"FLEXFN_PROMPTS_FILE", "a JSON file with what callers hear in the queue; flexfn's own words when unset",
		func(c *Config, v string) error { c.PromptsFile = v; return nil }, (*Config).loadPrompts},
	{"FLEXFN_CANNED_RESPONSES_FILE", "a JSON file with the texts that agents can send; a few examples when unset",
		func(c *Config, v string) error { c.CannedResponsesFile = v; return nil }, (*Config).loadCanned},
	{"FLEXFN_SCHEDULES_FILE", "a JSON file with the schedules, which the plugin edits and need not exist at first; needed by schedule-manager",
		func(c *Config, v string) error { c.SchedulesFile = v; return nil }, (*Config).checkSchedules},
	{"FLEXFN_ASSETS_DIR", "a folder with the plugin's pages, pictures and sounds, such as the template's assets; pages of flexfn's own when unset",
		func(c *Config, v string) error { c.AssetsDir = v; return nil }, (*Config).openAssets},
}

// wholeNumber returns a setting for a number from least to most. Zero is the
// default, and passes the check.
func wholeNumber(name, unit string, least, most int, doc string, field func(*Config) *int) variable {
	fault := func(v any) error { return fmt.Errorf("%v: write a number of %s from %d to %d", v, unit, least, most) }
	return variable{name, doc,
		func(c *Config, v string) (err error) {
			if *field(c), err = strconv.Atoi(v); err != nil {
				return fault(strconv.Quote(v))
			}
			return nil
		},
		func(c *Config) error {
			if n := *field(c); n != 0 && (n < least || n > most) {
				return fault(n)
			}
			return nil
		},
	}
}

func onOff(name, doc string, field func(*Config) *bool) variable {
	return variable{name, doc, func(c *Config, v string) error {
		*field(c) = v == "true"
		if v != "true" && v != "false" {
			return fmt.Errorf("%q is neither true nor false", v)
		}
		return nil
	}, nil}
}

// sidSetting returns a setting that holds a SID with this prefix.
func sidSetting(name, prefix, doc string, field func(*Config) *string) variable {
	set := func(c *Config, v string) error { *field(c) = v; return nil }
	check := func(c *Config) error {
		if v := *field(c); v != "" && !sid.Valid(v, prefix) {
			return fmt.Errorf("%q is not a SID: write %s", v, sid.Words(prefix))
		}
		return nil
	}
	return variable{name, doc, set, check}
}

func splitList(v string) []string {
	var list []string
	for item := range strings.SplitSeq(v, ",") {
		if item = strings.TrimSpace(item); item != "" {
			list = append(list, item)
		}
	}
	return list
}

// fault returns every fault of c in one error. Every check runs, whether the
// program or the environment set the field. Some checks also read a file into
// c.
func (c *Config) fault() error {
	faults := slices.Clone(c.faults)
	for _, s := range settings {
		if s.check == nil {
			continue
		}
		if err := s.check(c); err != nil {
			faults = append(faults, each(s.name, err))
		}
	}
	return errors.Join(faults...)
}

// checkDisabled refuses paths that switch nothing off, which are probably
// typos.
func (c *Config) checkDisabled() error {
	if len(c.Disabled) == 0 {
		return nil // without making the routes once more
	}
	routes := Routes()
	for _, path := range c.Disabled {
		if !slices.ContainsFunc(routes, func(r flexfn.Route) bool { return r.Path == path }) {
			return fmt.Errorf("%q is not the path of a ready-made function: write it as in %s", path, routes[0].Path)
		}
	}
	return nil
}

// checkFeatures refuses unknown names in Features, which are probably typos.
// The single word none means an empty list, since an empty environment variable
// counts as unset.
func (c *Config) checkFeatures() error {
	var names []string
	for _, f := range features() {
		names = append(names, f.name)
	}
	if len(c.Features) == 1 && c.Features[0] == "none" {
		c.Features = []string{}
	}
	for _, name := range c.Features {
		if !slices.Contains(names, name) {
			return fmt.Errorf("%q is not a feature: the names are %s", name, strings.Join(names, ", "))
		}
	}
	return nil
}

// checkTimeZone also refuses "Local", which would differ from host to host.
func (c *Config) checkTimeZone() error {
	if _, err := time.LoadLocation(c.timeZone()); err != nil || c.TimeZone == "Local" {
		return fmt.Errorf("%q is not a time zone: write one such as Europe/Berlin", c.TimeZone)
	}
	return nil
}

// loadPrompts reads the prompts over the defaults, so that a file needs only
// those that differ. The default menu follows what the file offers.
func (c *Config) loadPrompts() error {
	c.words = defaultPrompts()
	if c.PromptsFile == "" {
		return nil
	}
	menu := c.words.Menu
	err := readFile(c.PromptsFile, &c.words)
	if c.words.Menu == menu {
		c.words.Menu = menuOf(c.words.Offers...)
	}
	return err
}

func (c *Config) loadCanned() error {
	if c.CannedResponsesFile == "" {
		c.canned = defaultCanned()
		return nil
	}
	return readFile(c.CannedResponsesFile, &c.canned)
}

// checkSchedules reads the file only to report what is wrong with it: each
// request reads it again. The file need not exist yet.
func (c *Config) checkSchedules() error {
	if c.SchedulesFile == "" {
		return nil
	}
	_, _, err := c.loadSchedules()
	return err
}
