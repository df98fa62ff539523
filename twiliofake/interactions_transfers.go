package twiliofake

import (
	"net/http"
	"slices"
)

// interactionTransferRows are the transfers of an interaction from one agent to
// another. A transfer begins active and ends completed or failed, once. When a
// cold one completes, the agent who began it leaves the channel. The fake does
// not invite the other agent as Flex does; a test does that. Bodies are JSON.
// from and to are SIDs of participants of the channel.
func interactionTransferRows() []resource {
	return []resource{{
		name: "interaction_transfers", host: "flex-api", prefix: "UX", json: true,
		paths: []string{"/v1/Interactions/{interaction_sid}/Channels/{channel_sid}/Transfers/{sid}"}, can: create | fetch | update,
		fields: []field{
			{"interaction_sid", text, nil, never},
			{"channel_sid", text, nil, never},
			{"execution_sid", text, nil, always},
			{"from", text, nil, always},
			{"instance_sid", text, nil, never},
			{"note_sid", text, nil, always},
			{"status", text, "active", always},
			{"summary_sid", text, nil, always},
			{"to", text, nil, always},
			{"type", text, nil, always},
		},
		create: createTransfer,
		update: updateTransfer,
	}}
}

// participant returns a participant of the request's channel, or nil.
func (c *call) participant(sid string) *record {
	return c.parent.child("Participants").find(sid, nil)
}

// createTransfer checks a transfer and begins it. The channel must be active,
// and from, if given, must take part in it.
func createTransfer(c *call, rec *record) *apiError {
	if !slices.Contains([]string{"cold", "warm", "external"}, rec.text("type")) {
		return invalid("Invalid value for type: %.40q is neither cold, warm nor external", rec.text("type"))
	}
	if rec.text("status") != "active" {
		return invalid("Invalid value for status: a transfer begins active, not %.40q", rec.text("status"))
	}
	if s := c.parent.text("status"); s != "active" {
		return invalid("Channel %s is %s", c.parent.id, s)
	}
	if from := rec.text("from"); from != "" && c.participant(from) == nil {
		return invalid("Invalid value for from: %.40s does not take part in channel %s", from, c.parent.id)
	}
	if instance := c.instance(); instance != "" {
		rec.set("instance_sid", instance)
	}
	return nil
}

// updateTransfer ends a transfer. Its type and its initiator are fixed. Only an
// active transfer can change, so a second completion is refused. In a warm
// transfer the first agent leaves by a separate request.
func updateTransfer(c *call, rec *record) *apiError {
	was, next := c.before.text("status"), rec.text("status")
	if rec.text("type") != c.before.text("type") || rec.text("from") != c.before.text("from") {
		return invalid("The type and the beginner of transfer %s cannot change", rec.id)
	}
	if !slices.Contains([]string{"active", "completed", "failed"}, next) {
		return invalid("Invalid value for status: %.40q", next)
	}
	if was != "active" {
		return invalid("Transfer %s is %s", rec.id, was)
	}
	agent := c.participant(rec.text("from"))
	if next != "completed" || rec.text("type") != "cold" || agent == nil {
		return nil
	}
	left := agent.clone()
	left.set("status", "closed")
	if err := updateInteractionParticipant(c, left); err != nil {
		return err
	}
	c.commit(agent, left)
	return nil
}

// interactionWebhookRows are the webhooks of interactions, which twilio-go does
// not have: global ones, and those that an interaction names by their ttid. See
// https://www.twilio.com/docs/flex/developer/conversations/register-interactions-webhooks.
// The fake does not call them.
func interactionWebhookRows() []resource {
	return []resource{{
		name: "interaction_webhooks", host: "flex-api", prefix: "flex_interactionwebhook_", can: all, bare: true,
		paths: []string{"/v1/Instances/{instance_sid}/InteractionWebhooks/{ttid}"},
		fields: []field{
			{"account_sid", text, nil, never},
			{"instance_sid", text, nil, never},
			{"ttid", text, nil, never},
			{"friendly_name", text, nil, always},
			{"type", text, "global", onCreate},
			{"webhook_events", many, nil, always},
			{"webhook_method", text, "POST", always},
			{"webhook_url", text, nil, always | required},
		},
		create: createInteractionWebhook,
		update: saveInteractionWebhook,
		view:   func(_ *call, _ *record, m map[string]any) { delete(m, "links") },
	}}
}

var interactionEvents = []string{
	"onChannelCreateFailed", "onChannelCreated", "onChannelStatusUpdated", "onInteractionCreated", "onParticipantJoined",
	"onParticipantLeft", "onParticipantUpdated",
}

// instance returns the SID of the account's Flex instance; "" if the
// configuration has none. It comes from the Flex configuration.
func (c *call) instance() string {
	conf := c.one("flex_configuration", nil)
	if conf == nil {
		return ""
	}
	return conf.text("flex_instance_sid")
}

// checkInstance refuses an instance that is not the account's. Without a
// configuration any instance is accepted.
func (c *call) checkInstance() *apiError {
	if own := c.instance(); own != "" && own != c.vars["instance_sid"] {
		return notFound(c.path)
	}
	return nil
}

// createInteractionWebhook adds a webhook to the account's instance. Its
// identity is called ttid, so the SID that the engine made is kept as that.
func createInteractionWebhook(c *call, rec *record) *apiError {
	if err := c.checkInstance(); err != nil {
		return err
	}
	rec.id = rec.text("sid")
	rec.drop("sid")
	if s := rec.text("type"); s != "global" && s != "interaction" {
		return invalid("Invalid value for parameter Type: %.100q", s)
	}
	return saveInteractionWebhook(c, rec)
}

// saveInteractionWebhook checks the events, the method and the URL. The method
// is GET or POST, in capitals.
func saveInteractionWebhook(_ *call, rec *record) *apiError {
	events, _ := rec.get("webhook_events").([]string)
	for _, e := range events {
		if !slices.Contains(interactionEvents, e) {
			return invalid("Invalid value for parameter WebhookEvents: %.40q is not an event", e)
		}
	}
	if m := rec.text("webhook_method"); m != http.MethodGet && m != http.MethodPost {
		return invalid("Invalid value for parameter WebhookMethod: %.100q", m)
	}
	return checkURL("WebhookUrl", rec.text("webhook_url"))
}

// checkInteractionWebhook refuses an interaction whose webhook is not one for
// interactions. A webhook of type global is called for every interaction, so
// naming it for one would be a mistake.
func checkInteractionWebhook(c *call, rec *record) *apiError {
	ttid := rec.text("webhook_ttid")
	if ttid == "" || !c.form.Has("WebhookTtid") {
		return nil
	}
	if hook := c.one("interaction_webhooks", map[string]any{"ttid": ttid}); hook == nil || hook.text("type") != "interaction" {
		return invalid("WebhookTtid %.60s is not a webhook of type interaction", ttid)
	}
	return nil
}
