package twilioapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/internal/conflict"
	"github.com/flexfn/flexfn/internal/steps"
	conversations "github.com/twilio/twilio-go/rest/conversations/v1"
	flexapi "github.com/twilio/twilio-go/rest/flex/v1"
	sync "github.com/twilio/twilio-go/rest/sync/v1"
)

// Parking is a conversation that an agent sets aside until the customer writes
// again, or until the agent takes it up.
type Parking struct {
	// InteractionSID, ChannelSID and ParticipantSID are the conversation's
	// interaction, its channel, and the agent in it; ConversationSID is the
	// conversation itself.
	InteractionSID, ChannelSID, ParticipantSID, ConversationSID string
	// TaskSID is the agent's task. WorkflowSID, TaskChannel (a unique name) and
	// Attributes, a JSON object, are used for the task of the agent who takes
	// up the conversation.
	TaskSID, WorkflowSID, TaskChannel string
	Attributes                        json.RawMessage
	// QueueSID, QueueName and WorkerSID identify the agent who parks it.
	QueueSID, QueueName, WorkerSID string
	// WebhookURL is where Twilio reports the customer's next message. The function
	// there calls [UnparkInteraction].
	WebhookURL string
	// ListServiceSID is the Twilio Sync service with the workers' lists of parked
	// conversations; if it is empty, the conversation is not listed. The list
	// shows ChannelType, such as "web". An item stays for a day, or until it is
	// unparked if its type is "sms".
	ListServiceSID, ChannelType string
}

// parked is stored in the attributes of a parked conversation. It has
// everything that unparking needs.
type parked struct {
	Interaction string `json:"interactionSid"`
	Channel     string `json:"channelSid"`
	Participant string `json:"participantSid"`
	Task        string `json:"taskSid"`
	Workflow    string `json:"workflowSid"`
	TaskChannel string `json:"taskChannelUniqueName"`
	QueueName   string `json:"queueName"`
	Queue       string `json:"queueSid"`
	Worker      string `json:"workerSid"`
	Attributes  string `json:"taskAttributes"` // JSON
	Webhook     string `json:"webhookSid"`
	Map         string `json:"mapSid,omitempty"`
	MapItem     string `json:"mapItemKey,omitempty"`
}

// forgetParked removes parked from a conversation's attributes.
var forgetParked = json.RawMessage(`{"interactionSid":null,"channelSid":null,"participantSid":null,"taskSid":null,"workflowSid":null,` +
	`"taskChannelUniqueName":null,"queueName":null,"queueSid":null,"workerSid":null,"taskAttributes":null,"webhookSid":null,"mapSid":null,"mapItemKey":null}`)

