package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strings"

	"github.com/aws/aws-lambda-go/events"
)

// otherEvent holds the fields that identify an event that is not an HTTP
// request. DetailType is nil unless the event comes from EventBridge. Records
// are a batch of one source, so the first one tells the source of all.
type otherEvent struct {
	Source     string          `json:"source"`
	DetailType *string         `json:"detail-type"`
	Detail     json.RawMessage `json:"detail"`
	Records    []struct {
		EventSource string `json:"eventSource"`
	} `json:"Records"`

	// Keep-warm tools send at most one of these.
	Warmer any `json:"warmer"`
	Warmup any `json:"warmup"`
}

// scheduled reports whether the event comes from a schedule: an EventBridge
// rule or EventBridge Scheduler. Without a handler such an event counts as
// handled: a schedule is a common way of keeping an instance warm.
func (e *otherEvent) scheduled() bool {
	return e.Source == "aws.events" || e.Source == "aws.scheduler"
}

// ping reports whether the event only keeps an instance warm: from the
// Serverless Framework's plugin, lambda-warmer or a similar tool. The two
// members may hold anything in an event of someone else's, so only true counts.
func (e *otherEvent) ping() bool {
	return e.Source == "serverless-plugin-warmup" || e.Warmer == true || e.Warmup == true
}

// other handles an event that is not an HTTP request; notRequest is the error
// for an event that nothing handles. Pings come first, so that an EventBridge
// handler does not see them.
func (l *lambdaHandler) other(ctx context.Context, payload []byte, notRequest error) (io.Reader, error) {
	var e otherEvent
	if json.Unmarshal(payload, &e) != nil {
		return nil, notRequest
	}
	done := jsonAnswer([]byte("{}"))
	switch {
	case e.ping():
		return done, nil
	case e.DetailType != nil:
		if l.config.EventBridge == nil {
			if e.scheduled() {
				return done, nil
			}
			return nil, fmt.Errorf("an event of EventBridge (%q) came, and host.Config has no EventBridge to answer it", *e.DetailType)
		}
		if err := l.eventBridge(ctx, payload); err != nil {
			return nil, err
		}
		return done, nil
	case len(e.Records) > 0 && e.Records[0].EventSource == "aws:sqs":
		if l.config.SQS == nil {
			return nil, errors.New("messages of SQS came, and host.Config has no SQS to answer them")
		}
		return l.sqs(ctx, payload)
	}
	return nil, notRequest
}

// eventBridge passes an event to the program's handler. Its error fails the
// invocation, which Lambda then repeats, twice at most unless the function is
// configured otherwise.
func (l *lambdaHandler) eventBridge(ctx context.Context, payload []byte) error {
	var event events.EventBridgeEvent
	if err := json.Unmarshal(payload, &event); err != nil {
		return fmt.Errorf("the event of EventBridge cannot be read: %w", err)
	}
	return l.try("an event of EventBridge", event.ID, func() error { return l.config.EventBridge(ctx, event) })
}

// sqs handles a batch of messages and reports which of them failed. It handles
// them in order, one at a time: a batch of a FIFO queue must not overtake
// itself. Messages that it did not get to count as failed, so that none is
// deleted unhandled.
func (l *lambdaHandler) sqs(ctx context.Context, payload []byte) (io.Reader, error) {
	var batch events.SQSEvent
	if err := json.Unmarshal(payload, &batch); err != nil {
		return nil, fmt.Errorf("the messages of SQS cannot be read: %w", err)
	}
	failures := []events.SQSBatchItemFailure{} // [] means that none failed
	// inOrder is set by the first failure in a FIFO queue. What follows must be
	// delivered again after it, so it does not run.
	inOrder := false
	var last error
	for _, m := range batch.Records {
		// No time is left for this message, nor for those after it.
		err := ctx.Err()
		if err == nil && !inOrder {
			err = l.try("a message of SQS", m.MessageId, func() error { return l.config.SQS(ctx, m) })
		}
		if err != nil || inOrder {
			failures = append(failures, events.SQSBatchItemFailure{ItemIdentifier: m.MessageId})
			if err != nil {
				last = err
			}
			inOrder = inOrder || strings.HasSuffix(m.EventSourceARN, ".fifo")
		}
	}
	if len(failures) == len(batch.Records) {
		// All are redelivered, even without ReportBatchItemFailures.
		return nil, fmt.Errorf("all %d messages of SQS failed, the last with: %w", len(failures), last)
	}
	text, err := json.Marshal(events.SQSEventResponse{BatchItemFailures: failures})
	if err != nil {
		return nil, err
	}
	return jsonAnswer(text), nil
}

// try calls do and logs its error. A panic counts as an error. Lambda's own log
// has the error only if all fail, so every one is logged here, with the id to
// look for.
func (l *lambdaHandler) try(what, id string, do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the handler panicked: %v", p)
			l.config.Logger.Error("handler panicked", "of", what, "id", id, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		} else if err != nil {
			l.config.Logger.Error("handler failed", "of", what, "id", id, "error", err)
		}
	}()
	return do()
}
