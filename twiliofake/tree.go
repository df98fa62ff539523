package twiliofake

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// A place locates the items of a path in the state: the collections on the way
// down from the account, and the variables that name the item in each. The last
// key has no variable if the path is that of a collection or a singleton.
//
// For a task they are the keys taskrouter/v1/Workspaces and Tasks, with the
// variables workspace_sid and sid. The router and the state both use places, so
// a path leads to the same item in both.
type place struct {
	keys, vars []string
	root       bool // accounts, which are at the root
}

// own returns how many variables name the item itself: 0 or 1.
func (p *place) own() int {
	if len(p.keys) == len(p.vars) {
		return 1
	}
	return 0
}

// pattern returns the place without the names of its variables. Rows and
// twilio-go name variables differently, {WorkspaceSid} and {workspace_sid}, so
// only the pattern can tell that two paths are the same.
func (p *place) pattern() string {
	s := strings.Join(p.keys, "/*/")
	if p.own() == 1 {
		s += "/*"
	}
	return s
}

// shared maps products whose versions show the same items to a common name.
// Chat has a second host, ip-messaging. Uploads to Serverless also have a host
// of their own. Otherwise an item created on one version or host would be
// missing on the other.
var shared = map[string]string{
	"chat": "chat", "ip-messaging": "chat", "studio": "studio", "content": "content",
	"serverless": "serverless", "serverless-upload": "serverless",
}

// placeOf returns the place of a path. The account of the API of 2010 is
// dropped from it, so that all products have the account as their root.
func placeOf(product, path string) *place {
	segs := segments(strings.TrimSuffix(path, ".json"))
	p := &place{}
	at := product
	if product == "api" {
		if len(segs) > 2 {
			p.root = len(segs) == 3
			segs = segs[2:]
			if len(segs) > 1 {
				segs = segs[1:] // drop the account, which the request enters
			} else {
				at = "accounts"
			}
		} else {
			p.keys, p.root = []string{"accounts"}, true
			return p
		}
	} else if name, ok := shared[product]; ok {
		at, segs = name, segs[1:]
	}
	for _, s := range segs {
		if v, ok := variable(s); ok {
			p.keys, p.vars = append(p.keys, at), append(p.vars, snake(v))
			at = ""
		} else if at == "" {
			at = s
		} else {
			at += "/" + s
		}
	}
	if at != "" {
		p.keys = append(p.keys, at)
	}
	return p
}

// A kind describes the items of a collection, or a singleton, under all the
// paths and API versions that show them. Each row makes one, with the row's
// paths, and so does every other collection in the table of operations. A kind
// never changes once the world is built.
type kind struct {
	name      string
	product   string
	row       *resource // nil if there is only the generic layer
	paths     []*place  // the first is the home
	vars      []string  // variables of the home, the identity last
	root      bool
	singleton bool
	alias     []string // fields that can replace the SID in a path
	indexed   []string // alias and unique fields
	unique    []unique
	due       func(*record) string // when an item lapses; nil if none does
	viewers   []*kind              // kinds that are also listed below these items, at a second path
}

func (k *kind) home() string { return k.paths[0].keys[len(k.paths[0].keys)-1] }

// fold returns the value of an indexed field in the form used for comparison.
// The friendly names of TaskRouter are compared without regard to case.
func (k *kind) fold(field, value string) string {
	for _, u := range k.unique {
		if u.field == field && u.fold {
			return strings.ToLower(value)
		}
	}
	return value
}

// newKind makes a kind with its first path as its home. The caller sets what
// only rows know, and then calls index.
func newKind(name, product string, paths ...*place) *kind {
	k := &kind{name: name, product: product, paths: paths, vars: paths[0].vars, root: paths[0].root}
	k.singleton = paths[0].own() == 0
	return k
}

// index completes a kind once its unique fields and aliases are known.
func (k *kind) index() {
	k.indexed = slices.Clone(k.alias)
	for _, u := range k.unique {
		if !slices.Contains(k.indexed, u.field) {
			k.indexed = append(k.indexed, u.field)
		}
	}
}

// A rowIndex holds the modelled kinds, by name and by pattern.
type rowIndex struct{ byName, byPattern map[string]*kind }

