package twiliofake

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"
)

var (
	errTrailing  = errors.New("there is more than one JSON value")
	errNotObject = errors.New("it is not a JSON object")
)

// A call is one request while it is carried out, under the fake's lock.
type call struct {
	*Twilio
	route
	method, host string
	path         string // as it was asked for, for error messages
	query, form  url.Values
	header       http.Header
	body         []byte
	now          time.Time
	account      *record           // whose things the request is about
	apiKey       bool              // the request came with an API key
	vars         map[string]string // of the path, aliases resolved
	before       *record           // of an update: the item as it still is
}

// carryOut plays Twilio for one request.
func (t *Twilio) carryOut(r *http.Request, body []byte) *response {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := &call{
		Twilio: t, method: r.Method, host: r.Host, path: r.URL.Path, query: r.URL.Query(),
		header: r.Header, body: body, now: time.Now().UTC(),
	}
	res, err := c.run(r)
	if err != nil {
		return err.response()
	}
	return res
}

func (c *call) run(r *http.Request) (*response, *apiError) {
	name := product(r.Host)
	routes, ok := c.routes[name]
	if !ok {
		return nil, unmodelled("the host %q; it plays api, taskrouter, iam, conversations, chat, lookups, voice and flex-api .twilio.com", r.Host)
	}
	if err := c.authenticate(r); err != nil {
		return nil, err
	}
	path := segments(r.URL.EscapedPath())
	for i := range path {
		if s, err := url.PathUnescape(path[i]); err == nil {
			path[i] = s
		}
	}
	found := false
	for _, rt := range routes {
		if vars, ok := rt.match(path); ok {
			c.route, c.vars, found = rt, vars, true
			break
		}
	}
	verb := c.verb(c.method)
	if !found || c.can&verb == 0 {
		return nil, unmodelled("%s %s on %s.twilio.com", c.method, c.path, name)
	}
	if err := c.parseForm(); err != nil {
		return nil, err
	}
	if err := c.resolve(verb); err != nil {
		return nil, err
	}
	if c.special != nil {
		return c.special(c)
	}
	switch verb {
	case fetch:
		return c.fetch()
	case list:
		return c.page()
	case create:
		return c.create()
	case update:
		return c.update()
	}
	return c.remove()
}

// authenticate checks the credentials: account SID and auth token, or the SID
// and the secret of an API key.
func (c *call) authenticate(r *http.Request) *apiError {
	user, password, _ := r.BasicAuth()
	if acc := c.store.one("accounts", map[string]any{"sid": user}); acc != nil && password != "" && acc.text("auth_token") == password {
		if acc.text("status") != "active" {
			return refuse(http.StatusUnauthorized, 20005, "Account not active")
		}
		c.account = acc
		return nil
	}
	if key := c.store.one("keys", map[string]any{"sid": user}); key != nil && password != "" && key.text("_secret") == password {
		c.account, c.apiKey = c.store.one("accounts", map[string]any{"sid": key.text("account_sid")}), true
	}
	if c.account == nil {
		return refuse(http.StatusUnauthorized, 20003, "Authenticate")
	}
	return nil
}

// parseForm reads the parameters of the body.
func (c *call) parseForm() *apiError {
	if c.method != http.MethodPost || c.json {
		return nil
	}
	kind, _, _ := strings.Cut(c.header.Get("Content-Type"), ";")
	if !strings.EqualFold(strings.TrimSpace(kind), "application/x-www-form-urlencoded") {
		return nil // Twilio sees no parameters either
	}
	form, err := url.ParseQuery(string(c.body))
	if err != nil {
		return invalid("The body is not a form: %v", err)
	}
	// As whatever decodes text does; what is no UTF-8 could not be sent as JSON.
	for _, values := range form {
		for i, v := range values {
			values[i] = strings.ToValidUTF8(v, "\uFFFD")
		}
	}
	c.form = form
	return nil
}

// resolve finds what stands above the item in the path, and puts SIDs in the
// place of other names.
func (c *call) resolve(verb verbs) *apiError {
	identity := ""
	if c.item {
		identity = identityOf(c.pattern())
	}
	for _, s := range c.segments {
		name, ok := variable(strings.TrimSuffix(s, ".json"))
		if !ok || name == identity {
			continue
		}
		if name == "account_sid" {
			if err := c.enter(c.vars[name]); err != nil {
				return err
			}
			continue
		}
		parent := c.refs[name]
		if parent == nil {
			continue
		}
		above := map[string]string{}
		for _, v := range variables(parent.paths[0]) {
			if id, ok := c.vars[v]; ok && v != parent.identity() && v != "account_sid" {
				above[v] = id
			}
		}
		rec := c.lookFor(parent, c.vars[name], above)
		if rec == nil {
			if verb == create && c.founding {
				continue
			}
			return notFound(c.path)
		}
		c.vars[name] = rec.text(parent.identity())
	}
	return nil
}

