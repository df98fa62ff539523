package twiliofake_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/flexfn/flexfn/twiliofake"
)

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		newFake(b)
	}
}

// A caller sends the same request repeatedly through the in-memory client, and
// reads the answers.
type caller struct {
	client *http.Client
	form   string
	req    *http.Request
}

func newCaller(b *testing.B, fake *twiliofake.Twilio, method, url, form string) *caller {
	return &caller{fake.Client(), form, request(b, method, url, form)}
}

func (c *caller) call(b *testing.B, want int) []byte {
	c.req.Body = io.NopCloser(strings.NewReader(c.form))
	res, err := c.client.Do(c.req)
	if err != nil {
		b.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.Fatal(err)
	}
	if res.StatusCode != want {
		b.Fatalf("status %d: %s", res.StatusCode, body)
	}
	return body
}

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
			b.ReportAllocs()
			for b.Loop() {
				at.call(b, 200)
			}
		})
	}
}

var many = flag.Int("many", 100_000, "how many resources BenchmarkMany makes of each kind")

// BenchmarkMany creates many resources of a kind, then fetches one and reads
// pages at several depths, in order and after a third was removed.
//
//	go test -run '^$' -bench Many -many 1000000 ./twiliofake
func BenchmarkMany(b *testing.B) {
	for _, kind := range []struct{ name, url, form, list string }{
		{"sync-documents", "https://sync.twilio.com/v1/Services/%s/Documents", `Data={"a":1}`, "documents"},
		{"sync-map-items", "https://sync.twilio.com/v1/Services/%s/Maps/m/Items", `Data={"a":1}&Key=k%d`, "items"},
		{"trunks-generic", "https://trunking.twilio.com/v1/Trunks", "FriendlyName=x", "trunks"},
	} {
		b.Run("kind="+kind.name, func(b *testing.B) {
			fake := newFake(b)
			url := kind.url
			if strings.Contains(url, "%s") {
				service := ask(b, fake, "POST", "https://sync.twilio.com/v1/Services", "FriendlyName=x").sid(b)
				ask(b, fake, "POST", "https://sync.twilio.com/v1/Services/"+service+"/Maps", "UniqueName=m").want(b, 201)
				url = fmt.Sprintf(url, service)
			}
			before := heap()
			create := newCaller(b, fake, "POST", url, kind.form)
			started := time.Now()
			var last []byte
			for i := range *many {
				if strings.Contains(kind.form, "%d") {
					create.form = fmt.Sprintf(kind.form, i)
				}
				last = bytes.Clone(create.call(b, 201))
			}
			each := float64(time.Since(started).Nanoseconds()) / float64(*many)
			bytesEach := float64(heap()-before) / float64(*many)
			b.Run("op=create", func(b *testing.B) {
				for b.Loop() { // measured above
				}
				b.ReportMetric(each, "ns/op")
				b.ReportMetric(bytesEach, "B/resource")
			})
			var item struct{ SID, Key string }
			if err := json.Unmarshal(last, &item); err != nil {
				b.Fatal(err)
			}
			pages := func(b *testing.B, when string) {
				next := url + "?PageSize=50"
				for i, depth := range []float64{0, 0.5, 0.98} {
					if i > 0 {
						next = url + fmt.Sprintf("?PageSize=50&Page=%d", int(depth*float64(*many*2/3)/50))
						next = nextPage(b, fake, next) // by token
					}
					b.Run(fmt.Sprintf("op=page%s/depth=%.0f%%", when, 100*depth), func(b *testing.B) {
						page := newCaller(b, fake, "GET", next, "")
						for b.Loop() {
							page.call(b, 200)
						}
					})
				}
			}
			b.Run("op=fetch", func(b *testing.B) {
				at := newCaller(b, fake, "GET", url+"/"+item.SID+item.Key, "")
				for b.Loop() {
					at.call(b, 200)
				}
			})
			pages(b, "")
			removeThird(b, fake, url, kind.list)
			pages(b, "-after-removals")
			runtime.KeepAlive(fake)
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
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
