// Package soak puts an app under load while Twilio fails at random, and checks
// that nothing is lost, done twice or leaked. docs/reliability.md has the
// command for a long run.
package soak

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/functions"
	"github.com/flexfn/flexfn/host"
	"github.com/flexfn/flexfn/signature"
	"github.com/flexfn/flexfn/twiliofake"
)

const (
	connections = 64
	updatedTask = 4 // tasks that all clients update
	origin      = "https://flex.twilio.com"
	formType    = "application/x-www-form-urlencoded"
	publicURL   = "https://functions.example.com"
	updatePath  = "/common/flex/taskrouter/update-task-attributes"
	createPath  = "/common/studio/taskrouter/create-task"
)

// faults are the failures of Twilio, which hit about an eighth of the calls.
var faults = []twiliofake.Fault{
	{Name: "busy", Probability: 0.02, Status: 429, RetryAfter: "0"},
	{Name: "busy for a second", Probability: 0.005, Status: 429, RetryAfter: "1"},
	{Name: "unavailable", Probability: 0.02, Status: 503},
	{Name: "broken", Probability: 0.01, Status: 500},
	{Name: "conflict", Match: twiliofake.Match{Method: "POST", Host: "taskrouter", Path: "/v1/Workspaces/*/Tasks/*"}, Probability: 0.02, Status: 412},
	{Name: "page", Probability: 0.01, Action: twiliofake.HTML},
	{Name: "reset", Probability: 0.01, Action: twiliofake.Reset},
	{Name: "reset after", Probability: 0.01, Action: twiliofake.ResetAfter},
	{Name: "done and reset", Probability: 0.01, Action: twiliofake.ResetAfter, Apply: true},
	{Name: "cut", Probability: 0.01, Action: twiliofake.Cut},
	{Name: "hang", Probability: 0.002, Action: twiliofake.Hang},
	{Name: "done and hang", Probability: 0.002, Action: twiliofake.Hang, Apply: true},
	{Name: "slow", Probability: 0.02, Action: twiliofake.Slow, Delay: 50 * time.Millisecond},
}

// TestSoak runs for FLEXFN_SOAK, by default eight seconds.
func TestSoak(t *testing.T) {
	length := 8 * time.Second
	if v := os.Getenv("FLEXFN_SOAK"); v != "" {
		var err error
		if length, err = time.ParseDuration(v); err != nil {
			t.Fatal(err)
		}
	}
	goroutines := runtime.NumGoroutine()
	s := newSoak(t)
	served := s.serve()
	var clients sync.WaitGroup
	for i := range connections {
		clients.Go(func() { s.client(i) })
	}
	reloading := make(chan struct{})
	go func() { defer close(reloading); s.reload() }()

	time.Sleep(length / 4)
	early := heap()
	time.Sleep(length - length/4)
	late := heap()

	// Shut down: the server drains while requests are in flight.
	s.stopping.Store(true)
	s.end()
	if err := <-served; err != nil {
		t.Errorf("the server ended with: %v", err)
	}
	clients.Wait()
	<-reloading
	s.now.end(t)
	s.countFaults()
	s.fake.Close()
	s.upstream.Close()

	s.checkCreates()
	s.checkFaults()
	s.checkFreed()
	s.report(early, late)
	// The fake keeps each created task, however long this takes.
	if late > 2*early+32<<20+uint64(len(s.created))*2<<10 {
		t.Errorf("the heap grew from %d MiB to %d MiB", early>>20, late>>20)
	}
	for until := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > goroutines+2; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(until) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines began, %d are left:\n%s", goroutines, runtime.NumGoroutine(), stacks[:runtime.Stack(stacks, true)])
		}
	}
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// soak holds the server, the Twilio behind it, and what the clients saw.
type soak struct {
	t        *testing.T
	fake     *twiliofake.Twilio
	upstream *httptest.Server
	taking   sync.RWMutex // write-locked while the next generation takes over
	now      *generation
	address  string
	end      context.CancelFunc
	stopping atomic.Bool

	reloads  atomic.Int64
	freed    atomic.Int64 // apps that have been garbage collected
	mu       sync.Mutex
	statuses map[string]map[int]int // by kind of request
	created  map[string]outcome     // by the id in the attributes
	struck   map[string]int         // by the name of the fault
}

// generation is an app and the requests in it.
type generation struct {
	app      *flexfn.App
	underWay sync.WaitGroup
}

// outcome is the answer to a create.
type outcome struct {
	status int
	sid    string
}

