package flexfn

import (
	"encoding/json"
	"strings"

	"github.com/flexfn/flexfn/internal/form"
)

// Event is the input of an untyped function: each parameter by its name.
//
// From a query or a form a value is a string, or a []any of strings when the
// key was given more than once. From a JSON body it is what it was there:
// string, bool, nil, [json.Number], []any or map[string]any. The body wins
// over the query, and the Flex token is left out. Nothing in an Event can be
// trusted: who calls is told by [TokenOwner].
type Event map[string]any

// String returns the parameter as text: a string as it is, a number or a
// boolean as it was written, and "" for everything else or when absent.
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

// event collects all parameters but those named in without.
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
