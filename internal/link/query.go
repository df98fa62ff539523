package link

import "context"

type queryOrderKey struct{}

// LoseQueryOrder returns a ctx for a request whose query parameters may have
// been sent in another order.
func LoseQueryOrder(ctx context.Context) context.Context {
	return context.WithValue(ctx, queryOrderKey{}, true)
}

// LostQueryOrder reports whether ctx comes from [LoseQueryOrder].
func LostQueryOrder(ctx context.Context) bool { return ctx.Value(queryOrderKey{}) != nil }
