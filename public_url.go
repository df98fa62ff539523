package flexfn

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/flexfn/flexfn/internal/link"
)

// ProxyTrust says whose word is taken for the scheme and the host that Twilio
// called, when a proxy stands between. There is no default: nil believes no
// forwarded header at all. Make one with [TrustXForwarded],
// [TrustXForwardedFromAnyone] or [TrustForwarded]; pick the one that describes
// what the proxy in front of the app sets.
//
// A [Config].PublicURL needs none of this and is the better choice wherever
// the public address is known.
type ProxyTrust interface {
	// origins appends what the proxy says about r, nothing when it is not
	// believed.
	origins(to []calledOrigin, r *http.Request) []calledOrigin
	// fault says what is wrong with the trust's own settings.
	fault() error
}

// TrustXForwarded believes X-Forwarded-Proto, X-Forwarded-Host and
// X-Forwarded-Port of requests that come from one of these addresses or
// networks, such as "10.0.0.0/8" or "::1". With no address it is refused by
// [New]. Each of the headers may be absent. Where proxies have appended to
// one, its last value counts: the others may be a stranger's.
//
// The proxy must set or delete every one of the three headers; one that it
// passes through is a stranger's word.
func TrustXForwarded(networks ...string) ProxyTrust {
	t := xForwarded{}
	t.networks, t.err = parseNetworks(networks)
	return t
}

// TrustXForwardedFromAnyone believes the X-Forwarded headers as
// [TrustXForwarded] does, whoever sends the request. It is for platforms on
// which nobody can reach the app except through the proxy, and whose proxies'
// addresses are unknown.
func TrustXForwardedFromAnyone() ProxyTrust { return xForwarded{anyone: true} }

// TrustForwarded believes the proto and host of the Forwarded header (RFC
// 7239) of requests that come from one of these addresses or networks. With no
// address it is refused by [New]. Where proxies have appended to the header,
// the last element counts.
func TrustForwarded(networks ...string) ProxyTrust {
	t := forwarded{}
	t.networks, t.err = parseNetworks(networks)
	return t
}

// peers are the addresses of the proxies that are believed.
type peers struct {
	networks []netip.Prefix
	err      error
}

func (p peers) fault() error { return p.err }

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

func parseNetworks(list []string) ([]netip.Prefix, error) {
	if len(list) == 0 {
		return nil, fmt.Errorf("no trusted proxy is named: write addresses or networks such as 10.0.0.0/8")
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
	if host == "" {
		host = r.Host
	}
	return appendOrigins(to, proto, host, port)
}

type forwarded struct{ peers }

func (f forwarded) origins(to []calledOrigin, r *http.Request) []calledOrigin {
	if !f.include(r) {
		return to
	}
	var proto, host string
	for pair := range strings.SplitSeq(lastValue(r.Header, "Forwarded"), ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
		value = strings.Trim(value, `"`)
		switch strings.ToLower(name) {
		case "proto":
			proto = value
		case "host":
			host = value
		}
	}
	if proto == "" && host == "" {
		return to
	}
	if host == "" {
		host = r.Host
	}
	return appendOrigins(to, proto, host, "")
}

// lastValue is the last element of a list in a header: what the nearest proxy
// wrote.
func lastValue(h http.Header, name string) string {
	values := h[name]
	if len(values) == 0 {
		return ""
	}
	last := values[len(values)-1]
	return strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])
}

// calledOrigin is the beginning of a URL that Twilio may have called, in the
// pieces that its services write in different ways.
type calledOrigin struct {
	scheme   string // http, https, ws or wss
	user     string // user:password@, or empty
	host     string // without port
	port     string // :port, or empty
	prefix   string // a path that the gateway strips, without a last slash
	fragment string // connection overrides, without the #
}

// calledURL is a URL that Twilio may have called.
type calledURL struct {
	calledOrigin
	target string // path and query as they were sent
}

func (u calledURL) append(to []byte) []byte {
	to = append(to, u.scheme...)
	to = append(to, "://"...)
	to = append(to, u.user...)
	to = append(to, u.host...)
	to = append(to, u.port...)
	to = append(to, u.prefix...)
	to = append(to, u.target...)
	if u.fragment != "" {
		to = append(to, '#')
		to = append(to, u.fragment...)
	}
	return to
}

