package events_test

import (
	"testing"

	"github.com/flexfn/flexfn/internal/testing/exported"
)

// TestExportedNames: each exported name is used in an Example.
func TestExportedNames(t *testing.T) { exported.InExamples(t, "events") }