// indexRows makes the kinds of the rows. It fails if two rows claim the same
// name or place. A row that took another's place would silently hide it, so New
// fails, which a test would notice.
func indexRows(rows []*resource) (*rowIndex, error) {
	x := &rowIndex{map[string]*kind{}, map[string]*kind{}}
	for _, r := range rows {
		var paths []*place
		for _, p := range r.paths {
			paths = append(paths, placeOf(r.host, p))
		}
		k := newKind(r.name, r.host, paths...)
		k.row, k.alias, k.unique = r, r.alias, r.unique
		if k.due = r.due; k.due == nil {
			if _, ok := r.field("DateExpires"); ok {
				k.due = expiresOn
			}
		}
		k.index()
		if x.byName[r.name] != nil {
			return nil, fmt.Errorf("twiliofake: two rows are named %s", r.name)
		}
		x.byName[r.name] = k
		for _, p := range paths {
			if o := x.byPattern[p.pattern()]; o != nil {
				return nil, fmt.Errorf("twiliofake: row %s takes the place of row %s, %s", r.name, o.name, p.pattern())
			}
			x.byPattern[p.pattern()] = k
		}
	}
	for _, k := range x.byName {
		for _, p := range k.paths[1:] {
			above := &place{keys: p.keys[:len(p.keys)-1], vars: p.vars[:len(p.keys)-1]}
			if parent := x.byPattern[above.pattern()]; parent != nil {
				parent.viewers = append(parent.viewers, k)
			}
		}
	}
	return x, nil
}

// theRows indexes the rows when the first fake is made; the table of operations
// is joined to them on the first request. All fakes share both, and neither
// changes.
var theRows = sync.OnceValues(func() (*rowIndex, error) {
	var rows []*resource
	for _, r := range table() {
		rows = append(rows, &r)
	}
	return indexRows(rows)
})

// A node is one segment of a product's paths. The tree of nodes is the router.
//
// A path is walked segment by segment, a literal before a variable. The fields
// up to depth come from the paths alone; settle sets the others once all paths
// are in the tree.
type node struct {
	product string
	segment string // in braces if it is a variable
	// template is the path as an operation or a row writes it. A variable's name
	// can differ between the path of the item and the paths below it.
	template string
	parent   *node
	lit      map[string]*node
	wild     *node
	ops      []*operation
	depth    int

	*place
	wilds []*node // the nodes of the place's variables
	kind  *kind   // of the collection, item or singleton here
	// variable segments name an item. The path is usually that item's (item); if
	// it is a collection's, self is the kind of the item that the variable
	// names.
	variable, item bool
	self           *kind
	// ghost items are added silently, since no operation could create them.
	ghost bool
	asRow bool // a row has this path
	links []link
}

// A link is a literal segment below a node and its name in an answer.
type link struct{ segment, name string }

// op returns the operation of a method, or nil.
func (n *node) op(method string) *operation {
	for _, op := range n.ops {
		if op.method == method {
			return op
		}
	}
	return nil
}

// has reports whether the node has an operation of one of the classes.
func (n *node) has(classes ...string) bool {
	return n != nil && slices.ContainsFunc(n.ops, func(op *operation) bool { return slices.Contains(classes, op.class) })
}

// rowVerb returns the operation of the node's row for a method, or 0 if the row
// does not have it. A special row has only the exact paths that it names.
func (n *node) rowVerb(method string) verbs {
	if n.kind == nil || n.kind.row == nil || n.kind.row.special != nil && !n.asRow {
		return 0
	}
	return verbOf(method, n.item || n.kind.singleton) & n.kind.row.can
}

// match finds the node of a path. A literal wins over a variable if the rest of
// the path matches too: Workers/Statistics exists next to
// Workers/{Sid}/Channels. It goes back and tries the variable if the literal
// leads nowhere.
func (n *node) match(segs []string) *node {
	if len(segs) == 0 {
		if len(n.ops) > 0 || n.asRow {
			return n
		}
		return nil
	}
	if next := n.lit[segs[0]]; next != nil {
		if found := next.match(segs[1:]); found != nil {
			return found
		}
	}
	if n.wild != nil && segs[0] != "" {
		return n.wild.match(segs[1:])
	}
	return nil
}

// path returns the path of the node, with variables in braces.
func (n *node) path() string {
	if n.template != "" || n.parent == nil {
		return strings.TrimSuffix(n.template, ".json")
	}
	return n.parent.path() + "/" + n.segment
}

// A world is the part of the API that never changes: the nodes by product and
// the kinds by name. It takes time to make, so it is made once for the process,
// on the first request.
type world struct {
	products map[string]*node
	kinds    map[string]*kind
	ops      map[*kind][]*operation
}

