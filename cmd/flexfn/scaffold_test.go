//go:build scaffold

package main

import "testing"

// TestScaffold runs testdata/scaffold: what is generated is built, vetted,
// tested and run. That takes a while.
func TestScaffold(t *testing.T) { runScripts(t, "testdata/scaffold") }
