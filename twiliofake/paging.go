package twiliofake

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const (
	defaultPageSize = 50
	maxPageSize     = 1000
)

// page answers a request for a list: the page that PageSize, Page and
// PageToken ask for, of the items that the filters leave.
func (c *call) page() (*response, *apiError) {
	items, err := c.filtered()
	if err != nil {
		return nil, err
	}
	size, err := c.count("PageSize", defaultPageSize)
	if err != nil {
		return nil, err
	}
	size = min(max(size, 1), maxPageSize)
	number, err := c.count("Page", 0)
	if err != nil {
		return nil, err
	}
	first := min(number*size, len(items))
	// A token names the item before the page, so that what is created or
	// removed meanwhile neither repeats an item nor hides one.
	if id, ok := strings.CutPrefix(c.query.Get("PageToken"), "PA"); ok {
		for i, rec := range items {
			if rec.text(c.identity()) == id {
				first = i + 1
			}
		}
	}
	last := min(first+size, len(items))
	bodies := make([]any, 0, last-first)
	for _, rec := range items[first:last] {
		bodies = append(bodies, c.render(rec))
	}

	link := func(number int, token string) string {
		q := url.Values{}
		for k, v := range c.query {
			if k != "Page" && k != "PageToken" {
				q[k] = v
			}
		}
		q.Set("PageSize", strconv.Itoa(size))
		q.Set("Page", strconv.Itoa(number))
		if token != "" {
			q.Set("PageToken", "PA"+token)
		}
		u := (&url.URL{Path: c.path, RawQuery: q.Encode()}).String()
		if c.classic() {
			return u
		}
		return c.base() + u
	}
	var next, previous any
	if last < len(items) {
		next = link(number+1, items[last-1].text(c.identity()))
	}
	if first > 0 && number > 0 {
		token := ""
		if first-size > 0 {
			token = items[first-size-1].text(c.identity())
		}
		previous = link(number-1, token)
	}
	if c.classic() {
		return jsonResponse(http.StatusOK, map[string]any{
			c.listKey(): bodies, "page": number, "page_size": size,
			"start": first, "end": max(last-1, 0),
			"uri": link(number, c.token()), "first_page_uri": link(0, ""),
			"next_page_uri": next, "previous_page_uri": previous,
		}), nil
	}
	return jsonResponse(http.StatusOK, map[string]any{
		c.listKey(): bodies,
		"meta": map[string]any{
			"key": c.listKey(), "page": number, "page_size": size,
			"url": link(number, c.token()), "first_page_url": link(0, ""),
			"next_page_url": next, "previous_page_url": previous,
		},
	}), nil
}

func (c *call) token() string { return strings.TrimPrefix(c.query.Get("PageToken"), "PA") }

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

// filtered returns the items of the collection that the query's filters leave,
// in the order that it asks for.
func (c *call) filtered() ([]*record, *apiError) {
	var filters []func(*record) bool
	if always := c.narrow[""]; always != nil {
		keep, err := always(c, nil)
		if err != nil {
			return nil, err
		}
		filters = append(filters, keep)
	}
	for _, param := range slices.Sorted(maps.Keys(c.query)) {
		var keep func(*record) bool
		var err *apiError
		switch {
		case param == "Page" || param == "PageSize" || param == "PageToken" || param == "Ordering" && c.orders != nil:
			continue
		case c.narrow[param] != nil:
			keep, err = c.narrow[param](c, c.query[param])
		default:
			keep, err = c.filter(param, c.query[param])
		}
		if err != nil {
			return nil, err
		}
		filters = append(filters, keep)
	}
	parents := c.parents()
	var out []*record
	for _, rec := range c.store.kind(c.name).all {
		keep := c.owns(rec)
		for k, v := range parents {
			keep = keep && rec.text(k) == v
		}
		for _, f := range filters {
			keep = keep && f(rec)
		}
		if keep {
			out = append(out, rec)
		}
	}
	return out, c.order(out)
}

// filter keeps the items that have one of the values in the parameter's field.
func (c *call) filter(param string, values []string) (func(*record) bool, *apiError) {
	f, ok := c.field(param)
	if !ok || !slices.Contains(c.filters, f.name) {
		return nil, unmodelled("the filter %s of %s", param, c.path)
	}
	if f.kind == many {
		f.kind = text
	}
	var want []any
	for _, v := range values {
		w, ok := f.kind.parse([]string{v})
		if !ok {
			return nil, invalid("Invalid value for parameter %s: %.100q", param, v)
		}
		want = append(want, w)
	}
	return func(rec *record) bool {
		if l, ok := rec.get(f.name).([]string); ok {
			return slices.ContainsFunc(want, func(w any) bool { return slices.Contains(l, w.(string)) })
		}
		return slices.Contains(want, rec.get(f.name))
	}, nil
}

// order sorts items as the parameter Ordering says, such as
// "Priority:desc,DateCreated:asc".
func (c *call) order(items []*record) *apiError {
	if !c.query.Has("Ordering") || c.orders == nil {
		return nil
	}
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
			return invalid("Invalid value for parameter Ordering: %.100q", c.query.Get("Ordering"))
		}
		terms = append(terms, t)
	}
	slices.SortStableFunc(items, func(a, b *record) int {
		for _, t := range terms {
			order := cmp.Compare(a.text(t.field), b.text(t.field))
			if order == 0 {
				order = cmp.Compare(a.number(t.field), b.number(t.field))
			}
			if order != 0 {
				return t.sign * order
			}
		}
		return 0
	})
	return nil
}
