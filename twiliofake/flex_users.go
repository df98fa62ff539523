package twiliofake

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/flexfn/flexfn/internal/sid"
)

// flexUserRows are the users of Flex, each above a worker of TaskRouter.
// twilio-go fetches and updates them (version 2); versions 1 and 4 also list
// them and provision them. See
// https://www.twilio.com/docs/flex/developer/user-management/flex-users-api.
// Not modelled: users without a worker, teams, Flex Insights, and users who are
// created by signing in.
//
// Users have no dates under the usual names and count their own versions, so
// the row is bare.
func flexUserRows() []resource {
	const instance = "/Instances/{instance_sid}/Users"
	return []resource{
		{
			name: "flex_users", host: "flex-api", prefix: "FU", can: fetch | update | list, bare: true, list: "users",
			paths: []string{"/v2" + instance + "/{flex_user_sid}", "/v1" + instance + "/{flex_user_sid}", "/v4" + instance + "/{flex_user_sid}"},
			fields: []field{
				{"account_sid", text, nil, never},
				{"instance_sid", text, nil, never},
				{"flex_user_sid", text, nil, never},
				{"_deactivated_date", instant, nil, never},
				{"_full_name", text, nil, never},
				{"created_date", instant, nil, never},
				{"email", text, nil, onUpdate},
				{"flex_team_sid", text, nil, never},
				{"locale", text, nil, onUpdate},
				{"roles", many, nil, never},
				{"updated_date", instant, nil, never},
				{"user_sid", text, nil, onUpdate},
				{"username", text, nil, never},
				{"version", integer, 1, never},
				{"worker_sid", text, nil, never},
				{"workspace_sid", text, nil, never},
			},
			narrow: map[string]func(*call, []string) (func(*record) bool, *apiError){"Username": usersNamed},
			scope:  usersOfInstance,
			update: updateFlexUser,
			view:   viewFlexUser,
		},
		{
			name: "flex_user_provisioning", host: "flex-api", can: update, special: provision,
			paths: []string{"/v4" + instance + "/Provision"},
		},
		{
			name: "flex_user_deprovisioning", host: "flex-api", can: update, special: deprovision,
			paths: []string{"/v4" + instance + "/Deprovision"},
		},
	}
}

// usersOfInstance shows the same users in every version. They are stored at the
// path of version 2.
func usersOfInstance(c *call) *collection {
	return c.account.child("flex-api/v2/Instances").find(c.vars["instance_sid"], nil).childOrNone("Users")
}

func usersNamed(_ *call, values []string) (func(*record) bool, *apiError) {
	return func(rec *record) bool { return slices.Contains(values, rec.text("username")) }, nil
}

// updateFlexUser checks a user's email and chat user. A user that was
// deprovisioned cannot be changed.
func updateFlexUser(c *call, rec *record) *apiError {
	if rec.get("_deactivated_date") != nil {
		return invalid("User %s is deactivated", rec.id)
	}
	if e := rec.text("email"); c.form.Has("Email") && !strings.Contains(e, "@") {
		return invalid("Invalid value for parameter Email: %.100q", e)
	}
	if u := rec.text("user_sid"); c.form.Has("UserSid") && !sid.Valid(u, "US") {
		return invalid("Invalid value for parameter UserSid: %.100q", u)
	}
	c.changeUser(rec)
	return nil
}

// changeUser counts a change of a user.
func (c *call) changeUser(rec *record) {
	rec.set("version", rec.number("version")+1)
	rec.set("updated_date", c.now.Format(time.RFC3339))
}

// viewFlexUser adds the fields that only versions 1 and 4, which twilio-go does
// not have, show.
func viewFlexUser(c *call, rec *record, m map[string]any) {
	delete(m, "links")
	if c.op == nil {
		delete(m, "url")
		m["full_name"], m["deactivated"], m["deactivated_date"] = rec.get("_full_name"), rec.get("_deactivated_date") != nil, rec.get("_deactivated_date")
	}
}

// flexRoles are the roles that a user can have. Guests are not users.
var flexRoles = []string{"agent", "supervisor", "admin"}

