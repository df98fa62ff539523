package storetest

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/events"
	"github.com/flexfn/flexfn/flexfntest"
	"github.com/flexfn/flexfn/internal/testing/syncbuf"
	"github.com/flexfn/flexfn/signature"
)

// Deliveries is a test that delivers events to eight processes with one store,
// while processes are killed and the store is restarted, and counts what their
// listeners did.
type Deliveries struct {
	// Address returns the argument for Open in each process. It is not called in
	// the child processes.
	Address func() string
	// Configure sets what the processes share in an app's config. The function
	// it returns, if any, runs until its ctx ends.
	Configure func(c *flexfn.Config, address string) (work func(ctx context.Context, app *flexfn.App) error, err error)
	// Restart restarts the store; nil leaves it alone.
	Restart func()
	// AfterAnswer makes the listeners run from the queue.
	AfterAnswer bool
	// Batch is the maximum number of events in a batch, and Clients how many
	// clients deliver at once; zero means 100 and 16.
	Batch, Clients int
	// OneInHand has each process handle one event at a time, so that a kill
	// can double only that one.
	OneInHand bool
	// Freeze stops processes for this long instead of killing them. If it is
	// longer than a claim, other processes take over what they had in hand, and
	// the frozen ones then continue with it as well.
	Freeze time.Duration
	// Short is how many events there are without the variable; zero stands for
	// 500. They must outlast the first kills.
	Short int
	// Settle is how long after the last delivery nothing must happen before the
	// remaining jobs count as lost.
	Settle time.Duration
}

const (
	deliveryVariable = "FLEXFN_STORETEST_DELIVERIES"
	eventsVariable   = "FLEXFN_SOAK_EVENTS" // how many events, with kills to the end
	someKills        = 3                    // without the variable; each costs the start of a process
	processes        = 8
	publicURL        = "https://functions.example.com"
	authToken        = "0123456789abcdef0123456789abcdef"
	accountSID       = "AC00000000000000000000000000000001"
	callbackPath     = "/events/taskrouter"
	streamPath       = "/events/stream"
	notRecorded      = "the results of an event could not be recorded"
)

// inTime is how long Twilio waits for an answer.
var inTime = map[string]time.Duration{callbackPath: 15 * time.Second, streamPath: 5 * time.Second}

// Failing events: one in twenty fails at first, one in a thousand always.
func flaky(n int) bool  { return n%20 == 3 }
func poison(n int) bool { return n%1000 == 7 }

// Run runs the test. Each process reruns the calling test.
func (d Deliveries) Run(t *testing.T) {
	if settings := os.Getenv(deliveryVariable); settings != "" {
		dir, address, _ := strings.Cut(settings, "\n")
		d.process(t, dir, address)
		return
	}
	count, soak := cmp.Or(d.Short, 500), false
	if n, err := strconv.Atoi(os.Getenv(eventsVariable)); err == nil {
		count, soak = n, true
	}
	d.Batch, d.Clients = cmp.Or(d.Batch, 100), cmp.Or(d.Clients, 16)
	r := &deliveryRun{Deliveries: d, t: t, dir: t.TempDir(), address: d.Address(), events: count, soak: soak, killed: map[string]bool{}}
	r.answers = map[string]*answers{callbackPath: {}, streamPath: {}}
	r.processes, r.hands = make([]*process, processes), make([]sync.Mutex, processes)
	for i := range r.processes {
		r.processes[i] = r.begin()
	}
	defer func() {
		for _, p := range r.processes {
			p.kill()
		}
	}()
	begin := time.Now()
	ctx, stop := context.WithCancel(t.Context())
	var faults sync.WaitGroup
	faults.Go(func() { r.kills(ctx) })
	if d.Restart != nil {
		faults.Go(func() { r.restarts(ctx) })
	}
	r.deliver()
	stop()
	faults.Wait()
	took := time.Since(begin)
	r.settle()
	r.check(took, time.Since(begin)-took)
}

// deliveryRun is a run of [Deliveries].
type deliveryRun struct {
	Deliveries
	t            *testing.T
	dir, address string
	events       int
	soak         bool // a shared machine may be slow

	mu        sync.Mutex
	processes []*process
	killed    map[string]bool // or frozen, by process id
	hands     []sync.Mutex    // of the processes, with OneInHand

	sent, repeats, restarted atomic.Int64
	answers                  map[string]*answers // by path
}

// answers counts the requests that were answered on a path.
type answers struct {
	n, late, slowest atomic.Int64 // slowest is in nanoseconds
}

