package conflict

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := new(Turns)
		first, err := turns.Take(t.Context(), "WT1")
		if err != nil {
			t.Fatal(err)
		}
		if other, err := turns.Take(t.Context(), "WT2"); err != nil {
			t.Error("another key has to wait:", err)
		} else {
			other()
		}
		ctx, cancel := context.WithCancel(t.Context())
		var got atomic.Bool
		go func() {
			if _, err := turns.Take(ctx, "WT1"); err != nil {
				got.Store(errors.Is(err, context.Canceled))
			}
		}()
		synctest.Wait()
		cancel()
		synctest.Wait()
		if !got.Load() {
			t.Error("a cancelled wait did not end")
		}
		first()
		first() // a second call does nothing
		again, err := turns.Take(t.Context(), "WT1")
		if err != nil {
			t.Fatal(err)
		}
		again()
		if n := len(turns.taken); n != 0 {
			t.Errorf("%d turns are kept", n)
		}
	})
}
