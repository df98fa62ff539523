package signature

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
)

// ProxyTrust says which proxies are trusted to report the scheme and the host
// that Twilio called. A nil ProxyTrust trusts no forwarded headers. Make one
// with [TrustXForwarded], [TrustXForwardedFromAnyone] or [TrustForwarded]; pick
// the one that matches the headers of the proxy in front of the app.
//
// Where the public address is known, [Config].PublicURL is the better choice
// and makes a ProxyTrust unnecessary.
//
//	signature.Config{ProxyTrust: signature.TrustXForwarded("10.0.0.0/8")}
//
// A ProxyTrust only decides which URL the signature is checked for; a wrong one
// makes genuine requests fail. But strangers who control a trusted header
// choose that URL, and so can replay a request that Twilio signed for another
// server of the account.
type ProxyTrust interface {
	// origins appends what the proxy says about r, or nothing if the proxy is
	// not trusted.
	origins(to []calledOrigin, r *http.Request) []calledOrigin
	// fault returns what is wrong with the trust's settings; nil if nothing is.
	fault() error
}

// TrustXForwarded trusts X-Forwarded-Proto, X-Forwarded-Host and X-Forwarded-Port
// of requests that come from one of these addresses or networks, such as
// "10.0.0.0/8" or "::1". There must be at least one, or [New] fails. Each header
// may be absent. If a header has several values, the last one counts, which the
// nearest proxy wrote.
//
// The proxy must set or delete each of the three headers. If it passes one on,
// the sender of the request controls it.
//
// The address compared is the other end of the server's connection, that is,
// the nearest proxy. Unix sockets and host names are not supported.
func TrustXForwarded(networks ...string) ProxyTrust {
	t := xForwarded{}
	t.networks, t.err = parseNetworks(networks)
	return t
}

// TrustXForwardedFromAnyone trusts the X-Forwarded headers as
// [TrustXForwarded] does, whatever address the request comes from. It is for
// platforms whose proxies have unknown addresses, and on which the app can be
// reached only through them. Anyone who reaches the app directly can choose the
// URL that is checked.
func TrustXForwardedFromAnyone() ProxyTrust { return xForwarded{anyone: true} }

// TrustForwarded trusts proto and host of the Forwarded header (RFC 7239) of
// requests that come from one of these addresses or networks. There must be at
// least one, or [New] fails. If the header has several elements, the last one
// counts. Few proxies send this header; most send X-Forwarded-Proto and the
// like.
func TrustForwarded(networks ...string) ProxyTrust {
	t := forwarded{}
	t.networks, t.err = parseNetworks(networks)
	return t
}

// peers are the addresses of trusted proxies.
type peers struct {
	networks []netip.Prefix
	err      error
}

func (p peers) fault() error { return p.err }

// include reports whether r comes directly from one of the trusted addresses.
func (p peers) include(r *http.Request) bool {
	var address netip.Addr
	if at, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		address = at.Addr()
	} else if address, err = netip.ParseAddr(r.RemoteAddr); err != nil {
		return false
	}
	address = address.Unmap().WithZone("")
	for _, n := range p.networks {
		if n.Contains(address) {
			return true
		}
	}
	return false
}

// parseNetworks parses addresses and networks. It refuses spellings that match
// something other than what they suggest, such as 10.0.0.1/8.
func parseNetworks(list []string) ([]netip.Prefix, error) {
	if len(list) == 0 {
		return nil, errors.New("the list of trusted proxies is empty: write addresses or networks such as 10.0.0.0/8")
	}
	var networks []netip.Prefix
	for _, s := range list {
		n, err := netip.ParsePrefix(s)
		if err != nil {
			address, err := netip.ParseAddr(s)
			if err != nil || address.Zone() != "" {
				return nil, fmt.Errorf("%q is not an address or a network: write one such as 10.0.0.0/8 or ::1", s)
			}
			address = address.Unmap()
			n = netip.PrefixFrom(address, address.BitLen())
		}
		if n.Addr().Is4In6() {
			return nil, fmt.Errorf("%q is an IPv4 network in IPv6 notation: write it as IPv4, such as 10.0.0.0/8", s)
		}
		if n != n.Masked() {
			return nil, fmt.Errorf("%q has bits set beyond the network: write %s", s, n.Masked())
		}
		networks = append(networks, n)
	}
	return networks, nil
}

type xForwarded struct {
	peers
	anyone bool
}

// origins implements [ProxyTrust]. A port without a scheme or a host is
// ignored.
func (x xForwarded) origins(to []calledOrigin, r *http.Request) []calledOrigin {
	if !x.anyone && !x.include(r) {
		return to
	}
	proto := lastValue(r.Header, "X-Forwarded-Proto")
	host := lastValue(r.Header, "X-Forwarded-Host")
	port := lastValue(r.Header, "X-Forwarded-Port")
	if proto == "" && host == "" {
		return to
	}
	if !sameValues(r.Header, "X-Forwarded-Proto", proto) {
		// With several proxies in a row, the last one may report the scheme
		// that the one before it used, not Twilio's. Try both.
		proto = ""
	}
	if host == "" {
		host = r.Host
	}
	return appendOrigins(to, proto, host, port)
}

// sameValues reports whether every value of the header is value.
func sameValues(h http.Header, name, value string) bool {
	for _, list := range h[name] {
		for v := range strings.SplitSeq(list, ",") {
			if !strings.EqualFold(strings.TrimSpace(v), value) {
				return false
			}
		}
	}
	return true
}

type forwarded struct{ peers }

// origins implements [ProxyTrust].
func (f forwarded) origins(to []calledOrigin, r *http.Request) []calledOrigin {
	if !f.include(r) {
		return to
	}
	var proto, host string // from the last element, which the nearest proxy wrote
	chained := false       // an earlier element has another proto
	for _, list := range r.Header["Forwarded"] {
		for element := range strings.SplitSeq(list, ",") {
			before := proto
			proto, host = readForwarded(element)
			chained = chained || before != "" && !strings.EqualFold(proto, before)
		}
	}
	if proto == "" && host == "" {
		return to
	}
	if chained || !sameValues(r.Header, "X-Forwarded-Proto", proto) {
		// With several proxies in a row, the last one may report the scheme
		// that the one before it used, not Twilio's. Try both.
		proto = ""
	}
	if host == "" {
		host = r.Host
	}
	return appendOrigins(to, proto, host, "")
}

// readForwarded reads an element of a Forwarded header (RFC 7239, section 4).
func readForwarded(element string) (proto, host string) {
	for pair := range strings.SplitSeq(element, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
		value = strings.Trim(value, `"`)
		switch strings.ToLower(name) {
		case "proto":
			proto = value
		case "host":
			host = value
		}
	}
	return proto, host
}

// lastValue returns the last element of a header's list, which the nearest proxy
// wrote.
func lastValue(h http.Header, name string) string {
	values := h[name]
	if len(values) == 0 {
		return ""
	}
	last := values[len(values)-1]
	return strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])
}
