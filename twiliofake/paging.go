package twiliofake

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// See https://www.twilio.com/docs/usage/twilios-response. A larger PageSize is
// cut down to the maximum, and 0 is raised to 1; neither is an error.
const (
	defaultPageSize = 50
	maxPageSize     = 1000
)

// A window is one page of a list: its records, and the sequence numbers after which
// the next and the previous page start.
type window struct {
	records        []*record
	number, size   int
	first          int // index of the first record, counting the pages followed so far
	token          string
	next, previous string // tokens; empty if there is no such page or pages are numbered
	back, more     bool   // there is a page before and after this one
}

// page answers a request for a list: the page that PageSize, Page and PageToken
// ask for, of the items that pass the filters. The style of the envelope is the
// operation's. In the API of 2010 it is uri, for most others meta.
func (c *call) page() (*response, *apiError) {
	keep, err := c.filters()
	if err != nil {
		return nil, err
	}
	w := window{token: cmp.Or(c.query.Get("PageToken"), c.query.Get("pageToken"))}
	size := "PageSize"
	if c.query.Has("pageSize") {
		size = "pageSize"
	}
	if w.size, err = c.count(size, defaultPageSize); err != nil {
		return nil, err
	}
	w.size = min(max(w.size, 1), maxPageSize)
	if w.number, err = c.count("Page", 0); err != nil {
		return nil, err
	}
	style := "meta"
	if c.op != nil {
		style = c.op.style
	} else if c.classic() {
		style = "uri"
	}
	if style == "none" {
		w.size = c.collection().len()
	}
	listed, err := c.sequence()
	if err != nil {
		return nil, err
	}
	w.fill(listed, keep)

	return jsonResponse(http.StatusOK, c.envelope(style, &w)), nil
}

// A sequence is a collection in the order of a list. In the usual order it is a
// view of the collection and copies nothing, so a page of a long list costs no
// more than one of a short list.
type sequence struct {
	len  int
	at   func(i int) *record // nil where a record was removed
	full bool                // at is never nil
	// A token names the last record before a page, so that items created or
	// removed between two requests do not make pages repeat or skip others.
	// after returns the index of the first record after the one that the token
	// names. Both are nil if pages are numbered.
	token func(*record) string
	after func(token string) (int, bool)
}

// sequence returns the collection in the order that the request asks for.
// Ordering sorts by fields that can change, which would make tokens useless, so
// its pages are numbered.
func (c *call) sequence() (sequence, *apiError) {
	in := cmp.Or(c.collection(), &collection{})
	if c.resource != nil && c.orders != nil && c.query.Has("Ordering") {
		compare, err := c.ordering()
		if err != nil {
			return sequence{}, err
		}
		items := slices.SortedStableFunc(in.all(), compare)
		return sequence{len: len(items), full: true, at: func(i int) *record { return items[i] }}, nil
	}
	s := in.created()
	if c.resource != nil && c.sorted {
		s = in.byIdentity()
	}
	if c.resource != nil && c.newest {
		s = s.reversed()
	}
	if c.resource == nil || !c.turned {
		return s, nil
	}
	switch order := c.query.Get("Order"); strings.ToLower(order) {
	case "", "asc":
		return s, nil
	case "desc":
		return s.reversed(), nil
	default:
		return s, invalid("Invalid value for parameter Order: %.100q", order)
	}
}

// created is the sequence in the order of creation.
func (c *collection) created() sequence {
	return sequence{
		len: len(c.order) - c.first, full: c.gone == c.first,
		at:    func(i int) *record { return c.order[c.first+i].rec },
		token: func(rec *record) string { return "PA" + strconv.Itoa(rec.seq) },
		after: func(token string) (int, bool) {
			digits, ok := strings.CutPrefix(token, "PA")
			seq, err := strconv.Atoi(digits)
			return max(c.after(seq)-c.first, 0), ok && err == nil
		},
	}
}

// byIdentity is the sequence in the order of identities. Sync lists its items
// by key or by index.
func (c *collection) byIdentity() sequence {
	items := c.inOrder()
	return sequence{
		len: len(items), full: true,
		at:    func(i int) *record { return items[i] },
		token: func(rec *record) string { return "PT" + rec.id },
		after: func(token string) (int, bool) {
			id, ok := strings.CutPrefix(token, "PT")
			i, found := slices.BinarySearchFunc(items, id, compareID)
			if found {
				i++
			}
			return i, ok
		},
	}
}

// reversed is the sequence from the last record to the first. after must step
// back over the record that the token names, because "after" now means before
// it.
func (s sequence) reversed() sequence {
	r := s
	r.at = func(i int) *record { return s.at(s.len - 1 - i) }
	r.after = func(token string) (int, bool) {
		i, ok := s.after(token)
		if i > 0 {
			if last := s.at(i - 1); last != nil && s.token(last) == token {
				i--
			}
		}
		return s.len - i, ok
	}
	return r
}

