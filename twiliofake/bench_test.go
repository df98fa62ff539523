package twiliofake_test

import (
	"testing"
)

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		newFake(b)
	}
}

func BenchmarkRequest(b *testing.B) {
	for _, c := range []struct{ name, method, url, form string }{
		{"op=fetch-task", "GET", task, ""},
		{"op=update-task", "POST", task, "Priority=1"},
		{"op=hold", "POST", customer, "Hold=true"},
		{"op=list-queues", "GET", taskrouter + "/TaskQueues", ""},
	} {
		b.Run(c.name, func(b *testing.B) {
			fake := newFake(b)
			b.ReportAllocs()
			for b.Loop() {
				if a := ask(b, fake, c.method, c.url, c.form); a.status != 200 {
					b.Fatal(a.text)
				}
			}
		})
	}
}
