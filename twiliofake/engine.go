package twiliofake

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// How a request is answered. [Twilio.ServeHTTP] asks the faults first
// (fault.go), reads the body and calls carryOut, which holds the fake's lock
// from here on. run then goes through these steps, each of which may refuse the
// request; the first three are in engine_request.go:
//
//   - authenticate finds the account of the credentials.
//   - route walks the tree of paths (tree.go) to a node. A node has the
//     operations of twilio-go at its path (operations.go, decoded from
//     operations.gz) and, if a row of the table (table.go, resource.go) has the
//     path, that row.
//   - resolve walks the state (store.go) along the same path, so that the
//     request knows the item above what it asks for.
//   - A row that has the method takes the request: fetch, page, create,
//     update and remove in this file and in paging.go do what all resources
//     have in common, and the row's hooks add the rules of its product. Without
//     such a row, generic.go answers the operation by its class.
//   - render.go writes the item by the model of the operation.
//
// The product files (taskrouter.go, conversations.go and so on) are rows and
// hooks only. A hook reads the request in the call, changes the record that it
// is given, and changes other items through add, set and drop, so that their
// own changed hooks run.

var (
	errTrailing  = errors.New("there is more than one JSON value")
	errNotObject = errors.New("it is not a JSON object")
)

// A call is one request while it is carried out, under the fake's lock. It
// embeds the node and the row, so a hook sees their fields as its own. It is
// not kept after the request.
type call struct {
	*Twilio
	*node
	*resource            // the row that plays the request; nil in the generic layer
	op        *operation // nil if twilio-go does not have it
	method    string
	host      string
	path      string // as requested, for error messages
	query     url.Values
	form      url.Values
	header    http.Header
	body      []byte
	now       time.Time
	account   *record           // the account that the path names, or the authenticated one
	apiKey    bool              // authenticated with an API key
	parent    *record           // the item above the collection or singleton
	vars      map[string]string // from the path, with aliases resolved
	before    *record           // the item before an update
	ignored   []string          // parameters without effect
	extension *string           // of a media path, such as ".mp3"
}

// Fidelity is the response header that says which layer of the fake answered:
// "modelled" for a row written by hand, "generic" for the table of operations.
//
// An error from before the layer is known, such as wrong credentials, counts as
// modelled. If a list has parameters without an effect, the header
// Twiliofake-Ignored names them.
const Fidelity = "Twiliofake-Fidelity"

// carryOut answers one request. A single lock is enough for a fake, and no
// request sees the half-done work of another.
func (t *Twilio) carryOut(r *http.Request, body []byte) *response {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := &call{
		Twilio: t, method: r.Method, host: r.Host, path: r.URL.Path,
		header: r.Header, body: body, now: time.Now().UTC(), vars: t.vars,
	}
	t.store.expire(c.now)
	res, err := c.run(r)
	if err != nil {
		res = err.response(c.op != nil && c.op.standard)
	}
	fidelity := "modelled"
	if c.op != nil && c.resource == nil {
		fidelity = "generic"
	}
	res.header.set(Fidelity, fidelity)
	if len(c.ignored) > 0 {
		slices.Sort(c.ignored)
		res.header.set("Twiliofake-Ignored", strings.Join(c.ignored, ", "))
	}
	return res
}

