package bench

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/functions"
	"github.com/flexfn/flexfn/signature"
	"github.com/flexfn/flexfn/twiliofake"
)

// These benchmarks show how costs grow. Each is a single pass: run them with
// -benchtime 1x.

func heap() float64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

func newApp(b *testing.B, transport http.RoundTripper) *flexfn.App {
	app, err := flexfn.New(flexfn.Config{
		AccountSID: twiliofake.DevelopmentAccountSID, AuthToken: twiliofake.DevelopmentAuthToken,
		WorkspaceSID: twiliofake.DevelopmentWorkspaceSID, PublicURL: "https://functions.example.com",
		TokenTTL: 10 * time.Minute, Logger: slog.New(slog.DiscardHandler), Transport: transport,
	})
	if err != nil {
		b.Fatal(err)
	}
	return app
}

// serveForm sends app a form and fails unless the status is want.
func serveForm(b *testing.B, app http.Handler, path, body string, want int, header ...string) {
	req := httptest.NewRequest("POST", "https://functions.example.com"+path, strings.NewReader(body))
	req.Header.Set("Content-Type", formType)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	app.ServeHTTP(w, req)
	if w.Code != want {
		b.Errorf("status %d, want %d: %s", w.Code, want, w.Body)
	}
}

func BenchmarkGrowthOfRegistry(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 10_000} {
		b.Run(fmt.Sprintf("functions=%d", n), func(b *testing.B) {
			app := newApp(b, everyToken{})
			f := flexfn.PrepareStudioFunction(echoOf, flexfn.OpenToAnyone())
			began := time.Now()
			for i := range n {
				app.Handle(fmt.Sprintf("/functions/number-%d", i), f)
			}
			registered := time.Since(began)
			const requests = 50_000
			serve := func(requests int) {
				for i := range requests {
					serveForm(b, app, fmt.Sprintf("/functions/number-%d", i*7919%n), form, 200)
				}
			}
			serve(requests / 5) // warm
			began = time.Now()
			serve(requests)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(time.Since(began).Seconds()/requests, "sec/req")
			b.ReportMetric(registered.Seconds(), "register-sec")
		})
	}
}

// counting counts the requests to TaskRouter.
type counting struct {
	http.RoundTripper
	n atomic.Int64
}

func (c *counting) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasPrefix(r.URL.Host, "taskrouter") {
		c.n.Add(1)
	}
	return c.RoundTripper.RoundTrip(r)
}

// BenchmarkGrowthOfWriters has several writers change one task at the same
// time, through one app or through two, as if in two processes.
func BenchmarkGrowthOfWriters(b *testing.B) {
	for _, apps := range []int{1, 2} {
		for _, writers := range []int{1, 2, 4, 16, 64} {
			b.Run(fmt.Sprintf("apps=%d/writers=%d", apps, writers), func(b *testing.B) {
				fake, err := twiliofake.New(twiliofake.Config{MaxRequests: 1})
				if err != nil {
					b.Fatal(err)
				}
				defer fake.Close()
				// Answers take a while, as over the internet.
				if err := fake.SetFaults(twiliofake.Fault{Action: twiliofake.Slow, Delay: 5 * time.Millisecond}); err != nil {
					b.Fatal(err)
				}
				calls := &counting{RoundTripper: fake.Client().Transport}
				served := make([]*flexfn.App, apps)
				for i := range served {
					served[i] = newApp(b, calls)
					served[i].Handle("/f", functions.UpdateTaskAttributes)
				}
				const each = 8
				var all sync.WaitGroup
				began := time.Now()
				for w := range writers {
					all.Go(func() {
						for i := range each {
							body := url.Values{"Token": {"dev-agent"}, "taskSid": {"WT00000000000000000000000000000001"}, "attributesUpdate": {fmt.Sprintf(`{"w%d":%d}`, w, i)}}
							serveForm(b, served[w%apps], "/f", body.Encode(), 200)
						}
					})
				}
				all.Wait()
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(float64(calls.n.Load())/float64(writers*each), "calls/success")
				b.ReportMetric(time.Since(began).Seconds()/float64(writers*each), "sec/success")
			})
		}
	}
}

func BenchmarkGrowthOfDeduplication(b *testing.B) {
	for _, n := range []int{1000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("deliveries=%d", n), func(b *testing.B) {
			app := newApp(b, everyToken{})
			app.Handle("/f", flexfn.PrepareStudioFunction(echoOf, flexfn.Deduplicate(time.Hour)))
			signature := signature.Sign(twiliofake.DevelopmentAuthToken, "https://functions.example.com/f", formType, []byte(form))
			before, began := heap(), time.Now()
			for i := range n {
				serveForm(b, app, "/f", form, 200, "X-Twilio-Signature", signature, "I-Twilio-Idempotency-Token", fmt.Sprint(i))
			}
			taken := time.Since(began)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(taken.Seconds()/float64(n), "sec/req")
			b.ReportMetric(heap()-before, "heap-bytes")
			runtime.KeepAlive(app)
		})
	}
}

func BenchmarkGrowthOfRequestLog(b *testing.B) {
	for _, n := range []int{1000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("requests=%d", n), func(b *testing.B) {
			fake, err := twiliofake.New(twiliofake.Config{})
			if err != nil {
				b.Fatal(err)
			}
			defer fake.Close()
			client := fake.Client()
			before, began := heap(), time.Now()
			for range n {
				req, err := http.NewRequest("GET", "https://taskrouter.twilio.com/v1/Workspaces/"+twiliofake.DevelopmentWorkspaceSID, nil)
				if err != nil {
					b.Fatal(err)
				}
				req.SetBasicAuth(twiliofake.DevelopmentAccountSID, twiliofake.DevelopmentAuthToken)
				resp, err := client.Do(req)
				if err != nil || resp.StatusCode != 200 {
					b.Fatalf("%v, %v", resp, err)
				}
				resp.Body.Close()
			}
			taken := time.Since(began)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(taken.Seconds()/float64(n), "sec/req")
			b.ReportMetric(heap()-before, "heap-bytes")
			runtime.KeepAlive(fake)
		})
	}
}
