// Package bench compares flexfn with its peers. It is a separate module to keep
// their dependencies out of flexfn's.
package bench

import (
	"context"
	"errors"
	"testing"
	"time"

	avast "github.com/avast/retry-go/v5"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	awsretry "github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go/middleware"
	backoff5 "github.com/cenkalti/backoff/v5"
	backoff7 "github.com/cenkalti/backoff/v7"
	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
	"github.com/flexfn/flexfn"
	sethvargo "github.com/sethvargo/go-retry"
)

// Every library is configured once to do the same: up to five retries without
// delay, of errors with status 412, 429 or 503, and it must obey ctx. Setup that
// a library needs for each call is part of the call.

const retries = 5

var (
	conflict error = &flexfn.Error{Status: 412}
	refusal  error = &flexfn.Error{Status: 400}
)

func retryable(err error) bool {
	e, ok := errors.AsType[*flexfn.Error](err)
	return ok && (e.Status == 412 || e.Status == 429 || e.Status == 503)
}

type operation func(context.Context) (int, error)

// library runs op with retries.
type library struct {
	name string
	run  func(context.Context, operation) (int, error)
}

func libraries() []library {
	return []library{
		{"flexfn", runFlexfn},
		{"failsafe-go", failsafeGo()},
		{"cenkalti-v5", runCenkalti5},
		{"cenkalti-v7", runCenkalti7},
		{"avast-v5", avastV5()},
		{"sethvargo", runSethvargo},
		{"aws-sdk-v2", awsStandard()},
		{"bare", runBare},
	}
}

// runBare is the floor: a plain loop that retries the same errors and does
// nothing else.
func runBare(ctx context.Context, op operation) (int, error) {
	for n := 0; ; n++ {
		v, err := op(ctx)
		if err == nil || n == retries || !retryable(err) {
			return v, err
		}
	}
}

func runFlexfn(ctx context.Context, op operation) (int, error) {
	return flexfn.ExecuteWithRetry(ctx, op).Get()
}

func failsafeGo() func(context.Context, operation) (int, error) {
	policy := retrypolicy.NewBuilder[int]().
		HandleIf(func(_ int, err error) bool { return retryable(err) }).
		WithMaxRetries(retries).
		Build()
	executor := failsafe.With(policy)
	return func(ctx context.Context, op operation) (int, error) {
		return executor.WithContext(ctx).GetWithExecution(func(e failsafe.Execution[int]) (int, error) { return op(e.Context()) })
	}
}

func runCenkalti5(ctx context.Context, op operation) (int, error) {
	return backoff5.Retry(ctx, func() (int, error) {
		n, err := op(ctx)
		if err != nil && !retryable(err) {
			err = backoff5.Permanent(err)
		}
		return n, err
	}, backoff5.WithBackOff(&backoff5.ZeroBackOff{}), backoff5.WithMaxTries(retries+1))
}

func runCenkalti7(ctx context.Context, op operation) (int, error) {
	return backoff7.Retry(ctx, func() (int, error) {
		n, err := op(ctx)
		if err != nil && !retryable(err) {
			err = backoff7.Permanent(err)
		}
		return n, err
	}, backoff7.WithBackOff(&backoff7.ZeroBackOff{}), backoff7.WithMaxTries(retries+1))
}

func avastV5() func(context.Context, operation) (int, error) {
	return func(ctx context.Context, op operation) (int, error) {
		return avast.NewWithData[int](avast.Context(ctx), avast.Attempts(retries+1), avast.Delay(0), avast.MaxJitter(1),
			avast.DelayType(avast.FixedDelay), avast.LastErrorOnly(true), avast.RetryIf(retryable),
		).Do(func() (int, error) { return op(ctx) })
	}
}

func runSethvargo(ctx context.Context, op operation) (int, error) {
	b := sethvargo.WithMaxRetries(retries, sethvargo.BackoffFunc(func() (time.Duration, bool) { return 0, false }))
	return sethvargo.DoValue(ctx, b, func(ctx context.Context) (int, error) {
		n, err := op(ctx)
		if err != nil && retryable(err) {
			err = sethvargo.RetryableError(err)
		}
		return n, err
	})
}

func awsStandard() func(context.Context, operation) (int, error) {
	standard := awsretry.NewStandard(func(o *awsretry.StandardOptions) {
		o.MaxAttempts = retries + 1
		o.RateLimiter = ratelimit.None
		o.Backoff = awsretry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
		o.Retryables = []awsretry.IsErrorRetryable{awsretry.IsErrorRetryableFunc(func(err error) aws.Ternary { return aws.BoolTernary(retryable(err)) })}
	})
	attempt := awsretry.NewAttemptMiddleware(standard, func(v any) any { return v })
	return func(ctx context.Context, op operation) (int, error) {
		out, _, err := attempt.HandleFinalize(ctx, middleware.FinalizeInput{}, middleware.FinalizeHandlerFunc(
			func(ctx context.Context, _ middleware.FinalizeInput) (out middleware.FinalizeOutput, _ middleware.Metadata, err error) {
				n, err := op(ctx)
				out.Result = n
				return out, middleware.Metadata{}, err
			}))
		n, _ := out.Result.(int)
		return n, err
	}
}

var cases = []struct {
	name  string
	fails int
	err   error
}{
	{"success", 0, nil},
	{"1-retry", 1, conflict},
	{"3-retries", 3, conflict},
	{"not-retryable", 1, refusal},
}

func BenchmarkRetry(b *testing.B) {
	for _, c := range cases {
		for _, l := range libraries() {
			b.Run("case="+c.name+"/lib="+l.name, func(b *testing.B) {
				ctx, cancel := context.WithCancel(b.Context())
				defer cancel()
				n := 0
				op := func(context.Context) (int, error) { // made once, so that only the library's cost is measured
					if n++; n <= c.fails {
						return 0, c.err
					}
					return 1, nil
				}
				b.ReportAllocs()
				for b.Loop() {
					n = 0
					l.run(ctx, op)
				}
			})
		}
	}
}

// TestLibrariesDoTheSame checks that every library makes the same attempts with
// the same results.
func TestLibrariesDoTheSame(t *testing.T) {
	for _, l := range libraries() {
		for _, c := range cases {
			n := 0
			v, err := l.run(t.Context(), func(context.Context) (int, error) {
				if n++; n <= c.fails {
					return 0, c.err
				}
				return 1, nil
			})
			want, tries := 1, c.fails+1
			if c.err == refusal {
				want, tries = 0, 1
			}
			if v != want || n != tries || (err != nil) != (c.err == refusal) {
				t.Errorf("%s, %s: %d after %d tries, %v", l.name, c.name, v, n, err)
			}
		}
	}
}
