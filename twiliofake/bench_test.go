//go:build unix

package twiliofake_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/flexfn/flexfn/twiliofake"
)

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		newFake(b)
	}
}

// BenchmarkDecode decodes the table of operations and joins it with the rows,
// which the first request does.
func BenchmarkDecode(b *testing.B) {
	b.ReportAllocs()
	began := cpuTime()
	for b.Loop() {
		if err := twiliofake.Decode(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(cpuTime()-began)/float64(b.N), "cpu-ns/op")
}

// A caller sends the same request again and again through the client in memory,
// and reads the answer into a buffer that it keeps.
type caller struct {
	client *http.Client
	form   string
	req    *http.Request
	answer bytes.Buffer
}

func newCaller(b *testing.B, to http.Handler, method, url, form string) *caller {
	return &caller{client: twiliofake.ClientOf(to), form: form, req: request(b, method, url, form)}
}

func (c *caller) call(b *testing.B, want int) []byte {
	c.req.Body = io.NopCloser(strings.NewReader(c.form))
	res, err := c.client.Do(c.req)
	if err != nil {
		b.Fatal(err)
	}
	c.answer.Reset()
	if _, err := c.answer.ReadFrom(res.Body); err != nil {
		b.Fatal(err)
	}
	if res.StatusCode != want {
		b.Fatalf("status %d: %s", res.StatusCode, &c.answer)
	}
	return c.answer.Bytes()
}

// compare sends requests to the fake and to a plain handler in turn. It reports
// the processor time of each, which other programs on the machine change less
// than the time on the clock, and the fake's as a multiple of the plain one's.
func compare(b *testing.B, fake, plain *caller) {
	const batch = 50
	var times [2]time.Duration
	var wall time.Duration
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range batch {
		fake.call(b, 200)
	}
	runtime.ReadMemStats(&after)
	n := 0
	for b.Loop() {
		for i, c := range []*caller{fake, plain} {
			began, started := cpuTime(), time.Now()
			for range batch {
				c.call(b, 200)
			}
			times[i] += cpuTime() - began
			if i == 0 {
				wall += time.Since(started)
			}
		}
		n += batch
	}
	b.ReportAllocs() // of the fake alone, below
	b.ReportMetric(float64(wall)/float64(n), "ns/op")
	b.ReportMetric(float64(times[0])/float64(n), "cpu-ns/op")
	b.ReportMetric(float64(times[1])/float64(n), "plain-cpu-ns/op")
	b.ReportMetric(float64(times[0])/float64(times[1]), "of-plain")
	b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/batch, "B/op")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/batch, "allocs/op")
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkRequest compares the fake with a handler that answers the same
// bodies from a map with encoding/json, and does nothing else.
//
//	go test -run '^$' -bench Request ./twiliofake
func BenchmarkRequest(b *testing.B) {
	const generic = "https://trunking.twilio.com/v1/Trunks"
	for _, c := range []struct{ name, method, url, form string }{
		{"op=fetch-task", "GET", task, ""},
		{"op=fetch-generic", "GET", generic + "/", ""},
		{"op=update-task", "POST", task, "Priority=1"},
		{"op=hold", "POST", customer, "Hold=true"},
		{"op=list-queues", "GET", taskrouter + "/TaskQueues", ""},
	} {
		b.Run(c.name, func(b *testing.B) {
			fake := newFake(b)
			if c.url == generic+"/" {
				c.url += ask(b, fake, "POST", generic, "FriendlyName=x").sid(b)
			}
			at := newCaller(b, fake, c.method, c.url, c.form)
			var item map[string]any
			if err := json.Unmarshal(at.call(b, 200), &item); err != nil {
				b.Fatal(err)
			}
			plain := &plain{items: map[string]map[string]any{at.req.URL.Path: item}}
			compare(b, at, newCaller(b, plain, c.method, c.url, c.form))
		})
	}
}

// plain is what a fake written for one test would be: items in a map, answered
// with encoding/json.
type plain struct {
	mu    sync.Mutex
	items map[string]map[string]any // by path
	made  []map[string]any
	blank map[string]any // what a new item looks like
}

