// Package exampletb has a testing.TB for runnable examples, which have none.
package exampletb

import (
	"context"
	"fmt"
	"io"
	"testing"
)

// T prints failures, so that they spoil an example's output, and discards
// logs. Nothing is cleaned up. Other methods than these panic.
type T struct{ testing.TB }

// Helper does nothing.
func (T) Helper() {}

// Cleanup does nothing.
func (T) Cleanup(func()) {}

// Output discards.
func (T) Output() io.Writer { return io.Discard }

// Context never ends.
func (T) Context() context.Context { return context.Background() }

// Errorf prints.
func (T) Errorf(format string, args ...any) { fmt.Printf(format+"\n", args...) }

// Fatalf panics.
func (T) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
