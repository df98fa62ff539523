package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/functions"
	"github.com/flexfn/flexfn/host"
	"github.com/flexfn/flexfn/twiliofake"
)

// serverVariable makes this test binary run one of the compared servers, in a
// process of its own so that its processor time and memory can be read.
const serverVariable = "FLEXFN_BENCH_SERVER"

func TestMain(m *testing.M) {
	if name := os.Getenv(serverVariable); name != "" {
		if err := programs[name](os.Getenv("PORT")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

var programs = map[string]func(port string) error{
	"bare":                bareProgram,
	"bare-headers":        bareHeadersProgram,
	"flexfn":              flexfnProgram,
	"functions-framework": functionsFrameworkProgram,
	"gin":                 func(port string) error { return plainProgram(port, ginHandler("/flex")) },
	"echo":                func(port string) error { return plainProgram(port, echoHandler("/flex")) },
	"huma":                func(port string) error { return plainProgram(port, humaHandler("/flex")) },
	"fake":                fakeProgram,
}

// bareProgram is net/http and nothing else. It does not check a token.
func bareProgram(port string) error {
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", bare)
	mux.HandleFunc("/flex", bare)
	mux.HandleFunc("/update-task", bareUpdate)
	return plainProgram(port, mux)
}

// bareHeadersProgram is bare with the headers that flexfn adds.
func bareHeadersProgram(port string) error {
	return plainProgram(port, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Access-Control-Expose-Headers", "Retry-After, X-Request-Id")
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		bare(w, r)
	}))
}

func plainProgram(port string, handler http.Handler) error {
	return http.ListenAndServe("127.0.0.1:"+port, handler)
}

func flexfnProgram(port string) error {
	app, err := flexfn.New(flexfn.FromEnv())
	if err != nil {
		return err
	}
	app.Handle("/echo", flexfn.PrepareStudioFunction(echoOf, flexfn.OpenToAnyone()))
	app.Handle("/flex", flexfn.PrepareFlexFunction(echoOf))
	app.Handle("/update-task", functions.UpdateTaskAttributes)
	return serveProgram(port, app)
}

func serveProgram(port string, handler http.Handler) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	return host.Serve(ctx, handler, host.Config{Listen: "127.0.0.1:" + port, Logger: slog.New(slog.DiscardHandler)})
}

func functionsFrameworkProgram(port string) error {
	if err := funcframework.RegisterHTTPFunctionContext(context.Background(), "/flex", bare); err != nil {
		return err
	}
	return funcframework.StartHostPort("127.0.0.1", port)
}

// tasks is the number of tasks updated in turn: more than there are connections,
// so that updates do not conflict.
const tasks = 4096

func taskSID(i int) string { return fmt.Sprintf("WT%032x", 0xbe0000+i) }

func fakeProgram(port string) error {
	fake, err := twiliofake.New(twiliofake.Config{MaxRequests: 1})
	if err != nil {
		return err
	}
	for i := range tasks {
		if err := fake.SetResource("tasks", twiliofake.Resource{
			"sid": taskSID(i), "workspace_sid": twiliofake.DevelopmentWorkspaceSID, "attributes": `{"name":"Ada"}`,
		}); err != nil {
			return err
		}
	}
	return serveProgram(port, fake)
}

// bareUpdate is an update written by hand. It reads, merges the top level, and
// stores the result if nothing has changed in the meantime. It does not retry.
func bareUpdate(w http.ResponseWriter, r *http.Request) {
	var update, attributes map[string]json.RawMessage
	var task struct{ Attributes string }
	if err := json.Unmarshal([]byte(r.PostFormValue("attributesUpdate")), &update); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	etag, err := toFake(r.Context(), "GET", r.PostFormValue("taskSid"), "", nil, &task)
	if err == nil {
		err = json.Unmarshal([]byte(task.Attributes), &attributes)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	for k, v := range update {
		attributes[k] = v
	}
	merged, err := json.Marshal(attributes)
	if err == nil {
		_, err = toFake(r.Context(), "POST", r.PostFormValue("taskSid"), etag, url.Values{"Attributes": {string(merged)}}, &task)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	cors(w.Header())
	w.Header().Set("Content-Type", "application/json")
	w.Write([]byte(`{"success":true}`))
}

var toFakeClient = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}

func toFake(ctx context.Context, method, task, etag string, form url.Values, into any) (string, error) {
	req, err := http.NewRequestWithContext(ctx, method, os.Getenv("FAKE_URL")+"/v1/Workspaces/"+twiliofake.DevelopmentWorkspaceSID+"/Tasks/"+task, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	req.Host = "taskrouter.twilio.com"
	req.SetBasicAuth(twiliofake.DevelopmentAccountSID, twiliofake.DevelopmentAuthToken)
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("If-Match", etag)
	}
	resp, err := toFakeClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("the task: %s", resp.Status)
	}
	return resp.Header.Get("ETag"), json.NewDecoder(resp.Body).Decode(into)
}

