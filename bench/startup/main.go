// Command startup measures how soon a program answers after its start, and its
// memory after many requests: flexfn's release binary on HTTP and on a stub of
// AWS Lambda, the minimum possible in Go and Node.js, and the reference's local
// server if "npm install" was run in reference/.
//
//	cd bench && go run ./startup
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flexfn/flexfn/internal/testing/lambdatest"
	"github.com/flexfn/flexfn/twiliofake"
)

func main() {
	runs := flag.Int("runs", 20, "how often each program is started")
	requests := flag.Int("requests", 10_000, "after how many requests the memory is looked at")
	flag.Parse()
	if err := measure(*runs, *requests); err != nil {
		log.Fatal(err)
	}
}

// portWord stands for the port in a command; other programs take $PORT.
const portWord = "PORT"

type subject struct {
	name     string
	command  []string
	dir      string
	environ  []string
	path     string
	form     url.Values // sent to path for the memory; nil: a GET
	runs     int
	requests int
	lambda   bool
}

func measure(runs, requests int) error {
	work, err := os.MkdirTemp("", "startup")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	build := func(name, dir, pkg string) (string, error) {
		out := filepath.Join(work, name)
		c := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-tags", "timetzdata,lambda.norpc", "-o", out, pkg)
		c.Dir, c.Env, c.Stderr = dir, append(os.Environ(), "CGO_ENABLED=0"), os.Stderr
		return out, c.Run()
	}
	flexfn, err := build("flexfn", "..", "./cmd/flexfn")
	if err != nil {
		return err
	}
	bare, err := build("bare", ".", "./startup/bare")
	if err != nil {
		return err
	}

	// The fake takes Twilio's place.
	fakeAddress := "127.0.0.1:" + freePort()
	fake := exec.Command(flexfn, "fake", "--addr", fakeAddress)
	if err := fake.Start(); err != nil {
		return err
	}
	defer func() { _ = fake.Process.Kill(); _ = fake.Wait() }()

	account := []string{
		"ACCOUNT_SID=" + twiliofake.DevelopmentAccountSID, "AUTH_TOKEN=" + twiliofake.DevelopmentAuthToken, "FLEXFN_TWILIO_URL=http://" + fakeAddress,
	}
	everything, err := features(work)
	if err != nil {
		return err
	}
	hold := "/common/flex/programmable-voice/hold-participant"
	form := url.Values{
		"Token": {"dev-agent"}, "conference": {"CF00000000000000000000000000000001"}, "participant": {"CA00000000000000000000000000000001"}, "hold": {"true"},
	}
	subjects := []subject{
		{name: "bare Go", command: []string{bare}, path: "/", runs: runs, requests: requests},
		{name: "flexfn, HTTP", command: []string{flexfn, "serve"}, environ: account, path: hold, form: form, runs: runs, requests: requests},
		{name: "flexfn, HTTP, every feature on", command: []string{flexfn, "serve"}, environ: append(everything, account...), path: hold, form: form, runs: runs, requests: requests},
		{name: "flexfn, AWS Lambda (stub)", command: []string{flexfn, "serve"}, environ: account, path: hold, form: form, runs: runs, requests: requests, lambda: true},
	}
	if node, err := exec.LookPath("node"); err == nil {
		subjects = append(subjects, subject{name: "bare Node.js", command: []string{node, "startup/bare.js"}, path: "/", runs: runs, requests: requests})
		if _, err := os.Stat("startup/reference/node_modules"); err == nil {
			subjects = append(subjects, subject{
				name: "reference's local server", command: []string{node, "node_modules/.bin/twilio-run", "start", "--port", portWord, "--log-level", "error"}, dir: "startup/reference",
				path: "/hello", runs: min(runs, 5), requests: min(requests, 100),
			})
		}
	}
	// Take turns, so that a noisy moment affects every program.
	times := make([][]time.Duration, len(subjects))
	for i := range runs {
		for k, s := range subjects {
			if i < s.runs {
				took, _, err := s.start(0)
				if err != nil {
					return fmt.Errorf("%s: %w", s.name, err)
				}
				times[k] = append(times[k], took)
			}
		}
	}
	fmt.Println("| program | start to first answer: median (fastest, slowest) | starts | resident memory after | requests |")
	fmt.Println("|---|---|---|---|---|")
	for k, s := range subjects {
		_, rss, err := s.start(s.requests)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		slices.Sort(times[k])
		ms := func(d time.Duration) string { return fmt.Sprintf("%.1f", float64(d.Microseconds())/1000) }
		fmt.Printf("| %s | %s ms (%s, %s) | %d | %s | %d |\n", s.name, ms(times[k][len(times[k])/2]), ms(times[k][0]), ms(times[k][len(times[k])-1]), len(times[k]), rss, s.requests)
	}
	return nil
}

