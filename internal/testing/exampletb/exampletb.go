// Package exampletb has a testing.TB for runnable examples, which do not get
// one.
package exampletb

import (
	"context"
	"fmt"
	"io"
	"testing"
)

// T prints failures, so that an example's output no longer matches, and discards
// logs. It cleans up nothing. Methods not defined here panic.
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
