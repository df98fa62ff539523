package twiliofake

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// answer returns a response with the item as its body. An operation without a
// model answers with an empty body. The ETag is the item's after the request.
func (c *call) answer(status int, rec *record) *response {
	if c.resource == nil && c.op.model.none() {
		return &response{status: status}
	}
	res := jsonResponse(status, c.render(rec))
	if c.tagged() {
		res.header.set("ETag", rec.etag())
	}
	return res
}

// render makes the body of an item: the fields of the operation's model and,
// for a row, those that the model lacks. The model comes from twilio-go, so its
// structs decode every answer. Without an operation, it has only the row's
// fields. The row's view hook comes last.
//
// The body must be written before render is called again, which uses the same
// map: one for each item would be a tenth of the memory that a request takes.
func (c *call) render(rec *record) any {
	var model *model
	if c.op != nil {
		model = c.op.model.model()
		if model == nil && c.resource == nil { // a list of names
			return c.op.model.convert(rec.id)
		}
	}
	m := c.rendered
	clear(m)
	if model != nil {
		for i := range model.fields {
			f := &model.fields[i]
			m[f.name] = c.value(rec, f)
		}
	}
	if c.resource == nil {
		return m
	}
	if model == nil {
		for _, name := range []string{"sid", "account_sid", "date_created", "date_updated"} {
			if v, ok := rec.lookup(name); ok && !c.bare {
				m[name] = v
			}
		}
		m["url"], m["links"] = c.itemURL(rec), c.links(rec)
	}
	for _, f := range c.fields {
		if f.name[0] == '_' {
			continue // stored but never sent
		}
		if v, ok := rec.raw(f.name); ok {
			m[f.name] = v
		} else {
			m[f.name] = f.initial
		}
	}
	if c.view != nil {
		c.view(c, rec, m)
	}
	return m
}

// value returns the value of a model's field in an item. A field that twilio-go
// declares without a pointer cannot be null, so it gets the zero value of its
// type.
func (c *call) value(rec *record, f *modelField) any {
	switch f.key {
	case "url":
		return c.itemURL(rec)
	case "uri":
		return c.itemPath(rec)
	case "links", "subresourceuris":
		return c.links(rec)
	case c.op.identity:
		return f.shape.convert(rec.id)
	}
	if v, ok := rec.raw(f.key); ok {
		if v != nil && c.resource == nil {
			v = f.shape.convert(v)
		}
		if v != nil || f.nullable {
			return v
		}
	} else if c.resource == nil && rec.seq == 0 && rec.owner != nil && rec.owner.owner != nil {
		// A view or a verb shows the fields of the item above it.
		if v, ok := rec.owner.raw(f.key); ok {
			return f.shape.convert(v)
		}
	}
	if f.nullable {
		return nil
	}
	return f.shape.zero(0)
}

// zero returns the value of a field that is missing but cannot be null. Models
// can contain themselves, so the depth is bounded.
func (s shape) zero(depth int) any {
	switch s.code[0] {
	case 'i', 'f':
		return 0
	case 'b':
		return false
	case 'l':
		return []any{}
	case 'm', 'p':
		return map[string]any{}
	case 't':
		return time.Unix(0, 0).UTC().Format(time.RFC3339)
	case 'N':
		m := map[string]any{}
		for _, f := range s.model().fields {
			m[f.name] = nil
			if !f.nullable && depth < 10 {
				m[f.name] = f.shape.zero(depth + 1)
			}
		}
		return m
	case 'o':
		return nil
	}
	return ""
}

// convert converts a parameter's value to the shape of a field; nil if it
// cannot. Parameters are strings where an answer may have a number, and a JSON
// document in a parameter may be an object in the answer. An object that is
// sent unchanged stays packed.
func (s shape) convert(v any) any {
	if p, ok := v.(packed); ok {
		if s.code == "o" || s.code == "m" && p[0] == '{' {
			return v
		}
		v = p.unpack()
	}
	switch s.code[0] {
	case 's':
		switch v := v.(type) {
		case nil, string:
			return v
		case bool:
			return strconv.FormatBool(v)
		case int:
			return strconv.Itoa(v)
		case float64:
			return strconv.FormatFloat(v, 'g', -1, 64)
		case json.Number:
			return v.String()
		}
		b, err := json.Marshal(v)
		if err != nil {
			return nil
		}
		return string(b)
	case 'i':
		switch v := v.(type) {
		case int:
			return v
		case float64:
			return int(v)
		case json.Number:
			n, err := strconv.Atoi(v.String())
			if err == nil {
				return n
			}
		case string:
			n, err := strconv.Atoi(v)
			if err == nil {
				return n
			}
		}
		return nil
	case 'f':
		switch v := v.(type) {
		case int, float64, json.Number:
			return v
		case string:
			n, err := strconv.ParseFloat(v, 64)
			if err == nil {
				return n
			}
		}
		return nil
	case 'b':
		switch v := v.(type) {
		case bool:
			return v
		case string:
			b, err := strconv.ParseBool(v)
			if err == nil {
				return b
			}
		}
		return nil
	case 't', 'd':
		text, _ := v.(string)
		if s.code == "t" && len(text) == len("2006-01-02T15:04:05Z") && text[19] == 'Z' ||
			s.code == "d" && len(text) == len(time.RFC1123Z) && strings.HasSuffix(text, " +0000") {
			return v // already the right type
		}
		t, err := parseTime(text)
		if err != nil {
			return nil
		}
		if s.code == "d" {
			return t.Format(time.RFC1123Z)
		}
		return t.Format(time.RFC3339)
	case 'l':
		switch v := v.(type) {
		case []any:
			out := make([]any, len(v))
			for i := range v {
				out[i] = s.elem().convert(v[i])
			}
			return out
		case []string:
			out := make([]any, len(v))
			for i := range v {
				out[i] = s.elem().convert(v[i])
			}
			return out
		case nil:
			return nil
		}
		return []any{s.elem().convert(v)}
	case 'm', 'p', 'N':
		if text, ok := v.(string); ok {
			v, _ = decodeJSON(text)
		}
		if m, ok := v.(map[string]any); ok {
			return s.complete(m)
		}
		return nil
	}
	return v
}

