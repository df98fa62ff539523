package twiliofake

import (
	"fmt"
	"path"
	"strings"
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
		(m.Path == "" || matchPath(m.Path, urlPath))
}

func matchPath(pattern, urlPath string) bool {
	if prefix, rest := strings.CutSuffix(pattern, "**"); rest {
		n := strings.Count(prefix, "/")
		parts := strings.SplitAfterN(urlPath, "/", n+1)
		if len(parts) <= n {
			return false
		}
		pattern, urlPath = prefix, strings.Join(parts[:n], "")
	}
	ok, err := path.Match(pattern, urlPath)
	return err == nil && ok
}

func (m Match) check() error {
	if _, err := path.Match(m.Path, ""); err != nil {
		return fmt.Errorf("path %q is not a pattern", m.Path)
	}
	if i := strings.Index(m.Path, "**"); i >= 0 && (i != len(m.Path)-2 || i > 0 && m.Path[i-1] != '/') {
		return fmt.Errorf("path %q has ** elsewhere than as its last segment; * is a part of one", m.Path)
	}
	if m.Path != "" && m.Path[0] != '/' && m.Path[0] != '*' {
		return fmt.Errorf("path %q does not begin with /", m.Path)
	}
	return nil
}
