package main

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
)

// facts holds what twilio-go's source does not say, one operation a line:
//
//	METHOD host/path [prefix=XX] [status=N] [etag] [required=A,B] [Parameter=a|b …]
//
// The path has {} for each variable. They come from Twilio's OpenAPI
// description of its APIs, from which twilio-go is generated too. Only
// exceptions are listed. The rule is that a create answers 201, a delete 204
// or, with a body, 200, and everything else 200.
//
//go:embed facts.txt
var facts string

type fact struct {
	prefix   string
	status   int
	etag     bool
	required []string
	enums    map[string][]string
}

func parseFacts(text string) (map[string]fact, error) {
	out := map[string]fact{}
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 3 || strings.HasPrefix(line, "#") {
			continue
		}
		f := fact{enums: map[string][]string{}}
		for _, w := range words[2:] {
			name, value, _ := strings.Cut(w, "=")
			switch name {
			case "prefix":
				f.prefix = value
			case "status":
				n, err := strconv.Atoi(value)
				if err != nil {
					return nil, fmt.Errorf("facts: %s", line)
				}
				f.status = n
			case "etag":
				f.etag = true
			case "required":
				f.required = strings.Split(value, ",")
			default:
				f.enums[name] = strings.Split(value, "|")
			}
		}
		key := words[0] + " " + words[1]
		if _, ok := out[key]; ok {
			return nil, fmt.Errorf("facts: %s is there twice", key)
		}
		out[key] = f
	}
	return out, nil
}

// join adds the facts to the operations. A fact about an unknown operation is
// an error.
func join(all []*operation, facts map[string]fact) error {
	used := map[string]bool{}
	etags := map[string]bool{}
	for _, op := range all {
		key := op.method + " " + op.pkg.host + blank(op.path)
		f, ok := facts[key]
		used[key] = used[key] || ok
		op.status = 200
		switch {
		case f.status != 0:
			op.status = f.status
		case op.verb() == "Create":
			op.status = 201
		case op.verb() == "Delete" && op.model == "":
			op.status = 204
		}
		op.prefix = f.prefix
		known := map[string]bool{}
		for i := range op.params {
			p := &op.params[i]
			known[p.name] = true
			for _, name := range f.required {
				p.required = p.required || name == p.name
			}
			p.enum = f.enums[p.name]
			if p.place == "header" && p.name == "If-Match" {
				f.etag = true
			}
		}
		for _, name := range f.required {
			if !known[name] {
				return fmt.Errorf("facts: %s has no parameter %s", key, name)
			}
		}
		for name := range f.enums {
			if !known[name] {
				return fmt.Errorf("facts: %s has no parameter %s", key, name)
			}
		}
		if f.etag {
			etags[op.pkg.host+blank(op.path)] = true
		}
	}
	for key := range facts {
		if !used[key] {
			return fmt.Errorf("facts: unknown operation %s", key)
		}
	}
	// If one operation of an item has an ETag, all of them do.
	for _, op := range all {
		path := op.pkg.host + blank(op.path)
		op.etag = op.verb() != "Page" && (etags[path] || op.class == "create" && etags[path+"/{}"])
	}
	return nil
}
