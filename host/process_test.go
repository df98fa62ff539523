//go:build unix

package host

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/flexfn/flexfn/internal/link"
	"github.com/flexfn/flexfn/internal/testing/lambdatest"
	"github.com/flexfn/flexfn/internal/testing/syncbuf"
)

// programVariable makes this test binary run the program under test: a one-line
// main, in a process of its own.
const programVariable = "FLEXFN_TEST_PROGRAM"

func TestMain(m *testing.M) {
	switch os.Getenv(programVariable) {
	case "":
	case "app":
		Main(appProgram())
	default:
		Main(conformanceHandler(), func(c *Config) {
			c.EventBridge = func(_ context.Context, e events.EventBridgeEvent) error {
				if e.Source == "panics" {
					panic("on purpose")
				}
				return nil
			}
			c.SQS = func(_ context.Context, m events.SQSMessage) error {
				if m.Body != "good" {
					return errors.New(m.Body)
				}
				return nil
			}
		})
	}
	os.Exit(m.Run())
}

// program is such a process.
type program struct {
	*exec.Cmd
	socket string // on which it listens, of [appServer]
	log    *syncbuf.Buffer
	ended  chan struct{}
}

func startProgram(t *testing.T, stdin *os.File, environ []string, args ...string) *program {
	t.Helper()
	p := &program{Cmd: exec.Command(os.Args[0], args...), log: new(syncbuf.Buffer), ended: make(chan struct{})}
	p.Env = append([]string{programVariable + "=1", "GORACE=atexit_sleep_ms=0", "PATH=" + os.Getenv("PATH"), "GOCOVERDIR=" + os.Getenv("GOCOVERDIR")}, environ...)
	p.Stderr, p.Stdout = p.log, p.log
	if stdin != nil {
		p.Stdin = stdin
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = p.Wait(); close(p.ended) }()
	t.Cleanup(func() {
		_ = p.Process.Kill()
		<-p.ended
		if t.Failed() {
			t.Logf("the program said:\n%s", p.log)
		}
	})
	return p
}

// exit waits for the process to end and returns its exit code.
func (p *program) exit(t *testing.T) int {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(10 * time.Second):
		t.Fatal("the program did not end")
	}
	return p.ProcessState.ExitCode()
}

// lambdaProgram starts it on Lambda.
func lambdaProgram(t *testing.T, environ ...string) (*lambdatest.API, *program) {
	t.Helper()
	api, err := lambdatest.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = api.Close() })
	p := startProgram(t, nil, append(api.Environ(), environ...))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := api.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	return api, p
}

func TestLambdaConformance(t *testing.T) {
	for _, kind := range lambdatest.Kinds {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			api, _ := lambdaProgram(t)
			p := target{
				transport: &lambdatest.Transport{API: api, Kind: kind, Timeout: 2 * time.Second},
				limit:     2 * time.Second, largest: 6 << 20,
			}
			switch kind {
			case lambdatest.FunctionURL:
				p.oneHeader = true
			case lambdatest.HTTPAPI:
				p.oneHeader, p.decodes, p.prefix = true, true, "/"+lambdatest.Stage
			case lambdatest.HTTPAPIDomain:
				p.oneHeader, p.decodes = true, true
			case lambdatest.RESTAPI, lambdatest.RESTAPIDomainStage:
				p.decodes, p.prefix = true, "/"+lambdatest.Stage
			case lambdatest.RESTAPIDomain:
				p.decodes = true
			case lambdatest.ALB:
				p.largest = 1 << 20
			case lambdatest.ALBSingle:
				p.largest, p.oneHeader, p.oneQuery, p.oneCookie = 1<<20, true, true, true
			}
			conformance(t, p)
		})
	}
	for _, kind := range lambdatest.Kinds {
		t.Run("streaming/"+string(kind), func(t *testing.T) {
			t.Parallel()
			api, _ := lambdaProgram(t, "FLEXFN_LAMBDA_STREAMING=true")
			transport := &lambdatest.Transport{API: api, Kind: kind, Timeout: 2 * time.Second}
			p := target{transport: transport, limit: 2 * time.Second, streams: true}
			switch kind {
			case lambdatest.FunctionURL:
				p.oneHeader = true
			case lambdatest.RESTAPI, lambdatest.RESTAPIDomainStage:
				p.decodes, p.prefix = true, "/"+lambdatest.Stage
			case lambdatest.RESTAPIDomain:
				p.decodes = true
			default: // it takes no stream
				if got := call(t, transport, "/sleep?for=1ms"); got != "slept" {
					t.Errorf("the answer is %q", got)
				}
				return
			}
			conformance(t, p)
		})
	}
}