// enter makes the request about the account that the path names: the
// authenticated one or a sub-account of it.
func (c *call) enter(sid string) *apiError {
	if sid == c.account.text("sid") {
		return nil
	}
	sub := c.store.one("accounts", map[string]any{"sid": sid, "owner_account_sid": c.account.text("sid")})
	if sub == nil {
		return notFound(c.path)
	}
	c.account = sub
	return nil
}

// lookFor finds an item of the account by its SID or an alias, below the
// parents that the variables name.
func (c *call) lookFor(r *resource, id string, vars map[string]string) *record {
	fits := func(rec *record) bool {
		for k, v := range vars {
			if rec.text(k) != v {
				return false
			}
		}
		return c.owns(rec)
	}
	for _, rec := range c.store.kind(r.name).byID[id] {
		if fits(rec) {
			return rec
		}
	}
	for _, a := range r.alias {
		for _, rec := range c.store.kind(r.name).all {
			if id != "" && rec.text(a) == id && fits(rec) {
				return rec
			}
		}
	}
	return nil
}

func (c *call) owns(rec *record) bool {
	sid := c.account.text("sid")
	return rec.text("account_sid") == sid || rec.text("sid") == sid
}

// parents are the path's variables without the identity: what every item of
// the collection has in common.
func (c *call) parents() map[string]string {
	vars := map[string]string{}
	for k, v := range c.vars {
		if !c.item || k != identityOf(c.pattern()) {
			vars[k] = v
		}
	}
	delete(vars, "account_sid") // owns has it
	return vars
}

func (c *call) target() (*record, *apiError) {
	id := c.vars[identityOf(c.pattern())]
	if c.singleton() {
		id = ""
	}
	rec := c.lookFor(c.resource, id, c.parents())
	if rec == nil && c.resource.find != nil {
		rec = c.find(c, id)
	}
	if rec == nil {
		return nil, notFound(c.path)
	}
	return rec, nil
}

// precondition compares If-Match with the item's ETag. Twilio takes the tag
// without its quotes too, as the Flex project template sends it.
func (c *call) precondition(rec *record) *apiError {
	want := c.header.Get("If-Match")
	if !c.etag || want == "" || want == "*" {
		return nil
	}
	for tag := range strings.SplitSeq(want, ",") {
		if tag = strings.TrimSpace(tag); tag == rec.etag() || `"`+tag+`"` == rec.etag() {
			return nil
		}
	}
	return refuse(http.StatusPreconditionFailed, 20412, "Precondition failed: If-Match was %.100s, the ETag is %s", want, rec.etag())
}

func (c *call) fetch() (*response, *apiError) {
	rec, err := c.target()
	if err != nil {
		return nil, err
	}
	return c.answer(http.StatusOK, rec), nil
}

func (c *call) create() (*response, *apiError) {
	if param, missing := c.missing(c.form); missing {
		return nil, invalid("Missing required parameter %s in the post body", param)
	}
	rec := c.blank(c.resource)
	for k, v := range c.parents() {
		rec.fields[k] = v
	}
	if err := c.assign(rec, c.form, onCreate); err != nil {
		return nil, err
	}
	if h := c.resource.create; h != nil {
		if err := h(c, rec); err != nil {
			return nil, err
		}
	}
	c.add(c.name, rec)
	return c.answer(http.StatusCreated, rec), nil
}

// one returns the first record of a kind whose fields equal all of want.
func (c *call) one(kind string, want map[string]any) *record { return c.store.one(kind, want) }

// where returns the records of a kind whose fields equal all of want.
func (c *call) where(kind string, want map[string]any) []*record { return c.store.where(kind, want) }

// add, set and drop change the state; every change of a request but that of
// the item it updates goes through them.
func (c *call) add(kind string, rec *record) {
	c.store.add(c.kinds[kind], rec)
	c.tell(c.kinds[kind], nil, rec)
}

func (c *call) set(kind string, rec *record, fields map[string]any) {
	r, before := c.kinds[kind], rec.clone()
	for k, v := range fields {
		rec.set(k, v)
	}
	c.touch(r, rec)
	c.tell(r, before, rec)
}

func (c *call) drop(kind string, rec *record) {
	c.store.remove(c.kinds[kind], rec)
	c.tell(c.kinds[kind], rec, nil)
}

// tell lets the kind of a record hear of its change.
func (c *call) tell(r *resource, before, after *record) {
	if r.changed != nil {
		r.changed(c, before, after)
	}
}

