//go:build !unix

package main

import "os"

// lockFile does nothing: only Unix systems have the lock that flexfn uses.
func lockFile(string) (*os.File, error) { return nil, nil }
