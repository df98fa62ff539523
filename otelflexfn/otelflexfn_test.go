package otelflexfn_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/otelflexfn"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

func newApp(hook func(context.Context, flexfn.Attempt)) *flexfn.App {
	app, err := flexfn.New(flexfn.Config{
		AccountSID: "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		AuthToken:  "0123456789abcdef0123456789abcdef",
		Retry:      []flexfn.RetryOption{flexfn.Backoff(0, 0)},
		OnAttempt:  hook,
	})
	if err != nil {
		panic(err)
	}
	return app
}

// busyOnce answers 503 and then 200.
func busyOnce() *httptest.Server {
	n := 0
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Twilio-Request-Id", "RQ1")
		if n++; n == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, "{}")
	}))
}

func call(ctx context.Context, app *flexfn.App, url string) flexfn.Result[struct{}] {
	return flexfn.ExecuteWithRetry(app.Context(ctx), func(ctx context.Context) (struct{}, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return struct{}{}, err
		}
		return flexfn.ReadJSON[struct{}](app.HTTPClient().Do(req))
	})
}

func TestOnAttempt(t *testing.T) {
	spans := tracetest.NewInMemoryExporter()
	provider := trace.NewTracerProvider(trace.WithSyncer(spans))
	reader := metric.NewManualReader()
	hook, err := otelflexfn.OnAttempt(provider, metric.NewMeterProvider(metric.WithReader(reader)))
	if err != nil {
		t.Fatal(err)
	}
	service := busyOnce()
	defer service.Close()
	ctx, parent := provider.Tracer("test").Start(t.Context(), "request")
	if res := call(ctx, newApp(hook), service.URL+"/v1/Lines/+15551234567?Token=secret"); !res.Success {
		t.Fatal(res.Err())
	}
	parent.End()

	list := spans.GetSpans()
	if len(list) != 3 {
		t.Fatalf("%d spans", len(list))
	}
	for i, span := range list[:2] {
		want := map[attribute.Key]string{
			"http.request.method": "GET", "server.address": "127.0.0.1", "url.path": "/v1/Lines/{…}", "url.template": "/v1/Lines/{…}", "twilio.request_id": "RQ1",
			"http.response.status_code": "503", "error.type": "503",
		}
		if i == 1 {
			delete(want, "error.type")
			want["http.response.status_code"], want["http.request.resend_count"] = "200", "1"
		}
		if len(span.Attributes) != len(want) {
			t.Errorf("span %d has %v", i, span.Attributes)
		}
		for _, a := range span.Attributes {
			if want[a.Key] != a.Value.Emit() {
				t.Errorf("span %d: %s is %s", i, a.Key, a.Value.Emit())
			}
		}
		if span.Name != "GET /v1/Lines/{…}" || span.Parent.SpanID() != parent.SpanContext().SpanID() || (span.Status.Code == codes.Error) != (i == 0) || !span.EndTime.After(span.StartTime) {
			t.Errorf("span %d: %+v", i, span)
		}
	}

	var data metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &data); err != nil {
		t.Fatal(err)
	}
	attempts, retries := uint64(0), int64(0)
	for _, m := range data.ScopeMetrics[0].Metrics {
		switch d := m.Data.(type) {
		case metricdata.Histogram[float64]:
			for _, p := range d.DataPoints {
				attempts += p.Count
			}
		case metricdata.Sum[int64]:
			for _, p := range d.DataPoints {
				retries += p.Value
			}
		}
	}
	if attempts != 2 || retries != 1 {
		t.Errorf("%d attempts and %d retries", attempts, retries)
	}
}

func TestNoProviders(t *testing.T) {
	hook, err := otelflexfn.OnAttempt(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	service := busyOnce()
	defer service.Close()
	if res := call(t.Context(), newApp(hook), service.URL); !res.Success {
		t.Error(res.Err())
	}
}

func ExampleOnAttempt() {
	spans := tracetest.NewInMemoryExporter() // yours exports to a collector
	hook, err := otelflexfn.OnAttempt(trace.NewTracerProvider(trace.WithSyncer(spans)), noop.NewMeterProvider())
	if err != nil {
		fmt.Println(err)
		return
	}
	service := busyOnce()
	defer service.Close()
	call(context.Background(), newApp(hook), service.URL+"/v1/Lines/7")
	for _, span := range spans.GetSpans() {
		fmt.Println(span.Name, span.Status.Code)
	}
	// Output:
	// GET /v1/Lines/{…} Error
	// GET /v1/Lines/{…} Unset
}
