package signature

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/flexfn/flexfn/internal/link"
)

// calledOrigin is the beginning of a URL that Twilio may have called, split into
// the parts that Twilio's services treat differently when they sign.
//
// They are kept as text, since Twilio signs the bytes of the URL as it was
// typed: EXAMPLE.com, example.com and example.com:443 have different
// signatures.
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
	target string // path and query, as they were sent
}

// append appends the URL as text, byte for byte as it would have been signed.
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

// appendURLs appends every form in which Twilio may have signed the URL of target
// at this origin. Twilio's services differ in whether they keep the port (some
// add a standard one), the user and password, and the fragment. Trying each is
// safe: none of these parts decides which function is called.
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

// once returns a and, if it differs, b.
func once(a, b string) []string {
	list := [...]string{a, b}
	if a == b {
		return list[:1]
	}
	return list[:]
}

// standardPort is the port that a URL of this scheme means when it has none.
func standardPort(scheme string) string {
	if scheme == "https" || scheme == "wss" {
		return ":443"
	}
	return ":80"
}

// splitURL splits an absolute URL without changing a byte of it, which net/url
// would. The target is everything from the path on, fragment included.
func splitURL(s string) (o calledOrigin, target string, ok bool) {
	scheme, rest, _ := strings.Cut(s, "://")
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
	return o, target, ok
}

// splitHost splits a host and its port. It refuses anything that cannot be a host,
// so that a forged Host header cannot put a part of a path into the URL that is
// checked.
//
// A host outside ASCII is allowed, since Twilio signs what was typed, which a
// browser might rewrite.
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

// isAlphanumeric reports whether c is an ASCII letter or digit.
func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

// validPort reports whether s, which begins with a colon or is empty, is empty or
// has one to five digits.
func validPort(s string) bool {
	if s == "" {
		return true
	}
	for _, c := range []byte(s[1:]) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(s) > 1 && len(s) <= 6
}

// appendOrigins appends the origins that a scheme, a host and a port describe.
// An unknown scheme stands for both https and http, since the scheme does not
// decide which function is called.
func appendOrigins(to []calledOrigin, scheme, hostAndPort, port string) []calledOrigin {
	o := calledOrigin{scheme: scheme}
	var ok bool
	if o.host, o.port, ok = splitHost(hostAndPort); !ok {
		return to
	}
	if port = ":" + port; o.port == "" && validPort(port) && port != standardPort(scheme) {
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

// publicAddress finds the URLs that Twilio may have called to make a request.
// It is immutable.
type publicAddress struct {
	public *calledOrigin // nil when not configured
	added  string        // a path that the gateway adds, without a last slash
	trust  ProxyTrust    // nil trusts no header
}

// newPublicAddress checks the settings about the URL, and returns all their
// faults.
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
			fault("PublicURL (PUBLIC_URL): %w", err)
		}
		a.public = &o
	}
	if p := c.AddedPathPrefix; p != "" {
		if !strings.HasPrefix(p, "/") || strings.ContainsAny(p, "?# ") || strings.Trim(p, "/") == "" {
			fault("AddedPathPrefix (FLEXFN_ADDED_PATH_PREFIX) %q is not a path: write one such as /internal", p)
		}
		a.added = strings.TrimRight(p, "/")
	}
	return a, faults
}

// parsePublicURL checks and splits a configured URL, and keeps its bytes, which
// Twilio signs.
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

// findURLs sets s.urls to the URLs that Twilio may have called to make r,
// starting with the likeliest.
//
// With a public URL there are no other candidates, so the Host header cannot
// choose what is checked. Other orders and spellings of the query are tried
// only if a gateway lost the original, which its adapter notes in the request's
// ctx. Each costs an HMAC over the form, so fewer are tried with a long form.
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
	if a.public == nil && a.trust != nil {
		s.origins = a.trust.origins(s.origins, r)
	}
	if len(s.origins) == 0 {
		scheme := ""
		if r.TLS != nil {
			scheme = "https"
		}
		s.origins = appendOrigins(s.origins, scheme, r.Host, "")
	}
	for _, t := range withApostrophes(target) {
		s.appendURLs(r, t)
	}
	if link.LostQueryOrder(r.Context()) {
		most := min(maxQueries, maxHashedBytes/max(len(s.form), 1))
		orders := queryOrders(target)
		tried := 0
		for _, other := range orders {
			for _, spelling := range querySpellings(other, most/len(orders)) {
				if spelling == target {
					continue
				}
				if tried++; tried > most {
					return
				}
				s.appendURLs(r, spelling)
			}
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

// requestTarget returns the path and query of a request exactly as they were sent.
// Parsing and formatting them would change bytes that are signed.
//
// On a server they are in [http.Request.RequestURI]. An adapter that makes
// requests itself, such as Lambda's, sets only the URL.
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

// isWebSocket reports whether r opens a WebSocket, as Media Streams do. Twilio
// signs those with the scheme wss.
func isWebSocket(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
}