// blank makes a record with the initial values and, where the kind has
// them, a SID and dates. Hooks that create other kinds use it too.
func (c *call) blank(r *resource) *record {
	rec := &record{fields: map[string]any{"account_sid": c.account.text("sid")}}
	for _, f := range r.fields {
		rec.fields[f.name] = f.initial
	}
	if r.prefix != "" {
		rec.fields["sid"] = c.store.sid(r.name, r.prefix)
	}
	if !r.bare {
		rec.fields["date_created"], rec.fields["date_updated"] = r.date(c.now), r.date(c.now)
	}
	return rec
}

// date writes a time as the resource's API does.
func (r *resource) date(t time.Time) string {
	if r.classic() {
		return t.Format(time.RFC1123Z)
	}
	return t.Format(time.RFC3339)
}

func (c *call) update() (*response, *apiError) {
	rec, err := c.target()
	if err != nil {
		return nil, err
	}
	if err := c.precondition(rec); err != nil {
		return nil, err
	}
	c.before = rec
	next := rec.clone()
	if c.json {
		err = c.merge(next)
	} else {
		err = c.assign(next, c.form, onUpdate)
	}
	if err != nil {
		return nil, err
	}
	if h := c.resource.update; h != nil {
		if err := h(c, next); err != nil {
			return nil, err
		}
	}
	c.touch(c.resource, next)
	before := rec.clone()
	*rec = *next
	c.tell(c.resource, before, rec)
	return c.answer(http.StatusOK, rec), nil
}

// touch marks a record as changed now.
func (c *call) touch(r *resource, rec *record) {
	rec.version++
	if !r.bare {
		rec.fields["date_updated"] = r.date(c.now)
	}
}

// merge puts the keys of a JSON body into a record.
func (c *call) merge(rec *record) *apiError {
	m, err := decodeObject(c.body)
	if err != nil {
		return invalid("The body is not usable: %v", err)
	}
	for _, f := range c.fields {
		v, ok := m[f.name]
		if !ok || f.set&onUpdate == 0 {
			continue
		}
		if rec.fields[f.name], ok = f.kind.fits(v); !ok {
			return invalid("Invalid value for %s", f.name)
		}
	}
	return nil
}

func (c *call) remove() (*response, *apiError) {
	rec, err := c.target()
	if err != nil {
		return nil, err
	}
	if err := c.precondition(rec); err != nil {
		return nil, err
	}
	if h := c.resource.remove; h != nil {
		if err := h(c, rec); err != nil {
			return nil, err
		}
	}
	c.drop(c.name, rec)
	return &response{status: http.StatusNoContent, header: http.Header{}}, nil
}

// answer is a response with the item as body.
func (c *call) answer(status int, rec *record) *response {
	res := jsonResponse(status, c.render(rec))
	if c.etag {
		res.header.Set("ETag", rec.etag())
	}
	return res
}

// render makes the body of an item.
func (c *call) render(rec *record) map[string]any {
	m := map[string]any{}
	for _, f := range c.fields {
		m[f.name] = rec.fields[f.name]
	}
	if !c.bare {
		for _, k := range []string{"account_sid", "date_created", "date_updated"} {
			m[k] = rec.fields[k]
		}
		if c.prefix != "" && c.identity() == "sid" {
			m["sid"] = rec.fields["sid"]
		}
	}
	path := c.itemPath(rec)
	below := map[string]any{}
	for _, name := range c.below[c.resource.host+c.itemPattern()] {
		key := snake(strings.TrimSuffix(name, ".json"))
		if c.classic() {
			below[key] = strings.TrimSuffix(path, ".json") + "/" + name
		} else {
			below[key] = c.base() + path + "/" + name
		}
	}
	if c.classic() {
		m["uri"], m["subresource_uris"] = path, below
	} else {
		m["url"], m["links"] = c.base()+path, below
	}
	if c.view != nil {
		c.view(c, rec, m)
	}
	return m
}

// base is the scheme and host that the client knows the product by.
func (c *call) base() string { return "https://" + c.host }

// itemPath is the path of an item, under the path that the request used.
func (c *call) itemPath(rec *record) string {
	parts := segments(c.itemPattern())
	for i, s := range parts {
		lit, ext := strings.CutSuffix(s, ".json")
		name, ok := variable(lit)
		if !ok {
			continue
		}
		v := rec.text(name)
		if name == "account_sid" {
			v = c.account.text("sid")
		}
		if parts[i] = url.PathEscape(v); ext {
			parts[i] += ".json"
		}
	}
	return "/" + strings.Join(parts, "/")
}

// itemPattern is the item's path that goes with the path of the request.
func (c *call) itemPattern() string {
	p := c.pattern()
	if c.item {
		return p
	}
	for _, ip := range c.paths {
		if collectionOf(ip) == p {
			return ip
		}
	}
	return c.paths[0]
}
