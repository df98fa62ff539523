// Package sameorigin protects servers on a developer's machine that need no
// password from other web pages.
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

// Check returns an error for a request that a stranger's page could have made a
// browser send: one whose Origin or Sec-Fetch-Site names another origin, or one
// to a host that is not an IP address, localhost or known. The latter stops DNS
// rebinding. known is called with the host in lower case and without its port;
// if it is nil, none is known.
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

// CheckHost returns an error for a Host header that is not an IP address,
// localhost or known, as after DNS rebinding; see [Check].
func CheckHost(header string, known func(host string) bool) error {
	host := name(header)
	if _, err := netip.ParseAddr(host); err == nil || isLocalhost(host) || known != nil && known(host) {
		return nil
	}
	return fmt.Errorf("the host %.100q is refused; use localhost or an address", header)
}

// IsLoopback reports whether an Origin header is that of a page on this
// machine.
func IsLoopback(origin string) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return false
	}
	host := name(u.Host)
	ip, err := netip.ParseAddr(host)
	return isLocalhost(host) || err == nil && ip.IsLoopback()
}

// name returns a host in lower case and without its port.
func name(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return strings.ToLower(strings.Trim(host, "[]"))
}

func isLocalhost(host string) bool {
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}
