package main

import (
	"regexp"
	"slices"
	"strings"
)

var braces = regexp.MustCompile(`\{[^}]*\}`)

// blank returns a path without the names of its variables.
func blank(path string) string { return braces.ReplaceAllString(path, "{}") }

func parent(path string) string { return path[:strings.LastIndexByte(path, '/')] }

// exceptions lists operations whose class does not follow from their path.
var exceptions = map[string]string{
	// The variable names a collection.
	"POST voice.twilio.com/v2/Configurations/{}": "create",
}

// classify determines what each operation does. The method's prefix is exact in
// twilio-go; the rest follows from which other paths the host has. An item is a
// path that ends in a variable, a collection the path above it.
//
//	list              the collection has items or creates them
//	list-only         only a state fills it
//	create            a new item of a collection
//	create-at         a new item whose identity the path names
//	create-parent     a new item that only deeper paths name
//	singleton-…       a path that ends in a literal and is fetched or deleted
//	view              a fetch alone on such a path: statistics, contexts
//	oracle            a fetch alone on an item without collection: lookups, prices
//	fetch update delete  of an item
//	upsert            update of an item whose collection creates none
//	verb              everything else: answers in shape and changes nothing
func classify(all []*operation) {
	type key struct{ host, path string }
	at := map[key][]*operation{}
	below := map[key]bool{} // there are paths below an item of the collection
	for _, op := range all {
		k := key{op.pkg.host, blank(op.path)}
		at[k] = append(at[k], op)
		for p := k.path; strings.Contains(p, "/"); p = parent(p) {
			if strings.HasSuffix(p, "/{}") && p != k.path {
				below[key{k.host, parent(p)}] = true
			}
		}
	}
	has := func(k key, verbs ...string) bool {
		return slices.ContainsFunc(at[k], func(op *operation) bool { return slices.Contains(verbs, op.verb()) })
	}
	for _, op := range all {
		k := key{op.pkg.host, blank(op.path)}
		item := strings.HasSuffix(k.path, "/{}")
		items := key{k.host, k.path + "/{}"} // if it is a collection
		coll := key{k.host, parent(k.path)}  // if it is an item
		changes := has(k, "Update", "Patch", "Delete", "Create")
		switch verb := op.verb(); verb {
		case "Page":
			op.class = "list-only"
			if has(k, "Create") || len(at[items]) > 0 {
				op.class = "list"
			}
		case "Create":
			switch {
			case item:
				op.class = "create-at"
				if !has(k, "Fetch", "Delete") {
					op.class = "verb"
				}
			case len(at[items]) > 0 || has(k, "Page"):
				op.class = "create"
			case has(k, "Fetch", "Delete"):
				op.class = "singleton-create"
			case below[k]:
				op.class = "create-parent"
			default:
				op.class = "verb"
			}
		case "Fetch":
			switch {
			case item && !changes && !has(coll, "Page", "Create"):
				op.class = "oracle"
			case item:
				op.class = "fetch"
			case changes:
				op.class = "singleton-fetch"
			default:
				op.class = "view"
			}
		case "Update", "Patch":
			switch {
			case item && !has(coll, "Create") && !strings.HasSuffix(op.path, "Sid}") && !strings.HasSuffix(op.path, "id}"):
				op.class = "upsert"
			case item:
				op.class = "update"
			case has(k, "Fetch", "Delete"):
				op.class = "singleton-update"
			default:
				op.class = "verb"
			}
		case "Delete":
			op.class = "singleton-delete"
			if item {
				op.class = "delete"
			}
		}
		if class, ok := exceptions[op.method+" "+op.pkg.host+k.path]; ok {
			op.class = class
		}
	}
}

// verb is the prefix of the method's name.
func (op *operation) verb() string {
	for _, v := range verbs {
		if strings.HasPrefix(op.name, v) {
			return v
		}
	}
	return ""
}
