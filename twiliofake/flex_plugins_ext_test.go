package twiliofake_test

import (
	"net/url"
	"testing"

	flex "github.com/twilio/twilio-go/rest/flex/v1"
)

const pluginService = flexAPI + "/v1/PluginService"

// TestFlexPlugins releases plugins as Twilio's plugin builder and functions do:
// plugins, versions, configurations of them, and releases, of which the newest
// is active.
func TestFlexPlugins(t *testing.T) {
	fake := newFake(t)
	api := flex.NewApiService(newClient(fake))
	plugin := must[*flex.FlexV1Plugin](t)(api.CreatePlugin(new(flex.CreatePluginParams).SetUniqueName("plugin-sample").SetFriendlyName("Sample")))
	if *plugin.Archived || plugin.DateCreated == nil {
		t.Errorf("the plugin is archived %v, created %v", *plugin.Archived, plugin.DateCreated)
	}
	ask(t, fake, "POST", pluginService+"/Plugins", "UniqueName=plugin-sample").want(t, 409, "code", 20409)
	version := func(number string) *flex.FlexV1PluginVersion {
		t.Helper()
		return must[*flex.FlexV1PluginVersion](t)(api.CreatePluginVersion("plugin-sample",
			new(flex.CreatePluginVersionParams).SetVersion(number).SetPluginUrl("https://example.com/"+number+"/bundle.js").SetChangelog("c"+number)))
	}
	first, second := version("1.0.0"), version("1.1.0")
	ask(t, fake, "POST", pluginService+"/Plugins/plugin-sample/Versions", "Version=1.1.0&PluginUrl=https://example.com/x.js").want(t, 409, "code", 20409)
	ask(t, fake, "POST", pluginService+"/Plugins/plugin-sample/Versions", "Version=1.2.0&PluginUrl=bundle.js").want(t, 400, "code", 20001)
	ask(t, fake, "GET", pluginService+"/Plugins/plugin-sample/Versions/1.0.0", "").want(t, 200, "sid", *first.Sid, "plugin_sid", *plugin.Sid, "validated", false)
	if list := ask(t, fake, "GET", pluginService+"/Plugins/plugin-sample/Versions", "").items(t, "plugin_versions"); list[0]["version"] != "1.1.0" {
		t.Errorf("the first version listed is %v, want the newest", list[0]["version"])
	}

	// Both forms of a list of objects are taken.
	configuration := must[*flex.FlexV1PluginConfiguration](t)(api.CreatePluginConfiguration(new(flex.CreatePluginConfigurationParams).
		SetName("one").SetPlugins([]any{map[string]any{"plugin_version": *first.Sid}})))
	other := ask(t, fake, "POST", pluginService+"/Configurations", url.Values{"Name": {"two"}, "Plugins": {`[{"plugin_version": "` + *second.Sid + `", "phase": 2}]`}}.Encode()).want(t, 201, "name", "two", "archived", false)
	none := ask(t, fake, "POST", pluginService+"/Configurations", "Name=Disable+all").want(t, 201)
	for _, plugins := range []string{
		`{"plugin_version": "` + *plugin.Sid + `"}`, `{}`, `x`,
		`[{"plugin_version": "` + *first.Sid + `"}, {"plugin_version": "` + *second.Sid + `"}]`,
		`{"plugin_version": "` + *first.Sid + `", "phase": "late"}`,
	} {
		ask(t, fake, "POST", pluginService+"/Configurations", url.Values{"Name": {"x"}, "Plugins": {plugins}}.Encode()).want(t, 400, "code", 20001)
	}
	ask(t, fake, "GET", pluginService+"/Configurations/"+*configuration.Sid+"/Plugins/plugin-sample", "").want(t, 200,
		"plugin_sid", *plugin.Sid, "plugin_version_sid", *first.Sid, "version", "1.0.0", "phase", 3, "friendly_name", "Sample", "changelog", "c1.0.0",
		"plugin_url", "https://example.com/1.0.0/bundle.js", "plugin_archived", false, "plugin_version_archived", false)
	if list := must[[]flex.FlexV1ConfiguredPlugin](t)(api.ListConfiguredPlugin(other.sid(t), nil)); len(list) != 1 || *list[0].Version != "1.1.0" || list[0].Phase != 2 {
		t.Errorf("the other configuration has %v", list)
	}
	if list := must[[]flex.FlexV1ConfiguredPlugin](t)(api.ListConfiguredPlugin(none.sid(t), nil)); len(list) != 0 {
		t.Errorf("the empty configuration has %v", list)
	}

	ask(t, fake, "GET", pluginService+"/Releases/Active", "").want(t, 404, "code", 20404)
	release := func(sid string) answer {
		t.Helper()
		return ask(t, fake, "POST", pluginService+"/Releases", "ConfigurationId="+sid)
	}
	release("FJ00000000000000000000000000000009").want(t, 400, "code", 20001)
	release(*configuration.Sid).want(t, 201, "configuration_sid", *configuration.Sid)
	latest := release(other.sid(t)).want(t, 201)
	ask(t, fake, "GET", pluginService+"/Releases/Active", "").want(t, 200, "sid", latest.sid(t), "configuration_sid", other.sid(t))
	if list := must[[]flex.FlexV1PluginRelease](t)(api.ListPluginRelease(nil)); len(list) != 2 || *list[0].Sid != latest.sid(t) {
		t.Errorf("the releases are %v, want the newest first", list)
	}
}

