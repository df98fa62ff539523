package functions

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/internal/steps"
	"github.com/flexfn/flexfn/twilioapi"
	conversations "github.com/twilio/twilio-go/rest/conversations/v1"
	flexapi "github.com/twilio/twilio-go/rest/flex/v1"
)

// conversationTransfer transfers a Flex conversation to another worker or queue.
//
// A transfer first sends the invite. It then writes the invite into the
// conversation's attributes, so that the channel is not closed while the invite
// is open. A cold transfer removes the inviting agent last. If a later step
// fails, the answer says so and that the invite exists. Removing an agent closes
// the channel only if only the customer is left and no invite is open.
func conversationTransfer(c *Config) []flexfn.Route {
	const path = "/features/conversation-transfer/flex/"
	return []flexfn.Route{
		{Path: path + "invite-participant", Function: flexfn.PrepareFlexFunction(c.inviteParticipant, flexfn.Doc("Invites a worker or a queue to a conversation."))},
		{Path: path + "remove-participant", Function: flexfn.PrepareFlexFunction(removeFromConversation, flexfn.Doc("Takes an agent out of a conversation, and closes it after the last one."))},
	}
}

// inviteParams are the plugin's. Attributes and Ignore become attributes of the
// new task. Ignore wins over Attributes, and the attributes of the transfer
// itself win over both.
type inviteParams struct {
	Task         string                     `json:"taskSid" purpose:"task sid of transferring task" kind:"WT"`
	LinkID       optional                   `json:"conversationId" purpose:"for linking transfer task in insights (CHxxx or WTxxx sid)" example:"WT00000000000000000000000000000001"`
	Attributes   json.RawMessage            `json:"jsonAttributes" purpose:"string representation of transferring task" example:"{\"from\":\"web\"}"`
	Target       string                     `json:"transferTargetSid" purpose:"worker or queue sid" kind:"WK|WQ"`
	Ignore       map[string]json.RawMessage `json:"workersToIgnore" purpose:"json object with key indicating task attribute to set as an array of workers to ignore. eg {'workersToIgnore':['Alice','Bob']}. This gets copied to task attributes." example:"{\"workersToIgnore\":[\"Alice\",\"Bob\"]}"`
	Interaction  string                     `json:"flexInteractionSid" purpose:"KDxxx sid for inteactions API" kind:"KD"`
	Channel      string                     `json:"flexInteractionChannelSid" purpose:"UOxxx sid for interactions API" kind:"UO"`
	TaskChannel  given                      `json:"taskChannelUniqueName" purpose:"task channel to use for the new task" example:"chat"`
	Conversation optional                   `json:"conversationSid" doc:"the conversation, for the list of its open invites"`
	QueueName    optional                   `json:"transferQueueName" doc:"name of the queue, when one is invited"`
	WorkerName   optional                   `json:"transferWorkerName" doc:"name of the worker, when one is invited"`
	Leaving      optional                   `json:"removeFlexInteractionParticipantSid" doc:"the participant to remove, in a cold transfer; none when left out"`
}

// Validate implements [flexfn.Validator].
func (p inviteParams) Validate() error {
	return checkSIDs("conversationSid", "CH", string(p.Conversation), "removeFlexInteractionParticipantSid", "UT", string(p.Leaving))
}

type inviteReply struct {
	Message string `json:"message"`
	Invite  string `json:"participantInviteSid"`
	Task    string `json:"invitesTaskSid"`
}

// inviteParticipant invites a worker or a queue to a conversation and, in a
// cold transfer, removes the inviting agent. The order of the steps makes sure
// that the customer always has an agent, and at worst one too many. The invite
// and its effects are not undone, since the invited worker may have accepted by
// then.
func (c *Config) inviteParticipant(ctx context.Context, in inviteParams) (inviteReply, error) {
	target, name := "worker", string(in.WorkerName)
	if strings.HasPrefix(in.Target, "WQ") {
		target, name = "queue", string(in.QueueName)
	}
	attributes, err := transferAttributes(in.Attributes, string(in.LinkID), map[string]any{
		"transferTargetSid": in.Target, "transferQueueName": in.QueueName, "transferTargetType": target,
	}, object(in.Ignore))
	if err != nil {
		return inviteReply{}, err
	}
	invited := twilioapi.InviteToInteraction(ctx, in.Interaction, in.Channel, map[string]any{
		"task_channel_unique_name": in.TaskChannel, "workspace_sid": flexfn.FromContext(ctx).Config().WorkspaceSID,
		"workflow_sid": c.ChatTransferWorkflowSID, "attributes": attributes,
	})
	if err := invited.Err(); err != nil {
		return inviteReply{}, err
	}
	reply := inviteReply{Invite: value(invited.Data.Sid), Task: invitedTask(invited.Data)}
	reply.Message = "Participant invite " + reply.Invite

	if in.Conversation != "" && reply.Task != "" {
		written := twilioapi.UpdateConversationAttributes(ctx, string(in.Conversation), object(map[string]any{"invites": map[string]any{reply.Task: openInvite{
			Task: reply.Task, Target: in.Target, Created: isoNow(), Name: name, Kind: strings.ToUpper(target[:1]) + target[1:],
		}}}))
		if err := written.Err(); err != nil {
			return inviteReply{}, steps.Unclear(err, "The invite "+reply.Invite+" was sent, but could not be written into the conversation")
		}
	}
	if in.Leaving != "" {
		if err := twilioapi.SetInteractionParticipantStatus(ctx, in.Interaction, in.Channel, string(in.Leaving), "closed").Err(); err != nil {
			return inviteReply{}, steps.Unclear(err, "The invite "+reply.Invite+" was sent, but the agent may still be in the conversation")
		}
	}
	return reply, nil
}