// run answers one request to Twilio's API. Errors that do not depend on the
// operation are checked in Twilio's order: host, credentials, path, parameters,
// then the items in the path. The API of 2010 names the account in the path;
// the other products take it from the credentials. Both end up in c.account.
func (c *call) run(r *http.Request) (*response, *apiError) {
	product := product(r.Host)
	world := theWorld()
	top := world.products[product]
	if top == nil {
		return nil, unmodelled("the host %q", r.Host)
	}
	if err := c.authenticate(r); err != nil {
		return nil, err
	}
	if err := c.route(top, r.URL); err != nil {
		return nil, err
	}
	if c.resource == nil && c.strict {
		return nil, unmodelled("%s %s on %s.twilio.com by hand, and Config.Strict turns the generic layer off", c.method, c.path, product)
	}
	if r.URL.RawQuery != "" {
		c.query = r.URL.Query()
	}
	if err := c.parseForm(); err != nil {
		return nil, err
	}
	if err := c.resolve(); err != nil {
		return nil, err
	}
	if c.resource == nil {
		return c.generic()
	}
	if c.special != nil {
		return c.special(c)
	}
	switch verbOf(c.method, c.item || c.kind.singleton) {
	case fetch:
		if c.extension != nil {
			return c.sound()
		}
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

// collection returns the collection that the request addresses, or nil.
func (c *call) collection() *collection { return c.scoped(c.kind, c.parent, c.keys[len(c.keys)-1]) }

// scoped returns the collection of a kind at a path below an item, or the one
// that the kind's row names instead. A row needs this, for example, where two
// paths show the same items and the shorter one leaves out a parent that has a
// default.
func (c *call) scoped(k *kind, parent *record, path string) *collection {
	if k != nil && k.row != nil && k.row.scope != nil {
		if in := k.row.scope(c); in != nil {
			return in
		}
	}
	return parent.child(path)
}

// identity returns the item's name in the path; "" for a singleton.
func (c *call) identity() string {
	if c.own() == 0 {
		return ""
	}
	return c.vars[c.node.vars[len(c.node.vars)-1]]
}

// target returns the item that the path names. A ghost does not count: a path
// can only pass through it. The row's find hook comes last, for names such as
// Twilio.CURRENT.
func (c *call) target() (*record, *apiError) {
	id := c.identity()
	rec := c.collection().find(id, c.kind.alias)
	if rec != nil && (rec.seq == 0 || c.root && !c.owns(rec)) {
		rec = nil
	}
	if rec == nil && c.resource != nil && c.resource.find != nil {
		rec = c.resource.find(c, id)
	}
	if rec == nil {
		return nil, notFound(c.path)
	}
	return rec, nil
}

// tagged reports whether the item has an ETag, according to its row or, in the
// generic layer, the table.
func (c *call) tagged() bool {
	return c.resource != nil && c.resource.etag || c.op != nil && c.op.etag
}

// precondition compares If-Match with the item's ETag. Like Twilio, it also
// accepts the tag without quotes, which is how the Flex project template sends
// it. An update without If-Match is unconditional, and so is one to an item
// without an ETag.
func (c *call) precondition(rec *record) *apiError {
	want := c.header.Get("If-Match")
	if want == "" || want == "*" || !c.tagged() {
		return nil
	}
	for tag := range strings.SplitSeq(want, ",") {
		if tag = strings.TrimSpace(tag); tag == rec.etag() || `"`+tag+`"` == rec.etag() {
			return nil
		}
	}
	return refuse(http.StatusPreconditionFailed, 20412, "Precondition failed: If-Match was %.100s, the ETag is %s", want, rec.etag())
}

// free refuses a record if another one in the collection has the same value in
// a unique field. Null and empty values are never taken. The collection keeps
// an index of these fields, so the check takes constant time.
func (c *call) free(rec *record) *apiError {
	for _, u := range rec.kind.unique {
		value := rec.text(u.field)
		if value == "" {
			continue
		}
		in := rec.owner.child(rec.kind.home())
		if u.in != "" {
			if k := rec.kind.path(u.in); k != nil {
				in = c.store.placeAt(rec, k)
			}
		}
		if in == nil {
			continue
		}
		if o := in.names[name{u.field, rec.kind.fold(u.field, value)}]; o != nil && o.id != rec.id {
			return u.refusal(value)
		}
	}
	return nil
}

// hook runs a row's hook. It checks unique fields before and after, since the
// hook may change them and other items. If the hook refuses, the engine drops
// the record, but changes that the hook has made to other items stay. So hooks
// check first and change last.
func (c *call) hook(h func(*call, *record) *apiError, rec *record) *apiError {
	if err := c.free(rec); err != nil || h == nil {
		return err
	}
	if err := h(c, rec); err != nil {
		return err
	}
	return c.free(rec)
}

func (c *call) fetch() (*response, *apiError) {
	rec, err := c.target()
	if err != nil {
		return nil, err
	}
	return c.answer(http.StatusOK, rec), nil
}

// sound answers a request for an item's media file.
func (c *call) sound() (*response, *apiError) {
	rec, err := c.target()
	if err != nil {
		return nil, err
	}
	return c.media(c, rec, *c.extension)
}

// create makes an item: it stores the parameters, refuses an identity that is
// taken, and runs the row's hook before the item becomes visible. The variables
// in the path become fields first, so that a hook can look at them as at any
// other field. A hook may have added the record itself, because items below it
// needed it; adding it again changes nothing.
func (c *call) create() (*response, *apiError) {
	rec := c.blank(c.kind.name, c.homeOwner())
	for _, v := range c.node.vars {
		rec.set(v, c.vars[v])
	}
	if err := c.take(rec, onCreate); err != nil {
		return nil, err
	}
	if err := vacant(rec); err != nil {
		return nil, err
	}
	if err := c.hook(c.resource.create, rec); err != nil {
		return nil, err
	}
	c.add(rec)
	return c.answer(c.status(http.StatusCreated), rec), nil
}

// vacant refuses a new record if its collection already has that identity. Only
// identities that the client chooses, such as a Sync map item's key, can be
// taken.
func vacant(rec *record) *apiError {
	if rec.id == "" || rec.owner == nil || rec.owner.child(rec.kind.home()).find(rec.id, nil) == nil {
		return nil
	}
	for _, u := range rec.kind.unique {
		if u.field == rec.kind.vars[len(rec.kind.vars)-1] {
			return u.refusal(rec.id)
		}
	}
	return refuse(http.StatusConflict, conflictCode(rec.kind.product), "%s %.100q exists", rec.kind.name, rec.id)
}

// take stores the parameters of a create or update in a record. There are three
// sources: the table of operations, a JSON body whose keys are the row's
// fields, and the row's own list of form parameters.
func (c *call) take(rec *record, on setting) *apiError {
	switch {
	case c.table && c.op != nil:
		values, err := c.parameters()
		if err != nil {
			return err
		}
		if rec.id == "" && !c.kind.singleton {
			rec.id = c.identify(values)
		}
		c.fill(rec, values)
		return nil
	case c.json:
		return c.merge(rec)
	}
	if param, missing := c.missing(c.form); missing && on == onCreate {
		return invalid("Missing required parameter %s in the post body", param)
	}
	return c.assign(rec, c.form, on)
}

// status returns the operation's success status. If the row does not use the
// table, it returns otherwise: 201 for a create, 200 for an update.
func (c *call) status(otherwise int) int {
	if c.op != nil && c.table {
		return c.op.status
	}
	return otherwise
}

// add, set and drop change the state and run the changed hooks. Every change
// that a request makes goes through them, except for the item that the request
// updates, which goes through commit.
func (c *call) add(rec *record) {
	c.store.add(rec)
	c.tell(nil, rec)
}

func (c *call) set(rec *record, fields map[string]any) {
	next := rec.clone()
	next.setAll(fields)
	c.commit(rec, next)
}

func (c *call) drop(rec *record) {
	c.store.remove(rec)
	c.tell(rec, nil)
}

// commit replaces a record's contents with those of its changed copy.
func (c *call) commit(rec, next *record) {
	c.touch(next)
	before := rec.clone()
	c.store.commit(rec, next)
	c.tell(before, rec)
}

// tell runs the changed hook of a record's kind. It runs after the state has
// changed, so the item is already in its place, or already gone.
func (c *call) tell(before, after *record) {
	if r := cmp.Or(before, after).kind.row; r != nil && r.changed != nil {
		r.changed(c, before, after)
	}
}

// make makes a record of a modelled kind and does not add it to the tree. The
// fields must include the parents that are not in the request's path. It does
// not run the kind's create hook: the caller acts for Twilio, and knows what
// belongs in the item. A parent that does not exist is skipped, and the record
// is then added one level higher; hooks check their parents first.
func (c *call) make(kind string, fields map[string]any) *record {
	at := c.account
	home := c.rows.byName[kind].paths[0]
	for i, path := range home.keys[:len(home.keys)-1] {
		id, ok := fields[home.vars[i]].(string)
		if !ok {
			id = c.vars[home.vars[i]]
		}
		if next := at.child(path).find(id, nil); next != nil {
			at = next
		}
	}
	rec := c.blank(kind, at)
	rec.setAll(fields)
	return rec
}

// homeOwner returns the parent of a new item at its kind's first path,
// whichever path the request used. An item that is created at a second path,
// such as a call's recording, still has its home below the account.
func (c *call) homeOwner() *record {
	home := c.kind.paths[0]
	if home.root {
		return c.store.root
	}
	if c.parent != nil && home.keys[len(home.keys)-1] == c.keys[len(c.keys)-1] && len(home.keys) == len(c.keys) {
		return c.parent
	}
	at := c.account
	for i, path := range home.keys[:len(home.keys)-1] {
		if next := at.child(path).find(c.vars[home.vars[i]], nil); next != nil {
			at = next
		}
	}
	return at
}

// blank makes a record with a SID and dates, if its kind has them. A hook that
// creates items of another kind calls it, then c.store.add.
func (c *call) blank(kind string, owner *record) *record {
	k := c.rows.byName[kind]
	r := k.row
	rec := c.store.record(k, owner, "")
	if r.prefix != "" {
		sid := c.store.newSID(r.prefix, owner.childOrNone(k.home()))
		if r.identity() == "sid" {
			rec.id = sid
		} else {
			rec.set("sid", sid)
		}
	}
	c.stamp(rec, r.bare)
	return rec
}

// stamp sets the dates of a new record. Bare rows have no dates, or dates under
// other names that their hooks set.
func (c *call) stamp(rec *record, bare bool) {
	if !bare {
		date := c.store.dateOf(c.now, rec.kind.product)
		rec.set("date_created", date)
		rec.set("date_updated", date)
	}
}

// update checks If-Match and changes an item. If a hook fails, the item stays
// unchanged. The hook works on a copy, which replaces the contents of the item
// afterwards. Pointers to the item therefore stay valid, and c.before still has
// the old values while the hook runs.
func (c *call) update() (*response, *apiError) {
	rec, err := c.target()
	if err != nil && c.upsert {
		return c.create()
	}
	if err != nil {
		return nil, err
	}
	if err := c.precondition(rec); err != nil {
		return nil, err
	}
	c.before = rec
	next := rec.clone()
	if err := c.take(next, onUpdate); err != nil {
		return nil, err
	}
	if err := c.hook(c.resource.update, next); err != nil {
		return nil, err
	}
	c.commit(rec, next)
	return c.answer(c.status(http.StatusOK), rec), nil
}

// touch sets a record's date_updated to now. The version counts up with every
// change, and is the ETag.
func (c *call) touch(rec *record) {
	rec.version++
	if r := rec.kind.row; r == nil || !r.bare {
		rec.set("date_updated", c.store.dateOf(c.now, rec.kind.product))
	}
}

// where returns the account's records of a kind whose fields equal all of want.
// It is fast if want names the parents, as in {"workspace_sid": …}. Otherwise
// it goes through all parents, which is fast enough for a test's state.
func (c *call) where(kind string, want map[string]any) []*record {
	return slices.Collect(c.store.where(c.rows.byName[kind], c.account, want))
}

// one returns the first record that where would return, or nil. Hooks follow
// references with it: nil means that the item does not exist, or belongs to
// another account.
func (c *call) one(kind string, want map[string]any) *record {
	for rec := range c.store.where(c.rows.byName[kind], c.account, want) {
		return rec
	}
	return nil
}

// merge stores the keys of a JSON body in a record. Keys that are not fields,
// or that the API does not let change, are ignored. A key that is missing
// leaves its field as it is, and null clears it.
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
		v, ok = f.kind.fits(v)
		if !ok {
			return invalid("Invalid value for %s", f.name)
		}
		rec.set(f.name, v)
	}
	return nil
}

// remove deletes an item and everything below it. The hook can refuse, or
// delete what belongs to the item elsewhere. A generic DELETE that has a model
// answers with the deleted item.
func (c *call) remove() (*response, *apiError) {
	rec, err := c.target()
	if err != nil {
		return nil, err
	}
	if err := c.precondition(rec); err != nil {
		return nil, err
	}
	if c.resource != nil && c.resource.remove != nil {
		if err := c.resource.remove(c, rec); err != nil {
			return nil, err
		}
	}
	var res *response
	if c.resource == nil && !c.op.model.none() {
		res = c.answer(c.op.status, rec)
	} else {
		res = &response{status: http.StatusNoContent}
		if c.resource == nil {
			res.status = c.op.status
		}
	}
	c.drop(rec)
	return res, nil
}
