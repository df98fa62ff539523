package twiliofake

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// State is everything that a fake holds, as one JSON document that people can
// read and write.
type State struct {
	// Resources are the items by kind, such as "tasks" or "workers", in the
	// order in which lists show them. Fields that are left out get their
	// initial values.
	Resources map[string][]Resource `json:"resources"`
	// Tokens are the Flex tokens that IAM knows; all others are invalid.
	Tokens map[string]Token `json:"tokens,omitempty"`
	// Faults are the rules by which the fake misbehaves; see [Fault].
	Faults []Fault `json:"faults,omitempty"`
	// FaultSeed seeds the faults that strike with a probability.
	FaultSeed uint64 `json:"fault_seed,omitempty"`
}

//go:embed development.json
var development []byte

// What [DevelopmentState] names its account and its workspace.
const (
	DevelopmentAccountSID     = "AC00000000000000000000000000000001"
	DevelopmentAuthToken      = "development000000000000000000000" // of the fake alone
	DevelopmentWorkspaceSID   = "WS00000000000000000000000000000001"
	DevelopmentChatServiceSID = "IS00000000000000000000000000000001"
)

// DevelopmentState returns the world that a developer begins with: account
// [DevelopmentAccountSID], a Flex workspace with two agents, a
// supervisor and an administrator, queues, a task with its reservation,
// conference CF00000000000000000000000000000001 with participant
// CA00000000000000000000000000000001, phone numbers, a conversation, a chat
// channel, and the tokens dev-agent, dev-supervisor, dev-admin, dev-guest,
// dev-expired, dev-invalid and dev-outage.
func DevelopmentState() State {
	s, err := readState(bytes.NewReader(development))
	if err != nil {
		panic("twiliofake: development.json: " + err.Error()) // a test reads it
	}
	return s
}

// readState reads a state document. Keys that it does not know are errors.
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

// State returns a copy of everything that the fake holds.
func (t *Twilio) State() State {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := State{Resources: map[string][]Resource{}, Tokens: copyTokens(t.tokens)}
	for name, c := range t.store.kinds {
		for _, rec := range c.all {
			s.Resources[name] = append(s.Resources[name], rec.export())
		}
	}
	s.Faults, s.FaultSeed = t.faults.list()
	return s
}

// SetState puts a state in the place of all that the fake holds. When the
// state is not valid, nothing changes and the error names every fault of it.
func (t *Twilio) SetState(s State) error {
	store := newStore(t.seed)
	now := time.Now().UTC()
	var errs []error
	account := ""
	if acc := s.Resources["accounts"]; len(acc) > 0 {
		account, _ = acc[0]["sid"].(string)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Resources)) {
		r, ok := t.kinds[name]
		if !ok {
			errs = append(errs, fmt.Errorf("resources: there is no kind %q", name))
			continue
		}
		for i, item := range s.Resources[name] {
			rec, err := r.load(item, account, now)
			if err != nil {
				errs = append(errs, fmt.Errorf("%s[%d]: %w", name, i, err))
				continue
			}
			store.put(r, rec)
		}
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

// load makes a record of an item of a state document.
func (r *resource) load(item Resource, account string, now time.Time) (*record, error) {
	rec := &record{fields: map[string]any{"account_sid": account}}
	if !r.bare {
		rec.fields["date_created"], rec.fields["date_updated"] = r.date(now), r.date(now)
	}
	kinds := map[string]kind{"sid": text, "account_sid": text, "date_created": text, "date_updated": text}
	for _, p := range r.paths {
		for _, name := range variables(p) {
			kinds[name] = text
		}
	}
	for _, f := range r.fields {
		rec.fields[f.name], kinds[f.name] = f.initial, f.kind
	}
	for name, v := range item {
		if name == "_version" {
			n, ok := integer.fits(v)
			if rec.version, _ = n.(int); !ok {
				return nil, fmt.Errorf("_version is not an integer")
			}
			continue
		}
		k, ok := kinds[name]
		if !ok && !strings.HasPrefix(name, "_") {
			return nil, fmt.Errorf("there is no field %q", name)
		}
		if !ok {
			k = value
		}
		if rec.fields[name], ok = k.fits(v); !ok {
			return nil, fmt.Errorf("field %q cannot be %v", name, v)
		}
	}
	// Below what it stands is part of an item's identity.
	for _, name := range variables(r.paths[0]) {
		if rec.text(name) == "" {
			return nil, fmt.Errorf("field %q is missing", name)
		}
	}
	return rec, nil
}

// export is the record as a state document holds it.
func (r *record) export() Resource {
	m := maps.Clone(r.fields)
	for k, v := range m {
		switch v.(type) {
		case nil:
			delete(m, k)
		case map[string]any, []any, []string:
			m[k], _ = copyJSON(v) // it came from JSON
		}
	}
	if r.version != 0 {
		m["_version"] = r.version
	}
	return m
}

// put adds a record, in the place of the one of the same identity and parents.
func (s *store) put(r *resource, rec *record) {
	same := map[string]any{}
	for _, name := range variables(r.paths[0]) {
		same[name] = rec.fields[name]
	}
	for _, old := range s.kind(r.name).byID[rec.text(r.identity())] {
		if old.matches(same) {
			*old = *rec
			return
		}
	}
	s.add(r, rec)
}

func (t *Twilio) mainAccount() string {
	if accs := t.store.kind("accounts").all; len(accs) > 0 {
		return accs[0].text("sid")
	}
	return ""
}

// Load puts the state document that r holds in the place of all that the fake
// holds; see [Twilio.SetState]. Keys that are not of a state are errors.
func (t *Twilio) Load(r io.Reader) error {
	s, err := readState(r)
	if err != nil {
		return err
	}
	return t.SetState(s)
}

// Save writes everything that the fake holds as a state document, indented,
// with its keys in order. Of the faults it says how often each has struck, not
// how many requests a Skip has let pass.
func (t *Twilio) Save(w io.Writer) error {
	b, err := json.MarshalIndent(t.State(), "", "  ")
	if err != nil {
		return fmt.Errorf("twiliofake: %w", err)
	}
	_, err = w.Write(append(b, '\n'))
	return err
}