// appendURLs appends the ways in which Twilio may have written the URL of
// target at this origin when it signed. Twilio's services differ in whether
// they keep the port (also a standard one that nobody wrote), the user and
// password, and the fragment; none of these says which function is meant.
func (o calledOrigin) appendURLs(to []calledURL, target string) []calledURL {
	ports := [...]string{"", o.port}
	if o.port == "" {
		ports[1] = standardPort(o.scheme)
	}
	for _, fragment := range once("", o.fragment) {
		for _, user := range once(o.user, "") {
			for _, port := range ports {
				u := calledURL{calledOrigin: o, target: target}
				u.user, u.port, u.fragment = user, port, fragment
				to = append(to, u)
			}
		}
	}
	return to
}

// once lists a and, when it differs, b.
func once(a, b string) []string {
	list := [...]string{a, b}
	if a == b {
		return list[:1]
	}
	return list[:]
}

func standardPort(scheme string) string {
	if scheme == "https" || scheme == "wss" {
		return ":443"
	}
	return ":80"
}

// splitURL takes an absolute URL apart without changing a byte of it. The
// target holds everything from the path on, fragment included.
func splitURL(s string) (o calledOrigin, target string, ok bool) {
	scheme, rest, found := strings.Cut(s, "://")
	switch scheme {
	case "http", "https", "ws", "wss":
	default:
		return o, "", false
	}
	end := len(rest)
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		end = i
	}
	authority, target := rest[:end], rest[end:]
	o.scheme = scheme
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		o.user, authority = authority[:i+1], authority[i+1:]
	}
	o.host, o.port, ok = splitHost(authority)
	return o, target, found && ok
}

// splitHost takes a host and its port apart. It refuses what cannot be a
// host, so that a forged Host header cannot bring a piece of path into the
// URL that is checked.
func splitHost(s string) (host, port string, ok bool) {
	host = s
	if i := strings.LastIndexByte(s, ':'); i > strings.LastIndexByte(s, ']') {
		host, port = s[:i], s[i:]
	}
	name, valid := host, "._-"
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		name, valid = host[1:len(host)-1], ".:"
	}
	for _, c := range []byte(name) {
		if !isAlphanumeric(c) && c < 0x80 && strings.IndexByte(valid, c) < 0 {
			return "", "", false
		}
	}
	return host, port, name != "" && len(name) < 256 && validPort(port)
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

// validPort takes an empty port, and a colon with one to five digits.
func validPort(s string) bool {
	if s == "" {
		return true
	}
	for _, c := range []byte(s[1:]) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s[0] == ':' && len(s) > 1 && len(s) <= 6
}

// appendOrigins appends the origins that a scheme, a host and a port describe.
// An unknown scheme is both https and http: a scheme says nothing about which
// function is meant.
func appendOrigins(to []calledOrigin, scheme, hostAndPort, port string) []calledOrigin {
	o := calledOrigin{scheme: scheme}
	var ok bool
	if o.host, o.port, ok = splitHost(hostAndPort); !ok {
		return to
	}
	if port = ":" + port; o.port == "" && len(port) > 1 && validPort(port) && port != standardPort(scheme) {
		o.port = port
	}
	switch scheme {
	case "http", "https":
		return append(to, o)
	case "ws", "wss":
		o.scheme = "http" + scheme[len("ws"):]
		return append(to, o)
	}
	for _, o.scheme = range [...]string{"https", "http"} {
		to = append(to, o)
	}
	return to
}

// publicAddress knows which URL Twilio called to make a request.
type publicAddress struct {
	public *calledOrigin // nil when not configured
	added  string        // a path that the gateway adds, without a last slash
	trust  ProxyTrust    // nil believes no header
}

