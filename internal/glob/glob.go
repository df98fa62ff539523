// Package glob matches URL paths against patterns.
package glob

import (
	"fmt"
	"path"
	"strings"
)

// Match reports whether pattern matches all of urlPath. A * matches a segment
// or a part of one; ** as the last segment matches everything that follows. A
// malformed pattern matches nothing.
func Match(pattern, urlPath string) bool {
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

// Check returns an error if pattern is malformed.
func Check(pattern string) error {
	if _, err := path.Match(pattern, ""); err != nil {
		return fmt.Errorf("path %q is not a pattern", pattern)
	}
	if i := strings.Index(pattern, "**"); i >= 0 && (i != len(pattern)-2 || i > 0 && pattern[i-1] != '/') {
		return fmt.Errorf("path %q has ** elsewhere than as its last segment; * is a part of one", pattern)
	}
	return nil
}
