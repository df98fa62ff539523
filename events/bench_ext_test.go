package events_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/flexfn/flexfn/events"
	"github.com/flexfn/flexfn/flexfntest"
	"github.com/flexfn/flexfn/signature"
)

// BenchmarkTaskRouter delivers events that are all new, to one listener, on all
// processors: signed requests to the app's handler, without a network.
func BenchmarkTaskRouter(b *testing.B) {
	app := flexfntest.New(b, quiet)
	app.Handle("/tr", events.TaskRouter(events.On("*", func(context.Context, events.Event) error { return nil })))
	c := app.Config()
	to := c.PublicURL + "/tr"
	const form = "application/x-www-form-urlencoded"
	var next atomic.Int64
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			body := url.Values{"EventType": {"task.created"}, "AccountSid": {c.AccountSID}, "Sid": {fmt.Sprint("EV", next.Add(1))},
				"TimestampMs": {"1700000000000"}, "TaskSid": {"WT00000000000000000000000000000001"}, "TaskAttributes": {`{"customer":"Ann"}`}}.Encode()
			r := httptest.NewRequest(http.MethodPost, to, strings.NewReader(body))
			r.Header.Set("Content-Type", form)
			r.Header.Set(signature.Header, signature.Sign(c.AuthToken, to, form, []byte(body)))
			w := httptest.NewRecorder()
			if app.ServeHTTP(w, r); w.Code != http.StatusNoContent {
				b.Errorf("%d %s", w.Code, w.Body)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