// newWorld joins the rows with the table of operations. Operations come first,
// so that their spelling of a path wins; rows then add the paths that twilio-go
// does not have. settle goes through products in order of their names, so the
// names of generic kinds do not depend on the order of a map.
func newWorld(rows *rowIndex, ops []*operation) *world {
	w := &world{map[string]*node{}, maps.Clone(rows.byName), map[*kind][]*operation{}}
	byPattern := maps.Clone(rows.byPattern)
	for _, op := range ops {
		n := w.node(op.product, op.path)
		n.ops = append(n.ops, op)
		n.template = cmp.Or(n.template, op.path)
	}
	for _, name := range slices.Sorted(maps.Keys(rows.byName)) {
		k := rows.byName[name]
		for _, p := range k.row.paths {
			w.row(k.product, p)
			if identityOf(p) != "" && k.row.special == nil {
				w.row(k.product, collectionOf(p))
				if k.row.upload != "" {
					w.row(k.row.upload, collectionOf(p))
				}
			}
		}
	}
	for _, product := range slices.Sorted(maps.Keys(w.products)) {
		w.products[product].settle(w, byPattern)
	}
	for pattern, k := range rows.byPattern { // the kinds of rows can also be named by path
		if name := kindName(pattern); w.kinds[name] == nil {
			w.kinds[name] = k
		}
	}
	for _, k := range w.kinds {
		if k.row == nil {
			k.derive(w.ops[k])
		}
		for _, op := range w.ops[k] {
			op.identity = k.identityOf(op)
		}
	}
	return w
}

// row marks the node of a path as a row's.
func (w *world) row(product, path string) {
	n := w.node(product, path)
	n.asRow, n.template = true, cmp.Or(n.template, path)
}

// node finds or makes the node of a path.
func (w *world) node(product, path string) *node {
	n := w.products[product]
	if n == nil {
		n = &node{product: product}
		w.products[product] = n
	}
	for _, s := range segments(strings.TrimSuffix(path, ".json")) {
		next := n.lit[s]
		_, wild := variable(s)
		if wild {
			next = n.wild
		}
		if next == nil {
			next = &node{product: product, segment: s, parent: n, variable: wild, depth: n.depth + 1}
			if wild {
				n.wild = next
			} else {
				if n.lit == nil {
					n.lit = map[string]*node{}
				}
				n.lit[s] = next
			}
		}
		n = next
	}
	return n
}

// settle sets the places and kinds of a node and of those below it.
//
// A variable at the end is an item, unless operations create or list there:
// then it names a collection, as in voice.twilio.com/v2/Configurations/{…}. Two
// collections can have the same path without variables; the second one is named
// by its pattern.
//
// A node becomes a ghost if no operation can create the items that its variable
// names: then requests below may name any such item.
func (n *node) settle(w *world, byPattern map[string]*kind) {
	n.item = n.variable && !n.has("list", "list-only", "create")
	if n.parent != nil && (n.variable || n.asRow || len(n.ops) > 0 || n.wild != nil) {
		n.place = placeOf(n.product, n.path())
		if n.variable && !n.item {
			n.self = newKind("", n.product, n.place)
			n.place = &place{append(slices.Clone(n.keys), ""), n.vars, n.root}
		}
		pattern := n.pattern()
		item := pattern
		if !n.item && (n.collects() || n.asRow && byPattern[pattern+"/*"] != nil) && byPattern[pattern] == nil {
			item += "/*"
		}
		n.kind = byPattern[item]
		if n.kind == nil && (n.item || n.collects() || len(n.ops) > 0) {
			p := n.place
			if item != pattern {
				p = &place{slices.Clone(p.keys), append(slices.Clone(p.vars), "sid"), p.root}
				if n.wild != nil {
					p = placeOf(n.product, n.wild.path())
				}
			}
			name := kindName(item)
			if w.kinds[name] != nil {
				name = item
			}
			n.kind = newKind(name, n.product, p)
			w.kinds[name], byPattern[item] = n.kind, n.kind
		}
		if n.item {
			n.self = n.kind
		}
		if n.kind != nil {
			w.ops[n.kind] = append(w.ops[n.kind], n.ops...)
			for i, p := range n.kind.paths { // a row has its own names for the variables
				if slices.Equal(p.keys, n.keys) && p.own() >= n.own() {
					n.place = &place{n.keys, n.kind.paths[i].vars[:len(n.vars)], n.root}
				}
			}
		}
	}
	if n.place != nil {
		for o := n; o != nil; o = o.parent {
			if o.variable {
				n.wilds = append(n.wilds, o)
			}
		}
		slices.Reverse(n.wilds)
		n.wilds = n.wilds[len(n.wilds)-len(n.vars):]
	}
	if n.variable && (n.self.row == nil || n.self.row.special != nil) && !n.parent.has("list", "list-only", "create", "create-parent") {
		n.ghost = !n.item || !slices.ContainsFunc(n.ops, func(op *operation) bool { return op.class != "oracle" })
	}
	n.ghost = n.ghost || n.product == "api" && n.segment == "{CountryCode}"
	for _, name := range slices.Sorted(maps.Keys(n.lit)) {
		n.links = append(n.links, link{name, snake(strings.ReplaceAll(name, "-", "_"))})
		n.lit[name].settle(w, byPattern)
	}
	slices.SortFunc(n.links, func(a, b link) int { return strings.Compare(a.name, b.name) })
	if n.wild != nil {
		n.wild.settle(w, byPattern)
	}
}

