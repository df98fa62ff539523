package flexfn

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/flexfn/flexfn/internal/conflict"
)

// ExecuteWithRetry runs callback, which calls a web service, and runs it again
// after a failure that another attempt can fix:
//
//   - HTTP status 412, at once, so that callback can read what has changed;
//   - 429 and 503, after a wait;
//   - no connection, or no answer, after a wait.
//
// Every other error is final. An error has a status if it is, or wraps, an
// error with a method HTTPStatus() int, such as [*Error]. With a method
// RetryDelay() time.Duration it asks for a longer wait. The whole callback is
// repeated; it can turn a failure into a success by returning nil.
//
// If a request that changes something was sent through [App.HTTPClient] and got
// no answer, it may have taken effect. Result.OutcomeUnknown is then true, and
// callback is not run again unless the call is [Repeatable]. Other HTTP clients
// do not report whether a request was sent, so after their failures callback is
// run again, whatever it does.
//
// An answer of 429 or 503 means that the service did nothing, so callback is
// run again even if it creates something. If a service, or a gateway in front
// of it, answers so after doing the work, two things are created; a call that
// must not risk that sets Repeatable(false). A 503 from Twilio's address that
// is not JSON did not come from Twilio, and always counts as no answer.
//
// Each attempt has its own ctx, which ends with the attempt, so callback must
// read the body of an answer before it returns. The exception is a result that
// is itself an [*http.Response] or an [io.ReadCloser]: it can be read until it
// is closed, or until the attempt timeout has passed since the attempt began. A
// body inside another value cannot be read afterwards; if it came through
// [App.HTTPClient], the read error says so.
//
// The policy is that of the app that ctx carries, changed by opts. Without an
// app it is five retries, waits of 100 to 300 ms, no attempt timeout and no
// budget. Waits are random and grow. They last at least as long as the service
// asks; if it asks for more than a minute, the call fails at once. If a wait
// would run past ctx's deadline, the call gives up at once, with an error that
// wraps both the last failure and [context.DeadlineExceeded]. If ctx is done at
// the start, callback does not run. ExecuteWithRetry does not recover a panic
// in callback.
//
// A callback uses the ctx that it gets, the app's client, and a helper that turns
// answers into errors with a status:
//
//	res := flexfn.ExecuteWithRetry(ctx, func(ctx context.Context) (Customer, error) {
//		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
//		if err != nil {
//			return Customer{}, err
//		}
//		return flexfn.ReadJSON[Customer](client.Do(req))
//	}, flexfn.AttemptTimeout(2*time.Second))
//
// For Twilio, ExecuteTwilio of package twilioapi does the same with twilio-go's
// client. Do not nest calls: the attempts would multiply.
//
// ExecuteWithRetry runs callback on the caller's goroutine, one attempt at a
// time, and may be called concurrently.
func ExecuteWithRetry[T any](ctx context.Context, callback func(context.Context) (T, error), opts ...RetryOption) Result[T] {
	p := policyFor(ctx, opts)
	if p.fault != nil {
		return failed[T](p.fault, 0)
	}
	if ctx.Err() != nil {
		return failed[T](gaveUp(ctx.Err(), nil), 0)
	}
	p.budget.deposit()
	conflicts := 0
	for n := 1; ; n++ {
		var (
			data T
			err  error
			rec  *attemptRecord
		)
		if p.plain() {
			data, err = callback(ctx)
		} else {
			rec, data, err = tryOnce(ctx, p, callback)
		}
		if err == nil {
			if rec != nil {
				rec.report(ctx, p, n, nil, 0, false)
			}
			return Result[T]{Success: true, Status: 200, Data: data, Attempts: n}
		}
		wait, final := p.next(ctx, n, &conflicts, err)
		if rec != nil {
			rec.report(ctx, p, n, err, wait, final == nil)
		}
		if final == nil {
			final = pause(ctx, wait, err)
		}
		if final != nil {
			return failed[T](final, n)
		}
	}
}

