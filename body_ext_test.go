package flexfn_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/internal/testing/peak"
	"github.com/flexfn/flexfn/signature"
)

// heldBody is a body that withholds its last byte until it is released.
type heldBody struct {
	sent    io.Reader
	arrived chan struct{} // closed when all but the last byte have been read
	letGo   <-chan struct{}
	once    sync.Once
}

func (b *heldBody) Read(p []byte) (int, error) {
	n, err := b.sent.Read(p)
	if err == io.EOF {
		b.once.Do(func() { close(b.arrived) })
		<-b.letGo
	}
	return n, err
}

func (b *heldBody) Close() error { return nil }

// holdBodies starts n requests with bodies of size bytes. The result releases
// the bodies and returns the statuses.
func holdBodies(t *testing.T, app http.Handler, n, size int, letGo <-chan struct{}) (statuses func() map[int]int) {
	var holders sync.WaitGroup
	var mu sync.Mutex
	got := map[int]int{}
	for range n {
		body := &heldBody{sent: strings.NewReader("Token=agent&x=" + strings.Repeat("x", size)), arrived: make(chan struct{}), letGo: letGo}
		r := httptest.NewRequest("POST", "/f", body)
		r.ContentLength = -1
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		ended := make(chan struct{})
		holders.Go(func() {
			defer close(ended)
			app.ServeHTTP(w, r)
			mu.Lock()
			defer mu.Unlock()
			got[w.Code]++
		})
		select {
		case <-body.arrived:
		case <-ended:
		}
	}
	return func() map[int]int {
		holders.Wait()
		return got
	}
}

func bodyApp(t testing.TB, change func(*flexfn.Config)) *flexfn.App {
	config := testConfig(new(iam))
	if change != nil {
		change(&config)
	}
	app := newApp(t, config)
	app.Handle("/f", flexfn.PrepareFlexFunction(func(context.Context, struct{}) (struct{}, error) { return struct{}{}, nil }))
	return app
}

// TestBodiesAreBounded: long, ordinary and short bodies each have a share of the
// memory. If one class is full, shorter bodies are still accepted. All memory
// is returned at the end.
func TestBodiesAreBounded(t *testing.T) {
	app := bodyApp(t, func(c *flexfn.Config) { c.MaxBodiesBytes = 10 << 20 })
	app.Handle("/studio", flexfn.PrepareStudioFunction(func(context.Context, flexfn.Event) (struct{}, error) { return struct{}{}, nil }))
	post := func(size int) int {
		status, _ := post(t, app, "/f", url.Values{"Token": {"agent"}, "x": {strings.Repeat("x", size)}})
		return status
	}
	letGo := make(chan struct{})
	long := holdBodies(t, app, 5, 3<<20, letGo)
	if got := [3]int{post(100 << 10), post(60 << 10), post(7 << 10)}; got != [3]int{503, 200, 200} {
		t.Errorf("while long bodies arrive, long, ordinary and short ones are answered %d", got)
	}
	// A signature does not change that: nothing is wrong with what Twilio sent.
	r := httptest.NewRequest("POST", "/studio", strings.NewReader("x="+strings.Repeat("x", 100<<10)))
	r.Header.Set(signature.Header, "not checked yet")
	w := httptest.NewRecorder()
	if app.ServeHTTP(w, r); w.Code != 503 || w.Header().Get("Retry-After") != "1" || !strings.Contains(w.Body.String(), `"Too many long`) {
		t.Errorf("from Twilio, a long one is answered %d %v %s", w.Code, w.Header(), w.Body)
	}
	ordinary := holdBodies(t, app, 200, 60<<10, letGo)
	if got := [2]int{post(60 << 10), post(7 << 10)}; got != [2]int{503, 200} {
		t.Errorf("while ordinary bodies arrive, ordinary and short ones are answered %d", got)
	}
	close(letGo)
	if got := long(); got[200] != 1 || got[503] != 4 {
		t.Errorf("long bodies: %v", got)
	}
	if got := ordinary(); got[200] < 20 || got[503] < 100 || got[200]+got[503] != 200 {
		t.Errorf("ordinary bodies: %v", got)
	}
	for range 3 {
		if got := [3]int{post(5 << 20), post(60 << 10), post(7 << 10)}; got != [3]int{200, 200, 200} {
			t.Errorf("afterwards: %d", got)
		}
	}
}