// openInvite is an entry of a conversation's attribute invites, which the
// plugin shows. The key is the SID of the invited worker's or queue's task, so
// that the entry can be found by task.
type openInvite struct {
	Task    string `json:"invitesTaskSid"`
	Target  string `json:"targetSid"`
	Created string `json:"timestampCreated"`
	Name    string `json:"targetName"`
	Kind    string `json:"inviteTargetType"` // Queue or Worker
}

// invitedTask returns the SID of the task that an invite created. It is "" if
// Twilio does not say; then the invite cannot be stored.
func invitedTask(i *flexapi.FlexV1InteractionChannelInvite) string {
	if i.Routing == nil {
		return ""
	}
	var routing struct {
		Properties struct {
			SID string `json:"sid"`
		} `json:"properties"`
	}
	if json.Unmarshal(object(*i.Routing), &routing) != nil {
		return ""
	}
	return routing.Properties.SID
}

// transferAttributes returns the attributes for a task that takes over a
// conversation, linked to it for reports unless linkID is "". It changes
// transfer.
func transferAttributes(old json.RawMessage, linkID string, transfer map[string]any, more ...json.RawMessage) (json.RawMessage, error) {
	if linkID != "" {
		transfer["conversations"] = map[string]any{"conversation_id": linkID}
	}
	// Merging into an empty object checks that old is one.
	attributes, err := twilioapi.MergeAttributes(json.RawMessage("{}"), old)
	for _, update := range append(more, object(transfer)) {
		if err == nil {
			attributes, err = twilioapi.MergeAttributes(attributes, update)
		}
	}
	if err != nil {
		return nil, flexfn.Errorf(http.StatusBadRequest, "jsonAttributes is not a JSON object: send the attributes of the task")
	}
	return attributes, nil
}

// isoNow formats the time as the template does, with JavaScript's toISOString.
func isoNow() string { return time.Now().UTC().Format("2006-01-02T15:04:05.000Z") }

type removeFromConversationParams struct {
	Interaction  string   `json:"flexInteractionSid" purpose:"KDxxx sid for inteactions API" kind:"KD"`
	Channel      string   `json:"flexInteractionChannelSid" purpose:"UOxxx sid for interactions API" kind:"UO"`
	Participant  string   `json:"flexInteractionParticipantSid" purpose:"UTxxx sid for interactions API" kind:"UT"`
	Conversation optional `json:"conversationSid" doc:"the conversation; without it the channel stays open"`
}

// Validate implements [flexfn.Validator].
func (p removeFromConversationParams) Validate() error {
	return checkSIDs("conversationSid", "CH", string(p.Conversation))
}

// removeFromConversation removes an agent from a conversation. It then reads
// who is left and which invites are open, and closes the channel if only the
// customer is left and no invite is open. The participants are read last, so
// that if two agents leave at once, one of them closes the channel. If a step
// after the first fails, the answer says that the agent has left; calling again
// continues from there.
func removeFromConversation(ctx context.Context, in removeFromConversationParams) (done, error) {
	if err := twilioapi.SetInteractionParticipantStatus(ctx, in.Interaction, in.Channel, in.Participant, "closed").Err(); err != nil {
		return done{}, err
	}
	if in.Conversation == "" {
		return done{}, nil
	}
	sid := string(in.Conversation)
	left := twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) (int, error) {
		// Two are enough to know that someone else is left.
		list, err := conversations.NewApiService(client).ListConversationParticipant(sid, &conversations.ListConversationParticipantParams{PageSize: new(100), Limit: new(2)})
		return len(list), err
	})
	if err := left.Err(); err != nil {
		return done{}, steps.Midway(err, leftOpen)
	}
	if left.Data > 1 {
		return done{}, nil
	}
	stored := twilioapi.ConversationAttributes(ctx, sid)
	if err := stored.Err(); err != nil {
		return done{}, steps.Midway(err, leftOpen)
	}
	var attributes struct {
		Invites map[string]json.RawMessage `json:"invites"`
	}
	if err := json.Unmarshal(stored.Data, &attributes); err != nil {
		return done{}, &flexfn.Error{Status: http.StatusBadGateway, Message: "the conversation's attributes are not JSON, so that it is left open", Err: err}
	}
	if len(attributes.Invites) > 0 {
		return done{}, nil
	}
	closed := twilioapi.SetInteractionChannelStatus(ctx, in.Interaction, in.Channel, "closed")
	if err := closed.Err(); err != nil {
		return done{}, steps.Midway(err, leftOpen)
	}
	return done{}, nil
}

// leftOpen is the message when an agent has left and a later step failed.
const leftOpen = "The agent has left the conversation, which may still be open"
