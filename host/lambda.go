package host

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

// LambdaRequestID is the request header with the invocation's id, which
// Lambda's own log lines also carry. It is set on every request on [Lambda],
// and replaces one that the caller sent. A handler reads it to log both ids
// together:
//
//	flexfn.RequestHeader(ctx).Get(host.LambdaRequestID)
//
// On [LambdaWebAdapter] it is set too, if the adapter says which invocation it
// is. Elsewhere a caller can set it to anything.
const LambdaRequestID = "Lambda-Runtime-Aws-Request-Id"

// How many bytes of a buffered answer Lambda and its front ends pass on.
const (
	// Sources: docs/hosting.md, "Platform limits", 1 and 4.
	lambdaMaxAnswer = 6 << 20
	albMaxAnswer    = 1 << 20
)

// serveLambda takes invocations from the Runtime API. If the API breaks off, the
// library ends the process, as the platform expects, and Lambda starts another.
// On SIGTERM, which the platform sends half a second before it ends an idle
// instance, it waits for work that outlived its answer.
func serveLambda(ctx context.Context, front *front, config Config) error {
	if os.Getenv("AWS_LAMBDA_RUNTIME_API") == "" {
		return errors.New("AWS_LAMBDA_RUNTIME_API is not set: this is not AWS Lambda; FLEXFN_PLATFORM chooses another platform")
	}
	config.Logger.LogAttrs(ctx, slog.LevelInfo, "serving", config.found()...)
	// Invocations do not end with ctx: the current one is still answered.
	base, stop := context.WithCancel(front.known(context.WithoutCancel(ctx)))
	go func() {
		defer stop()
		l := &lambdaHandler{next: front, config: config}
		// WithEnableSIGTERM registers an extension: Lambda sends the signal
		// only to functions that have one.
		lambda.StartWithOptions(l.invoke, lambda.WithContext(base), lambda.WithEnableSIGTERM())
	}()
	select {
	case <-base.Done():
		return errors.New("the Lambda runtime loop ended")
	case <-ctx.Done():
	}
	front.ending.Store(true)
	// The rest of the half second is for the log's last lines.
	wait, cancel := context.WithTimeout(base, 400*time.Millisecond)
	defer cancel()
	err := front.wait(wait)
	if err == nil {
		config.Logger.Info("ended")
	}
	return err
}

// lambdaHandler answers invocations with a handler.
type lambdaHandler struct {
	next   http.Handler
	config Config
}

// invoke answers one event. It takes a [json.RawMessage] and returns a reader
// because the runtime library passes both on unchanged, without decoding and
// encoding. An error from it fails the invocation: the caller gets the
// platform's own answer, or the source of events delivers again. A handler's
// failure is an answer, not an error.
func (l *lambdaHandler) invoke(ctx context.Context, payload json.RawMessage) (io.Reader, error) {
	if deadline, ok := ctx.Deadline(); ok {
		// The library cancels its ctx, and so this one, when the answer is sent.
		ctx, _ = withMargin(ctx, deadline)
	}
	e, err := parseEvent(payload)
	if err != nil {
		return l.other(ctx, payload, err)
	}
	r, err := e.request(ctx)
	if err != nil {
		return nil, err
	}
	// After the caller's headers, so that a caller cannot choose the id.
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		r.Header.Set(LambdaRequestID, lc.AwsRequestID)
	}
	if l.config.LambdaStreaming && e.streamable() {
		return l.stream(e, r), nil
	}
	w := &lambdaWriter{responseHead: responseHead{header: http.Header{}, method: r.Method}, body: new(bytes.Buffer)}
	l.serve(w, r)
	w.begin(nil)
	answer, err := e.answer(w)
	// The limit is on the JSON, with the body encoded in it. fail keeps the
	// CORS headers of the answer that it replaces, so that a browser lets the
	// plugin read why.
	if limit := e.maxAnswer(); err == nil && len(answer) > limit {
		l.config.Logger.ErrorContext(ctx, "the answer is longer than the platform passes on", "bytes", len(answer), "limit", limit, "path", r.URL.Path)
		refusal := &lambdaWriter{responseHead: responseHead{header: w.sent}, body: new(bytes.Buffer)}
		fail(refusal, http.StatusInternalServerError, fmt.Sprintf("The answer is longer than the %d bytes that AWS Lambda passes on", limit))
		answer, err = e.answer(refusal)
	}
	if err != nil {
		return nil, err
	}
	return jsonAnswer(answer), nil
}

