package link

import (
	"fmt"
	"strings"
)

// CheckPath returns an error if path cannot be the path of a function.
func CheckPath(path string) error {
	if !strings.HasPrefix(path, "/") || path == "/" || strings.HasSuffix(path, "/") {
		return fmt.Errorf("the path %q must begin with a slash, name something, and not end with a slash", path)
	}
	for segment := range strings.SplitSeq(path[1:], "/") {
		if segment == "" || segment == "." || segment == ".." || strings.ContainsFunc(segment, func(r rune) bool {
			return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~", r)
		}) {
			return fmt.Errorf("the path %q has the segment %q: use letters, digits and -._~", path, segment)
		}
	}
	return nil
}
