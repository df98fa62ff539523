package main

import (
	"encoding/json"
	"net/url"
	"reflect"
	"strings"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/twiliofake"
)

// sample is a request that a function accepts: the required parameters, and
// the optional ones that have an example.
func sample(f *flexfn.Function) url.Values {
	form := url.Values{}
	for _, p := range f.Parameters() {
		if p.Required || p.Example != "" {
			form.Set(p.Name, sampleValue(p))
		}
	}
	return form
}

// sampleValue is p's example, or one that fits its type; a SID is the first
// of its kind in the fake's development state.
func sampleValue(p flexfn.Parameter) string {
	switch {
	case p.Example != "":
		return p.Example
	case p.Kind == "e164":
		return "+15550100001"
	case p.Kind != "":
		prefix, _, _ := strings.Cut(p.Kind, "|")
		return prefix + strings.TrimPrefix(twiliofake.DevelopmentAccountSID, "AC")
	case p.Type == nil:
		return "example"
	}
	switch p.Type {
	case reflect.TypeFor[time.Time]():
		return "2026-01-31T15:04:05Z"
	case reflect.TypeFor[time.Duration](), reflect.TypeFor[json.Number]():
		return "1"
	case reflect.TypeFor[json.RawMessage]():
		return "{}"
	}
	switch k := p.Type.Kind(); {
	case k == reflect.Bool:
		return "true"
	case k >= reflect.Int && k <= reflect.Float64:
		return "1"
	case k == reflect.Struct || k == reflect.Map || k == reflect.Interface:
		return "{}"
	case k == reflect.Slice || k == reflect.Array:
		return "[]"
	}
	return "example"
}

// person is the development token of someone whom f admits.
func person(f *flexfn.Function) string {
	for _, role := range f.Roles() {
		for _, known := range []string{"supervisor", "admin", "agent"} {
			if role == known {
				return "dev-" + known
			}
		}
	}
	return "dev-agent"
}

// curl is a command line that calls f at address, an absolute URL.
func curl(f *flexfn.Function, address string) string {
	form := sample(f)
	parts := []string{"curl", "-s", "-X", "POST", address}
	if !f.Studio() {
		form.Set("Token", person(f))
	} else if !f.Open() {
		signature := flexfn.Signature(twiliofake.DevelopmentAuthToken, address, formType, []byte(form.Encode()))
		parts = append(parts, "-H", quote("X-Twilio-Signature: "+signature))
	}
	keys := []string{}
	if form.Has("Token") {
		keys = append(keys, "Token")
	}
	for _, p := range f.Parameters() {
		if form.Has(p.Name) {
			keys = append(keys, p.Name)
		}
	}
	for _, key := range keys {
		pair := key + "=" + form.Get(key)
		if url.QueryEscape(form.Get(key)) == form.Get(key) {
			parts = append(parts, "-d", quote(pair))
		} else {
			parts = append(parts, "--data-urlencode", quote(pair))
		}
	}
	if f.Studio() && len(keys) == 0 {
		parts = append(parts, "-d", "''")
	}
	return strings.Join(parts, " ")
}

const formType = "application/x-www-form-urlencoded"

// quote makes s one word for a POSIX shell.
func quote(s string) string {
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=./:+,@%", r)
	}) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