func (a *answers) add(took, limit time.Duration) {
	a.n.Add(1)
	if took > limit {
		a.late.Add(1)
	}
	for was := a.slowest.Load(); int64(took) > was && !a.slowest.CompareAndSwap(was, int64(took)); {
		was = a.slowest.Load()
	}
}

func (a *answers) String() string {
	return fmt.Sprintf("%d answers, the slowest in %s", a.n.Load(), time.Duration(a.slowest.Load()).Round(time.Millisecond))
}

// process is a running child process.
type process struct {
	run  *exec.Cmd
	port string
	log  *syncbuf.Buffer
}

func (p *process) id() string { return strconv.Itoa(p.run.Process.Pid) }

func (p *process) kill() {
	_ = p.run.Process.Kill()
	_ = p.run.Wait()
}

// begin starts a process, and waits until it listens.
func (r *deliveryRun) begin() *process {
	p := &process{run: exec.Command(os.Args[0], "-test.run=^"+r.t.Name()+"$", "-test.timeout=0"), log: new(syncbuf.Buffer)}
	p.run.Env = append(os.Environ(), deliveryVariable+"="+r.dir+"\n"+r.address)
	p.run.Stderr = p.log
	out, err := p.run.StdoutPipe()
	if err == nil {
		_, err = p.run.StdinPipe() // closes with this process
	}
	if err == nil {
		err = p.run.Start()
	}
	if err != nil {
		r.t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if port, ok := strings.CutPrefix(lines.Text(), "port "); ok {
			p.port = port
			go func() { _, _ = io.Copy(io.Discard, out) }() // until the process ends
			return p
		}
	}
	p.kill()
	r.t.Errorf("a process does not listen: %s", p.log.String())
	return p
}

// process is the body of each child process, which runs until it is killed.
func (d Deliveries) process(t *testing.T, dir, address string) {
	file, err := os.OpenFile(filepath.Join(dir, "effects"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	pid := strconv.Itoa(os.Getpid())
	note := func(what, key string) { // in a single write, which a kill cannot split
		if _, err := file.WriteString(pid + " " + what + " " + key + "\n"); err != nil {
			panic(err)
		}
	}
	c := flexfn.Config{AccountSID: accountSID, AuthToken: authToken, PublicURL: publicURL, Logger: slog.New(&unrecorded{note: note})}
	work, err := d.Configure(&c, address)
	if err != nil {
		t.Fatal(err)
	}
	app, err := flexfn.New(c)
	if err != nil {
		t.Fatal(err)
	}
	var how []events.ListenerOption
	if d.AfterAnswer {
		how = append(how, events.AfterAnswer())
	}
	on := func(name string, handle func(e events.Event, n int) error) flexfn.StudioOption {
		return events.On("task.*", func(_ context.Context, e events.Event) error {
			n, err := strconv.Atoi(strings.TrimPrefix(e.Key, "EV"))
			if err != nil {
				return err
			}
			if err := handle(e, n); err != nil {
				return err
			}
			note(name, e.Key)
			return nil
		}, append(how, events.Named(name), events.Tries(100))...)
	}
	options := []flexfn.StudioOption{
		on("plain", func(events.Event, int) error { return nil }),
		on("fails", func(e events.Event, n int) error {
			switch {
			case poison(n):
				return flexfn.Errorf(http.StatusUnprocessableEntity, "never")
			case flaky(n) && e.Try == 1:
				return errors.New("not yet")
			}
			return nil
		}),
		events.OnDeadLetter(func(_ context.Context, l events.DeadLetter) { note("dead", l.Event.Key) }),
	}
	app.Handle(callbackPath, events.TaskRouter(options...))
	app.Handle(streamPath, events.Stream(options...))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	go func() { // ends with the parent
		_, _ = io.Copy(io.Discard, os.Stdin)
		end()
		_ = listener.Close()
	}()
	if work != nil {
		go func() {
			if err := work(ctx, app); err != nil {
				t.Error(err)
			}
		}()
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	fmt.Println("port " + port)
	_ = http.Serve(listener, app)
}

// unrecorded is a log handler that notes which events were reported as not
// recorded.
type unrecorded struct{ note func(what, key string) }

func (*unrecorded) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelError }
func (u *unrecorded) WithAttrs([]slog.Attr) slog.Handler         { return u }
func (u *unrecorded) WithGroup(string) slog.Handler              { return u }
func (u *unrecorded) Handle(_ context.Context, r slog.Record) error {
	if r.Message == notRecorded {
		r.Attrs(func(a slog.Attr) bool {
			if a.Key == "key" {
				u.note("unrecorded", a.Value.String())
			}
			return true
		})
	}
	return nil
}

// kills kills a process now and then and starts another, or freezes it.
func (r *deliveryRun) kills(ctx context.Context) {
	rng := rand.New(rand.NewPCG(3, 4))
	most, pause := someKills, time.Second/2 // between kills, on average
	switch {
	case r.soak:
		most, pause = math.MaxInt, 2*time.Second
	case r.Freeze > 0:
		most = 1
	}
	for n := 0; n < most && wait(ctx, pause/2+time.Duration(rng.Int64N(int64(pause)))); n++ {
		i := rng.IntN(processes)
		r.mu.Lock()
		old := r.processes[i]
		r.killed[old.id()] = true
		r.mu.Unlock()
		if r.Freeze > 0 {
			_ = old.run.Process.Signal(syscall.SIGSTOP)
			wait(ctx, r.Freeze)
			_ = old.run.Process.Signal(syscall.SIGCONT)
			continue
		}
		old.kill()
		next := r.begin()
		r.mu.Lock()
		r.processes[i] = next
		r.mu.Unlock()
	}
}

func (r *deliveryRun) restarts(ctx context.Context) {
	for first := true; wait(ctx, 20*time.Second) || first; first = false {
		r.Restart()
		r.restarted.Add(1)
	}
}

func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// deliver sends each event 1 to 5 times, in any order: as single callbacks, and
// in batches like Event Streams. It resends what did not succeed.
func (r *deliveryRun) deliver() {
	rng := rand.New(rand.NewPCG(1, 2))
	var order []int32
	for n := range r.events {
		for range 1 + rng.IntN(5) {
			order = append(order, int32(n))
		}
	}
	rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	r.sent.Store(int64(len(order)))
	units := make(chan []int32)
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: r.Clients}}
	defer client.CloseIdleConnections()
	var all sync.WaitGroup
	for i := range r.Clients {
		all.Go(func() {
			for unit := range units {
				for to := i; !r.send(client, to%processes, unit); to++ {
					r.repeats.Add(1)
					time.Sleep(200 * time.Millisecond)
				}
			}
		})
	}
	for len(order) > 0 && !r.t.Failed() {
		size := 1
		if rng.IntN(10) == 0 && !r.OneInHand {
			size = min(r.Batch, len(order))
		}
		units <- order[:size]
		order = order[size:]
	}
	close(units)
	all.Wait()
}

