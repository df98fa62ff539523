package twiliofake

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"
)

// State is everything that a fake holds, as a JSON document that people can
// read and edit.
//
// A document holds auth tokens, API secrets and Flex tokens in the clear. The
// fake's are worthless elsewhere; do not put real ones into it.
type State struct {
	// Resources are the items by kind, such as "tasks" or "workers", in the
	// order in which lists show them. Missing fields get their initial values.
	// There must be at least one account. The first one is the default for
	// items that name none. Kinds may come in any order: parents are loaded
	// before what is below them.
	Resources map[string][]Resource `json:"resources"`
	// Tokens are the Flex tokens that IAM accepts; all others are invalid. The
	// key is the token itself.
	Tokens map[string]Token `json:"tokens,omitempty"`
	// Faults are the rules that make the fake misbehave; see [Fault]. Their
	// order matters: the first one that is due strikes.
	Faults []Fault `json:"faults,omitempty"`
	// FaultSeed seeds the choices of rules with a Probability. The same seed
	// and the same sequence of requests make the same choices.
	FaultSeed uint64 `json:"fault_seed,omitempty"`
}

//go:embed development.json
var development []byte

// The account and the workspace of [DevelopmentState].
const (
	DevelopmentAccountSID     = "AC00000000000000000000000000000001"
	DevelopmentAuthToken      = "development000000000000000000000" // only valid for the fake
	DevelopmentWorkspaceSID   = "WS00000000000000000000000000000001"
	DevelopmentChatServiceSID = "IS00000000000000000000000000000001"
)

// DevelopmentState returns the state for development: account
// [DevelopmentAccountSID] with a Flex workspace (two agents, a supervisor and an
// administrator; queues; a task with its reservation), conference
// CF00000000000000000000000000000001 with participant
// CA00000000000000000000000000000001, phone numbers, a conversation, a chat
// channel, and the tokens dev-agent, dev-supervisor, dev-admin, dev-guest,
// dev-expired, dev-invalid and dev-outage.
//
// Each call decodes it again, so the caller may change the result. Adding to it
// is the usual way to make your own state:
//
//	state := twiliofake.DevelopmentState()
//	state.Tokens["t"] = twiliofake.Token{Roles: []string{"agent"}}
//	fake, err := twiliofake.New(twiliofake.Config{State: &state})
func DevelopmentState() State {
	s, err := readState(bytes.NewReader(development))
	if err != nil {
		panic("twiliofake: development.json: " + err.Error()) // a test decodes it
	}
	return s
}

