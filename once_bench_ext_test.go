package flexfn_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/flexfntest"
)

// BenchmarkOnce compares a guarded call with a new key with an unguarded call.
func BenchmarkOnce(b *testing.B) {
	for _, guarded := range []bool{false, true} {
		b.Run(fmt.Sprintf("guarded=%t", guarded), func(b *testing.B) {
			app := flexfntest.New(b, func(c *flexfn.Config) { c.Logger = slog.New(slog.DiscardHandler) })
			var options []flexfn.FlexOption
			if guarded {
				options = append(options, flexfn.Once(time.Second, "click"))
			}
			app.Handle("/f", flexfn.PrepareFlexFunction(func(context.Context, struct {
				Click string `json:"click"`
			}) (struct{}, error) {
				return struct{}{}, nil
			}, options...))
			targets := make([]string, 1<<16)
			for i := range targets {
				targets[i] = fmt.Sprintf("/f?Token=%s&click=%d", flexfntest.Agent, i)
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				w := httptest.NewRecorder()
				app.ServeHTTP(w, httptest.NewRequest("GET", targets[i%len(targets)], nil))
				if w.Code != 200 {
					b.Fatal(w.Code, w.Body)
				}
			}
		})
	}
}