func jsonAnswer(text []byte) io.Reader {
	return &lambdaAnswer{*bytes.NewReader(text), "application/json"}
}

// serve calls the handler. The one that [prepare] makes panics only to break
// off an answer that has begun; that becomes a 500 here, unless the answer is
// on its way.
func (l *lambdaHandler) serve(w *lambdaWriter, r *http.Request) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if p != http.ErrAbortHandler {
			l.config.Logger.Error("handler panicked", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		}
		// The caller has the status by now. Breaking off is the only way left
		// to say that the body is not whole.
		if pipe, ok := w.body.(*io.PipeWriter); ok && w.began {
			_ = pipe.CloseWithError(errors.New("the handler broke off"))
			return
		}
		// A buffered answer can be taken back.
		w.began, w.sent = false, nil
		if b, ok := w.body.(*bytes.Buffer); ok {
			b.Reset()
		}
		fail(w, http.StatusInternalServerError, "Internal error")
	}()
	l.next.ServeHTTP(w, r)
}

// stream returns as soon as the handler has written the head; the body follows
// as the handler writes it. The head is a copy by then, so the handler may go
// on changing its headers.
func (l *lambdaHandler) stream(e *event, r *http.Request) io.Reader {
	read, write := io.Pipe()
	w := &lambdaWriter{responseHead: responseHead{header: http.Header{}, method: r.Method}, body: write, headed: make(chan struct{})}
	go func() {
		l.serve(w, r)
		w.begin(nil)
		_ = write.Close()
	}()
	// The goroutine calls begin in any case, so this ends when the handler
	// does.
	<-w.headed
	head, err := json.Marshal(e.head(w))
	if err != nil {
		_ = read.CloseWithError(err)
		return read
	}
	// The head ends with eight zero bytes.
	return &lambdaStream{io.MultiReader(bytes.NewReader(append(head, make([]byte, 8)...)), read), read}
}

// lambdaAnswer and lambdaStream tell the runtime library their content type.
type lambdaAnswer struct {
	bytes.Reader
	contentType string
}

func (a *lambdaAnswer) ContentType() string { return a.contentType }

// MarshalJSON keeps the runtime library from sending it as JSON of its own.
func (a *lambdaAnswer) MarshalJSON() ([]byte, error) { return nil, errNotJSON }

// lambdaStream is closed by the library after sending. If the caller has gone,
// a handler that still writes then gets an error.
type lambdaStream struct {
	io.Reader
	io.Closer
}

func (s *lambdaStream) ContentType() string {
	return "application/vnd.awslambda.http-integration-response"
}

func (s *lambdaStream) MarshalJSON() ([]byte, error) { return nil, errNotJSON }

var errNotJSON = errors.New("sent unchanged")

// lambdaWriter buffers an answer, or writes it to a pipe.
type lambdaWriter struct {
	responseHead
	body   io.Writer
	headed chan struct{} // closed when the head is final; nil without a stream
}

func (w *lambdaWriter) begin(p []byte) {
	if w.responseHead.begin(p) && w.headed != nil {
		close(w.headed)
	}
}

func (w *lambdaWriter) Write(p []byte) (int, error) {
	if w.bodyless() {
		return 0, http.ErrBodyNotAllowed
	}
	w.begin(p)
	if w.method == http.MethodHead {
		return len(p), nil
	}
	return w.body.Write(p)
}

// Flush sends the head; a stream's body is never held back.
func (w *lambdaWriter) Flush() { w.begin(nil) }

// fromWebAdapter sets the deadline from the header in which the Lambda Web
// Adapter puts the invocation's context. Without the header, or with one that
// cannot be read, the request has no deadline. The adapter replaces one that a
// caller sends.
func fromWebAdapter(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var invocation struct {
			RequestID string `json:"request_id"`
			Deadline  int64  `json:"deadline"` // Unix time in milliseconds
		}
		if json.Unmarshal([]byte(r.Header.Get("X-Amzn-Lambda-Context")), &invocation) == nil && invocation.Deadline > 0 {
			ctx, cancel := withMargin(r.Context(), time.UnixMilli(invocation.Deadline))
			defer cancel()
			r = r.WithContext(ctx)
			r.Header.Set(LambdaRequestID, invocation.RequestID)
		}
		next.ServeHTTP(w, r)
	})
}

// statusLine returns the status with its text, which load balancers require.
func statusLine(status int) string {
	return strings.TrimSpace(strconv.Itoa(status) + " " + http.StatusText(status))
}