func (p *plain) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if user, password, _ := r.BasicAuth(); user != account || password != authToken {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	status, item := http.StatusOK, p.items[r.URL.Path]
	var answer any = item
	switch {
	case r.Method == "POST":
		if err := r.ParseForm(); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		if item == nil {
			status, item = http.StatusCreated, maps.Clone(p.blank)
			id := fmt.Sprintf("TK%032x", len(p.made))
			item["sid"], item["url"] = id, "https://"+r.Host+r.URL.Path+"/"+id
			p.items[r.URL.Path+"/"+id] = item
			p.made = append(p.made, item)
		}
		for name := range r.PostForm {
			item[name] = r.PostForm.Get(name)
		}
		answer = item
	case item == nil:
		page, _ := strconv.Atoi(r.URL.Query().Get("Page"))
		answer = map[string]any{"items": p.made[50*page : 50*page+50]}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(answer) //nolint:errcheck // in memory
}

var many = flag.Int("many", 100_000, "how many resources BenchmarkMany makes of each kind")

// BenchmarkMany creates many resources of a kind, then fetches one and reads
// pages at several depths, in order and after a third was removed. The last
// kind is that of the plain handler.
//
//	go test -run '^$' -bench Many -many 1000000 -benchtime 300x -timeout 0 ./twiliofake
func BenchmarkMany(b *testing.B) {
	const trunks = "https://trunking.twilio.com/v1/Trunks"
	for _, kind := range []struct{ name, url, form, list string }{
		{"sync-documents", "https://sync.twilio.com/v1/Services/%s/Documents", `Data={"a":1}`, "documents"},
		{"sync-map-items", "https://sync.twilio.com/v1/Services/%s/Maps/m/Items", `Data={"a":1}&Key=k%d`, "items"},
		{"trunks-generic", trunks, "FriendlyName=x", "trunks"},
		{"plain", trunks, "friendly_name=x", ""},
	} {
		b.Run("kind="+kind.name, func(b *testing.B) {
			fake := newFake(b)
			var at http.Handler = fake
			url := kind.url
			if strings.Contains(url, "%s") {
				service := ask(b, fake, "POST", "https://sync.twilio.com/v1/Services", "FriendlyName=x").sid(b)
				ask(b, fake, "POST", "https://sync.twilio.com/v1/Services/"+service+"/Maps", "UniqueName=m").want(b, 201)
				url = fmt.Sprintf(url, service)
			}
			if kind.list == "" {
				at = &plain{items: map[string]map[string]any{}, blank: ask(b, fake, "POST", trunks, "FriendlyName=x").body}
			}
			before := heap()
			create := newCaller(b, at, "POST", url, kind.form)
			began, started := cpuTime(), time.Now()
			var last []byte
			for i := range *many {
				if strings.Contains(kind.form, "%d") {
					create.form = fmt.Sprintf(kind.form, i)
				}
				last = create.call(b, 201)
			}
			each := float64(time.Since(started).Nanoseconds()) / float64(*many)
			cpuEach := float64(cpuTime()-began) / float64(*many)
			bytesEach := float64(heap()-before) / float64(*many)
			b.Run("op=create", func(b *testing.B) {
				for b.Loop() { // measured above
				}
				b.ReportMetric(each, "ns/op")
				b.ReportMetric(cpuEach, "cpu-ns/op")
				b.ReportMetric(bytesEach, "B/resource")
			})
			var item struct{ SID, Key string }
			if err := json.Unmarshal(last, &item); err != nil {
				b.Fatal(err)
			}
			get := func(b *testing.B, name, url string) {
				b.Run(name, func(b *testing.B) {
					c := newCaller(b, at, "GET", url, "")
					began := cpuTime()
					for b.Loop() {
						c.call(b, 200)
					}
					b.ReportMetric(float64(cpuTime()-began)/float64(b.N), "cpu-ns/op")
				})
			}
			pages := func(b *testing.B, when string) {
				for _, depth := range []float64{0, 0.5, 0.98} {
					next := url + fmt.Sprintf("?PageSize=50&Page=%d", int(depth*float64(*many*2/3)/50))
					if depth > 0 && kind.list != "" {
						next = nextPage(b, fake, next) // by token
					}
					get(b, fmt.Sprintf("op=page%s/depth=%.0f%%", when, 100*depth), next)
				}
			}
			get(b, "op=fetch", url+"/"+item.SID+item.Key)
			pages(b, "")
			if kind.list != "" {
				removeThird(b, fake, url, kind.list)
				pages(b, "-after-removals")
			}
			runtime.KeepAlive(at)
		})
	}
}

// nextPage returns the URL of the page after another one.
func nextPage(b *testing.B, fake *twiliofake.Twilio, url string) string {
	meta := ask(b, fake, "GET", url, "").want(b, 200).body["meta"].(map[string]any)
	next, ok := meta["next_page_url"].(string)
	if !ok {
		b.Fatalf("no page after %s", url)
	}
	return next
}

// removeThird removes every third item of a list, one by one.
func removeThird(b *testing.B, fake *twiliofake.Twilio, url, list string) {
	started, n := time.Now(), 0
	for next := url + "?PageSize=999"; next != ""; {
		page := ask(b, fake, "GET", next, "").want(b, 200)
		for i, item := range page.items(b, list) {
			if i%3 > 0 {
				continue
			}
			id, ok := item["sid"].(string)
			if !ok {
				id = item["key"].(string)
			}
			newCaller(b, fake, "DELETE", url+"/"+id, "").call(b, 204)
			n++
		}
		next, _ = page.body["meta"].(map[string]any)["next_page_url"].(string)
	}
	b.Logf("removed %d, %v each with their pages", n, time.Since(started)/time.Duration(n))
}

func heap() uint64 {
	runtime.GC()
	runtime.GC() // buffers in pools outlive the first
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
