package twiliofake

import (
	"fmt"
	"strings"

	"github.com/flexfn/flexfn/internal/glob"
)

// A Match selects requests. Empty fields match everything.
type Match struct {
	// Method is an HTTP method, such as "POST".
	Method string `json:"method,omitempty"`
	// Host is a product, such as "taskrouter", or a full host name, such as
	// "taskrouter.ie1.twilio.com".
	Host string `json:"host,omitempty"`
	// Path is a pattern for the whole path. * matches one segment or part of
	// one; ** as the last segment matches the rest. "/v1/Workspaces/*/Tasks/*"
	// matches every task.
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
