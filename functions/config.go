package functions

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/internal/setting"
)

// Config is what the ready-made functions need beyond the app's own
// configuration. [FromEnv] fills one from the environment. The zero value
// serves every function that needs no setting of its own.
type Config struct {
	_ [0]func()

	// Disabled lists what does not answer: functions by path, such as
	// "/common/flex/taskrouter/get-queues". [Config.Add] leaves them free for
	// functions of your own.
	Disabled []string
	// ChatServiceSID is Flex's Programmable Chat service, IS and 32 hex
	// digits.
	ChatServiceSID string

	faults []error // found by FromLookup, reported by Add
}

// FromEnv reads a Config from the process's environment; see [FromLookup].
func FromEnv() Config { return FromLookup(os.LookupEnv) }

// FromLookup reads a Config from the variables that lookup knows, which
// docs/configuration.md lists. [Config.Add] reports everything that is wrong
// with them at once.
func FromLookup(lookup func(name string) (string, bool)) Config {
	var c Config
	for _, s := range settings {
		if v, ok := lookup(s.name); ok && v != "" {
			if err := s.set(&c, v); err != nil {
				c.faults = append(c.faults, fmt.Errorf("%s: %w", s.name, err))
			}
		}
	}
	return c
}

// Settings lists the variables that [FromEnv] reads.
func Settings() []setting.Setting {
	list := make([]setting.Setting, len(settings))
	for i, s := range settings {
		list[i] = setting.Setting{Names: []string{s.name}, Doc: s.doc}
	}
	return list
}

// setting is an environment variable: set parses its value, check looks at the
// field wherever it came from.
type variable struct {
	name, doc string
	set       func(*Config, string) error
	check     func(*Config) error
}

// settings is the one list of environment variables.
var settings = []variable{
	{"FLEXFN_DISABLED_FUNCTIONS", "the paths of ready-made functions that are switched off, separated by commas; none when unset",
		func(c *Config, v string) error { c.Disabled = splitList(v); return nil }, (*Config).checkDisabled},
	sid("TWILIO_FLEX_CHAT_SERVICE_SID", "IS", "the SID of Flex's Programmable Chat service; needed by functions that use Programmable Chat",
		func(c *Config) *string { return &c.ChatServiceSID }),
}

// sid is a setting that holds a SID with this prefix.
func sid(name, prefix, doc string, field func(*Config) *string) variable {
	set := func(c *Config, v string) error { *field(c) = v; return nil }
	check := func(c *Config) error {
		if v := *field(c); v != "" && !flexfn.ValidSID(v, prefix) {
			return fmt.Errorf("%q is not a SID: write %s and 32 hex digits", v, prefix)
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

// fault joins everything that is wrong with c.
func (c *Config) fault() error {
	faults := slices.Clone(c.faults)
	for _, s := range settings {
		if err := s.check(c); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", s.name, err))
		}
	}
	return errors.Join(faults...)
}

func (c *Config) checkDisabled() error {
	routes := Routes()
	for _, path := range c.Disabled {
		if !slices.ContainsFunc(routes, func(r flexfn.Route) bool { return r.Path == path }) {
			return fmt.Errorf("%q is not the path of a ready-made function: write it as in %s", path, routes[0].Path)
		}
	}
	return nil
}