// complete returns a copy of an object with all fields of its model. Users of
// twilio-go rely on every field, even if the parameter that set the object left
// some out.
func (s shape) complete(m map[string]any) map[string]any {
	model := s.model()
	if model == nil {
		return m
	}
	out := maps.Clone(m)
	for i := range model.fields {
		f := &model.fields[i]
		out[f.name] = nil
		if v, ok := m[f.name]; ok {
			out[f.name] = f.shape.convert(v)
		}
		if out[f.name] == nil && !f.nullable {
			out[f.name] = f.shape.zero(0)
		}
	}
	return out
}

// parseTime parses a time in either API's format, or a date alone. The last
// format, without a zone, is what some clients send in filters; it is read as
// UTC.
func parseTime(s string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, time.RFC1123Z, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Parse("2006-01-02T15:04:05", s)
}

// base returns the scheme and host under which the client called the product.
// It is https even if the client used plain HTTP, as Twilio's answers are.
// flexfn's transport redirects such URLs to the fake by their host.
func (c *call) base() string { return "https://" + c.host }

// itemURL returns the URL of an item, below the path of the request.
func (c *call) itemURL(rec *record) string {
	var room [192]byte
	return string(c.appendItem(append(room[:0], c.base()...), rec))
}

// itemPath returns the path of an item. It repeats the path of the request, so
// an item that is listed at two paths has a URL at the requested one.
func (c *call) itemPath(rec *record) string {
	var room [160]byte
	return string(c.appendItem(room[:0], rec))
}

func (c *call) appendItem(b []byte, rec *record) []byte {
	b = c.appendPath(b, c.node, rec)
	if !c.item && c.own() == 0 && !c.kind.singleton {
		b = append(append(b, '/'), url.PathEscape(rec.id)...)
	}
	if c.product == "api" {
		b = append(b, ".json"...)
	}
	return b
}

// appendPath appends the path of a node with the variables of the request and,
// for the last one, the identity of rec. Identities are escaped: a Sync key may
// contain a slash.
func (c *call) appendPath(b []byte, n *node, rec *record) []byte {
	if n.parent == nil {
		return b
	}
	b = append(c.appendPath(b, n.parent, rec), '/')
	if !n.variable {
		return append(b, n.segment...)
	}
	i := slices.Index(c.wilds, n)
	switch {
	case i < 0:
		return append(b, c.account.id...) // the account of the API of 2010
	case i == len(c.wilds)-1 && c.item:
		return append(b, url.PathEscape(rec.id)...)
	}
	return append(b, url.PathEscape(c.vars[c.node.vars[i]])...)
}

// links returns the URLs of the resources directly below an item. Every literal
// segment below the item becomes a link, named in snake case. Twilio's own
// lists differ for a few resources, whose rows correct them in a view.
func (c *call) links(rec *record) packed {
	n := c.node
	if !c.item && c.own() == 0 && !c.kind.singleton {
		n = n.wild
	}
	if n == nil || len(n.links) == 0 {
		return "{}"
	}
	below, extension := c.itemURL(rec), ""
	if c.product == "api" {
		extension = ".json"
		below = strings.TrimSuffix(c.itemPath(rec), extension)
	}
	var room [1024]byte
	b := append(room[:0], '{')
	start := len(b)
	for _, l := range n.links {
		if len(b) > start {
			b = append(b, ',')
		}
		b = append(append(append(b, '"'), l.name...), `":`...)
		b, _ = appendText(b, below)   // cannot fail
		b = append(b[:len(b)-1], '/') // instead of the quote
		b = append(append(append(b, l.segment...), extension...), '"')
	}
	return packed(append(b, '}'))
}