// ParkInteraction parks a conversation, and returns the webhook that unparks it.
//
// It creates the webhook, puts an item on the worker's list, and writes what
// unparking needs into the conversation's attributes; the agent leaves last. If a
// step fails, the earlier ones are undone and the agent keeps the conversation.
// If it is unknown whether the agent left, nothing is undone, and the error has
// OutcomeUnknown; the customer's next message reaches an agent in either case.
func ParkInteraction(ctx context.Context, p Parking) (webhook *conversations.ConversationsV1ConversationScopedWebhook, err error) {
	for _, fault := range []error{
		checkInteraction(p.InteractionSID, p.ChannelSID), checkSID("participant of an interaction", "UT", p.ParticipantSID),
		checkSID("conversation", "CH", p.ConversationSID), checkAttributes(new(string(p.Attributes))),
	} {
		if fault != nil {
			return nil, fault
		}
	}
	var undo steps.Undo
	defer func() { undo.Unless(ctx, err) }()

	made := ExecuteTwilio(ctx, func(client *Client) (*conversations.ConversationsV1ConversationScopedWebhook, error) {
		return conversations.NewApiService(client).CreateConversationScopedWebhook(p.ConversationSID, &conversations.CreateConversationScopedWebhookParams{
			Target: new("webhook"), ConfigurationUrl: &p.WebhookURL, ConfigurationMethod: new("POST"), ConfigurationFilters: &[]string{"onMessageAdded"},
		})
	})
	if err := made.Err(); err != nil {
		return nil, err
	}
	stored := parked{
		Interaction: p.InteractionSID, Channel: p.ChannelSID, Participant: p.ParticipantSID, Task: p.TaskSID, Workflow: p.WorkflowSID,
		TaskChannel: p.TaskChannel, QueueName: p.QueueName, Queue: p.QueueSID, Worker: p.WorkerSID,
		Attributes: string(p.Attributes), Webhook: value(made.Data.Sid),
	}
	undo.Add("the webhook", func(ctx context.Context) error { return deleteWebhook(ctx, p.ConversationSID, stored.Webhook) })

	// From here on, undo a step even if its outcome is unknown.
	if p.ListServiceSID != "" {
		undo.Add("the item in the list", func(ctx context.Context) error {
			return unlist(ctx, p.ListServiceSID, parkedBy(p.WorkerSID), p.ConversationSID)
		})
		if stored.Map, err = listParked(ctx, p, stored); err != nil {
			return nil, err
		}
		stored.MapItem = p.ConversationSID
	}
	undo.Add("the conversation's attributes", func(ctx context.Context) error {
		return UpdateConversationAttributes(ctx, p.ConversationSID, forgetParked).Err()
	})
	if err := UpdateConversationAttributes(ctx, p.ConversationSID, encoded(stored)).Err(); err != nil {
		return nil, err
	}
	if err := SetInteractionParticipantStatus(ctx, p.InteractionSID, p.ChannelSID, p.ParticipantSID, "closed").Err(); err != nil {
		if !steps.Refused(err) {
			undo = nil
			return nil, steps.Unclear(err, "The conversation is parked, and the agent may still be in it")
		}
		return nil, err
	}
	return made.Data, nil
}

// parkedBy returns the name of the map that lists what a worker has parked.
func parkedBy(worker string) string { return "ParkedInteractions_" + worker }

// encoded encodes a value whose encoding cannot fail.
func encoded(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // a mistake in the program: v consists of strings and of checked JSON
	}
	return b
}

// value returns *s, or "" if s is nil.
func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// listParked puts the conversation on the worker's list, a map of Twilio Sync
// that the plugin shows, and returns the map's SID.
func listParked(ctx context.Context, p Parking, stored parked) (mapSID string, err error) {
	name := parkedBy(p.WorkerSID)
	created := ExecuteTwilio(ctx, func(client *Client) (string, error) {
		m, err := sync.NewApiService(client).CreateSyncMap(p.ListServiceSID, &sync.CreateSyncMapParams{UniqueName: &name})
		if err != nil {
			return "", err
		}
		return value(m.Sid), nil
	}, flexfn.Repeatable()) // a second attempt would find the name taken
	m := created.Data
	switch {
	case created.Status == http.StatusConflict:
		m = name
	case !created.Success:
		return "", created.Err()
	}
	data := any(map[string]any{
		"interactionSid": stored.Interaction, "flexInteractionChannelSid": stored.Channel, "channelType": p.ChannelType, "participantSid": stored.Participant,
		"workflowSid": stored.Workflow, "taskChannelUniqueName": stored.TaskChannel, "taskAttributes": stored.Attributes, "webhookSid": stored.Webhook,
	})
	ttl := 86400
	if p.ChannelType == "sms" {
		ttl = 0 // forever
	}
	item := ExecuteTwilio(ctx, func(client *Client) (string, error) {
		i, err := sync.NewApiService(client).CreateSyncMapItem(p.ListServiceSID, m, &sync.CreateSyncMapItemParams{Key: &p.ConversationSID, Data: &data, Ttl: &ttl})
		if err != nil {
			return "", err
		}
		return value(i.MapSid), nil
	}, flexfn.Repeatable()) // a second attempt would find the key taken
	if item.Status == http.StatusConflict { // an old item, or this call's first attempt
		item = ExecuteTwilio(ctx, func(client *Client) (string, error) {
			i, err := sync.NewApiService(client).UpdateSyncMapItem(p.ListServiceSID, m, p.ConversationSID, &sync.UpdateSyncMapItemParams{Data: &data, Ttl: &ttl})
			if err != nil {
				return "", err
			}
			return value(i.MapSid), nil
		})
	}
	return item.Data, item.Err()
}

