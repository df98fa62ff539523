package twiliofake

import (
	"net/http"
	"strings"
)

// A resource is one row of the table of modelled resources: it tells the engine
// how one kind of Twilio resource behaves. Adding a kind means adding a row.
// Anything that a row leaves out, such as a verb or a sub-path, falls through
// to the generic layer (generic.go).
//
// The zero value of every column is the common case, so a row reads as a list
// of what is special about its resource. Rows never change, and all fakes share
// them. A new row also needs a line in TestModels, which compares it with
// twilio-go's model; COVERAGE.md is generated.
type resource struct {
	// name is the kind's key in the state document, such as "tasks".
	name string
	// host is the product that serves it, such as "taskrouter" for
	// taskrouter.twilio.com.
	host string
	// upload is another product that serves the same paths, for uploads.
	upload string
	// paths are the paths of a single item, such as
	// "/v1/Workspaces/{workspace_sid}/Tasks/{sid}". A variable in braces is also
	// the name of a JSON field of the item; the last one is its identity. The
	// collection is the path without the identity. A path that ends in a literal
	// is a singleton. The first path is the item's home and makes its url; any
	// others list the same items elsewhere, such as a worker's reservations.
	paths []string
	// can is the set of operations that the row answers.
	can verbs
	// prefix starts the SIDs of new items, such as "WT".
	prefix string
	// alias lists fields that can replace the SID in a path, such as a Sync
	// document's unique_name.
	alias []string
	// unique lists fields that must differ between the items of a collection.
	// Twilio documents the error code with the resource, or in its list of
	// errors (https://www.twilio.com/docs/api/errors).
	unique []unique
	// list is the key of the items in a page. Empty derives it from the path:
	// "task_queues" for TaskQueues.
	list string
	// etag sends an ETag and checks If-Match; a mismatch is 412, code 20412.
	// TaskRouter's workers, tasks and reservations have it, and Sync's
	// documents and items.
	etag bool
	// bare items have no SID, account or dates in their body. Their API lacks
	// them, or gives them other names.
	bare bool
	// upsert lets an update create the item. Sync's permissions are granted
	// this way.
	upsert bool
	// founding lets a create name a parent that does not exist yet; the create
	// hook then makes the parent. A participant starts its conference this way.
	founding bool
	// json accepts JSON bodies: an object whose keys are the fields.
	json bool
	// table takes parameters and fields from the table of operations
	// (operations.gz), which twilio-go's source defines. The row then only adds
	// initial values and hooks. Prefer it for a new row: names and types then
	// follow twilio-go when go.mod moves to a newer version.
	table bool
	// fields are the fields of an item's body, except those that every item of
	// its API has: sid, account_sid, date_created, date_updated, and url and
	// links (uri and subresource_uris in the API of 2010). A name that begins
	// with an underscore is only for hooks: it is kept in the state document,
	// where a test can read it, but never sent.
	fields []field
	// filters lists the fields that a list can be filtered by.
	filters []string
	// params maps a form parameter to its field, for names that are not the
	// field's in Pascal case (FriendlyName sets friendly_name by default).
	params map[string]string

	// Hooks implement what the columns cannot express, mostly Twilio's state
	// rules and side effects. They run under the fake's lock, and an error
	// refuses the request. create and update run after the parameters have been
	// put into the record; update gets a copy, which is dropped on an error.
	// remove runs before the record is deleted.
	create, update, remove func(*call, *record) *apiError
	// find looks up an item by a name that is neither its SID nor an alias,
	// such as "Front" for the first member of a queue. It runs only if nothing
	// else has that name.
	find func(*call, string) *record
	// scope returns the collection in which a request finds the row's items, if
	// not the one at the path: /v1/Conversations shows the conversations of the
	// default service. Nil means the one at the path.
	scope func(*call) *collection
	// load completes an item of a state document with the defaults that a
	// request would have given it.
	load func(s *store, account, rec *record)
	// due returns when an item lapses, in RFC 3339; "" means never. It is
	// called after each change of the item. lapse then changes a copy of the
	// item; without lapse, the item is deleted. A field date_expires in the row
	// implies due.
	due   func(*record) string
	lapse func(next *record, at string)
	// view changes the body of an answer before it is sent, for fields that are
	// computed rather than stored. It must not change the record.
	view func(*call, *record, map[string]any)
	// changed runs after every change of an item, whichever request caused it;
	// TaskRouter's events and the links between tasks and reservations rely on
	// it. before is nil for a new item, after is nil for a deleted one. It also
	// runs for changes that it makes itself, so it must not change items
	// endlessly.
	changed func(c *call, before, after *record)
	// narrow handles list parameters that are more than the value of a field.
	// Each function gets the parameter's values and returns which items to
	// keep. The entry with an empty name runs for every list. Building the
	// filter can refuse the request, so a wrong value is an error even if the
	// list is empty.
	narrow map[string]func(*call, []string) (func(*record) bool, *apiError)
	// orders lists the fields that the parameter Ordering accepts.
	orders []string
	// sorted lists the items by their identity instead of in the order they were
	// created, newest from the last to the first: Twilio's calls, messages and
	// recordings (https://github.com/twilio/twilio-oai/issues/22), its
	// conferences and Flex's plugins. turned lists take the parameter Order, asc
	// or desc.
	sorted, newest, turned bool
	// media answers a path with an extension other than .json, such as a
	// recording's .mp3.
	media func(c *call, rec *record, extension string) (*response, *apiError)
	// special answers every request to the path and bypasses the other columns.
	special func(*call) (*response, *apiError)
}