// tryOnce runs one attempt with a timeout, an observer or both. rec is nil
// without an observer: making one costs an allocation for each attempt.
func tryOnce[T any](ctx context.Context, p *retryPolicy, callback func(context.Context) (T, error)) (rec *attemptRecord, data T, err error) {
	if p.onAttempt == nil {
		attempt := new(lazyContext)
		attempt.within(ctx, p.timeout)
		data, err = runAttempt(attempt, attempt, callback)
		return nil, data, err
	}
	rec = &attemptRecord{lazyContext: lazyContext{parent: ctx}, began: time.Now()}
	if p.timeout == 0 {
		data, err = callback(rec)
		return rec, data, err
	}
	rec.within(ctx, p.timeout)
	data, err = runAttempt(rec, &rec.lazyContext, callback)
	return rec, data, err
}

// runAttempt calls callback with ctx, which is attempt or embeds it, and ends
// attempt unless the result is still to be read.
func runAttempt[T any](ctx context.Context, attempt *lazyContext, callback func(context.Context) (T, error)) (data T, err error) {
	unread := false
	defer func() {
		if !unread {
			attempt.end()
		}
	}()
	data, err = callback(ctx)
	if err == nil {
		data, unread = readable(data, attempt)
	}
	return data, err
}

// readable wraps data so that attempt ends when it has been read, and reports
// whether there is anything to read.
func readable[T any](data T, attempt *lazyContext) (T, bool) {
	if resp, ok := any(data).(*http.Response); ok {
		if resp == nil || resp.Body == nil || resp.StatusCode == http.StatusSwitchingProtocols {
			return data, false
		}
		resp.Body = &attemptBody{resp.Body, attempt}
		return data, true
	}
	if _, ok := any((*T)(nil)).(*io.ReadCloser); ok && any(data) != nil {
		data, ok = any(&attemptBody{any(data).(io.ReadCloser), attempt}).(T)
		return data, ok
	}
	return data, false
}

// attemptBody is a body that is read after the callback that received it has
// returned.
type attemptBody struct {
	io.ReadCloser
	attempt *lazyContext
}

// Read ends the attempt at the end of the body, or when reading fails.
func (b *attemptBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.attempt.end()
	}
	return n, err
}

// Close ends the attempt, whether or not the body was read to its end.
func (b *attemptBody) Close() error {
	defer b.attempt.end()
	return b.ReadCloser.Close()
}

// RetryOption adjusts how one call, or every call of an app, is retried. Later
// options win over earlier ones, and a call's options over the app's. An
// impossible value makes [New] fail, or the call before its first attempt. The
// options are [AttemptTimeout], [Backoff], [Repeatable] and [RetryLimit]; nil
// is ignored.
type RetryOption interface{ applyRetry(*retryPolicy) }

type retryOption func(*retryPolicy)

func (o retryOption) applyRetry(p *retryPolicy) { o(p) }

// RetryLimit sets how many retries may follow the first attempt; zero means
// none. The default is 5, or TWILIO_SERVICE_RETRY_LIMIT. Retries after 412
// count too, except within the safe updates of package twilioapi, which count
// them apart. The deadline usually ends a call first.
func RetryLimit(n int) RetryOption {
	return retryOption(func(p *retryPolicy) { p.limit = n })
}

// Backoff bounds the random wait before a retry. The default is 100 ms to 300
// ms, or TWILIO_SERVICE_MIN_BACKOFF and TWILIO_SERVICE_MAX_BACKOFF; both may be
// zero. shortest must not be above longest. A service that asks for a longer wait
// gets it, and a 412 is retried at once.
//
// The wait is drawn from a window that doubles with each retry until it ends at
// longest: by default 100 to 200 ms before the first retry, and 150 to 300 ms
// before later ones. A service that recovers slowly needs a larger longest:
//
//	flexfn.Backoff(200*time.Millisecond, 5*time.Second)
func Backoff(shortest, longest time.Duration) RetryOption {
	return retryOption(func(p *retryPolicy) { p.shortest, p.longest = shortest, longest })
}

