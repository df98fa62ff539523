package flexfn

import (
	"encoding/json"
	"strings"

	"github.com/flexfn/flexfn/internal/form"
)

// Event is the input of an untyped function: its parameters by name.
//
// From a query or a form, a value is a string, or a []any of strings if the key
// was repeated. From a JSON body it is a string, bool, nil, [json.Number], []any
// or map[string]any, as it was sent. The body wins over the query. The Flex
// token is left out. The caller chose the values and nothing has checked them;
// use [TokenOwner] for the caller's identity. The handler may change its Event.
//
//	func echo(ctx context.Context, event flexfn.Event) (map[string]any, error) {
//		sid := event.String("taskSid")
//		if !flexfn.ValidSID(sid, "WT") {
//			return nil, flexfn.Errorf(http.StatusBadRequest, "taskSid is not a task's SID")
//		}
//		…
//
// It suits functions that pass on whatever they get, and code ported from
// JavaScript. Otherwise prefer a struct: its fields are checked, described, and
// typed in the generated client.
type Event map[string]any

// String returns the parameter as text: a string unchanged, a number or a
// boolean as it was written. It returns "" for any other value, for an absent
// one, and for a key that was repeated.
func (e Event) String(key string) string {
	switch v := e[key].(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		if v {
			return "true"
		}
		return "false"
	}
	return ""
}

// event collects all parameters except the one named in without. A parameter of
// the body replaces the query's of the same name; only values from the same
// place form a list.
func (vs *values) event(without string) Event {
	e := make(Event, len(vs.query)+len(vs.form)+len(vs.json))
	for _, pairs := range [][]form.Pair{vs.query, vs.form} {
		seen := make(map[string]bool, len(pairs))
		for _, p := range pairs {
			switch have := e[p.Key].(type) {
			case []any:
				if seen[p.Key] {
					e[p.Key] = append(have, p.Value)
					continue
				}
			case string:
				if seen[p.Key] {
					e[p.Key] = []any{have, p.Value}
					continue
				}
			}
			e[p.Key] = p.Value
			seen[p.Key] = true
		}
	}
	for key, raw := range vs.json {
		e[key] = decodeAny(string(raw))
	}
	if without != "" {
		delete(e, without)
	}
	return e
}

// decodeAny decodes valid JSON, numbers unchanged.
func decodeAny(text string) any {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return nil
	}
	return v
}