// features returns the settings of every feature. Its files are in dir.
func features(dir string) ([]string, error) {
	list := []string{"PUBLIC_URL=https://functions.example.com", "TWILIO_API_KEY=SK" + one, "TWILIO_API_SECRET=development", "FLEXFN_TIME_ZONE=Europe/Berlin", "FLEXFN_ASSETS_DIR=" + dir}
	for name, prefix := range map[string]string{
		"WORKSPACE": "WS", "CHAT_SERVICE": "IS", "SYNC": "IS", "CALLBACK_WORKFLOW": "WW", "CHAT_TRANSFER_WORKFLOW": "WW", "INTERNAL_CALL_WORKFLOW": "WW",
	} {
		list = append(list, "TWILIO_FLEX_"+name+"_SID="+prefix+one)
	}
	for name, text := range map[string]string{
		"PROMPTS":          `{"voice": "Polly.Joanna"}`,
		"CANNED_RESPONSES": `{"categories": [{"section": "Opening", "responses": [{"label": "Hello", "text": "Hello!"}]}]}`,
		"SCHEDULES": `{"rules": [{"id": "weekdays", "name": "Weekdays", "isOpen": true, "startTime": "09:00", "endTime": "17:00", "dateRRule": "FREQ=WEEKLY;BYDAY=MO,TU"}],
			"schedules": [{"name": "Support", "timeZone": "Europe/Berlin", "rules": ["weekdays"]}]}`,
	} {
		path := filepath.Join(dir, name+".json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return nil, err
		}
		list = append(list, "FLEXFN_"+name+"_FILE="+path)
	}
	return list, nil
}

const one = "00000000000000000000000000000001"

func freePort() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// start starts the program, waits for its first answer, sends more requests, and
// ends it.
func (s subject) start(requests int) (took time.Duration, rss string, err error) {
	port := freePort()
	base := "http://127.0.0.1:" + port
	args := slices.Clone(s.command)
	for i := range args {
		if args[i] == portWord {
			args[i] = port
		}
	}
	c := exec.Command(args[0], args[1:]...)
	c.Dir = s.dir
	c.Env = append(append(os.Environ(), "PORT="+port), s.environ...)
	transport := http.RoundTripper(&http.Transport{MaxIdleConnsPerHost: 16})
	if s.lambda {
		api, err := lambdatest.New()
		if err != nil {
			return 0, "", err
		}
		defer api.Close()
		c.Env = append(c.Env, api.Environ()...)
		transport = &lambdatest.Transport{API: api, Kind: lambdatest.FunctionURL}
	}
	client := &http.Client{Transport: transport, Timeout: 30 * time.Second}
	var said bytes.Buffer
	c.Stdout, c.Stderr = &said, &said
	begin := time.Now()
	if err := c.Start(); err != nil {
		return 0, "", err
	}
	defer func() { _ = c.Process.Kill(); _ = c.Wait() }()
	for {
		resp, err := client.Get(base + s.path)
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			if err != nil || resp.StatusCode >= 500 {
				return 0, "", fmt.Errorf("%s, %v: %s", resp.Status, err, said.String())
			}
			break
		}
		if time.Since(begin) > 30*time.Second {
			return 0, "", fmt.Errorf("no answer: %w; it says %s", err, said.String())
		}
		time.Sleep(200 * time.Microsecond)
	}
	took = time.Since(begin)
	if requests == 0 {
		return took, "", nil
	}
	var left atomic.Int64
	left.Store(int64(requests))
	var senders sync.WaitGroup
	failures := make(chan error, 16)
	for range 16 {
		senders.Go(func() {
			for left.Add(-1) >= 0 {
				var resp *http.Response
				var err error
				if s.form == nil {
					resp, err = client.Get(base + s.path)
				} else {
					resp, err = client.PostForm(base+s.path, s.form)
				}
				if err == nil {
					_, err = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
					if resp.StatusCode != http.StatusOK {
						err = fmt.Errorf("%s", resp.Status)
					}
				}
				if err != nil {
					failures <- err
					return
				}
			}
		})
	}
	senders.Wait()
	select {
	case err := <-failures:
		return 0, "", err
	default:
	}
	return took, memory(c.Process.Pid), nil
}

// memory returns the resident memory that the kernel reports.
func memory(pid int) string {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return err.Error()
	}
	for line := range strings.Lines(string(status)) {
		if v, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			var kB float64
			_, _ = fmt.Sscan(v, &kB)
			return fmt.Sprintf("%.1f MB", kB/1024)
		}
	}
	return "unknown"
}