// server is a running server process.
type server struct {
	*exec.Cmd
	port  string
	start time.Duration // from its start to its first answer
	err   bytes.Buffer
}

// startServer starts the server called name and waits for its first answer.
func startServer(tb testing.TB, name, fakeURL string) *server {
	tb.Helper()
	port := freePort(tb)
	reference, err := filepath.Abs("reference")
	if err != nil {
		tb.Fatal(err)
	}
	s := &server{port: port}
	environ := append(os.Environ(),
		"PORT="+port, "FAKE_URL="+fakeURL, "FLEXFN_TWILIO_URL="+fakeURL,
		"ACCOUNT_SID="+twiliofake.DevelopmentAccountSID, "AUTH_TOKEN="+twiliofake.DevelopmentAuthToken,
		"TWILIO_FLEX_WORKSPACE_SID="+twiliofake.DevelopmentWorkspaceSID,
	)
	switch name {
	case "node":
		s.Cmd = exec.Command("node", filepath.Join(reference, "node.mjs"))
	case "reference", "reference-default":
		s.Cmd = exec.Command("node", filepath.Join(reference, "node_modules/twilio-run/bin/twilio-run.js"), "start", "--port", port, "--load-local-env")
		if name == "reference" { // its fastest mode
			s.Args = append(s.Args, "--fork-process=false", "--live=false", "--logs=false", "--log-level=error")
		}
		s.Dir = reference
		environ = append(environ, "NODE_OPTIONS=--require "+filepath.Join(reference, "redirect.cjs"))
	case "flexfn-serve": // the command with the ready-made functions
		binary := filepath.Join(tb.TempDir(), "flexfn")
		if out, err := exec.Command("go", "build", "-C", "..", "-o", binary, "./cmd/flexfn").CombinedOutput(); err != nil {
			tb.Fatalf("go build: %v\n%s", err, out)
		}
		s.Cmd = exec.Command(binary, "serve", "--addr", "127.0.0.1:"+port)
	default:
		s.Cmd = exec.Command(os.Args[0])
		environ = append(environ, serverVariable+"="+name)
	}
	s.Env, s.Stderr = environ, &s.err
	began := time.Now()
	if err := s.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.stop)
	target := "http://127.0.0.1:" + port + "/echo"
	for time.Since(began) < 30*time.Second {
		resp, err := http.Post(target, formType, strings.NewReader(form))
		if err == nil {
			resp.Body.Close()
			s.start = time.Since(began)
			return s
		}
		time.Sleep(time.Millisecond)
	}
	s.stop()
	tb.Fatalf("%s did not answer: %s", name, s.err.String())
	return nil
}

func (s *server) stop() {
	_ = s.Process.Signal(syscall.SIGTERM)
	timer := time.AfterFunc(5*time.Second, func() { _ = s.Process.Kill() })
	defer timer.Stop()
	_ = s.Wait()
}

func freePort(tb testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// cpu returns the processor time of the server and its terminated children.
func (s *server) cpu(tb testing.TB) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.Process.Pid))
	if err != nil {
		tb.Fatal(err)
	}
	// The name, in parentheses, may contain spaces. A tick is 10 ms on Linux.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	var ticks int
	for _, f := range fields[11:15] {
		n, err := strconv.Atoi(f)
		if err != nil {
			tb.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// memory returns the resident memory, in bytes.
func (s *server) memory(tb testing.TB) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", s.Process.Pid))
	if err != nil {
		tb.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(text))[1])
	if err != nil {
		tb.Fatal(err)
	}
	return float64(pages * os.Getpagesize())
}