func newSoak(t *testing.T) *soak {
	fake, err := twiliofake.New(twiliofake.Config{MaxRequests: 5000})
	if err != nil {
		t.Fatal(err)
	}
	for i := range updatedTask {
		if err := fake.SetResource("tasks", twiliofake.Resource{
			"sid": taskSID(i), "workspace_sid": twiliofake.DevelopmentWorkspaceSID, "attributes": `{"from":"the beginning"}`,
		}); err != nil {
			t.Fatal(err)
		}
	}
	// Each strikes once for certain, and then at random.
	var rules []twiliofake.Fault
	for i, f := range faults {
		f.Probability, f.Skip, f.Times = 0, 20+7*i, 1
		rules = append(rules, f)
	}
	if err := fake.SetFaults(append(rules, faults...)...); err != nil {
		t.Fatal(err)
	}
	upstream := httptest.NewUnstartedServer(fake)
	upstream.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	upstream.Start()
	s := &soak{t: t, fake: fake, upstream: upstream, statuses: map[string]map[int]int{}, created: map[string]outcome{}, struck: map[string]int{}}
	if s.now = s.newGeneration(); s.now == nil {
		t.FailNow()
	}
	return s
}

func taskSID(i int) string { return fmt.Sprintf("WT%032x", 0x50a0+i) }

// newGeneration makes an app; the settings vary.
func (s *soak) newGeneration() *generation {
	n := s.reloads.Add(1)
	deadline := time.Duration(4+n%3) * time.Second
	config := flexfn.Config{
		AccountSID: twiliofake.DevelopmentAccountSID, AuthToken: twiliofake.DevelopmentAuthToken,
		WorkspaceSID: twiliofake.DevelopmentWorkspaceSID, PublicURL: publicURL, TwilioURL: s.upstream.URL,
		TokenTTL:     time.Duration(1+n%5) * time.Second,
		FlexDeadline: deadline, StudioDeadline: deadline,
		Retry:  []flexfn.RetryOption{flexfn.AttemptTimeout(time.Second), flexfn.Backoff(time.Millisecond, 50*time.Millisecond)},
		Logger: slog.New(panics{s.t}),
	}
	if n%2 == 0 {
		config.AllowedOrigins = []string{origin, fmt.Sprintf("https://%d.example.com", n)}
	}
	app, err := flexfn.New(config)
	if err != nil {
		s.t.Error(err)
		return nil
	}
	if err := functions.Add(app); err != nil {
		s.t.Error(err)
	}
	runtime.AddCleanup(app, func(freed *atomic.Int64) { freed.Add(1) }, &s.freed)
	return &generation{app: app}
}

// panics is a log handler that fails the test for a panic and drops everything
// else.
type panics struct{ t *testing.T }

func (panics) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelError }
func (p panics) WithAttrs([]slog.Attr) slog.Handler             { return p }
func (p panics) WithGroup(string) slog.Handler                  { return p }
func (p panics) Handle(_ context.Context, r slog.Record) error {
	if strings.Contains(r.Message, "panic") {
		p.t.Errorf("logged: %s", r.Message)
	}
	return nil
}

func (s *soak) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.taking.RLock()
	g := s.now
	g.underWay.Add(1)
	s.taking.RUnlock()
	defer g.underWay.Done()
	g.app.ServeHTTP(w, r)
}

// serve serves the current app.
func (s *soak) serve() <-chan error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	s.address = listener.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	s.end = cancel
	served := make(chan error, 1)
	go func() {
		served <- host.Serve(ctx, s, host.Config{Listener: listener, Logger: slog.New(panics{s.t}), LameDuck: 500 * time.Millisecond})
	}()
	return served
}

// reload replaces the app by a new one, as a change of configuration does, and
// waits for the old one's remaining work.
func (s *soak) reload() {
	for !s.stopping.Load() {
		time.Sleep(time.Second)
		next := s.newGeneration()
		if next == nil {
			return
		}
		s.taking.Lock()
		old := s.now
		s.now = next
		s.taking.Unlock()
		old.end(s.t)
		s.countFaults()
	}
}

// end waits for everything that the app started and closes its connections.
func (g *generation) end(t *testing.T) {
	g.underWay.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := g.app.Wait(ctx); err != nil {
		t.Errorf("the old app: %v", err)
	}
	g.app.HTTPClient().CloseIdleConnections()
}

// countFaults counts the faults that struck from the fake's log. It may miss a
// few.
func (s *soak) countFaults() {
	for _, r := range s.fake.Requests(twiliofake.Match{}) {
		for _, name := range r.Faults {
			s.struck[name]++
		}
	}
	s.fake.ClearRequests()
}