// readState reads a state document. Unknown keys are errors. Numbers keep their
// digits, since a float64 would change long ones. A second value after the
// document is an error too, since such a file was usually written twice.
func readState(r io.Reader) (State, error) {
	d := json.NewDecoder(r)
	d.UseNumber()
	d.DisallowUnknownFields()
	var s State
	if err := d.Decode(&s); err != nil {
		return State{}, fmt.Errorf("twiliofake: the state is not a document that this version reads: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return State{}, fmt.Errorf("twiliofake: the state: %w", errTrailing)
	}
	return s, nil
}

// State returns a copy of everything that the fake holds. Changing it does not
// change the fake; [Twilio.SetState] does.
//
// A kind without items is missing from Resources. Every item has the SIDs of
// its parents. A field is left out if it is null and null is its initial value.
func (t *Twilio) State() State {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.store.expire(time.Now())
	s := State{Resources: map[string][]Resource{}, Tokens: copyTokens(t.tokens)}
	for k := range t.store.kinds {
		for rec := range t.store.everywhere(k) {
			s.Resources[k.name] = append(s.Resources[k.name], rec.export())
		}
	}
	s.Faults, s.FaultSeed = t.faults.list()
	return s
}

// kindNamed returns a kind of the state document. It loads the table of
// operations if no row has the name. Rows come first, since most states name
// nothing else and the table takes time to decode.
func (t *Twilio) kindNamed(name string) *kind {
	if k := t.rows.byName[name]; k != nil {
		return k
	}
	return theWorld().kinds[name]
}

// SetState replaces the whole state. If s is invalid, nothing changes, and the
// error joins every fault.
//
// Requests that a fault is holding meet the new state when they continue. The
// request log stays. New items get their SIDs from the start of the seed's
// sequence again, so a test that resets the state is as repeatable as one with
// a new fake.
func (t *Twilio) SetState(s State) error {
	store := newStore(t.seed)
	now := time.Now().UTC()
	var errs []error
	account := ""
	if acc := s.Resources["accounts"]; len(acc) > 0 {
		account, _ = acc[0]["sid"].(string)
	}
	var kinds []*kind
	for _, name := range slices.Sorted(maps.Keys(s.Resources)) {
		if k := t.kindNamed(name); k != nil {
			kinds = append(kinds, k)
		} else {
			errs = append(errs, fmt.Errorf("resources: unknown kind %q", name))
		}
	}
	// Load parents before their children.
	slices.SortStableFunc(kinds, func(a, b *kind) int { return cmp.Compare(a.depth(), b.depth()) })
	for _, k := range kinds {
		for i, item := range s.Resources[k.name] {
			if err := store.load(k, item, account, now); err != nil {
				errs = append(errs, fmt.Errorf("%s[%d]: %w", k.name, i, err))
			}
		}
	}
	for _, k := range kinds {
		store.review(k)
	}
	if account == "" {
		errs = append(errs, errors.New("accounts: there must be one, with sid and auth_token"))
	}
	for token := range s.Tokens {
		if token == "" {
			errs = append(errs, errors.New("tokens: a token is empty"))
		}
	}
	if err := checkFaults(s.Faults); err != nil {
		errs = append(errs, err)
	}
	if len(errs) > 0 {
		return fmt.Errorf("twiliofake: the state is not valid: %w", errors.Join(errs...))
	}
	tokens := copyTokens(s.Tokens)
	t.mu.Lock()
	t.store, t.tokens = store, tokens
	t.mu.Unlock()
	t.faults.set(s.Faults, s.FaultSeed)
	return nil
}

// depth returns how many levels below the root the kind's items are.
func (k *kind) depth() int {
	if k.root {
		return 0
	}
	return len(k.paths[0].keys)
}

// everywhere yields the records of a kind in all accounts.
func (s *store) everywhere(k *kind) iter.Seq[*record] {
	return func(yield func(*record) bool) {
		if k.root {
			s.where(k, s.root, nil)(yield)
			return
		}
		for acc := range s.accounts().all() {
			for rec := range s.where(k, acc, nil) {
				if !yield(rec) {
					return
				}
			}
		}
	}
}

// review lists the records of a kind at all its paths again, after a change of
// the items above them. A document lists kinds by depth, so an item can be
// loaded before the second parent that its fields name, such as a video
// recording before its room.
func (s *store) review(k *kind) {
	if len(k.paths) == 1 {
		return
	}
	for rec := range s.everywhere(k) {
		for _, c := range rec.views {
			c.take(rec)
		}
		rec.views = nil
		s.view(rec)
	}
}

// load adds an item of a state document. It replaces an item with the same
// identity and parents.
//
// A field of the path, such as workspace_sid, is not stored as a value of the
// record, but decides its place in the tree. Values are checked against the
// row's kinds here, since hooks rely on them.
func (s *store) load(k *kind, item Resource, account string, now time.Time) error {
	rec := s.record(k, nil, "")
	r := k.row
	if r == nil || !r.bare {
		date := s.dateOf(now, k.product)
		rec.set("date_created", date)
		rec.set("date_updated", date)
	}
	above := map[string]string{}
	for name, v := range item {
		if name == "_version" {
			n, ok := integer.fits(v)
			if !ok {
				return fmt.Errorf("_version is not an integer")
			}
			i, _ := n.(int)
			rec.version = int32(i)
			continue
		}
		kind, ok := k.field(name)
		if !ok {
			return fmt.Errorf("unknown field %q", name)
		}
		if v, ok = kind.fits(v); !ok {
			return fmt.Errorf("field %q cannot be %v", name, item[name])
		}
		if n, ok := integer.fits(v); ok && strings.HasPrefix(name, "_") {
			v = n // a counter of a hook
		}
		if rec.kind.column(name, false) < atNone {
			above[key(name)], _ = v.(string)
			if above[key(name)] == "" && v != nil {
				above[key(name)] = fmt.Sprint(v)
			}
			continue
		}
		rec.set(name, v)
	}
	if !k.root && !slices.Contains(k.vars, "account_sid") {
		account = cmp.Or(above["accountsid"], account)
	}
	return s.place(rec, above, account)
}

// place finds the parents of a loaded record and adds it. Parents must exist,
// unless no operation could have created them: a Flex instance, for example,
// becomes a ghost.
func (s *store) place(rec *record, above map[string]string, account string) error {
	k := rec.kind
	at := s.root
	if !k.root {
		if at = s.accounts().find(account, nil); at == nil {
			return fmt.Errorf("unknown account %.40q", account)
		}
	}
	if k.row != nil && k.row.load != nil {
		k.row.load(s, at, rec)
	}
	keys := k.paths[0].keys
	for i, v := range k.vars {
		id := above[key(v)]
		if id == "" {
			return fmt.Errorf("field %q is missing", v)
		}
		if i == len(keys)-1 {
			rec.id = id
			break
		}
		next := at.child(keys[i]).find(id, nil)
		if next == nil {
			parent := s.parentKind(k.kind, i)
			if parent == nil {
				return fmt.Errorf("no item has the %s %.60q", v, id)
			}
			next = s.record(parent, at, id)
			s.ghost(next)
		}
		at = next
	}
	rec.owner = at
	if old := at.child(keys[len(keys)-1]).find(rec.id, nil); old != nil && old.id == rec.id && old.seq != 0 {
		s.commit(old, rec)
		return nil
	}
	s.add(rec)
	return nil
}

// parentKind returns the kind of the ghosts at level i above a kind's items, or
// nil if the items at that level must already exist.
func (s *store) parentKind(k *kind, i int) *kind {
	n := theWorld().nodeOf(k)
	if n == nil || !n.wilds[i].ghost {
		return nil
	}
	return n.wilds[i].self
}

// field returns the kind of value that a field of a state document holds. A
// name that begins with an underscore is private to hooks and can hold
// anything.
func (k *kind) field(name string) (valueKind, bool) {
	if strings.HasPrefix(name, "_") || k.row == nil {
		return value, true
	}
	if slices.Contains([]string{"sid", "account_sid", "date_created", "date_updated"}, name) {
		return text, true
	}
	for _, p := range k.paths {
		if slices.Contains(p.vars, name) {
			return text, true
		}
	}
	for _, f := range k.row.fields {
		if f.name == name {
			return f.kind, true
		}
	}
	// The generic layer stored it there.
	return value, theWorld().knows(k, name)
}

// export returns the record as it appears in the state document. A null field is
// left out only if null is its initial value.
func (r *record) export() Resource {
	m := Resource{}
	k := r.kind
	if k.row != nil {
		for _, f := range k.row.fields {
			if f.initial != nil {
				m[f.name] = f.initial
			}
		}
	}
	for i, v := range r.vals {
		name := k.names[i]
		if v == nil && m[name] == nil {
			continue
		}
		if v != unset {
			m[name] = v
		}
	}
	for _, v := range k.vars {
		m[v] = r.get(v)
	}
	if !k.root && m["account_sid"] == nil {
		m["account_sid"] = r.account().id
	}
	for name, v := range m {
		switch v := v.(type) {
		case packed:
			m[name] = v.unpack()
		case map[string]any, []any, []string:
			m[name], _ = copyJSON(v) // cannot fail: it came from JSON
		}
	}
	if r.version != 0 {
		m["_version"] = int(r.version)
	}
	return m
}

func (t *Twilio) mainAccount() string {
	for acc := range t.store.accounts().all() {
		return acc.id
	}
	return ""
}

// Load reads a state document from r and replaces the whole state, as
// [Twilio.SetState] does. Unknown keys are errors. It reads r to its end and
// does not close it. If it fails, the state does not change.
func (t *Twilio) Load(r io.Reader) error {
	s, err := readState(r)
	if err != nil {
		return err
	}
	return t.SetState(s)
}

// Save writes the whole state as a state document, indented and with sorted
// keys. It includes how often each fault has struck, but not how many requests a
// Skip has let through.
//
// Two fakes with equal states write equal bytes, so the document can be kept in
// version control. It holds secrets; see [State].
func (t *Twilio) Save(w io.Writer) error {
	b, err := json.MarshalIndent(t.State(), "", "  ")
	if err != nil {
		return fmt.Errorf("twiliofake: %w", err)
	}
	_, err = w.Write(append(b, '\n'))
	return err
}
