// Package sameorigin keeps other web pages away from what a developer's own
// machine serves without a password.
package sameorigin

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// Check refuses what a page of a stranger's could send through a browser, or
// read: a request whose Origin or Sec-Fetch-Site tells of another origin, and
// one to a host that is neither an address, nor localhost, nor known, so that
// no name of a stranger's can lead a browser here. known gets the host in
// lower case and without its port; nil knows none.
func Check(r *http.Request, known func(host string) bool) error {
	if origin := r.Header.Get("Origin"); origin != "" {
		if u, err := url.Parse(origin); err != nil || !strings.EqualFold(u.Host, r.Host) {
			return fmt.Errorf("pages of another origin are refused, such as %.100q", origin)
		}
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
	default:
		return errors.New("pages of another origin are refused")
	}
	return CheckHost(r.Host, known)
}

// CheckHost refuses a Host that is neither an address, nor localhost, nor
// known: a stranger's name that leads a browser here.
func CheckHost(header string, known func(host string) bool) error {
	host := name(header)
	if _, err := netip.ParseAddr(host); err == nil || isLocalhost(host) || known != nil && known(host) {
		return nil
	}
	return fmt.Errorf("the host %.100q is refused; use localhost or an address", header)
}

// IsLoopback reports whether an Origin is that of a page of this machine's.
func IsLoopback(origin string) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return false
	}
	host := name(u.Host)
	ip, err := netip.ParseAddr(host)
	return isLocalhost(host) || err == nil && ip.IsLoopback()
}

// name is a host in lower case and without its port.
func name(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return strings.ToLower(strings.Trim(host, "[]"))
}

func isLocalhost(host string) bool {
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}
