package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

const formType = "application/x-www-form-urlencoded"

// compared lists the cases and their servers. In the case flex, flexfn checks a
// token and the frameworks do not. "reference" is Twilio's local server in its
// fastest mode, which answers from one process. By default that server starts a
// process for each request, which takes too long for a short run.
var compared = []struct {
	name    string
	servers []string
}{
	{"echo", []string{"bare", "bare-headers", "flexfn", "node", "reference", "reference-default"}},
	{"flex", []string{"bare", "flexfn", "functions-framework", "gin", "echo", "huma", "reference"}},
	{"update-task", []string{"bare", "flexfn", "reference"}},
}

// BenchmarkLoad loads servers over loopback with wrk. Each measurement is one
// pass: run it with -benchtime 1x. LOADTIME sets how long each takes. Servers
// that are compared run one after another.
func BenchmarkLoad(b *testing.B) {
	if _, err := exec.LookPath("wrk"); err != nil {
		b.Skip("NOT MEASURED: wrk is not installed")
	}
	length := 2 * time.Second
	if v := os.Getenv("LOADTIME"); v != "" {
		var err error
		if length, err = time.ParseDuration(v); err != nil {
			b.Fatal(err)
		}
	}
	scripts := map[bool]string{false: wrkScript(b, formType, loadForm), true: wrkScript(b, "application/json", jsonForm)}
	fake := startServer(b, "fake", "")
	fakeURL := "http://127.0.0.1:" + fake.port
	running := map[string]*server{}
	for _, c := range compared {
		for _, name := range c.servers {
			if forks := name == "reference-default"; running[name] == nil && !forks && !leftOut(name) {
				requireReference(b, name)
				running[name] = startServer(b, name, fakeURL)
			}
			if s := running[name]; s != nil {
				wrk(b, s, scripts[name == "huma"], c.name, 16, time.Second) // warm
			}
		}
		for _, conns := range []int{1, 16, 64} {
			for _, name := range c.servers {
				if leftOut(name) {
					continue
				}
				b.Run(fmt.Sprintf("case=%s/conns=%d/lib=%s", c.name, conns, name), func(b *testing.B) {
					s, length := running[name], length
					if s == nil {
						// It answers only a few requests a second, and none at
						// all after clients have left.
						s, length = startServer(b, name, fakeURL), max(length, 10*time.Second)
					}
					before := s.cpu(b)
					m := wrk(b, s, scripts[name == "huma"], c.name, conns, length)
					b.ReportMetric(0, "ns/op")
					b.ReportMetric(m.requests/m.seconds, "req/s")
					b.ReportMetric(m.p50, "p50-sec")
					b.ReportMetric(m.p99, "p99-sec")
					b.ReportMetric((s.cpu(b)-before).Seconds()/max(m.requests, 1), "cpu-sec/req")
					b.ReportMetric(s.memory(b), "resident-bytes")
					b.ReportMetric(m.failed, "failed")
				})
			}
		}
	}
}

// leftOut reports whether name is not measured in this pass of a short run:
// Node.js's servers are only in the first one.
func leftOut(name string) bool {
	if os.Getenv("SHORT") == "" {
		return false
	}
	return name == "reference-default" || os.Getenv("PASS") != "1" && (name == "node" || name == "reference")
}

func requireReference(tb testing.TB, name string) {
	if _, err := os.Stat("reference/node_modules/twilio-run"); strings.HasPrefix(name, "reference") && err != nil {
		tb.Fatal("npm ci in reference/ first")
	}
}

// BenchmarkStart starts each server and measures the time to its first answer
// and its memory at that point.
func BenchmarkStart(b *testing.B) {
	for _, name := range []string{"bare", "flexfn", "flexfn-serve", "functions-framework", "node", "reference"} {
		if leftOut(name) {
			continue
		}
		b.Run("lib="+name, func(b *testing.B) {
			requireReference(b, name)
			s := startServer(b, name, "http://127.0.0.1:1")
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(s.start.Seconds(), "start-sec")
			b.ReportMetric(s.memory(b), "resident-bytes")
		})
	}
}

// wrkScript is a wrk script that sends a body and finally prints its counts.
func wrkScript(tb testing.TB, contentType, body string) string {
	path := filepath.Join(tb.TempDir(), "form.lua")
	text := fmt.Sprintf(`
local n = 0
wrk.method = "POST"
wrk.headers["Content-Type"] = %q
local form = %q
function request()
  if wrk.path == "/update-task" then
    n = (n + 1) %% %d
    return wrk.format(nil, nil, nil, string.format("Token=dev-agent&taskSid=WT%%032x&attributesUpdate=%%%%7B%%%%22note%%%%22%%%%3A%%%%22called+back%%%%22%%%%7D", 0xbe0000 + n))
  end
  return wrk.format(nil, nil, nil, form)
end
function done(summary, latency)
  local e = summary.errors
  io.write(string.format("RESULT %%d %%d %%d %%d %%d\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), e.connect + e.read + e.write + e.timeout + e.status))
end
`, contentType, body, tasks)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

// loadForm has a token that the fake accepts.
var loadForm = strings.Replace(form, "Token=t", "Token=dev-agent", 1)

type measured struct {
	requests, seconds, p50, p99, failed float64
}

var wrkResult = regexp.MustCompile(`RESULT (\d+) (\d+) (\d+) (\d+) (\d+)`)

func wrk(tb testing.TB, s *server, script, path string, conns int, d time.Duration) measured {
	tb.Helper()
	out, err := exec.Command("wrk", "-t", "1", "-c", strconv.Itoa(conns), "-d", strconv.Itoa(max(1, int(d.Seconds()))), "--timeout", "30s",
		"-s", script, "http://127.0.0.1:"+s.port+"/"+path).CombinedOutput()
	fields := wrkResult.FindStringSubmatch(string(out))
	if err != nil || fields == nil {
		tb.Fatalf("wrk: %v\n%s\n%s", err, out, s.err.String())
	}
	var n [5]float64
	for i := range n {
		n[i], _ = strconv.ParseFloat(fields[i+1], 64)
	}
	return measured{requests: n[0], seconds: n[1] / 1e6, p50: n[2] / 1e6, p99: n[3] / 1e6, failed: n[4]}
}
