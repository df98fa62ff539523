package twiliofake

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// serverlessRows are the resources of serverless.twilio.com. No code runs: a
// build is completed as soon as it is read, and logs come from the state. New
// versions of functions and assets are uploaded to
// serverless-upload.twilio.com.
//
// Domains and statuses follow the requests, so a deployment tool works against
// the fake: create a service, upload versions, build, poll the build, deploy it
// to an environment. A name that is taken is 20409.
func serverlessRows() []resource {
	const service = "/v1/Services/{service_sid}"
	const environment = service + "/Environments/{environment_sid}"
	version := []field{
		{"_content", text, "", onCreate},
		{"path", text, nil, onCreate | required},
		{"visibility", text, nil, onCreate | required},
	}
	content := map[string]string{"Content": "_content"}
	return []resource{
		{
			// domain_base is the unique name and a random number, as
			// twilio-go's comment says.
			name: "serverless_services", host: "serverless", prefix: "ZS", table: true, can: all,
			paths: []string{"/v1/Services/{sid}"}, alias: []string{"unique_name"},
			unique: []unique{{field: "unique_name", code: 20409}},
			fields: []field{
				{"domain_base", text, nil, never},
				{"include_credentials", boolean, true, never},
				{"ui_editable", boolean, false, never},
			},
			create: func(c *call, rec *record) *apiError {
				rec.set("domain_base", fmt.Sprintf("%s-%04d", rec.text("unique_name"), c.store.sids.Uint32()%10000))
				return nil
			},
		},
		{
			name: "serverless_environments", host: "serverless", prefix: "ZE", table: true, can: create | fetch | remove | list,
			paths: []string{service + "/Environments/{sid}"}, unique: []unique{{field: "unique_name", code: 20409}},
			fields: []field{
				{"build_sid", text, nil, never},
				{"domain_name", text, nil, never},
				{"domain_suffix", text, nil, never},
			},
			create: createEnvironment,
		},
		{
			name: "serverless_variables", host: "serverless", prefix: "ZV", table: true, can: all,
			paths: []string{environment + "/Variables/{sid}"}, unique: []unique{{field: "key", code: 20409}},
		},
		{
			name: "serverless_deployments", host: "serverless", prefix: "ZD", table: true, can: create | fetch | list,
			paths:  []string{environment + "/Deployments/{sid}"},
			fields: []field{{"build_sid", text, nil, never}},
			create: deploy,
		},
		{
			name: "serverless_logs", host: "serverless", table: true, can: readOnly,
			paths: []string{environment + "/Logs/{sid}"},
			fields: []field{
				{"build_sid", text, nil, never},
				{"deployment_sid", text, nil, never},
				{"function_sid", text, nil, never},
				{"level", text, "info", never},
				{"message", text, "", never},
				{"request_sid", text, nil, never},
			},
			narrow: map[string]func(*call, []string) (func(*record) bool, *apiError){"": logsOfToday, "StartDate": since, "EndDate": until},
		},
		{
			name: "serverless_functions", host: "serverless", prefix: "ZH", table: true, can: all,
			paths: []string{service + "/Functions/{sid}"},
		},
		{
			name: "serverless_function_versions", host: "serverless", upload: "serverless-upload", prefix: "ZN", list: "function_versions",
			paths: []string{service + "/Functions/{function_sid}/Versions/{sid}"}, can: create | readOnly,
			fields: slices.Concat(version, []field{{"function_sid", text, nil, never}, {"service_sid", text, nil, never}}),
			params: content, create: uploadVersion, view: viewVersion,
		},
		{
			name: "serverless_function_content", host: "serverless", can: fetch, special: functionContent,
			paths: []string{service + "/Functions/{function_sid}/Versions/{version_sid}/Content"},
		},
		{
			name: "serverless_assets", host: "serverless", prefix: "ZH", table: true, can: all,
			paths: []string{service + "/Assets/{sid}"},
		},
		{
			name: "serverless_asset_versions", host: "serverless", upload: "serverless-upload", prefix: "ZN", list: "asset_versions",
			paths: []string{service + "/Assets/{asset_sid}/Versions/{sid}"}, can: create | readOnly,
			fields: slices.Concat(version, []field{{"asset_sid", text, nil, never}, {"service_sid", text, nil, never}}),
			params: content, create: uploadVersion, view: viewVersion,
		},
		{
			// The answer to the create says building, and every later one says
			// completed, since clients poll until it does.
			name: "serverless_builds", host: "serverless", prefix: "ZB", table: true, can: create | fetch | remove | list,
			paths: []string{service + "/Builds/{sid}"},
			fields: []field{
				{"asset_versions", value, []any{}, never},
				{"dependencies", value, []any{}, never},
				{"function_versions", value, []any{}, never},
				{"runtime", text, "node22", never},
				{"status", text, "completed", never},
			},
			create: createBuild,
			view: func(c *call, rec *record, m map[string]any) {
				if c.method == http.MethodPost && rec.text("status") == "completed" {
					m["status"] = "building"
				}
			},
		},
		{
			name: "serverless_build_status", host: "serverless", can: fetch,
			paths:   []string{service + "/Builds/{build_sid}/Status"},
			special: func(c *call) (*response, *apiError) { return c.answer(http.StatusOK, c.parent), nil },
		},
	}
}

