package twiliofake

import (
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/flexfn/flexfn/internal/sid"
)

// flexPluginRows are the Plugins API: plugins with their versions,
// configurations of them, and releases, of which the newest is the active one.
// See https://www.twilio.com/docs/flex/developer/plugins/api and, for archiving,
// https://www.twilio.com/docs/flex/developer/plugins/cli/archive.
//
// Lists begin with the newest, which is how Twilio's plugin builder finds the
// active release and the latest version. Codes of refusals are not documented:
// 20409 is for names that are taken, 20001 for the rest.
func flexPluginRows() []resource {
	const (
		plugin        = "/v1/PluginService/Plugins"
		version       = plugin + "/{plugin_sid}/Versions"
		configuration = "/v1/PluginService/Configurations"
	)
	archived := field{"archived", boolean, false, never}
	return []resource{
		{
			name: "flex_plugins", host: "flex-api", prefix: "FP", table: true, can: create | fetch | update | list, newest: true,
			paths: []string{plugin + "/{sid}"}, alias: []string{"unique_name"}, unique: []unique{{field: "unique_name", code: 20409}},
			fields: []field{archived},
			create: savePlugin,
			update: savePlugin,
		},
		{
			name: "flex_plugin_versions", host: "flex-api", prefix: "FV", table: true, can: create | fetch | list, newest: true,
			paths: []string{version + "/{sid}"}, alias: []string{"version"}, unique: []unique{{field: "version", code: 20409}},
			fields: []field{archived, {"private", boolean, false, never}},
			create: createPluginVersion,
			view: func(_ *call, rec *record, m map[string]any) {
				if _, ok := m["validated"]; ok { // the answer to an archiving has no such field
					m["validated"] = rec.flag("validated")
				}
			},
		},
		{
			// It never changes, except that it can be archived.
			name: "flex_plugin_configurations", host: "flex-api", prefix: "FJ", table: true, can: create | fetch | list, newest: true,
			paths:  []string{configuration + "/{sid}"},
			fields: []field{archived},
			create: createPluginConfiguration,
		},
		{
			// A plugin as a configuration has it. Only the version and the phase
			// are its own.
			name: "flex_configured_plugins", host: "flex-api", table: true, can: readOnly,
			paths: []string{configuration + "/{configuration_sid}/Plugins/{plugin_sid}"}, alias: []string{"unique_name"},
			fields: []field{{"phase", integer, defaultPhase, never}},
			view:   viewConfiguredPlugin,
		},
		{
			name: "flex_plugin_releases", host: "flex-api", prefix: "FK", table: true, can: create | fetch | list, newest: true,
			paths: []string{"/v1/PluginService/Releases/{sid}"},
			find: func(c *call, id string) *record {
				if id == "Active" {
					return c.activeRelease()
				}
				return nil
			},
			create: createPluginRelease,
		},
		{name: "flex_plugin_archiving", host: "flex-api", can: update, special: archive, paths: []string{plugin + "/{plugin_sid}/Archive"}},
		{name: "flex_plugin_version_archiving", host: "flex-api", can: update, special: archive, paths: []string{version + "/{version_sid}/Archive"}},
		{name: "flex_plugin_configuration_archiving", host: "flex-api", can: update, special: archive, paths: []string{configuration + "/{configuration_sid}/Archive"}},
	}
}

// defaultPhase is when a plugin is initialized unless its configuration says
// otherwise: the phase that Twilio's plugin builder asks for.
const defaultPhase = 3

// savePlugin checks the description, whose limit is in twilio-go's comment. A
// plugin that is archived can still be described.
func savePlugin(_ *call, rec *record) *apiError {
	if n := len([]rune(rec.text("description"))); n > 500 {
		return invalid("Description must have at most 500 characters, not %d", n)
	}
	return nil
}

// createPluginVersion adds a version to a plugin that is not archived.
func createPluginVersion(c *call, rec *record) *apiError {
	if c.parent.flag("archived") {
		return invalid("Plugin %s is archived", c.parent.id)
	}
	return checkURL("PluginUrl", rec.text("plugin_url"))
}

