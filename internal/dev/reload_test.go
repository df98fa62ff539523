package dev_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flexfn/flexfn/internal/dev"
	"github.com/flexfn/flexfn/internal/link"
	"github.com/flexfn/flexfn/internal/testing/syncbuf"
	"github.com/flexfn/flexfn/twiliofake"
)

const userProgram = `package main

import (
	"context"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/twilioapi"
	taskrouter "github.com/twilio/twilio-go/rest/taskrouter/v1"
)

func main() {
	app, err := flexfn.New(flexfn.FromEnv())
	if err != nil {
		log.Fatal(err)
	}
	app.Handle("/hello", flexfn.PrepareStudioFunction(func(ctx context.Context, in flexfn.Event) (map[string]any, error) {
		if in.String("die") != "" {
			os.Exit(3)
		}
		if in.String("slow") != "" {
			time.Sleep(2 * time.Second)
		}
		res := twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) (*taskrouter.TaskrouterV1Task, error) {
			return taskrouter.NewApiService(client).FetchTask("WS00000000000000000000000000000001", "WT00000000000000000000000000000001")
		})
		return map[string]any{"greeting": "GREETING"}, res.Err()
	}, flexfn.OpenToAnyone()))
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), app))
}
`

// module is a user's module in a folder of its own.
type module struct {
	t   *testing.T
	dir string
}

func newModule(t *testing.T) module {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	m := module{t, t.TempDir()}
	// Require everything that flexfn needs, so that no build has to write
	// go.mod: an interrupted build could leave it half-written.
	own, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	_, requires, _ := strings.Cut(string(own), "\nrequire ")
	requires, _, _ = strings.Cut(requires, "\ntool ")
	m.write("go.mod", "module example.com/app\n\ngo 1.26.0\n\nrequire github.com/flexfn/flexfn v0.0.0\n\nreplace github.com/flexfn/flexfn => "+strconv.Quote(root)+"\n\nrequire "+requires)
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	m.write("go.sum", string(sum))
	t.Setenv("GOFLAGS", "")
	return m
}

func (m module) write(name, text string) {
	m.t.Helper()
	if err := os.WriteFile(filepath.Join(m.dir, name), []byte(text), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

func (m module) greet(greeting string) {
	m.t.Helper()
	m.write("main.go", strings.ReplaceAll(userProgram, "GREETING", greeting))
}

// output collects what a terminal shows.
type output struct{ syncbuf.Buffer }

// await waits until the terminal shows text n times.
func (o *output) await(t *testing.T, text string, n int) {
	t.Helper()
	for end := time.Now().Add(time.Minute); strings.Count(o.String(), text) < n; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the terminal does not show %q %d times:\n%s", text, n, o)
		}
	}
}

// develop runs a dev server for m until the test ends.
func develop(t *testing.T, m module) (base string, shown *output) {
	t.Helper()
	fake, err := twiliofake.New(twiliofake.Config{})
	if err != nil {
		t.Fatal(err)
	}
	var server *dev.Server
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { server.ServeHTTP(w, r) }))
	shown = &output{}
	key := dev.NewKey()
	server = dev.New(dev.Options{Base: front.URL, Key: key, Fake: fake, SignWith: twiliofake.DevelopmentAuthToken, Terminal: dev.NewTerminal(shown, false)})
	program, err := dev.FindProgram(t.Context(), m.dir)
	if err != nil || program == nil {
		t.Fatal(program, err)
	}
	program.Output = shown
	program.EnvFiles = []string{filepath.Join(m.dir, ".env")}
	program.Env = func() ([]string, error) {
		text, _ := os.ReadFile(filepath.Join(m.dir, ".env"))
		return append(os.Environ(), strings.TrimSpace(string(text)), link.KeyVariable+"="+key, "FLEXFN_TWILIO_URL="+front.URL,
			"ACCOUNT_SID="+twiliofake.DevelopmentAccountSID, "AUTH_TOKEN="+twiliofake.DevelopmentAuthToken), nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Develop(ctx, program) }()
	t.Cleanup(func() {
		cancel()
		<-done
		front.Close()
	})
	return front.URL, shown
}

func post(t *testing.T, url, body string) (int, string) {
	t.Helper()
	resp, err := http.Post(url, "application/x-www-form-urlencoded", strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	if resp.Header.Get(link.TraceHeader) != "" {
		t.Error("the trace reached the caller")
	}
	return resp.StatusCode, string(text)
}

// TestReload edits a program under constant load. No request may fail, each
// answer must come from the old or the new build, and a request sent after the
// file was saved must be answered by the new one.
func TestReload(t *testing.T) {
	if testing.Short() {
		t.Skip("builds programs")
	}
	m := newModule(t)
	m.greet("one")
	base, shown := develop(t, m)
	if status, text := post(t, base+"/hello", ""); status != 200 || !strings.Contains(text, `"one"`) {
		t.Fatalf("%d %s\n%s", status, text, shown)
	}

	var answered, failed atomic.Int64
	stop := make(chan struct{})
	var load sync.WaitGroup
	for range 4 {
		load.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if status, text := post(t, base+"/hello", ""); status != 200 || !strings.Contains(text, "greeting") {
					failed.Add(1)
					t.Errorf("under load: %d %s", status, text)
				}
				answered.Add(1)
				time.Sleep(2 * time.Millisecond)
			}
		})
	}
	slow := make(chan string, 1)
	go func() {
		_, text := post(t, base+"/hello", "slow=1")
		slow <- text
	}()
	time.Sleep(100 * time.Millisecond) // let the request begin
	best := time.Hour
	for i, word := range []string{"two", "three", "four"} {
		before := answered.Load()
		start := time.Now()
		m.greet(word)
		deadline := start.Add(30 * time.Second)
		for {
			_, text := post(t, base+"/hello", "")
			if strings.Contains(text, `"`+word+`"`) {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("never answered %q\n%s", word, shown)
			}
		}
		took := time.Since(start)
		t.Logf("edit %d: new behaviour after %s; %d requests answered meanwhile", i+1, took, answered.Load()-before)
		best = min(best, took)
	}
	t.Logf("new behaviour after %s at best", best)
	if text := <-slow; !strings.Contains(text, `"one"`) {
		t.Errorf("the request under way at the first edit was answered with %s", text)
	}
	close(stop)
	load.Wait()
	t.Logf("%d requests under load, %d failed", answered.Load(), failed.Load())
}

