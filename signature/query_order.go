package signature

import (
	"slices"
	"strings"
)

// maxReordered is the longest query, in parameters, of which other orders are
// tried. Four parameters have 24 orders, each of which costs an HMAC.
const maxReordered = 4

// queryOrders returns target with the parameters of its query in every order,
// the given one first. Parameters with the same name keep their order, since
// gateways preserve it and it may matter.
//
// A query with more than maxReordered parameters is tried in the given order
// only: five parameters have 120 orders, and each request of a stranger would
// cost as many HMACs.
func queryOrders(target string) []string {
	path, query, _ := strings.Cut(target, "?")
	items := strings.Split(query, "&")
	if len(items) < 2 || len(items) > maxReordered {
		return []string{target}
	}
	name := func(i int) string { n, _, _ := strings.Cut(items[i], "="); return n }
	var list []string
	var add func(order []int)
	add = func(order []int) {
		if len(order) == len(items) {
			parts := make([]string, len(order))
			for i, k := range order {
				parts[i] = items[k]
			}
			list = append(list, path+"?"+strings.Join(parts, "&"))
			return
		}
		for i := range items {
			if !slices.ContainsFunc(order, func(k int) bool { return k >= i && name(k) == name(i) }) { // unused, and in order among equal names
				add(append(slices.Clip(order), i))
			}
		}
	}
	add(nil)
	return list
}

// withApostrophes returns target and, if its query has apostrophes, the variants
// with all of them escaped and with none. HTTP clients on the way may rewrite
// either into the other; both mean the same parameters.
func withApostrophes(target string) []string {
	list := []string{target}
	path, query, _ := strings.Cut(target, "?")
	if strings.Contains(query, "%27") {
		list = append(list, path+"?"+strings.ReplaceAll(query, "%27", "'"))
	}
	if strings.Contains(query, "'") {
		list = append(list, path+"?"+strings.ReplaceAll(query, "'", "%27"))
	}
	return list
}

// maxQueries bounds how many spellings are tried for a query that a gateway has
// decoded.
const maxQueries = 256

// maxHashedBytes bounds the bytes of form that are hashed over all these tries,
// since anyone can send a long form. Twilio's forms have a few kilobytes.
const maxHashedBytes = 16 << 20

// spelt lists the characters that may be plain or escaped in a query, in both
// spellings. JavaScript's encodeURIComponent leaves the first five plain.
var spelt = [...][2]string{
	{"%21", "!"}, {"%27", "'"}, {"%28", "("}, {"%29", ")"}, {"%2A", "*"},
	{"%20", "+"}, {"%2C", ","}, {"%2F", "/"}, {"%3A", ":"}, {"%3B", ";"}, {"%3F", "?"}, {"%40", "@"}, {"%24", "$"},
}

// querySpellings returns target, whose query has all characters of spelt escaped,
// and its other spellings, since a gateway that decodes values does not say how
// they were sent. Each character is spelt the same way throughout. If every
// combination would be more than most, only those of common encoders are
// returned.
//
// Trying them is safe: all spellings mean the same parameters, and only Twilio
// can sign any of them.
func querySpellings(target string, most int) []string {
	path, query, _ := strings.Cut(target, "?")
	var found []int
	for i, s := range spelt {
		if strings.Contains(query, s[0]) {
			found = append(found, i)
		}
	}
	spell := func(raw func(i int) bool) string {
		q := query
		for _, i := range found {
			if raw(i) {
				q = strings.ReplaceAll(q, spelt[i][0], spelt[i][1])
			}
		}
		return path + "?" + q
	}
	list := []string{target}
	if len(found) == 0 {
		return list
	}
	if 1<<len(found) <= most {
		for set := 1; set < 1<<len(found); set++ {
			list = append(list, spell(func(i int) bool { return set&(1<<slices.Index(found, i)) != 0 }))
		}
		return list
	}
	component := func(i int) bool { return i < 5 }
	return append(list,
		spell(component),
		spell(func(i int) bool { return spelt[i][1] == "+" }),                       // a form's encoder
		spell(func(i int) bool { return spelt[i][1] != "+" && spelt[i][1] != "'" }), // a browser's address
		spell(func(i int) bool { return spelt[i][1] != "+" }),                       // encodeURI
		spell(func(i int) bool { return component(i) || spelt[i][1] == "+" }))
}
