package functions

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/internal/conflict"
	"github.com/flexfn/flexfn/twilioapi"
	conversations "github.com/twilio/twilio-go/rest/conversations/v1"
	sync "github.com/twilio/twilio-go/rest/sync/v1"
)

// parkInteraction lets an agent set a conversation aside until the customer
// writes again, or until the agent picks it from a list.
//
// Before the agent leaves, parking stores everything needed to return: the
// webhook that unparks when the customer writes, the attributes that unparking
// reads, and the list's item. If one of these steps fails, the earlier ones are
// undone and the agent keeps the conversation. If it is unknown whether the
// agent left, everything stays, and the answer says so; the customer's next
// message finds an agent in either case. Unparking first invites an agent and
// only then removes the marks and the webhook. If they cannot be removed, that
// is logged, since the customer has an agent by then.
func parkInteraction(c *Config) []flexfn.Route {
	const path = "/features/park-interaction/"
	return []flexfn.Route{
		{Path: path + "flex/park-interaction", Function: flexfn.PrepareFlexFunction(c.park, flexfn.Doc("Puts a conversation aside until the customer writes again."))},
		{Path: path + "flex/unpark-interaction", Function: flexfn.PrepareFlexFunction(c.unparkByAgent, flexfn.Doc("Takes a parked conversation up again."))},
		{Path: unparkPath, Function: flexfn.PrepareStudioFunction(c.unparkByMessage, flexfn.Doc("Takes a parked conversation up again when the customer writes."))},
	}
}

const unparkPath = "/features/park-interaction/common/unpark-interaction"

type parkParams struct {
	Channel      string                     `json:"channelSid" purpose:"interaction channel sid" kind:"UO"`
	Interaction  string                     `json:"interactionSid" purpose:"interaction sid" kind:"KD"`
	Participant  string                     `json:"participantSid" purpose:"agent participant sid" kind:"UT"`
	Conversation string                     `json:"conversationSid" purpose:"conversation sid" kind:"CH"`
	ChannelType  string                     `json:"channelType" purpose:"channel type" example:"web"`
	Task         string                     `json:"taskSid" purpose:"task sid" kind:"WT"`
	Workflow     string                     `json:"workflowSid" purpose:"workflow sid" kind:"WW"`
	TaskChannel  string                     `json:"taskChannelUniqueName" purpose:"task channel unique name" example:"chat"`
	QueueName    string                     `json:"queueName" purpose:"current queue name" example:"Support"`
	Queue        string                     `json:"queueSid" purpose:"current queue sid" kind:"WQ"`
	Attributes   map[string]json.RawMessage `json:"taskAttributes" purpose:"task attributes to copy"`
	Worker       string                     `json:"workerSid" purpose:"agent worker sid" kind:"WK"`
	List         string                     `json:"createUpdateSyncMapItem" purpose:"create or update sync map item" example:"true"`
}

type parkReply struct {
	Webhook twilioapi.Resource `json:"webhook"`
}

// parked is stored in the attributes of a parked conversation: everything needed
// to return to it.
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

