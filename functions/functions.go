// Package functions has the ready-made functions of Twilio's Flex project
// template, with their paths, parameters and answers, so that a plugin made
// for the template works unchanged. [Add] gives them all to an app.
//
// Twilio is called with the app's account. A Flex function asks for a
// worker's Flex token, as the template does, but not whether a task, call or
// conference is that worker's own: any worker may change any of them. Where
// that is too much, write a function of your own in its place.
//
// They need TWILIO_FLEX_WORKSPACE_SID (tasks, queues, workers), which is the
// app's setting, and what [Config] lists. A function whose setting is missing
// says so when it is called.
package functions

import (
	"errors"
	"fmt"
	"slices"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/twilioapi"
)

// Routes lists the ready-made functions by the template's paths, which plugins
// call, for documents and for paths of one's own. They are without the
// settings of a [Config]: [Config.Add] serves them with those.
func Routes() []flexfn.Route { return new(Config).routes() }

func (c *Config) routes() []flexfn.Route {
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

// Add gives app the ready-made functions, with settings from the environment:
// it is FromEnv().Add(app).
func Add(app *flexfn.App) error { return FromEnv().Add(app) }

// Add gives app the functions of [Routes], except those that c disables. When
// anything is wrong with c, nothing is added, and the error joins every fault.
// Like [flexfn.App.Handle], it panics when a path is taken: disable the
// ready-made function to put another in its place.
func (c Config) Add(app *flexfn.App) error {
	if err := c.fault(); err != nil {
		return err
	}
	for _, r := range c.routes() {
		if !slices.Contains(c.Disabled, r.Path) {
			app.Handle(r.Path, r.Function)
		}
	}
	return nil
}

// checkNames refuses a name, given after its parameter's, that Twilio cannot
// find a resource by.
func checkNames(parametersAndNames ...string) error {
	var faults []error
	for pair := range slices.Chunk(parametersAndNames, 2) {
		if err := twilioapi.CheckSegment(pair[1]); err != nil {
			faults = append(faults, fmt.Errorf("%s is %w", pair[0], err))
		}
	}
	return errors.Join(faults...)
}

// done is the answer of functions that have nothing to tell but success.
type done struct{}
