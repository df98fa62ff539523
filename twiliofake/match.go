package twiliofake

import (
	"fmt"
	"strings"

	"github.com/flexfn/flexfn/internal/glob"
)

// A Match selects requests. Empty fields match everything. The zero Match
// matches every request.
//
// A [Fault] with a malformed Path is refused; [Twilio.Requests] finds nothing
// with one.
type Match struct {
	// Method is an HTTP method, such as "POST". Case does not matter.
	Method string `json:"method,omitempty"`
	// Host is a product, such as "taskrouter", or a full host name, such as
	// "taskrouter.ie1.twilio.com". A product is in lower case and matches all
	// its regions and edges. Case does not matter in a full name, and a port is
	// part of it.
	Host string `json:"host,omitempty"`
	// Path is a pattern for the whole path. * matches one segment or part of
	// one; ** as the last segment matches the rest. "/v1/Workspaces/*/Tasks/*"
	// matches every task. It is compared with the decoded path, without the
	// query. "/v1/**" matches everything below /v1/, and "**" alone everything.
	Path string `json:"path,omitempty"`
}

func (m Match) matches(method, host, urlPath string) bool {
	return (m.Method == "" || strings.EqualFold(m.Method, method)) &&
		(m.Host == "" || strings.EqualFold(m.Host, host) || m.Host == product(host)) &&
		(m.Path == "" || glob.Match(m.Path, urlPath))
}

func (m Match) check() error {
	if err := glob.Check(m.Path); err != nil {
		return err
	}
	if m.Path != "" && m.Path[0] != '/' && m.Path[0] != '*' {
		return fmt.Errorf("path %q does not begin with /", m.Path)
	}
	return nil
}