// send delivers events to a process, and reports whether that succeeded.
func (r *deliveryRun) send(client *http.Client, i int, unit []int32) bool {
	if r.OneInHand {
		r.hands[i].Lock()
		defer r.hands[i].Unlock()
	}
	r.mu.Lock()
	p := r.processes[i]
	r.mu.Unlock()
	path, contentType, body := callbackPath, "application/x-www-form-urlencoded", []byte(nil)
	if len(unit) == 1 {
		body = []byte(url.Values{"EventType": {"task.updated"}, "Sid": {fmt.Sprint("EV", unit[0])}, "AccountSid": {accountSID},
			"TaskSid": {fmt.Sprintf("WT%032x", unit[0])}, "TimestampMs": {"1700000000000"}}.Encode())
	} else {
		path, contentType = streamPath, "application/json"
		batch := make([]map[string]any, len(unit))
		for i, n := range unit {
			batch[i] = flexfntest.CloudEvent(fmt.Sprint("EZ", n), "com.twilio.taskrouter.task.updated",
				map[string]any{"payload": map[string]any{"sid": fmt.Sprint("EV", n), "task_sid": fmt.Sprintf("WT%032x", n)}})
		}
		body, _ = json.Marshal(batch)
	}
	to := publicURL + path
	if len(unit) > 1 {
		to = signature.AddBodyHash(to, body)
	}
	req, err := http.NewRequest(http.MethodPost, "http://127.0.0.1:"+p.port+to[len(publicURL):], bytes.NewReader(body))
	if err != nil {
		r.t.Error(err)
		return true
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set(signature.Header, signature.Sign(authToken, to, contentType, body))
	begin := time.Now()
	answered := func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.Freeze == 0 || !r.killed[p.id()] {
			r.answers[path].add(time.Since(begin), inTime[path])
		}
	}
	resp, err := client.Do(req)
	if err != nil {
		if os.IsTimeout(err) {
			answered()
		}
		return false // or it was killed
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	answered()
	if resp.StatusCode >= 300 && resp.StatusCode < 500 {
		r.t.Errorf("a delivery is answered %d", resp.StatusCode)
		return true
	}
	return err == nil && resp.StatusCode < 300
}

// settle waits until the processes have finished their own work, or have got no
// further for too long.
func (r *deliveryRun) settle() {
	fewest, since := 2*r.events+1, time.Now()
	for time.Since(since) < r.Settle {
		begin := time.Now()
		lost := r.count().lost(r.events)
		if lost == 0 {
			return
		}
		if lost < fewest {
			fewest, since = lost, time.Now()
		}
		time.Sleep(max(time.Second, 5*time.Since(begin))) // counting takes from the others
	}
}

// counts returns the processes that ran each listener for each event, and the
// events reported as not recorded.
type counts struct {
	plain, fails, dead map[int32][]string
	unrecorded         map[int32]bool
}

func (r *deliveryRun) count() counts {
	file, err := os.Open(filepath.Join(r.dir, "effects"))
	if err != nil {
		r.t.Fatal(err)
	}
	defer file.Close()
	c := counts{map[int32][]string{}, map[int32][]string{}, map[int32][]string{}, map[int32]bool{}}
	interned := map[string]string{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		pid, rest, _ := strings.Cut(lines.Text(), " ")
		what, key, _ := strings.Cut(rest, " ")
		n, err := strconv.Atoi(strings.TrimPrefix(key, "EV"))
		if err != nil {
			r.t.Fatalf("the effects have the line %q", lines.Text())
		}
		if _, ok := interned[pid]; !ok {
			interned[pid] = strings.Clone(pid)
		}
		pid, of := interned[pid], c.plain
		switch what {
		case "fails":
			of = c.fails
		case "dead":
			of = c.dead
		case "unrecorded":
			c.unrecorded[int32(n)] = true
			continue
		}
		of[int32(n)] = append(of[int32(n)], pid)
	}
	return c
}

// lost counts the events that were not handled.
func (c counts) lost(events int) (n int) {
	for e := range int32(events) {
		if len(c.plain[e]) == 0 {
			n++
		}
		if ended := c.fails; len(ended[e]) == 0 && (!poison(int(e)) || len(c.dead[e]) == 0) {
			n++
		}
	}
	return n
}

// check fails the test for events that were lost, and for events handled twice
// although no process was killed between the effect and its record.
func (r *deliveryRun) check(took, settled time.Duration) {
	c := r.count()
	doubled, unexplained := 0, 0
	byKill := map[string]map[int32]bool{} // the events that a killed process left to be done again
	for _, of := range []map[int32][]string{c.plain, c.fails, c.dead} {
		for n, pids := range of {
			for _, pid := range pids[:len(pids)-1] {
				doubled++
				frozen := r.Freeze > 0 && slices.ContainsFunc(pids, func(pid string) bool { return r.killed[pid] })
				if !r.killed[pid] && !frozen && !c.unrecorded[n] {
					unexplained++
					r.t.Errorf("EV%d was done by the processes %v, of which %s was not killed", n, pids, pid)
				}
				if byKill[pid] == nil {
					byKill[pid] = map[int32]bool{}
				}
				byKill[pid][n] = r.killed[pid]
			}
		}
	}
	lost := c.lost(r.events)
	letters := 0
	for n := range c.dead {
		if letters++; !poison(int(n)) {
			r.t.Errorf("EV%d became a dead letter", n)
		}
	}
	most := 0
	for pid, of := range byKill {
		if r.killed[pid] {
			most = max(most, len(of))
		}
	}
	r.t.Logf("%d events, delivered %d times, %d requests repeated, to %d processes, in %s (%.0f deliveries a second), what they left in another %s; %d kills (or freezes), %d restarts of the store: %d lost, %d effects doubled (a kill doubled those of at most %d events, and %d had no cause), %d events logged as not recorded, %d dead letters; callbacks: %s; streams: %s",
		r.events, r.sent.Load(), r.repeats.Load(), processes, took.Round(time.Second), float64(r.sent.Load())/took.Seconds(), settled.Round(time.Second), len(r.killed), r.restarted.Load(), lost, doubled, most, unexplained, len(c.unrecorded), letters,
		r.answers[callbackPath], r.answers[streamPath])
	if lost > 0 {
		r.t.Errorf("%d were lost", lost)
	}
	if r.OneInHand && most > 1 {
		r.t.Errorf("a kill doubled the effects of %d events, with one in hand", most)
	}
	for path, a := range r.answers {
		if late := a.late.Load(); r.soak && late > 0 {
			r.t.Errorf("%d answers on %s took longer than %s", late, path, inTime[path])
		}
	}
}
