package flexfn

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// TestLazyContext: a lazyContext says what context.WithDeadline would, whether
// or not something waited for it before.
func TestLazyContext(t *testing.T) {
	type key struct{}
	for name, c := range map[string]struct {
		happens func(leave context.CancelFunc, end func())
		want    error
	}{
		"nothing":      {func(context.CancelFunc, func()) {}, nil},
		"parent ends":  {func(leave context.CancelFunc, _ func()) { leave() }, context.Canceled},
		"deadline":     {func(context.CancelFunc, func()) { time.Sleep(time.Minute) }, context.DeadlineExceeded},
		"end":          {func(_ context.CancelFunc, end func()) { end() }, context.Canceled},
		"end twice":    {func(_ context.CancelFunc, end func()) { end(); end() }, context.Canceled},
		"end and late": {func(_ context.CancelFunc, end func()) { end(); time.Sleep(time.Hour) }, context.Canceled},
	} {
		for _, waited := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				parent, leave := context.WithCancel(context.WithValue(t.Context(), key{}, "of the parent"))
				defer leave()
				l := new(lazyContext)
				l.within(parent, time.Minute)
				child := context.Context(l)
				if waited {
					var cancel context.CancelFunc
					child, cancel = context.WithCancel(l) // which asks for Done
					defer cancel()
				}
				c.happens(leave, l.end)
				synctest.Wait()
				if got := l.Err(); got != c.want {
					t.Errorf("%s, waited %t: %v, want %v", name, waited, got, c.want)
				}
				select {
				case <-l.Done():
					if c.want == nil {
						t.Errorf("%s, waited %t: Done is closed", name, waited)
					}
				default:
					if c.want != nil {
						t.Errorf("%s, waited %t: Done is not closed", name, waited)
					}
				}
				if child.Err() != l.Err() || l.Value(key{}) != "of the parent" {
					t.Errorf("%s, waited %t: a child says %v; the value is %v", name, waited, child.Err(), l.Value(key{}))
				}
				if ended := name[:3] == "end"; l.over() != ended {
					t.Errorf("%s, waited %t: over: %t", name, waited, l.over())
				}
				l.end()
			})
		}
	}
}
