// Package functions has the ready-made functions of Twilio's Flex project
// template, with the same paths, parameters and answers, so that a plugin made
// for the template works unchanged. [Add] registers them all.
//
// They call Twilio with the app's account. A Flex function requires a worker's
// Flex token, as the template does, but does not check whether a task, call or
// conference is that worker's own: any worker may change any of them. If that is
// too much, write your own function instead.
//
// They need the app's setting TWILIO_FLEX_WORKSPACE_SID (for tasks, queues and
// workers), and the settings in [Config]. A common function whose setting is
// missing fails and names it. A feature whose settings are missing is off.
//
// A function with several steps finishes, undoes its steps, or says which of
// them were done, so that no customer is lost midway. Parking stores how to
// return before the agent leaves, a callback exists before the caller leaves
// the queue, and a transfer's invite is stored before the agent leaves. Someone
// who calls by telephone always gets TwiML with a next step. A create whose
// outcome is unknown is neither repeated nor reported as done.
//
//	app, err := flexfn.New(flexfn.FromEnv())
//	…
//	if err := functions.Add(app); err != nil {
//		log.Fatal(err)
//	}
//
// # Answers
//
// The variables of this package, such as [HoldParticipant], are the template's
// common functions. Their descriptions name the path, and the field of the
// answer that holds the result. The fields of resources are named as in
// Twilio's Node.js library. If Twilio refuses a request, the answer has
// Twilio's status, message and code. The console, and the document that "flexfn
// gen openapi" prints, list the parameters.
//
// To change one function, disable it and register your own at its path:
//
//	config := functions.FromEnv()
//	config.Disabled = append(config.Disabled, "/common/flex/taskrouter/get-queues")
//	err := config.Add(app)
//	…
//	app.Handle("/common/flex/taskrouter/get-queues", myQueues)
package functions

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/twilioapi"
)

// Routes lists the ready-made functions at the template's paths, which plugins
// call. Use it for documentation, or to serve functions at other paths. These
// functions lack the settings of a [Config]; only [Config.Add] serves them with
// settings.
//
// It returns a new list each time. It includes features whose settings are
// missing.
func Routes() []flexfn.Route {
	c := new(Config)
	list := c.common()
	for _, f := range features() {
		list = append(list, f.all(c)...)
	}
	return list
}

// common lists the common functions. Only those that need a Config's settings
// are methods; the others are variables, so that a program can serve them at
// other paths.
func (c *Config) common() []flexfn.Route {
	const flex = "/common/flex/"
	return []flexfn.Route{
		{Path: flex + "conversations/update-attributes", Function: UpdateConversationAttributes},
		{Path: flex + "phone-numbers/list-phone-numbers", Function: ListPhoneNumbers},
		{Path: flex + "phone-numbers/validate-phone-number", Function: ValidatePhoneNumber},
		{Path: flex + "programmable-chat/update-channel-attributes", Function: c.updateChannelAttributes()},
		{Path: flex + "programmable-voice/add-participant", Function: AddParticipant},
		{Path: flex + "programmable-voice/cold-transfer", Function: ColdTransfer},
		{Path: flex + "programmable-voice/get-call-properties", Function: GetCallProperties},
		{Path: flex + "programmable-voice/hold-participant", Function: HoldParticipant},
		{Path: flex + "programmable-voice/mute-participant", Function: MuteParticipant},
		{Path: flex + "programmable-voice/remove-participant", Function: RemoveParticipant},
		{Path: flex + "programmable-voice/update-participant", Function: UpdateParticipant},
		{Path: flex + "taskrouter/get-queues", Function: GetQueues},
		{Path: flex + "taskrouter/get-worker-channels", Function: GetWorkerChannels},
		{Path: flex + "taskrouter/update-task-assignment-status", Function: UpdateTaskAssignmentStatus},
		{Path: flex + "taskrouter/update-task-attributes", Function: UpdateTaskAttributes},
		{Path: flex + "taskrouter/update-worker-attributes", Function: UpdateWorkerAttributes},
		{Path: flex + "taskrouter/update-worker-channel", Function: UpdateWorkerChannel},
		{Path: "/common/studio/taskrouter/create-task", Function: CreateTask},
	}
}