func unlist(ctx context.Context, service, mapSID, key string) error {
	return gone(ExecuteTwilio(ctx, func(client *Client) (struct{}, error) {
		return struct{}{}, sync.NewApiService(client).DeleteSyncMapItem(service, mapSID, key, nil)
	}))
}

func deleteWebhook(ctx context.Context, conversation, webhook string) error {
	return gone(ExecuteTwilio(ctx, func(client *Client) (struct{}, error) {
		return struct{}{}, conversations.NewApiService(client).DeleteConversationScopedWebhook(conversation, webhook)
	}))
}

// gone returns the error of a deletion, or nil if there was nothing left to
// delete.
func gone(res flexfn.Result[struct{}]) error {
	if res.Status == http.StatusNotFound {
		return nil
	}
	return res.Err()
}

// Unparking is the argument of [UnparkInteraction].
type Unparking struct {
	ConversationSID string
	// WebhookSID is the webhook that reported the message; empty means the one
	// that [ParkInteraction] made.
	WebhookSID string
	// ListServiceSID is the one that the [Parking] had.
	ListServiceSID string
	// SameWorker invites the agent who parked the conversation instead of any
	// agent.
	SameWorker bool
}

// UnparkInteraction invites an agent to a parked conversation, and then removes the
// marks, the item in the list, and the webhook. A failure to remove them is
// only logged, since the customer has an agent by then. If the conversation is
// not parked any more, as when Twilio reports a second message or an agent
// clicks twice, the invite and the error are nil.
func UnparkInteraction(ctx context.Context, u Unparking) (*flexapi.FlexV1InteractionChannelInvite, error) {
	done, err := takeTurn(ctx, conflict.TakeShared, "unpark "+u.ConversationSID, "conversation")
	if err != nil {
		return nil, err
	}
	defer done()
	stored := ConversationAttributes(ctx, u.ConversationSID)
	if err := stored.Err(); err != nil {
		return nil, err
	}
	var p parked
	if json.Unmarshal(stored.Data, &p) != nil || p.Interaction == "" {
		// It was a second message or a repeated click.
		return nil, u.cleanUp(ctx, parked{Webhook: u.WebhookSID})
	}
	attributes, err := MergeAttributes(json.RawMessage(p.Attributes), encoded(map[string]any{
		"originalRouting": map[string]any{"queueName": p.QueueName, "queueSid": p.Queue, "workerSid": p.Worker},
	}))
	if err != nil {
		return nil, err
	}
	workspace, err := workspaceOf(ctx)
	if err != nil {
		return nil, err
	}
	routing := map[string]any{
		"workspace_sid": workspace, "workflow_sid": p.Workflow, "task_channel_unique_name": p.TaskChannel, "attributes": attributes,
	}
	if u.SameWorker {
		routing["queue_sid"], routing["worker_sid"] = p.Queue, p.Worker
	}
	invited := InviteToInteraction(ctx, p.Interaction, p.Channel, routing)
	if err := invited.Err(); err != nil {
		return nil, err
	}
	if u.WebhookSID != "" {
		p.Webhook = u.WebhookSID
	}
	if err := u.cleanUp(ctx, p); err != nil {
		flexfn.Logger(ctx).Warn("an agent was invited to a parked conversation, which is still marked as parked", "conversation", u.ConversationSID, "error", err)
	}
	return invited.Data, nil
}

// cleanUp removes what parking stored. It tries every step even if one fails,
// since each one that succeeds keeps a later message or click from inviting
// again.
func (u Unparking) cleanUp(ctx context.Context, p parked) error {
	var faults []error
	if p.Interaction != "" {
		faults = append(faults, UpdateConversationAttributes(ctx, u.ConversationSID, forgetParked).Err())
	}
	if p.Map != "" && u.ListServiceSID != "" {
		faults = append(faults, unlist(ctx, u.ListServiceSID, p.Map, u.ConversationSID))
	}
	if p.Webhook != "" {
		faults = append(faults, deleteWebhook(ctx, u.ConversationSID, p.Webhook))
	}
	return errors.Join(faults...)
}