// checkFaults fails the test unless every fault struck.
func (s *soak) checkFaults() {
	for _, f := range faults {
		if s.struck[f.Name] == 0 {
			s.t.Errorf("the fault %q never struck", f.Name)
		}
	}
}

// checkFreed fails the test unless all apps but the last have been freed.
func (s *soak) checkFreed() {
	for until := time.Now().Add(10 * time.Second); s.freed.Load() < s.reloads.Load()-1; time.Sleep(20 * time.Millisecond) {
		if runtime.GC(); time.Now().After(until) {
			s.t.Errorf("of %d apps that were replaced %d are still in memory", s.reloads.Load()-1, s.reloads.Load()-1-s.freed.Load())
			return
		}
	}
}

// client sends one request after another on one connection.
func (s *soak) client(i int) {
	transport := &http.Transport{MaxConnsPerHost: 1}
	defer transport.CloseIdleConnections()
	c := &client{soak: s, number: i, http: &http.Client{Transport: transport, Timeout: 20 * time.Second}, rand: rand.New(rand.NewPCG(1, uint64(i)))}
	for !s.stopping.Load() && !s.t.Failed() {
		switch n := c.rand.IntN(100); {
		case n < 40:
			c.update()
		case n < 50:
			c.create()
		default:
			c.other()
		}
	}
}

type client struct {
	*soak
	number int
	http   *http.Client
	rand   *rand.Rand
	// For each task, stored is the last value whose update succeeded, and
	// perhaps are later values whose outcome is unknown.
	stored  [updatedTask]int
	perhaps [updatedTask][]int
	n       int
}