// fill finds the records of the page. With a token it takes the same time at any
// depth, and without a filter also by number.
//
// As with Twilio, whose clients send both, a token wins over a page number. If
// the token is invalid, the number counts. The last loop only runs for pages
// after the first, and looks back by one page and one item.
func (w *window) fill(in sequence, keep func(*record) bool) {
	start, skip, ok := 0, w.number*w.size, false
	if w.token != "" && in.after != nil {
		if start, ok = in.after(w.token); ok {
			skip = 0
		}
	}
	if !ok {
		w.token, start = "", 0
		if keep == nil && in.full {
			start, skip = min(skip, in.len), 0
		}
	}
	for i := start; i < in.len; i++ {
		rec := in.at(i)
		if rec == nil || keep != nil && !keep(rec) {
			continue
		}
		if skip > 0 {
			skip--
			start = i + 1
			continue
		}
		if len(w.records) == w.size {
			w.more = true
			if in.token != nil {
				w.next = in.token(w.records[w.size-1])
			}
			break
		}
		w.records = append(w.records, rec)
	}
	w.first = w.number * w.size
	if w.number == 0 {
		return
	}
	// The previous page starts after the item one page and one item back.
	n := 0
	for i := start - 1; i >= 0; i-- {
		rec := in.at(i)
		if rec == nil || keep != nil && !keep(rec) {
			continue
		}
		w.back = true
		if n++; n > w.size {
			if in.token != nil {
				w.previous = in.token(rec)
			}
			break
		}
	}
}

// ordering parses the Ordering parameter, such as
// "Priority:desc,DateCreated:asc". Only the fields in the row's orders are
// accepted, each with an explicit direction.
func (c *call) ordering() (func(a, b *record) int, *apiError) {
	type term struct {
		field string
		sign  int
	}
	var terms []term
	for part := range strings.SplitSeq(c.query.Get("Ordering"), ",") {
		name, direction, _ := strings.Cut(strings.TrimSpace(part), ":")
		t := term{snake(name), 1}
		if strings.EqualFold(direction, "desc") {
			t.sign = -1
		}
		if !slices.Contains(c.orders, t.field) || t.sign > 0 && !strings.EqualFold(direction, "asc") {
			return nil, invalid("Invalid value for parameter Ordering: %.100q", c.query.Get("Ordering"))
		}
		terms = append(terms, t)
	}
	return func(a, b *record) int {
		for _, t := range terms {
			order := cmp.Or(cmp.Compare(a.text(t.field), b.text(t.field)), cmp.Compare(a.number(t.field), b.number(t.field)))
			if order != 0 {
				return t.sign * order
			}
		}
		return 0
	}, nil
}

// envelope wraps a page the way the API does. Links repeat the request's query,
// so that its filters apply to all pages. In the API of 2010 they are paths;
// elsewhere they are URLs.
func (c *call) envelope(style string, w *window) map[string]any {
	key := c.listName()
	items := array(func(yield func(any) bool) {
		for _, rec := range w.records {
			if !yield(c.render(rec)) {
				return
			}
		}
	})
	link := func(number int, token string) string {
		q := url.Values{}
		for k, v := range c.query {
			if k != "Page" && k != "PageToken" && k != "pageToken" {
				q[k] = v
			}
		}
		if !q.Has("pageSize") {
			q.Set("PageSize", strconv.Itoa(w.size))
		}
		q.Set("Page", strconv.Itoa(number))
		if token != "" {
			q.Set("PageToken", token)
		}
		u := (&url.URL{Path: c.path, RawQuery: q.Encode()}).String()
		if style == "uri" {
			return u
		}
		return c.base() + u
	}
	var next, previous any
	if w.more {
		next = link(w.number+1, w.next)
	}
	if w.back {
		previous = link(w.number-1, w.previous)
	}
	token := func(s string) any {
		if s == "" {
			return nil
		}
		return s
	}
	switch style {
	case "uri":
		return map[string]any{
			key: items, "page": w.number, "page_size": w.size,
			"start": w.first, "end": max(w.first+len(w.records)-1, 0),
			"uri": link(w.number, w.token), "first_page_uri": link(0, ""),
			"next_page_uri": next, "previous_page_uri": previous,
		}
	case "nextToken":
		return map[string]any{key: items, "meta": map[string]any{
			"key": key, "pageSize": w.size, "nextToken": token(w.next), "previousToken": token(w.previous),
		}}
	case "next_token":
		return map[string]any{key: items, "meta": map[string]any{
			"key": key, "page_size": w.size, "next_token": token(w.next), "previous_token": token(w.previous),
		}}
	case "none":
		return map[string]any{key: items}
	}
	return map[string]any{key: items, "meta": map[string]any{
		"key": key, "page": w.number, "page_size": w.size,
		"url": link(w.number, w.token), "first_page_url": link(0, ""),
		"next_page_url": next, "previous_page_url": previous,
	}}
}

// listName returns the key of the items in a page. An operation knows it from
// twilio-go's response type; without one, the row does.
func (c *call) listName() string {
	if c.op != nil {
		return c.op.listKey
	}
	return c.listKey()
}

