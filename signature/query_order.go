package signature

import (
	"slices"
	"strings"
)

// maxReordered bounds the parameters of a query whose order a gateway lost,
// and so the orders that are tried: 24 of four.
const maxReordered = 4

// queryOrders returns target with its query's parameters in every order, as
// they are first. Equal names keep their order, which gateways keep too, and
// which may mean something.
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
			early := slices.ContainsFunc(order, func(k int) bool { return k > i && name(k) == name(i) })
			if !early && !slices.Contains(order, i) {
				add(append(slices.Clip(order), i))
			}
		}
	}
	add(nil)
	return list
}

// withApostrophes returns target and, where its query has apostrophes, the
// queries with all of them escaped and with none: clients differ in which they
// send, whatever Twilio signed, and both name the same parameters.
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

// maxQueries bounds the queries that are tried instead of one that a gateway
// took apart.
const maxQueries = 256

// spelt are the characters of a query that may be sent as they are or escaped,
// in both ways; the first five stay as they are in JavaScript's
// encodeURIComponent.
var spelt = [...][2]string{
	{"%21", "!"}, {"%27", "'"}, {"%28", "("}, {"%29", ")"}, {"%2A", "*"},
	{"%20", "+"}, {"%2C", ","}, {"%2F", "/"}, {"%3A", ":"}, {"%3B", ";"}, {"%3F", "?"}, {"%40", "@"}, {"%24", "$"},
}

// querySpellings returns target, whose query has all of these characters
// escaped, and its other spellings: a gateway that decodes values does not
// say how they were sent. Each character is spelt one way throughout. They
// are at most so many: those of every combination, or else those of the usual
// encoders.
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
	if len(found) < 16 && 1<<len(found) <= most {
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
