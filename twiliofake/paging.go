package twiliofake

import (
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

// filtered returns the items of the collection that the query's filters leave.
func (c *call) filtered() ([]*record, *apiError) {
	type filter struct {
		name string
		want any
	}
	var filters []filter
	for param, values := range c.query {
		if param == "Page" || param == "PageSize" || param == "PageToken" {
			continue
		}
		f, ok := c.field(param)
		if !ok || !slices.Contains(c.filters, f.name) {
			return nil, unmodelled("the filter %s of %s", param, c.path)
		}
		if f.kind == many {
			f.kind = text
		}
		want, ok := f.kind.parse(values)
		if !ok {
			return nil, invalid("Invalid value for parameter %s: %.100q", param, c.query.Get(param))
		}
		filters = append(filters, filter{f.name, want})
	}
	parents := c.parents()
	var out []*record
	for _, rec := range c.store.kind(c.name).all {
		keep := c.owns(rec)
		for k, v := range parents {
			keep = keep && rec.text(k) == v
		}
		for _, f := range filters {
			if l, ok := rec.fields[f.name].([]string); ok {
				keep = keep && slices.Contains(l, f.want.(string))
			} else {
				keep = keep && rec.fields[f.name] == f.want
			}
		}
		if keep {
			out = append(out, rec)
		}
	}
	return out, nil
}
