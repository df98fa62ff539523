package flexfn

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

const allowMethods = "GET, HEAD, POST, OPTIONS"

// headers sets headers and puts their values in one allocation. Answers share
// no values, since a wrapper around the app may change them.
type headers struct {
	h      http.Header
	n      int
	values [9]string
}

func (s *headers) set(name, value string) {
	s.values[s.n] = value
	s.h[name] = s.values[s.n : s.n+1 : s.n+1]
	s.n++
}

// cors sets the headers that every answer has, and reports whether the origin
// may call. By default any may: the Flex token is the credential, not a cookie,
// so another web page cannot borrow it.
//
// Source: the Fetch standard, section "CORS protocol"; Private Network Access
// (WICG) for the preflight of a page that calls into a private network, which
// is granted to listed origins only.
func (a *App) cors(h http.Header, r *http.Request) (allowed bool) {
	to := &headers{h: h}
	to.set("Cache-Control", "no-store")
	to.set("X-Content-Type-Options", "nosniff")
	to.set("Access-Control-Allow-Methods", allowMethods)
	to.set("Access-Control-Allow-Headers", a.allowHeaders)
	to.set("Access-Control-Expose-Headers", a.exposeHeaders)
	preflight := r.Method == http.MethodOptions
	if preflight {
		to.set("Access-Control-Max-Age", "86400")
	}
	if a.origins == nil {
		to.set("Access-Control-Allow-Origin", "*")
		return true
	}
	if preflight {
		to.set("Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers, Access-Control-Request-Private-Network")
	} else {
		to.set("Vary", "Origin")
	}
	origin := r.Header["Origin"]
	if len(origin) == 0 {
		return true // not a browser page of another origin
	}
	if len(origin) > 1 || !a.origins[origin[0]] {
		return false
	}
	to.set("Access-Control-Allow-Origin", origin[0])
	if preflight && r.Header.Get("Access-Control-Request-Private-Network") == "true" {
		to.set("Access-Control-Allow-Private-Network", "true")
	}
	return true
}

// headerList is the value of a CORS header that lists headers.
func headerList(always string, more []string) string {
	return strings.Join(append([]string{always}, more...), ", ")
}

// originSet returns the origins that may call; nil if any may. Origins are
// compared byte for byte, as browsers send them.
func originSet(list []string) map[string]bool {
	if list == nil || len(list) == 1 && list[0] == "*" {
		return nil
	}
	set := make(map[string]bool, len(list))
	for _, o := range list {
		set[o] = true
	}
	return set
}

// checkOrigins refuses origins that no browser would ever send.
func checkOrigins(list []string) (faults []error) {
	if list != nil && len(list) == 0 {
		return []error{fmt.Errorf("FLEXFN_ALLOWED_ORIGINS is empty: list the origins that may call, or unset it to allow any")}
	}
	if originSet(list) == nil {
		return nil
	}
	for _, o := range list {
		if remedy := originFault(o); remedy != "" {
			faults = append(faults, fmt.Errorf("FLEXFN_ALLOWED_ORIGINS: %q is not an origin: %s", o, remedy))
		}
	}
	return faults
}

// originFault returns the remedy for an allowed origin that no browser sends,
// and "" for a good one. A bad one would never match, and the operator would
// look for the cause elsewhere.
func originFault(origin string) (remedy string) {
	u, err := url.Parse(origin)
	switch {
	case origin == "null":
		return "sandboxed pages and files share it, so anyone can send it"
	case strings.Contains(origin, "*"):
		return "list each origin in full, or * alone for any origin"
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Hostname() == "":
		return "write scheme and host, such as https://flex.twilio.com"
	case origin != strings.ToLower(origin):
		return "browsers send it in lower case"
	case origin != u.Scheme+"://"+u.Host:
		return "leave out user, path, query and the trailing slash"
	case u.Scheme == "https" && u.Port() == "443", u.Scheme == "http" && u.Port() == "80", strings.HasSuffix(u.Host, ":"):
		return "browsers leave the standard port out"
	case strings.ContainsFunc(origin, func(r rune) bool { return r > '~' }):
		return "browsers send the host in ASCII (xn--…)"
	}
	return ""
}