// park parks a conversation; see parkInteraction for the order of its steps.
func (c *Config) park(ctx context.Context, in parkParams) (_ parkReply, err error) {
	list := in.List == "true"
	if list && c.SyncServiceSID == "" {
		return parkReply{}, flexfn.Errorf(http.StatusNotImplemented, "The list of parked interactions is off: the server lacks TWILIO_FLEX_SYNC_SID")
	}
	var undo undoing
	defer func() { undo.unless(ctx, err) }()

	webhook := twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) (*conversations.ConversationsV1ConversationScopedWebhook, error) {
		return conversations.NewApiService(client).CreateConversationScopedWebhook(in.Conversation, &conversations.CreateConversationScopedWebhookParams{
			Target: new("webhook"), ConfigurationUrl: new(publicURL(ctx, unparkPath)), ConfigurationMethod: new("POST"), ConfigurationFilters: &[]string{"onMessageAdded"},
		})
	})
	if err := webhook.Err(); err != nil {
		return parkReply{}, err
	}
	p := parked{
		Interaction: in.Interaction, Channel: in.Channel, Participant: in.Participant, Task: in.Task, Workflow: in.Workflow,
		TaskChannel: in.TaskChannel, QueueName: in.QueueName, Queue: in.Queue, Worker: in.Worker,
		Attributes: string(object(in.Attributes)), Webhook: value(webhook.Data.Sid),
	}
	undo.add("the webhook", func(ctx context.Context) error { return deleteWebhook(ctx, in.Conversation, p.Webhook) })

	// From here on, undo a step even if its outcome is unknown.
	if list {
		undo.add("the item in the list", func(ctx context.Context) error { return c.unlist(ctx, parkedBy(in.Worker), in.Conversation) })
		if p.Map, err = c.listParked(ctx, in, p); err != nil {
			return parkReply{}, err
		}
		p.MapItem = in.Conversation
	}
	undo.add("the conversation's attributes", func(ctx context.Context) error {
		return twilioapi.UpdateConversationAttributes(ctx, in.Conversation, forgetParked).Err()
	})
	if err := twilioapi.UpdateConversationAttributes(ctx, in.Conversation, object(p)).Err(); err != nil {
		return parkReply{}, err
	}
	if err := twilioapi.SetInteractionParticipantStatus(ctx, in.Interaction, in.Channel, in.Participant, "closed").Err(); err != nil {
		if !refused(err) {
			undo = nil
			return parkReply{}, unclear(err, "The conversation is parked, and the agent may still be in it")
		}
		return parkReply{}, err
	}
	return parkReply{twilioapi.View(webhook.Data)}, nil
}

// forgetParked removes parked from a conversation's attributes.
var forgetParked = json.RawMessage(`{"interactionSid":null,"channelSid":null,"participantSid":null,"taskSid":null,"workflowSid":null,` +
	`"taskChannelUniqueName":null,"queueName":null,"queueSid":null,"workerSid":null,"taskAttributes":null,"webhookSid":null,"mapSid":null,"mapItemKey":null}`)

// parkedBy returns the name of the map that lists what a worker has parked.
func parkedBy(worker string) string { return "ParkedInteractions_" + worker }

// listParked puts the interaction on the worker's list, a map of Twilio Sync
// that the plugin shows, and returns the map's SID.
func (c *Config) listParked(ctx context.Context, in parkParams, p parked) (mapSID string, err error) {
	name := parkedBy(in.Worker)
	created := twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) (string, error) {
		m, err := sync.NewApiService(client).CreateSyncMap(c.SyncServiceSID, &sync.CreateSyncMapParams{UniqueName: &name})
		if err != nil {
			return "", err
		}
		return value(m.Sid), nil
	}, flexfn.Repeatable()) // a repetition finds the name taken
	m := created.Data
	switch {
	case created.Status == http.StatusConflict:
		m = name
	case !created.Success:
		return "", created.Err()
	}
	data := any(map[string]any{
		"interactionSid": p.Interaction, "flexInteractionChannelSid": p.Channel, "channelType": in.ChannelType, "participantSid": p.Participant,
		"workflowSid": p.Workflow, "taskChannelUniqueName": p.TaskChannel, "taskAttributes": p.Attributes, "webhookSid": p.Webhook,
	})
	ttl := 86400
	if in.ChannelType == "sms" {
		ttl = 0 // forever
	}
	item := twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) (string, error) {
		i, err := sync.NewApiService(client).CreateSyncMapItem(c.SyncServiceSID, m, &sync.CreateSyncMapItemParams{Key: &in.Conversation, Data: &data, Ttl: &ttl})
		if err != nil {
			return "", err
		}
		return value(i.MapSid), nil
	}, flexfn.Repeatable()) // a repetition finds the key taken
	if item.Status == http.StatusConflict { // left over, or this one's first attempt
		item = twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) (string, error) {
			i, err := sync.NewApiService(client).UpdateSyncMapItem(c.SyncServiceSID, m, in.Conversation, &sync.UpdateSyncMapItemParams{Data: &data, Ttl: &ttl})
			if err != nil {
				return "", err
			}
			return value(i.MapSid), nil
		})
	}
	return item.Data, item.Err()
}

func (c *Config) unlist(ctx context.Context, mapSID, key string) error {
	return gone(twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) (done, error) {
		return done{}, sync.NewApiService(client).DeleteSyncMapItem(c.SyncServiceSID, mapSID, key, nil)
	}))
}