// createPluginConfiguration puts versions of plugins together, at most one of
// each. Plugins is a JSON object or an array of them, repeated or not. Without
// any, the configuration turns all plugins off.
func createPluginConfiguration(c *call, rec *record) *apiError {
	var wanted []any
	given, _ := rec.get("plugins").([]any)
	for _, v := range given {
		if more, ok := v.([]any); ok {
			wanted = append(wanted, more...)
		} else {
			wanted = append(wanted, v)
		}
	}
	rec.drop("plugins")
	kind := c.rows.byName["flex_configured_plugins"]
	var made []*record
	for _, v := range wanted {
		m, _ := v.(map[string]any)
		name := textOf(m["plugin_version"])
		version := c.one("flex_plugin_versions", map[string]any{"sid": name})
		if !sid.Valid(name, "FV") || version == nil {
			return invalid("Plugins: plugin_version %.40q is not the SID of a version", name)
		}
		plugin := version.owner
		if version.flag("archived") || plugin.flag("archived") {
			return invalid("Plugins: version %s of plugin %s is archived", version.text("version"), plugin.text("unique_name"))
		}
		if slices.ContainsFunc(made, func(o *record) bool { return o.id == plugin.id }) {
			return invalid("Plugins: two versions of plugin %s", plugin.text("unique_name"))
		}
		installed := c.store.record(kind, rec, plugin.id)
		installed.setAll(map[string]any{
			"plugin_version_sid": version.id, "unique_name": plugin.text("unique_name"), "date_created": c.now.Format(time.RFC3339),
		})
		if phase, ok := m["phase"]; ok {
			n, ok := integer.fits(phase)
			if !ok || n == nil {
				return invalid("Plugins: phase %.40v is not a number", phase)
			}
			installed.set("phase", n)
		}
		made = append(made, installed)
	}
	for _, installed := range made {
		c.add(installed)
	}
	return nil
}

// viewConfiguredPlugin fills in what the plugin and its version say now.
func viewConfiguredPlugin(c *call, rec *record, m map[string]any) {
	version := c.one("flex_plugin_versions", map[string]any{"sid": rec.text("plugin_version_sid"), "plugin_sid": rec.id})
	if version == nil {
		return // a state document has the configuration without it
	}
	for _, name := range []string{"plugin_url", "version", "changelog", "private"} {
		m[name] = version.get(name)
	}
	for _, name := range []string{"friendly_name", "description"} {
		m[name] = version.owner.get(name)
	}
	m["plugin_archived"], m["plugin_version_archived"] = version.owner.flag("archived"), version.flag("archived")
}

// activeRelease returns the newest release, or nil.
func (c *call) activeRelease() *record {
	return c.account.child("flex-api/v1/PluginService/Releases").last()
}

// activePlugin returns the plugin as the active release has it, or nil.
func (c *call) activePlugin(plugin string) *record {
	release := c.activeRelease()
	if release == nil {
		return nil
	}
	return c.one("flex_configured_plugins", map[string]any{"configuration_sid": release.text("configuration_sid"), "plugin_sid": plugin})
}

// createPluginRelease makes a configuration the active one. A configuration that
// is archived, or has a plugin or a version that is, cannot be released.
func createPluginRelease(c *call, rec *record) *apiError {
	sid := c.form.Get("ConfigurationId")
	configuration := c.one("flex_plugin_configurations", map[string]any{"sid": sid})
	if configuration == nil {
		return invalid("ConfigurationId %.40q is not the SID of a configuration", sid)
	}
	if configuration.flag("archived") {
		return invalid("Configuration %s is archived", sid)
	}
	for installed := range configuration.child("Plugins").all() {
		m := map[string]any{}
		if viewConfiguredPlugin(c, installed, m); m["plugin_archived"] == true || m["plugin_version_archived"] == true {
			return invalid("Configuration %s has plugin %s, which is archived", sid, installed.text("unique_name"))
		}
	}
	rec.drop("ConfigurationId")
	rec.set("configuration_sid", sid)
	return nil
}

// archive archives the item above the path, for good. What the active release
// uses cannot be archived, and nothing twice.
func archive(c *call) (*response, *apiError) {
	rec := c.parent
	if rec.flag("archived") {
		return nil, invalid("%s is archived already", rec.id)
	}
	used := false
	switch release := c.activeRelease(); rec.kind.name {
	case "flex_plugins":
		used = c.activePlugin(rec.id) != nil
	case "flex_plugin_versions":
		installed := c.activePlugin(rec.owner.id)
		used = installed != nil && installed.text("plugin_version_sid") == rec.id
	default:
		used = release != nil && release.text("configuration_sid") == rec.id
	}
	if used {
		return nil, invalid("%s is part of the active release", rec.id)
	}
	c.set(rec, map[string]any{"archived": true})
	return c.answerAbove(http.StatusOK), nil
}

// answerAbove answers with the item above the path, as a request for that item
// would show it.
func (c *call) answerAbove(status int) *response {
	at := *c
	at.node, at.resource = c.node.parent, c.parent.kind.row
	at.vars = maps.Clone(c.vars)
	for i, name := range at.node.vars {
		at.vars[name] = c.vars[c.node.vars[i]]
	}
	return at.answer(status, c.parent)
}
