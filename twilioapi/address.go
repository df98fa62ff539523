package twilioapi

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/flexfn/flexfn"
)

// checkAddress refuses a URL that is not what twilio-go's template meant:
// twilio-go puts parameters into paths as they are, so that a SID with "../",
// "?" or "%2f" in it would reach another resource with the account's
// credentials. A SID that holds a plain slash cannot be told from a longer
// path here: check SIDs where they come from, and names with [CheckSegment].
func checkAddress(u *url.URL, queryAllowed bool) error {
	if u.Scheme != "https" || u.User != nil || u.Port() != "" && u.Port() != "443" || !strings.HasSuffix(u.Hostname(), ".twilio.com") {
		return bentAddress(fmt.Errorf("%s is not Twilio's", u.Redacted()))
	}
	if u.Fragment != "" || u.RawFragment != "" || !queryAllowed && (u.RawQuery != "" || u.ForceQuery) {
		return bentAddress(fmt.Errorf("path %q goes on after ? or #", u.Path))
	}
	if !strings.HasPrefix(u.Path, "/") {
		return bentAddress(fmt.Errorf("path %q", u.Path))
	}
	for segment := range strings.SplitSeq(u.EscapedPath()[1:], "/") {
		plain, err := url.PathUnescape(segment)
		if err != nil || !plainSegment(plain) {
			return bentAddress(fmt.Errorf("path %q has the segment %q", u.Path, segment))
		}
	}
	return nil
}

// CheckSegment says why name cannot be one segment of the path of a Twilio
// resource, and is nil when it can: where Twilio takes a name instead of a
// SID, such as a participant's label or a conversation's unique name. Check
// names before they are given to twilio-go, which puts them into paths as they
// are. A name that is empty, a dot or two, longer than 512 bytes, not UTF-8, or
// that has a control character or one of / \ ? # % ; { } cannot.
func CheckSegment(name string) error {
	const forbidden = `/\?#%;{}` // braces are twilio-go's own
	if len(name) > 512 || !utf8.ValidString(name) || strings.ContainsAny(name, forbidden) || !plainSegment(name) {
		return fmt.Errorf("not a name that can stand in a URL: write up to 512 bytes without control characters and %s", forbidden)
	}
	return nil
}

// plainSegment reports whether s can be nothing but one segment of a path,
// for every server on the way, however often it decodes.
func plainSegment(s string) bool {
	name := strings.TrimSuffix(s, ".json")
	if name == "" || name == "." || name == ".." || strings.ContainsAny(s, `/\?#%;`) {
		return false
	}
	for _, r := range s {
		if r < ' ' || r == 0x7f || r == '\uFFFD' {
			return false
		}
	}
	return true
}

func bentAddress(err error) error {
	return &flexfn.Error{
		Status:  http.StatusBadRequest,
		Message: "a parameter holds characters that have no place in the address of a Twilio resource",
		Err:     err,
	}
}