// TestFlexPluginsArchive archives versions, plugins and configurations: never
// what the active release uses, and for good.
func TestFlexPluginsArchive(t *testing.T) {
	fake := newFake(t)
	api := flex.NewApiService(newClient(fake))
	post := func(path, form string) answer { t.Helper(); return ask(t, fake, "POST", pluginService+path, form) }
	plugin := post("/Plugins", "UniqueName=p").want(t, 201)
	old := post("/Plugins/p/Versions", "Version=1&PluginUrl=https://example.com/1.js").want(t, 201)
	current := post("/Plugins/p/Versions", "Version=2&PluginUrl=https://example.com/2.js").want(t, 201)
	with := func(version answer) answer {
		t.Helper()
		return post("/Configurations", url.Values{"Name": {"c"}, "Plugins": {`{"plugin_version": "` + version.sid(t) + `"}`}}.Encode()).want(t, 201)
	}
	before, now := with(old), with(current)
	empty := post("/Configurations", "Name=none").want(t, 201)
	post("/Releases", "ConfigurationId="+now.sid(t)).want(t, 201)

	post("/Plugins/p/Archive", "").want(t, 400, "code", 20001)
	post("/Plugins/p/Versions/2/Archive", "").want(t, 400, "code", 20001)
	post("/Configurations/"+now.sid(t)+"/Archive", "").want(t, 400, "code", 20001)
	gone := post("/Plugins/p/Versions/1/Archive", "").want(t, 200, "archived", true, "version", "1", "url", pluginService+"/Plugins/"+plugin.sid(t)+"/Versions/"+old.sid(t))
	if _, ok := gone.body["validated"]; ok {
		t.Errorf("the answer has more than its model: %s", gone.text)
	}
	post("/Plugins/p/Versions/1/Archive", "").want(t, 400, "code", 20001)
	post("/Releases", "ConfigurationId="+before.sid(t)).want(t, 400, "code", 20001)
	post("/Configurations", url.Values{"Name": {"c"}, "Plugins": {`{"plugin_version": "` + old.sid(t) + `"}`}}.Encode()).want(t, 400, "code", 20001)

	// Once nothing is released that has the plugin, it can go.
	post("/Releases", "ConfigurationId="+empty.sid(t)).want(t, 201)
	archived := must[*flex.FlexV1PluginArchive](t)(api.UpdatePluginArchive("p", nil))
	if !*archived.Archived || *archived.UniqueName != "p" {
		t.Errorf("the plugin is archived %v: %v", *archived.Archived, *archived.UniqueName)
	}
	post("/Plugins/p/Versions", "Version=3&PluginUrl=https://example.com/3.js").want(t, 400, "code", 20001)
	post("/Releases", "ConfigurationId="+now.sid(t)).want(t, 400, "code", 20001)
	ask(t, fake, "GET", pluginService+"/Configurations/"+now.sid(t)+"/Plugins/p", "").want(t, 200, "plugin_archived", true, "plugin_version_archived", false)
	post("/Configurations/"+now.sid(t)+"/Archive", "").want(t, 200, "archived", true)
	post("/Releases", "ConfigurationId="+now.sid(t)).want(t, 400, "code", 20001)
}
