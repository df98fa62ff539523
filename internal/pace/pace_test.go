package pace

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestTake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p Pace
		take := func(wait time.Duration, ok bool) {
			t.Helper()
			if got, may := p.Take(time.Second, 3, 2*time.Second); got != wait || may != ok {
				t.Errorf("took %s, %t; want %s, %t", got, may, wait, ok)
			}
		}
		for range 2 {
			take(0, true)
			take(0, true)
			take(0, true)
			take(time.Second, true)
			take(2*time.Second, true)
			take(0, false)
			take(0, false) // nothing was reserved
			time.Sleep(time.Second)
			take(2*time.Second, true)
			time.Sleep(time.Minute) // saves up one burst, and no more
		}
	})
}

func TestLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Lines
		written := 0
		for range 1000 {
			if left, ok := l.Next(); ok {
				written++
				if left != 0 {
					t.Errorf("%d were left out of the burst", left)
				}
			}
		}
		if written != 20 {
			t.Errorf("%d of 1000 at once were written", written)
		}
		time.Sleep(10 * time.Second)
		if left, ok := l.Next(); !ok || left != 980 {
			t.Errorf("ten seconds later: %t, after %d", ok, left)
		}
		if _, ok := l.Next(); ok {
			t.Error("a second one at once")
		}
	})
}
