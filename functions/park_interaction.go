package functions

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/twilioapi"
)

// parkInteraction lets an agent set a conversation aside until the customer
// writes again, or until the agent picks it from a list.
// [twilioapi.ParkInteraction] and [twilioapi.UnparkInteraction] document the
// order of their steps. Two functions unpark: one for the plugin, which sends
// an agent's Flex token, and one for Twilio's webhook about the customer's next
// message, which is signed.
func parkInteraction(c *Config) []flexfn.Route {
	const path = "/features/park-interaction/"
	return []flexfn.Route{
		{Path: path + "flex/park-interaction", Function: flexfn.PrepareFlexFunction(c.park, flexfn.Doc("Parks a conversation until the customer writes again."))},
		{Path: path + "flex/unpark-interaction", Function: flexfn.PrepareFlexFunction(c.unparkByAgent, flexfn.Doc("Resumes a parked conversation."))},
		{Path: unparkPath, Function: flexfn.PrepareStudioFunction(c.unparkByMessage, flexfn.Doc("Resumes a parked conversation when the customer writes."))},
	}
}

// withoutList says that agents cannot list what they have parked. Park
// refuses a plugin that asks for the list.
func (c *Config) withoutList() string {
	if c.SyncServiceSID != "" {
		return ""
	}
	return "the list of parked interactions (show_list in the plugin) needs TWILIO_FLEX_SYNC_SID"
}

// unparkPath is also part of the URL that Twilio gets when a conversation is
// parked. If it changed, conversations parked before could not be unparked.
const unparkPath = "/features/park-interaction/common/unpark-interaction"

// parkParams are the plugin's. It knows all of them from the agent's open task,
// so nothing has to be looked up.
type parkParams struct {
	Channel      string                     `json:"channelSid" purpose:"interaction channel sid" kind:"UO"`
	Interaction  string                     `json:"interactionSid" purpose:"interaction sid" kind:"KD"`
	Participant  string                     `json:"participantSid" purpose:"agent participant sid" kind:"UT"`
	Conversation string                     `json:"conversationSid" purpose:"conversation sid" kind:"CH"`
	ChannelType  string                     `json:"channelType" purpose:"channel type" example:"web"`
	Task         string                     `json:"taskSid" purpose:"task sid" kind:"WT"`
	Workflow     string                     `json:"workflowSid" purpose:"workflow sid" kind:"WW"`
	TaskChannel  given                      `json:"taskChannelUniqueName" purpose:"task channel unique name" example:"chat"`
	QueueName    string                     `json:"queueName" purpose:"current queue name" example:"Support"`
	Queue        string                     `json:"queueSid" purpose:"current queue sid" kind:"WQ"`
	Attributes   map[string]json.RawMessage `json:"taskAttributes" purpose:"task attributes to copy"`
	Worker       string                     `json:"workerSid" purpose:"agent worker sid" kind:"WK"`
	List         string                     `json:"createUpdateSyncMapItem" purpose:"create or update sync map item" example:"true"`
}

type parkReply struct {
	Webhook twilioapi.Resource `json:"webhook"`
}

// park sets a conversation aside. If the agent wants it on a list and there is
// no Sync service, it fails with 501, since the agent could not find the
// conversation again. After any other failure the agent still has the
// conversation, or the error says that this is unknown.
func (c *Config) park(ctx context.Context, in parkParams) (parkReply, error) {
	service := ""
	if in.List == "true" {
		if service = c.SyncServiceSID; service == "" {
			return parkReply{}, flexfn.Errorf(http.StatusNotImplemented, "The list of parked interactions is off: the server lacks TWILIO_FLEX_SYNC_SID")
		}
	}
	webhook, err := twilioapi.ParkInteraction(ctx, twilioapi.Parking{
		InteractionSID: in.Interaction, ChannelSID: in.Channel, ParticipantSID: in.Participant, ConversationSID: in.Conversation,
		TaskSID: in.Task, WorkflowSID: in.Workflow, TaskChannel: string(in.TaskChannel), Attributes: object(in.Attributes),
		QueueSID: in.Queue, QueueName: in.QueueName, WorkerSID: in.Worker, WebhookURL: publicURL(ctx, unparkPath),
		ListServiceSID: service, ChannelType: in.ChannelType,
	})
	if err != nil {
		return parkReply{}, err
	}
	return parkReply{twilioapi.View(webhook)}, nil
}

// unparkByMessageParams are named as Twilio's webhook names them.
type unparkByMessageParams struct {
	Conversation string   `json:"ConversationSid" purpose:"conversation sid" kind:"CH"`
	Webhook      optional `json:"WebhookSid" doc:"the webhook that unparks; the one that parking wrote down when left out"`
}

// unparkByAgentParams has what only the plugin sends: a customer's message
// cannot ask for the same worker.
type unparkByAgentParams struct {
	unparkByMessageParams
	SameWorker optionalBool `json:"RouteToSameWorker" doc:"whether to ask the agent who parked it; false when left out"`
}

// Validate implements [flexfn.Validator].
func (p unparkByMessageParams) Validate() error {
	return checkSIDs("WebhookSid", "WH", string(p.Webhook))
}

type unparkReply struct {
	Invite twilioapi.Resource `json:"participantInvite"`
}

// unparkByAgent resumes a conversation with the agent who parked it, if the
// plugin asks for that, and otherwise with any agent.
func (c *Config) unparkByAgent(ctx context.Context, in unparkByAgentParams) (unparkReply, error) {
	return c.unpark(ctx, in.unparkByMessageParams, bool(in.SameWorker))
}

// unparkByMessage resumes a conversation with any agent that the workflow finds.
func (c *Config) unparkByMessage(ctx context.Context, in unparkByMessageParams) (unparkReply, error) {
	return c.unpark(ctx, in, false)
}

// unpark succeeds, without an invite, if the conversation is no longer parked:
// second messages and second clicks are common.
func (c *Config) unpark(ctx context.Context, in unparkByMessageParams, sameWorker bool) (unparkReply, error) {
	invited, err := twilioapi.UnparkInteraction(ctx, twilioapi.Unparking{
		ConversationSID: in.Conversation, WebhookSID: string(in.Webhook), ListServiceSID: c.SyncServiceSID, SameWorker: sameWorker,
	})
	if invited == nil {
		return unparkReply{}, err
	}
	return unparkReply{twilioapi.View(invited)}, nil
}

// publicURL returns the URL at which Twilio reaches path. A fragment is
// dropped: it holds Twilio's connection overrides, and a path cannot follow it.
func publicURL(ctx context.Context, path string) string {
	base, _, _ := strings.Cut(flexfn.FromContext(ctx).Config().PublicURL, "#")
	return strings.TrimSuffix(base, "/") + path
}
