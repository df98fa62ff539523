package twiliofake

import (
	"net/http"
	"strings"
)

// A resource is one row of the description table: everything that the engine
// has to know to play one kind of Twilio resource. A new kind is a new row.
type resource struct {
	// name is the key of the kind in the state document, such as "tasks".
	name string
	// host is the product whose host serves it, such as "taskrouter".
	host string
	// paths are the paths of one item. A variable in braces names the JSON
	// field that it must equal; the last one is the identity. The collection
	// is the path without it. A path that ends in a literal is a singleton,
	// one an account. The first path makes the item's url; the others are
	// views of the same items, such as the reservations of a worker.
	paths []string
	// can lists what requests may do.
	can verbs
	// prefix begins the SIDs of new items.
	prefix string
	// alias are fields by which an item may be addressed instead of its SID.
	alias []string
	// unique are fields whose values no two items of the collection share.
	unique []unique
	// list is the key of the items in a page; empty derives it from the path
	// (TaskQueues: task_queues).
	list string
	// etag answers with an ETag and honours If-Match.
	etag bool
	// bare items have no SID, account and dates in their body.
	bare bool
	// founding creates may name a parent that does not exist; the hook makes it.
	founding bool
	// json bodies are accepted: an object whose keys are the fields.
	json bool
	// table takes the parameters from the table of every operation, and the
	// fields from its models: the row holds initial values and hooks alone.
	table bool
	// fields are the fields of an item's body other than those that every item
	// of its API has: sid, account_sid, date_created, date_updated, and url with
	// links or uri with subresource_uris.
	fields []field
	// filters are the fields by which a list may be narrowed.
	filters []string
	// params names the field of each parameter whose name is not the field's
	// in Pascal case (friendly_name: FriendlyName).
	params map[string]string

	// Hooks hold what is special. They run under the lock; create and update
	// after the parameters were put into the record, update with a copy that
	// is dropped when the hook refuses; remove before the record goes.
	create, update, remove func(*call, *record) *apiError
	// find looks an item up by a name that is neither its SID nor an alias.
	find func(*call, string) *record
	// view completes the body of an answer.
	view func(*call, *record, map[string]any)
	// changed hears of every change of an item that a request caused, whichever
	// resource the request was about: before is nil for a new item, after for
	// one that is gone.
	changed func(c *call, before, after *record)
	// narrow reads the parameters of a list that are not just the value of a
	// field; the result says which items stay. The one without a name is asked
	// for every list.
	narrow map[string]func(*call, []string) (func(*record) bool, *apiError)
	// orders are the fields that the parameter Ordering may name.
	orders []string
	// order is the order of a list; nil, or a nil result, is that of creation.
	order func(*call) (func(a, b *record) int, *apiError)
	// media answers a request for an item with another extension than .json.
	media func(c *call, rec *record, extension string) (*response, *apiError)
	// special answers every request to the path by itself.
	special func(*call) (*response, *apiError)
}

// verbs is a set of operations.
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

// A field is one field of a resource's body.
type field struct {
	name string
	kind valueKind
	// initial is the value of a new item; nil is null.
	initial any
	set     setting
}

// A unique field refuses a value that another item has.
type unique struct {
	field string
	// code is Twilio's; the status is 409, or 400 where the code is 20001.
	code int
	// fold compares without case.
	fold bool
	// in names the parent, of another of the kind's paths, whose items must
	// differ; empty is that of the first path.
	in string
}

func (u unique) refusal(value string) *apiError {
	if u.code == 20001 {
		return invalid("%s must be unique: another one has %q", pascal(u.field), value)
	}
	return refuse(http.StatusConflict, u.code, "%s %q is already in use", pascal(u.field), value)
}

// setting says which requests may set a field by a form parameter.
type setting uint8

const (
	onCreate setting = 1 << iota
	onUpdate
	required         // on create
	never    setting = 0
	always           = onCreate | onUpdate
)

// A valueKind says how a form parameter becomes a JSON value.
type valueKind uint8

const (
	text     valueKind = iota
	integer            // a JSON number
	boolean            // true, false
	instant            // a point in time, ISO 8601
	document           // JSON in a string, as attributes are
	value              // any JSON
	many               // a list of strings; a repeated parameter
)

// identity is the field that the path's last variable names.
func (r *resource) identity() string { return identityOf(r.paths[0]) }

func identityOf(path string) string {
	last := path[strings.LastIndexByte(path, '/')+1:]
	name, ok := variable(strings.TrimSuffix(last, ".json"))
	if !ok {
		return ""
	}
	return name
}

// classic reports whether the resource belongs to the API of 2010, which has
// its own dates, links and pages.
func (r *resource) classic() bool { return strings.HasPrefix(r.paths[0], "/2010-04-01/") }

// listKey is the key of the items in a page.
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

// collectionOf is an item's path without its identity.
func collectionOf(path string) string {
	c := path[:strings.LastIndexByte(path, '/')]
	if strings.HasSuffix(path, ".json") {
		c += ".json"
	}
	return c
}

// verbOf is the operation that a method asks of an item or a collection.
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

// variables are the names of the variables of a path.
func variables(path string) []string {
	var names []string
	for _, s := range segments(path) {
		if name, ok := variable(strings.TrimSuffix(s, ".json")); ok {
			names = append(names, name)
		}
	}
	return names
}

// snake writes FriendlyName as friendly_name.
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