func minBackoff(d time.Duration) RetryOption {
	return retryOption(func(p *retryPolicy) { p.shortest = d })
}

func maxBackoff(d time.Duration) RetryOption {
	return retryOption(func(p *retryPolicy) { p.longest = d })
}

// AttemptTimeout bounds the time of each attempt: the ctx that callback gets
// ends after d. An attempt that takes longer counts as one that got no answer.
// Zero means no bound other than ctx's deadline. The default is 5 s in an app,
// or FLEXFN_ATTEMPT_TIMEOUT, and zero without an app. A handler with a deadline
// of 10 s and one call thus has time for a second attempt; with several calls
// in a row, set it lower. d must not be negative.
func AttemptTimeout(d time.Duration) RetryOption {
	return retryOption(func(p *retryPolicy) { p.timeout = d })
}

// conflictPause is the longest pause after the second and later conflicts.
// Pauses are random, so that writers that collided do not collide again.
const conflictPause = 50 * time.Millisecond

// Repeatable declares that callback may take effect twice without harm, so it
// is run again even after a failure whose outcome is unknown. Use it for
// requests with an idempotency key that the service honours.
//
// Repeatable(false) declares that callback must not take effect twice. It is
// then not run again after 429, 503 or a lost answer, and Result.OutcomeUnknown
// is true, unless [CheckResponse] or [App.HTTPClient] knows that the request
// changes nothing or was not sent. A conflict (412) is retried all the same.
func Repeatable(may ...bool) RetryOption {
	repeatable := len(may) == 0 || may[0]
	return retryOption(func(p *retryPolicy) { p.repeatable, p.once = repeatable, !repeatable })
}

// retryPolicy is how calls are retried. It is never changed after it is made.
type retryPolicy struct {
	limit             int
	conflicts         int // the limit of conflicts, if counted apart
	conflictsApart    bool
	shortest, longest time.Duration
	timeout           time.Duration
	repeatable        bool         // even when the outcome is unknown
	once              bool         // not even after 429 and 503
	budget            *retryBudget // nil: none
	onAttempt         func(context.Context, Attempt)
	fault             error // why calls with this policy fail at once
}

const (
	defaultRetryLimit     = 5
	defaultMinBackoff     = 100 * time.Millisecond
	defaultMaxBackoff     = 300 * time.Millisecond
	defaultAttemptTimeout = 5 * time.Second
	// longestWait is the longest Retry-After that a call waits for. If a
	// service asks for more, the call fails and the caller is told the delay.
	longestWait = time.Minute
)

// defaultPolicy is the policy without an app.
var defaultPolicy = retryPolicy{limit: defaultRetryLimit, shortest: defaultMinBackoff, longest: defaultMaxBackoff}

// newRetryPolicy makes an app's policy. Its fault field says what is wrong with
// c, since New reports all faults together.
func newRetryPolicy(c Config) *retryPolicy {
	base := defaultPolicy
	base.timeout = defaultAttemptTimeout
	base.budget = newRetryBudget(c.RetryBudget)
	base.onAttempt = c.attemptHook()
	return base.with(c.Retry)
}

// policyFor returns the policy of ctx's app, or the default one, changed by
// opts.
func policyFor(ctx context.Context, opts []RetryOption) *retryPolicy {
	p := &defaultPolicy
	if c := callFrom(ctx); c != nil && c.app != nil && c.app.retry != nil {
		p = c.app.retry
	}
	if n, ok := conflict.Limit(ctx); ok {
		q := *p
		q.conflicts, q.conflictsApart = n, true
		p = &q
	}
	if len(opts) == 0 {
		return p
	}
	return p.with(opts)
}

