// Package functions has the ready-made functions of Twilio's Flex project
// template, with their paths, parameters and answers, so that a plugin made
// for the template works unchanged. [Add] gives them all to an app.
//
// Twilio is called with the app's account. A Flex function asks for a
// worker's Flex token, as the template does, but not whether a task, call or
// conference is that worker's own: any worker may change any of them. Where
// that is too much, write a function of your own in its place.
//
// They need TWILIO_FLEX_WORKSPACE_SID (tasks, queues, workers) and
// TWILIO_FLEX_CHAT_SERVICE_SID (Programmable Chat), and say so when it is not
// set.
package functions

import (
	"fmt"
	"slices"

	"github.com/flexfn/flexfn"
)

// Routes lists the functions and the template's paths, which plugins call.
func Routes() []flexfn.Route {
	const flex = "/common/flex/"
	return []flexfn.Route{
		{Path: flex + "conversations/update-attributes", Function: UpdateConversationAttributes},
		{Path: flex + "phone-numbers/list-phone-numbers", Function: ListPhoneNumbers},
		{Path: flex + "phone-numbers/validate-phone-number", Function: ValidatePhoneNumber},
		{Path: flex + "programmable-chat/update-channel-attributes", Function: UpdateChannelAttributes},
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

// Add gives app the functions of [Routes], except those that the app's
// configuration switches off (FLEXFN_DISABLED_FUNCTIONS). It is an error to
// switch off a path that is none of theirs; then nothing is added. It panics
// as [flexfn.App.Handle] does when a path is taken: switch the ready-made
// function off to put another in its place.
func Add(app *flexfn.App) error {
	routes := Routes()
	disabled := app.Config().DisabledFunctions
	for _, path := range disabled {
		if !slices.ContainsFunc(routes, func(r flexfn.Route) bool { return r.Path == path }) {
			return fmt.Errorf("FLEXFN_DISABLED_FUNCTIONS names %q, which is the path of no ready-made function: write it as in %s", path, routes[0].Path)
		}
	}
	for _, r := range routes {
		if !slices.Contains(disabled, r.Path) {
			app.Handle(r.Path, r.Function)
		}
	}
	return nil
}

// done is the answer of functions that have nothing to tell but success.
type done struct{}
