package flexfn

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

func TestRetryBudgetInAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := testApp(t, func(c *Config) { c.RetryBudget = 20 }).Context(t.Context())
		count := func(calls int) (attempts int) {
			for range calls {
				attempts += ExecuteWithRetry(ctx, always(status(503))).Attempts
			}
			return attempts
		}
		if spent := count(20) - 20; spent < 20 || spent > 22 {
			t.Errorf("%d retries until it was spent", spent)
		}
		if n := count(1000); n > 1100 || n < 1095 {
			t.Errorf("%d attempts for 1000 calls", n)
		}
		res := ExecuteWithRetry(ctx, always(status(503)))
		if !errors.Is(res.Err(), ErrRetryBudget) || res.Status != 503 || res.Message != "upstream says 503" {
			t.Errorf("%+v, %v", res, res.Err())
		}
		if !strings.Contains(res.Err().Error(), "client side") {
			t.Errorf("the error does not say who refused: %v", res.Err())
		}
		// Conflicts do not use the budget.
		if n := ExecuteWithRetry(ctx, always(status(412))).Attempts; n != 6 {
			t.Errorf("%d attempts at a conflict", n)
		}
	})
}

func TestRetryBudgetSparesTheHealthy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := testApp(t, nil).Context(t.Context())
		for i := range 10_000 { // one call in twenty fails once
			var errs []error
			if i%20 == 0 {
				errs = append(errs, status(429))
			}
			callback, _ := script(errs...)
			if res := ExecuteWithRetry(ctx, callback); !res.Success {
				t.Fatalf("call %d: %v", i, res.Err())
			}
		}
	})
}

func TestRetryBudgetSizes(t *testing.T) {
	if n, err := parseBudget("off"); err != nil || newRetryBudget(n) != nil {
		t.Errorf("off is %d, %v", n, err)
	}
	for size, want := range map[int]int{-1: -1, 0: defaultRetryBudget, 1: 1} {
		b := newRetryBudget(size)
		if b == nil {
			b = &retryBudget{size: -tenthsPerRetry}
		}
		if b.size != int64(want*tenthsPerRetry) {
			t.Errorf("a budget of %d is for %d tenths of a retry", size, b.size)
		}
	}
}

func TestRetryBudgetOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := testApp(t, func(c *Config) { c.RetryBudget = -1 }).Context(t.Context())
		for range 200 {
			if n := ExecuteWithRetry(ctx, always(status(503))).Attempts; n != 6 {
				t.Fatalf("%d attempts", n)
			}
		}
	})
}

func TestRetryBudgetTogether(t *testing.T) {
	b := newRetryBudget(50)
	var taken atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				if b.take() {
					taken.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if taken.Load() != 50 {
		t.Errorf("took %d of 50", taken.Load())
	}
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				b.deposit()
			}
		})
	}
	wg.Wait()
	if b.tenths.Load() != b.size {
		t.Errorf("holds %d of %d", b.tenths.Load(), b.size)
	}
}
