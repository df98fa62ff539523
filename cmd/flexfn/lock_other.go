//go:build !unix

package main

import "os"

// lockFile does nothing: only Unix systems have the lock that flexfn uses. Two
// runs with one state are possible there; the last to end wins.
func lockFile(string) (*os.File, error) { return nil, nil }
