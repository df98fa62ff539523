package flexfn

// RetryOption adjusts how one call, or every call of an app, is retried.
type RetryOption interface{ applyRetry(*retryPolicy) }

type retryPolicy struct{}
