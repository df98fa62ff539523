package twiliofake

import (
	"net/http"
	"slices"
	"strings"
)

// conversationServiceRows are the conversation services, each with its settings
// and its roles. A new service gets Twilio's four roles, and its configuration
// points at three of them. Deleting a service deletes what belongs to it. See
// https://www.twilio.com/docs/conversations/api/service-resource. Bindings come
// from the state: devices register for push through Twilio's SDKs.
func conversationServiceRows() []resource {
	const service = "/v1/Services/{chat_service_sid}"
	return []resource{
		{
			name: "conversation_services", host: "conversations", prefix: "IS", table: true,
			paths:  []string{"/v1/Services/{sid}"},
			can:    create | fetch | remove | list,
			fields: []field{{"friendly_name", text, nil, never}},
			create: func(_ *call, rec *record) *apiError {
				if len(rec.text("friendly_name")) > maxConversationName {
					return invalid("FriendlyName must have at most %d characters", maxConversationName)
				}
				return nil
			},
			remove: removeConversationService,
			changed: func(c *call, before, service *record) {
				if before == nil {
					c.addDefaultRoles(service)
				}
			},
		},
		{
			name: "conversation_service_configurations", host: "conversations", table: true, can: fetch | update, bare: true,
			paths: []string{service + "/Configuration"},
			fields: []field{
				{"default_chat_service_role_sid", text, nil, never},
				{"default_conversation_creator_role_sid", text, nil, never},
				{"default_conversation_role_sid", text, nil, never},
				{"reachability_enabled", boolean, false, never},
			},
			find:   oneOfAKind,
			update: updateServiceConfiguration,
		},
		{
			name: "conversation_service_notifications", host: "conversations", table: true, can: fetch | update, bare: true,
			paths: []string{service + "/Configuration/Notifications"},
			fields: []field{
				{"added_to_conversation", value, map[string]any{"enabled": false}, never},
				{"log_enabled", boolean, false, never},
				{"new_message", value, map[string]any{"enabled": false, "badge_count_enabled": false}, never},
				{"removed_from_conversation", value, map[string]any{"enabled": false}, never},
			},
			find: oneOfAKind,
		},
		{
			name: "conversation_service_webhooks", host: "conversations", table: true, can: fetch | update, bare: true,
			paths: []string{service + "/Configuration/Webhooks"},
			fields: []field{
				{"filters", many, nil, never},
				{"method", text, nil, never},
				{"post_webhook_url", text, nil, never},
				{"pre_webhook_url", text, nil, never},
			},
			find:   oneOfAKind,
			update: updateWebhookSettings,
		},
		{
			name: "conversation_roles", host: "conversations", prefix: "RL", table: true, can: all,
			paths: []string{"/v1/Roles/{sid}", service + "/Roles/{sid}"},
			fields: []field{
				{"chat_service_sid", text, nil, never},
				{"friendly_name", text, nil, never},
				{"permissions", many, nil, never},
				{"type", text, nil, never},
			},
			scope:  inDefaultService("Roles"),
			load:   loadIntoService,
			create: createRole,
			update: saveRole,
			remove: removeRole,
		},
		{
			name: "conversation_bindings", host: "conversations", prefix: "BS", table: true, can: fetch | remove | list,
			paths: []string{service + "/Bindings/{sid}"},
		},
	}
}

// oneOfAKind returns a singleton that was never changed. It is a find hook:
// fetching it shows the initial values, and only a change adds it to the state.
func oneOfAKind(c *call, _ string) *record {
	rec := c.blank(c.kind.name, c.parent)
	if c.method != http.MethodGet {
		c.store.add(rec)
	}
	return rec
}

// removeConversationService deletes the service's conversations, users and
// roles. They are stored below the account, since they are also at paths
// without a service, so the tree would keep them.
func removeConversationService(c *call, rec *record) *apiError {
	for _, path := range []string{"Conversations", "Users", "Roles"} {
		for _, item := range slices.Collect(rec.child(path).all()) {
			if path == "Conversations" {
				removeConversation(c, item) //nolint:errcheck // never fails
			}
			c.drop(item)
		}
	}
	conf := c.account.child("conversations/v1/Configuration").find("", nil)
	if conf != nil && conf.text("default_chat_service_sid") == rec.id {
		c.set(conf, map[string]any{"default_chat_service_sid": nil})
	}
	return nil
}

// These are the permissions that a role of each type can grant; see
// https://www.twilio.com/docs/conversations/api/role-resource. A role of type
// service is for users, one of type conversation for participants.
var (
	servicePermissions = []string{
		"addParticipant", "createConversation", "deleteAnyMessage", "deleteConversation", "editAnyMessage", "editAnyMessageAttributes",
		"editAnyUserInfo", "editConversationAttributes", "editConversationName", "editOwnMessage", "editOwnMessageAttributes",
		"editOwnUserInfo", "joinConversation", "removeParticipant",
	}
	conversationPermissions = []string{
		"addParticipant", "deleteAnyMessage", "deleteOwnMessage", "deleteConversation", "editAnyMessage", "editAnyMessageAttributes",
		"editAnyUserInfo", "editConversationAttributes", "editConversationName", "editOwnMessage", "editOwnMessageAttributes",
		"editOwnUserInfo", "leaveConversation", "removeParticipant", "sendMediaMessage", "sendMessage",
	}
)