// kindName returns the name of a generic kind in the state document: its path
// without variables, such as "sync/v1/Services/Documents".
func kindName(pattern string) string {
	return strings.TrimSuffix(strings.ReplaceAll(pattern, "/*", ""), "/")
}

// collects reports whether the node is a collection of items. Some collections
// have no operations of their own and show only in the paths of their items.
func (n *node) collects() bool {
	return n.has("list", "list-only", "create", "create-parent") ||
		n.wild != nil && !n.wild.has("list", "list-only", "create") && !n.has("view")
}

// derive completes a kind from its operations. If a create has a string
// parameter UniqueName or Identity that the answer repeats, it is assumed to be
// a name that is unique in its collection and also works in the path.
func (k *kind) derive(ops []*operation) {
	for _, op := range ops {
		if op.class != "create" && op.class != "create-at" {
			continue
		}
		for _, field := range []string{"unique_name", "identity"} {
			p := op.param(pascal(field))
			if p == nil || p.shape.code != "s" || len(k.vars) == 0 || key(k.vars[len(k.vars)-1]) == p.key {
				continue
			}
			if m := op.model.model(); m == nil || m.field(p.key) == nil || slices.Contains(k.alias, field) {
				continue
			}
			k.alias = append(k.alias, field)
			k.unique = append(k.unique, unique{field: field, code: conflictCode(k.product)})
		}
	}
	k.index()
}

// identityOf returns the key of the field that holds the identity in an
// operation's model: the variable's name, or else sid or id. It is "" if the
// answer does not show the identity.
func (k *kind) identityOf(op *operation) string {
	m := op.model.model()
	if m == nil || k.singleton || len(k.vars) == 0 {
		return ""
	}
	for _, name := range []string{key(k.vars[len(k.vars)-1]), "sid", "id"} {
		if m.field(name) != nil {
			return name
		}
	}
	return ""
}

// field returns the field with a key.
func (m *model) field(key string) *modelField {
	for i := range m.fields {
		if m.fields[i].key == key {
			return &m.fields[i]
		}
	}
	return nil
}

// conflictCode returns a product's error code for a name that is taken. If the
// product's code is not known, it is 20000 plus the status.
func conflictCode(product string) int {
	return cmp.Or(map[string]int{"sync": 54301, "video": 53113, "chat": 50307, "ip-messaging": 50307, "conversations": 50353}[product], 20409)
}

var theWorld = sync.OnceValue(func() *world {
	rows, err := theRows()
	if err != nil {
		panic(err.Error()) // New would have failed
	}
	return newWorld(rows, operations())
})

// nodeOf returns the node of a generic kind's items. It searches the product's
// tree, and is only used when a state document names a parent that does not
// exist.
func (w *world) nodeOf(k *kind) *node {
	n := w.products[k.product]
	var find func(n *node) *node
	find = func(n *node) *node {
		if n.kind == k && n.place != nil && slices.Equal(n.keys, k.paths[0].keys) {
			return n
		}
		for _, next := range n.lit {
			if found := find(next); found != nil {
				return found
			}
		}
		if n.wild != nil {
			return find(n.wild)
		}
		return nil
	}
	return find(n)
}

// knows reports whether an operation of a kind has a parameter or a field by
// that name. It lets a state document set fields that a row leaves to the
// table, and parameters that a request would have left in the record.
func (w *world) knows(k *kind, name string) bool {
	norm := key(name)
	for _, op := range w.ops[k] {
		if m := op.model.model(); m != nil && m.field(norm) != nil {
			return true
		}
		for _, p := range op.params {
			top, _, _ := strings.Cut(p.name, ".")
			if p.key == norm || key(top) == norm {
				return true
			}
		}
	}
	return false
}

// path returns the place of a kind below the items that a variable names.
// Unique names whose scope is not the first path's use it.
func (k *kind) path(variable string) *place {
	for _, p := range k.paths {
		if i := slices.Index(p.vars, variable); i >= 0 && i == len(p.keys)-2 {
			return p
		}
	}
	return nil
}