func newPublicAddress(c Config) (a publicAddress, faults []error) {
	a.trust = c.ProxyTrust
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if c.ProxyTrust != nil {
		if err := c.ProxyTrust.fault(); err != nil {
			fault("ProxyTrust (FLEXFN_TRUSTED_PROXIES): %w", err)
		}
	}
	if c.PublicURL != "" {
		o, err := parsePublicURL(c.PublicURL)
		if err != nil {
			fault("PUBLIC_URL: %w", err)
		}
		a.public = &o
	}
	if p := c.AddedPathPrefix; p != "" {
		if !strings.HasPrefix(p, "/") || strings.ContainsAny(p, "?# ") || strings.Trim(p, "/") == "" {
			fault("FLEXFN_ADDED_PATH_PREFIX %q is not a path: write one such as /internal", p)
		}
		a.added = strings.TrimRight(p, "/")
	}
	return a, faults
}

// parsePublicURL keeps the text of a URL as it is: Twilio signs its bytes.
func parsePublicURL(s string) (calledOrigin, error) {
	o, target, ok := splitURL(s)
	u, err := url.Parse(s)
	if !ok || err != nil || u.RawQuery != "" || u.ForceQuery || o.scheme != "http" && o.scheme != "https" {
		return o, fmt.Errorf("it is not a base URL: write the beginning of the URL that is set in Twilio, such as https://functions.example.com, without a query")
	}
	path, fragment, _ := strings.Cut(target, "#")
	o.prefix, o.fragment = strings.TrimRight(path, "/"), fragment
	return o, nil
}

// findURLs sets s.urls to the URLs that Twilio may have called to make r, the
// likeliest first.
func (a publicAddress) findURLs(s *signed, r *http.Request) {
	target := requestTarget(r)
	if rest, ok := cutPathPrefix(target, a.added); ok {
		target = rest
	}
	if a.public != nil {
		s.origins = append(s.origins, *a.public)
		if _, ok := cutPathPrefix(target, a.public.prefix); ok {
			kept := *a.public
			kept.prefix = "" // the gateway did not strip it
			s.origins = append(s.origins, kept)
		}
	}
	if a.trust != nil {
		s.origins = a.trust.origins(s.origins, r)
	}
	if len(s.origins) == 0 {
		scheme := ""
		if r.TLS != nil {
			scheme = "https"
		}
		s.origins = appendOrigins(s.origins, scheme, r.Host, "")
	}
	s.appendURLs(r, target)
	if link.LostQueryOrder(r.Context()) {
		for _, other := range queryOrders(target)[1:] {
			s.appendURLs(r, other)
		}
	}
}

// appendURLs appends the URLs of target at each of s.origins.
func (s *signed) appendURLs(r *http.Request, target string) {
	for _, o := range s.origins {
		if isWebSocket(r) {
			ws := o
			ws.scheme = "ws" + strings.TrimPrefix(o.scheme, "http")
			s.urls = ws.appendURLs(s.urls, target)
		}
		s.urls = o.appendURLs(s.urls, target)
	}
}

// cutPathPrefix removes whole path segments from the front of a target.
func cutPathPrefix(target, prefix string) (string, bool) {
	rest, ok := strings.CutPrefix(target, prefix)
	switch {
	case prefix == "" || !ok || rest != "" && rest[0] != '/' && rest[0] != '?':
		return target, false
	case rest == "" || rest[0] == '?':
		rest = "/" + rest
	}
	return rest, true
}

// requestTarget returns the path and query of a request as they were sent:
// never parsed and written again, which would change bytes that are signed.
func requestTarget(r *http.Request) string {
	target := r.RequestURI
	if _, rest, ok := splitURL(target); ok { // absolute, as sent to proxies
		target = rest
	} else if target == "" { // made by a gateway's adapter
		target = r.URL.EscapedPath()
		if r.URL.RawQuery != "" || r.URL.ForceQuery {
			target += "?" + r.URL.RawQuery
		}
	}
	if !strings.HasPrefix(target, "/") {
		target = "/" + target
	}
	return target
}

func isWebSocket(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
}

// parseProxyTrust reads FLEXFN_TRUSTED_PROXIES; the trust reports its faults.
func parseProxyTrust(v string) ProxyTrust {
	if v == "anyone" {
		return TrustXForwardedFromAnyone()
	}
	return TrustXForwarded(splitList(v)...)
}