// defaultRoles are the roles of a new service, by the settings that name them.
// The role without a setting is not a default.
var defaultRoles = []struct {
	name, kind, setting string
	permissions         []string
}{
	{"service admin", "service", "", servicePermissions},
	{"service user", "service", "default_chat_service_role_sid", []string{"createConversation", "editOwnUserInfo", "joinConversation"}},
	{"channel admin", "conversation", "default_conversation_creator_role_sid", conversationPermissions},
	{"channel user", "conversation", "default_conversation_role_sid", []string{
		"deleteOwnMessage", "editOwnMessage", "editOwnMessageAttributes", "editOwnUserInfo", "leaveConversation", "sendMediaMessage", "sendMessage",
	}},
}

// addDefaultRoles adds the roles of a new service and its configuration. It
// runs as part of the changed hook, so services that other hooks make get them
// too.
func (c *call) addDefaultRoles(service *record) {
	conf := c.blank("conversation_service_configurations", service)
	for _, r := range defaultRoles {
		role := c.blank("conversation_roles", c.account)
		role.setAll(map[string]any{
			"chat_service_sid": service.id, "friendly_name": r.name, "type": r.kind, "permissions": slices.Clone(r.permissions),
		})
		c.store.add(role)
		if r.setting != "" {
			conf.set(r.setting, role.id)
		}
	}
	c.store.add(conf)
}

// settings returns the configuration of a service; nil if it has none. A
// service from a state document need not have one.
func settings(service *record) *record { return service.child("Configuration").find("", nil) }

// role checks the role of a user or participant. Without one, it gives the role
// that a setting of the service names; an update passes an empty setting, which
// gives none.
func (c *call) role(service, rec *record, kind, setting string) *apiError {
	sid := rec.text("role_sid")
	if sid == "" {
		if conf := settings(service); conf != nil && setting != "" {
			rec.set("role_sid", conf.get(setting))
		}
		return nil
	}
	return checkRole(service, sid, kind)
}

// checkRole refuses a role that the service does not have, or that is of the
// other type. 50100 is for a role that does not exist, 50105 for one of the
// wrong type.
func checkRole(service *record, sid, kind string) *apiError {
	role := service.child("Roles").find(sid, nil)
	if role == nil {
		return refuse(http.StatusBadRequest, 50100, "Role not found: service %s has no role %.40s", service.id, sid)
	}
	if role.text("type") != kind {
		return refuse(http.StatusBadRequest, 50105, "Invalid role type: %s is a role of type %s, not %s", sid, role.text("type"), kind)
	}
	return nil
}

// updateServiceConfiguration checks the default roles. Each default must be a
// role of the service, of the right type.
func updateServiceConfiguration(c *call, rec *record) *apiError {
	for param, kind := range map[string]string{
		"DefaultConversationCreatorRoleSid": "conversation", "DefaultConversationRoleSid": "conversation", "DefaultChatServiceRoleSid": "service",
	} {
		if !c.form.Has(param) {
			continue
		}
		if err := checkRole(c.parent, c.form.Get(param), kind); err != nil {
			return err
		}
	}
	return nil
}

// createRole puts a role in its service. The limit of the name is in
// twilio-go's comment on FriendlyName.
func createRole(c *call, rec *record) *apiError {
	if n := len(rec.text("friendly_name")); n > 64 {
		return invalid("FriendlyName must have at most 64 characters, not %d", n)
	}
	rec.set("chat_service_sid", c.needService().id)
	rec.set("type", strings.ToLower(rec.text("type")))
	return saveRole(c, rec)
}

// saveRole replaces a role's permissions. Permission is repeated in the
// request; afterwards the role has exactly those permissions.
func saveRole(c *call, rec *record) *apiError {
	var known []string
	switch rec.text("type") {
	case "service":
		known = servicePermissions
	case "conversation":
		known = conversationPermissions
	}
	for _, p := range c.form["Permission"] {
		if !slices.Contains(known, p) {
			return invalid("Permission %.40q does not exist for roles of type %s", p, rec.text("type"))
		}
	}
	rec.drop("Permission")
	rec.set("permissions", slices.Clone(c.form["Permission"]))
	return nil
}

// removeRole refuses to delete a role that the service gives by default.
func removeRole(c *call, rec *record) *apiError {
	service := c.account.child(servicesPath).find(rec.text("chat_service_sid"), nil)
	if service == nil {
		return nil
	}
	for _, r := range defaultRoles {
		if conf := settings(service); conf != nil && r.setting != "" && conf.text(r.setting) == rec.id {
			return invalid("Role %s is the service's %s", rec.id, r.setting)
		}
	}
	return nil
}
