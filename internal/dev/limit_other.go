//go:build !unix

package dev

// isWatchLimit is false: these systems do not report the limit by an error of
// their own.
func isWatchLimit(error) bool { return false }