// send sends a request and checks what must hold for every answer.
func (c *client) send(kind, method, path, contentType, body string, header ...string) (status int, object map[string]any) {
	req, err := http.NewRequest(method, "http://"+c.address+path, strings.NewReader(body))
	if err != nil {
		c.t.Error(err)
		return
	}
	req.Header.Set("Origin", origin)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := c.http.Do(req)
	if err != nil {
		c.t.Errorf("%s: no answer: %v", kind, err)
		return
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Errorf("%s: the answer broke off: %v", kind, err)
		return
	}
	if allowed := resp.Header.Get("Access-Control-Allow-Origin"); allowed != "*" && allowed != origin {
		c.t.Errorf("%s: status %d without CORS headers", kind, resp.StatusCode)
	}
	if method != http.MethodOptions {
		if err := json.Unmarshal(text, &object); err != nil || object == nil {
			c.t.Errorf("%s: status %d with %q, which is not a JSON object", kind, resp.StatusCode, text)
		}
		if success, ok := object["success"].(bool); !ok || success != (resp.StatusCode < 300) {
			c.t.Errorf("%s: status %d with %s", kind, resp.StatusCode, text)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.statuses[kind] == nil {
		c.statuses[kind] = map[int]int{}
	}
	c.statuses[kind][resp.StatusCode]++
	return resp.StatusCode, object
}

// failures are the statuses that report Twilio's faults.
var failures = []int{429, 500, 502, 503, 504}

func (c *client) key() string { return fmt.Sprint("client", c.number) }

// value returns the value stored for this client in a task.
func (c *client) value(task int) int {
	item, _ := c.fake.Resource("tasks", taskSID(task))
	text, _ := item["attributes"].(string)
	var attributes map[string]any
	if err := json.Unmarshal([]byte(text), &attributes); err != nil || attributes["from"] != "the beginning" {
		c.t.Errorf("task %d has the attributes %q", task, text)
	}
	v, _ := attributes[c.key()].(float64)
	return int(v)
}

// update writes a new value to this client's own key. The old value must be the
// one it last wrote: otherwise another client's update has overwritten it.
func (c *client) update() {
	task := c.rand.IntN(updatedTask)
	if have := c.value(task); have != c.stored[task] && !slices.Contains(c.perhaps[task], have) {
		c.t.Errorf("lost update: %s of task %d is %d, want %d or one of %v", c.key(), task, have, c.stored[task], c.perhaps[task])
	}
	c.n++
	form := url.Values{"Token": {"dev-agent"}, "taskSid": {taskSID(task)}, "attributesUpdate": {fmt.Sprintf(`{%q:%d}`, c.key(), c.n)}}
	switch status, answer := c.send("update", "POST", updatePath, formType, form.Encode()); {
	case status == 200:
		if have := c.value(task); have != c.n {
			c.t.Errorf("lost update: %s of task %d is %d after %d was stored", c.key(), task, have, c.n)
		}
		c.stored[task], c.perhaps[task] = c.n, nil
	case slices.Contains(failures, status) || status == http.StatusPreconditionFailed: // conflicts until the deadline
		c.perhaps[task] = append(c.perhaps[task], c.n)
	default:
		c.t.Errorf("update: status %d, %v", status, answer)
	}
}

// create makes a task with a unique id.
func (c *client) create() {
	c.n++
	id := fmt.Sprintf("%d-%d", c.number, c.n)
	body := fmt.Appendf(nil, `{"workflowSid":"WW00000000000000000000000000000001","taskChannel":"voice","attributes":{"id":%q}}`, id)
	target := signature.AddBodyHash(createPath, body)
	status, answer := c.send("create", "POST", target, "application/json", string(body),
		"X-Twilio-Signature", signature.Sign(twiliofake.DevelopmentAuthToken, publicURL+target, "application/json", body))
	if status != 200 && !slices.Contains(failures, status) {
		c.t.Errorf("create: status %d, %v", status, answer)
	}
	sid, _ := answer["taskSid"].(string)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.created[id] = outcome{status, sid}
}

// other sends stateless requests: good, bad and hostile ones.
func (c *client) other() {
	expect := func(kind string, want int, method, path, contentType, body string, header ...string) {
		if status, answer := c.send(kind, method, path, contentType, body, header...); status != want && !slices.Contains([]int{0, 503}, status) {
			c.t.Errorf("%s: status %d, want %d: %v", kind, status, want, answer)
		}
	}
	switch c.rand.IntN(9) {
	case 0:
		expect("preflight", 204, "OPTIONS", updatePath, "", "", "Access-Control-Request-Method", "POST")
	case 1:
		expect("no token", 403, "POST", updatePath, formType, "taskSid="+taskSID(0))
	case 2:
		expect("wrong token", 403, "POST", updatePath, formType, fmt.Sprintf("Token=stranger%d", c.rand.IntN(100)))
	case 3:
		expect("guest", 403, "POST", updatePath, formType, "Token=dev-guest")
	case 4:
		expect("missing", 400, "POST", updatePath, "application/json", `{"Token":"dev-agent"}`)
	case 5:
		expect("not JSON", 400, "POST", updatePath, "application/json", `{"Token":`)
	case 6:
		expect("unknown path", 404, "GET", "/nothing/here", "", "")
	case 7:
		expect("forged", 403, "POST", createPath, formType, "workflowSid=x", "X-Twilio-Signature", strings.Repeat("A", 27)+"=")
	case 8:
		expect("thousands of parameters", 413, "POST", updatePath, formType, "Token=dev-agent&"+strings.Repeat("a=b&", 3000))
	}
}

// checkCreates checks Twilio's final state: each create that succeeded happened,
// and none happened twice.
func (s *soak) checkCreates() {
	count := map[string]int{}
	sids := map[string]string{}
	for _, task := range s.fake.State().Resources["tasks"] {
		var attributes struct{ ID string }
		text, _ := task["attributes"].(string)
		if json.Unmarshal([]byte(text), &attributes) == nil && attributes.ID != "" {
			count[attributes.ID]++
			sids[attributes.ID], _ = task["sid"].(string)
		}
	}
	for id, n := range count {
		if n > 1 {
			s.t.Errorf("create %s happened %d times", id, n)
		}
		if _, ok := s.created[id]; !ok {
			s.t.Errorf("create %s was never answered", id)
		}
	}
	for id, o := range s.created {
		switch {
		case o.status == 200 && sids[id] != o.sid:
			s.t.Errorf("create %s was answered with %s, Twilio has %q", id, o.sid, sids[id])
		case o.status == 429 && count[id] > 0:
			s.t.Errorf("create %s was answered with 429, and happened", id)
		}
	}
	if len(s.created) == 0 {
		s.t.Error("nothing was created")
	}
}

// report prints statistics of the run.
func (s *soak) report(early, late uint64) {
	var b bytes.Buffer
	total := 0
	for kind, counts := range s.statuses {
		for status, n := range counts {
			fmt.Fprintf(&b, "  %-24s %d: %d\n", kind, status, n)
			total += n
		}
	}
	if s.reloads.Load() < 3 {
		s.t.Errorf("only %d configurations were served", s.reloads.Load())
	}
	if s.statuses["update"][200] == 0 {
		s.t.Error("no update succeeded")
	}
	for name, n := range s.struck {
		fmt.Fprintf(&b, "  fault %-18s %d times\n", name, n)
	}
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	slices.Sort(lines)
	s.t.Logf("%d requests, %d apps; heap %d KiB early, %d KiB late\n%s", total, s.reloads.Load(), early>>10, late>>10, strings.Join(lines, "\n"))
}