// count reads a number from the query. The limit keeps the index of an item,
// page times size, from overflowing.
func (c *call) count(param string, otherwise int) (int, *apiError) {
	s := c.query.Get(param)
	if s == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > 1<<30 {
		return 0, invalid("Invalid value for parameter %s: %.100q", param, s)
	}
	return n, nil
}

// filters returns a test for the query's filters; nil keeps everything.
// Repeated values of a parameter are alternatives. A parameter that Twilio
// knows but that matches no field has no effect, and the answer says so. A
// row's own filters come first, then those that follow from an operation's
// model.
func (c *call) filters() (func(*record) bool, *apiError) {
	var tests []func(*record) bool
	if c.resource != nil && c.narrow[""] != nil {
		test, err := c.narrow[""](c, nil)
		if err != nil {
			return nil, err
		}
		tests = append(tests, test)
	}
	for _, param := range slices.Sorted(maps.Keys(c.query)) {
		if isPaging(param) || param == "Order" && c.resource != nil && c.turned || param == "Ordering" && c.resource != nil && c.orders != nil {
			continue
		}
		test, err := c.filter(param, c.query[param])
		if err != nil {
			return nil, err
		}
		if test != nil {
			tests = append(tests, test)
		} else {
			c.ignored = append(c.ignored, param)
		}
	}
	if c.root {
		tests = append(tests, c.owns)
	}
	if len(tests) == 0 {
		return nil, nil
	}
	return func(rec *record) bool {
		return !slices.ContainsFunc(tests, func(test func(*record) bool) bool { return !test(rec) })
	}, nil
}

// byDefault returns an entry for [resource.narrow] with an empty name: without
// the parameter, a list has only the items whose field has the value. The
// defaults are those of twilio-go's comments on the parameters.
func byDefault(param, value string) func(*call, []string) (func(*record) bool, *apiError) {
	return func(c *call, _ []string) (func(*record) bool, *apiError) {
		if c.query.Get(param) != "" {
			return everyItem(c, nil)
		}
		name := snake(param)
		return func(rec *record) bool { return rec.text(name) == value }, nil
	}
}

// filter returns a test for one parameter of the query. A nil test means that
// the parameter is known but filters nothing.
func (c *call) filter(param string, values []string) (func(*record) bool, *apiError) {
	if c.resource != nil {
		if narrow := c.narrow[param]; narrow != nil {
			return narrow(c, values)
		}
		if f, ok := c.field(param); ok && slices.Contains(c.resource.filters, f.name) {
			return f.filter(param, values)
		}
	}
	if c.strict {
		return nil, unmodelled("the filter %s of %s", param, c.path)
	}
	if c.op == nil || c.op.param(param) == nil {
		return nil, invalid("Unknown parameter %.100q in the query", param)
	}
	name := strings.TrimRight(param, "<>")
	model := c.op.model.model()
	if model == nil {
		return nil, nil
	}
	f := model.field(key(name))
	if f == nil || !strings.Contains("sifbtd", f.shape.code) {
		return nil, nil
	}
	return func(rec *record) bool {
		have := fmt.Sprint(f.shape.convert(c.value(rec, f)))
		return slices.ContainsFunc(values, func(want string) bool { return f.shape.holds(have, param[len(name):], want) })
	}, nil
}

// holds compares a field with a filter's value: for equality or, for a time,
// not later or not earlier. A date matches every time of that day. The
// parameters are DateCreated, DateCreated< and DateCreated>, as in the API of
// 2010. Values that are not times compare equal regardless of case.
func (s shape) holds(have, relation, want string) bool {
	if s.code != "t" && s.code != "d" {
		return strings.EqualFold(have, want)
	}
	at, err := parseTime(have)
	bound, err2 := parseTime(want)
	if err != nil || err2 != nil {
		return false
	}
	day := len(want) == len("2006-01-02")
	switch {
	case relation == "<":
		if day {
			bound = bound.AddDate(0, 0, 1)
			return at.Before(bound)
		}
		return !at.After(bound)
	case relation == ">":
		return !at.Before(bound)
	case day:
		return !at.Before(bound) && at.Before(bound.AddDate(0, 0, 1))
	}
	return at.Equal(bound)
}

// filter returns a test for a field of a row. Values are parsed like those of a
// create, so a filter for a boolean takes "yes" too. For a list field, one
// common element is enough.
func (f field) filter(param string, values []string) (func(*record) bool, *apiError) {
	kind := f.kind
	if kind == many {
		kind = text
	}
	var wants []any
	for _, v := range values {
		want, ok := kind.parse([]string{v})
		if !ok {
			return nil, invalid("Invalid value for parameter %s: %.100q", param, v)
		}
		wants = append(wants, want)
	}
	return func(rec *record) bool {
		have := rec.get(f.name)
		if l, ok := have.([]string); ok {
			return slices.ContainsFunc(wants, func(w any) bool { return slices.Contains(l, w.(string)) })
		}
		return slices.ContainsFunc(wants, func(w any) bool { return have == w })
	}, nil
}
