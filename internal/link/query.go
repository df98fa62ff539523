package link

import "context"

type queryOrderKey struct{}

// LoseQueryOrder returns a ctx for a request whose query's parameters may
// have been sent in another order.
func LoseQueryOrder(ctx context.Context) context.Context {
	return context.WithValue(ctx, queryOrderKey{}, true)
}

// LostQueryOrder reports whether ctx is such a request's.
func LostQueryOrder(ctx context.Context) bool { return ctx.Value(queryOrderKey{}) != nil }
