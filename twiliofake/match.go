package twiliofake

import (
	"fmt"
	"strings"

	"github.com/flexfn/flexfn/internal/glob"
)

// A Match chooses requests; a zero field matches all.
type Match struct {
	// Method is an HTTP method, such as "POST".
	Method string `json:"method,omitempty"`
	// Host is a product, such as "taskrouter", or a whole host, such as
	// "taskrouter.ie1.twilio.com".
	Host string `json:"host,omitempty"`
	// Path is a pattern that the whole path must match: * is one segment or
	// a part of one, ** as the last segment is all that follows.
	// "/v1/Workspaces/*/Tasks/*" is every task.
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