// verbs is a set of operations. A verb that a row lacks goes to the generic
// layer, or is refused with Config.Strict.
type verbs uint8

const (
	create verbs = 1 << iota
	fetch
	update
	remove
	list

	readOnly = fetch | list
	all      = create | fetch | update | remove | list
)

// A field is one field of a resource's body. set does not matter in a row with
// table, where the operation's parameters decide. The order of the fields in a
// row does not matter on the wire: answers are sorted by key.
type field struct {
	name string
	kind valueKind
	// initial is the value of a new item; nil is null.
	initial any
	set     setting
}

// A unique field refuses a value that another item already has. The check
// covers one collection, unless in says otherwise, and ignores empty values.
type unique struct {
	field string
	// code is Twilio's error code. The status is 409, or 400 for code 20001.
	code int
	// fold ignores case.
	fold bool
	// in widens or moves the scope: it is the variable of another of the kind's
	// paths, and values must be unique below that parent. Empty means the first
	// path's parent.
	in string
}

func (u unique) refusal(value string) *apiError {
	if u.code == 20001 {
		return invalid("%s must be unique: another one has %q", pascal(u.field), value)
	}
	return refuse(http.StatusConflict, u.code, "%s %q is already in use", pascal(u.field), value)
}

// A setting says which requests can set a field with a form parameter. A
// parameter that may not be set in that request is ignored, as Twilio ignores
// it.
type setting uint8

const (
	onCreate setting = 1 << iota
	onUpdate
	required         // on create; the request is refused without it
	never    setting = 0
	always           = onCreate | onUpdate
)

// A valueKind says how a form parameter turns into a JSON value. Records hold
// string, int, bool and, for many, []string; objects and lists are JSON text,
// see packed.
type valueKind uint8

const (
	text     valueKind = iota
	integer            // a JSON number
	boolean            // true, false
	instant            // a point in time, ISO 8601
	document           // JSON in a string, like attributes
	value              // any JSON
	many               // a list of strings, from a repeated parameter
)

// identity returns the name of the path's last variable; "" for a singleton.
func (r *resource) identity() string { return identityOf(r.paths[0]) }

// identityOf returns the name of a path's last variable; "" if the path ends in
// a literal. The .json of the API of 2010 is not part of the name.
func identityOf(path string) string {
	last := path[strings.LastIndexByte(path, '/')+1:]
	name, ok := variable(strings.TrimSuffix(last, ".json"))
	if !ok {
		return ""
	}
	return name
}

// classic reports whether the resource is part of the API of 2010, which has its
// own date format, links and pages.
func (r *resource) classic() bool { return strings.HasPrefix(r.paths[0], "/2010-04-01/") }

// listKey returns the key of the items in a page.
func (r *resource) listKey() string {
	if r.list != "" {
		return r.list
	}
	parts := strings.Split(collectionOf(r.paths[0]), "/")
	return snake(strings.TrimSuffix(parts[len(parts)-1], ".json"))
}

// field returns the field that a parameter sets.
func (r *resource) field(param string) (field, bool) {
	name, ok := r.params[param]
	if !ok {
		name = snake(param)
		if pascal(name) != param {
			return field{}, false
		}
	}
	for _, f := range r.fields {
		if f.name == name {
			return f, true
		}
	}
	return field{}, false
}

// collectionOf returns an item's path without its identity.
func collectionOf(path string) string {
	c := path[:strings.LastIndexByte(path, '/')]
	if strings.HasSuffix(path, ".json") {
		c += ".json"
	}
	return c
}

// verbOf returns the operation that a method means on an item or a collection.
// Twilio updates with POST. PUT and PATCH occur only in the generic layer.
func verbOf(method string, item bool) verbs {
	switch {
	case method == http.MethodGet && item:
		return fetch
	case method == http.MethodGet:
		return list
	case method == http.MethodPost && item:
		return update
	case method == http.MethodPost:
		return create
	case method == http.MethodDelete && item:
		return remove
	}
	return 0
}

func segments(path string) []string { return strings.Split(strings.TrimPrefix(path, "/"), "/") }

func variable(segment string) (string, bool) {
	if strings.HasPrefix(segment, "{") && strings.HasSuffix(segment, "}") {
		return segment[1 : len(segment)-1], true
	}
	return "", false
}

// variables returns the names of a path's variables.
func variables(path string) []string {
	var names []string
	for _, s := range segments(path) {
		if name, ok := variable(strings.TrimSuffix(s, ".json")); ok {
			names = append(names, name)
		}
	}
	return names
}

// snake writes FriendlyName as friendly_name. A run of capitals is one word:
// TTLSeconds gives ttlseconds.
func snake(pascal string) string {
	var b strings.Builder
	for i, r := range pascal {
		if 'A' <= r && r <= 'Z' {
			if i > 0 && !('A' <= pascal[i-1] && pascal[i-1] <= 'Z') {
				b.WriteByte('_')
			}
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// pascal writes friendly_name as FriendlyName.
func pascal(snake string) string {
	var b strings.Builder
	for w := range strings.SplitSeq(snake, "_") {
		if w != "" {
			b.WriteString(strings.ToUpper(w[:1]) + w[1:])
		}
	}
	return b.String()
}