// TestUnadmittedBodiesAreNotDecoded: until the caller has been accepted, a body
// takes no more memory than its length.
func TestUnadmittedBodiesAreNotDecoded(t *testing.T) {
	app := bodyApp(t, nil)
	app.Handle("/studio", flexfn.PrepareStudioFunction(func(context.Context, flexfn.Event) (struct{}, error) { return struct{}{}, nil }))
	var object bytes.Buffer
	object.WriteByte('{')
	for i := 0; object.Len() < 6_000_000; i++ {
		fmt.Fprintf(&object, `"%06d":1,`, i)
	}
	object.WriteString(`"z":1}`)
	many := object.String()
	one := `{"x":"` + strings.Repeat("x", 6_000_000) + `"}`
	form := strings.Repeat("a=1&", 1_500_000)
	for _, c := range []struct {
		name, path, kind, body string
		want                   int
		times                  uint64 // at most so many times the body's length
	}{
		{"many members", "/f", "application/json", many, 400, 3},
		{"with a refused token", "/f", "application/json", `{"Token":"a b",` + one[1:], 403, 3},
		{"a long string", "/f", "application/json", one, 403, 3},
		{"a long form", "/f", "application/x-www-form-urlencoded", form, 403, 3},
		{"admitted, with many members", "/f?Token=agent", "application/json", many, 400, 3},
		{"admitted, a long form", "/f?Token=agent", "application/x-www-form-urlencoded", form, 413, 4},
		{"unsigned", "/studio", "application/json", many, 403, 1},
	} {
		r := httptest.NewRequest("POST", c.path, strings.NewReader(c.body))
		r.Header.Set("Content-Type", c.kind)
		w := httptest.NewRecorder()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		began := time.Now()
		app.ServeHTTP(w, r)
		took := time.Since(began)
		runtime.ReadMemStats(&after)
		used := after.TotalAlloc - before.TotalAlloc
		t.Logf("%s: %d, %d KiB for a body of %d KiB in %s", c.name, w.Code, used>>10, len(c.body)>>10, took)
		if w.Code != c.want || used > c.times*uint64(len(c.body)) {
			t.Errorf("%s: %d with %d bytes used: %.200s", c.name, w.Code, used, w.Body)
		}
	}
}

// TestTokenBeforeDecoding: the token that is found before decoding is the one
// in the decoded parameters.
func TestTokenBeforeDecoding(t *testing.T) {
	app := bodyApp(t, nil)
	const form, json = "application/x-www-form-urlencoded", "application/json"
	for _, c := range []struct {
		query, kind, body string
		want              int
	}{
		{"", form, "Token=agent", 200},
		{"", form, "a=1&%54oken=agent&b", 200},
		{"", form, "Token=agent&Token=agent", 403},
		{"", form, "token=agent", 403},
		{"?Token=agent", form, "a=1", 200},
		{"?Token=agent", form, "Token=", 403},
		{"", json, `{"Token":"agent"}`, 200},
		{"", json, " {\t\"a\" : {\"Token\":\"x y\"} , \"b\":[1,{\"c\":\"}\\\"\"}],\r\n\"Token\" : \"agent\" } ", 200},
		{"", json, `{"\u0054oken":"agent"}`, 200},
		{"", json, `{"Token":"x y","Token":"agent"}`, 200},
		{"", json, `{"a":{"Token":"agent"}}`, 403},
		{"", json, `{"Token":{"Token":"agent"}}`, 403},
		{"", json, `{"token":"agent"}`, 403},
		{"?Token=agent", json, `{"a":-1.5e3}`, 200},
		{"?Token=agent", json, `{"Token":null}`, 403},
		{"", json, `{"Token":"agent"`, 400},
		{"", json, `["Token","agent"]`, 400},
		{"", json, `{}`, 403},
	} {
		r := httptest.NewRequest("POST", "/f"+c.query, strings.NewReader(c.body))
		r.Header.Set("Content-Type", c.kind)
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%s %s: %d %s, want %d", c.query, c.body, w.Code, w.Body, c.want)
		}
	}
}

const memoryServer = "FLEXFN_TEST_MEMORY_SERVER"

