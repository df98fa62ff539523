package twilioapi

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/flexfn/flexfn"
)

// checkAddress refuses a URL that cannot be what the caller of twilio-go meant.
// twilio-go puts parameters into paths unescaped, so a SID that contains "../",
// "?" or "%2f" would reach another resource, with the account's credentials. A
// plain slash in a SID cannot be noticed here, since it only makes the path
// longer: check SIDs where they enter the program, and names with
// [CheckSegment].
func checkAddress(u *url.URL, queryAllowed bool) error {
	if !twilios(u) {
		return bentAddress(fmt.Errorf("%s is not Twilio's", u.Redacted()))
	}
	if u.Fragment != "" || u.RawFragment != "" || !queryAllowed && (u.RawQuery != "" || u.ForceQuery) {
		return bentAddress(fmt.Errorf("path %q continues after ? or #", u.Path))
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

// twilios reports whether u is at one of Twilio's servers.
func twilios(u *url.URL) bool {
	return u.Scheme == "https" && u.User == nil && (u.Port() == "" || u.Port() == "443") && strings.HasSuffix(u.Hostname(), ".twilio.com")
}

// CheckSegment returns an error unless name can be one segment of the path of a
// Twilio resource. Use it where Twilio takes a name instead of a SID, such as a
// participant's label or a conversation's unique name, before you give the name to
// twilio-go, which puts it into the path unescaped. It refuses a name that is
// empty, "." or "..", longer than 512 bytes or not UTF-8, or that contains a
// control character or one of / \ ? # % ; { }.
//
//	if err := twilioapi.CheckSegment(in.UniqueName); err != nil {
//		return nil, flexfn.Errorf(http.StatusBadRequest, "uniqueName is %w", err)
//	}
//
// For a SID use [flexfn.ValidSID] or the kind tag. [ExecuteTwilio] also refuses
// most names that change the address, but with a less helpful message.
func CheckSegment(name string) error {
	const forbidden = `/\?#%;{}` // twilio-go uses braces for its templates
	if len(name) > 512 || strings.ContainsAny(name, forbidden) || !plainSegment(name) {
		return fmt.Errorf("not a name that a URL can contain: write up to 512 bytes without control characters and %s", forbidden)
	}
	return nil
}

// plainSegment reports whether every server on the way takes s for one segment
// of a path, however often it decodes it.
func plainSegment(s string) bool {
	name := strings.TrimSuffix(s, ".json")
	if name == "" || name == "." || name == ".." || strings.ContainsAny(s, `/\?#%;`) {
		return false
	}
	for _, r := range s {
		if r < ' ' || r == 0x7f || r == '\uFFFD' { // U+FFFD stands for invalid UTF-8
			return false
		}
	}
	return true
}

func bentAddress(err error) error {
	return &flexfn.Error{
		Status:  http.StatusBadRequest,
		Message: "a parameter contains characters that cannot be in the address of a Twilio resource",
		Err:     err,
	}
}
