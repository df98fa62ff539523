package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/functions"
	"github.com/flexfn/flexfn/twilioapi"
)

// maxPluginConfig bounds the size of a plugin's configuration, in bytes. Real
// ones have some kilobytes.
const maxPluginConfig = 4 << 20

// migrate compares the features that the Flex plugin has switched on with those
// that a server with these settings serves. Each source is merged into the ones
// before it, as the template deploys its common file and then an environment's.
//
// A feature that the plugin has on and the server lacks is a failure, since agents
// would see a button that does nothing. A feature without functions of its own is
// only mentioned.
func (r *report) migrate(ctx context.Context, app *flexfn.App, served functions.Config, sources []string) {
	const what = "plugin"
	merged := json.RawMessage("{}")
	for _, source := range sources {
		attributes, err := pluginConfig(ctx, app, source)
		if err == nil {
			merged, err = twilioapi.MergeAttributes(merged, attributes)
		}
		if err != nil {
			r.say(failed, what, fmt.Sprintf("its configuration cannot be read from %s: %v", withoutUser(source), err),
				"give --migrate the file with the plugin's ui_attributes, or https://flex-api.twilio.com/v1/Configuration")
			return
		}
	}
	on, err := featuresOn(merged)
	if err != nil {
		r.say(failed, what, err.Error(), "give --migrate the ui_attributes, which list the features in custom_data.features")
		return
	}
	if len(on) == 0 {
		r.say(warning, what, "no feature is on in this configuration", "if there should be some, give --migrate the common file too, before the environment's")
		return
	}
	for _, f := range served.Status(app.Config()) {
		// The features that are left in on after the loop have no ready-made
		// functions.
		i := slices.Index(on, f.Name)
		if i < 0 {
			continue
		}
		on = slices.Delete(on, i, i+1)
		what := what + ", " + f.Name
		switch {
		case !f.Chosen:
			r.say(failed, what, "on in the plugin, and not served: FLEXFN_FEATURES leaves it out", "add it to FLEXFN_FEATURES, or switch it off in the plugin")
		case len(f.Missing) > 0:
			r.say(failed, what, "on in the plugin, and not served: "+strings.Join(f.Missing, ", ")+" not set", "set what is missing (docs/configuration.md), or switch the feature off in the plugin")
		case len(f.Disabled) > 0:
			r.say(warning, what, "served, without "+strings.Join(f.Disabled, ", "), "take them out of FLEXFN_DISABLED_FUNCTIONS, unless functions of yours have their paths")
		case f.Limit != "":
			r.say(warning, what, "served, but "+f.Limit, "look at its settings in docs/migrate.md, and at the plugin's")
		default:
			r.say(fine, what, "served", "")
		}
	}
	if len(on) > 0 {
		r.say(skipped, what+", "+strings.Join(on, ", "), "on, and without ready-made functions of their own; what they call below /common/ is served",
			"those that call functions of yours need them in Go, or a proxy (docs/migrate.md)")
	}
}

// featuresOn lists the features that are on, sorted, by their names in the
// paths of their functions. The plugin's names have underscores where paths
// have hyphens. enabled may be the string "true", which is what the
// substitution of a variable leaves.
func featuresOn(attributes json.RawMessage) ([]string, error) {
	var config struct {
		CustomData *struct {
			Features map[string]json.RawMessage `json:"features"`
		} `json:"custom_data"`
	}
	if err := json.Unmarshal(attributes, &config); err != nil {
		return nil, errors.New("custom_data.features of its configuration is not an object")
	}
	if config.CustomData == nil {
		return nil, errors.New("its configuration has no custom_data")
	}
	on := []string{}
	for name, settings := range config.CustomData.Features {
		var feature struct {
			Enabled any `json:"enabled"`
		}
		if json.Unmarshal(settings, &feature) == nil && (feature.Enabled == true || feature.Enabled == "true") {
			on = append(on, strings.ReplaceAll(name, "_", "-"))
		}
	}
	slices.Sort(on)
	return on, nil
}

// pluginConfig reads the ui_attributes from a file, from Flex's configuration
// at Twilio, or from another URL. The account's credentials are sent only to
// Twilio. The match is exact: https, that host and no user in the URL.
func pluginConfig(ctx context.Context, app *flexfn.App, source string) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	u, err := url.Parse(source)
	var text []byte
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https":
		if text, err = os.ReadFile(source); err != nil {
			return nil, errors.Unwrap(err) // without the file's name, which the message begins with
		}
	case u.Scheme == "https" && u.Host == "flex-api.twilio.com" && u.User == nil:
		res := twilioapi.FlexConfiguration(app.Context(ctx))
		return res.Data, res.Err()
	default:
		if text, err = download(ctx, source); err != nil {
			return nil, err
		}
	}
	var whole map[string]json.RawMessage
	if err := json.Unmarshal(text, &whole); err != nil || whole == nil {
		return nil, errors.New("it is not a JSON object")
	}
	if attributes, ok := whole["ui_attributes"]; ok { // as Twilio answers
		return attributes, nil
	}
	return text, nil
}

// download reads a plugin's configuration from a URL other than Twilio's,
// without credentials. It reads at most maxPluginConfig bytes.
func download(ctx context.Context, source string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, source, nil)
	if err != nil {
		return nil, errors.New("it is not a URL")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // without the URL, which may have a password
		}
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the server answers %d", resp.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxPluginConfig+1))
	if err == nil && len(text) > maxPluginConfig {
		err = errors.New("it is longer than 4 MiB")
	}
	return text, err
}

// withoutUser returns source without its user, password and query. Messages use
// it, and end up in logs of CI.
func withoutUser(source string) string {
	u, err := url.Parse(source)
	if err != nil || u.Host == "" {
		return source
	}
	return u.Scheme + "://" + u.Host + u.Path
}
