// Package otelflexfn reports flexfn's calls to web services to OpenTelemetry, as
// spans and metrics. It is a separate module, so that apps that do not import it
// do not depend on OpenTelemetry.
package otelflexfn

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/flexfn/flexfn"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

// Name is the instrumentation scope of the spans and metrics.
const Name = "github.com/flexfn/flexfn/otelflexfn"

// OnAttempt returns a function for [flexfn.Config].OnAttempt. For every attempt of
// a web-service call it records
//
//   - a client span named after the HTTP method and the template of the path,
//     such as GET /v2/PhoneNumbers/{…}, child of the span in ctx;
//   - a point of the histogram http.client.request.duration, in seconds;
//   - one on the counter flexfn.retries, when another attempt follows.
//
// Names and attributes follow OpenTelemetry's semantic conventions for HTTP
// clients where these have them; in addition, spans have flexfn.function and
// twilio.request_id. They contain no variable parts of paths: see
// [flexfn.Attempt].
//
// Either provider may be nil, for no spans or no metrics. OnAttempt fails if a
// provider cannot make an instrument. The function that it returns is safe for
// concurrent use.
func OnAttempt(spans trace.TracerProvider, metrics metric.MeterProvider) (func(context.Context, flexfn.Attempt), error) {
	var o observer
	if spans != nil {
		o.tracer = spans.Tracer(Name)
	}
	if metrics != nil {
		meter := metrics.Meter(Name)
		var errDuration, errRetries error
		o.duration, errDuration = meter.Float64Histogram("http.client.request.duration", metric.WithUnit("s"),
			metric.WithDescription("Duration of the attempts of web-service calls."),
			metric.WithExplicitBucketBoundaries(.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10))
		o.retries, errRetries = meter.Int64Counter("flexfn.retries", metric.WithUnit("{retry}"),
			metric.WithDescription("Attempts of web-service calls that were followed by another."))
		if err := errors.Join(errDuration, errRetries); err != nil {
			return nil, fmt.Errorf("otelflexfn: %w", err)
		}
	}
	return o.observe, nil
}

type observer struct {
	tracer   trace.Tracer            // nil: no spans
	duration metric.Float64Histogram // nil: no metrics
	retries  metric.Int64Counter
}

// observe records one attempt after it has ended. The span gets its times from
// the attempt, since flexfn reports it only then.
func (o observer) observe(ctx context.Context, a flexfn.Attempt) {
	ended := time.Now()
	method := a.Method
	if method == "" {
		method = "_OTHER" // the callback sent nothing that flexfn saw
	}
	common := []attribute.KeyValue{attribute.String("http.request.method", method)}
	if a.Host != "" {
		common = append(common, attribute.String("server.address", a.Host))
	}
	if a.Status != 0 {
		common = append(common, attribute.Int("http.response.status_code", a.Status))
	}
	if a.Err != nil {
		common = append(common, attribute.String("error.type", errorType(a)))
	}
	if o.duration != nil {
		set := metric.WithAttributeSet(attribute.NewSet(common...))
		o.duration.Record(ctx, a.Duration.Seconds(), set)
		if a.Retried {
			o.retries.Add(ctx, 1, set)
		}
	}
	if o.tracer == nil {
		return
	}
	name := a.Method
	switch {
	case name == "":
		name = "web-service call"
	case a.Path != "":
		name += " " + a.Path
	}
	_, span := o.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(ended.Add(-a.Duration)), trace.WithAttributes(common...))
	for key, value := range map[string]string{"url.path": a.Path, "url.template": a.Path, "flexfn.function": a.Function, "flexfn.request_id": a.RequestID, "twilio.request_id": a.TwilioRequestID} {
		if value != "" {
			span.SetAttributes(attribute.String(key, value))
		}
	}
	if a.Number > 1 {
		span.SetAttributes(attribute.Int("http.request.resend_count", a.Number-1))
	}
	if a.Err != nil {
		span.SetStatus(codes.Error, "")
	}
	span.End(trace.WithTimestamp(ended))
}

// errorType returns the HTTP status, or without one a word from a small set, to
// keep the number of time series small.
func errorType(a flexfn.Attempt) string {
	var timeout interface{ Timeout() bool }
	switch {
	case a.Status >= 400:
		return strconv.Itoa(a.Status)
	case errors.As(a.Err, &timeout) && timeout.Timeout() || errors.Is(a.Err, context.DeadlineExceeded):
		return "timeout"
	}
	return "_OTHER"
}