// Add registers the ready-made functions with app, with settings from the
// environment. It is short for FromEnv().Add(app). To change settings in code,
// call [Config.Add].
func Add(app *flexfn.App) error { return FromEnv().Add(app) }

// Add registers the functions of [Routes] with app, except those that c
// disables, and the files of AssetsDir. If c has a fault, Add registers none of
// them, and the error joins every fault. Features that are off because settings
// are missing are logged once, to the app's logger.
//
// Like [flexfn.App.Handle], it panics if a path is taken: disable the
// ready-made function to register another at its path.
//
// Call it once for an app, before it serves. A missing setting of a common
// function is not a fault: the function fails and names it.
func (c Config) Add(app *flexfn.App) error {
	if err := c.fault(); err != nil && !c.describing {
		return err
	}
	routes := c.common()
	var off, limited []string
	for _, s := range c.status(app.Config()) {
		switch {
		case !s.Chosen:
			continue
		// A description lists every feature, so that a client can be generated
		// without settings.
		case len(s.Missing) == 0 || c.describing:
			routes = append(routes, s.feature.all(&c)...)
			if s.Limit != "" {
				limited = append(limited, s.String())
			}
			continue
		case c.Features != nil:
			return fmt.Errorf("FLEXFN_FEATURES names %s, which needs %s: set it, or leave the feature out", s.Name, strings.Join(s.Missing, ", "))
		}
		off = append(off, s.String())
		routes = append(routes, s.feature.off(&c, s.Missing)...)
	}
	app.HandleFiles("/features/", c.assets())
	if len(off) > 0 {
		app.Config().Logger.Info("features of the Flex plugin are off, since settings are missing", "features", strings.Join(off, "; "))
	}
	if len(limited) > 0 {
		app.Config().Logger.Info("features of the Flex plugin are limited", "features", strings.Join(limited, "; "))
	}
	for _, r := range routes {
		if !slices.Contains(c.Disabled, r.Path) {
			app.Handle(r.Path, r.Function)
		}
	}
	return nil
}

// FeatureStatus says whether a feature is on, and what keeps it off. A feature
// is on if it is Chosen and nothing is Missing.
type FeatureStatus struct {
	// Name is the feature's name in the plugin's configuration, with dashes.
	Name string
	// Chosen reports that Features names it, or is nil.
	Chosen bool
	// Missing lists the environment variables of the settings that it lacks.
	Missing []string
	// Disabled lists the paths of its functions that [Config].Disabled switches
	// off.
	Disabled []string
	// Limit says what of the feature does not work although it is on, and why;
	// empty if all of it works.
	Limit string

	feature feature
}

// String describes the status in a sentence.
func (s FeatureStatus) String() string {
	switch {
	case !s.Chosen:
		return s.Name + " is not in FLEXFN_FEATURES"
	case len(s.Missing) > 0:
		return s.Name + " needs " + strings.Join(s.Missing, ", ")
	case s.Limit != "":
		return s.Name + " is limited: " + s.Limit
	}
	return s.Name
}

// Status reports, for every feature, whether it is on in an app with this
// configuration. The list is sorted by name, and includes features that are
// off. Status registers nothing and does not ask Twilio. It may be called at
// any time, from any goroutine.
func (c Config) Status(app flexfn.Config) []FeatureStatus { return c.status(app) }

func (c *Config) status(app flexfn.Config) []FeatureStatus {
	var list []FeatureStatus
	for _, f := range features() {
		list = append(list, FeatureStatus{
			f.name, c.Features == nil || slices.Contains(c.Features, f.name), f.missing(app, c), f.disabled(c), f.limit(c), f,
		})
	}
	return list
}

// checkNames refuses names that cannot be a segment of a path. Each name
// follows its parameter's name. All faults are reported in one error, which is
// answered 400.
func checkNames(parametersAndNames ...string) error {
	var faults []error
	for pair := range slices.Chunk(parametersAndNames, 2) {
		if err := twilioapi.CheckSegment(pair[1]); err != nil {
			faults = append(faults, fmt.Errorf("%s is %w", pair[0], err))
		}
	}
	return errors.Join(faults...)
}

// done is the answer of functions that only report success.
type done struct{}
