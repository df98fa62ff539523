package flexfn

import (
	"errors"
	"sync/atomic"
)

// ErrRetryBudget is wrapped by the error of a call that was not retried because
// the app's retry budget is spent; find it with [errors.Is]. The app decided so,
// not the service, whose failure the error wraps too. See [Config].RetryBudget.
var ErrRetryBudget = errors.New("the app's own retry budget is spent (client side)")

// retryBudget keeps retries in proportion to calls: a token bucket into which
// every call puts a tenth of a token and from which every retry after a wait
// takes one. The bucket starts full. Once it is empty during an outage, retries
// add at most a tenth to the calls; a healthy app never empties it. Retries
// after 412 are free, since a conflict is not a sign of an outage.
//
// A nil budget allows every retry.
type retryBudget struct {
	size   int64
	tenths atomic.Int64
}

const (
	defaultRetryBudget = 100
	tenthsPerRetry     = 10
)

// newRetryBudget makes a budget for size retries. Zero is the default size; for
// a negative size it returns nil.
func newRetryBudget(size int) *retryBudget {
	if size < 0 {
		return nil
	}
	if size == 0 {
		size = defaultRetryBudget
	}
	b := &retryBudget{size: int64(size) * tenthsPerRetry}
	b.tenths.Store(b.size)
	return b
}

// deposit adds a tenth of a token; every call does.
func (b *retryBudget) deposit() {
	if b == nil {
		return
	}
	for {
		have := b.tenths.Load()
		if have >= b.size || b.tenths.CompareAndSwap(have, have+1) {
			return
		}
	}
}

// take takes a token for a retry, and reports whether there was one.
func (b *retryBudget) take() bool {
	if b == nil {
		return true
	}
	for {
		have := b.tenths.Load()
		if have < tenthsPerRetry {
			return false
		}
		if b.tenths.CompareAndSwap(have, have-tenthsPerRetry) {
			return true
		}
	}
}