// with returns a checked copy of the policy, changed by opts. Nil options are
// ignored.
func (p *retryPolicy) with(opts []RetryOption) *retryPolicy {
	q := *p
	for _, o := range opts {
		if o != nil {
			o.applyRetry(&q)
		}
	}
	q.fault = q.check()
	return &q
}

// check returns what is wrong with the policy as a whole, after all options:
// the shortest and the longest backoff may come from different ones. The
// messages name both the variable and the option, since either may have set the
// value.
func (p *retryPolicy) check() error {
	switch {
	case p.limit < 0:
		return fmt.Errorf("the retry limit is %d (TWILIO_SERVICE_RETRY_LIMIT or RetryLimit): it must be zero or more", p.limit)
	case p.shortest < 0 || p.longest < 0:
		return fmt.Errorf("the backoff is %s to %s (TWILIO_SERVICE_MIN_BACKOFF and TWILIO_SERVICE_MAX_BACKOFF, or Backoff): neither may be negative", p.shortest, p.longest)
	case p.shortest > p.longest:
		return fmt.Errorf("the shortest backoff, %s, is above the longest, %s: set TWILIO_SERVICE_MIN_BACKOFF (100 ms when unset) and TWILIO_SERVICE_MAX_BACKOFF (300 ms when unset), or Backoff, so that the shortest is not above the longest", p.shortest, p.longest)
	case p.timeout < 0:
		return fmt.Errorf("the attempt timeout is %s (FLEXFN_ATTEMPT_TIMEOUT or AttemptTimeout): it must not be negative; 0 lets an attempt run as long as its call may", p.timeout)
	}
	return nil
}

// plain reports whether attempts need neither a ctx nor a record of their own;
// they then cost nothing extra.
func (p *retryPolicy) plain() bool { return p.timeout == 0 && p.onAttempt == nil }

// next decides what follows the failure of attempt n: a wait and another
// attempt, or the final error. It also counts conflicts, if they are counted
// apart.
func (p *retryPolicy) next(ctx context.Context, n int, conflicts *int, err error) (wait time.Duration, final error) {
	advice := classify(err, p.repeatable)
	if p.once && advice == retryLater && !harmless(err) {
		return 0, doubtful(err)
	}
	apart := p.conflictsApart && advice == retryAtOnce
	if apart {
		*conflicts++
	}
	switch {
	case advice == giveUp:
		if done := ctx.Err(); done != nil {
			return 0, endedBy(done, err)
		}
		return 0, err
	case ctx.Err() != nil:
		return 0, gaveUp(ctx.Err(), err)
	case apart && *conflicts > p.conflicts, !apart && n-*conflicts > p.limit:
		return 0, err
	case advice == retryAtOnce && *conflicts <= 1:
		return 0, nil
	}
	if apart {
		wait = rand.N(conflictPause)
	} else {
		wait = p.backoff(n-*conflicts, rand.Float64())
	}
	asked := retryDelay(err)
	wait = max(wait, asked)
	if deadline, ok := ctx.Deadline(); ok && wait >= time.Until(deadline) {
		return 0, gaveUp(context.DeadlineExceeded, err)
	}
	if asked > longestWait {
		return 0, err
	}
	if !apart && !p.budget.take() {
		return 0, gaveUp(ErrRetryBudget, err)
	}
	return wait, nil
}

// backoff is the wait before retry n, from 1; r is random in [0, 1). The wait
// is drawn from a window that begins at half its end and doubles with every
// retry until it reaches the longest wait. That is long enough to help, and
// spreads callers that failed together.
func (p *retryPolicy) backoff(n int, r float64) time.Duration {
	first := max(p.shortest, p.longest/16) // four doublings at most
	end := min(p.longest, first<<min(n, 5))
	begin := max(p.shortest, end/2)
	return begin + time.Duration(r*float64(end-begin+1))
}

// pause waits for d. It returns an error if ctx ends first.
func pause(ctx context.Context, wait time.Duration, last error) error {
	if wait <= 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return gaveUp(ctx.Err(), last)
	}
}