// provision creates or updates a user and its worker.
//
// The body is JSON: username, full_name, email, roles and a worker with
// attributes. The user of that name is updated or, if there is none, created
// (201); either way it is active afterwards. Its worker has the same name, the
// user's roles and the address of its softphone among its attributes.
func provision(c *call) (*response, *apiError) {
	if err := c.checkInstance(); err != nil {
		return nil, err
	}
	body, err := decodeObject(c.body)
	if err != nil {
		return nil, invalid("The body is not usable: %v", err)
	}
	for _, name := range []string{"username", "full_name", "email"} {
		if n := len(textOf(body[name])); n < 1 || n > 256 {
			return nil, invalid("Invalid value for %s: expected 1 to 256 characters", name)
		}
	}
	roles, ok := many.fits(body["roles"])
	list, _ := roles.([]string)
	if !ok || len(list) == 0 || slices.ContainsFunc(list, func(r string) bool { return !slices.Contains(flexRoles, r) }) {
		return nil, invalid("Invalid value for roles: expected some of %s", strings.Join(flexRoles, ", "))
	}
	given, ok := body["worker"].(map[string]any)
	if !ok {
		return nil, invalid("Missing required parameter worker in the body")
	}
	attributes, _ := given["attributes"].(map[string]any)
	worker, refusal := c.provisionWorker(body, list, attributes)
	if refusal != nil {
		return nil, refusal
	}
	status := http.StatusOK
	var user *record
	for rec := range usersOfInstance(c).all() {
		if rec.text("username") == body["username"] {
			user = rec
		}
	}
	fields := map[string]any{
		"username": body["username"], "_full_name": body["full_name"], "email": body["email"], "roles": list, "_deactivated_date": nil,
		"worker_sid": worker.id, "workspace_sid": worker.get("workspace_sid"),
	}
	if user == nil {
		status = http.StatusCreated
		user = c.newUser(fields)
	} else {
		next := user.clone()
		next.setAll(fields)
		c.changeUser(next)
		c.commit(user, next)
	}
	c.resource = user.kind.row
	m, _ := c.render(user).(map[string]any)
	m["worker"] = map[string]any{"worker_sid": worker.id, "workspace_sid": worker.get("workspace_sid")}
	delete(m, "worker_sid")
	delete(m, "workspace_sid")
	return jsonResponse(status, m), nil
}

// newUser adds a user to the instance in the path. The Flex instance above it
// is a ghost: no request creates one.
func (c *call) newUser(fields map[string]any) *record {
	instances := c.account.makeChild("flex-api/v2/Instances")
	instance := instances.find(c.vars["instance_sid"], nil)
	if instance == nil {
		top := c.node
		for top.parent != nil {
			top = top.parent
		}
		instance = c.store.record(top.lit["v2"].lit["Instances"].wild.self, c.account, c.vars["instance_sid"])
		c.store.ghost(instance)
	}
	user := c.blank("flex_users", instance)
	user.id = user.text("sid")
	user.drop("sid")
	user.setAll(fields)
	now := c.now.Format(time.RFC3339)
	user.setAll(map[string]any{"created_date": now, "updated_date": now})
	c.add(user)
	return user
}

// provisionWorker creates or updates the worker of a user, in the workspace of
// the Flex configuration.
func (c *call) provisionWorker(body map[string]any, roles []string, attributes map[string]any) (*record, *apiError) {
	conf := c.one("flex_configuration", nil)
	if conf == nil || c.one("workspaces", map[string]any{"sid": conf.text("taskrouter_workspace_sid")}) == nil {
		return nil, invalid("The Flex configuration has no workspace")
	}
	c.vars["workspace_sid"] = conf.text("taskrouter_workspace_sid")
	name := textOf(body["username"])
	worker := c.one("workers", c.in("friendly_name", name))
	all := map[string]any{}
	if worker != nil {
		all = objectOf(worker.text("attributes"))
	}
	for k, v := range attributes {
		all[k] = v
	}
	all["roles"], all["full_name"], all["email"] = roles, body["full_name"], body["email"]
	all["contact_uri"] = "client:" + clientIdentity(name)
	b, err := json.Marshal(all)
	if err != nil {
		return nil, invalid("The worker's attributes are not usable: %v", err)
	}
	if worker != nil {
		c.set(worker, map[string]any{"attributes": string(b)})
		return worker, nil
	}
	worker = c.make("workers", map[string]any{"workspace_sid": c.vars["workspace_sid"], "friendly_name": name, "attributes": string(b)})
	if err := c.hook(createWorker, worker); err != nil {
		return nil, err
	}
	c.add(worker)
	return worker, nil
}

// clientIdentity returns the identity under which Flex registers a user for
// voice and chat: _ and two hex digits for all but letters and digits. For
// example, ada@example.com is ada_40example_2Ecom. Token.identity does the same
// for IAM.
func clientIdentity(name string) string {
	var b strings.Builder
	for i := range len(name) {
		ch := name[i]
		if '0' <= ch && ch <= '9' || 'A' <= ch && ch <= 'Z' || 'a' <= ch && ch <= 'z' {
			b.WriteByte(ch)
		} else {
			fmt.Fprintf(&b, "_%02X", ch)
		}
	}
	return b.String()
}

// deprovision deactivates a user and deletes its worker. The user stays,
// without a worker and with the date of its deactivation; its name can be
// provisioned again. The worker goes even if it is available.
func deprovision(c *call) (*response, *apiError) {
	if err := c.checkInstance(); err != nil {
		return nil, err
	}
	body, err := decodeObject(c.body)
	if err != nil {
		return nil, invalid("The body is not usable: %v", err)
	}
	user := usersOfInstance(c).find(textOf(body["flex_user_sid"]), nil)
	if user == nil {
		return nil, notFound(c.path)
	}
	if worker := c.one("workers", map[string]any{"sid": user.text("worker_sid")}); worker != nil {
		c.vars["workspace_sid"] = worker.text("workspace_sid")
		c.drop(worker)
	}
	next := user.clone()
	next.setAll(map[string]any{"worker_sid": nil, "_deactivated_date": c.now.Format(time.RFC3339)})
	c.changeUser(next)
	c.commit(user, next)
	return &response{status: http.StatusNoContent}, nil
}