// call returns what the program answers.
func call(t *testing.T, transport http.RoundTripper, path string) string {
	t.Helper()
	resp, err := (&http.Client{Transport: transport}).Get("http://flexfn.test" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestLambdaLifecycle(t *testing.T) {
	api, p := lambdaProgram(t)
	transport := &lambdatest.Transport{API: api, Kind: lambdatest.FunctionURL}
	if got := call(t, transport, "/sleep?for=1ms"); got != "slept" {
		t.Fatalf("the first answer is %q", got)
	}
	if len(api.Registered()) != 1 {
		t.Errorf("extensions %q: without one Lambda sends no SIGTERM", api.Registered())
	}

	t.Run("killed connection", func(t *testing.T) {
		// While the handler runs, the runtime loop's connection is idle.
		killed := make(chan int)
		go func() {
			time.Sleep(100 * time.Millisecond)
			killed <- api.KillIdle()
		}()
		if got := call(t, transport, "/sleep?for=300ms"); got != "slept" {
			t.Errorf("after the connection was killed the answer is %q", got)
		}
		if <-killed == 0 {
			t.Error("no idle connection to kill")
		}
	})
	t.Run("freeze and thaw", func(t *testing.T) {
		for range 3 {
			if err := p.Process.Signal(syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			time.Sleep(300 * time.Millisecond)
			api.KillIdle()
			if err := p.Process.Signal(syscall.SIGCONT); err != nil {
				t.Fatal(err)
			}
			if got := call(t, transport, "/sleep?for=1ms"); got != "slept" {
				t.Errorf("after the freeze the answer is %q", got)
			}
		}
	})
	t.Run("frozen while it answers", func(t *testing.T) {
		go func() {
			time.Sleep(50 * time.Millisecond)
			_ = p.Process.Signal(syscall.SIGSTOP)
			time.Sleep(300 * time.Millisecond)
			_ = p.Process.Signal(syscall.SIGCONT)
		}()
		if got := call(t, transport, "/sleep?for=100ms"); got != "slept" {
			t.Errorf("the answer is %q", got)
		}
	})
	t.Run("events that are not requests", func(t *testing.T) {
		for _, event := range []string{`{}`, `{"Records":[]}`, `{"Records":[{"eventSource":"aws:s3"}]}`, `{"source":"panics","detail-type":"x"}`,
			`{"Records":[{"eventSource":"aws:sqs","messageId":"1","body":"bad"}]}`, `[]`, `"x"`, `{"version":"2.0"}`, `{"httpMethod":"GET"}`, `{"httpMethod":"G T","path":"/"}`,
			`{"httpMethod":"GET","path":"/","isBase64Encoded":true,"body":"!"}`} {
			answer, err := api.Invoke(t.Context(), []byte(event), time.Second)
			if err != nil {
				t.Fatal(err)
			}
			text, _ := io.ReadAll(answer.Body)
			_ = answer.Close()
			if !answer.Failed || !bytes.Contains(text, []byte("errorMessage")) {
				t.Errorf("%s was answered with %q", event, text)
			}
		}
		if got := call(t, transport, "/sleep?for=1ms"); got != "slept" {
			t.Errorf("then the answer is %q", got)
		}
	})
	t.Run("events that are handled", func(t *testing.T) {
		for event, want := range map[string]string{
			`{"source":"serverless-plugin-warmup"}`:                                                                                        `{}`,
			`{"warmer":true,"concurrency":3}`:                                                                                              `{}`,
			`{"source":"aws.events","detail-type":"Scheduled Event"}`:                                                                      `{}`,
			`{"version":"0","source":"taskrouter","detail-type":"task.created"}`:                                                           `{}`,
			`{"Records":[{"eventSource":"aws:sqs","messageId":"1","body":"good"}]}`:                                                        `{"batchItemFailures":[]}`,
			`{"Records":[{"eventSource":"aws:sqs","messageId":"1","body":"bad"},{"eventSource":"aws:sqs","messageId":"2","body":"good"}]}`: `{"batchItemFailures":[{"itemIdentifier":"1"}]}`,
			`{"Records":[{"eventSource":"aws:sqs","messageId":"1","body":"good","eventSourceARN":"q.fifo"},{"eventSource":"aws:sqs","messageId":"2","body":"bad","eventSourceARN":"q.fifo"},
				{"eventSource":"aws:sqs","messageId":"3","body":"good","eventSourceARN":"q.fifo"}]}`: `{"batchItemFailures":[{"itemIdentifier":"2"},{"itemIdentifier":"3"}]}`,
		} {
			answer, err := api.Invoke(t.Context(), []byte(event), time.Second)
			if err != nil {
				t.Fatal(err)
			}
			text, _ := io.ReadAll(answer.Body)
			_ = answer.Close()
			if answer.Failed || strings.TrimSpace(string(text)) != want {
				t.Errorf("%s was answered with %q, failed %v", event, text, answer.Failed)
			}
		}
	})
	t.Run("health", func(t *testing.T) {
		for _, kind := range lambdatest.Kinds {
			transport := &lambdatest.Transport{API: api, Kind: kind}
			for _, path := range []string{HealthPath, ReadyPath} {
				if resp := get(t, transport, "http://flexfn.test"+path); resp.StatusCode != 200 {
					t.Errorf("%s: %s is answered %s", kind, path, resp.Status)
				}
			}
		}
	})
	t.Run("request id", func(t *testing.T) {
		if got := call(t, transport, "/echo/"); !strings.Contains(got, `"`+LambdaRequestID+`":["00000000-0000-4000-9000-`) {
			t.Errorf("the handler does not see the invocation's id: %s", got)
		}
	})
	t.Run("SIGTERM", func(t *testing.T) {
		if err := p.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		if code := p.exit(t); code != 0 || time.Since(begin) > 500*time.Millisecond {
			t.Errorf("the exit code is %d after %s", code, time.Since(begin))
		}
		if log := p.log.String(); !strings.Contains(log, "platform=aws-lambda because=\"AWS_LAMBDA_RUNTIME_API set\"") {
			t.Errorf("the log does not say what was found: %s", log)
		}
	})
}

// TestMainEndsWithItsDevServer closes standard input, as happens when a dev
// server ends or is killed.
func TestMainEndsWithItsDevServer(t *testing.T) {
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p := startProgram(t, in, []string{"FLEXFN_LISTEN=127.0.0.1:0", "FLEXFN_PLATFORM=http", "FLEXFN_LAME_DUCK=0s", link.StdinVariable + "=ends"})
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); !strings.Contains(p.log.String(), "serving"); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not serve")
		}
	}
	select {
	case <-p.ended:
		t.Fatal("it ended before its standard input did")
	default:
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	if code := p.exit(t); code != 0 {
		t.Errorf("the exit code is %d", code)
	}
}

// TestMainProgram follows a program's life under a process manager.
func TestMainProgram(t *testing.T) {
	socket := "unix:" + t.TempDir() + "/http.sock"
	environ := []string{"FLEXFN_LISTEN=" + socket, "FLEXFN_DRAIN=400ms"}
	healthcheck := func() int { return startProgram(t, nil, environ, "-healthcheck").exit(t) }
	if code := healthcheck(); code != ExitFailed {
		t.Errorf("the exit code of -healthcheck is %d before the program serves", code)
	}
	transport := (&served{network: "unix", address: strings.TrimPrefix(socket, "unix:")}).transport()
	run := func(signal os.Signal, path string) (answer string, code int) {
		t.Helper()
		p := startProgram(t, nil, environ)
		for range 500 {
			if _, err := os.Stat(strings.TrimPrefix(socket, "unix:")); err == nil {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if code := healthcheck(); code != 0 {
			t.Errorf("the exit code of -healthcheck is %d while the program serves", code)
		}
		answered := make(chan string, 1)
		go func() {
			resp, err := (&http.Client{Transport: transport}).Get("http://flexfn.test" + path)
			if err != nil {
				answered <- "failed"
				return
			}
			text, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			answered <- string(text)
		}()
		time.Sleep(100 * time.Millisecond)
		if err := p.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		return <-answered, p.exit(t)
	}
	for _, signal := range []os.Signal{syscall.SIGTERM, syscall.SIGINT} {
		if answer, code := run(signal, "/sleep?for=300ms"); answer != "slept" || code != 0 {
			t.Errorf("%s: the request under way was answered %q, the exit code is %d", signal, answer, code)
		}
	}
	if answer, code := run(syscall.SIGTERM, "/sleep?for=3s"); answer != "failed" || code != ExitCutOff {
		t.Errorf("a request longer than the drain was answered %q, the exit code is %d", answer, code)
	}
	for _, fault := range []string{"FLEXFN_DRAIN=x", "FLEXFN_PLATFORM=bogus"} {
		environ[1] = fault
		name, _, _ := strings.Cut(fault, "=")
		began := time.Now()
		p := startProgram(t, nil, environ)
		if code := p.exit(t); code != ExitFailed || !strings.Contains(p.log.String(), name) || time.Since(began) > 5*time.Second {
			t.Errorf("with %s the exit code is %d after %s: %s", fault, code, time.Since(began), p.log)
		}
	}
}
