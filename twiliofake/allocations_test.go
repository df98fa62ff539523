//go:build !race

package twiliofake_test

import (
	"net/http"
	"testing"
)

// TestAllocations bounds what a fetch allocates, of a row and of the generic
// layer, its client included. Collecting garbage is the largest cost of a large
// state, and grows with what each request leaves behind.
func TestAllocations(t *testing.T) {
	fake := newFake(t)
	const trunks = "https://trunking.twilio.com/v1/Trunks"
	trunk := trunks + "/" + ask(t, fake, "POST", trunks, "FriendlyName=x").sid(t)
	client := fake.Client()
	for _, url := range []string{task, trunk} {
		req := request(t, "GET", url, "")
		got := testing.AllocsPerRun(100, func() {
			res, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close() //nolint:errcheck // in memory
			if res.StatusCode != http.StatusOK {
				t.Fatal(res.Status)
			}
		})
		if got > 60 {
			t.Errorf("a fetch of %s makes %v allocations, want at most 60", url, got)
		}
	}
}
