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