// TestBrokenBuild checks that the last good build keeps serving while the
// program does not compile or does not start.
func TestBrokenBuild(t *testing.T) {
	if testing.Short() {
		t.Skip("builds programs")
	}
	m := newModule(t)
	m.write("main.go", "package main\n\nfunc main() { nonsense }\n")
	base, shown := develop(t, m)
	if status, text := post(t, base+"/hello", ""); status != 503 || !strings.Contains(text, "undefined: nonsense") {
		t.Fatalf("without a build: %d %s", status, text)
	}
	m.greet("good")
	shown.await(t, "built and started", 1)
	if status, text := post(t, base+"/hello", ""); status != 200 || !strings.Contains(text, "good") {
		t.Fatal(status, text)
	}
	for i, broken := range []string{
		strings.Replace(userProgram, "app.Handle(", "app.Handel(", 1),
		strings.Replace(userProgram, "func main() {", "func main() {\n\tlog.Fatal(\"no luck today\")", 1),
	} {
		m.write("main.go", broken)
		shown.await(t, "the last good build keeps serving", i+1)
		if status, text := post(t, base+"/hello", ""); status != 200 || !strings.Contains(text, "good") {
			t.Fatalf("the last good build does not answer: %d %s\n%s", status, text, shown)
		}
	}
	if text := get(t, base+dev.ConsolePath+"api/state"); !strings.Contains(text, "no luck today") || !strings.Contains(text, `"title":"Not started"`) {
		t.Errorf("the console does not show why the program did not start: %s", text)
	}
	for _, want := range []string{"undefined: nonsense", "app.Handel undefined", "no luck today", "ended before it listened"} {
		if !strings.Contains(shown.String(), want) {
			t.Errorf("the terminal does not show %q:\n%s", want, shown)
		}
	}

	// When the program ends by itself, this caller and the next get an error
	// that says so.
	m.greet("mortal")
	shown.await(t, "built and started", 2)
	if status, text := post(t, base+"/hello", "die=1"); status != 503 || !strings.Contains(text, "success\":false") {
		t.Errorf("the request that ended the program: %d %s", status, text)
	}
	shown.await(t, "exit status 3", 1)
	if status, text := post(t, base+"/hello", ""); status != 503 || !strings.Contains(text, "exit status 3") {
		t.Errorf("after the end: %d %s", status, text)
	}
	m.greet("again")
	shown.await(t, "built and started", 3)
	if status, text := post(t, base+"/hello", ""); status != 200 || !strings.Contains(text, "again") {
		t.Error(status, text)
	}
}

// TestMuteProgram checks that a program which listens but never answers is
// served anyway and reported, and does not delay the end.
func TestMuteProgram(t *testing.T) {
	if testing.Short() {
		t.Skip("builds programs")
	}
	m := newModule(t)
	m.write("main.go", `package main

import (
	"net"
	"os"
)

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("PORT"))
	if err != nil {
		panic(err)
	}
	for {
		listener.Accept()
	}
}
`)
	_, shown := develop(t, m) // its cleanup waits for the end
	shown.await(t, "did not say within 5s which functions it has", 1)
	shown.await(t, "built and started", 1)
}

// TestPreflightWithoutBuild checks that a page's preflight is answered while
// there is no build, so that the page can read the reason.
func TestPreflightWithoutBuild(t *testing.T) {
	if testing.Short() {
		t.Skip("builds programs")
	}
	m := newModule(t)
	m.write("main.go", "package main\n\nfunc main() { nonsense }\n")
	base, shown := develop(t, m)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, base+"/hello", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Origin", "http://localhost:3000")
	r.Header.Set("Access-Control-Request-Method", "POST")
	r.Header.Set("Access-Control-Request-Headers", "authorization,content-type")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if h := resp.Header; resp.StatusCode != 204 || h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Access-Control-Allow-Headers") != "authorization,content-type" {
		t.Errorf("the preflight is answered %d %v", resp.StatusCode, h)
	}

	// A caller who leaves during a build is logged as such.
	m.write("main.go", "package main\n\nfunc main() { nonsense() }\n")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	r, err = http.NewRequestWithContext(ctx, http.MethodPost, base+"/hello", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := http.DefaultClient.Do(r); err == nil {
		t.Skip("the build was faster")
	}
	shown.await(t, "/hello 499", 1)
	shown.await(t, "the caller gave up while the program was being built", 1)
}
