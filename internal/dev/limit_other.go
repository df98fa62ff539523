//go:build !unix

package dev

func isWatchLimit(error) bool { return false }