// TestMemoryUnderAttack: 64 attackers send bodies of 6 MiB over and over, with
// and without the last byte, while a worker makes calls. The server must stay
// below 128 MiB.
func TestMemoryUnderAttack(t *testing.T) {
	if os.Getenv(memoryServer) != "" {
		serveMemory(t)
		return
	}
	if testing.Short() {
		t.Skip("takes four seconds")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	server := exec.Command(self, "-test.run=^TestMemoryUnderAttack$")
	server.Env = append(os.Environ(), memoryServer+"=1")
	server.Stderr = os.Stderr
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stop, err := server.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = stop.Close(), server.Wait() }()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	address := strings.TrimSpace(line)
	peak.MiB(t, server.Process) // or skip

	const attackers, size = 64, 6_200_000
	var object bytes.Buffer
	object.WriteByte('{')
	for i := 0; object.Len() < size-100; i++ {
		fmt.Fprintf(&object, `"%06d":1,`, i)
	}
	object.WriteString(`"z":1}`)
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	var everyone sync.WaitGroup
	for i := range attackers {
		everyone.Go(func() {
			for ctx.Err() == nil {
				attack(ctx, address, object.Bytes(), i%2 == 0)
			}
		})
	}
	calls, statuses := 0, map[int]int{}
	var slowest time.Duration
	for ctx.Err() == nil {
		began := time.Now()
		resp, err := http.PostForm("http://"+address+"/f", url.Values{"Token": {"agent"}, "note": {strings.Repeat("x", 2000)}})
		if err != nil {
			t.Errorf("the worker's call: %v", err)
			break
		}
		resp.Body.Close()
		calls++
		statuses[resp.StatusCode]++
		slowest = max(slowest, time.Since(began))
		time.Sleep(20 * time.Millisecond)
	}
	everyone.Wait()
	mib, limit := peak.MiB(t, server.Process), 128
	t.Logf("64 attackers: the server's memory was %d MiB at its highest; the worker's %d calls were answered %v, the slowest after %s", mib, calls, statuses, slowest)
	if raceDetector { // it keeps several words for each word of the program
		limit *= 5
	}
	if mib > limit || calls == 0 || statuses[200] != calls {
		t.Error("the server used too much memory, or the worker was not served")
	}
}

// attack sends a body without credentials, possibly without its last byte.
func attack(ctx context.Context, address string, body []byte, withhold bool) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	fmt.Fprintf(conn, "POST /f HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", len(body))
	if withhold {
		body = body[:len(body)-1]
	}
	if _, err := conn.Write(body); err != nil {
		return
	}
	_, _ = io.ReadAll(io.LimitReader(conn, 1<<10))
}

// serveMemory runs the server until its standard input ends.
func serveMemory(t *testing.T) {
	app := bodyApp(t, func(c *flexfn.Config) {
		c.Logger = slog.New(slog.DiscardHandler)
		c.FlexDeadline = 3 * time.Second
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(l.Addr())
	server := &http.Server{Handler: app, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = server.Close()
	}()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		t.Fatal(err)
	}
}

// withheld is a connection whose caller sends no more than the headers.
type withheld struct {
	httptest.ResponseRecorder
	end  chan struct{}
	once sync.Once
}

func (w *withheld) SetReadDeadline(time.Time) error {
	w.once.Do(func() { close(w.end) })
	return nil
}

func (w *withheld) Read([]byte) (int, error) {
	<-w.end
	return 0, os.ErrDeadlineExceeded
}

// TestWithheldBodies: of more than a thousand bodies that do not come, the oldest
// is given up, and a body that comes is read.
func TestWithheldBodies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := newApp(t, testConfig(new(iam)))
		app.Handle("/f", flexfn.PrepareFlexFunction(func(context.Context, struct{}) (struct{}, error) { return struct{}{}, nil }))
		const most, more = 1000, 50
		var calls []*withheld
		var all sync.WaitGroup
		for i := range most + more {
			w := &withheld{ResponseRecorder: *httptest.NewRecorder(), end: make(chan struct{})}
			calls = append(calls, w)
			all.Go(func() {
				r := httptest.NewRequest("POST", "/f", w)
				r.ContentLength = 100
				app.ServeHTTP(w, r)
			})
			if i < more || i >= most {
				synctest.Wait()
			}
		}
		for i, w := range calls {
			select {
			case <-w.end:
				if i >= more || w.Code != 503 || w.Header().Get("Retry-After") != "1" || !strings.Contains(w.Body.String(), "slowest") {
					t.Errorf("call %d: %d %v %s", i, w.Code, w.Header(), w.Body)
				}
			default:
				if i < more {
					t.Errorf("call %d still waits", i)
				}
			}
		}
		if status, _ := post(t, app, "/f", url.Values{"Token": {"agent"}}); status != 200 {
			t.Errorf("a body that comes: %d", status)
		}
		time.Sleep(time.Hour) // their deadlines
		all.Wait()
		if w := calls[most+more-1]; w.Code != 408 {
			t.Errorf("at the deadline: %d %s", w.Code, w.Body)
		}
	})
}