func deleteWebhook(ctx context.Context, conversation, webhook string) error {
	return gone(twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) (done, error) {
		return done{}, conversations.NewApiService(client).DeleteConversationScopedWebhook(conversation, webhook)
	}))
}

// gone returns the error of a deletion, or nil if there was nothing left to
// delete.
func gone(res flexfn.Result[done]) error {
	if res.Status == http.StatusNotFound {
		return nil
	}
	return res.Err()
}

type unparkByMessageParams struct {
	Conversation string   `json:"ConversationSid" purpose:"conversation sid" kind:"CH"`
	Webhook      optional `json:"WebhookSid" doc:"the webhook that unparks; the one that parking wrote down when left out"`
}

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

func (c *Config) unparkByAgent(ctx context.Context, in unparkByAgentParams) (unparkReply, error) {
	return c.unpark(ctx, in.unparkByMessageParams, bool(in.SameWorker))
}

func (c *Config) unparkByMessage(ctx context.Context, in unparkByMessageParams) (unparkReply, error) {
	return c.unpark(ctx, in, false)
}

// unpark invites an agent to a parked conversation: the one who parked it if
// sameWorker is set, otherwise any. Twilio reports each message, and agents
// click twice, so a conversation that is no longer parked is not an error.
func (c *Config) unpark(ctx context.Context, in unparkByMessageParams, sameWorker bool) (unparkReply, error) {
	turn, err := conflict.Take(ctx, "unpark "+in.Conversation)
	if err != nil {
		return unparkReply{}, flexfn.Errorf(http.StatusServiceUnavailable, "this conversation is being taken up again")
	}
	defer turn()
	stored := twilioapi.ConversationAttributes(ctx, in.Conversation)
	if err := stored.Err(); err != nil {
		return unparkReply{}, err
	}
	var p parked
	if json.Unmarshal(stored.Data, &p) != nil || p.Interaction == "" {
		// A second message, or a repeated click.
		return unparkReply{}, c.cleanUp(ctx, in, parked{Webhook: string(in.Webhook)})
	}
	attributes, err := twilioapi.MergeAttributes(json.RawMessage(p.Attributes), object(map[string]any{
		"originalRouting": map[string]any{"queueName": p.QueueName, "queueSid": p.Queue, "workerSid": p.Worker},
	}))
	if err != nil {
		return unparkReply{}, err
	}
	if err := checkSIDs("interactionSid", "KD", p.Interaction, "channelSid", "UO", p.Channel); err != nil {
		return unparkReply{}, err
	}
	routing := map[string]any{
		"workspace_sid": flexfn.FromContext(ctx).Config().WorkspaceSID, "workflow_sid": p.Workflow,
		"task_channel_unique_name": p.TaskChannel, "attributes": attributes,
	}
	if sameWorker {
		routing["queue_sid"], routing["worker_sid"] = p.Queue, p.Worker
	}
	invited := twilioapi.InviteToInteraction(ctx, p.Interaction, p.Channel, routing)
	if err := invited.Err(); err != nil {
		return unparkReply{}, err
	}
	p.Webhook = in.Webhook.or(p.Webhook)
	if err := c.cleanUp(ctx, in, p); err != nil {
		flexfn.Logger(ctx).Warn("an agent was invited to a parked conversation, which is still marked as parked", "conversation", in.Conversation, "error", err)
	}
	return unparkReply{twilioapi.View(invited.Data)}, nil
}

// cleanUp removes what parking stored. It tries every step even if one fails:
// each that succeeds keeps a later message or click from inviting again.
func (c *Config) cleanUp(ctx context.Context, in unparkByMessageParams, p parked) error {
	var faults []error
	if p.Interaction != "" {
		faults = append(faults, twilioapi.UpdateConversationAttributes(ctx, in.Conversation, forgetParked).Err())
	}
	if p.Map != "" && c.SyncServiceSID != "" {
		faults = append(faults, c.unlist(ctx, p.Map, in.Conversation))
	}
	if p.Webhook != "" {
		faults = append(faults, deleteWebhook(ctx, in.Conversation, p.Webhook))
	}
	return errors.Join(faults...)
}

// publicURL returns the URL at which Twilio reaches path.
func publicURL(ctx context.Context, path string) string {
	base, _, _ := strings.Cut(flexfn.FromContext(ctx).Config().PublicURL, "#")
	return strings.TrimSuffix(base, "/") + path
}
