// Package lambdatest simulates AWS Lambda: the Runtime API that gives a program
// its invocations, and the front ends that turn requests into events and answers
// into responses.
package lambdatest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// API is a Lambda Runtime API (version 2018-06-01) for one instance of a
// program, on a local port. Like the real one it hands out one invocation at a
// time.
type API struct {
	server   *http.Server
	listener net.Listener
	queue    chan *invocation

	mu         sync.Mutex
	conns      map[net.Conn]http.ConnState
	running    map[string]*invocation
	ids        int
	registered []string
	waiting    bool
	polled     chan struct{} // closed and renewed when the program asks for work
}

type invocation struct {
	id       string
	event    []byte
	deadline time.Time
	answer   chan *Answer
}

// Answer is the response that the program posted.
type Answer struct {
	ContentType string
	// Failed is set if it was posted as an error.
	Failed bool
	// Body arrives as the program writes it. Read it to its end: the program's
	// request stays open until then.
	Body io.Reader
	// Trailer is complete once Body has been read.
	Trailer http.Header

	done chan struct{} // closed when Body is no longer read
	once sync.Once
}

// Close ends the program's request.
func (a *Answer) Close() error {
	a.once.Do(func() { close(a.done) })
	return nil
}

// New starts an API.
func New() (*API, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	a := &API{
		listener: listener, queue: make(chan *invocation), conns: map[net.Conn]http.ConnState{},
		running: map[string]*invocation{}, polled: make(chan struct{}),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", a.next)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", a.respond)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error", a.respond)
	mux.HandleFunc("POST /2020-01-01/extension/register", func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		a.registered = append(a.registered, r.Header.Get("Lambda-Extension-Name"))
		a.mu.Unlock()
		w.Header().Set("Lambda-Extension-Identifier", "00000000-0000-4000-8000-000000000001")
		fmt.Fprint(w, "{}")
	})
	mux.HandleFunc("GET /2020-01-01/extension/event/next", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	a.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, ConnState: func(c net.Conn, s http.ConnState) {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.conns[c] = s; s == http.StateClosed {
			delete(a.conns, c)
		}
	}}
	go func() { _ = a.server.Serve(listener) }()
	return a, nil
}

// Environ returns the variables that Lambda sets for the program.
func (a *API) Environ() []string {
	return []string{
		"AWS_LAMBDA_RUNTIME_API=" + a.listener.Addr().String(),
		"AWS_LAMBDA_FUNCTION_NAME=test", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=128", "AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
		"AWS_REGION=us-east-1", "LAMBDA_TASK_ROOT=/var/task", "_HANDLER=bootstrap",
	}
}

// Close ends the API. The program should have ended before.
func (a *API) Close() error { return a.server.Close() }

// Registered lists the extensions that the program registered; Lambda sends
// SIGTERM only to programs that have one.
func (a *API) Registered() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]string(nil), a.registered...)
}

// KillIdle closes the connections without a request in flight, and returns how
// many there were.
func (a *API) KillIdle() (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for c, s := range a.conns {
		if s == http.StateIdle {
			_ = c.Close()
			n++
		}
	}
	return n
}

// Ready waits until the program asks for work.
func (a *API) Ready(ctx context.Context) error {
	a.mu.Lock()
	waiting, polled := a.waiting, a.polled
	a.mu.Unlock()
	if waiting {
		return nil
	}
	select {
	case <-polled:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the program did not ask for work: %w", ctx.Err())
	}
}

func (a *API) next(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	a.waiting = true
	close(a.polled)
	a.polled = make(chan struct{})
	a.mu.Unlock()
	var in *invocation
	select {
	case <-r.Context().Done():
		return
	case in = <-a.queue:
	}
	a.mu.Lock()
	a.waiting = false
	a.running[in.id] = in
	a.mu.Unlock()
	h := w.Header()
	h.Set("Lambda-Runtime-Aws-Request-Id", in.id)
	h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(in.deadline.UnixMilli(), 10))
	h.Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:123456789012:function:test")
	h.Set("Lambda-Runtime-Trace-Id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1")
	h.Set("Content-Type", "application/json")
	_, _ = w.Write(in.event)
}

func (a *API) respond(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	in := a.running[r.PathValue("id")]
	delete(a.running, r.PathValue("id"))
	a.mu.Unlock()
	if in == nil {
		http.Error(w, `{"errorType":"InvalidRequestID"}`, http.StatusBadRequest)
		return
	}
	read, write := io.Pipe()
	answer := &Answer{
		ContentType: r.Header.Get("Content-Type"), Failed: strings.HasSuffix(r.URL.Path, "/error"),
		Body: read, done: make(chan struct{}),
	}
	in.answer <- answer
	go func() { <-answer.done; read.Close() }()
	_, err := io.Copy(write, r.Body)
	answer.Trailer = r.Trailer
	if err == nil && r.Trailer.Get("Lambda-Runtime-Function-Error-Type") != "" {
		err = errors.New("the answer broke off: " + r.Trailer.Get("Lambda-Runtime-Function-Error-Type"))
	}
	_ = write.CloseWithError(err)
	w.WriteHeader(http.StatusAccepted)
}

// Invoke hands event to the program and returns its answer once it has started.
// The caller must close it. timeout is Lambda's limit.
func (a *API) Invoke(ctx context.Context, event []byte, timeout time.Duration) (*Answer, error) {
	a.mu.Lock()
	a.ids++
	in := &invocation{
		id: fmt.Sprintf("00000000-0000-4000-9000-%012d", a.ids), event: event,
		deadline: time.Now().Add(timeout), answer: make(chan *Answer, 1),
	}
	a.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, timeout+5*time.Second)
	defer cancel()
	select {
	case a.queue <- in:
	case <-ctx.Done():
		return nil, fmt.Errorf("the program did not take the invocation: %w", ctx.Err())
	}
	select {
	case answer := <-in.answer:
		return answer, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("the program did not answer: %w", ctx.Err())
	}
}

// NewAnswer returns a buffered answer with a body, for handlers in this process.
func NewAnswer(body io.Reader) *Answer {
	return &Answer{ContentType: "application/json", Body: body, done: make(chan struct{})}
}