// createEnvironment gives an environment its domain. The domain is that of the
// service, with the suffix if there is one.
func createEnvironment(c *call, rec *record) *apiError {
	name := c.parent.text("domain_base")
	if suffix := rec.text("domain_suffix"); suffix != "" {
		name += "-" + suffix
	}
	rec.set("domain_name", name+".twil.io")
	return nil
}

// deploy puts a completed build into an environment, or takes it out if there
// is no BuildSid. The environment shows what is deployed in it in build_sid.
func deploy(c *call, rec *record) *apiError {
	if sid := rec.text("build_sid"); sid != "" {
		build := c.parent.owner.child("Builds").find(sid, nil)
		if build == nil {
			return invalid("There is no build %.40q in the service", sid)
		}
		if status := build.text("status"); status != "completed" {
			return invalid("Build %s is %s, not completed", sid, status)
		}
	}
	c.set(c.parent, map[string]any{"build_sid": rec.get("build_sid")})
	return nil
}

// uploadVersion checks an upload, which only serverless-upload.twilio.com
// accepts. The upload is a multipart form; its Content is kept as _content. A
// path without a leading slash gets one, as twilio-go's comment on Path says.
func uploadVersion(c *call, rec *record) *apiError {
	if c.node.product != "serverless-upload" {
		return refuse(http.StatusMethodNotAllowed, 20004, "Method POST is not allowed on %s; upload to serverless-upload.twilio.com", c.path)
	}
	if path := rec.text("path"); !strings.HasPrefix(path, "/") {
		rec.set("path", "/"+path)
	}
	if n := len(rec.text("path")); n > 255 {
		return invalid("Path must have at most 255 characters, not %d", n)
	}
	if v := rec.text("visibility"); v != "public" && v != "protected" && v != "private" {
		return invalid("Visibility must be public, protected or private, not %.40q", v)
	}
	return nil
}

// viewVersion shows a version as it is read from serverless.twilio.com. A
// version never changes, so it does not have date_updated. Its URL is on the
// host for reading, not on the one for uploads.
func viewVersion(c *call, _ *record, m map[string]any) {
	delete(m, "date_updated")
	if _, ok := m["asset_sid"]; ok {
		delete(m, "links")
	}
	if url, ok := m["url"].(string); ok {
		m["url"] = strings.Replace(url, "//serverless-upload.", "//serverless.", 1)
	}
}

// functionContent answers with the source of a function's version. Assets have
// no such path.
func functionContent(c *call) (*response, *apiError) {
	rec := c.parent.clone()
	rec.set("content", rec.text("_content"))
	return c.answer(http.StatusOK, rec), nil
}

// createBuild makes a build of versions of functions and assets. The build
// fails if two of them have the same path. Versions are named by SID and must
// belong to the service. A failed build cannot be deployed.
func createBuild(c *call, rec *record) *apiError {
	paths := map[string]bool{}
	for _, of := range []struct{ param, field, collection, item string }{
		{"FunctionVersions", "function_versions", "Functions", "function_sid"},
		{"AssetVersions", "asset_versions", "Assets", "asset_sid"},
	} {
		chosen := []any{}
		for _, sid := range c.form[of.param] {
			version := versionIn(c.parent.child(of.collection), sid)
			if version == nil {
				return invalid("Invalid value for parameter %s: there is no version %.40q in the service", of.param, sid)
			}
			if paths[version.text("path")] {
				rec.set("status", "failed")
			}
			paths[version.text("path")] = true
			m := map[string]any{}
			for _, name := range []string{"sid", "account_sid", "service_sid", of.item, "path", "visibility", "date_created"} {
				m[name] = version.get(name)
			}
			chosen = append(chosen, m)
		}
		rec.set(of.field, chosen)
	}
	if c.form.Has("Dependencies") {
		v, err := decodeJSON(c.form.Get("Dependencies"))
		list, ok := v.([]any)
		if err != nil || !ok {
			return invalid("Dependencies must be a JSON array")
		}
		rec.set("dependencies", list)
	}
	return nil
}

// versionIn returns a version of one of the functions or assets. A SID does not
// say which function it belongs to, so it searches all of them.
func versionIn(items *collection, sid string) *record {
	for item := range items.all() {
		if version := item.child("Versions").find(sid, nil); version != nil {
			return version
		}
	}
	return nil
}

// logsOfToday keeps the logs of the last day if the request does not say since
// when.
func logsOfToday(c *call, _ []string) (func(*record) bool, *apiError) {
	if c.query.Has("StartDate") {
		return everyItem(c, nil)
	}
	return since(c, []string{c.now.AddDate(0, 0, -1).Format(time.RFC3339)})
}

// since and until keep what was created not earlier and not later than a time.
// Both bounds are inclusive.
func since(_ *call, values []string) (func(*record) bool, *apiError) {
	return created(values[0], func(at, bound time.Time) bool { return !at.Before(bound) })
}

func until(_ *call, values []string) (func(*record) bool, *apiError) {
	return created(values[0], func(at, bound time.Time) bool { return !at.After(bound) })
}

// created keeps the records for which keep accepts their date and the bound. A
// record whose date does not parse is never kept.
func created(bound string, keep func(at, bound time.Time) bool) (func(*record) bool, *apiError) {
	t, err := parseTime(bound)
	if err != nil {
		return nil, invalid("Invalid value for a time: %.40q", bound)
	}
	return func(rec *record) bool {
		at, err := parseTime(rec.text("date_created"))
		return err == nil && keep(at, t)
	}, nil
}
